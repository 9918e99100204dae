"""Where the engine meets the world: everything a function needs from outside is handed to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from goal_engine.agent import Left
from goal_engine.budget import Reports, Spend
from goal_engine.decision import Criterion
from goal_engine.permission import Asker, deny
from goal_engine.proof.gate import GateSpec
from goal_engine.redaction import Redactor
from goal_engine.runtime.environment import Environment
from goal_engine.runtime.repository import EvidenceRepository
from goal_engine.runtime.running import Running
from goal_engine.state.commands import Command
from goal_engine.state.events import GoalEvent, TaskFailed, TaskFinished
from goal_engine.state.model import GoalState
from goal_engine.state.store import Clock, GoalStateStore, Publisher, transact
from goal_engine.task_graph.graph import GoalTask
from goal_engine.types import GoalId, Trouble


class Ids(Protocol):
    """Where chance comes from."""

    def entropy(self) -> int:
        """Return 32 random bits."""
        ...


async def _forget(_: str) -> None:
    """Let a session be the last of its kind."""


async def _hear_nobody() -> None:
    """Nobody says anything."""


@dataclass(frozen=True, slots=True)
class WorkerTurn:
    """What a worker is given for one attempt."""

    task: GoalTask
    workspace: Path
    environment: Environment
    gates: tuple[GateSpec, ...]
    log: Path
    goal: str
    """The goal's own words."""
    criteria: tuple[Criterion, ...]
    findings: tuple[str, ...]
    """Why an earlier result was not enough, a sentence each."""
    read: Callable[[], Awaitable[GoalState]]
    """Returns the goal as it stands."""
    record: Callable[[GoalEvent], Awaitable[GoalState]]
    """Records a fact about this attempt."""
    failures: str = ""
    """What was seen of that result: trimmed output of gates, or a change that did not merge."""
    may_propose: bool = False
    """Whether further tasks that it leaves in `agent.FOLDER` are looked at."""
    running: Running | None = None
    """Keeps a record of each process, for whoever comes after a crash."""
    redactor: Redactor = Redactor()
    """Hides the person's secrets in what it prints."""
    tried: tuple[str, ...] = ()
    """What the repairs before this one came to, a sentence each."""
    confine: Callable[..., tuple[str, ...]] = lambda *_, **__: ()
    """Returns the sandbox of a command, to which an agent's own may be `lent`; blocking."""
    report: Callable[[Spend], None] = lambda _: None
    """Told, by a worker that can, what the turn has used by now, in all; it may be stopped for that."""
    ask: Asker = deny
    """Answers what the agent asks leave for; it may take as long as a person takes."""
    may_ask: bool = False
    """Whether `ask` puts questions to a person: an agent that can be told so asks none where it does not."""
    session: str = ""
    """The agent's own session from an earlier turn in this folder, to go on with if it still has it;
    empty for a new one."""
    sessions: Path | None = None
    """Where what a sandboxed agent leaves of its sessions is kept for the next attempt at the task."""
    keep_session: Callable[[str], Awaitable[None]] = _forget
    """Told what the agent calls its session, where a later turn can go on with it."""
    prompt: str = ""
    """What it is told in the place of the task: see `workers.telling`."""
    reads_only: bool = False
    """Whether it is to change nothing: where the agent has a mode for that, it is started in it."""
    words: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    """What the person says to the agent meanwhile: a worker that can hands each on as it comes, and
    writes it to the log.  Words may be there from before."""
    catch_up: Callable[[], Awaitable[None]] = _hear_nobody
    """Puts what the person said by now among the words: to be sure of the last before a turn is over."""


@dataclass(frozen=True, slots=True)
class TurnResult:
    """How a turn ended.  It speaks of the turn: what the task is worth, the engine finds out."""

    ended: bool
    """Whether the worker came to its own end."""
    reason: str = ""
    spent: Spend = Spend()
    """What the turn used; what the worker cannot tell is unknown."""
    trouble: Trouble | None = None
    """Why it did not end well, where that says nothing of the task: it may be tried again."""
    said: str = ""
    """The agent's last words, as they are: for whoever reads, never a state."""
    session: str = ""
    """What the agent calls its session, where a later turn can go on with it."""


class Worker(Protocol):
    """Somebody who works in a workspace.  Nothing it started is alive once `run` has returned."""

    def find_reports(self, task: GoalTask) -> Reports:
        """Return what it says of what it uses for a task, and when."""
        ...

    async def run(self, turn: WorkerTurn) -> TurnResult:
        """Work until done.  Cancellation kills everything first."""
        ...


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a task, as it goes to wherever the work is done."""

    task: GoalTask
    number: int
    """1 is the first."""
    base: str
    """The commit it starts from."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt."""

    ended: TaskFinished | TaskFailed
    proposals: tuple[Left, ...] = ()
    """What its agent left as further tasks."""
    trouble: Trouble | None = None
    """What kept it from being one, where it failed through no fault of the task."""


class Foreman(Protocol):
    """The engine's side of a wave: what is given out, and where its results are written down."""

    async def begin(self, task: GoalTask) -> Attempt | None:
        """Write down that an attempt begins, before it does; `None` where there is no room for it."""
        ...

    async def work(self, attempt: Attempt) -> Outcome:
        """Do the work, in this process.  What it started is dead once this has returned or raised."""
        ...

    async def end(self, attempt: Attempt, outcome: Outcome) -> None:
        """Write down what came of it; one that comes too late counts for nothing."""
        ...


class TeamRunner(Protocol):
    """Carries out a wave, here or elsewhere (seed: `TeamRunner`); `tests/contract` holds it to this.

    Each task is begun once, in the order given as places become free, worked on once and ended once;
    one that cannot begin is left alone.  An attempt keeps its place until its end is written down:
    results that nobody has recorded are never more than there are places.  Retries are the engine's.
    """

    async def run(self, tasks: Sequence[GoalTask], foreman: Foreman, at_once: int) -> None:
        """Return when all of `tasks` are over, `at_once` under way at most, people not counted.

        Cancelled, or when one of the foreman's calls raises, it begins nothing more, and raises once
        all that it began is dead; what was cut off is not ended.
        """
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """The world as the engine's functions see it."""

    store: GoalStateStore
    clock: Clock
    ids: Ids
    checkout: Path
    """The root of the person's working tree."""
    find_state_dir: Callable[[], Path]
    """Says where this workspace's evidence and workspaces are, outside the checkout; made then."""
    open_repository: Callable[[], EvidenceRepository]
    """Opens the evidence repository, once; runs git, so only where that is trusted."""
    workers: Mapping[str, Worker]
    publish: Publisher
    team: TeamRunner
    """Who carries waves out."""

    def find_reports(self, task: GoalTask) -> Reports:
        """Return what the worker of a task says of what it uses."""
        return self.workers[task.worker].find_reports(task)

    async def transact(self, goal_id: GoalId, command: Command) -> GoalState:
        """Change a goal: see `goal_engine.state.store.transact`."""
        return await transact(self.store, goal_id, command, self.clock, self.publish)

    async def read(self, goal_id: GoalId) -> GoalState:
        """Return the goal as it stands."""
        state, _ = await self.store.head(goal_id)
        return state
