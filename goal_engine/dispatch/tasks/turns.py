"""One turn of a worker under its task's own limits: stopped as soon as it is known to pass one."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from goal_engine.budget import LOST_TURN, Spend, TaskBudget, find_overrun
from goal_engine.metering import Meter
from goal_engine.permission import Answer, Ask, Asker
from goal_engine.ports import TurnResult, Worker, WorkerTurn


class _Pause:
    """Stops a limit while somebody is asked: a person's time is not the turn's."""

    def __init__(self, asker: Asker, limit: asyncio.Timeout, over: list[str]) -> None:
        self._asker, self._limit, self._over = asker, limit, over
        self._waiting = 0
        self._left: float | None = None
        """Seconds that were left when it began to wait."""

    async def ask(self, ask: Ask) -> Answer:
        clock = asyncio.get_running_loop().time
        if not self._waiting:
            when = self._limit.when()
            self._left = None if when is None else when - clock()
            self._reschedule(None)
        self._waiting += 1
        try:
            return await self._asker(ask)
        finally:
            self._waiting -= 1
            if not self._waiting and self._left is not None:
                self._reschedule(clock() + self._left)

    def _reschedule(self, when: float | None) -> None:
        if not self._over and not self._limit.expired():
            self._limit.reschedule(when)


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

            pause = _Pause(turn.ask, limit, over)
            return await worker.run(replace(turn, report=report, ask=pause.ask))
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
