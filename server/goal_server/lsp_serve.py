"""The life of the process: its pipes, its client's end and its own, and the exit code.

Whatever ends it (`exit`, the end of standard input, the client's death, a signal), what runs is
paused first; and whatever is stuck then, a watchdog ends the process all the same.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from goal_server.lsp_protocol import GoalProtocol
from goal_server.lsp_transport import Inbox, Outbox, take_stdio
from goal_server.lsp_watch import Watchdog, watch_process, watch_signals

log = logging.getLogger(__name__)

LEAVING = 10.0
"""Seconds in which what runs is paused when the client has gone."""
STUCK = 2.0
"""Seconds more until the process ends although something is stuck."""
LAST_WORDS = 1.0
"""Seconds that the client has to read what is still to be written."""


class Served(Protocol):
    """What `serve` needs of a server."""

    protocol: GoalProtocol

    async def close(self) -> None:
        """Record what runs and let go of it."""


def serve(server: Served, leaving: float = LEAVING) -> int:
    """Serve on the real standard input and output and return the exit code of the protocol."""
    protocol = server.protocol
    watchdog = Watchdog(lambda: exit_code(protocol))
    source, sink = take_stdio()
    gc.freeze()  # what is imported stays: looking through it again and again costs the p99
    gc.enable()

    async def live() -> None:
        loop, over = asyncio.get_running_loop(), asyncio.Event()

        def end(why: str) -> None:
            """Begin the end, from any thread, also while the loop is stuck."""
            watchdog.arm(leaving + STUCK)
            log.info("%s", why)
            with suppress(RuntimeError):  # the loop is over already
                loop.call_soon_threadsafe(over.set)

        outbox = protocol.outbox = Outbox(sink, lambda: end("standard output was closed"))
        protocol.leave = lambda: end("exit")
        protocol.watch = lambda pid: watch_client(pid, end)
        watch_signals((signal.SIGTERM, signal.SIGINT), lambda: end("a signal"))
        Inbox(
            source,
            receive=protocol.receive,
            is_full=lambda: outbox.is_full,
            hung_up=lambda: watchdog.arm(leaving + STUCK),
            ended=lambda: end("standard input has ended"),
        ).start()
        await over.wait()
        try:
            async with asyncio.timeout(leaving):
                await server.close()
        except TimeoutError:
            log.warning("not everything was paused in time")
        await asyncio.to_thread(outbox.flush, LAST_WORDS)
        outbox.close()
        watchdog.arm(STUCK)

    asyncio.run(live())
    return exit_code(protocol)


def watch_client(pid: int, end: Callable[[str], None]) -> None:
    """End with the client's process."""
    watch_process(pid, lambda: end("the client's process has ended"))


def exit_code(protocol: GoalProtocol) -> int:
    """Return 0 if the client asked for `shutdown`, 1 if it did not (LSP 3.17, `exit`)."""
    return 0 if protocol._shutdown else 1
