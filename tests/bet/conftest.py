"""Real projects as a person has them: unpacked, committed, with `.venv` and an editable install."""

from __future__ import annotations

import pytest

from tests.bet.projects import PROJECTS, Checkout, install


@pytest.fixture(scope="session", params=PROJECTS, ids=lambda project: project.name)
def checkout(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Install one project for all tests about it."""
    return install(request.param, tmp_path_factory.mktemp(request.param.name).resolve())
