"""The one way to change a goal: load, decide, append, publish."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from goal_engine.errors import GoalError, GoalNotFound, JournalConflict
from goal_engine.state.commands import Command, CreateGoal
from goal_engine.state.decide import decide
from goal_engine.state.events import GoalEvent, JournalEntry
from goal_engine.state.evolve import fold_entries
from goal_engine.state.journal import header_digest, newer
from goal_engine.state.model import GoalState
from goal_engine.types import GoalId, GoalStatus

ATTEMPTS = 50
"""How often a command is decided again when others append first."""


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """Return the aware time."""
        ...


@dataclass(frozen=True, slots=True)
class Summary:
    """What a list shows of one goal; `damage` says why it cannot be read."""

    goal_id: str
    state: GoalState | None
    damage: str = ""

    @property
    def notice(self) -> str:
        """Why nothing but looking is possible, where a newer release went on with the goal."""
        if self.state is None or not self.state.is_newer:
            return ""
        return newer(self.state.goal_id, self.state.format)


GONE = (
    "nobody works on it here: the process that did is gone, or is on another machine; where it may be"
    " worked on, `resume` goes on"
)


async def say_gone(store: GoalStateStore, state: GoalState) -> str:
    """Return that a goal which seems to be worked on is not; empty where it is, or nobody can tell."""
    if state.status is not GoalStatus.RUNNING:
        return ""
    try:
        return "" if await store.is_running(state.goal_id) else GONE
    except GoalError:
        return ""


class Publisher(Protocol):
    """Who hears of what was appended, after it was."""

    def __call__(self, state: GoalState, entry: JournalEntry) -> None: ...


class GoalStateStore(Protocol):
    """Where journals are kept (seed: `GoalStateStore`).

    Every method may raise `JournalDamaged` or `StoreUnwritable`; the others are named.
    """

    async def create(self, goal_id: GoalId, entry: JournalEntry) -> None:
        """Begin a journal with its first entry.  Raises `JournalConflict` when there is one."""
        ...

    async def append(self, goal_id: GoalId, entry: JournalEntry) -> None:
        """Append durably.  Raises `JournalConflict` unless `entry` follows the last one.

        `ImpossibleEvent`, before anything is written, is a caller's mistake: `decide` first.
        """
        ...

    async def head(self, goal_id: GoalId) -> tuple[GoalState, str]:
        """Return the goal and the digest of its last line.  Raises `GoalNotFound`."""
        ...

    def recall(self, goal_id: GoalId) -> tuple[GoalState, str] | None:
        """Return what `head` said last, at once, or `None`; the goal may have moved on since."""
        ...

    async def entries(self, goal_id: GoalId, after: int = 0) -> Sequence[JournalEntry]:
        """Return the entries with a `seq` above `after`.  Raises `GoalNotFound`."""
        ...

    async def salvage(self, goal_id: GoalId) -> tuple[Sequence[JournalEntry], str]:
        """Return the entries before the first damage, and what is damaged; `""` where nothing is.

        Raises `GoalNotFound`, and `NotPossibleNow` for the journal of a newer release.
        """
        ...

    async def names(self) -> Sequence[GoalId]:
        """Return which goals there are, oldest first, damaged ones too; none of them is read."""
        ...

    async def list(self, goals: Iterable[GoalId] | None = None) -> Sequence[Summary]:
        """Return all goals, or `goals` as far as they are there, oldest first, damaged ones too."""
        ...

    async def write_object(self, data: bytes) -> str:
        """Keep `data` and return its sha256."""
        ...

    async def read_object(self, sha256: str) -> bytes:
        """Return what was kept.  Raises `GoalNotFound` or `JournalDamaged`."""
        ...

    async def check_room(self) -> None:
        """Raise `StoreUnwritable` where there is too little room to begin something."""
        ...

    def runner_lock(self, goal_id: GoalId) -> AbstractContextManager[None]:
        """Hold the right to run a goal.  Raises `GoalBusy` while another has it, `GoalNotFound`."""
        ...

    async def is_running(self, goal_id: GoalId) -> bool:
        """Whether somebody holds the runner lock.  Raises `GoalNotFound`."""
        ...


async def transact(
    store: GoalStateStore,
    goal_id: GoalId,
    command: Command,
    clock: Clock,
    publish: Publisher | None = None,
) -> GoalState:
    """Decide `command` on the goal as it stands, append the events, tell, and return the goal.

    Raises what `decide` raises; a goal that somebody else changes meanwhile is decided again.
    """
    known = None if isinstance(command, CreateGoal) else store.recall(goal_id)
    for _ in range(ATTEMPTS):
        head = known or await _load(store, goal_id, command)
        try:
            entry = _decide(*head, command, clock)
        except GoalError:
            if known is None:
                raise
            known = None  # the goal may have moved on since
            continue
        known = None
        try:
            await _write(store, goal_id, head[0], entry)
        except JournalConflict:
            if isinstance(command, CreateGoal):
                raise
            continue
        after = fold_entries((entry,), head[0])
        if publish is not None:
            publish(after, entry)
        return after
    raise JournalConflict(f"{goal_id} is changed too often by others; try again.")


def _decide(state: GoalState | None, digest: str, command: Command, clock: Clock) -> JournalEntry:
    now = clock.now()
    events: tuple[GoalEvent, ...] = decide(state, command, now)
    return JournalEntry(
        seq=state.seq + 1 if state else 1,
        prev=digest,
        at=now,
        cause=type(command).__name__,
        events=events,
    )


async def _write(
    store: GoalStateStore, goal_id: GoalId, state: GoalState | None, entry: JournalEntry
) -> None:
    if state is None:
        await store.create(goal_id, entry)
    else:
        await store.append(goal_id, entry)


async def _load(
    store: GoalStateStore, goal_id: GoalId, command: Command
) -> tuple[GoalState | None, str]:
    try:
        return await store.head(goal_id)
    except GoalNotFound:
        if isinstance(command, CreateGoal):
            return None, header_digest(goal_id)
        raise
