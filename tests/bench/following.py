"""How soon an editor hears of a goal that another process runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from goal_engine.engine import Engine
from goal_engine.state import events as e
from goal_engine.state.persistence import FileSystemGoalStateStore
from goal_server.follower import Follower
from tests.bench.table import Row
from tests.builders import GOAL, TREE, a_first_entry, next_entry

RUNS = 50


def measure_following() -> Iterator[Row]:
    """Time from an append by another store to the word of it: each comes just after a look."""
    with TemporaryDirectory() as name:
        times = sorted(asyncio.run(_follow(Path(name))))
    note = f"the longest of {RUNS}, each just after a look"
    yield Row("a follower hears of an append", times[-1], 200, "ms", note)


async def _follow(checkout: Path) -> list[float]:
    writer = FileSystemGoalStateStore(checkout / ".goalproof")
    engine = Engine(checkout)
    told = asyncio.Event()
    times = []

    async def append(event: e.GoalEvent) -> None:
        await writer.append(GOAL, next_entry(*await writer.head(GOAL), event))

    await writer.create(GOAL, a_first_entry())
    with writer.runner_lock(GOAL):
        await append(e.GoalStarted())
        following = asyncio.create_task(  # noqa: TID251 - cancelled below
            Follower(engine, lambda _: told.set()).follow()
        )
        for _ in range(RUNS + 1):
            await told.wait()
            told.clear()
            begun = perf_counter()
            await append(e.VerificationStarted(tree=TREE))
            await told.wait()
            times.append((perf_counter() - begun) * 1000)
        following.cancel()
    engine.close()
    writer.close()
    return times[1:]
