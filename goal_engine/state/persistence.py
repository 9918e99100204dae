"""Goals on disk: append, fsync, acknowledge.  All disk work is done on one thread.

`events.jsonl` is the truth; what is held in memory is a cache of it that is checked against the
file's size and identity under the lock.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

from goal_engine.errors import (
    GoalBusy,
    GoalError,
    GoalNotFound,
    JournalConflict,
    JournalDamaged,
    StoreUnwritable,
)
from goal_engine.runtime.atomic import fsync_dir, make_dirs, write_object, writing
from goal_engine.state.events import JournalEntry
from goal_engine.state.evolve import fold_entries
from goal_engine.state.journal import (
    Parsed,
    encode_entry,
    header_line,
    line_digest,
    parse_entries,
    parse_journal,
)
from goal_engine.state.model import GoalState
from goal_engine.state.store import Summary
from goal_engine.types import GOAL_ID, GoalId

T = TypeVar("T")
PATIENCE = 30.0
"""Seconds to wait for another process that is appending."""
PROBE = 0.25
"""Seconds for which a look at the runner lock may be in the way of who wants to run."""
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class _Known:
    """A goal as far as its journal was read: up to `size` bytes of the file `inode`."""

    inode: int
    size: int
    digest: str
    entries: tuple[JournalEntry, ...]
    state: GoalState


class FileSystemGoalStateStore:
    """Journals below `<root>/goals`, objects below `<root>/objects` (seed: same name)."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="goal-store")
        self._known: dict[GoalId, _Known] = {}
        self._fenced: set[GoalId] = set()

    def close(self) -> None:
        """Finish what was begun."""
        self._thread.shutdown()

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def create(self, goal_id: GoalId, entry: JournalEntry) -> None:
        """Begin a journal: the file has its name only once its first entry is durable."""
        await self._do(lambda: self._create(goal_id, entry))

    async def append(self, goal_id: GoalId, entry: JournalEntry) -> None:
        """Append durably, if `entry` follows the last one."""
        await self._do(lambda: self._append(goal_id, entry))

    async def head(self, goal_id: GoalId) -> tuple[GoalState, str]:
        """Return the goal and the digest of its last line."""
        known = await self._do(lambda: self._read(goal_id))
        return known.state, known.digest

    async def entries(self, goal_id: GoalId, after: int = 0) -> Sequence[JournalEntry]:
        """Return the entries with a `seq` above `after`."""
        known = await self._do(lambda: self._read(goal_id))
        return known.entries[after:]

    async def list(self) -> Sequence[Summary]:
        """Return every goal, oldest first, damaged ones too."""
        return await self._do(self._list)

    async def write_object(self, data: bytes) -> str:
        """Keep `data` and return its sha256."""
        return await self._do(lambda: write_object(self.root / "objects", data))

    async def read_object(self, sha: str) -> bytes:
        """Return what was kept, if it still is what it was."""
        return await self._do(lambda: self._read_object(sha))

    def runner_lock(self, goal_id: GoalId) -> AbstractContextManager[None]:
        """Hold the right to run a goal.  Raises `GoalBusy` while another process has it."""
        return self._running(goal_id, PROBE)

    @contextmanager
    def _running(self, goal_id: GoalId, timeout: float) -> Iterator[None]:
        lock = self._lock(goal_id, "runner.lock")
        try:
            lock.acquire(timeout=timeout, poll_interval=PROBE / 10)
        except Timeout as error:
            raise GoalBusy(
                f"{goal_id} is being run by another process: `show` it to follow, or `pause` or "
                "`cancel` it from here."
            ) from error
        try:
            yield
        finally:
            lock.release()

    async def is_running(self, goal_id: GoalId) -> bool:
        """Whether somebody holds the runner lock."""
        try:
            with self._running(goal_id, 0):
                return False
        except GoalBusy:
            return True

    # on the store's thread

    def _folder(self, goal_id: GoalId) -> Path:
        return self.root / "goals" / GoalId(goal_id)

    def _lock(self, goal_id: GoalId, name: str) -> FileLock:
        folder = self._folder(goal_id)
        if not folder.is_dir():
            raise _not_found(goal_id)
        return FileLock(folder / name, thread_local=False, mode=0o600)

    @contextmanager
    def _appending(self, goal_id: GoalId) -> Iterator[None]:
        with writing(self._folder(goal_id)):
            try:
                with self._lock(goal_id, "journal.lock").acquire(timeout=PATIENCE):
                    yield
            except Timeout as error:
                raise StoreUnwritable(
                    f"Another process has been writing to {goal_id} for {PATIENCE:g} s; end it "
                    "or try again."
                ) from error

    def _create(self, goal_id: GoalId, entry: JournalEntry) -> None:
        folder = self._folder(goal_id)
        make_dirs(folder)
        with self._appending(goal_id):
            path = folder / "events.jsonl"
            if path.exists():
                raise JournalConflict(f"{goal_id} is there already; create it again.")
            data = header_line(goal_id) + encode_entry(entry)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                _write_durably(descriptor, data)
            except OSError:
                path.unlink(missing_ok=True)
                raise
            finally:
                os.close(descriptor)
            fsync_dir(folder)

    def _append(self, goal_id: GoalId, entry: JournalEntry) -> None:
        if goal_id in self._fenced:
            raise StoreUnwritable(
                f"The journal of {goal_id} could not be written before; nothing more is added "
                "until it is opened again. Check the disk, then start anew: it is intact."
            )
        with self._appending(goal_id):
            known = self._read(goal_id)
            if entry.prev != known.digest or entry.seq != known.state.seq + 1:
                raise JournalConflict(f"{goal_id} was changed by somebody else meanwhile.")
            line = encode_entry(entry)
            path = self._folder(goal_id) / "events.jsonl"
            descriptor = os.open(path, os.O_WRONLY)
            try:
                if os.fstat(descriptor).st_size > known.size:
                    os.ftruncate(descriptor, known.size)  # a torn tail, seen under the lock
                    os.fsync(descriptor)
                os.lseek(descriptor, known.size, os.SEEK_SET)
                _write_durably(descriptor, line)
            except OSError:
                # a page that failed to reach the disk may be forgotten by it: never try again here
                self._fenced.add(goal_id)
                self._known.pop(goal_id, None)
                _cut(descriptor, known.size)
                raise
            finally:
                os.close(descriptor)
            self._known[goal_id] = _Known(
                inode=known.inode,
                size=known.size + len(line),
                digest=line_digest(line),
                entries=(*known.entries, entry),
                state=fold_entries((entry,), known.state),
            )

    def _read(self, goal_id: GoalId) -> _Known:
        """Read what is new since the last time; a reader never cuts a torn tail."""
        path = self._folder(goal_id) / "events.jsonl"
        known = self._known.get(goal_id)
        try:
            with path.open("rb") as file:
                there = os.fstat(file.fileno())
                if known and known.inode == there.st_ino and known.size <= there.st_size:
                    if known.size == there.st_size:
                        return known
                    file.seek(known.size)
                    parsed = parse_entries(file.read(), goal_id, known.digest, known.state.seq + 1)
                    size, before, state = known.size, known.entries, known.state
                    return self._remember(goal_id, there.st_ino, parsed, size, before, state)
                parsed = parse_journal(file.read(), goal_id)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise _not_found(goal_id) from error
        except PermissionError as error:
            raise JournalDamaged(f"{path} cannot be read: {error.strerror}.") from error
        return self._remember(goal_id, there.st_ino, parsed, 0, (), None)

    def _remember(
        self,
        goal_id: GoalId,
        inode: int,
        parsed: Parsed,
        size: int,
        before: tuple[JournalEntry, ...],
        state: GoalState | None,
    ) -> _Known:
        if state is None and not parsed.entries:
            raise JournalDamaged(
                f"The journal of {goal_id} ends before its first entry: the goal was never "
                f"created. Remove {self._folder(goal_id)}."
            )
        after = fold_entries(parsed.entries, state)
        entries = before + parsed.entries
        known = _Known(inode, size + parsed.good, parsed.digest, entries, after)
        self._known[goal_id] = known
        return known

    def _list(self) -> Sequence[Summary]:
        folder = self.root / "goals"
        names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        return [self._summary(name) for name in names if GOAL_ID.fullmatch(name)]

    def _summary(self, name: str) -> Summary:
        try:
            return Summary(name, self._read(GoalId(name)).state)
        except GoalError as error:
            return Summary(name, None, error.paragraph)

    def _read_object(self, sha: str) -> bytes:
        if not SHA256.fullmatch(sha):
            raise GoalNotFound(f"{sha[:80]!r} is not the name of an object.")
        try:
            data = (self.root / "objects" / sha).read_bytes()
        except FileNotFoundError as error:
            raise GoalNotFound(
                f"The object {sha} is not in {self.root / 'objects'}: put it back from a copy, or "
                "`execute` the goal again."
            ) from error
        if sha256(data).hexdigest() != sha:
            raise JournalDamaged(f"{self.root / 'objects' / sha} is not what its name says.")
        return data


def _write_durably(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    os.fsync(descriptor)


def _cut(descriptor: int, size: int) -> None:
    with suppress(OSError):  # what is left is a torn tail, which the next opener cuts
        os.ftruncate(descriptor, size)


def _not_found(goal_id: str) -> GoalNotFound:
    return GoalNotFound(f"No goal is called {goal_id}; `goalproof list` shows the ones there are.")
