"""What every store of goals promises, and what the one on disk promises beside: nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from goal_engine.errors import (
    GoalBusy,
    GoalNotFound,
    JournalConflict,
    JournalDamaged,
    StoreUnwritable,
)
from goal_engine.runtime import appending, atomic
from goal_engine.state import events as e
from goal_engine.state import persistence
from goal_engine.state.commands import Record, StartGoal
from goal_engine.state.evolve import ImpossibleEvent
from goal_engine.state.journal import encode_entry, header_line, parse_journal, read_journal
from goal_engine.state.memory import InMemoryGoalStateStore
from goal_engine.state.persistence import FileSystemGoalStateStore
from goal_engine.state.store import transact
from goal_engine.types import GoalStatus
from tests.builders import (
    BASE,
    GOAL,
    OTHER,
    TREE,
    StoppedClock,
    a_first_entry,
    a_goal_created,
    entries_of,
    goal_id,
    next_entry,
    planned,
)

ROOT = Path(__file__).parents[2]
CLOCK = StoppedClock()
STARTED, VERIFYING = e.GoalStarted(), e.VerificationStarted(tree=TREE)

APPENDER = """
import asyncio, sys
from pathlib import Path
from goal_engine.state.commands import Record
from goal_engine.state.persistence import FileSystemGoalStateStore
from goal_engine.state.store import transact
from tests.builders import GOAL, StoppedClock, TREE
from goal_engine.state.events import VerificationStarted

async def main():
    store = FileSystemGoalStateStore(Path(sys.argv[1]))
    print("here", flush=True)
    for _ in range(int(sys.argv[2])):
        command = Record((VerificationStarted(tree=TREE),))
        state = await transact(store, GOAL, command, StoppedClock())
        print(state.seq, flush=True)

asyncio.run(main())
"""


@pytest.fixture(params=["disk", "memory"])
def store(request, tmp_path):
    if request.param == "memory":
        yield InMemoryGoalStateStore()
        return
    opened = FileSystemGoalStateStore(tmp_path / "store")
    yield opened
    opened.close()


@pytest.fixture
def disk(tmp_path):
    opened = FileSystemGoalStateStore(tmp_path / "store")
    yield opened
    opened.close()


def reopened(store):
    return FileSystemGoalStateStore(store.root)


def journal_of(store, name=GOAL):
    return store.root / "goals" / name / "events.jsonl"


async def begin(store, *events):
    """Create the goal and append an entry for each event."""
    await store.create(GOAL, a_first_entry())
    for event in events:
        await store.append(GOAL, next_entry(*await store.head(GOAL), event))


async def test_a_created_goal_is_there(store):
    await begin(store)
    state, digest = await store.head(GOAL)
    assert state.goal_id == GOAL and state.seq == 1 and len(digest) == 64
    assert list(await store.entries(GOAL)) == [a_first_entry()]


async def test_a_goal_is_created_once(store):
    await begin(store)
    with pytest.raises(JournalConflict):
        await store.create(GOAL, a_first_entry())
    assert len(await store.entries(GOAL)) == 1


async def test_an_append_moves_the_goal(store):
    await begin(store, STARTED)
    state, _ = await store.head(GOAL)
    assert (state.status, state.seq) == (GoalStatus.RUNNING, 2)


async def test_who_appends_to_an_old_head_has_a_conflict(store):
    await begin(store)
    stale = next_entry(*await store.head(GOAL), STARTED)
    await store.append(GOAL, stale)
    with pytest.raises(JournalConflict):
        await store.append(GOAL, stale)
    state, digest = await store.head(GOAL)
    for wrong in ({"seq": state.seq + 2}, {"prev": "0" * 64}):
        with pytest.raises(JournalConflict):
            await store.append(GOAL, next_entry(state, digest, VERIFYING).changed(**wrong))
    assert len(await store.entries(GOAL)) == 2


async def test_entries_are_given_after_a_number(store):
    await begin(store, STARTED, VERIFYING)
    assert [entry.seq for entry in await store.entries(GOAL, after=1)] == [2, 3]
    assert list(await store.entries(GOAL, after=3)) == []
    assert list(await store.entries(GOAL, after=9)) == []


async def test_a_goal_that_is_not_there_is_not_found(store):
    for ask in (store.head(GOAL), store.entries(GOAL)):
        with pytest.raises(GoalNotFound):
            await ask
    with pytest.raises(GoalNotFound):
        await transact(store, GOAL, StartGoal(), CLOCK)


async def test_goals_are_listed_oldest_first(store):
    assert list(await store.list()) == []
    for number in (3, 1, 2):
        await store.create(goal_id(number), a_first_entry(goal_id(number)))
    listed = await store.list()
    assert [one.goal_id for one in listed] == [goal_id(1), goal_id(2), goal_id(3)]
    assert all(one.state is not None and not one.damage for one in listed)
    assert list(await store.names()) == [one.goal_id for one in listed]
    some = await store.list((goal_id(3), goal_id(9), goal_id(1)))
    assert [one.goal_id for one in some] == [goal_id(1), goal_id(3)]


async def test_a_damaged_goal_is_shown_and_the_others_too(store):
    for number in (1, 2):
        await store.create(goal_id(number), a_first_entry(goal_id(number)))
    if isinstance(store, InMemoryGoalStateStore):
        store.journals[goal_id(1)] = store.journals[goal_id(1)].replace(b"sums", b"bums")
    else:
        path = journal_of(store, goal_id(1))
        path.write_bytes(path.read_bytes().replace(b"sums", b"bums"))
        store = reopened(store)
    damaged, whole = await store.list()
    assert len(await store.names()) == 2
    assert damaged.goal_id == goal_id(1) and damaged.state is None
    assert "damaged in line 2" in damaged.damage
    assert whole.state is not None
    with pytest.raises(JournalDamaged):
        await store.head(goal_id(1))


async def test_what_verifies_of_a_damaged_goal_is_given_with_the_damage(store):
    await begin(store, STARTED, VERIFYING)
    whole = list(await store.entries(GOAL))
    assert await store.salvage(GOAL) == (tuple(whole), "")
    if isinstance(store, InMemoryGoalStateStore):
        store.journals[GOAL] = store.journals[GOAL].replace(b"verification", b"vindication")
    else:
        path = journal_of(store)
        path.write_bytes(path.read_bytes().replace(b"verification", b"vindication"))
    entries, damage = await store.salvage(GOAL)
    assert list(entries) == whole[:2] and "damaged in line 4" in damage
    with pytest.raises(GoalNotFound):
        await store.salvage(goal_id(7))


async def test_objects_have_their_digest_as_name(store):
    name = await store.write_object(b"a log")
    assert name == hashlib.sha256(b"a log").hexdigest()
    assert await store.write_object(b"a log") == name
    assert await store.read_object(name) == b"a log"
    for unknown in ("0" * 64, "../events.jsonl", ""):
        with pytest.raises(GoalNotFound):
            await store.read_object(unknown)


async def test_a_damaged_object_is_not_given(store):
    name = await store.write_object(b"a log")
    if isinstance(store, InMemoryGoalStateStore):
        store.objects[name] = b"a lie"
    else:
        path = store.root / "objects" / name
        path.chmod(0o600)
        path.write_bytes(b"a lie")
    with pytest.raises(JournalDamaged):
        await store.read_object(name)


async def test_one_runner_at_a_time(store):
    await begin(store)
    assert not await store.is_running(GOAL)
    with store.runner_lock(GOAL):
        assert await store.is_running(GOAL)
        with pytest.raises(GoalBusy), store.runner_lock(GOAL):
            pass
        assert await store.is_running(GOAL)
    assert not await store.is_running(GOAL)
    with store.runner_lock(GOAL):
        pass


async def test_nobody_runs_a_goal_that_is_not_there(store):
    with pytest.raises(GoalNotFound), store.runner_lock(GOAL):
        pass
    with pytest.raises(GoalNotFound):
        await store.is_running(GOAL)


DELIVERED = e.GoalDelivered(branch="goal/x", commit=OTHER)
NO_SUCH_TASK = e.TaskStarted(task="nope", attempt=1, base_commit=BASE)


async def test_what_cannot_follow_is_not_written(store):
    await begin(store, STARTED)
    for event in (DELIVERED, NO_SUCH_TASK):
        with pytest.raises(ImpossibleEvent):
            await store.append(GOAL, next_entry(*await store.head(GOAL), event))
    assert (await store.head(GOAL))[0].seq == 2


@pytest.mark.parametrize(
    ("groups", "line"),
    [
        ([(a_goal_created(), planned()), (DELIVERED,)], 3),
        ([(a_goal_created(), planned()), (STARTED,), (NO_SUCH_TASK,)], 4),
        ([(a_goal_created(), planned()), (a_goal_created(),)], 3),
        ([(STARTED,)], 2),
        ([(a_goal_created(goal_id(9)), planned())], 2),
    ],
    ids=["impossible", "no such task", "created twice", "never created", "another goal"],
)
async def test_a_well_chained_history_that_cannot_be_is_damage(store, groups, line):
    await store.create(goal_id(1), a_first_entry(goal_id(1)))
    data = header_line(GOAL) + b"".join(map(encode_entry, entries_of(groups)))
    if isinstance(store, InMemoryGoalStateStore):
        store.journals[GOAL] = data
    else:
        journal_of(store).parent.mkdir()
        journal_of(store).write_bytes(data)
    listed = {one.goal_id: one for one in await store.list()}
    assert listed[goal_id(1)].state is not None
    assert f"damaged in line {line}" in listed[GOAL].damage
    with pytest.raises(JournalDamaged):
        await store.head(GOAL)


async def test_two_that_change_a_goal_at_once_both_do(store):
    await begin(store, STARTED)
    told = []
    command = Record((VERIFYING,))
    await asyncio.gather(
        *(
            transact(store, GOAL, command, CLOCK, lambda _, entry: told.append(entry.seq))
            for _ in range(10)
        )
    )
    assert sorted(told) == list(range(3, 13))
    assert [entry.seq for entry in await store.entries(GOAL)] == list(range(1, 13))


def start_appending(store, count):
    return subprocess.Popen(
        [sys.executable, "-c", APPENDER, str(store.root), str(count)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


async def test_two_processes_lose_nothing(disk):
    await begin(disk, STARTED)
    both = [start_appending(disk, 50) for _ in range(2)]
    acknowledged = []
    for process in both:
        said, _ = process.communicate(timeout=100)
        assert process.returncode == 0
        acknowledged += said.split()[1:]
    assert sorted(map(int, acknowledged)) == list(range(3, 103))
    state, _ = await disk.head(GOAL)
    assert state.seq == 102
    parsed = parse_journal(journal_of(disk).read_bytes(), GOAL)
    assert parsed.good == journal_of(disk).stat().st_size


async def test_a_process_killed_while_it_appends_loses_nothing_acknowledged(disk):
    await begin(disk, STARTED)
    for death in range(20):
        process = start_appending(disk, 100_000)
        assert process.stdout is not None
        process.stdout.readline()
        for _ in range(death):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        acknowledged = [int(line) for line in process.stdout.read().split("\n")[:-1]]
        process.stdout.close()
        process.wait()
        state, _ = await reopened(disk).head(GOAL)
        assert state.seq >= max(acknowledged, default=0)
    await transact(disk, GOAL, Record((VERIFYING,)), CLOCK)


@pytest.mark.parametrize("torn", [b"0123 torn", b"0123 torn" * 1000], ids=["short", "long"])
async def test_a_torn_tail_is_not_read_and_is_cut_by_the_next_append(disk, torn):
    await begin(disk, STARTED)
    whole = journal_of(disk).read_bytes()
    journal_of(disk).write_bytes(whole + torn)
    other = reopened(disk)
    assert (await other.head(GOAL))[0].seq == 2
    assert journal_of(disk).read_bytes() == whole + torn
    for store in (other, disk):
        await store.append(GOAL, next_entry(*await store.head(GOAL), VERIFYING))
    data = journal_of(disk).read_bytes()
    assert data.startswith(whole) and b"torn" not in data
    assert len(parse_journal(data, GOAL).entries) == 4


async def test_a_journal_of_a_header_alone_is_no_goal(disk):
    await begin(disk)
    path = journal_of(disk)
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    (listed,) = await reopened(disk).list()
    assert listed.state is None and "never created" in listed.damage


async def test_a_journal_that_was_put_back_from_a_copy_is_read_anew(disk):
    await begin(disk)
    copy = journal_of(disk).read_bytes()
    await disk.append(GOAL, next_entry(*await disk.head(GOAL), STARTED))
    journal_of(disk).unlink()
    journal_of(disk).write_bytes(copy)
    assert (await disk.head(GOAL))[0].seq == 1


async def test_another_and_longer_journal_in_its_place_is_read_anew(disk):
    await begin(disk)
    groups = [(a_goal_created(text="Another text"), planned()), (STARTED,), (VERIFYING,)]
    data = header_line(GOAL) + b"".join(map(encode_entry, entries_of(groups)))
    new = journal_of(disk).with_name("new")
    new.write_bytes(data)
    new.replace(journal_of(disk))
    state, _ = await disk.head(GOAL)
    assert (state.created.text, state.seq) == ("Another text", 3)


async def test_a_journal_that_was_edited_in_place_is_read_anew_and_refused(disk):
    await begin(disk)
    entry = next_entry(*await disk.head(GOAL), STARTED)
    path = journal_of(disk)
    path.write_bytes(path.read_bytes().replace(b"sums", b"bums"))
    with pytest.raises(JournalDamaged):
        await disk.append(GOAL, entry)
    (listed,) = await disk.list()
    assert "damaged in line 2" in listed.damage


@pytest.mark.parametrize("there", ["a folder", "a loop", "nothing"])
async def test_what_is_no_journal_does_not_hide_the_others(disk, there):
    await disk.create(goal_id(1), a_first_entry(goal_id(1)))
    path = journal_of(disk)
    if there == "a folder":
        path.mkdir(parents=True)
    else:
        path.parent.mkdir()
        if there == "a loop":
            path.symlink_to(path.name)
    *damaged, whole = await disk.list()
    assert whole.state is not None
    assert [one.state for one in damaged] == ([] if there == "nothing" else [None])
    assert all("cannot be read" in one.damage for one in damaged)


async def test_a_lock_that_leads_elsewhere_is_refused(disk, tmp_path):
    await begin(disk)
    entry = next_entry(*await disk.head(GOAL), STARTED)
    for name in ("runner.lock", "journal.lock"):
        lock = journal_of(disk).with_name(name)
        lock.unlink(missing_ok=True)
        lock.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreUnwritable, match="cannot be locked"):
        await disk.is_running(GOAL)
    with pytest.raises(StoreUnwritable, match="cannot be locked"):
        await disk.append(GOAL, entry)
    assert not (tmp_path / "elsewhere").exists()


def head_of(store):
    return journal_of(store).with_name("head.json")


@pytest.fixture
def read_whole(monkeypatch):
    """The goals whose journals were parsed from the beginning."""
    parsed = []

    def parse(data, name):
        parsed.append(name)
        return read_journal(data, name)

    monkeypatch.setattr(persistence, "read_journal", parse)
    return parsed


async def test_a_list_reads_no_journal_of_a_goal_that_rests(disk, read_whole):
    await begin(disk, STARTED, e.GoalPaused(reason="asked"))
    read_whole.clear()
    other = reopened(disk)
    for _ in range(2):
        (listed,) = await other.list()
        assert listed.state == (await disk.head(GOAL))[0]
    assert read_whole == []
    await disk.append(GOAL, next_entry(*await disk.head(GOAL), e.GoalResumed()))
    (listed,) = await other.list()
    assert listed.state is not None and listed.state.status is GoalStatus.RUNNING
    assert read_whole == [GOAL]


def gone(head, journal):
    head.unlink()


def torn(head, journal):
    head.write_bytes(head.read_bytes()[:-2])


def flipped(head, journal):
    head.write_bytes(head.read_bytes().replace(b'"planned"', b'"blessed"'))


def forged(head, journal):
    text = head.read_bytes()[65:-1].replace(b'"status":"planned"', b'"status":"nothing"')
    head.write_bytes(hashlib.sha256(text).hexdigest().encode() + b" " + text + b"\n")


def of_another_goal(head, journal):
    head.write_bytes((journal.parents[1] / goal_id(1) / "head.json").read_bytes())


def older(head, journal):
    stamp = journal.stat()
    os.utime(journal, ns=(stamp.st_atime_ns, stamp.st_mtime_ns + 1))


def a_folder(head, journal):
    head.unlink()
    head.mkdir()


@pytest.mark.parametrize(
    "harm",
    [gone, torn, flipped, forged, of_another_goal, older, a_folder],
    ids=lambda f: f.__name__,
)
async def test_a_head_in_doubt_is_not_believed(disk, harm, read_whole):
    for name in (goal_id(1), GOAL):
        await disk.create(name, a_first_entry(name))
    true = await disk.list()
    harm(head_of(disk), journal_of(disk))
    read_whole.clear()
    assert await reopened(disk).list() == true
    assert read_whole == [GOAL]
    for status in ("running", "again"):  # and whoever changes the goal is not held up by it
        event = STARTED if status == "running" else e.GoalPaused(reason="asked")
        await disk.append(GOAL, next_entry(*await disk.head(GOAL), event))


async def test_a_journal_damaged_under_its_head_is_listed_as_damaged(disk):
    await begin(disk, STARTED, e.GoalPaused(reason="asked"))
    path = journal_of(disk)
    path.write_bytes(path.read_bytes().replace(b"sums", b"bums"))
    (listed,) = await reopened(disk).list()
    assert listed.state is None and "damaged in line 2" in listed.damage


async def test_a_last_line_that_is_not_the_heads_is_noticed_whatever_the_clock_says(disk):
    await begin(disk)
    path, before = journal_of(disk), journal_of(disk).stat()
    other = a_goal_created(text="Make bums right")
    for data in (
        path.read_bytes().replace(b"sums", b"bums"),
        header_line(GOAL) + encode_entry(entries_of([(other, planned())])[0]),
    ):
        assert len(data) == before.st_size
        path.write_bytes(data)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        (listed,) = await reopened(disk).list()
        assert listed.state is None or listed.state.created.text == other.text


async def test_a_disk_that_fails_to_sync_ends_the_writing(disk, monkeypatch):
    await begin(disk, STARTED)
    before = journal_of(disk).read_bytes()
    command = Record((VERIFYING,))

    def fail(descriptor):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(appending.os, "fsync", fail)
        with pytest.raises(StoreUnwritable, match="Input/output"):
            await transact(disk, GOAL, command, CLOCK)
    assert journal_of(disk).read_bytes() == before
    assert (await transact(reopened(disk), GOAL, command, CLOCK)).seq == 3


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC])
async def test_a_disk_that_takes_nothing_is_said_to(disk, monkeypatch, number):
    await begin(disk, STARTED)

    def refuse(descriptor, data, offset):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(appending.os, "pwrite", refuse)
    with pytest.raises(StoreUnwritable, match=os.strerror(number)):
        await transact(disk, GOAL, Record((VERIFYING,)), CLOCK)
    monkeypatch.undo()
    assert (await disk.head(GOAL))[0].seq == 2


async def test_a_goal_that_could_not_be_created_is_not_there(disk, monkeypatch):
    def refuse(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, "fsync", refuse)
        for _ in range(2):
            with pytest.raises(StoreUnwritable, match="No space"):
                await disk.create(GOAL, a_first_entry())
    with pytest.raises(GoalNotFound):
        await disk.head(GOAL)
    assert list(await disk.list()) == []
    await begin(disk)


async def test_a_file_where_the_store_should_be_is_unwritable(tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    store = FileSystemGoalStateStore(tmp_path / "file")
    with pytest.raises(StoreUnwritable):
        await store.create(GOAL, a_first_entry())
    with pytest.raises(StoreUnwritable):
        await store.write_object(b"x")
    assert list(await store.list()) == []
    store.close()


async def test_goals_and_objects_are_for_the_person_alone(disk):
    await begin(disk)
    name = await disk.write_object(b"x")
    assert journal_of(disk).stat().st_mode & 0o777 == 0o600
    assert journal_of(disk).parent.stat().st_mode & 0o777 == 0o700
    assert (disk.root / "objects" / name).stat().st_mode & 0o222 == 0
