"""Something that is done soon, and once for all who ask for it meanwhile."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)


class Later:
    """Work that waits a little for more reasons to do it.  Belongs to one loop."""

    def __init__(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        self._seconds, self._work = seconds, work
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._again = False
        self._over = False

    def ask(self) -> None:
        """Do the work after the pause; while it is being done, once more after that."""
        if self._over:
            return
        if self._task is not None:
            self._again = True
        elif self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._seconds, self._begin)

    def stop(self) -> None:
        """Do nothing any more."""
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        self._timer = None
        self._task = asyncio.ensure_future(self._work())
        self._task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("what an editor shows could not be renewed", exc_info=error)
        if self._again:
            self._again = False
            self.ask()
