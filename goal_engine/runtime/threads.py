"""A thread cannot be cancelled, so whoever waits for one waits for its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `work` in a thread and return its result.

    Cancelled, it lets the cancellation through only when the thread has ended: nothing goes on
    behind the back of whoever cleans up.
    """
    running = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            try:
                await asyncio.wait({running})
            except asyncio.CancelledError:
                continue  # asked again: the thread still has to end
        if not running.cancelled():
            running.exception()  # looked at, so that nobody reports it as lost
        raise
