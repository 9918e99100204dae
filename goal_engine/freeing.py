"""What takes room and can go, kind by kind; nothing that runs, and nothing of a person's work.

Each kind is one row of `KINDS`, which looks or removes.  What goes is the engine's own and can be
made again, or is let go because the person's `storage.toml` says so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from goal_engine.control import archive_goal
from goal_engine.errors import GoalError
from goal_engine.ports import Ports
from goal_engine.runtime.atomic import find_left, measure, remove_tree, sweep_left
from goal_engine.runtime.binding import find_orphans
from goal_engine.runtime.leftovers import is_owned
from goal_engine.runtime.repository import SCRATCH
from goal_engine.runtime.set_ups import KEPT, SET_UPS
from goal_engine.runtime.storage import StoragePolicy, read_storage_policy
from goal_engine.runtime.threads import in_thread
from goal_engine.state.model import GoalState
from goal_engine.takeover import (
    DESKS,
    ENDED,
    WORKSPACES,
    find_forgotten,
    sessions_folder,
    sweep_sessions,
    sweep_workspaces,
)
from goal_engine.types import GOAL_ID, Decision, GoalId, GoalStatus
from goal_engine.verifier.bundle import NEW, proofs_folder
from goal_engine.verifier.cache import OLDEST


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be freed, and whether."""

    ports: Ports
    policy: StoragePolicy
    decision: Decision
    """Who asks; goals that are archived say so."""
    goals: tuple[GoalState, ...]
    """Every goal that can be read."""
    unread: tuple[str, ...]
    """The others: what they need nobody can say, so no object goes."""
    now: datetime
    do: bool
    orphans: bool
    """Whether what belongs to stores that are gone may go."""

    @property
    def state_dir(self) -> Path:
        """What belongs to the workspace and lies outside it."""
        return self.ports.find_state_dir()

    def is_older(self, goal: GoalState, days: int | None) -> bool:
        """Whether nothing has happened to a goal for so many days; never for `None`."""
        last = goal.updated_at
        return days is not None and last is not None and self.now - last >= timedelta(days=days)


@dataclass(frozen=True, slots=True)
class Found:
    """How much of a kind there is: what can go, or what went."""

    count: int = 0
    size: int = 0
    """Bytes."""
    kept: tuple[str, ...] = ()
    """What stays although it looks alike, and why, a sentence each."""
    names: tuple[str, ...] = ()
    """Which, where a person has to look at each."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Something that takes room."""

    name: str
    words: str
    free: Callable[[Request], Awaitable[Found]]
    """Looks, and removes where it is asked to."""


@dataclass(frozen=True, slots=True)
class Freed:
    """What can go or went, by kind, and how much there is in all."""

    done: bool
    found: tuple[tuple[Kind, Found], ...]
    used: int
    """Bytes of all that is kept outside this checkout for it."""
    folder: Path
    limit_mib: int | None
    """What all checkouts together may have of workspaces and caches."""


async def free_room(
    ports: Ports,
    actor: str,
    *,
    policy: StoragePolicy | None = None,
    do: bool = False,
    orphans: bool = False,
) -> Freed:
    """Return what can go; with `do`, remove it first.

    `actor` is who asks, `policy` what the person set, read where it is not given.  Raises
    `BadConfiguration`.
    """
    policy = policy if policy is not None else await in_thread(read_storage_policy)
    summaries = await ports.store.list()
    request = Request(
        ports=ports,
        policy=policy,
        decision=Decision(actor=actor, reason=f"it ended {policy.archive_after_days} days ago"),
        goals=tuple(one.state for one in summaries if one.state is not None),
        unread=tuple(one.goal_id for one in summaries if one.state is None or one.state.is_newer),
        now=ports.clock.now(),
        do=do,
        orphans=orphans,
    )
    found = [(kind, await kind.free(request)) for kind in KINDS]
    used = await in_thread(measure, request.state_dir)
    return Freed(do, tuple(found), used, request.state_dir, policy.limit_mib)


async def _free_workspaces(request: Request) -> Found:
    ports, parent = request.ports, request.state_dir / WORKSPACES
    size, count, kept = 0, 0, []
    for goal_id in await in_thread(_list_goals, parent):
        folder = parent / goal_id
        try:
            runs = await ports.store.is_running(goal_id)
        except GoalError:  # the goal is gone
            runs = await in_thread(is_owned, folder)
        if runs:
            kept.append(f"{goal_id} is being worked on")
        else:
            count += 1
            size += await in_thread(measure, folder)
    kept += [
        f"{path} is a person's folder"
        for path in await in_thread(_list, request.state_dir / DESKS, "*/*")
        if not path.name.startswith(".")
    ]
    if request.do:
        size = await sweep_workspaces(ports)
    return Found(count, size, tuple(kept))


async def _free_sessions(request: Request) -> Found:
    over = await find_forgotten(request.ports)
    folders = [sessions_folder(request.state_dir, goal_id) for goal_id in over]
    size = sum([await in_thread(measure, folder) for folder in folders])
    if request.do:
        size = await sweep_sessions(request.ports)
    return Found(len(over), size)


def _list_goals(parent: Path) -> list[GoalId]:
    names = sorted(path.name for path in parent.iterdir()) if parent.is_dir() else []
    return [GoalId(name) for name in names if GOAL_ID.fullmatch(name)]


def _list(folder: Path, glob: str) -> list[Path]:
    return sorted(folder.glob(glob))


async def _free_temporary(request: Request) -> Found:
    return await in_thread(_free_temporary_here, request)


def _free_temporary_here(request: Request) -> Found:
    """What is half written has the mark of who wrote it, and goes only once they are dead."""
    own = request.ports.checkout / ".goalproof"
    places = [(own, ".tmp-"), (own / "objects", ".tmp-"), (request.state_dir, ".tmp-")]
    places += [(request.state_dir / "evidence", SCRATCH)]
    places += [(request.state_dir / name, ".tmp-") for name in ("gates", SET_UPS)]
    for goal in _list_goals(own / "goals"):
        proofs = proofs_folder(request.ports.checkout, goal)
        places += [(own / "goals" / goal, ".tmp-"), (proofs, NEW)]
    count = size = 0
    for folder, prefix in places:
        left = find_left(folder, prefix)
        count += len(left)
        size += sweep_left(folder, prefix) if request.do else sum(map(measure, left))
    return Found(count, size)


async def _free_caches(request: Request) -> Found:
    return await in_thread(_free_caches_here, request)


def _free_caches_here(request: Request) -> Found:
    """An answer or a set-up that is older counts no more, whatever happens to its file."""
    old = [
        one
        for folder, age in (("gates", OLDEST), (SET_UPS, KEPT))
        for one in _list(request.state_dir / folder, "[0-9a-f]*")
        if one.lstat().st_mtime < (request.now - age).timestamp()
    ]
    size = sum(map(measure, old))
    for path in old if request.do else ():
        with suppress(OSError):
            remove_tree(path)
    return Found(len(old), size)


async def _archive_ended(request: Request) -> Found:
    days = request.policy.archive_after_days
    old = [
        goal
        for goal in request.goals
        if goal.status in ENDED and not goal.archived and request.is_older(goal, days)
    ]
    for goal in old if request.do else ():
        await archive_goal(request.ports, goal.goal_id, request.decision)
    return Found(len(old), names=tuple(goal.goal_id for goal in old))


def _is_dropped(request: Request, goal: GoalState) -> bool:
    days = request.policy.drop_after_days
    return goal.archived and goal.status in ENDED and request.is_older(goal, days)


async def _drop_results(request: Request) -> Found:
    old = [goal for goal in request.goals if _is_dropped(request, goal)]
    if not old:
        return Found()
    repository = await in_thread(request.ports.open_repository)
    act = repository.drop_results if request.do else repository.count_results
    count = 0
    for goal in old:
        cancelled = goal.status is GoalStatus.CANCELLED
        count += await in_thread(act, goal.goal_id, all_of_it=cancelled)
    return Found(count, names=tuple(goal.goal_id for goal in old))


async def _collect_objects(request: Request) -> Found:
    """What is not kept by a ref, and what no goal can ask for.  Nobody may be making anything."""
    if not (request.state_dir / "evidence" / "HEAD").exists():
        return Found()
    if request.unread:
        names = ", ".join(request.unread[:3])
        return Found(kept=(f"{names} cannot be read, and may need any object",))
    running = await _find_running(request)
    if running:
        return Found(kept=tuple(f"{name} is being worked on" for name in running))
    needed = [goal.objects for goal in request.goals if not _is_dropped(request, goal)]
    repository = await in_thread(request.ports.open_repository)
    oids = frozenset[str]().union(*needed)
    size = await in_thread(repository.collect, oids, do=request.do)
    return Found(int(size > 0), size)


async def _find_running(request: Request) -> list[GoalId]:
    """Whoever works on a goal says so in its journal, or has a workspace."""
    there = await in_thread(_list_goals, request.state_dir / WORKSPACES)
    known = {goal.goal_id for goal in request.goals}
    names = {goal.goal_id for goal in request.goals if goal.status is GoalStatus.RUNNING}
    names |= known.intersection(there)
    return [name for name in sorted(names) if await request.ports.store.is_running(name)]


async def _free_orphans(request: Request) -> Found:
    return await in_thread(_free_orphans_here, request)


def _free_orphans_here(request: Request) -> Found:
    """Only on demand: a store that was moved somewhere unknown has its evidence there."""
    own = request.state_dir
    found = {path: places for path, places in find_orphans().items() if path != own}
    size = sum(map(measure, found))
    names = tuple(f"{path} (was of {', '.join(places)})" for path, places in found.items())
    if not request.orphans:
        why = tuple(f"{name}: only with `--orphans`" for name in names)
        return Found(kept=why)
    for path in found if request.do else ():
        remove_tree(path)
    return Found(len(found), size, names=names)


KINDS: tuple[Kind, ...] = (
    Kind("workspaces", "workspaces that nobody works in", _free_workspaces),
    Kind("sessions", "what agents keep of their sessions for goals that are over", _free_sessions),
    Kind("temporary", "what killed processes left half written", _free_temporary),
    Kind("caches", "answers of gates and set-ups that are too old to count", _free_caches),
    Kind("archive", "ended goals to archive, as storage.toml says", _archive_ended),
    Kind("results", "results of archived goals, as storage.toml says", _drop_results),
    Kind(
        "objects", "objects that nothing needs, and what packing the rest saves", _collect_objects
    ),
    Kind("orphans", "state of stores that are gone", _free_orphans),
)
"""In this order: what one lets go, a later one may collect."""
