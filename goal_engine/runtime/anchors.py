"""Small records beside the evidence, out of the workspace's reach, one a goal and of fixed size.

They are written in place and never synced: what is written is a memory of what is durable already.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from goal_engine.errors import StoreUnwritable
from goal_engine.runtime.atomic import make_dirs

LIMIT = 256
"""Bytes that are read: more than any record has."""


class Anchors:
    """The records in a folder, which is asked for each time; while there is none, nothing is kept."""

    def __init__(self, find_folder: Callable[[], Path | None] = lambda: None) -> None:
        self._find_folder = find_folder

    def place(self, name: str) -> Path | None:
        """Return where the record of a goal is, or would be."""
        folder = self._find_folder()
        return None if folder is None else folder / name

    def read(self, name: str) -> bytes:
        """Return the record of a goal; nothing where there is none or it cannot be read."""
        path = self.place(name)
        if path is None:
            return b""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return b""
        try:
            return os.read(descriptor, LIMIT)
        except OSError:
            return b""
        finally:
            os.close(descriptor)

    def write(self, name: str, record: bytes) -> None:
        """Replace the record of a goal.  One that cannot be written lags; it is worth no failure."""
        path = self.place(name)
        if path is None:
            return
        with suppress(OSError, StoreUnwritable):
            if not path.parent.is_dir():
                make_dirs(path.parent)
            flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(path, flags, 0o600)
            try:
                os.pwrite(descriptor, record, 0)
                if os.fstat(descriptor).st_size > len(record):
                    os.ftruncate(descriptor, len(record))
            finally:
                os.close(descriptor)
