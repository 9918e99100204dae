"""What a command prints reaches nobody before the person's secrets are out of it.

The command writes to a file of its own; what is fit to be seen is copied from there as it comes, into the
file that is looked at and kept.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from goal_engine.redaction import RedactedStream, Redactor, find_values
from goal_engine.runtime.atomic import writing
from goal_engine.runtime.threads import in_thread

EVERY = 0.1
"""Seconds between two looks for more."""
PIECE = 1 << 18
"""Bytes that are looked through at once."""
RAW = ".raw"


def find_redactor() -> Redactor:
    """Return what hides the secrets of this process's own environment."""
    return Redactor.of(find_values(os.environ, os.path.lexists))


@asynccontextmanager
async def redacting(log: Path, redactor: Redactor) -> AsyncIterator[Path]:
    """Give the file that a command is to write to; what comes there comes redacted into `log`.

    On leaving, `log` has all of it and the other file is gone.  Raises `StoreUnwritable`.
    """
    raw = log.with_name(log.name + RAW)
    copy = _Copy(raw, log, RedactedStream(redactor))
    await in_thread(copy.begin)
    following = asyncio.ensure_future(_follow(copy))
    try:
        yield raw
    finally:
        following.cancel()
        await asyncio.shield(_end(following, copy))


async def _follow(copy: _Copy) -> None:
    while True:
        await asyncio.sleep(EVERY)
        await in_thread(copy.go_on)


async def _end(following: asyncio.Future[None], copy: _Copy) -> None:
    await asyncio.wait({following})
    if not following.cancelled() and (error := following.exception()) is not None:
        await in_thread(copy.drop)
        raise error
    await in_thread(copy.finish)


class _Copy:
    """One file that grows, and what may be seen of it."""

    def __init__(self, raw: Path, log: Path, stream: RedactedStream) -> None:
        self._raw, self._log, self._stream = raw, log, stream
        self._at = 0

    def begin(self) -> None:
        with writing(self._log):
            self._log.parent.mkdir(parents=True, exist_ok=True)
            self._log.write_bytes(b"")

    def go_on(self) -> None:
        """Copy what has come since the last time."""
        if not self._raw.exists():
            return
        with self._raw.open("rb") as source, writing(self._log), self._log.open("ab") as target:
            source.seek(self._at)
            while piece := source.read(PIECE):
                self._at += len(piece)
                target.write(self._stream.feed(piece))

    def finish(self) -> None:
        """Copy the rest, and remove what must not be seen."""
        try:
            self.go_on()
            with writing(self._log), self._log.open("ab") as target:
                target.write(self._stream.close())
        finally:
            self.drop()

    def drop(self) -> None:
        self._raw.unlink(missing_ok=True)
