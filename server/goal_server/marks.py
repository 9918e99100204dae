"""What goals change in one file, placed in the text that an editor shows.

Runs on the engine's loop.  A change is compared once for a pair of trees, and placed once for a
text; the goals are listed at most twice a second, and again after each change made here.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from goal_engine.decision import Criterion, CriterionState
from goal_engine.engine import Engine
from goal_engine.errors import GoalError
from goal_engine.evidence import ChangedFile, GoalGitEvidence
from goal_engine.ports import Ports
from goal_engine.proof.hunk import Hunk, HunkStanding, HunkTrial
from goal_engine.queries import list_goals
from goal_engine.state.model import GoalState
from goal_engine.task_graph.graph import GoalTask
from goal_engine.types import GoalStatus
from goal_engine.verifier.observe import read_trials
from goal_server.anchor import Anchor, AnchorMode, Change, Region, find_change, place

GOALS = 3
"""The most goals that are shown in one file."""
FRESH = 0.5
"""Seconds for which a list of goals is used again."""
KEPT = 64
"""Changes, and placed changes, that are kept."""
LARGEST = 4 * 1024 * 1024
"""Bytes of a file that is compared."""

WORST = (
    HunkStanding.UNPROVEN,
    HunkStanding.UNCLEAR,
    HunkStanding.UNTRIED,
    HunkStanding.CONSTRAINED,
)
"""Which hunk speaks for a region that has several."""

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Mark:
    """One goal in one file."""

    state: GoalState
    name: str
    """The file's path in the repository."""
    file: ChangedFile | None
    anchors: tuple[Anchor, ...]

    @property
    def is_stale(self) -> bool:
        """Whether every region was edited since."""
        return bool(self.anchors) and all(a.mode is AnchorMode.STALE for a in self.anchors)


class Kept(Generic[V]):
    """The latest values, by key."""

    def __init__(self, size: int) -> None:
        self._size, self._values = size, OrderedDict[object, V]()

    def get(self, key: object) -> V | None:
        """Return a value that is still kept."""
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def put(self, key: object, value: V) -> V:
        """Keep and return a value; the one that was not used for longest makes room."""
        self._values[key] = value
        self._values.move_to_end(key)
        while len(self._values) > self._size:
            self._values.popitem(last=False)
        return value


class Marks:
    """Finds marks and remembers what that took."""

    def __init__(self) -> None:
        self._goals: dict[Path, tuple[float, tuple[GoalState, ...]]] = {}
        self._changes = Kept[Change](KEPT)
        self._trials = Kept[tuple[HunkTrial, ...]](KEPT)
        self._placed = Kept[tuple[str, tuple[Anchor, ...]]](KEPT)

    def forget(self) -> None:
        """List the goals anew: one of them changed.  A list that is being made is not kept."""
        self._goals = {}

    async def find(self, engine: Engine, path: Path, buffer: str) -> tuple[Mark, ...]:
        """Return what the newest goals change in the file at `path`, which has the text `buffer`.

        A goal whose regions were all edited since is there only when no other is.
        """
        if not path.is_relative_to(engine.checkout):
            return ()
        name = path.relative_to(engine.checkout).as_posix()
        found: list[Mark] = []
        stale: list[Mark] = []
        for state in await self._list(engine):
            if state.evidence is not None and name in state.evidence.paths:
                mark = await self._place(engine, state, state.evidence, name, buffer)
                (stale if mark.is_stale else found).append(mark)
            if len(found) == GOALS:
                break
        return tuple(found or stale[:1])

    async def _list(self, engine: Engine) -> tuple[GoalState, ...]:
        """Return the goals that may be shown, the newest first."""
        now, known = asyncio.get_running_loop().time(), self._goals
        at, goals = known.get(engine.checkout, (0.0, ()))
        if not at or now - at > FRESH:
            goals = tuple(
                summary.state
                for summary in reversed(await list_goals(engine.ports))
                if summary.state and summary.state.evidence
                if summary.state.status is not GoalStatus.CANCELLED
            )
            known[engine.checkout] = (now, goals)
        return goals

    async def _place(
        self, engine: Engine, state: GoalState, evidence: GoalGitEvidence, name: str, buffer: str
    ) -> Mark:
        key = (evidence.base_tree, evidence.tree, name)
        file = find_file(evidence, name)
        known = self._placed.get(key)
        if known is None or known[0] != buffer:
            change = await self._find_change(engine.ports, evidence, name)
            anchors = await asyncio.to_thread(place, change, buffer)
            known = self._placed.put(key, (buffer, anchors))
        return Mark(state, name, file, known[1])

    async def _find_change(self, ports: Ports, evidence: GoalGitEvidence, name: str) -> Change:
        key = (evidence.base_tree, evidence.tree, name)
        known = self._changes.get(key)
        if known is None:
            found = await asyncio.to_thread(_read_change, ports, evidence, name)
            known = self._changes.put(key, found)
        return known

    async def find_task(self, engine: Engine, mark: Mark, region: Anchor) -> GoalTask | None:
        """Return the task that made a region: of those that changed the file, the first that fits."""
        tasks = find_tasks(mark)
        if len(tasks) < 2:
            return tasks[0] if tasks else None
        whole = await self._find_change(engine.ports, _evidence_of(mark.state), mark.name)
        added = set(whole.head[slice(*region.region.head)])
        removed = set(whole.base[slice(*region.region.base)])
        for task in tasks:
            evidence = mark.state.tasks[task.id].evidence
            assert evidence is not None
            own = await self._find_change(engine.ports, evidence, mark.name)
            if any(_shares(own, part, added, removed) for part in range(len(own.regions))):
                return task
        return tasks[0]

    async def find_trial(self, engine: Engine, mark: Mark, region: Anchor) -> HunkTrial | None:
        """Return what was seen without a region, where its hunks were tried: the worst of them."""
        tried = mark.state.hunks
        if tried is None or tried.tree != mark.state.tree:
            return None
        trials = self._trials.get(tried.report)
        if trials is None:
            try:
                found = await read_trials(engine.ports, mark.state)
            except (GoalError, ValueError):  # it only informs
                found = ()
            trials = self._trials.put(tried.report, found)
        name = mark.file.path if mark.file else mark.name
        here = [t for t in trials if t.hunk.path == name and _touches(t.hunk, region.region)]
        return min(here, key=lambda trial: WORST.index(trial.standing), default=None)


def _touches(hunk: Hunk, region: Region) -> bool:
    """Whether a hunk is part of a region; both are further apart from others than a line."""
    return hunk.whole or any(
        one[0] <= other[1] and other[0] <= one[1]
        for one, other in ((hunk.base, region.base), (hunk.head, region.head))
    )


def _shares(own: Change, number: int, added: set[str], removed: set[str]) -> bool:
    """Whether a region of a task's change is about the same lines as the goal's region."""
    part = own.regions[number]
    before, after = own.base[slice(*part.base)], own.head[slice(*part.head)]
    news = set(after) - set(before)
    return bool(news & added) if news else bool(set(before) & removed)


def _evidence_of(state: GoalState) -> GoalGitEvidence:
    assert state.evidence is not None
    return state.evidence


def _read_change(ports: Ports, evidence: GoalGitEvidence, name: str) -> Change:
    base, head = read_sides(ports, evidence, name)
    return find_change(_read_text(base), _read_text(head))


def read_sides(
    ports: Ports, evidence: GoalGitEvidence, name: str
) -> tuple[bytes | None, bytes | None]:
    """Return a file before and after a change, `None` where it is not there; it blocks.

    Before its renaming, a file had its old name.
    """
    repository = ports.open_repository()
    file = find_file(evidence, name)
    old = file.old_path if file and file.path == name and file.old_path else name
    return repository.read_blob(evidence.base_tree, old), repository.read_blob(evidence.tree, name)


def _read_text(data: bytes | None) -> str | None:
    """Binary and very large files have no regions."""
    if data is None or len(data) > LARGEST or is_binary(data):
        return None
    return data.decode("utf-8", "replace")


def is_binary(data: bytes) -> bool:
    """Whether git would call this binary, too."""
    return b"\0" in data[:8000]


def find_file(evidence: GoalGitEvidence, name: str) -> ChangedFile | None:
    """Return what a change says of a path, under its new or its old name."""
    files = [file for file in evidence.files if name in (file.path, file.old_path)]
    return next((file for file in files if file.path == name), files[0] if files else None)


def find_tasks(mark: Mark) -> tuple[GoalTask, ...]:
    """Return the tasks of a goal that changed the file."""
    return tuple(
        task
        for task in mark.state.graph
        if (done := mark.state.tasks[task.id].evidence) is not None and mark.name in done.paths
    )


def find_criterion(state: GoalState, task: GoalTask | None) -> Criterion | None:
    """Return the criterion that a task serves: the one of its name, else the goal's first one."""
    by_id = {criterion.id: criterion for criterion in state.criteria}
    return by_id.get(task.id if task else "") or next(iter(state.criteria), None)


def find_standing(state: GoalState, criterion: Criterion) -> tuple[CriterionState, str]:
    """Return how far a criterion has come, and why."""
    for verdict in state.judgement.criteria if state.judgement else ():
        if verdict.criterion.id == criterion.id:
            return verdict.state, verdict.reason
    return CriterionState.NOT_ADDRESSED, "not judged yet"


def at_line(marks: tuple[Mark, ...], line: int) -> Iterator[tuple[Mark, Anchor]]:
    """Yield what stands on a line (from 0)."""
    for mark in marks:
        for anchor in mark.anchors:
            if anchor.line <= line < anchor.end:
                yield mark, anchor
