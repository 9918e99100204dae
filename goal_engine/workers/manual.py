"""The person does it: their folder is handed over, and what it holds when they submit is the result."""

from __future__ import annotations

import asyncio

from goal_engine.budget import COSTS_NOTHING, Reports
from goal_engine.ports import TurnResult, WorkerTurn
from goal_engine.state.events import TaskHandedOver
from goal_engine.task_graph.graph import GoalTask

LOOK = 0.1
"""Seconds between two looks at the journal for the person's word."""


class ManualWorker:
    """Waits.  Whatever ends the wait, the folder stays as the person left it."""

    def find_reports(self, _: GoalTask) -> Reports:
        """Return that nothing has to be paid for."""
        return COSTS_NOTHING

    async def run(self, turn: WorkerTurn) -> TurnResult:
        """Hand the folder over and return once it is submitted."""
        state = await turn.read()
        handed = TaskHandedOver(
            task=turn.task.id,
            attempt=state.tasks[turn.task.id].attempts,
            folder=str(turn.workspace),
            exclude=turn.environment.exclude,
        )
        state = await turn.record(handed)
        while state.tasks[turn.task.id].submitted is None:
            await asyncio.sleep(LOOK)
            state = await turn.read()
        return TurnResult(ended=True)
