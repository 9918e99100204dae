"""The engine's own thread and loop: a wave that stalls it never stalls the editor's messages."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from goal_engine.engine import Engine, find_root
from goal_engine.state.events import JournalEntry
from goal_engine.state.model import GoalState
from goal_server.follower import Follower

T = TypeVar("T")
Listener = Callable[[GoalState], None]
"""Told of each change, on the engine's thread."""


class EngineHost:
    """Engines by workspace root, all on one loop in one thread."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._engines: dict[Path, Engine] = {}
        self._followers: dict[Path, asyncio.Task[None]] = {}
        self._jobs: dict[asyncio.Task[Any], Engine] = {}
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
            follower = Follower(engine, self._listener)
            self._followers[root] = self._loop.create_task(follower.follow())
        return self._engines[root]

    @property
    def engines(self) -> tuple[Engine, ...]:
        """The engines that are open."""
        return tuple(self._engines.values())

    def _tell(self, state: GoalState, entry: JournalEntry) -> None:
        self._listener(state)

    def start_job(self, engine: Engine, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start what outlives a request; it is cancelled, and so paused, when its engine closes."""
        job = self._loop.create_task(work)
        self._jobs[job] = engine
        job.add_done_callback(self._jobs.pop)
        return job

    @property
    def jobs(self) -> tuple[asyncio.Task[Any], ...]:
        """What runs now."""
        return tuple(self._jobs)

    async def stop_jobs(self, jobs: Collection[asyncio.Task[Any]]) -> None:
        """Stop these jobs, which records their pauses."""
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)

    async def close_engines(self, is_closed: Callable[[Path], bool]) -> None:
        """Stop what runs in these checkouts and let go of them.

        Nobody finds them from the beginning on: who needs one again opens it anew.
        """
        engines = [engine for engine in self.engines if is_closed(engine.checkout)]
        followers = [self._followers.pop(engine.checkout) for engine in engines]
        for engine, follower in zip(engines, followers, strict=True):
            del self._engines[engine.checkout]
            follower.cancel()
        await asyncio.gather(*followers, return_exceptions=True)
        await self.stop_jobs([job for job, engine in self._jobs.items() if engine in engines])
        for engine in engines:
            engine.close()

    async def close(self) -> None:
        """Stop every job, which records its pause, and let go of the engines."""
        await self.call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join, 5)

    async def _stop(self) -> None:
        await self.stop_jobs(self.jobs)
        while self._engines:  # a request that is on its way may still open one
            await self.close_engines(lambda _: True)
