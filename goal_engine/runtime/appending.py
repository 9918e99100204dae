"""One file that only grows: what `append` returned from is on the disk.

A write or fsync that failed ends the descriptor: the kernel may have forgotten the page and call the
next fsync a success, so nothing more is trusted to it (D03).
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


class AppendFile:
    """A file that is kept open between two appends; not to be shared by threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def append(self, data: bytes, size: int) -> os.stat_result:
        """Put `data` after the first `size` bytes, durably, and return how the file is then.

        What stands there is a torn tail and is cut first.  The caller holds the file's lock.  After
        an `OSError` the file ends at `size`, or in a torn tail where even that was refused.
        """
        descriptor, there = self._open()
        try:
            if there != size:
                os.ftruncate(descriptor, size)
                os.fsync(descriptor)
            _write(descriptor, data, size)
            os.fsync(descriptor)
            return os.fstat(descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(descriptor, size)
            self.close()
            raise

    def close(self) -> None:
        """Forget the descriptor; the next append opens the file again."""
        if self._descriptor >= 0:
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> tuple[int, int]:
        """Return the descriptor and the file's size.  It may have been put back from a copy since."""
        if self._descriptor >= 0:
            ours, there = os.fstat(self._descriptor), self._path.stat()
            if (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino):
                return self._descriptor, ours.st_size
            self.close()
        self._descriptor = os.open(self._path, os.O_WRONLY)
        return self._descriptor, os.fstat(self._descriptor).st_size


def _write(descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written
