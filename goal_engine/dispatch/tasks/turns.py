"""One turn of a worker under its task's own limits: stopped as soon as it is known to pass one."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from goal_engine.budget import LOST_TURN, Spend, TaskBudget, find_overrun
from goal_engine.metering import Meter
from goal_engine.ports import TurnResult, Worker, WorkerTurn


async def run_turn(worker: Worker, turn: WorkerTurn, meter: Meter) -> TurnResult:
    """Let `worker` do the turn, or end it when the task's own budget is used up.

    What it reports meanwhile, in all since the turn began, counts against the goal at once.  A
    person takes as long as they take.
    """
    own, name = turn.task.budget or TaskBudget(), turn.task.id
    seconds = None if turn.task.worker == "manual" else own.seconds
    over: list[str] = []
    clock = asyncio.get_running_loop().time
    try:
        async with asyncio.timeout(seconds) as limit:

            def report(spent: Spend) -> None:
                meter.report(name, spent)
                passed = find_overrun(own, spent)
                if passed and not over:
                    over.extend(passed)
                    limit.reschedule(clock())

            return await worker.run(replace(turn, report=report))
    except TimeoutError:
        if not limit.expired():
            raise
    said = "; ".join(over) or f"seconds: {seconds} of {seconds}"
    lost = LOST_TURN if worker.find_reports(turn.task).costs else Spend()
    return TurnResult(
        ended=False,
        reason=f"its own budget is used up ({said}), so it was stopped",
        spent=meter.find_reported(name) or lost,
    )
