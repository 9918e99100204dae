"""The language server: convert in, one engine call, convert out.

Untrusted until the client says otherwise.  A goal outlives the request that started it; `goal/wait`
waits for its end.  The engine works on a thread of its own.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams, JsonRpcInvalidRequest
from pygls.lsp.server import LanguageServer

from goal_server.lsp_bars import RUNNING, Bars
from goal_server.lsp_errors import guarded
from goal_server.lsp_log import set_up_logs
from goal_server.lsp_progress import Coalescer, render_snapshot
from goal_server.lsp_protocol import PROGRESS, TRUST, WAIT, GoalProtocol
from goal_server.lsp_serve import serve
from goal_server.registry import OPERATIONS, find_operation

# The engine and its models are imported when they are first used, and warmed once the client has
# its answer to `initialize`: they cost as much to import as pygls itself.
if TYPE_CHECKING:
    from goal_engine.progress import GoalProgressSnapshot
    from goal_server.lsp_desk import Desk

log = logging.getLogger(__name__)

ROOT = "root"
"""The key that names a workspace beside an operation's own parameters."""
SETTLING = 1.0
"""Seconds that the last words to a progress bar may take."""


class GoalServer(LanguageServer):
    """One client's server: its trust, its engines and what it is told."""

    protocol: GoalProtocol

    def __init__(self) -> None:
        super().__init__(
            "goalproof",
            version("goalproof"),
            text_document_sync_kind=types.TextDocumentSyncKind.Full,
            protocol_cls=GoalProtocol,
        )
        self.protocol.run_command = self.run_command
        self.protocol.cancel_progress = self.cancel_progress
        self.trusted = False
        self._desk: Desk | None = None
        self._closing: asyncio.Future[None] | None = None
        self._coalescer = Coalescer(self._send_progress)
        self._bars = Bars(self)
        self._pauses: set[asyncio.Task[None]] = set()

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

            self._desk = Desk(self._coalescer.offer, lambda: self.trusted)
        return self._desk

    def _find_place(self, root: object) -> Path:
        """Return the folder that `root` names, or the client's first workspace folder."""
        if root is not None and not isinstance(root, str):
            raise JsonRpcInvalidParams(f"`{ROOT}` is the URI of a folder.")
        if root is not None:
            return to_path(root)
        folders = [folder.uri for folder in self.workspace.folders.values()]
        uri = folders[0] if folders else self.workspace.root_uri
        if not uri:
            raise JsonRpcInvalidParams(f"No workspace is open: name one with `{ROOT}`.")
        return to_path(uri)

    # requests

    async def run_command(self, name: str, arguments: list[Any]) -> Any:
        """Carry out the operation that a command stands for."""
        operation = find_operation(name)
        if operation is None or operation.command != name:
            raise JsonRpcInvalidParams(f"There is no command {name!r}.")
        if len(arguments) > 1 or not all(isinstance(given, dict) for given in arguments):
            raise JsonRpcInvalidParams(f"{name} takes one object, with the operation's parameters.")
        given = dict(arguments[0]) if arguments else {}
        place = self._find_place(given.pop(ROOT, None))
        return await guarded(self._find_desk().run(operation, given, place))

    async def wait(self, params: Any) -> Any:
        """Return a goal once nothing works on it here; cancelling ends the wait alone."""
        given = params if isinstance(params, Mapping) else {}
        goal = given.get("goal")
        if not isinstance(goal, str):
            raise JsonRpcInvalidParams(f"{WAIT} takes the goal's id as `goal`.")
        place = self._find_place(given.get(ROOT))
        return await guarded(self._find_desk().wait(goal, place))

    async def lenses(self, uri: str) -> list[types.CodeLens]:
        """Return the lenses of a file; none while the workspace is untrusted."""
        if not self.trusted or urlparse(uri).scheme != "file":
            return []
        buffer = self.workspace.get_text_document(uri).source
        return await guarded(self._find_desk().lenses(to_path(uri), buffer))

    # progress

    def _send_progress(self, snapshot: GoalProgressSnapshot) -> None:
        self.protocol.notify(PROGRESS, render_snapshot(snapshot))
        capabilities = self.client_capabilities
        if capabilities.window and capabilities.window.work_done_progress:
            self._bars.show(snapshot)
        lens = capabilities.workspace and capabilities.workspace.code_lens
        if lens and lens.refresh_support and snapshot.status != RUNNING:
            self.workspace_code_lens_refresh(None)

    def cancel_progress(self, token: object) -> None:
        """Pause the goal whose bar the person cancelled: nothing is lost."""
        goal = self._bars.find_goal(token)
        if goal is None or self._desk is None:
            return
        pause = asyncio.ensure_future(self._desk.pause(goal))
        self._pauses.add(pause)
        pause.add_done_callback(self._end_pause)

    def _end_pause(self, pause: asyncio.Task[None]) -> None:
        self._pauses.discard(pause)
        if not pause.cancelled() and (error := pause.exception()) is not None:
            log.error("a goal could not be paused: %s", error)

    async def close(self) -> None:
        """Record a pause for everything that runs, tell it and end the engine's thread, once."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._put_away())
        await asyncio.shield(self._closing)

    async def _put_away(self) -> None:
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

    @server.feature(TRUST)
    def change_trust(ls: GoalServer, params: Any) -> None:
        ls.trusted = is_yes(params)

    @server.feature(types.INITIALIZED)
    async def initialized(ls: GoalServer, *_: Any) -> None:
        await asyncio.to_thread(import_module, "goal_server.lsp_desk")
        gc.freeze()  # see `lsp_serve`

    @server.feature(types.SHUTDOWN)
    async def shutdown(ls: GoalServer, *_: Any) -> None:
        await ls.close()

    @server.feature(WAIT)
    async def wait(ls: GoalServer, params: Any) -> Any:
        return await ls.wait(params)

    @server.feature(types.TEXT_DOCUMENT_CODE_LENS)
    async def code_lens(ls: GoalServer, params: types.CodeLensParams) -> list[types.CodeLens]:
        return await ls.lenses(params.text_document.uri)

    return server


def _unreached(*_: Any) -> None:
    """Registered so that the command is announced; `run_command` carries it out."""


def is_yes(said: object) -> bool:
    """Whether a client trusts the workspace: only an explicit, well-formed yes counts."""
    return isinstance(said, dict) and said.get("trusted") is True


def to_path(uri: str) -> Path:
    """Return the path of a `file:` URI.  Raises `JsonRpcInvalidParams` for any other."""
    parsed = urlparse(uri)
    if parsed.scheme != "file":
        raise JsonRpcInvalidParams(f"{uri[:200]!r} is no file: URI.")
    return Path(unquote(parsed.path))


def main() -> int:
    """Serve one client over standard input and output."""
    set_up_logs()
    return serve(make_server())
