"""Small files that somebody else left in a folder, read without following where they point."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Dropped:
    """One file: what is in it, or why it was not read."""

    name: str
    data: bytes = b""
    problem: str = ""


def read_dropped(
    root: Path, folder: str, suffix: str, files: int, size: int
) -> tuple[Dropped, ...]:
    """Return the first `files` of the files in `root/folder` whose names end in `suffix`, by name,
    each of `size` bytes at most; nothing where a part of `folder` is missing, or a link; blocking.
    """
    try:
        here = os.open(root, FOLDER_FLAGS)
    except OSError:
        return ()
    try:
        for part in folder.split("/"):
            below = os.open(part, FOLDER_FLAGS, dir_fd=here)
            os.close(here)
            here = below
        there = os.listdir(here)  # noqa: PTH208 - a descriptor has no Path
        names = sorted(name for name in there if name.endswith(suffix))
        return tuple(_read(here, name, size) for name in names[:files])
    except OSError:
        return ()
    finally:
        os.close(here)


def _read(folder: int, name: str, size: int) -> Dropped:
    shown = os.fsencode(name).decode("utf-8", "replace")
    try:
        descriptor = os.open(name, FILE_FLAGS, dir_fd=folder)
    except OSError as error:
        return Dropped(shown, problem=f"it cannot be read ({error.strerror})")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return Dropped(shown, problem="it is no file")
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(size + 1)
    return (
        Dropped(shown, problem=f"it is over {size} bytes")
        if len(data) > size
        else Dropped(shown, data)
    )
