"""Requests that take a while: each may have a progress bar, and cancelling the bar ends it.

The bar has no percentage from its beginning to its end.  Nobody waits for a client to make one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any, TypeVar

from lsprotocol import types
from pygls.exceptions import JsonRpcRequestCancelled
from pygls.lsp.server import LanguageServer

from goal_server.lsp_bars import create_bar
from goal_server.lsp_protocol import TOKEN
from goal_server.plain import plain_line

T = TypeVar("T")
Say = Callable[[str], None]
Work = Callable[[Say], Coroutine[Any, Any, T]]

MESSAGE = 200
"""Characters of one line in a bar."""


class Runs:
    """The requests that are carried out and can be cancelled.  Belongs to the server's loop."""

    def __init__(self, server: LanguageServer) -> None:
        self._server = server
        self._running: dict[int | str, asyncio.Task[Any]] = {}
        self._numbers = count(1)

    async def run(self, title: str, work: Work[T]) -> T:
        """Do `work`, which is handed something to say lines with, and return its result.

        Raises `JsonRpcRequestCancelled` when the bar was cancelled.
        """
        given = TOKEN.get()
        token = f"run/{next(self._numbers)}" if given is None else given
        loop = asyncio.get_running_loop()
        bar = _Bar(self._server, token, title)

        def say(line: str) -> None:  # from whichever thread the work is on
            loop.call_soon_threadsafe(bar.report, line)

        task: asyncio.Task[T] = asyncio.ensure_future(work(say))
        self._running[token] = task
        if given is not None:
            bar.open()
        begun = asyncio.ensure_future(bar.begin())
        ended = "failed"
        try:
            await asyncio.wait({task})
            if task.cancelled():
                ended = "cancelled"
                raise JsonRpcRequestCancelled(f"{title}: cancelled")
            result = task.result()
            ended = "completed"
            return result
        except asyncio.CancelledError:
            ended = "cancelled"
            task.cancel()
            await asyncio.wait({task})
            raise
        finally:
            self._running.pop(token, None)
            begun.cancel()
            bar.end(ended)

    def cancel(self, token: object) -> bool:
        """End the work whose bar has this token, and say whether there is one."""
        task = next((task for known, task in self._running.items() if known == token), None)
        return task is not None and task.cancel()

    def cancel_all(self) -> None:
        """End all of it."""
        for task in tuple(self._running.values()):
            task.cancel()


class _Bar:
    """Begun at most once, and ended exactly once if it was begun."""

    def __init__(self, server: LanguageServer, token: int | str, title: str) -> None:
        self._server, self._token, self._title = server, token, title
        self._open = False

    async def begin(self) -> None:
        """Ask the client for a bar, unless it brought one along."""
        window = self._server.client_capabilities.window
        if self._open or not (window and window.work_done_progress):
            return
        if await create_bar(self._server, self._token):
            self.open()

    def open(self) -> None:
        self._open = True
        self._send(types.WorkDoneProgressBegin(title=self._title, cancellable=True))

    def report(self, line: str) -> None:
        if self._open:
            message = plain_line(line)[:MESSAGE]
            self._send(types.WorkDoneProgressReport(message=message, cancellable=True))

    def end(self, word: str) -> None:
        if self._open:
            self._open = False
            self._send(types.WorkDoneProgressEnd(message=word))
        self._server.work_done_progress.tokens.pop(self._token, None)  # pygls keeps them for ever

    def _send(self, value: Any) -> None:
        params = types.ProgressParams(token=self._token, value=value)
        self._server.protocol.notify(types.PROGRESS, params)
