"""What a disk does to a store: it fails, it is full, it is taken away; nothing acknowledged is lost."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from goal_engine.errors import GoalNotFound, NotPossibleNow, StoreUnwritable
from goal_engine.runtime import appending, room
from goal_engine.runtime.appending import AppendFile
from goal_engine.runtime.lock import LockFile
from goal_engine.runtime.room import BALLAST, ENOUGH
from goal_engine.state import events as e
from goal_engine.state import persistence
from goal_engine.state.commands import Record, StartGoal
from goal_engine.state.journal import RECENT, encode_entry, parse_journal
from goal_engine.state.memory import InMemoryGoalStateStore
from goal_engine.state.persistence import FileSystemGoalStateStore
from goal_engine.state.store import transact
from goal_engine.types import GoalStatus
from tests.builders import GOAL, TREE, StoppedClock, a_block, a_first_entry, goal_id, next_entry

ROOT = Path(__file__).parents[2]
CLOCK = StoppedClock()
STARTED, VERIFYING = e.GoalStarted(), e.VerificationStarted(tree=TREE)


@pytest.fixture
def disk(tmp_path):
    opened = FileSystemGoalStateStore(tmp_path / "store")
    yield opened
    opened.close()


def journal_of(store):
    return store.root / "goals" / GOAL / "events.jsonl"


def record(store, event):
    return transact(store, GOAL, Record((event,)), CLOCK)


async def begin(store):
    """A goal that runs."""
    await store.create(GOAL, a_first_entry())
    await transact(store, GOAL, StartGoal(), CLOCK)


def refuse(number):
    def fail(*_args):
        raise OSError(number, os.strerror(number))

    return fail


async def append_after_a_failed_sync(store, monkeypatch):
    """Return the descriptors that were written to after the sync of one had failed."""
    failed, written = [], []
    fsync, pwrite = os.fsync, os.pwrite

    def fail_once(descriptor):
        if not failed:
            failed.append(os.fstat(descriptor))
            raise OSError(errno.EIO, "Input/output error")
        fsync(descriptor)

    def note(descriptor, data, offset):
        written.append(descriptor)
        return pwrite(descriptor, data, offset)

    opened = []
    really_open = os.open

    def note_open(path, flags, *args, **kwargs):
        descriptor = really_open(path, flags, *args, **kwargs)
        if str(path).endswith("events.jsonl") and flags & os.O_WRONLY:
            opened.append(descriptor)
        return descriptor

    with monkeypatch.context() as patch:
        patch.setattr(appending.os, "fsync", fail_once)
        with pytest.raises(StoreUnwritable, match="Input/output"):
            await record(store, VERIFYING)
        patch.setattr(appending.os, "pwrite", note)
        patch.setattr(appending.os, "open", note_open)
        assert (await record(store, VERIFYING)).seq == 3
    return bool(opened), written


async def test_a_failed_sync_is_followed_by_nothing_on_that_descriptor(disk, monkeypatch):
    """D03: the kernel may have dropped the page and call the next sync a success."""
    await begin(disk)
    parsed = []
    read = persistence.read_journal

    def parse(data, name):
        parsed.append(name)
        return read(data, name)

    monkeypatch.setattr(persistence, "read_journal", parse)
    reopened, written = await append_after_a_failed_sync(disk, monkeypatch)
    assert reopened and len(written) == 1
    assert parsed == [GOAL]  # the whole journal, from the file
    assert len(parse_journal(journal_of(disk).read_bytes(), GOAL).entries) == 3


async def test_a_store_that_trusts_the_descriptor_again_is_caught(disk, monkeypatch):
    await begin(disk)
    monkeypatch.setattr(AppendFile, "close", lambda self: None)
    reopened, _ = await append_after_a_failed_sync(disk, monkeypatch)
    assert not reopened


async def test_a_full_disk_takes_the_receipt_and_no_work(disk, monkeypatch):
    await begin(disk)
    ballast = disk.root / "ballast"
    assert ballast.stat().st_size == BALLAST
    assert ballast.stat().st_blocks * 512 >= BALLAST
    pwrite = os.pwrite

    def full(descriptor, data, offset):
        if ballast.exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        return pwrite(descriptor, data, offset)

    monkeypatch.setattr(appending.os, "pwrite", full)
    with monkeypatch.context() as patch:
        patch.setattr(room, "find_free", lambda _: 0)
        with pytest.raises(StoreUnwritable, match="No space left"):
            await record(disk, VERIFYING)
        assert not ballast.exists()
        state = await record(disk, a_block("infra"))
        assert state.status is GoalStatus.FAILED_INFRA and not ballast.exists()
    monkeypatch.undo()
    await record(disk, e.GoalResumed())
    assert ballast.stat().st_size == BALLAST  # there is room again


async def test_a_receipt_is_not_refused_first_by_a_full_disk(disk, monkeypatch):
    await begin(disk)
    ballast, pwrite = disk.root / "ballast", os.pwrite

    def full(descriptor, data, offset):
        if ballast.exists():
            raise OSError(errno.EDQUOT, "Disk quota exceeded")
        return pwrite(descriptor, data, offset)

    monkeypatch.setattr(appending.os, "pwrite", full)
    monkeypatch.setattr(room, "find_free", lambda _: 0)
    assert (await record(disk, e.GoalPaused(reason="asked"))).status is GoalStatus.PAUSED


@pytest.mark.parametrize(
    ("free", "is_refused"), [(ENOUGH - 1, True), (ENOUGH, False), (None, False)]
)
async def test_nothing_is_begun_on_a_disk_that_is_nearly_full(disk, monkeypatch, free, is_refused):
    monkeypatch.setattr(room, "find_free", lambda _: free)
    if not is_refused:
        await disk.check_room()
        return
    with pytest.raises(StoreUnwritable, match="Only 4.0 MiB are free") as refused:
        await disk.check_room()
    assert "free space there, then try again" in refused.value.paragraph


FILLED = """
import asyncio, os, sys
from pathlib import Path
from goal_engine.errors import StoreUnwritable
from goal_engine.state import events as e
from goal_engine.state.commands import Record, StartGoal
from goal_engine.state.persistence import FileSystemGoalStateStore
from goal_engine.state.store import transact
from tests.builders import GOAL, TREE, StoppedClock, a_block, a_first_entry

async def main(place, left):
    store = FileSystemGoalStateStore(place / "store")
    await store.create(GOAL, a_first_entry())
    state = await transact(store, GOAL, StartGoal(), StoppedClock())
    with open(place / "filler", "wb", 0) as filler:
        try:
            while filler.write(bytes(4096)):
                pass
        except OSError:
            filler.truncate(filler.tell() - filler.tell() % 4096 - 4096 * left)
    try:
        await store.check_room()
    except StoreUnwritable:
        print("refused to begin", flush=True)
    fact = Record((e.VerificationStarted(tree=TREE),))
    try:
        while True:
            state = await transact(store, GOAL, fact, StoppedClock())
    except StoreUnwritable:
        state = await transact(store, GOAL, Record((a_block("infra"),)), StoppedClock())
    os.unlink(place / "filler")
    other = FileSystemGoalStateStore(place / "store")
    assert (await other.head(GOAL))[0] == state
    state = await transact(other, GOAL, Record((e.GoalResumed(),)), StoppedClock())
    print("went on as", state.status, (place / "store" / "ballast").stat().st_size, flush=True)
    store.close(), other.close()

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


def run_on_a_small_disk(folder, *arguments):
    """Run a program on a filesystem of 8 MiB: its own where a namespace or root allows a mount."""
    script = 'mount -t tmpfs -o size=8m none "$1" && exec "$2" -c "$3" "$1" "$4"'
    command = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-r", "-m"]
    return subprocess.run(
        [*command, "sh", "-c", script, "sh", folder, sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.long
@pytest.mark.one_python
@pytest.mark.parametrize("left", [0, 1, 3])
def test_a_disk_that_is_really_full_keeps_all_and_goes_on_once_there_is_room(tmp_path, left):
    """D08, at several levels of what is left."""
    done = run_on_a_small_disk(str(tmp_path), FILLED, str(left))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["refused to begin", f"went on as running {BALLAST}"]


@pytest.mark.parametrize("again", [False, True], ids=["removed", "replaced"])
async def test_a_store_that_was_taken_away_is_not_begun_anew(disk, again):
    """D17: `git clean -fdx` under a running server."""
    await begin(disk)
    shutil.rmtree(disk.root)
    if again:
        keep = disk.root.with_name("other")  # so that the new one is another folder
        keep.mkdir()
        disk.root.mkdir()
    for write in (
        record(disk, VERIFYING),
        disk.create(goal_id(1), a_first_entry(goal_id(1))),
        disk.write_object(b"a log"),
        disk.head(GOAL),
    ):
        with pytest.raises(StoreUnwritable, match="was removed or replaced"):
            await write
    assert list(await disk.list()) == []
    assert (os.listdir(disk.root) if again else disk.root.exists()) in ([], False)


async def test_a_goal_that_was_taken_away_is_not_begun_anew(disk):
    await begin(disk)
    await disk.create(goal_id(1), a_first_entry(goal_id(1)))
    shutil.rmtree(journal_of(disk).parent)
    for ask in (record(disk, VERIFYING), disk.head(GOAL)):
        with pytest.raises(GoalNotFound):
            await ask
    assert not journal_of(disk).parent.exists()
    assert [one.goal_id for one in await disk.list()] == [goal_id(1)]


async def test_what_killed_writers_left_is_swept_by_the_next_who_appends(disk):
    """D01."""
    await begin(disk)
    left = journal_of(disk).with_name(".tmp-99-abcd-head.json")
    left.write_bytes(b"half a he")
    other = FileSystemGoalStateStore(disk.root)
    await other.head(GOAL)
    assert left.exists()  # a reader changes nothing
    await record(other, VERIFYING)
    assert not left.exists()
    other.close()


async def test_entries_that_are_long_past_come_from_the_file(disk):
    await begin(disk)
    for _ in range(RECENT):
        await record(disk, VERIFYING)
    other = FileSystemGoalStateStore(disk.root)
    whole = parse_journal(journal_of(disk).read_bytes(), GOAL).entries
    assert len(whole) == RECENT + 2
    for store in (disk, other):
        for after in (0, 1, 2, 3, len(whole) - 1, len(whole), len(whole) + 3):
            assert tuple(await store.entries(GOAL, after)) == whole[after:]
    other.close()


async def test_a_command_is_decided_on_the_goal_as_it_is_and_not_as_it_was_last_seen(disk):
    await begin(disk)
    other = FileSystemGoalStateStore(disk.root)
    await record(other, e.GoalPaused(reason="asked"))
    assert disk.recall(GOAL)[0].status is GoalStatus.RUNNING
    assert (await record(disk, e.GoalResumed())).status is GoalStatus.RUNNING
    await record(other, e.GoalPaused(reason="asked"))
    with pytest.raises(NotPossibleNow, match="is paused"):
        await record(disk, VERIFYING)
    other.close()


@pytest.mark.parametrize("kind", ["disk", "memory"])
async def test_a_goal_that_a_newer_release_went_on_with_is_shown_and_left_alone(disk, kind):
    store = disk if kind == "disk" else InMemoryGoalStateStore()
    await begin(store)
    raised = next_entry(*await store.head(GOAL), e.FormatRaised(format=e.FORMAT + 1))
    newer = encode_entry(raised) + b"whatever\nand half a li"
    if isinstance(store, InMemoryGoalStateStore):
        store.journals[GOAL] += newer
    else:
        with journal_of(store).open("ab") as file:
            file.write(newer)
    for _ in range(2):
        state, digest = await store.head(GOAL)
        assert (state.status, state.seq, state.is_newer) == (GoalStatus.RUNNING, 3, True)
    assert (await store.salvage(GOAL))[1] == ""
    (listed,) = await store.list()
    assert listed.state == state and "update Goalproof" in listed.notice
    entry = next_entry(state, digest, VERIFYING)
    for change in (store.append(GOAL, entry), record(store, VERIFYING)):
        with pytest.raises(NotPossibleNow, match="update Goalproof"):
            await change
    if kind == "disk":
        assert journal_of(disk).read_bytes().endswith(newer)


def test_a_lock_file_that_was_removed_while_it_was_held_is_noticed(tmp_path):
    """D12: who comes next makes another file, and two hold it."""
    first, second = LockFile(tmp_path / "lock"), LockFile(tmp_path / "lock")
    assert first.acquire(0) and not second.acquire(0)
    (tmp_path / "lock").unlink()
    assert second.acquire(0)
    first.release()
    assert not first.acquire(0)  # and not the file that has no name any more
    second.release()
    assert first.acquire(0)
    first.close()
    second.close()
