"""Work that outlives the request that started it.  All of this runs on the engine's loop."""

from __future__ import annotations

import asyncio
import logging
from contextvars import ContextVar
from typing import Any

from goal_engine import control
from goal_engine.engine import Engine
from goal_engine.errors import GoalError
from goal_engine.queries import resolve_goal
from goal_engine.state.events import GoalInterrupted, JournalEntry
from goal_engine.state.model import GoalState
from goal_engine.types import Decision, GoalId, GoalStatus
from goal_server.host import EngineHost
from goal_server.operations import Context, dispatch
from goal_server.parameters import Params
from goal_server.registry import Operation

log = logging.getLogger(__name__)

_job: ContextVar[object | None] = ContextVar("job", default=None)
"""Whose doing an entry of the journal is: another job may work on the same goal."""


class Jobs:
    """What runs in this server, by goal."""

    def __init__(self, host: EngineHost) -> None:
        self._host = host
        self._jobs: dict[GoalId, tuple[Engine, asyncio.Task[Any]]] = {}

    async def start(self, context: Context, operation: Operation, params: Params) -> GoalId:
        """Start `operation`; return its goal once the job's first entry is in the journal.

        Raises what it is refused with before that; cancelled before that, it ends the job.
        """
        await self._settle(context, params)
        moved: asyncio.Future[GoalId] = asyncio.get_running_loop().create_future()
        mine = object()

        def hear(state: GoalState, entry: JournalEntry) -> None:
            found_it_dead = all(isinstance(event, GoalInterrupted) for event in entry.events)
            if _job.get() is mine and not found_it_dead and not moved.done():
                moved.set_result(state.goal_id)

        async def work() -> None:
            _job.set(mine)
            await dispatch(context, operation, params)

        silence = context.engine.subscribe(hear)
        job = self._host.start_job(context.engine, work())
        try:
            await asyncio.wait({moved, job}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            if not moved.done():
                job.cancel()
            raise
        finally:
            silence()
            if moved.done():
                self._keep(moved.result(), context.engine, job)
        if not moved.done():
            await job
        return await moved

    async def _settle(self, context: Context, params: Params) -> None:
        """Wait for what works on a goal here although it has told how it ended: it puts things away."""
        named = getattr(params, "goal", None)
        if named is None or not self._jobs:
            return
        state = await resolve_goal(context.engine.ports, named)
        if state.goal_id in self._jobs and state.status is not GoalStatus.RUNNING:
            await asyncio.wait({self._jobs[state.goal_id][1]})

    async def wait(self, goal: GoalId) -> None:
        """Return once nothing works on `goal` here.  Raises what the work was refused with."""
        if goal not in self._jobs:
            return
        _, job = self._jobs[goal]
        await asyncio.wait({job})
        if not job.cancelled() and (error := job.exception()) is not None:
            raise error

    async def pause(self, decision: Decision) -> None:
        """Pause every goal that is worked on here and wait until all of it is dead."""
        pauses = [
            control.pause_goal(engine.ports, goal, decision)
            for goal, (engine, _) in self._jobs.items()
        ]
        for found in await asyncio.gather(*pauses, return_exceptions=True):
            if isinstance(found, GoalError):  # it does not run yet, or not any more
                log.info("%s", found)
            elif isinstance(found, Exception):
                log.error("a goal could not be paused: %s", found)

    def _keep(self, goal: GoalId, engine: Engine, job: asyncio.Task[Any]) -> None:
        self._jobs[goal] = engine, job

        def end(done: asyncio.Task[Any]) -> None:
            if self._jobs.get(goal) == (engine, done):
                del self._jobs[goal]
            if not done.cancelled() and (error := done.exception()) is not None:
                log.error("the work on %s ended", goal, exc_info=error)

        job.add_done_callback(end)
