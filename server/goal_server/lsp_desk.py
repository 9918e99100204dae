"""Where the language server's requests meet the engine, on the engine's own thread.

The only module of the server that imports the engine; it is itself imported when first needed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from lsprotocol import types
from pydantic import BaseModel, ValidationError
from pygls.exceptions import JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer

from goal_engine import control
from goal_engine.engine import Engine
from goal_engine.errors import GoalError
from goal_engine.forecast import Sample, find_remaining
from goal_engine.progress import GoalProgressSnapshot, render_progress
from goal_engine.queries import read_samples, resolve_goal
from goal_engine.state.model import GoalState
from goal_engine.types import Decision, GoalId, GoalStatus
from goal_server.host import EngineHost
from goal_server.lsp_apply import EditorFiles
from goal_server.lsp_jobs import Jobs
from goal_server.lsp_reading import Keys, Reading, find_keys
from goal_server.operations import Context, Say, dispatch, open_engine, show_goal
from goal_server.parameters import GoalParams, Params
from goal_server.plain import plain_line
from goal_server.registry import Operation, find_effects, load
from goal_server.session import find_actor
from goal_server.spending import Warnings

log = logging.getLogger(__name__)
T = TypeVar("T")
P = TypeVar("P", bound=Params)
Ask = Callable[[Reading], Awaitable[T]]
"""A question about files or pages, asked on the engine's loop."""


def log_line(line: str) -> None:
    """Say a line to nobody in particular."""
    log.info("%s", line)


def warn(server: LanguageServer, message: str) -> None:
    """Show a person a message that they did not ask for."""
    params = types.ShowMessageParams(type=types.MessageType.Warning, message=message)
    server.window_show_message(params)


class Desk:
    """One client's engines and what works there.  Made and used on the server's loop."""

    def __init__(
        self,
        tell: Callable[[GoalProgressSnapshot], None],
        is_trusted: Callable[[], bool],
        server: LanguageServer,
        notice: Callable[[str, Keys], None] = lambda goal, keys: None,
    ) -> None:
        loop = asyncio.get_running_loop()

        def hear(state: GoalState) -> None:  # on the engine's thread, after each append
            self._reading.forget()
            remaining = find_remaining(state, self._samples.get(state.goal_id, ()))
            loop.call_soon_threadsafe(tell, render_progress(state, remaining))
            if state.status is not GoalStatus.RUNNING:
                self._samples.pop(state.goal_id, None)
            loop.call_soon_threadsafe(notice, state.goal_id, find_keys(state))
            for message in self._warnings.find_new(state):
                loop.call_soon_threadsafe(warn, server, message)

        self._warnings = Warnings()
        self._samples: dict[GoalId, Sequence[Sample]] = {}
        """What tasks took where a goal is worked on here.  Belongs to the engine's loop."""
        self._is_trusted = is_trusted
        self._host = EngineHost(hear)
        self._jobs = Jobs(self._host)
        self._reading = Reading(self._host)
        self._editor = EditorFiles(server, loop)
        self._places: set[str] = set()

        def warn_of(message: str) -> None:  # it names its folder, so it comes once for each
            if message and message not in self._places:
                self._places.add(message)
                loop.call_soon_threadsafe(warn, server, plain_line(message))

        self._warn_of_place = warn_of

    def _context(self, engine: Engine, say: Say) -> Context:
        return Context(
            engine=engine,
            say=say,
            trusted=self._is_trusted(),
            actor=f"{find_actor()} (editor)",
            approve=lambda _: False,  # by content, with `goal.trustGate`, and never by the way
            editor=self._editor,
        )

    async def run(
        self, operation: Operation, given: dict[str, Any], place: Path, say: Say = log_line
    ) -> Any:
        """Carry out an operation; what works for long goes on after the answer."""
        params = parse_params(operation, given)

        async def work() -> BaseModel:
            engine = open_engine(self._host.open, place, operation, params)
            if "write" in find_effects(operation, params):
                self._warn_of_place(engine.place_warning)
            context = self._context(engine, say)
            if not operation.progress:
                return await dispatch(context, operation, params)
            goal = await self._jobs.start(context, operation, params)
            self._samples[goal] = await read_samples(engine.ports)
            return await show_goal(context, GoalParams(goal=goal))

        return to_wire(await self._host.call(work()))

    async def wait(self, goal: str, place: Path) -> Any:
        """Return a goal once nothing works on it here; cancelling ends the wait alone."""

        async def work() -> BaseModel:
            context = self._context(self._host.open(place), log_line)
            state = await resolve_goal(context.engine.ports, goal)
            await self._jobs.wait(state.goal_id)
            return await show_goal(context, GoalParams(goal=state.goal_id))

        return to_wire(await self._host.call(work()))

    async def ask(self, ask: Ask[T]) -> T:
        """Have a question about files or pages answered."""

        async def work() -> T:
            return await ask(self._reading)

        return await self._host.call(work())

    async def pause(self, goal: GoalId) -> None:
        """Pause a goal whose bar the person cancelled: nothing is lost."""
        decision = Decision(actor=f"{find_actor()} (editor)", reason="stopped in the editor")

        async def has(engine: Engine) -> bool:
            return goal in await engine.ports.store.names()

        async def work() -> None:
            for engine in self._host.engines:
                if await has(engine):
                    await control.pause_goal(engine.ports, goal, decision)

        await self._host.call(work())

    async def follow(self, folders: Iterable[Path]) -> None:
        """Tell of the goals of these folders from now on, whoever runs them."""

        async def work() -> None:
            for folder in folders:
                with suppress(GoalError):  # no repository, so no goals
                    self._host.open(folder)

        await self._host.call(work())

    async def stop(self, reason: str) -> None:
        """Pause everything that this server runs, and end what is no goal yet.

        What is asked for meanwhile is left alone: it is refused for a reason of its own.
        """

        async def work() -> None:
            begun = self._host.jobs
            await self._jobs.pause(Decision(actor=f"{find_actor()} (editor)", reason=reason))
            await self._host.stop_jobs(begun)

        await self._host.call(work())

    async def leave(self, is_closed: Callable[[Path], bool]) -> None:
        """Pause what runs in repositories that the editor has closed, and let go of them."""
        await self._host.call(self._host.close_engines(is_closed))

    async def close(self) -> None:
        """Record a pause for everything that runs, and end the engine's thread."""
        await self._host.close()


def parse_params(operation: Operation, given: dict[str, Any]) -> Params:
    """Return an operation's parameters.  Raises `JsonRpcInvalidParams`, readable and as data."""
    model: type[Params] = load(operation.params)
    return parse_as(model, operation.command, given)


def parse_as(model: type[P], name: str, given: dict[str, Any]) -> P:
    """Return what `name` was asked with.  Raises `JsonRpcInvalidParams`, readable and as data."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        told = [
            {"field": ".".join(map(str, item["loc"])), "message": item["msg"]}
            for item in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        words = "; ".join(f"{item['field'] or 'params'}: {item['message']}" for item in told)
        raise JsonRpcInvalidParams(f"{name}: {words}", data=told) from error


def to_wire(view: BaseModel) -> Any:
    """Return a result as JSON in camelCase."""
    return view.model_dump(mode="json", by_alias=True)
