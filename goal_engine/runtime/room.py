"""Room on the disk: some is asked for before work begins, and some is kept back for its last word.

A disk that is full takes no receipt either.  So a megabyte is really taken beforehand, and given
back when the disk says that it is full (D08).
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from goal_engine.errors import StoreUnwritable
from goal_engine.runtime.atomic import fsync_dir

BALLAST = 1 << 20
"""Bytes that are kept back."""
ENOUGH = 4 << 20
"""Bytes that must be free, beside the ballast, before something is begun."""
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def is_full(error: BaseException | None) -> bool:
    """Whether that is a disk's word that it is full, or what was made of it."""
    if isinstance(error, StoreUnwritable):
        error = error.__cause__
    return isinstance(error, OSError) and error.errno in FULL


def find_free(folder: Path) -> int | None:
    """Return the bytes that are free where `folder` is or will be; `None` where nobody can tell."""
    if not hasattr(os, "statvfs"):
        return None
    for place in (folder, *folder.parents):
        with suppress(FileNotFoundError, NotADirectoryError):
            there = os.statvfs(place)
            return there.f_bavail * there.f_frsize
    return None


def check_room(folder: Path) -> None:
    """Raise `StoreUnwritable` where hardly anything is free: what begins there would not end."""
    free = find_free(folder)
    if free is not None and free < ENOUGH:
        raise StoreUnwritable(
            f"Only {free / 2**20:.1f} MiB are free on the disk of {folder}, and nothing is begun with "
            f"less than {ENOUGH >> 20} MiB: free space there, then try again. What was recorded is "
            "kept, and can be looked at."
        )


@dataclass(frozen=True, slots=True)
class Fit:
    """How many workspaces can stand at once, and why not more."""

    at_once: int
    reason: str = ""
    """Empty where all that are wanted can."""


def fit_in(wanted: int, each: int, free: int | None, left: int | None) -> Fit:
    """Return for how many of `wanted` workspaces of `each` bytes there is room.

    `free` is what the disk has, `left` what the person's limit leaves, in bytes; `None` limits nothing.
    """
    asked = (
        (None if free is None else free - ENOUGH - BALLAST, "is free on the disk"),
        (left, "is left of `limit_mib` in storage.toml"),
    )
    bounds = [(max(0, room), words) for room, words in asked if room is not None]
    room, words = min(bounds, default=(each * wanted, ""))
    fits = room // each if each else wanted
    if fits >= wanted:
        return Fit(wanted)
    return Fit(
        fits,
        f"a workspace takes about {each / 2**20:.1f} MiB and {room / 2**20:.1f} MiB {words}, which is "
        f"enough for {fits} of {wanted} at once",
    )


class Ballast:
    """A file that only takes room."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "ballast"

    def keep(self) -> bool:
        """Take the room, unless hardly anything is left, and tell whether it is taken.

        It is worth no failure: the next who writes tries again.
        """
        with suppress(OSError):
            if self._path.exists() and self._path.stat().st_size == BALLAST:
                return True
            free = find_free(self._path.parent)
            if free is None or free >= BALLAST + ENOUGH:
                _take(self._path)
                return True
        return False

    def release(self) -> bool:
        """Give the room back; `False` when there is none to give."""
        try:
            self._path.unlink()
            fsync_dir(self._path.parent)
        except OSError:
            return False
        return True


def _take(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, BALLAST)
        else:
            os.write(descriptor, bytes(BALLAST))
        os.fsync(descriptor)
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(descriptor)
