"""Processes that append to one goal at once lose nothing, and who holds a lock holds it alone (D09–D12)."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from statistics import median

import pytest

from goal_engine.errors import GoalBusy
from goal_engine.state import commands as c
from tests.builders import GOAL
from tests.torture.checks import find_faults
from tests.torture.forks import Child, Forks, Told
from tests.torture.jobs import append, creation, open_store, prepare

pytestmark = pytest.mark.one_python
PATIENCE = 30.0
"""Seconds that anybody may have to wait for a turn, on a machine that is busy with other things."""
FREED = 0.1
"""Seconds after which a lock is free whose holder was killed, half of the time."""


async def begin(root: Path) -> None:
    """Make a store with a running goal."""
    await prepare(root, "whole")
    store = open_store(root)
    for command in (creation(GOAL), c.StartGoal()):
        await append(store, GOAL, command)
    store.close()


def run_race(
    forks: Forks, root: Path, writers: int, count: int, mutant: str = "", unlinked: str = ""
) -> list[Told]:
    """Return what all writers told; meanwhile the file `unlinked` is removed after each word."""
    with ExitStack() as stack:
        arguments = {"root": str(root), "count": count}
        children = [
            stack.enter_context(forks.child("race", mutant, **arguments)) for _ in range(writers)
        ]
        for child in children:
            child.go()
        if not unlinked:
            return [one for child in children for one in child.told()]
        return list(_while_unlinking(children, root / "goals" / GOAL / unlinked))


def _while_unlinking(children: Iterable[Child], path: Path) -> Iterable[Told]:
    for child in children:
        for one in child.told():
            with suppress(FileNotFoundError):
                path.unlink()
            yield one


async def find_race_faults(root: Path, told: list[Told], expected: int) -> list[str]:
    """Return what is wrong after a race of which `expected` appends should have come."""
    faults = await find_faults(root, told)
    store = open_store(root)
    with suppress(Exception):  # whoever cannot read it has said so above
        entries = len(await store.entries(GOAL)) - 2 - 2  # of `begin`, and of `find_faults`
        if entries != expected:
            faults.append(f"{entries} appends of {expected} are in the journal")
    store.close()
    faults += [f"refused: {one['says']}" for one in told if "refused" in one]
    return faults


@pytest.mark.parametrize(("writers", "count"), [(2, 40), (8, 10)])
async def test_writers_at_once_lose_nothing(writers, count, forks, memory):
    await begin(memory)
    told = run_race(forks, memory, writers, count)
    assert not await find_race_faults(memory, told, writers * count)
    assert max(one["longest"] for one in told if "longest" in one) < PATIENCE


@pytest.mark.long
@pytest.mark.parametrize("writers", [2, 8])
async def test_writers_at_once_lose_nothing_of_a_hundred_each(writers, forks, tmp_path):
    await begin(tmp_path)
    begun = time.perf_counter()
    told = run_race(forks, tmp_path, writers, 100)
    seconds = time.perf_counter() - begun
    assert not await find_race_faults(tmp_path, told, writers * 100)
    longest = max(one["longest"] for one in told if "longest" in one)
    rate = writers * 100 / seconds
    sys.stdout.write(f"\n{writers} writers: {rate:.0f} appends/s, longest {longest:.3f} s\n")
    assert longest < PATIENCE


async def test_a_lock_file_that_is_removed_while_it_is_held_lets_nobody_in_unseen(forks, memory):
    await begin(memory)
    told = run_race(forks, memory, 2, 40, unlinked="journal.lock")
    done = [one for one in told if "done" in one]
    assert not await find_faults(memory, done)
    assert len(done) + sum("refused" in one for one in told) == 80


async def test_a_store_without_a_lock_is_caught(forks, memory):
    await begin(memory)
    told = run_race(forks, memory, 8, 40, "no_lock")
    assert await find_race_faults(memory, told, 320)


def take(root: Path) -> bool:
    """Take the right to run the goal once, if it is free at this moment."""
    store = open_store(root)
    try:
        return not asyncio.run(store.is_running(GOAL))
    finally:
        store.close()


def wait_until_free(root: Path) -> float:
    """Return the seconds until the right to run the goal is free."""
    begun = time.perf_counter()
    store = open_store(root)
    while True:
        with suppress(GoalBusy), store.runner_lock(GOAL):
            break
        assert time.perf_counter() - begun < PATIENCE
    store.close()
    return time.perf_counter() - begun


def held_by(child: Child) -> Told:
    """Let a holder begin; return what it told before it held the lock."""
    child.go()
    before: Told = {}
    for one in child.told():
        if "held" in one:
            return before
        before |= one
    raise AssertionError("it ended and held nothing")


def test_a_lock_is_free_once_its_holder_was_killed(forks, memory):
    asyncio.run(begin(memory))
    waits = []
    for _ in range(30):
        with forks.child("hold", root=str(memory), parent=False) as child:
            held_by(child)
            assert not take(memory)
            os.kill(child.pid, signal.SIGKILL)
            waits.append(wait_until_free(memory))
    half, longest = median(waits) * 1000, max(waits) * 1000
    sys.stdout.write(f"\nfreed: median {half:.1f} ms, longest {longest:.1f} ms\n")
    assert median(waits) < FREED


def test_a_command_that_outlives_the_holder_does_not_keep_the_lock(forks, memory):
    asyncio.run(begin(memory))
    with forks.child("hold", root=str(memory), parent=True) as child:
        outlives = held_by(child)["child"]
        try:
            child.kill()
            assert wait_until_free(memory) < PATIENCE
            os.kill(outlives, 0)
        finally:
            os.kill(outlives, signal.SIGKILL)
