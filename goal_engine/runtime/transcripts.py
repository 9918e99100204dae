"""What agents leave of their sessions, kept for the next attempt at the same task and for nobody else.

It is data that an agent wrote: nothing here reads it, no link in it is followed, and what has grown beyond its
measure is gone as a whole.  A kill leaves it as the agent had it by then, or not there at all.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from goal_engine.runtime.leftovers import GONE, remove_aside, set_aside

try:
    import fcntl
except ImportError:  # Windows, where nothing is run
    fcntl = None  # type: ignore[assignment]

LOCK = "lock"
MOST_BYTES = 256 << 20
MOST_ENTRIES = 20_000
"""What a task may keep."""


def place_of(folder: Path, path: Path) -> Path:
    """Return where in a task's `folder` is what its agent leaves at `path`."""
    return folder / hashlib.sha256(os.fsencode(path)).hexdigest()[:16]


@contextmanager
def keep(folder: Path, *, anew: bool) -> Iterator[Path | None]:
    """Give a task's folder to one turn alone, empty if it begins `anew`; `None` where another one has it.

    Blocking.  Raises `OSError`.
    """
    for path in (folder.parent.parent, folder.parent, folder):
        make_own(path)
    make_way(folder / LOCK, stat.S_ISREG)
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "r+b") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield None
            return
        if anew or is_too_much(folder):
            empty(folder)
        try:
            yield folder
        finally:
            if is_too_much(folder):
                empty(folder)


def make_own(path: Path) -> None:
    """Make a folder for the person alone."""
    make_way(path, stat.S_ISDIR)
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)


def make_way(path: Path, is_fit: Callable[[int], bool]) -> None:
    """Remove what has a name and is not of the kind that belongs there: nothing of it is followed."""
    with suppress(FileNotFoundError):
        if not is_fit(path.lstat().st_mode):
            remove_aside(set_aside(path))


def empty(folder: Path) -> None:
    """Let go of what is kept in a folder: each of it at once, and not one half of it."""
    for path in list(folder.iterdir()):
        if path.name != LOCK:
            gone = path if path.name.startswith(GONE) else set_aside(path)
            remove_aside(gone)


def is_too_much(folder: Path) -> bool:
    """Whether more is kept than may be; what cannot be measured is."""
    left, size, count = [str(folder)], 0, 0
    try:
        while left:
            with os.scandir(left.pop()) as found:
                for entry in found:
                    about = entry.stat(follow_symlinks=False)
                    size, count = size + about.st_blocks * 512, count + 1
                    if size > MOST_BYTES or count > MOST_ENTRIES:
                        return True
                    if stat.S_ISDIR(about.st_mode):
                        left.append(entry.path)
    except OSError:
        return True
    return False
