"""Ways to get a store wrong.  Each harness names those that it has to catch.

They change what the store stands on, not its code, so that they outlive its rewriting.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import stat
from collections.abc import Callable
from typing import Any

from goal_engine.state import persistence
from goal_engine.state.anchor import WRITTEN, Anchor
from goal_engine.state.events import JournalEntry
from goal_engine.state.journal import encode_entry, line_digest
from goal_engine.state.persistence import FileSystemGoalStateStore
from goal_engine.types import GoalId

_fsync, _write, _lseek = os.fsync, os.write, os.lseek


def _is_folder(descriptor: int) -> bool:
    return stat.S_ISDIR(os.fstat(descriptor).st_mode)


def no_fsync() -> None:
    """Nothing is ever waited for."""
    os.fsync = os.fdatasync = lambda _: None


def no_directory_fsync() -> None:
    """Files are waited for, their names are not."""
    os.fsync = lambda descriptor: None if _is_folder(descriptor) else _fsync(descriptor)


def late_fsync() -> None:
    """A file is waited for when the next thing is written: too late for who was told."""
    owed: list[int] = []

    def settle() -> None:
        while owed:
            descriptor = owed.pop()
            _fsync(descriptor)
            os.close(descriptor)

    def later(descriptor: int) -> None:
        settle()
        owed.append(os.dup(descriptor))

    def write(descriptor: int, data: bytes) -> int:
        settle()
        return _write(descriptor, data)

    os.fsync, os.write = later, write


def fsync_again() -> None:
    """What could not be waited for is waited for once more, and then believed."""

    def again(descriptor: int) -> None:
        try:
            _fsync(descriptor)
        except OSError:
            _fsync(descriptor)

    os.fsync = again


def overwrite() -> None:
    """A file takes another's place by having its bytes copied into it."""

    def copy(source: Any, target: Any, **_: Any) -> None:
        with open(source, "rb") as old, open(target, "wb") as new:
            new.write(old.read())

    def move(source: Any, target: Any, **_: Any) -> None:
        copy(source, target)
        os.unlink(source)

    os.replace = os.rename = move
    os.link = copy


def early_word() -> None:
    """Who appends is told before it is done."""
    append = FileSystemGoalStateStore.append
    begun: list[asyncio.Task[None]] = []

    async def hurry(self: FileSystemGoalStateStore, *arguments: Any) -> None:
        begun.append(asyncio.ensure_future(append(self, *arguments)))
        await asyncio.sleep(0)

    FileSystemGoalStateStore.append = hurry  # type: ignore[method-assign]


def tail_left() -> None:
    """What is appended goes to the end of the file, after a torn tail that nobody cut."""

    def at_end(descriptor: int, *_: object) -> int:
        return _lseek(descriptor, 0, os.SEEK_END)

    def write(descriptor: int, data: bytes, _: int) -> int:
        at_end(descriptor)
        return _write(descriptor, data)

    os.ftruncate = lambda *_: None
    os.lseek, os.pwrite = at_end, write


def anchor_first() -> None:
    """What was written is remembered before it is."""
    append = FileSystemGoalStateStore._append

    def hurry(self: FileSystemGoalStateStore, goal_id: GoalId, entry: JournalEntry) -> None:
        self._keep_anchor(goal_id, Anchor(entry.seq, line_digest(encode_entry(entry))))
        append(self, goal_id, entry)

    FileSystemGoalStateStore._append = hurry  # type: ignore[method-assign]


def anchor_unchecked() -> None:
    """A record that is half of one and half of another is believed."""

    def parse(data: bytes) -> Anchor | None:
        found = WRITTEN.fullmatch(data)
        return Anchor(int(found[1]), found[2].decode()) if found else None

    persistence.parse_anchor = parse


def no_lock() -> None:
    """Everybody is given every lock."""
    fcntl.flock = lambda *_: None


MUTANTS: dict[str, Callable[[], None]] = {
    mutant.__name__: mutant
    for mutant in (
        no_fsync,
        no_directory_fsync,
        late_fsync,
        fsync_again,
        overwrite,
        early_word,
        tail_left,
        anchor_first,
        anchor_unchecked,
        no_lock,
    )
}
