"""What tests of real agents stand on: the programs, a home of its own for each test, a model that is ours."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from goal_engine.budget import GoalBudget
from goal_engine.document import parse_plan
from goal_engine.engine import Engine
from goal_engine.planner import CreateGoalOptions, create_goal
from goal_engine.state import events as e
from goal_engine.state.model import GoalState
from tests.agents.endpoint import Endpoint, Script, serve
from tests.agents.known import Known
from tests.agents.tools import Programs, install_agents
from tests.conftest import GIT_CONFIG
from tests.integration.projects import CRITERIA, a_project
from tests.personal import set_sandbox

PATIENCE = 180
"""Seconds that one test may take; most take five."""
TAIL = 3000
"""Characters of each log that a failure shows."""
GOAL = "Make sums right in calc.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this folder a time of their own."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(PATIENCE))


@dataclass
class Stage:
    """A project, an agent who is at home on this machine, and the model it talks to."""

    known: Known
    model: Endpoint
    engine: Engine
    facts: list[e.GoalEvent] = field(default_factory=list)

    @property
    def project(self) -> Path:
        return self.engine.checkout

    @property
    def around(self) -> Path:
        """The folder of all that tests of this process make: workspaces are in it, wherever."""
        return self.project.parent.parent

    def plan(self, writes: str = '"**"') -> str:
        return (
            f'goal = "{GOAL}"\nkind = "fix"\n{CRITERIA}\n[[task]]\nid = "fix"\ntitle = "Fix the sum"\n'
            f'worker = "{self.known.worker}"\nagent = "{self.known.agent}"\nwrites = [{writes}]\n'
        )

    async def create(self, writes: str = '"**"', **limits: object) -> GoalState:
        """Create the goal with the project's gates; `limits` are of its budget."""
        choice = await self.engine.choose_gates()
        plan, budget = parse_plan(self.plan(writes), "plan.toml"), GoalBudget(**limits)
        options = CreateGoalOptions(gates=choice.specs, plan=plan, budget=budget)
        return await create_goal(self.engine.ports, GOAL, options)

    async def read_log(self, state: GoalState) -> str:
        """Return what the agent printed in its last turn."""
        log = state.tasks["fix"].log
        return (await self.engine.ports.store.read_object(log)).decode() if log else ""


SetStage = Callable[[Known, Script], Stage]


@pytest.fixture(scope="session")
def programs() -> Programs:
    """The agents, installed if need be."""
    return install_agents()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with nothing in it but the name of who commits; what they set is the default."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / ".gitconfig").write_text(GIT_CONFIG)
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("GOALPROOF_CONFIG_DIR", str(tmp_path / "config"))
    set_sandbox(tmp_path / "config", "required")
    return folder


@pytest.fixture
def stage(
    programs: Programs, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SetStage]:
    """Sets a stage for an agent whose model follows a script; nobody is left on it."""
    with ExitStack() as stack:

        def set_stage(known: Known, script: Script) -> Stage:
            model = stack.enter_context(serve(script, GOAL))
            known.configure(home, model.url)
            path = (programs.agents[known.programs], programs.node, os.environ["PATH"])
            monkeypatch.setenv("PATH", os.pathsep.join(map(str, path)))
            engine = Engine.open(a_project(tmp_path / "project"))
            stack.callback(engine.close)
            made = Stage(known, model, engine)
            engine.subscribe(lambda _, entry: made.facts.extend(entry.events))
            stack.callback(lambda: check(made))
            return made

        yield set_stage


def check(stage: Stage) -> None:
    """Fail where the model was asked what it does not know, or an agent outlived its goal.

    What was printed is printed again, for whoever reads of a failure.
    """
    for log in sorted((stage.project / ".goalproof" / "objects").rglob("*")):
        if log.is_file():
            sys.stdout.write(f"{log.name}: {log.read_text('utf-8', 'replace')[-TAIL:]}\n")
    assert stage.model.problems == []
    assert find_agents(stage.around) == []


def find_agents(folder: Path) -> list[str]:
    """Return the command lines of what works in a folder, but for us and our own git."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            ours = process.ppid() == os.getpid()
            if str(folder) in process.cwd() and not (ours and process.name() == "git"):
                found.append(" ".join(process.cmdline()))
    return found
