"""One response per request: what stock pygls leaves open in the protocol is closed here.

Messages are structured once, at the top; a request that does not fit is answered with what is
wrong; commands are tasks of their own, so that `$/cancelRequest` reaches them.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, Protocol

import attrs
from cattrs import transform_error
from lsprotocol import types
from pygls.exceptions import (
    JsonRpcException,
    JsonRpcInvalidParams,
    JsonRpcInvalidRequest,
    JsonRpcParseError,
    JsonRpcServerNotInitialized,
)
from pygls.io_ import StdinAsyncReader, StdoutWriter, run_async
from pygls.protocol import LanguageServerProtocol, lsp_method

log = logging.getLogger(__name__)

WAIT = "goal/wait"
TRUST = "goal/didChangeTrust"
PROGRESS = "goal/progress"
INVALID, INTERNAL, REQUEST_FAILED = -32602, -32603, -32803
TOKEN: ContextVar[int | str | None] = ContextVar("work_done_token", default=None)
"""The progress token that came with the command which is carried out."""
DETAIL = 2000
"""Characters of a complaint about params."""
LEAVING = 15.0
"""Seconds in which what runs is paused when the client has gone."""


@attrs.define
class WaitRequest:
    """`goal/wait`, its params left as JSON."""

    id: int | str
    params: Any = None
    method: str = WAIT
    jsonrpc: str = "2.0"


@attrs.define
class TrustNotification:
    """`goal/didChangeTrust`, its params left as JSON."""

    params: Any = None
    method: str = TRUST
    jsonrpc: str = "2.0"


CUSTOM = {WAIT: WaitRequest, TRUST: TrustNotification}


class GoalProtocol(LanguageServerProtocol):
    """pygls' protocol with its gaps closed."""

    run_command: Callable[[str, list[Any]], Awaitable[Any]]
    """Carries out a command; set by the server."""
    cancel_progress: Callable[[Any], None]
    """Told of a progress token that the person cancelled; set by the server."""
    _ready = False

    def get_message_type(self, method: str) -> type[Any] | None:  # type: ignore[override]
        """Return the type of a message, ours among them."""
        return CUSTOM.get(method) or super().get_message_type(method)

    def structure_message(self, data: Any) -> Any:
        """Leave JSON as it is: nested objects that look like messages are data."""
        return data

    def handle_message(self, message: Any) -> None:
        """Refuse what the lifecycle or the types forbid, and hand on the rest."""
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            self._refuse(None, JsonRpcInvalidRequest("not a JSON-RPC 2.0 message"))
            return
        method, number = message.get("method"), message.get("id")
        asks = method is not None and "id" in message
        refusal = self._find_refusal(method, number) if asks else None
        if refusal is not None:
            self._refuse(number if is_number(number) else None, refusal)
            return
        if method is not None and not asks and not self._ready and method != types.EXIT:
            return
        if method is not None:
            message.setdefault("params", None)
        try:
            structured = super().structure_message(message)
        except JsonRpcException as error:
            if asks:
                why = error.__cause__
                told = "; ".join(transform_error(why)) if isinstance(why, Exception) else str(error)
                self._refuse(number, JsonRpcInvalidParams(told[:DETAIL]))
            return
        if method == types.INITIALIZE:
            self._ready = True
        super().handle_message(structured)

    def _find_refusal(self, method: Any, number: Any) -> JsonRpcException | None:
        if not is_number(number):
            return JsonRpcInvalidRequest("a request's id is a number or a string")
        if self._shutdown:
            return JsonRpcInvalidRequest("the server was shut down")
        if method == types.INITIALIZE and self._ready:
            return JsonRpcInvalidRequest("the server is initialized already")
        if method != types.INITIALIZE and not self._ready:
            return JsonRpcServerNotInitialized()
        return None

    def _refuse(self, number: Any, error: JsonRpcException) -> None:
        told = error.to_response_error()
        if number is None:  # the model would leave the key out, which JSON-RPC 2.0 §5 does not
            said = {"code": told.code, "message": told.message}
            self._send_data({"jsonrpc": self.VERSION, "id": None, "error": said})
        else:
            self._send_response(number, error=told)

    def _send_response(
        self, msg_id: Any, result: Any = None, error: types.ResponseError | None = None
    ) -> None:
        """Send a response; pygls would add a traceback with paths to a fault of ours."""
        if error is not None and error.code == INTERNAL and error.data is not None:
            error = types.ResponseError(INTERNAL, "An internal fault; the server's log has more.")
        super()._send_response(msg_id, result, error)

    def complain(self, error: Exception, source: Any = None) -> None:
        """Answer what is no JSON; everything else was answered where it was refused."""
        if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
            self._refuse(None, JsonRpcParseError("not JSON"))

    @lsp_method(types.WORKSPACE_EXECUTE_COMMAND)
    async def lsp_workspace__execute_command(  # type: ignore[override]  # a task can be cancelled
        self, params: types.ExecuteCommandParams
    ) -> Any:
        """Carry out a command of the registry."""
        TOKEN.set(params.work_done_token)
        return await self.run_command(params.command, list(params.arguments or []))

    @lsp_method(types.WINDOW_WORK_DONE_PROGRESS_CANCEL)
    def lsp_work_done_progress_cancel(self, params: types.WorkDoneProgressCancelParams) -> None:
        """Pass a cancelled token on."""
        self.cancel_progress(params.token)


def is_number(number: Any) -> bool:
    """Whether a request may have this as its id."""
    return isinstance(number, int | str) and not isinstance(number, bool)


class Served(Protocol):
    """What `serve` needs of a server."""

    protocol: GoalProtocol

    async def close(self) -> None:
        """Record what runs and let go of it."""


def serve(server: Served) -> int:
    """Serve on the real standard input and output and return the exit code of the protocol.

    Nothing else can write there: file descriptor 1 is pointed at standard error first.  When
    standard input ends, what runs is paused and so is everything else over.
    """
    reading, writing = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    source, sink = os.fdopen(reading, "rb"), os.fdopen(writing, "wb")
    pool = ThreadPoolExecutor(1, thread_name_prefix="stdin")
    server.protocol.set_writer(StdoutWriter(sink))

    async def main() -> None:
        reader = StdinAsyncReader(source, pool)
        try:
            await run_async(
                threading.Event(), reader, server.protocol, log, server.protocol.complain
            )
        finally:
            async with asyncio.timeout(LEAVING):
                await server.close()

    try:
        asyncio.run(main())
    except (SystemExit, TimeoutError, BrokenPipeError, KeyboardInterrupt) as ended:
        log.info("ended by %s", type(ended).__name__)
    return 0 if server.protocol._shutdown else 1
