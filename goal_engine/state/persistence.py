"""Goals on disk: append, fsync, acknowledge.  All disk work is done on one thread.

`events.jsonl` is the truth.  What is held in memory and in `head.json` are caches of it, used only
while the file is the one they were made from and has not changed.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from heapq import nlargest
from pathlib import Path
from typing import BinaryIO, TypeVar

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
from goal_engine.runtime.appending import AppendFile
from goal_engine.runtime.atomic import make_dirs, sweep, write_atomic, write_object, writing
from goal_engine.runtime.lock import LockFile
from goal_engine.runtime.regular import open_regular, read_regular
from goal_engine.runtime.room import Ballast, check_room, is_full
from goal_engine.state.anchor import Anchor, encode_anchor, parse_anchor, say_lost
from goal_engine.state.events import JournalEntry
from goal_engine.state.evolve import fold_entries
from goal_engine.state.journal import (
    Journal,
    Stamp,
    encode_entry,
    encode_head,
    header_digest,
    header_line,
    line_digest,
    newer,
    parse_entries,
    parse_head,
    read_journal,
    read_on,
    read_verified,
)
from goal_engine.state.model import GoalState
from goal_engine.state.store import Summary
from goal_engine.types import GOAL_ID, GoalId, GoalStatus

T = TypeVar("T")
PATIENCE = 30.0
"""Seconds to wait for another process that is appending."""
PROBE = 0.25
"""Seconds for which a look at the runner lock may be in the way of who wants to run."""
WRITERS = 16
"""Goals whose journals are kept open between two appends."""
TAIL = 1 << 16
"""Bytes of a journal's end that are read to find its last line."""
LARGEST = 256 << 20
"""Bytes of a journal that are read at once: half a million entries."""
FIRST = 1 << 12
"""Bytes in which a journal's first line ends."""
LARGEST_HEAD = 16 << 20
LARGEST_OBJECT = 256 << 20
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class _Known:
    """A journal as it was when its file had `stamp`."""

    stamp: Stamp
    journal: Journal


class _Writer:
    """A goal's journal and its lock, kept open between two appends."""

    def __init__(self, folder: Path) -> None:
        self.lock = LockFile(folder / "journal.lock")
        self.file = AppendFile(folder / "events.jsonl")

    def close(self) -> None:
        self.file.close()
        self.lock.close()


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
        self._journals: dict[GoalId, Path] = {}
        """Where they are: a list of many goals is mostly the making of paths."""
        self._writers: OrderedDict[GoalId, _Writer] = OrderedDict()
        self._ballast = Ballast(root)
        self._is_lean = False
        """Whether the ballast was given back."""
        self._seen: tuple[int, int] | None = None
        """Which folder `root` was when it was first there."""

    def close(self) -> None:
        """Finish what was begun."""
        self._thread.shutdown()
        while self._writers:
            self._writers.popitem()[1].close()

    async def _do(self, work: Callable[[], T]) -> T:
        try:
            done = asyncio.get_running_loop().run_in_executor(self._thread, self._work, work)
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
        journal = await self._do(lambda: self._read(goal_id))
        return journal.state, journal.digest

    def recall(self, goal_id: GoalId) -> tuple[GoalState, str] | None:
        """Return what `head` said last, without a look at the disk."""
        known = self._known.get(goal_id)
        return (known.journal.state, known.journal.digest) if known else None

    async def entries(self, goal_id: GoalId, after: int = 0) -> Sequence[JournalEntry]:
        """Return the entries with a `seq` above `after`."""
        return await self._do(lambda: self._entries(goal_id, after))

    async def salvage(self, goal_id: GoalId) -> tuple[Sequence[JournalEntry], str]:
        """Return what verifies of a journal, and what is damaged in it."""
        return await self._do(lambda: self._salvage(goal_id))

    async def names(self) -> Sequence[GoalId]:
        """Return which goals there are, oldest first, damaged ones too; none of them is read."""
        return await self._do(self._names)

    async def list(self, goals: Iterable[GoalId] | None = None) -> Sequence[Summary]:
        """Return all goals, or `goals` as far as they are there, oldest first, damaged ones too."""
        wanted = None if goals is None else frozenset(goals)
        return await self._do(lambda: self._list(wanted))

    async def mark(self, goals: Iterable[GoalId], newest: int) -> dict[GoalId, Stamp]:
        """Return the journal's stamp of each of `goals` and of the `newest`; one that is gone has none."""
        wanted = tuple(goals)
        return await self._do(lambda: self._mark(wanted, newest))

    async def write_object(self, data: bytes) -> str:
        """Keep `data` and return its sha256."""
        return await self._do(lambda: self._write_object(data))

    async def read_object(self, sha: str) -> bytes:
        """Return what was kept, if it still is what it was."""
        return await self._do(lambda: self._read_object(sha))

    async def check_room(self) -> None:
        """Raise `StoreUnwritable` where the disk is too full to begin something."""
        await self._do(lambda: check_room(self.root))

    def runner_lock(self, goal_id: GoalId) -> AbstractContextManager[None]:
        """Hold the right to run a goal.  Raises `GoalBusy` while another process has it."""
        return self._running(goal_id)

    @contextmanager
    def _running(self, goal_id: GoalId) -> Iterator[None]:
        busy = GoalBusy(
            f"{goal_id} is being run by another process: `show` it to follow, or `pause` or "
            "`cancel` it from here."
        )
        with closing(self._lock(goal_id, "runner.lock")) as lock:
            self._take(goal_id, lock, "runner.lock", PROBE, busy)
            yield

    async def is_running(self, goal_id: GoalId) -> bool:
        """Whether somebody holds the runner lock; a look at it writes nothing."""
        name = "runner.lock"
        if not self._folder(goal_id).is_dir():
            raise self._missing(goal_id)
        try:
            return self._lock(goal_id, name).is_held()
        except OSError as error:
            raise self._unlockable(goal_id, name, error) from error

    # on the store's thread

    def _work(self, work: Callable[[], T]) -> T:
        self._seen = self._seen or self._find_root()
        return work()

    def _find_root(self) -> tuple[int, int] | None:
        with suppress(OSError):
            there = self.root.stat()
            return there.st_dev, there.st_ino
        return None

    @contextmanager
    def _reading(self, path: Path, goal_id: GoalId) -> Iterator[None]:
        """Turn what a disk answers into what it means for the goal."""
        try:
            yield
        except (FileNotFoundError, NotADirectoryError) as error:
            raise self._missing(goal_id) from error
        except OSError as error:
            raise JournalDamaged(
                f"{path} cannot be read: {error.strerror}. Make it readable or put back a copy; "
                "other goals are not concerned."
            ) from error

    def _require_root(self) -> None:
        """Refuse to begin a store anew that was removed or replaced under us (D17)."""
        if self._seen is not None and self._find_root() != self._seen:
            raise StoreUnwritable(
                f"{self.root} was removed or replaced while it was in use: put it back, or open the "
                "folder again to begin a new store there. Nothing was written."
            )

    def _missing(self, goal_id: str) -> GoalError:
        try:
            self._require_root()
        except StoreUnwritable as error:
            return error
        return _not_found(goal_id)

    def _write_object(self, data: bytes) -> str:
        self._require_root()
        return write_object(self.root / "objects", data)

    def _folder(self, goal_id: GoalId) -> Path:
        return self.root / "goals" / GoalId(goal_id)

    def _lock(self, goal_id: GoalId, name: str) -> LockFile:
        return LockFile(self._folder(goal_id) / name)

    def _take(
        self, goal_id: GoalId, lock: LockFile, name: str, timeout: float, busy: GoalError
    ) -> None:
        try:
            taken = lock.acquire(timeout)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise self._missing(goal_id) from error
        except OSError as error:
            raise self._unlockable(goal_id, name, error) from error
        if not taken:
            raise busy

    def _unlockable(self, goal_id: GoalId, name: str, error: OSError) -> StoreUnwritable:
        return StoreUnwritable(
            f"{self._folder(goal_id) / name} cannot be locked: {error.strerror}. Make it an "
            "ordinary file on a local disk that you may write to, then try again."
        )

    @contextmanager
    def _appending(self, goal_id: GoalId) -> Iterator[_Writer]:
        """Hold the journal's lock.  What crashed writers left is swept with the first holding."""
        busy = StoreUnwritable(
            f"Another process has been writing to {goal_id} for {PATIENCE:g} s; end it or try "
            "again."
        )
        folder = self._folder(goal_id)
        is_first = goal_id not in self._writers
        if is_first:
            self._writers[goal_id] = _Writer(folder)
        writer = self._writers[goal_id]
        self._writers.move_to_end(goal_id)
        if len(self._writers) > WRITERS:
            self._writers.popitem(last=False)[1].close()
        self._take(goal_id, writer.lock, "journal.lock", PATIENCE, busy)
        try:
            with writing(folder):
                if is_first:
                    sweep(folder)
                if is_first or self._is_lean:
                    self._is_lean = not self._ballast.keep()
                yield writer
        finally:
            writer.lock.release()

    def _journal(self, goal_id: GoalId) -> Path:
        known = self._journals.get(goal_id)
        if known is None:
            known = self._journals[goal_id] = self._folder(goal_id) / "events.jsonl"
        return known

    def _create(self, goal_id: GoalId, entry: JournalEntry) -> None:
        self._require_root()
        self._check_writable()
        make_dirs(self._folder(goal_id))
        with self._appending(goal_id):
            path = self._journal(goal_id)
            if os.path.lexists(path):
                raise JournalConflict(f"{goal_id} is there already; create it again.")
            line = encode_entry(entry)
            write_atomic(path, header_line(goal_id) + line)
            self._keep_anchor(goal_id, Anchor(entry.seq, line_digest(line)))
            self._read(goal_id)
            self._write_head(goal_id, self._known[goal_id])

    def _append(self, goal_id: GoalId, entry: JournalEntry) -> None:
        """A full disk takes no more work, but the word that it is over: room is kept for that."""
        self._require_root()
        self._check_writable()
        try:
            self._append_once(goal_id, entry)
        except StoreUnwritable as error:
            if not (is_full(error) and self._ballast.release()):
                raise
            self._is_lean = True
            if not entry.is_receipt:
                raise
            self._append_once(goal_id, entry)

    def _append_once(self, goal_id: GoalId, entry: JournalEntry) -> None:
        with self._appending(goal_id) as writer:
            journal = self._read(goal_id)
            if journal.state.is_newer:
                raise NotPossibleNow(newer(goal_id, journal.state.format))
            if entry.prev != journal.digest or entry.seq != journal.state.seq + 1:
                raise JournalConflict(f"{goal_id} was changed by somebody else meanwhile.")
            line, after = encode_entry(entry), fold_entries((entry,), journal.state)
            try:
                there = writer.file.append(line, journal.size)
            except OSError:
                # a page that failed to reach the disk may be forgotten by it: nothing is tried again
                # on this descriptor, and the next who appends reads all of the journal anew (D03)
                self._known.pop(goal_id, None)
                raise
            known = _Known(_stamp(there), journal.followed_by(entry, line, after))
            self._known[goal_id] = known
            self._keep_anchor(goal_id, Anchor(entry.seq, known.journal.digest))
            self._write_head(goal_id, known)

    def _keep_anchor(self, goal_id: GoalId, anchor: Anchor) -> None:
        self._anchors.write(goal_id, encode_anchor(anchor))

    def _find_anchor(self, goal_id: GoalId) -> Anchor | None:
        """Return how far the goal was written; ask before the journal is read, which may grow."""
        return parse_anchor(self._anchors.read(goal_id))

    def _write_head(self, goal_id: GoalId, known: _Known) -> None:
        """Keep what a list shows of a goal that nobody works on; it is worth no failure."""
        journal = known.journal
        if journal.state.status is not GoalStatus.RUNNING:
            data = encode_head(journal.state, journal.digest, known.stamp)
            with suppress(StoreUnwritable, OSError):
                write_atomic(self._folder(goal_id) / "head.json", data)

    def _read(self, goal_id: GoalId) -> Journal:
        """Read what is new since the last time; a reader never cuts a torn tail."""
        path = self._journal(goal_id)
        known = self._known.get(goal_id)
        with self._reading(path, goal_id):
            if known and known.stamp == _stamp(path.stat()):
                return known.journal
            anchor = self._find_anchor(goal_id)
            with open_regular(path) as file:
                stamp = _stamp(os.fstat(file.fileno()))
                if known and (known.stamp[0] != stamp[0] or known.journal.size >= stamp[1]):
                    known = None  # another file, or one that was changed and not appended to
                begin = file.seek(known.journal.size if known else 0)
                data = _read_journal(file, stamp[1] - begin)
        journal = read_on(data, goal_id, known.journal) if known else read_journal(data, goal_id)
        if anchor and not journal.state.is_newer:  # which this release reads up to the news
            last = journal.state.seq
            at = journal.starts[anchor.seq - 1] - begin if 0 < anchor.seq <= last else -1
            found = line_digest(data[at : at + 64]) if at >= 0 else anchor.digest
            if lost := say_lost(goal_id, anchor, last, found, self._anchors.place(goal_id)):
                raise JournalDamaged(lost)
        self._known[goal_id] = _Known(stamp, journal)
        return journal

    def _entries(self, goal_id: GoalId, after: int) -> Sequence[JournalEntry]:
        """Return the last ones from memory, earlier ones from the file, verified again."""
        journal = self._read(goal_id)
        missing = journal.state.seq - len(journal.recent)
        if after >= missing:
            return journal.recent[after - missing :]
        path = self._journal(goal_id)
        with self._reading(path, goal_id), open_regular(path) as file:
            digest = header_digest(goal_id)
            if after:
                file.seek(journal.starts[after - 1])
                digest = line_digest(file.readline())
            file.seek(journal.starts[after])
            data = file.read(journal.size - file.tell())
        return parse_entries(data, goal_id, digest, after + 1).entries

    def _salvage(self, goal_id: GoalId) -> tuple[Sequence[JournalEntry], str]:
        path = self._journal(goal_id)
        anchor = self._find_anchor(goal_id)
        with self._reading(path, goal_id), open_regular(path) as file:
            data = _read_journal(file, os.fstat(file.fileno()).st_size)
        entries, damage = read_verified(data, goal_id)
        if anchor is None or damage:
            return entries, damage
        found = line_digest(
            [*data.split(b"\n", anchor.seq + 1), b""][min(anchor.seq, len(entries))]
        )
        place = self._anchors.place(goal_id)
        return entries, say_lost(goal_id, anchor, len(entries), found, place)

    def _glance(self, goal_id: GoalId) -> GoalState:
        """Return the goal for a list: from `head.json` when its journal is not known yet."""
        if goal_id in self._known:
            return self._read(goal_id).state
        path = self._journal(goal_id)
        with self._reading(path, goal_id):
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
            data = read_regular(self._folder(goal_id) / "head.json", LARGEST_HEAD)
            with open_regular(self._journal(goal_id)) as file:
                file.seek(max(0, stamp[1] - TAIL))
                tail = file.read(TAIL)
        except OSError:
            return None
        state = parse_head(data, tail, stamp, goal_id)
        return None if state is None else (state, line_digest(tail[tail.rfind(b"\n", 0, -1) + 1 :]))

    def _names(self) -> Sequence[GoalId]:
        """A folder without a journal is a goal that is being created, or never was."""
        return [name for name in self._folders() if self._journal(name).exists()]

    def _folders(self) -> Sequence[GoalId]:
        folder = self.root / "goals"
        names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        return [GoalId(name) for name in names if GOAL_ID.fullmatch(name)]

    def _list(self, wanted: Set[GoalId] | None) -> Sequence[Summary]:
        found = [
            self._summary(name) for name in self._folders() if wanted is None or name in wanted
        ]
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

    def _summary(self, name: GoalId) -> Summary | None:
        """`None` for a folder without a journal."""
        try:
            return Summary(name, self._glance(name))
        except GoalNotFound:
            return None
        except GoalError as error:
            return Summary(name, None, error.paragraph)

    def _read_object(self, sha: str) -> bytes:
        if not SHA256.fullmatch(sha):
            raise GoalNotFound(f"{sha[:80]!r} is not the name of an object.")
        try:
            data = read_regular(self.root / "objects" / sha, LARGEST_OBJECT)
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


def _read_journal(file: BinaryIO, size: int) -> bytes:
    """Return `size` bytes; of a file that does not begin with a line, no more than shows that."""
    if size > LARGEST:
        raise OSError(errno.EFBIG, f"it is over {LARGEST >> 20} MiB")
    is_first = file.tell() == 0
    begin = file.read(min(size, FIRST))
    return begin if is_first and b"\n" not in begin else begin + file.read(size - len(begin))


def _stamp(there: os.stat_result) -> Stamp:
    return there.st_ino, there.st_size, there.st_mtime_ns


def _not_found(goal_id: str) -> GoalNotFound:
    return GoalNotFound(f"No goal is called {goal_id}; `goalproof list` shows the ones there are.")
