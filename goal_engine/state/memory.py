"""Goals in memory: the same contract without a disk, for tests (seed: `InMemoryGoalStateStore`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256

from goal_engine.errors import (
    GoalBusy,
    GoalError,
    GoalNotFound,
    JournalConflict,
    JournalDamaged,
    NotPossibleNow,
)
from goal_engine.state.events import JournalEntry
from goal_engine.state.evolve import fold_entries
from goal_engine.state.journal import (
    Parsed,
    encode_entry,
    header_line,
    newer,
    parse_journal,
    read_verified,
    replay,
)
from goal_engine.state.model import GoalState
from goal_engine.state.store import Summary
from goal_engine.types import GoalId


class InMemoryGoalStateStore:
    """Journals as bytes in a dictionary."""

    def __init__(self) -> None:
        self.journals: dict[GoalId, bytes] = {}
        self.objects: dict[str, bytes] = {}
        self._running: set[GoalId] = set()

    async def create(self, goal_id: GoalId, entry: JournalEntry) -> None:
        """Begin a journal."""
        if goal_id in self.journals:
            raise JournalConflict(f"{goal_id} is there already; create it again.")
        self.journals[goal_id] = header_line(goal_id) + encode_entry(entry)

    async def append(self, goal_id: GoalId, entry: JournalEntry) -> None:
        """Append, if `entry` follows the last one."""
        state, digest = await self.head(goal_id)
        if state.is_newer:
            raise NotPossibleNow(newer(goal_id, state.format))
        if entry.prev != digest or entry.seq != state.seq + 1:
            raise JournalConflict(f"{goal_id} was changed by somebody else meanwhile.")
        fold_entries((entry,), state)
        self.journals[goal_id] += encode_entry(entry)

    async def head(self, goal_id: GoalId) -> tuple[GoalState, str]:
        """Return the goal and the digest of its last line."""
        parsed = self._parse(goal_id)
        return replay(parsed.entries, goal_id), parsed.digest

    def recall(self, goal_id: GoalId) -> tuple[GoalState, str] | None:
        """Return nothing: `head` is as near."""
        return None

    async def entries(self, goal_id: GoalId, after: int = 0) -> Sequence[JournalEntry]:
        """Return the entries with a `seq` above `after`."""
        return self._parse(goal_id).entries[after:]

    async def salvage(self, goal_id: GoalId) -> tuple[Sequence[JournalEntry], str]:
        """Return what verifies of a journal, and what is damaged in it."""
        self._find(goal_id)
        return read_verified(self.journals[goal_id], goal_id)

    def _parse(self, goal_id: GoalId) -> Parsed:
        self._find(goal_id)
        return parse_journal(self.journals[goal_id], goal_id)

    def _find(self, goal_id: GoalId) -> None:
        if goal_id not in self.journals:
            raise GoalNotFound(f"No goal is called {goal_id}; `goalproof list` shows them.")

    async def names(self) -> Sequence[GoalId]:
        """Return which goals there are, oldest first, damaged ones too; none of them is read."""
        return sorted(self.journals)

    async def list(self, goals: Iterable[GoalId] | None = None) -> Sequence[Summary]:
        """Return all goals, or `goals` as far as they are there, oldest first, damaged ones too."""
        there = self.journals if goals is None else set(goals) & self.journals.keys()
        return [await self._summary(name) for name in sorted(there)]

    async def _summary(self, name: GoalId) -> Summary:
        try:
            return Summary(name, (await self.head(name))[0])
        except GoalError as error:
            return Summary(name, None, error.paragraph)

    async def write_object(self, data: bytes) -> str:
        """Keep `data` and return its sha256."""
        name = sha256(data).hexdigest()
        self.objects[name] = data
        return name

    async def read_object(self, sha: str) -> bytes:
        """Return what was kept, if it still is what it was."""
        if sha not in self.objects:
            raise GoalNotFound(f"There is no object {sha[:80]}.")
        if sha256(self.objects[sha]).hexdigest() != sha:
            raise JournalDamaged(f"The object {sha} is not what its name says.")
        return self.objects[sha]

    async def check_room(self) -> None:
        """There is room."""

    @contextmanager
    def runner_lock(self, goal_id: GoalId) -> Iterator[None]:
        """Hold the right to run a goal."""
        self._find(goal_id)
        if goal_id in self._running:
            raise GoalBusy(f"{goal_id} is being run; `show` it to follow.")
        self._running.add(goal_id)
        try:
            yield
        finally:
            self._running.discard(goal_id)

    async def is_running(self, goal_id: GoalId) -> bool:
        """Whether somebody runs it."""
        self._find(goal_id)
        return goal_id in self._running
