"""One file that at most one holder has locked: the kernel's lock, which dies with its holder.

Two holders in one process exclude each other as well.  The file is kept open between two holdings,
is never removed, and counts only while its name still leads to it (D12).
"""

from __future__ import annotations

import os
import time
from contextlib import closing, suppress
from pathlib import Path

from filelock import FileLock, Timeout

try:
    import fcntl
except ImportError:  # Windows, where goals are only looked at
    fcntl = None  # type: ignore[assignment]

LOOK = 0.01
"""Seconds between two tries."""


class LockFile:
    """A lock that is taken many times; not to be shared by threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1
        self._elsewhere: FileLock | None = None

    def acquire(self, timeout: float) -> bool:
        """Take the lock; `False` when another holder has it for `timeout` seconds.

        Raises `OSError` where there can be no such lock: no folder, a link, a foreign filesystem.
        """
        if fcntl is None:
            return self._acquire_elsewhere(timeout)
        end = time.monotonic() + timeout
        while not self._try():
            if time.monotonic() >= end:
                return False
            time.sleep(LOOK)  # noqa: TID251 the kernel tells nobody when a lock gets free
        return True

    def is_held(self) -> bool:
        """Whether somebody holds the lock now.  Makes nothing, so a disk that only gives will do.

        Several may look at once.  Raises `OSError` where there can be no such lock.
        """
        if fcntl is None:
            with closing(LockFile(self._path)) as probe:
                return not probe.acquire(0)
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return False  # nobody ever held it
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return True
        finally:
            os.close(descriptor)
        return False

    def release(self) -> None:
        """Let others have it.  What the disk says to that is of no use to anybody."""
        with suppress(OSError):
            if self._elsewhere is not None:
                self._elsewhere.release()
            elif self._descriptor >= 0:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Release and forget the file."""
        self.release()
        if self._descriptor >= 0:
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = -1

    def _try(self) -> bool:
        if self._descriptor < 0:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
            self._descriptor = os.open(self._path, flags, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_taken = True
        except (BlockingIOError, PermissionError):
            is_taken = False
        except OSError:
            self.close()
            raise
        if self._leads_here():
            return is_taken
        self.close()  # somebody removed it, and others may hold the new one
        return self._try()

    def _leads_here(self) -> bool:
        ours = os.fstat(self._descriptor)
        try:
            there = self._path.lstat()
        except FileNotFoundError:
            return False
        return (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)

    def _acquire_elsewhere(self, timeout: float) -> bool:
        self._elsewhere = self._elsewhere or FileLock(self._path, thread_local=False, mode=0o600)
        try:
            self._elsewhere.acquire(timeout=timeout, poll_interval=LOOK)
        except Timeout:
            return False
        return True
