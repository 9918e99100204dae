"""The two pipes: a thread reads, a thread writes, and the loop waits for neither.

Answers are never dropped; of a report only the latest waits.  While answers wait that the client
does not read, nothing more of it is read either: memory is bounded by what it was owed already.
"""

from __future__ import annotations

import asyncio
import logging
import os
import select
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from enum import Enum, auto

from goal_server.lsp_framing import Frame, Framer

log = logging.getLogger(__name__)

CHUNK = 64 * 1024
"""Bytes that are read, or written, at once."""
FULL = 8 * 1024 * 1024
"""Bytes that wait to be written when no more is read."""
CASUAL_CAP = 512
"""Messages that nobody needs which may wait."""
GLANCE = 0.25
"""Seconds between two looks whether a client that is not served has gone."""
AGAIN = 0.02
"""Seconds until the loop looks again whether the client reads."""


def take_stdio() -> tuple[int, int]:
    """Return the client's pipes as descriptors that nobody else can use and no child inherits.

    Standard input is empty from now on, and standard output goes to standard error.
    """
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    os.set_blocking(source, True)
    os.set_blocking(sink, True)
    return source, sink


class Rank(Enum):
    """What becomes of a message that waits because the client does not read."""

    OWED = auto()
    """It is kept: an answer, the beginning or the end of something."""
    LATEST = auto()
    """The next one with the same key takes its place, in order of the next one."""
    CASUAL = auto()
    """It is dropped when too many wait."""


class Outbox:
    """What waits to be written, and the thread that writes it.  `put` never blocks."""

    def __init__(self, sink: int, broken: Callable[[], None] = lambda: None) -> None:
        self._sink = sink
        self._broken = broken
        self._waiting: OrderedDict[Hashable, tuple[Rank, bytes]] = OrderedDict()
        self._bytes = self._casual = self._number = 0
        self._closed = self._busy = False
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._write, name="stdout", daemon=True)
        self._thread.start()

    @property
    def is_full(self) -> bool:
        """Whether so much waits that a client should be given nothing more to answer."""
        return self._bytes > FULL

    def put(self, data: bytes, rank: Rank = Rank.OWED, key: Hashable = None) -> bool:
        """Leave `data` to be written; `False` when too much waits and it was dropped."""
        with self._news:
            if self._closed:
                return True
            if rank is Rank.CASUAL and self._casual >= CASUAL_CAP:
                return False
            if rank is Rank.LATEST:
                place: Hashable = ("latest", key)
                _, earlier = self._waiting.pop(place, (rank, b""))
                self._bytes -= len(earlier)
            else:
                self._number += 1
                place = self._number
                self._casual += rank is Rank.CASUAL
            self._waiting[place] = rank, data
            self._bytes += len(data)
            self._news.notify_all()
        return True

    def flush(self, seconds: float) -> bool:
        """Wait until everything is written; `False` when the client did not take it in time."""
        with self._news:
            return self._news.wait_for(lambda: not (self._waiting or self._busy), seconds)

    def close(self) -> None:
        """Take nothing more; what waits is forgotten."""
        with self._news:
            self._closed = True
            self._waiting.clear()
            self._bytes = 0
            self._news.notify_all()

    def _write(self) -> None:
        while batch := self._take():
            try:
                left = memoryview(batch)
                while left:
                    left = left[os.write(self._sink, left) :]
            except OSError as error:  # the client closed its end
                self.close()
                self._busy = False
                log.info("nothing can be written any more: %s", error.strerror)
                self._broken()
                return

    def _take(self) -> bytes:
        """Return what is to be written next; empty when it is over."""
        with self._news:
            self._busy = False
            self._news.notify_all()
            self._news.wait_for(lambda: self._waiting or self._closed)
            batch = bytearray()
            while self._waiting and len(batch) < CHUNK:
                _, (rank, data) = self._waiting.popitem(last=False)
                self._casual -= rank is Rank.CASUAL
                self._bytes -= len(data)
                batch += data
            self._busy = bool(batch)
            return bytes(batch)


class Inbox:
    """The thread that reads.  It hands over one piece at a time and waits until the loop took it."""

    def __init__(
        self,
        source: int,
        receive: Callable[[Frame], None],
        is_full: Callable[[], bool],
        hung_up: Callable[[], None],
        ended: Callable[[], None],
    ) -> None:
        """Call `receive` on the running loop for each frame, and the others from the thread.

        `hung_up` is told when the client has gone while the loop is busy or its answers wait;
        `ended` when everything that it sent was taken.
        """
        self._source = source
        self._receive = receive
        self._is_full = is_full
        self._hung_up = hung_up
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._taken = threading.Event()
        self._framer = Framer()
        self._thread = threading.Thread(target=self._read, name="stdin", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def _read(self) -> None:
        with suppress(OSError):
            while data := os.read(self._source, CHUNK):
                if frames := list(self._framer.feed(data)):
                    self._hand_over(frames)
        if not self._framer.is_between:
            log.warning("standard input ended within a message")
        self._ended()

    def _hand_over(self, frames: list[Frame]) -> None:
        self._taken.clear()
        with suppress(RuntimeError):  # the loop is closed: nobody waits for these
            self._loop.call_soon_threadsafe(self._take, frames)
            told = False
            while not self._taken.wait(GLANCE):
                if not told and has_hung_up(self._source):
                    told = True
                    self._hung_up()

    def _take(self, frames: list[Frame]) -> None:
        try:
            for frame in frames:
                self._receive(frame)
        finally:
            self._go_on()

    def _go_on(self) -> None:
        if self._is_full():
            self._loop.call_later(AGAIN, self._go_on)
        else:
            self._taken.set()


def has_hung_up(source: int) -> bool:
    """Whether the other end of a pipe is closed, whatever still lies in it."""
    poll = select.poll()
    poll.register(source, 0)
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))
