"""What an agent keeps in the home folder, lent to it for one turn in a sandbox.

Its logins and its state outlive the turn.  What it acts on in later sessions, which run outside, does
not: settings, hooks and plugins are read only, also where there are none yet; a file that has both in
it is a copy.  Linux only, as the sandbox.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from goal_engine.runtime.atomic import make_dirs
from goal_engine.runtime.config import state_dir
from goal_engine.runtime.transcripts import keep, make_own, place_of

try:
    import fcntl
except ImportError:  # Windows, where nothing is run
    fcntl = None  # type: ignore[assignment]

LENT = "lent"
"""The folder of the state directory that has the copies, and the lock with what covers something."""
LOCK = "lock"
NOTHING_IN_IT = {".json": b"{}\n", ".jsonc": b"{}\n"}
"""What a file says that is there for nothing else than to be read only, by its suffix."""
MEANT = frozenset({".env", "SYSTEM.md", "config", "package-lock.json", "system.md"})
"""Names of files that mean something although they are empty: whoever makes one has it set aside."""
ASIDE = ".made-in-a-sandbox"


@dataclass(frozen=True, slots=True)
class Belongings:
    """What of the home folder an agent gets; the rest is as for everybody."""

    folders: tuple[Path, ...] = ()
    """It may write there: logins, state."""
    reads: tuple[Path, ...] = ()
    """Files that it may only read, and that it finds empty where there are none."""
    shelves: tuple[Path, ...] = ()
    """Folders that it may only read."""
    forgets: tuple[Path, ...] = ()
    """Folders that are empty for it, and what it leaves there is gone with the turn."""
    keeps: tuple[Path, ...] = ()
    """Folders that are empty for it at first: what it leaves there it has again in its next turn."""
    copies: tuple[Path, ...] = ()
    """Files of which it gets a copy, and what it writes to that is gone with the turn."""
    sources: tuple[tuple[Path, Path], ...] = field(default=(), repr=False)
    """Each path with what stands for it, while they are lent."""


@contextmanager
def lend(
    own: Belongings, sessions: Path | None = None, *, anew: bool = False
) -> Iterator[Belongings]:
    """Lend an agent what is its own; blocking.

    What it leaves in its `keeps` is in `sessions` and there the next time, unless that begins `anew`;
    where `sessions` are nobody's, or another turn has them, it is gone with the turn.
    What covers an absent name is removed by the last of all that have something lent: a mount ends
    for everybody when its file is removed.  Raises `StoreUnwritable`, `OSError`.
    """
    top = state_dir() / LENT
    make_dirs(top)
    with (top / LOCK).open("a+b") as lock, ExitStack() as held:
        fcntl.flock(lock, fcntl.LOCK_SH)
        scratch = Path(tempfile.mkdtemp(dir=top))
        kept_in = held.enter_context(keep(sessions, anew=anew)) if sessions and own.keeps else None
        _make(lock, own.folders)
        looked = {
            path: _look(path) for path in (*own.reads, *own.shelves, *own.forgets, *own.keeps)
        }
        before = {path: told for path, told in looked.items() if told or path.name in MEANT}
        absent = [path for path in (*own.reads, *own.copies) if _is_missing(path, own.folders)]
        folders = [path for path in (*own.shelves, *own.forgets) if _is_missing(path, own.folders)]
        kept = [path for path in own.keeps if _is_missing(path, own.folders)]
        _cover(lock, [path for path in absent if path.name not in MEANT], (*folders, *kept))
        try:
            yield replace(
                own,
                shelves=tuple(path for path in own.shelves if path not in folders),
                forgets=tuple(dict.fromkeys((*own.forgets, *folders))),
                sources=(*_copy(own.copies, scratch), *_keep(own.keeps, kept_in or scratch)),
            )
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            _set_aside(before)
            _uncover(lock, top)


def _look(path: Path) -> str | None:
    """Return where a link leads, nothing where there is nothing, and an empty text for the rest."""
    if path.is_symlink():
        return os.readlink(path)  # noqa: PTH115 as it was written
    return "" if path.exists() else None


def _make(lock: IO[bytes], folders: Iterable[Path]) -> None:
    """Make an agent's folders where it never ran: in a sandbox it could not, and would not begin."""
    for folder in folders:
        absent = [path for path in (folder, *folder.parents) if _look(path) is None]
        with suppress(OSError):  # then the agent could not make them either
            _cover(lock, (), reversed(absent))


def _is_missing(path: Path, folders: tuple[Path, ...]) -> bool:
    """Whether an agent could make what is not there."""
    return path.parent.is_dir() and any(map(path.is_relative_to, folders)) and _look(path) is None


def _cover(lock: IO[bytes], files: Iterable[Path], folders: Iterable[Path]) -> None:
    """Make what is absent, and note it before."""
    files, folders = list(files), list(folders)
    for path in (*folders, *files):
        lock.write(os.fsencode(path) + b"\0")
    lock.flush()
    for path in folders:
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
    for path in files:
        with suppress(FileExistsError), path.open("xb") as file:
            path.chmod(0o600)
            file.write(NOTHING_IN_IT.get(path.suffix, b""))


def _copy(paths: Iterable[Path], scratch: Path) -> Iterator[tuple[Path, Path]]:
    for number, path in enumerate(paths):
        copy = scratch / str(number)
        with suppress(FileNotFoundError):
            shutil.copyfile(path, copy)
            copy.chmod(0o600)
            yield path, copy


def _keep(paths: Iterable[Path], scratch: Path) -> Iterator[tuple[Path, Path]]:
    for path in paths:
        kept = place_of(scratch, path)
        make_own(kept)
        yield path, kept


def _set_aside(before: dict[Path, str | None]) -> None:
    """A link cannot be read only, nor what may not be there: what came in its place is moved away."""
    for path, told in before.items():
        if told == "" or _look(path) == told:
            continue
        with suppress(OSError):
            path.rename(path.with_name(f"{path.name}{ASIDE}"))
        with suppress(OSError):
            if told is not None:
                path.symlink_to(told)


def _is_cover(path: Path) -> bool:
    """Whether nothing is in it but what we put there."""
    try:
        if path.is_dir():
            return not any(path.iterdir())
        nothing = NOTHING_IN_IT.get(path.suffix, b"")
        return path.read_bytes() == nothing
    except OSError:
        return False


def _uncover(lock: IO[bytes], top: Path) -> None:
    """Remove what covers something, and copies of who was killed, if nobody has anything lent."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return
    lock.seek(0)
    noted = [Path(os.fsdecode(name)) for name in lock.read().split(b"\0") if name]
    for path in reversed(noted):  # what is in a folder goes before it
        if not path.is_symlink() and _is_cover(path):
            with suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()
    lock.truncate(0)
    for left in top.iterdir():
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
