"""What is wrong with a store after something happened to it: the one judge of every harness."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from goal_engine.errors import GoalError, GoalNotFound
from goal_engine.state import commands as c
from goal_engine.state.persistence import FileSystemGoalStateStore
from goal_engine.types import GoalId, GoalStatus
from tests.builders import GOAL
from tests.torture.forks import Told
from tests.torture.jobs import BESIDE, NEXT, OBJECT, VERIFYING, append, creation, open_store

S = GoalStatus
ONWARD: dict[GoalStatus | None, tuple[GoalId, tuple[c.Command, c.Command]]] = {
    None: (GOAL, (creation(GOAL), c.StartGoal())),
    S.PLANNED: (GOAL, (c.StartGoal(), VERIFYING)),
    S.RUNNING: (GOAL, (VERIFYING, VERIFYING)),
    S.PAUSED: (GOAL, (c.ResumeGoal(), VERIFYING)),
    S.CANCELLED: (NEXT, (creation(NEXT), c.StartGoal())),
}
"""Two more commands for a goal of each status, or for another where nothing can follow."""


async def find_faults(root: Path, told: Iterable[Told], *, onward: bool = True) -> list[str]:
    """Return what a reader who believed all that was told would complain of.

    Everything told is there, nothing is damaged, nothing was made up, the goal beside is as it
    was; and two more appends succeed, are found by whoever opens the store next, and leave no
    temporary file of somebody who was killed.
    """
    told = list(told)
    faults = [f"{one.get('name')} broke: {one['broke']}" for one in told if "broke" in one]
    faults += await _read(root, told)
    if onward and not faults:
        faults += await _go_on(root)
    return faults


async def _read(root: Path, told: list[Told]) -> list[str]:
    store = open_store(root)
    try:
        digests = await _digests(store, GOAL)
        beside = await _digests(store, BESIDE)
        faults = [
            f"{one.goal_id} is damaged: {one.damage}" for one in await store.list() if one.damage
        ]
        faults += [] if len(beside) == 1 else ["the goal beside is gone"]
        faults += list(_missing(digests, told))
        for one in told:
            if "object" in one and await store.read_object(one["object"]) != OBJECT:
                faults.append("an object is another")
    except GoalError as error:
        return [f"it cannot be read: {error.paragraph}"]
    finally:
        store.close()
    return faults


def _missing(digests: list[str], told: list[Told]) -> Iterator[str]:
    for one in told:
        if "seq" not in one:
            continue
        if one["seq"] > len(digests):
            yield f"entry {one['seq']} was told and is gone; there are {len(digests)}"
        elif digests[one["seq"] - 1] != one["digest"]:
            yield f"entry {one['seq']} was told and is another"
    seqs = [one["seq"] for one in told if "seq" in one]
    if len(set(seqs)) != len(seqs):
        yield "one place in the journal was told twice"


async def _digests(store: FileSystemGoalStateStore, name: GoalId) -> list[str]:
    """The digest of each entry's line; an entry names the one before it."""
    try:
        _, last = await store.head(name)
        entries = await store.entries(name)
    except GoalNotFound:
        return []
    return [*(entry.prev for entry in entries[1:]), last]


async def _go_on(root: Path) -> list[str]:
    store = open_store(root)
    try:
        try:
            status: GoalStatus | None = (await store.head(GOAL))[0].status
        except GoalNotFound:
            status = None
        name, commands = ONWARD[status]
        more = [await append(store, name, command) for command in commands]
    except GoalError as error:
        return [f"nothing can follow: {error.paragraph}"]
    finally:
        store.close()
    again = open_store(root)
    left = find_leftovers(root / "goals" / name)
    try:
        return [
            *(f"left over: {path}" for path in left),
            *_missing(await _digests(again, name), more),
        ]
    except GoalError as error:
        return [f"it cannot be read after what followed: {error.paragraph}"]
    finally:
        again.close()


def find_leftovers(root: Path) -> list[str]:
    """Return the temporary files below `root`."""
    return sorted(path.name for path in root.rglob(".tmp-*"))


def refused(told: Iterable[Told]) -> list[str]:
    """Return the steps that were refused."""
    return [one["name"] for one in told if "refused" in one]
