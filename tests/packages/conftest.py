"""What is published, as the session `build` made it."""

from __future__ import annotations

from pathlib import Path

import pytest

DIST = Path(__file__).parents[2] / "dist"


def find_built(pattern: str) -> Path:
    """Return the one file of its kind."""
    found = sorted(DIST.glob(pattern))
    if len(found) != 1:
        pytest.fail(f"dist/ has {len(found)} files {pattern}; run `nox -s build`.", pytrace=False)
    return found[0]


@pytest.fixture(scope="session")
def wheel() -> Path:
    return find_built("*.whl")


@pytest.fixture(scope="session")
def sdist() -> Path:
    return find_built("*.tar.gz")


@pytest.fixture(scope="session")
def vsix() -> Path:
    return find_built("*.vsix")
