"""One side of JSON-RPC 2.0 over lines, as agents speak it; tolerant of everything but silence.

What the other side sends is data: what is no message is kept for the log, what is unknown is answered
as unknown, and nothing grows without a bound.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from goal_engine.workers.shapes import load

METHOD_NOT_FOUND, BUSY, TAKEN_BACK = -32601, -32603, -32800
MOST_OPEN = 64
"""Requests of the other side that are open at once; more are refused, and of many more nothing is heard."""
KEPT, LONGEST = 50, 500
"""Lines that are no messages: how many are kept, and how much of each."""
MOST_SAID = 16 * 1024
"""Characters of what an error says."""
LAST_WORDS = 2.0
"""Seconds in which what somebody said last still comes who takes no more input."""
Id = int | str
HandleRequest = Callable[[str, Any], Awaitable[Any]]
"""Returns the result of a method and its parameters; raises `RemoteError` to refuse."""
HandleNotification = Callable[[str, Any], None]


async def refuse_excess(_: str, __: Any) -> Any:
    """Answer a request with an error because too many are open."""
    raise RemoteError(BUSY, f"more than {MOST_OPEN} requests are open")


class Lines(Protocol):
    """What a peer needs of a `Dialogue`."""

    async def read(self) -> bytes:
        """Return the next line; nothing at the end."""
        ...

    async def write(self, line: bytes) -> None:
        """Say a line; raises `BrokenPipeError`."""
        ...


class RemoteError(Exception):
    """The other side answered a request with an error, or is answered with one."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(f"{message} ({code})")
        self.code, self.message, self.data = code, message, data


class Gone(Exception):
    """The other side has ended, or says nothing any more."""


class Peer:
    """Sends requests and answers those of the other side, while it is entered.

    Notifications are handled in order, each before the next line is looked at.  Whatever a handler
    raises, but for a `RemoteError` of a request, ends the conversation: who waits for an answer gets it.
    """

    def __init__(
        self,
        dialogue: Lines,
        handle_request: HandleRequest,
        handle_notification: HandleNotification,
        ids: Literal["int", "string"] = "int",
        handle_noise: Callable[[str], None] = lambda _: None,
        handle_excess: HandleRequest = refuse_excess,
    ) -> None:
        self._dialogue = dialogue
        self._handle_request = handle_request
        self._handle_notification = handle_notification
        self._handle_noise = handle_noise
        self._handle_excess = handle_excess
        self._ids = ids
        self._asked = 0
        self._pending: dict[Id, asyncio.Future[Any]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._handling: dict[asyncio.Future[Any], Any] = {}
        """What is being handled, and what the other side calls it."""
        self._failure: BaseException | None = None
        self._told = False
        self.noise: deque[str] = deque(maxlen=KEPT)
        """Lines that were no messages, the last of them."""
        self.frames = 0
        """Messages that came so far."""
        self.only_listens = False
        """Whether requests of the other side are taken as notifications: it shows old ones again, and
        waits for no answer to them."""
        self.heard = 0.0
        """When the last line came, on the loop's clock; or when this was entered."""

    async def __aenter__(self) -> Self:
        self.heard = asyncio.get_running_loop().time()
        self._reading = asyncio.ensure_future(self._read())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        tasks = {self._reading, *self._answering, *self._handling}
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        told, failure = self._told, self._find_end()
        if error is None and not told and not isinstance(failure, Gone):
            raise failure

    async def request(self, method: str, params: Any = None) -> Any:
        """Return the result.  Raises `RemoteError`, and `Gone` where nobody will answer."""
        self._asked += 1
        name: Id = f"c{self._asked}" if self._ids == "string" else self._asked
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending[name] = answer
        try:
            await self._send({"id": name, **_call(method, params)})
            await asyncio.wait({answer, self._reading}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._pending.pop(name, None)
        if not answer.done():
            raise self._find_end()
        return answer.result()

    async def notify(self, method: str, params: Any = None) -> None:
        """Say something that is not answered.  Raises `Gone`."""
        await self._send(_call(method, params))

    def take_back(self, name: Any) -> None:
        """Handle a request of the other side no longer, since it waits for it no more."""
        for handling, called in self._handling.items():
            if called == name:
                handling.cancel()

    async def _send(self, message: Mapping[str, Any]) -> None:
        try:
            await self._dialogue.write(json.dumps({"jsonrpc": "2.0", **message}).encode())
        except BrokenPipeError:
            await asyncio.wait({self._reading}, timeout=LAST_WORDS)
            raise self._find_end() from None

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        while line := await self._dialogue.read():
            self.heard = loop.time()
            message = parse_message(line)
            if message is None:
                self.noise.append(line[:LONGEST].decode("utf-8", "replace"))
                self._handle_noise(self.noise[-1])
            else:
                self.frames += 1
                self._take(message)

    def _take(self, message: Mapping[str, Any]) -> None:
        method, name = message.get("method"), message.get("id")
        if not isinstance(method, str):
            self._settle(message)
        elif name is None or self.only_listens:
            self._handle_notification(method, message.get("params"))
        elif len(self._answering) < 2 * MOST_OPEN:
            crowded = len(self._answering) >= MOST_OPEN
            handle = self._handle_excess if crowded else self._handle_request
            handling = asyncio.ensure_future(handle(method, message.get("params")))
            self._handling[handling] = name
            handling.add_done_callback(self._handling.pop)
            answering = asyncio.ensure_future(self._answer(name, handling))
            self._answering.add(answering)
            answering.add_done_callback(self._finish)

    def _settle(self, message: Mapping[str, Any]) -> None:
        name = message.get("id")
        answer = self._pending.get(name) if isinstance(name, int | str) else None
        if answer is None or answer.done():
            return
        error = message.get("error")
        if error is None:
            answer.set_result(message.get("result"))
        else:
            answer.set_exception(_read_error(error))

    async def _answer(self, name: Any, handling: asyncio.Future[Any]) -> None:
        try:
            answer = {"result": await handling}
        except RemoteError as error:
            told = {"code": error.code, "message": error.message}
            answer = {"error": told if error.data is None else {**told, "data": error.data}}
        except asyncio.CancelledError:
            this = asyncio.current_task()
            if this is None or this.cancelling():
                raise
            answer = {"error": {"code": TAKEN_BACK, "message": "it was taken back"}}
        with suppress(Gone):
            await self._send({"id": name, **answer})

    def _finish(self, answering: asyncio.Task[None]) -> None:
        self._answering.discard(answering)
        if not answering.cancelled() and (error := answering.exception()) is not None:
            self._failure = self._failure or error
            self._reading.cancel()

    def _find_end(self) -> BaseException:
        """Return why nothing more will come, for somebody who waits."""
        self._told = True
        if self._failure is not None:
            return self._failure
        done = self._reading.done() and not self._reading.cancelled()
        return (self._reading.exception() if done else None) or Gone("it closed its output")


def parse_message(line: bytes) -> dict[str, Any] | None:
    """Return what a line says, `None` for what is no message."""
    try:
        message = load(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


def _call(method: str, params: Any) -> dict[str, Any]:
    return {"method": method} if params is None else {"method": method, "params": params}


def _read_error(error: Any) -> RemoteError:
    told = error if isinstance(error, dict) else {"message": error}
    code = told.get("code")
    return RemoteError(
        code if isinstance(code, int) else 0,
        str(told.get("message", ""))[:MOST_SAID],
        told.get("data"),
    )
