"""Files that are there whole or not at all, and directories that remember them."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from goal_engine.errors import StoreUnwritable
from goal_engine.runtime.owner import is_left, own_tag

REFUSALS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ENOTDIR}
    | {errno.EEXIST, errno.EISDIR, errno.EINTR}
)
TEMPORARY = ".tmp-"
"""How the name of a file begins that is not whole yet."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what a disk refuses into `StoreUnwritable`."""
    try:
        yield
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        raise StoreUnwritable(
            f"{path} cannot be written: {error.strerror}. Free space there or make it writable, "
            "then try again; what was recorded before is kept."
        ) from error


def write_atomic(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Put `data` at `path`, durably; a reader sees the old file or the new one."""
    with writing(path), _beside(path, data, mode) as temporary:
        temporary.replace(path)


def write_once(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Put `data` at `path`, durably, unless something is there: of several at once the first wins."""
    with writing(path), _beside(path, data, mode) as temporary:
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            pass
        except OSError:  # a filesystem without links
            temporary.replace(path)


@contextmanager
def _beside(path: Path, data: bytes, mode: int) -> Iterator[Path]:
    """Write `data` next to `path` and give its name; what is done with it is made durable."""
    temporary = path.with_name(f"{TEMPORARY}{own_tag()}-{os.urandom(4).hex()}-{path.name[:80]}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
    fsync_dir(path.parent)


def sweep(folder: Path) -> None:
    """Remove what writers left there that were killed.  For who holds the folder's lock (D01)."""
    for path in folder.glob(f"{TEMPORARY}*"):
        with suppress(OSError):  # it takes room, and is worth no failure
            path.unlink()


def sweep_left(folder: Path, prefix: str = TEMPORARY) -> int:
    """Remove what writers left in a folder that are dead by now, and return how many bytes it had.

    For anybody at any time: what a living process writes stays, and what nobody can tell of.
    """
    freed = 0
    for path in find_left(folder, prefix):
        size = measure(path)
        with suppress(OSError):  # it takes room, and is worth no failure
            remove_tree(path)
            freed += size
    return freed


def find_left(folder: Path, prefix: str = TEMPORARY) -> list[Path]:
    """Return what writers left in a folder that are dead by now."""
    try:
        with os.scandir(folder) as found:
            names = [entry.name for entry in found if entry.name.startswith(prefix)]
    except OSError:
        return []
    return [folder / name for name in names if is_left(name)]


def measure(path: Path) -> int:
    """Return the bytes that a file or folder takes on the disk; links are not followed."""
    total, left = 0, [os.fspath(path)]
    while left:
        with suppress(OSError):
            about = os.lstat(one := left.pop())
            total += getattr(about, "st_blocks", -(-about.st_size // 512)) * 512
            if stat.S_ISDIR(about.st_mode):
                with os.scandir(one) as found:
                    left += [entry.path for entry in found]
    return total


def remove_tree(path: Path) -> None:
    """Remove a file or folder, also one that was made unwritable; links are not followed."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    try:
        shutil.rmtree(path)
    except PermissionError:
        path.chmod(0o700)
        for folder, folders, _ in os.walk(path):
            for inside in (Path(folder, name) for name in folders):
                if not inside.is_symlink():
                    inside.chmod(0o700)
        shutil.rmtree(path)
    except (RecursionError, OSError) as error:
        if not isinstance(error, RecursionError) and error.errno != errno.ENAMETOOLONG:
            raise
        _remove_deep(path)


def _remove_deep(path: Path) -> None:
    """Remove what is deeper than paths can be long, or calls be deep: all that is below comes up first."""
    path.chmod(0o700)
    while folders := [entry for entry in os.scandir(path) if entry.is_dir(follow_symlinks=False)]:
        for folder in folders:
            Path(folder).chmod(0o700)
            for entry in list(os.scandir(folder)):
                if entry.is_dir(follow_symlinks=False):
                    Path(entry).chmod(0o700)
                    Path(entry).rename(path / os.urandom(8).hex())
                else:
                    Path(entry).unlink()
            Path(folder).rmdir()
    shutil.rmtree(path)


def fsync_dir(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_dirs(path: Path) -> None:
    """Make a directory and its parents, durably, for the person alone."""
    with writing(path):
        if path.is_dir():
            return
        make_dirs(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
        fsync_dir(path.parent)


def write_object(folder: Path, data: bytes) -> str:
    """Keep `data` under its sha256 in `folder` and return that name; the same data is kept once."""
    name = hashlib.sha256(data).hexdigest()
    path = folder / name
    with writing(path):
        if not path.exists():
            make_dirs(folder)
            write_atomic(path, data, 0o444)
    return name
