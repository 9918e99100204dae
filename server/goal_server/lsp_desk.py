"""Where the language server's requests meet the engine, on the engine's own thread.

The only module of the server that imports the engine; it is itself imported when first needed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lsprotocol import types
from pydantic import BaseModel, ValidationError
from pygls.exceptions import JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer

from goal_engine import control
from goal_engine.engine import Engine
from goal_engine.errors import GoalError
from goal_engine.progress import GoalProgressSnapshot, render_progress
from goal_engine.queries import resolve_goal
from goal_engine.state.model import GoalState
from goal_engine.types import Decision, GoalId
from goal_server.host import EngineHost
from goal_server.lsp_apply import EditorFiles
from goal_server.lsp_jobs import Jobs
from goal_server.lsp_lenses import find_lenses
from goal_server.operations import Context, dispatch, show_goal
from goal_server.parameters import GoalParams, Params
from goal_server.registry import Operation, load
from goal_server.session import find_actor

log = logging.getLogger(__name__)


class Desk:
    """One client's engines and what works there.  Made and used on the server's loop."""

    def __init__(
        self,
        tell: Callable[[GoalProgressSnapshot], None],
        is_trusted: Callable[[], bool],
        server: LanguageServer,
    ) -> None:
        loop = asyncio.get_running_loop()

        def hear(state: GoalState) -> None:  # on the engine's thread, after each append
            loop.call_soon_threadsafe(tell, render_progress(state))

        self._is_trusted = is_trusted
        self._host = EngineHost(hear)
        self._jobs = Jobs(self._host)
        self._editor = EditorFiles(server, loop)

    def _context(self, place: Path) -> Context:
        return Context(
            engine=self._host.open(place),
            say=lambda line: log.info("%s", line),
            trusted=self._is_trusted(),
            actor=f"{find_actor()} (editor)",
            approve=lambda _: False,  # by content, with `goal.trustGate`, and never by the way
            editor=self._editor,
        )

    async def run(self, operation: Operation, given: dict[str, Any], place: Path) -> Any:
        """Carry out an operation; what works for long goes on after the answer."""
        params = parse_params(operation, given)

        async def work() -> BaseModel:
            context = self._context(place)
            if not operation.progress:
                return await dispatch(context, operation, params)
            goal = await self._jobs.start(context, operation, params)
            return await show_goal(context, GoalParams(goal=goal))

        return to_wire(await self._host.call(work()))

    async def wait(self, goal: str, place: Path) -> Any:
        """Return a goal once nothing works on it here; cancelling ends the wait alone."""

        async def work() -> BaseModel:
            context = self._context(place)
            state = await resolve_goal(context.engine.ports, goal)
            await self._jobs.wait(state.goal_id)
            return await show_goal(context, GoalParams(goal=state.goal_id))

        return to_wire(await self._host.call(work()))

    async def lenses(self, path: Path, buffer: str) -> list[types.CodeLens]:
        """Return the lenses of a file; a file outside every repository has none."""

        async def work() -> list[types.CodeLens]:
            try:
                return await find_lenses(self._host.open(path.parent), path.resolve(), buffer)
            except GoalError:
                return []

        return await self._host.call(work())

    async def pause(self, goal: GoalId) -> None:
        """Pause a goal whose bar the person cancelled: nothing is lost."""
        decision = Decision(actor=f"{find_actor()} (editor)", reason="stopped in the editor")

        async def has(engine: Engine) -> bool:
            return goal in [summary.goal_id for summary in await engine.ports.store.list()]

        async def work() -> None:
            for engine in self._host.engines:
                if await has(engine):
                    await control.pause_goal(engine.ports, goal, decision)

        await self._host.call(work())

    async def close(self) -> None:
        """Record a pause for everything that runs, and end the engine's thread."""
        await self._host.close()


def parse_params(operation: Operation, given: dict[str, Any]) -> Params:
    """Return an operation's parameters.  Raises `JsonRpcInvalidParams`, readable and as data."""
    try:
        params: Params = load(operation.params).model_validate(given)
    except ValidationError as error:
        told = [
            {"field": ".".join(map(str, item["loc"])), "message": item["msg"]}
            for item in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        words = "; ".join(f"{item['field'] or 'params'}: {item['message']}" for item in told)
        raise JsonRpcInvalidParams(f"{operation.command}: {words}", data=told) from error
    return params


def to_wire(view: BaseModel) -> Any:
    """Return a result as JSON in camelCase."""
    return view.model_dump(mode="json", by_alias=True)
