"""What tests of real agents stand on: the programs, a home of its own for each test, a model that is ours."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.agents import stage as stages
from tests.agents.known import Known
from tests.agents.scripted import Script
from tests.agents.stage import Stage, find_agents, set_home
from tests.agents.tools import Programs, check_reach, install_agents
from tests.editors.tools import CACHE, InstallFailed

PATIENCE = 180
"""Seconds that one test may take; most take five."""
TAIL = 3000
"""Characters of each log that a failure shows."""


def pytest_configure() -> None:
    """Say at once what is not there, where nobody can fetch it."""
    try:
        check_reach(CACHE)
    except InstallFailed as error:
        raise pytest.UsageError(str(error)) from None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this folder a time of their own."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(PATIENCE))


SetStage = Callable[[Known, Script], Stage]


@pytest.fixture(scope="session")
def programs() -> Programs:
    """The agents, installed if need be."""
    return install_agents()


@contextmanager
def staging(
    programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SetStage]:
    """Give what sets a stage for an agent whose model follows a script; nobody is left on it."""
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        monkeypatch.delenv(name)
    with ExitStack() as stack:

        def set_stage(known: Known, script: Script) -> Stage:
            for name, value in set_home(tmp_path, programs, known).items():
                monkeypatch.setenv(name, value)
            made = stack.enter_context(stages.set_stage(tmp_path, known, script))
            stack.callback(lambda: check(made))
            return made

        yield set_stage


@pytest.fixture
def stage(
    programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SetStage]:
    """Sets the stage of one test."""
    with staging(programs, tmp_path, monkeypatch) as set_stage:
        yield set_stage


def check(stage: Stage) -> None:
    """Fail where the model was asked what it does not know, or an agent outlived its goal.

    What was printed is printed again, for whoever reads of a failure.
    """
    for log in sorted((stage.project / ".goalproof" / "objects").rglob("*")):
        if log.is_file():
            sys.stdout.write(f"{log.name}: {log.read_text('utf-8', 'replace')[-TAIL:]}\n")
    sys.stdout.write(f"seen by its model: {[asked.results for asked in stage.model.asked]}\n")
    assert stage.model.problems == []
    assert find_agents(stage.around) == []
