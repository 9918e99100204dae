"""Goals on disk: append, fsync, acknowledge.  All disk work is done on one thread.

`events.jsonl` is the truth.  What is held in memory and in `head.json` are caches of it, used only
while the file is the one they were made from and has not changed.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from heapq import nlargest
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

from goal_engine.errors import (
    GoalBusy,
    GoalError,
    GoalNotFound,
    JournalConflict,
    JournalDamaged,
    NotPossibleNow,
    StoreUnwritable,
)
from goal_engine.runtime.anchors import Anchors
from goal_engine.runtime.atomic import make_dirs, write_atomic, write_object, writing
from goal_engine.state.anchor import Anchor, encode_anchor, parse_anchor, say_lost
from goal_engine.state.events import JournalEntry
from goal_engine.state.evolve import fold_entries
from goal_engine.state.journal import (
    Stamp,
    encode_entry,
    encode_head,
    header_line,
    line_digest,
    parse_entries,
    parse_head,
    parse_journal,
    read_verified,
    replay,
)
from goal_engine.state.model import GoalState
from goal_engine.state.store import Summary
from goal_engine.types import GOAL_ID, GoalId, GoalStatus

T = TypeVar("T")
PATIENCE = 30.0
"""Seconds to wait for another process that is appending."""
PROBE = 0.25
"""Seconds for which a look at the runner lock may be in the way of who wants to run."""
LOOK = 0.01
"""Seconds between two tries to take a lock."""
TAIL = 1 << 16
"""Bytes of a journal's end that are read to find its last line."""
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class _Known:
    """A goal as far as its journal was read: up to `size` bytes of the file that had `stamp`."""

    stamp: Stamp
    size: int
    digest: str
    entries: tuple[JournalEntry, ...]
    state: GoalState


def closed(checkout: Path) -> NotPossibleNow:
    """Return the refusal of what was asked of a workspace that was closed before it was done."""
    return NotPossibleNow(
        f"{checkout} was closed while this was being done: open it again, then repeat."
    )


class FileSystemGoalStateStore:
    """Journals below `<root>/goals`, objects below `<root>/objects` (seed: same name)."""

    def __init__(
        self,
        root: Path,
        anchors: Anchors | None = None,
        check_writable: Callable[[], None] = lambda: None,
    ) -> None:
        self.root = root
        self._anchors = anchors or Anchors()
        """How far each goal was written, where nothing in the workspace can change it."""
        self._check_writable = check_writable
        """Asked before anything is written; refuses by raising."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="goal-store")
        self._known: dict[GoalId, _Known] = {}
        self._glanced: dict[GoalId, tuple[Stamp, GoalState]] = {}
        self._fenced: set[GoalId] = set()

    def close(self) -> None:
        """Finish what was begun."""
        self._thread.shutdown()

    async def _do(self, work: Callable[[], T]) -> T:
        try:
            done = asyncio.get_running_loop().run_in_executor(self._thread, work)
        except RuntimeError as error:
            raise closed(self.root.parent) from error
        return await done

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

    async def salvage(self, goal_id: GoalId) -> tuple[Sequence[JournalEntry], str]:
        """Return what verifies of a journal, and what is damaged in it."""
        return await self._do(lambda: self._salvage(goal_id))

    async def list(self) -> Sequence[Summary]:
        """Return every goal, oldest first, damaged ones too."""
        return await self._do(self._list)

    async def mark(self, goals: Iterable[GoalId], newest: int) -> dict[GoalId, Stamp]:
        """Return the journal's stamp of each of `goals` and of the `newest`; one that is gone has none."""
        wanted = tuple(goals)
        return await self._do(lambda: self._mark(wanted, newest))

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
        busy = GoalBusy(
            f"{goal_id} is being run by another process: `show` it to follow, or `pause` or "
            "`cancel` it from here."
        )
        lock = self._take(goal_id, "runner.lock", timeout, busy)
        try:
            yield
        finally:
            _free(lock)

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

    def _take(self, goal_id: GoalId, name: str, timeout: float, busy: GoalError) -> FileLock:
        """A lock of its own: two holders in one process exclude each other as well.

        The kernel's lock, which dies with its holder; never a file that stands for one.
        """
        folder = self._folder(goal_id)
        if not folder.is_dir():
            raise _not_found(goal_id)
        lock = FileLock(folder / name, thread_local=False, mode=0o600, fallback_to_soft=False)
        try:
            lock.acquire(timeout=timeout, poll_interval=LOOK)
        except Timeout as error:
            raise busy from error
        except OSError as error:
            raise StoreUnwritable(
                f"{folder / name} cannot be locked: {error.strerror}. Make it an ordinary file "
                "on a local disk that you may write to, then try again."
            ) from error
        return lock

    @contextmanager
    def _appending(self, goal_id: GoalId) -> Iterator[None]:
        busy = StoreUnwritable(
            f"Another process has been writing to {goal_id} for {PATIENCE:g} s; end it or try "
            "again."
        )
        lock = self._take(goal_id, "journal.lock", PATIENCE, busy)
        try:
            with writing(self._folder(goal_id)):
                yield
        finally:
            _free(lock)

    def _journal(self, goal_id: GoalId) -> Path:
        return self._folder(goal_id) / "events.jsonl"

    def _create(self, goal_id: GoalId, entry: JournalEntry) -> None:
        self._check_writable()
        make_dirs(self._folder(goal_id))
        with self._appending(goal_id):
            path = self._journal(goal_id)
            if os.path.lexists(path):
                raise JournalConflict(f"{goal_id} is there already; create it again.")
            line = encode_entry(entry)
            write_atomic(path, header_line(goal_id) + line)
            self._keep_anchor(goal_id, Anchor(entry.seq, line_digest(line)))
            self._write_head(goal_id, self._read(goal_id))

    def _append(self, goal_id: GoalId, entry: JournalEntry) -> None:
        self._check_writable()
        if goal_id in self._fenced:
            raise StoreUnwritable(
                f"The journal of {goal_id} could not be written before; nothing more is added "
                "until it is opened again. Check the disk, then start anew: it is intact."
            )
        with self._appending(goal_id):
            known = self._read(goal_id)
            if entry.prev != known.digest or entry.seq != known.state.seq + 1:
                raise JournalConflict(f"{goal_id} was changed by somebody else meanwhile.")
            line, after = encode_entry(entry), fold_entries((entry,), known.state)
            descriptor = os.open(self._journal(goal_id), os.O_WRONLY)
            try:
                if os.fstat(descriptor).st_size > known.size:
                    os.ftruncate(descriptor, known.size)  # a torn tail, seen under the lock
                    os.fsync(descriptor)
                os.lseek(descriptor, known.size, os.SEEK_SET)
                _write_durably(descriptor, line)
                stamp = _stamp(os.fstat(descriptor))
            except OSError:
                # a page that failed to reach the disk may be forgotten by it: never try again here
                self._fenced.add(goal_id)
                self._known.pop(goal_id, None)
                _cut(descriptor, known.size)
                raise
            finally:
                os.close(descriptor)
            known = _Known(
                stamp=stamp,
                size=known.size + len(line),
                digest=line_digest(line),
                entries=(*known.entries, entry),
                state=after,
            )
            self._known[goal_id] = known
            self._keep_anchor(goal_id, Anchor(entry.seq, known.digest))
            self._write_head(goal_id, known)

    def _keep_anchor(self, goal_id: GoalId, anchor: Anchor) -> None:
        self._anchors.write(goal_id, encode_anchor(anchor))

    def _find_anchor(self, goal_id: GoalId) -> Anchor | None:
        """Return how far the goal was written; ask before the journal is read, which may grow."""
        return parse_anchor(self._anchors.read(goal_id))

    def _write_head(self, goal_id: GoalId, known: _Known) -> None:
        """Keep what a list shows of a goal that nobody works on; it is worth no failure."""
        if known.state.status is not GoalStatus.RUNNING:
            data = encode_head(known.state, known.digest, known.stamp)
            with suppress(StoreUnwritable, OSError):
                write_atomic(self._folder(goal_id) / "head.json", data)

    def _read(self, goal_id: GoalId) -> _Known:
        """Read what is new since the last time; a reader never cuts a torn tail."""
        path = self._journal(goal_id)
        known = self._known.get(goal_id)
        with _reading(path, goal_id):
            if known and known.stamp == _stamp(path.stat()):
                return known
            anchor = self._find_anchor(goal_id)
            with path.open("rb") as file:
                stamp = _stamp(os.fstat(file.fileno()))
                if known and (known.stamp[0] != stamp[0] or known.size >= stamp[1]):
                    known = None  # another file, or one that was changed and not appended to
                file.seek(known.size if known else 0)
                data = file.read(stamp[1] - file.tell())
        if known:
            parsed = parse_entries(data, goal_id, known.digest, known.state.seq + 1)
        else:
            parsed = parse_journal(data, goal_id)
        known = _Known(
            stamp=stamp,
            size=(known.size if known else 0) + parsed.good,
            digest=parsed.digest,
            entries=(*(known.entries if known else ()), *parsed.entries),
            state=replay(parsed.entries, goal_id, known.state if known else None),
        )
        place = self._anchors.place(goal_id)
        if damage := say_lost(goal_id, anchor, known.entries, known.digest, place):
            raise JournalDamaged(damage)
        self._known[goal_id] = known
        return known

    def _salvage(self, goal_id: GoalId) -> tuple[Sequence[JournalEntry], str]:
        path = self._journal(goal_id)
        anchor = self._find_anchor(goal_id)
        with _reading(path, goal_id):
            data = path.read_bytes()
        entries, damage = read_verified(data, goal_id)
        end = data.rfind(b"\n") + 1
        last = line_digest(data[data.rfind(b"\n", 0, end - 1) + 1 : end]) if entries else ""
        return entries, damage or say_lost(
            goal_id, anchor, entries, last, self._anchors.place(goal_id)
        )

    def _glance(self, goal_id: GoalId) -> GoalState:
        """Return the goal for a list: from `head.json` when its journal is not known yet."""
        if goal_id in self._known:
            return self._read(goal_id).state
        path = self._journal(goal_id)
        with _reading(path, goal_id):
            stamp = _stamp(path.stat())
        if self._glanced.get(goal_id, (None,))[0] == stamp:
            return self._glanced[goal_id][1]
        anchor = self._find_anchor(goal_id)
        state, digest = self._read_head(goal_id, stamp) or (None, "")
        if state is None or anchor not in (None, Anchor(state.seq, digest)):
            return self._read(goal_id).state
        self._glanced[goal_id] = stamp, state
        return state

    def _read_head(self, goal_id: GoalId, stamp: Stamp) -> tuple[GoalState, str] | None:
        """Return the cached goal and the digest of its journal's last line."""
        try:
            data = (self._folder(goal_id) / "head.json").read_bytes()
            with self._journal(goal_id).open("rb") as file:
                file.seek(max(0, stamp[1] - TAIL))
                tail = file.read(TAIL)
        except OSError:
            return None
        state = parse_head(data, tail, stamp, goal_id)
        return None if state is None else (state, line_digest(tail[tail.rfind(b"\n", 0, -1) + 1 :]))

    def _list(self) -> Sequence[Summary]:
        folder = self.root / "goals"
        names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        found = [self._summary(name) for name in names if GOAL_ID.fullmatch(name)]
        return [summary for summary in found if summary is not None]

    def _mark(self, goals: Sequence[GoalId], newest: int) -> dict[GoalId, Stamp]:
        folder = self.root / "goals"
        names = [path.name for path in folder.iterdir()] if newest and folder.is_dir() else []
        found = [GoalId(name) for name in nlargest(newest, names) if GOAL_ID.fullmatch(name)]
        marks: dict[GoalId, Stamp] = {}
        for goal_id in dict.fromkeys((*goals, *found)):
            with suppress(OSError):  # it is being created, or was removed
                marks[goal_id] = _stamp(self._journal(goal_id).stat())
        return marks

    def _summary(self, name: str) -> Summary | None:
        """A folder without a journal is a goal that is being created, or never was."""
        try:
            return Summary(name, self._glance(GoalId(name)))
        except GoalNotFound:
            return None
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
        except OSError as error:
            raise JournalDamaged(
                f"The object {sha} cannot be read: {error.strerror}. Put it back from a copy."
            ) from error
        if sha256(data).hexdigest() != sha:
            raise JournalDamaged(f"{self.root / 'objects' / sha} is not what its name says.")
        return data


@contextmanager
def _reading(path: Path, goal_id: GoalId) -> Iterator[None]:
    """Turn what a disk answers into what it means for the goal."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _not_found(goal_id) from error
    except OSError as error:
        raise JournalDamaged(
            f"{path} cannot be read: {error.strerror}. Make it readable or put back a copy; other "
            "goals are not concerned."
        ) from error


def _stamp(there: os.stat_result) -> Stamp:
    return there.st_ino, there.st_size, there.st_mtime_ns


def _free(lock: FileLock) -> None:
    with suppress(OSError):  # what was done under it is done; closing the file frees it as well
        lock.release()


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
