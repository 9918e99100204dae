"""`LocalTeamRunner`: the tasks of a wave in this process, so many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from goal_engine.ports import Foreman
from goal_engine.task_graph.graph import GoalTask


class LocalTeamRunner:
    """The `TeamRunner` of one machine.  It knows no goal: what a task is, the foreman knows."""

    async def run(self, tasks: Sequence[GoalTask], foreman: Foreman, at_once: int) -> None:
        """Carry out a wave; see `TeamRunner`."""
        places = asyncio.Semaphore(at_once)

        async def carry_out(task: GoalTask) -> None:
            try:
                attempt = await foreman.begin(task)
                if attempt is not None:
                    await foreman.end(attempt, await foreman.work(attempt))
            finally:
                if not task.by_hand:
                    places.release()

        async with asyncio.TaskGroup() as group:
            for task in sorted(tasks, key=lambda task: not task.by_hand):
                if not task.by_hand:
                    await (
                        places.acquire()
                    )  # here: of ten thousand tasks only those under way are alive
                group.create_task(carry_out(task))
