"""An event loop without a clock and without threads: time jumps to the next timer, and chance says who is next.

Everything that runs belongs to a process, which can be killed between any two steps: nothing of it
runs afterwards, no `finally` and no `except`.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from contextvars import ContextVar, copy_context
from random import Random
from typing import Any

OWNER: ContextVar[object] = ContextVar("owner", default=None)
"""The process that something runs in, `None` for who directs them all."""
THREAD = 0.002
"""Seconds that work in a thread takes, at most."""


class Stuck(AssertionError):
    """Nothing is ready and nothing will be: somebody waits for ever."""


class SimLoop(asyncio.BaseEventLoop):
    """The same seed gives the same order of everything."""

    def __init__(self, chance: Random) -> None:
        super().__init__()
        self.chance = chance
        self.steps = 0
        self.complaints: list[str] = []
        self._now = 0.0
        self._made: list[tuple[object, asyncio.Task[Any]]] = []
        self.set_task_factory(self._make)
        self.set_exception_handler(lambda _, context: self.complaints.append(str(context)))

    def time(self) -> float:
        """Return the seconds since the beginning."""
        return self._now

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        """Do what a thread would, a little later."""
        future = self.create_future()
        self.call_later(self.chance.uniform(0, THREAD), self._do, future, func, args)
        return future

    def _do(self, future: asyncio.Future[Any], func: Callable[..., Any], args: Any) -> None:
        if future.cancelled():
            return
        try:
            done = func(*args)
        except Exception as error:
            future.set_exception(error)
        else:
            future.set_result(done)

    def start(self, owner: object, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Begin something in a process."""
        context = copy_context()
        context.run(OWNER.set, owner)
        return self.create_task(work, context=context)

    def kill(self, owner: object) -> None:
        """Let nothing of a process run again."""
        self._ready = deque(one for one in self._ready if _owner(one) is not owner)
        self._scheduled = [one for one in self._scheduled if _owner(one) is not owner]
        heapq.heapify(self._scheduled)

    def bury(self) -> None:
        """Close what killed processes left suspended, with nobody watching."""
        asyncio._set_running_loop(self)
        try:
            for _, task in self._made:
                task._log_destroy_pending = False  # type: ignore[attr-defined]
            for _ in range(20):
                left = [task for _, task in self._made if not task.done()]
                self._made = []
                for task in left:
                    with suppress(BaseException):
                        task.get_coro().close()  # type: ignore[union-attr]
            self._ready.clear()
            self._scheduled.clear()
        finally:
            asyncio._set_running_loop(None)
            self.close()

    def _make(self, loop: Any, work: Any, **how: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(work, loop=loop, **how)
        context = how.get("context")
        owner = context.get(OWNER) if context is not None else OWNER.get()
        self._made.append((owner, task))
        return task

    def _process_events(self, events: Any) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody sleeps."""

    def _run_once(self) -> None:
        self._drop_cancelled()
        if not self._ready:
            if not self._scheduled:
                raise Stuck(f"nothing will ever happen again, after {self._now:.2f} s")
            self._now = max(self._now, self._scheduled[0]._when)
        while self._scheduled and self._scheduled[0]._when <= self._now:
            timer = heapq.heappop(self._scheduled)
            timer._scheduled = False
            self._ready.append(timer)
        if len(self._ready) > 1:
            self._ready.rotate(-self.chance.randrange(len(self._ready)))
        handle = self._ready.popleft()
        self.steps += 1
        if not handle._cancelled:
            handle._run()

    def _drop_cancelled(self) -> None:
        while self._scheduled and self._scheduled[0]._cancelled:
            heapq.heappop(self._scheduled)._scheduled = False


def _owner(handle: Any) -> object:
    return handle._context.get(OWNER)


def every(loop: SimLoop, seconds: float) -> Iterator[float]:
    """Return times to wait, `seconds` in the mean."""
    while True:
        yield loop.chance.expovariate(1 / seconds)
