"""One response per request: what stock pygls leaves open in the protocol is closed here.

Messages are structured once, at the top; a request that does not fit is answered with what is
wrong; commands are tasks of their own, so that `$/cancelRequest` reaches them.  `_open` knows which
requests have no answer yet: nobody gets two.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable, Generator, Hashable
from concurrent.futures import Future
from contextlib import suppress
from contextvars import ContextVar
from functools import cache
from typing import Any, NoReturn, cast

import attrs
from cattrs import transform_error
from lsprotocol import types
from pygls.exceptions import (
    FeatureRequestError,
    JsonRpcException,
    JsonRpcInvalidParams,
    JsonRpcInvalidRequest,
    JsonRpcMethodNotFound,
    JsonRpcParseError,
    JsonRpcRequestCancelled,
    JsonRpcServerNotInitialized,
)
from pygls.protocol import (
    JsonRPCNotification,
    JsonRPCRequestMessage,
    LanguageServerProtocol,
    lsp_method,
)

from goal_server.lsp_framing import Body, Frame
from goal_server.lsp_transport import Outbox, Rank

log = logging.getLogger(__name__)

WAIT = "goal/wait"
TRUST = "goal/didChangeTrust"
PROGRESS = "goal/progress"
EXPLAIN = "goal/explain"
RENDER = "goal/render"
IS_REQUEST = {WAIT: True, EXPLAIN: True, RENDER: True, TRUST: False}
"""What the server is told beside LSP, its params left as JSON, and whether that is answered."""
INVALID, INTERNAL, REQUEST_FAILED = -32602, -32603, -32803
TOKEN: ContextVar[int | str | None] = ContextVar("work_done_token", default=None)
"""The progress token that came with the command which is carried out."""
FAULT = "An internal fault; the server's log has more."
DETAIL = 2000
"""Characters of a complaint about params."""
OPEN_CAP = 1000
"""Requests that may be without an answer at once."""
SHUTDOWN = 0.4
"""Seconds after which `shutdown` is answered, whatever is still being put away."""
PATIENCE = 30.0
"""Seconds that the client has to answer a request of ours."""
PERSON = 60.0
"""Seconds that it has where it may ask its person first."""
ASKS_A_PERSON = frozenset({types.WORKSPACE_APPLY_EDIT})
IN = "in"
"""Marks the client's request ids among ours: both sides count for themselves."""

Id = int | str


class GoalProtocol(LanguageServerProtocol):
    """pygls' protocol with its gaps closed."""

    run_command: Callable[[str, list[Any]], Awaitable[Any]]
    """Carries out a command; set by the server."""
    cancel_progress: Callable[[Any], None]
    """Told of a progress token that the person cancelled; set by the server."""
    outbox: Outbox
    """Where messages go; set by whoever serves."""
    leave: Callable[[], None]
    """Told that the client wants the end; set by whoever serves."""
    watch: Callable[[int], None]
    """Told which process the client is; set by whoever serves."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.leave = lambda: None
        self.watch = lambda _: None
        self._ready = False
        self._open: dict[Id, tuple[str, float]] = {}
        self._closing: asyncio.Future[Any] | None = None

    # what comes in

    def receive(self, frame: Frame) -> None:
        """Take one frame of the client's stream; whatever it is, the next one is taken too."""
        if not isinstance(frame, Body):
            log.warning("something of the client's is not read: %s", frame.reason)
            self._refuse(frame.id, JsonRpcInvalidRequest(frame.reason))
            return
        try:
            message = parse_json(frame.content)
        except ValueError:
            self._refuse(None, JsonRpcParseError("not JSON"))
            return
        try:
            self.handle_message(message)
        except Exception:  # one of the three boundaries: a request
            log.exception("a message could not be handled")
            if isinstance(message, dict) and is_number(message.get("id")):
                number: Any = message["id"]
                self._open.setdefault(number, ("", 0.0))
                self._send_response(number, error=types.ResponseError(INTERNAL, FAULT))

    def handle_message(self, message: Any) -> None:
        """Refuse what is no message, and hand on the rest."""
        if isinstance(message, dict) and "method" not in message and find_answer(message):
            self._hear_answer(message)
            return
        problem = find_problem(message)
        if problem is not None:
            number = message.get("id") if isinstance(message, dict) else None
            self._refuse(number if is_number(number) else None, JsonRpcInvalidRequest(problem))
        elif "id" in message:
            self._hear_request(message["id"], message["method"], message)
        else:
            self._hear_notification(message["method"], message)

    def _hear_request(self, number: Id, method: str, message: dict[str, Any]) -> None:
        """Answer a request, now or later."""
        try:
            self._check(number, method)
            params = self._structure(method, message)
        except JsonRpcException as refusal:
            self._refuse(number, refusal)
            return
        self._open[number] = method, asyncio.get_running_loop().time()
        self._ready = True  # the first one that is let through is `initialize`
        super().handle_message(JsonRPCRequestMessage(number, method, self.VERSION, params))

    def _check(self, number: Id, method: str) -> None:
        """Raise what forbids a request."""
        if self._shutdown:
            raise JsonRpcInvalidRequest("the server was shut down")
        if method == types.INITIALIZE and self._ready:
            raise JsonRpcInvalidRequest("the server is initialized already")
        if method != types.INITIALIZE and not self._ready:
            raise JsonRpcServerNotInitialized("the server is not initialized")
        if number in self._open:
            raise JsonRpcInvalidRequest(f"the request {number!r:.100} is not answered yet")
        if len(self._open) >= OPEN_CAP:
            raise JsonRpcException(f"{OPEN_CAP} requests are not answered yet", REQUEST_FAILED)
        if self._is_request(method) is False:
            raise JsonRpcInvalidRequest(f"{method} is a notification")
        if method not in self.fm.builtin_features and method not in self.fm.features:
            raise JsonRpcMethodNotFound(f"there is no method {method!r:.200}")

    def _structure(self, method: str, message: dict[str, Any]) -> Any:
        """Return the params of a message; plain JSON where no type is known."""
        params = message.get("params")
        kind: Any = self.get_message_type(method)
        if kind is None or params_type(kind) in (Any, None):
            return params
        try:
            return self._converter.structure({**message, "params": params}, kind).params
        except Exception as error:  # cattrs raises what the far end's data brings it to
            told = list_problems(error)
            words = "; ".join(f"{it['message']} at {it['field']}" for it in told)
            raise JsonRpcInvalidParams(f"{method}: {words}"[:DETAIL], data=told) from None

    def _hear_notification(self, method: str, message: dict[str, Any]) -> None:
        if method != types.EXIT and (self._shutdown or not self._ready):
            return
        if self._is_request(method):  # nobody could be answered
            return
        try:
            params = self._structure(method, message)
        except JsonRpcInvalidParams as error:
            log.warning("a notification is not heard: %s", error)
            return
        if method == types.EXIT:
            self.leave()
        else:
            super().handle_message(JsonRPCNotification(method, self.VERSION, params))

    def _handle_cancel_notification(self, msg_id: Any) -> None:
        """Cancel a request of the client; what only begins or ends the session is not cancelled."""
        method, _ = self._open.get(msg_id, ("", 0.0))
        if method in (types.INITIALIZE, types.SHUTDOWN):
            return
        if (future := self._request_futures.get(cast(Id, (IN, msg_id)))) is not None:
            future.cancel()

    def _hear_answer(self, message: dict[str, Any]) -> None:
        """Give an answer of the client to whoever asked, if they still wait."""
        number: Any = message.get("id")
        if not is_number(number):
            return
        future = self._request_futures.get(number)
        if future is None or not future.set_running_or_notify_cancel():
            return
        kind = self._result_types.pop(number, None)
        try:
            if "error" in message:
                error = self._converter.structure(message["error"], types.ResponseError)
                future.set_exception(JsonRpcException.from_error(error))
            elif kind is None:
                future.set_result(message["result"])
            else:
                future.set_result(self._converter.structure(message, kind).result)
        except Exception:  # cattrs again
            future.set_exception(JsonRpcInvalidParams("the client's answer makes no sense"))

    # how it is carried out

    def _execute_handler(
        self,
        msg_id: Any,
        handler: Any,
        callback: Callable[[Any], None],
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        """Run a handler; pygls would keep the futures of notifications for ever."""

        def end(future: Future[Any]) -> None:
            self._request_futures.pop(key, None)
            with suppress(asyncio.CancelledError):  # of a notification, when the loop ends
                callback(future)

        key = cast(Id, (IN, msg_id))
        super()._execute_handler(key, handler, end, args, kwargs)

    def _send_handler_result(self, future: Future[Any], *, msg_id: Any) -> None:
        """Answer with what a handler returned or raised."""
        if future.cancelled():
            told = JsonRpcRequestCancelled("cancelled").to_response_error()
            self._send_response(msg_id, error=told)
        elif (error := future.exception()) is None:
            self._send_response(msg_id, future.result())
        elif isinstance(error, JsonRpcException):
            self._send_response(msg_id, error=error.to_response_error())
        else:
            log.error("a request failed", exc_info=error)
            self._send_response(msg_id, error=types.ResponseError(INTERNAL, FAULT))

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(
        self, params: types.InitializeParams
    ) -> Generator[Any, Any, types.InitializeResult]:
        """Begin the session: positions are UTF-16 for whoever can (a mix of encodings is worse)."""
        general = params.capabilities.general
        if general is not None and types.PositionEncodingKind.Utf16 in (
            general.position_encodings or ()
        ):
            general.position_encodings = [types.PositionEncodingKind.Utf16]
        self.trace = params.trace or types.TraceValue.Off
        if params.process_id is not None:
            self.watch(params.process_id)
        result = yield from super().lsp_initialize(params)
        return result

    @lsp_method(types.SHUTDOWN)
    async def lsp_shutdown(self, *_: Any) -> None:  # type: ignore[override]  # pygls#606
        """Cancel what is open, put everything away, and answer soon even if that takes longer."""
        self._shutdown = True
        for number in tuple(self._open):
            self._handle_cancel_notification(number)
        if (put_away := self.fm.features.get(types.SHUTDOWN)) is not None:
            self._closing = asyncio.ensure_future(put_away(None))
            self._closing.add_done_callback(tell_failure)
            await asyncio.wait({self._closing}, timeout=SHUTDOWN)

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

    # what goes out

    def _is_request(self, method: str) -> bool | None:
        """Whether a method's messages are requests; `None` when no type is known."""
        kind = self.get_message_type(method)
        return IS_REQUEST.get(method) if kind is None else "id" in attrs.fields_dict(kind)

    def notify(self, method: str, params: Any | None = None) -> None:
        """Send a notification; `$/logTrace` only to a client that asked for it."""
        if method != types.LOG_TRACE or self.trace != types.TraceValue.Off:
            super().notify(method, params)

    def send_request(
        self,
        method: str,
        params: Any | None = None,
        callback: Callable[[Any], None] | None = None,
        msg_id: Any = None,
    ) -> Future[Any]:
        """Ask the client; a question that it never answers is forgotten, with a `TimeoutError`."""
        future: Future[Any] = super().send_request(method, params, callback, msg_id)
        number = next(n for n, known in reversed(self._request_futures.items()) if known is future)
        seconds = PERSON if method in ASKS_A_PERSON else PATIENCE
        clock = asyncio.get_running_loop().call_later(seconds, give_up, future, method)

        def forget(_: object) -> None:
            clock.cancel()
            self._request_futures.pop(number, None)
            self._result_types.pop(number, None)

        future.add_done_callback(forget)
        return future

    def _refuse(self, number: Id | None, error: JsonRpcException) -> None:
        """Answer what was never let in; the id may be null, where lsprotocol leaves it out."""
        said = {"code": error.code, "message": error.message}
        said |= {} if error.data is None else {"data": error.data}
        self._send_data({"jsonrpc": self.VERSION, "id": number, "error": said})

    def _send_response(
        self, msg_id: Any, result: Any = None, error: types.ResponseError | None = None
    ) -> None:
        """Send the one response to a request; a late or a second one is dropped."""
        opened = self._open.pop(msg_id, None)
        if opened is None:
            log.warning("a second answer to one request is dropped")
            return
        method, since = opened
        if method == types.INITIALIZE and error is not None:
            self._ready = False
        if error is not None and error.code == INTERNAL and error.data is not None:
            error = types.ResponseError(INTERNAL, FAULT)  # pygls puts a traceback there
        super()._send_response(msg_id, result, error)
        if self.trace != types.TraceValue.Off:
            ms = (asyncio.get_running_loop().time() - since) * 1000
            said = f"{method} ({msg_id}) answered in {ms:.1f} ms"
            self.notify(types.LOG_TRACE, types.LogTraceParams(message=said))

    def _send_data(self, data: Any) -> None:
        """Put a message in the outbox; what is no JSON becomes an error for whoever asked."""
        try:
            body = json.dumps(data, default=self._serialize_message, allow_nan=False)
        except Exception:  # any object of any handler
            log.exception("something cannot be sent")
            if getattr(data, "method", None) is not None or getattr(data, "id", None) is None:
                return
            error = {"code": INTERNAL, "message": FAULT}
            body = json.dumps({"jsonrpc": self.VERSION, "id": data.id, "error": error})
        content = body.encode()
        header = b"Content-Length: %d\r\n\r\n" % len(content)
        if not self.outbox.put(header + content, *find_rank(data)):
            log.warning("a message is dropped: the client does not read")
            asked = self._request_futures.get(getattr(data, "id", ""))
            if asked is not None:
                give_up(asked, data.method)

    def complain(self, error: Exception, source: Any = None) -> None:
        """Log what stock pygls tells the person in a pop-up: whoever asked has the answer."""
        if source is not FeatureRequestError:
            log.warning("a notification failed: %s", type(error).__name__)


# judgements


def parse_json(content: bytes) -> Any:
    """Return the JSON of a message.  Raises `ValueError`, also for `NaN` and endless nesting."""
    try:
        return json.loads(content, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def is_number(number: Any) -> bool:
    """Whether a request may have this as its id."""
    return isinstance(number, int | str) and not isinstance(number, bool)


def find_answer(message: dict[str, Any]) -> bool:
    """Whether a message answers a request of ours."""
    return "result" in message or "error" in message


def find_problem(message: Any) -> str | None:
    """Return why something is no request and no notification (JSON-RPC 2.0 §4)."""
    if not isinstance(message, dict):
        return "a message is one JSON object"
    if message.get("jsonrpc") != "2.0":
        return "not a JSON-RPC 2.0 message"
    if not isinstance(message.get("method"), str):
        return "a method is a string"
    if "id" in message and not is_number(message["id"]):
        return "a request's id is a number or a string"
    return None


@cache
def params_type(kind: Any) -> Any:
    """Return the type that a message's params have; `None` for a message without."""
    declared = attrs.fields_dict(attrs.resolve_types(kind))["params"].type
    return None if declared in (type(None), None) else declared


def list_problems(error: Exception) -> list[dict[str, str]]:
    """Return what is wrong with params, by field."""
    problems = []
    for line in transform_error(error, path="$")[:20]:
        message, _, field = line.rpartition(" @ $")
        named = re.sub(r"_([a-z])", lambda found: found[1].upper(), field.removeprefix("."))
        problems.append({"field": named or "params", "message": message or line})
    return problems


def find_rank(data: Any) -> tuple[Rank, Hashable]:
    """Return what becomes of a message while the client does not read."""
    method, params = getattr(data, "method", None), getattr(data, "params", None)
    if method is None:
        return Rank.OWED, None
    if method == PROGRESS and isinstance(params, dict):
        return Rank.LATEST, (method, params.get("goalId"))
    if method == types.PROGRESS and isinstance(params, types.ProgressParams):
        is_report = getattr(params.value, "kind", None) == "report"
        return (Rank.LATEST, (method, params.token)) if is_report else (Rank.OWED, None)
    if method == types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS and params is not None:
        return Rank.LATEST, (method, params.uri)
    return Rank.CASUAL, None


def tell_failure(closing: asyncio.Future[Any]) -> None:
    """Log what putting things away failed with."""
    if not closing.cancelled() and (error := closing.exception()) is not None:
        log.error("what runs could not be put away", exc_info=error)


def give_up(future: Future[Any], method: str) -> None:
    """End the wait for an answer of the client."""
    if future.set_running_or_notify_cancel():
        future.set_exception(TimeoutError(f"the client did not answer {method}"))
