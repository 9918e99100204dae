"""Files that lie where others can put them: read if they are ordinary files, and never waited for.

A repository can bring a link to `/dev/zero` in the place of any file, and an archive a pipe.
"""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path


def open_regular(path: Path, *, links: bool = True) -> BufferedReader:
    """Open an ordinary file for reading, with `links` also behind one.  Raises `OSError` for anything else."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if links else os.O_NOFOLLOW)
    file = os.fdopen(os.open(path, flags), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is no ordinary file", str(path))
    return file


def read_regular(path: Path, limit: int, *, links: bool = True) -> bytes:
    """Return the content of an ordinary file; raises `OSError` for anything else, or over `limit` bytes."""
    with open_regular(path, links=links) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:  # before any of it is in memory: it may be a hole
            raise OSError(errno.EFBIG, f"it is over {limit >> 20} MiB", str(path))
        return file.read(size)
