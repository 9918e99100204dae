"""The engine's own thread and loop: a wave that stalls it never stalls the editor's messages."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from goal_engine.engine import Engine, find_root
from goal_engine.state.events import JournalEntry
from goal_engine.state.model import GoalState

T = TypeVar("T")
Listener = Callable[[GoalState], None]
"""Told of each change, on the engine's thread."""


class EngineHost:
    """Engines by workspace root, all on one loop in one thread."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._engines: dict[Path, Engine] = {}
        self._jobs: set[asyncio.Task[Any]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="goal-engine", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    async def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the engine's loop and return its result; cancelling cancels it there."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def open(self, path: Path) -> Engine:
        """Return the engine of the workspace that `path` is in; call it on the engine's loop."""
        root = find_root(path)
        if root not in self._engines:
            engine = Engine(root)
            engine.subscribe(self._tell)
            self._engines[root] = engine
        return self._engines[root]

    @property
    def engines(self) -> tuple[Engine, ...]:
        """The engines that are open."""
        return tuple(self._engines.values())

    def _tell(self, state: GoalState, entry: JournalEntry) -> None:
        self._listener(state)

    def start_job(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start what outlives a request; it is cancelled, and so paused, when the host closes."""
        job = self._loop.create_task(work)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
        return job

    async def close(self) -> None:
        """Stop every job, which records its pause, and let go of the engines."""
        await self.call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join, 5)

    async def _stop(self) -> None:
        for job in self._jobs:
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)
        for engine in self._engines.values():
            engine.close()
