"""The language server: convert in, one engine call, convert out.

Untrusted until the client says otherwise.  A goal outlives the request that started it; `goal/wait`
waits for its end.  The engine works on a thread of its own.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams, JsonRpcInvalidRequest
from pygls.lsp.server import LanguageServer

from goal_server.lsp_bars import Bars
from goal_server.lsp_configuration import Configuration, warn
from goal_server.lsp_documents import take_document
from goal_server.lsp_errors import guarded
from goal_server.lsp_features import Features, register
from goal_server.lsp_folders import ROOT, Folders
from goal_server.lsp_log import set_up_logs
from goal_server.lsp_progress import Coalescer, render_snapshot
from goal_server.lsp_protocol import PROGRESS, TRUST, WAIT, GoalProtocol
from goal_server.lsp_runs import Runs
from goal_server.lsp_serve import serve
from goal_server.lsp_settings import find_trust_problem, is_yes
from goal_server.registry import OPERATIONS, find_operation

# The engine and its models are imported when they are first used, and warmed once the client has
# its answer to `initialize`: they cost as much to import as pygls itself.
if TYPE_CHECKING:
    from goal_engine.progress import GoalProgressSnapshot
    from goal_server.lsp_desk import Ask, Desk

log = logging.getLogger(__name__)
T = TypeVar("T")

SETTLING = 1.0
"""Seconds that the last words to a progress bar may take."""


class GoalServer(LanguageServer):
    """One client's server: its trust, its engines and what it is told."""

    protocol: GoalProtocol

    def __init__(self) -> None:
        super().__init__(
            "goalproof",
            version("goalproof"),
            text_document_sync_kind=types.TextDocumentSyncKind.Incremental,
            protocol_cls=GoalProtocol,
        )
        self.protocol.run_command = self.run_command
        self.protocol.cancel_progress = self.cancel_progress
        self.trusted = False
        self._desk: Desk | None = None
        self._closing: asyncio.Future[None] | None = None
        self._coalescer = Coalescer(self._send_progress)
        self._bars = Bars(self)
        self.folders = Folders()
        self.configuration = Configuration(self, self.folders)
        self.runs = Runs(self)
        self.features = Features(self, self)
        self.configuration.listeners.append(self.features.settle)
        self._tasks: set[asyncio.Task[None]] = set()

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Log it: whoever asked has the answer, and an editor's pop-up would say it twice."""
        self.protocol.complain(error, source)

    # where things are

    def _find_desk(self) -> Desk:
        """Return the engine's side of this server, opened when first needed."""
        if self._closing is not None:
            raise JsonRpcInvalidRequest("the server is shutting down")
        if self._desk is None:
            from goal_server.lsp_desk import Desk

            notice = self.features.hear
            self._desk = Desk(self._coalescer.offer, lambda: self.trusted, self, notice)
        return self._desk

    # requests

    async def run_command(self, name: str, arguments: list[Any]) -> Any:
        """Carry out the operation that a command stands for."""
        operation = find_operation(name)
        if operation is None or operation.command != name:
            raise JsonRpcInvalidParams(f"There is no command {name!r}.")
        if len(arguments) > 1 or not all(isinstance(given, dict) for given in arguments):
            raise JsonRpcInvalidParams(f"{name} takes one object, with the operation's parameters.")
        given = dict(arguments[0]) if arguments else {}
        place = self.folders.find_place(given.pop(ROOT, None), anywhere=operation.anywhere)
        given = take_document(self.workspace, operation.name, given)
        given = await self.configuration.fill(operation, given, place)
        run = partial(self._find_desk().run, operation, given, place)
        named = filter(None, (operation.executes_if, operation.long_if))
        asked = all(given.get(name) for name in named)
        if operation.cancellable and not operation.progress and asked:
            return await guarded(self.runs.run(operation.title, run))
        return await guarded(run())

    async def wait(self, params: Any) -> Any:
        """Return a goal once nothing works on it here; cancelling ends the wait alone."""
        given = params if isinstance(params, Mapping) else {}
        goal = given.get("goal")
        if not isinstance(goal, str):
            raise JsonRpcInvalidParams(f"{WAIT} takes the goal's id as `goal`.")
        place = self.folders.find_place(given.get(ROOT))
        return await guarded(self._find_desk().wait(goal, place))

    async def ask(self, ask: Ask[T]) -> T:
        """Have a question about files or pages answered."""
        return await guarded(self._find_desk().ask(ask))

    # progress

    def _send_progress(self, snapshot: GoalProgressSnapshot) -> None:
        self.protocol.notify(PROGRESS, render_snapshot(snapshot))
        capabilities = self.client_capabilities
        if capabilities.window and capabilities.window.work_done_progress:
            self._bars.show(snapshot)

    def cancel_progress(self, token: object) -> None:
        """Pause the goal whose bar the person cancelled: nothing is lost; end what is no goal."""
        if self.runs.cancel(token):
            return
        goal = self._bars.find_goal(token)
        if goal is None or self._desk is None:
            return
        self._keep(self._desk.pause(goal))

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        """Let go on what a notification began."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._let_go)

    def _let_go(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("what a notification began has failed: %s", error)

    # the workspace

    async def change_trust(self, said: object) -> None:
        """Take the client's word; without a clear yes, what runs is paused."""
        self.trusted = is_yes(said)
        self.features.settle()
        if complaint := find_trust_problem(said):
            warn(self, complaint)
        if not self.trusted:
            self.runs.cancel_all()
            if self._desk is not None:
                await self._desk.stop("the workspace is not trusted any more")

    async def follow(self) -> None:
        """Tell of the goals of the open folders, whoever runs them."""
        await asyncio.to_thread(import_module, "goal_server.lsp_desk")
        if self._closing is None:
            await self._find_desk().follow(self.folders.open)

    def change_folders(self, params: types.DidChangeWorkspaceFoldersParams) -> None:
        """Take what was opened and closed, before the next message; what runs there is paused."""
        is_closed = self.folders.change(params.event)
        self.features.move(is_closed)
        self.configuration.ask()
        if self._desk is not None:
            self._keep(self._leave(self._desk, is_closed))

    async def _leave(self, desk: Desk, is_closed: Callable[[Path], bool]) -> None:
        await desk.leave(is_closed)
        await desk.follow(self.folders.open)

    async def close(self) -> None:
        """Record a pause for everything that runs, tell it and end the engine's thread, once."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._put_away())
        await asyncio.shield(self._closing)

    async def _put_away(self) -> None:
        self.features.close()
        if self._desk is None:
            return
        desk, self._desk = self._desk, None
        await desk.close()
        self._coalescer.flush()
        await self._bars.settle(SETTLING)


def make_server() -> GoalServer:
    """Return a server with all its handlers."""
    server = GoalServer()
    for operation in OPERATIONS:
        server.command(operation.command)(_unreached)

    @server.feature(types.INITIALIZE)
    def initialize(ls: GoalServer, params: types.InitializeParams) -> None:
        ls.trusted = is_yes(params.initialization_options)
        ls.folders.begin(params)
        ls.features.begin(params)
        ls.configuration.begin(params.initialization_options)

    @server.feature(TRUST)
    async def change_trust(ls: GoalServer, params: Any) -> None:
        await ls.change_trust(params)

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    def change_configuration(ls: GoalServer, params: types.DidChangeConfigurationParams) -> None:
        ls.configuration.change(params)

    @server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    def change_folders(ls: GoalServer, params: types.DidChangeWorkspaceFoldersParams) -> None:
        ls.change_folders(params)

    @server.feature(types.INITIALIZED)
    async def initialized(ls: GoalServer, *_: Any) -> None:
        ls.configuration.start()
        await asyncio.gather(ls.configuration.register(), ls.follow())
        gc.freeze()  # see `lsp_serve`

    @server.feature(types.SHUTDOWN)
    async def shutdown(ls: GoalServer, *_: Any) -> None:
        await ls.close()

    @server.feature(WAIT)
    async def wait(ls: GoalServer, params: Any) -> Any:
        return await ls.wait(params)

    register(server, server.features)
    return server


def _unreached(*_: Any) -> None:
    """Registered so that the command is announced; `run_command` carries it out."""


def main() -> int:
    """Serve one client over standard input and output."""
    set_up_logs()
    return serve(make_server())
