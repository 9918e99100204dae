"""A project, an agent who is at home on this machine, and the model it talks to."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from goal_engine.budget import GoalBudget
from goal_engine.document import parse_plan
from goal_engine.engine import Engine
from goal_engine.planner import CreateGoalOptions, create_goal
from goal_engine.state import events as e
from goal_engine.state.model import GoalState
from goal_engine.takeover import SESSIONS
from goal_engine.types import GoalId
from goal_engine.workers.agents import find_belongings, read_agents
from tests.agents.endpoint import Endpoint, serve
from tests.agents.known import Known
from tests.agents.scripted import Script
from tests.agents.tools import Programs
from tests.conftest import GIT_CONFIG
from tests.integration.projects import CRITERIA, a_project
from tests.personal import set_sandbox

GOAL = "Make sums right in calc.py"


@dataclass
class Stage:
    """What a scenario plays on."""

    known: Known
    model: Endpoint
    engine: Engine
    facts: list[e.GoalEvent] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set with each fact."""

    def note(self, _: GoalId, entry: e.JournalEntry) -> None:
        """Take notice of what happened."""
        self.facts.extend(entry.events)
        self.news.set()

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

    async def create_of_words(self) -> GoalState:
        """Create the goal without a plan, for this agent."""
        choice = await self.engine.choose_gates()
        options = CreateGoalOptions(
            gates=choice.specs, worker=self.known.worker, agent=self.known.agent
        )
        return await create_goal(self.engine.ports, GOAL, options)

    @property
    def goal(self) -> GoalId:
        """The one goal that there is."""
        return next(fact.goal_id for fact in self.facts if isinstance(fact, e.GoalCreated))

    async def read(self) -> GoalState:
        """Return it as it stands."""
        return await self.engine.ports.read(self.goal)

    def has_transcript(self, words: str) -> bool:
        """Whether the agent has written down what is said: some do that a little later."""
        places = (self.engine.state_dir / SESSIONS, Path.home() / ".local" / "share" / "opencode")
        for path in (path for place in places for path in place.rglob("*") if words):
            with suppress(OSError):  # a folder, or it is gone again
                if words.encode() in path.read_bytes():
                    return True
        return not words

    async def read_log(self, state: GoalState) -> str:
        """Return what the agent printed in its last turn."""
        return await self._read(state.tasks["fix"].log)

    async def read_planning(self, state: GoalState) -> str:
        """Return what it printed when it was asked for a plan."""
        return await self._read(state.consulted["plan"].log)

    async def _read(self, log: str | None) -> str:
        return (await self.engine.ports.store.read_object(log)).decode() if log else ""


def set_home(folder: Path, programs: Programs, known: Known) -> Mapping[str, str]:
    """Return the variables of a person in `folder` who has one agent, and nothing set but a sandbox."""
    home, config = folder / "home", folder / "config"
    home.mkdir(parents=True)
    (home / ".gitconfig").write_text(GIT_CONFIG)
    set_sandbox(config, "required")
    path = (programs.agents[known.programs], programs.node, os.environ["PATH"])
    return {
        "HOME": str(home),
        "GOALPROOF_CONFIG_DIR": str(config),
        "PATH": os.pathsep.join(map(str, path)),
    }


@contextmanager
def set_stage(folder: Path, known: Known, script: Script) -> Iterator[Stage]:
    """Set a stage for an agent, at home in `folder`, whose model follows a script."""
    with serve(script, GOAL) as model:
        known.configure(folder / "home", model.url)
        make_shelves(known)
        engine = Engine.open(a_project(folder / "project"))
        stage = Stage(known, model, engine)
        engine.subscribe(stage.note)
        try:
            yield stage
        finally:
            engine.close()


def make_shelves(known: Known) -> None:
    """Make the folders that an agent finds read only: who has used it has them."""
    belongings = find_belongings(read_agents()[known.agent], Path("/nowhere"))
    for path in belongings.shelves:
        path.mkdir(parents=True, exist_ok=True)


def find_agents(folder: Path) -> list[psutil.Process]:
    """Return what works in a folder, but for us and our own git."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            ours = process.ppid() == os.getpid()
            if str(folder) in process.cwd() and not (ours and process.name() == "git"):
                found.append(process)
    return found


def find_running(folder: Path, words: str) -> list[psutil.Process]:
    """Return what an agent runs there whose command line has these words, whoever its parent is."""
    found = []
    for process in find_agents(folder):
        with suppress(psutil.Error):
            if words in " ".join(process.cmdline()):
                found.append(process)
    return found
