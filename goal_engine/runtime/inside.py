"""Files below a folder in which others write: whatever they swap meanwhile, nothing leads out of it.

A link in the tree may lead elsewhere in the tree.  Where a path leads is found out first; then it is walked
from the folder down, one name at a time and through no link: what was swapped in between is refused.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
"""A pipe or a device is not waited for."""
TEMPORARY = ".tmp-"
Place = tuple[str, ...]


class LeadsOut(OSError):
    """A path does not stay in its folder, or a link came to stand in its way."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(f"{path} leads out of its folder")


def find_place(root: Path, path: str | Path) -> Place:
    """Return the names that lead from `root` to where `path` leads now; raises `LeadsOut`."""
    try:
        top, target = root.resolve(), (root / path).resolve()
    except (OSError, RuntimeError) as error:  # a circle of links, or one that is swapped just now
        raise LeadsOut(path) from error
    if target == top or not target.is_relative_to(top):
        raise LeadsOut(path)
    return target.relative_to(top).parts


def find_entry(root: Path, path: str | Path) -> Place:
    """Return the names that lead to the entry `path` itself, be it a link; raises `LeadsOut`."""
    pure = Path(path)
    if pure.name in ("", ".."):
        raise LeadsOut(path)
    above = () if pure.parent == Path() else find_place(root, pure.parent)
    return (*above, pure.name)


@contextmanager
def open_parent(root: Path, place: Place, *, make: bool = False) -> Iterator[int]:
    """Give the descriptor of the folder that a place is in; `make` it and those above if need be.

    Raises `LeadsOut` for a link on the way, `OSError` where there is no such folder.
    """
    here = os.open(root.resolve(), os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name in place[:-1]:
            if make:
                _make(name, here)
            below = _open(name, FOLDER, here)
            os.close(here)
            here = below
        yield here
    finally:
        os.close(here)


def _make(name: str, folder: int) -> None:
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=folder)


def _open(name: str, flags: int, folder: int, mode: int = 0o666) -> int:
    try:
        return os.open(name, flags, mode, dir_fd=folder)
    except OSError as error:
        if _is_link(name, folder):
            raise LeadsOut(name) from error
        raise


def _is_link(name: str, folder: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def read_inside(root: Path, path: str | Path, limit: int = -1) -> bytes:
    """Return the content of a regular file, at most `limit` bytes; raises `LeadsOut` and `OSError`."""
    place = find_place(root, path)
    with (
        open_parent(root, place) as folder,
        os.fdopen(_open(place[-1], READ, folder), "rb") as file,
    ):
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise LeadsOut(path)
        return file.read(limit)


def write_inside(root: Path, path: str | Path, data: bytes) -> None:
    """Put `data` into a file, made with its folders if need be; raises `LeadsOut` and `OSError`."""
    place = find_place(root, path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    with (
        open_parent(root, place, make=True) as folder,
        os.fdopen(_open(place[-1], flags, folder), "wb") as file,
    ):
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise LeadsOut(path)
        file.truncate(0)
        file.write(data)


def copy_inside(source: Path, root: Path, path: str | Path) -> None:
    """Copy a file to where nothing is yet; raises `LeadsOut`, `FileExistsError` and `OSError`."""
    place = find_entry(root, path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with (
        open_parent(root, place, make=True) as folder,
        source.open("rb") as file,
        os.fdopen(_open(place[-1], flags, folder), "wb") as target,
    ):
        shutil.copyfileobj(file, target)


def replace_inside(root: Path, path: str | Path, data: bytes, mode: int) -> None:
    """Let the entry `path` be a file with `data`, durably: the old one is there, or the new one."""
    place = find_entry(root, path)
    temporary = f"{TEMPORARY}{os.getpid()}-{os.urandom(4).hex()}-{place[-1][:80]}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with open_parent(root, place, make=True) as folder:
        try:
            with os.fdopen(os.open(temporary, flags, mode, dir_fd=folder), "wb") as file:
                os.fchmod(file.fileno(), mode)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, place[-1], src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            _unlink(temporary, folder)
            raise
        os.fsync(folder)


def link_inside(root: Path, path: str | Path, target: str) -> None:
    """Let the entry `path` be a symbolic link, in place of a file or a link."""
    place = find_entry(root, path)
    with open_parent(root, place, make=True) as folder:
        _unlink(place[-1], folder)
        os.symlink(target, place[-1], dir_fd=folder)


def unlink_inside(root: Path, path: str | Path) -> None:
    """Remove the file or link at the entry `path`, if there is one."""
    place = find_entry(root, path)
    with suppress(FileNotFoundError, NotADirectoryError), open_parent(root, place) as folder:
        _unlink(place[-1], folder)


def _unlink(name: str, folder: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
