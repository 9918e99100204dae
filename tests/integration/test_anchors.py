"""A journal that lost its end, or became another one, is noticed: what was written is remembered elsewhere.

Rows D07 and I03 of the reliability table: every cut of 1..n last entries, a fork, another file.
"""

from __future__ import annotations

import os
import shutil

import pytest

from goal_engine.errors import JournalDamaged, StoreUnwritable
from goal_engine.runtime.anchors import Anchors
from goal_engine.state import events as e
from goal_engine.state.anchor import Anchor, encode_anchor, find_lost, parse_anchor
from goal_engine.state.journal import encode_entry, header_line, parse_journal
from goal_engine.state.persistence import FileSystemGoalStateStore
from tests.builders import GOAL, TREE, a_first_entry, next_entry

VERIFYING = e.VerificationStarted(tree=TREE)
EVENTS = (e.GoalStarted(), *(VERIFYING for _ in range(5)))


@pytest.fixture
def opened(tmp_path):
    stores = []

    def reopen():
        anchors = Anchors(lambda: tmp_path / "state" / "anchors")
        stores.append(FileSystemGoalStateStore(tmp_path / "store", anchors))
        return stores[-1]

    yield reopen
    for store in stores:
        store.close()


@pytest.fixture
async def store(opened):
    store = opened()
    await store.create(GOAL, a_first_entry())
    for event in EVENTS:
        await store.append(GOAL, next_entry(*await store.head(GOAL), event))
    return store


def journal_of(store):
    return store.root / "goals" / GOAL / "events.jsonl"


def head_of(store):
    return store.root / "goals" / GOAL / "head.json"


def anchor_of(store):
    place = store._anchors.place(GOAL)
    assert place is not None
    return place


async def check_noticed(store, words):
    """Every way of reading a goal says that it is damaged, and nothing is appended to it."""
    for read in (store.head, store.entries):
        with pytest.raises(JournalDamaged, match=words):
            await read(GOAL)
    [summary] = await store.list()
    assert summary.state is None and words in summary.damage
    _, damage = await store.salvage(GOAL)
    assert words in damage and str(anchor_of(store)) in damage
    before = journal_of(store).read_bytes()
    state, digest = parse_head_of(before)
    with pytest.raises(JournalDamaged, match=words):
        await store.append(GOAL, next_entry(state, digest, VERIFYING))
    assert journal_of(store).read_bytes() == before


def parse_head_of(data):
    from goal_engine.state.evolve import fold_entries

    parsed = parse_journal(data, GOAL)
    return fold_entries(parsed.entries), parsed.digest


CUTS = range(1, len(EVENTS) + 1)


@pytest.mark.parametrize("fresh", [False, True], ids=["same process", "another process"])
@pytest.mark.parametrize("cut", CUTS)
async def test_a_cut_of_the_last_entries_is_noticed(store, opened, cut, fresh):
    lines = journal_of(store).read_bytes().splitlines(keepends=True)
    journal_of(store).write_bytes(b"".join(lines[:-cut]))
    gone = f"its last {cut} entries are gone" if cut > 1 else "its last entry is gone"
    await check_noticed(opened() if fresh else store, gone)


async def test_a_cut_that_brings_the_head_of_that_time_along_is_noticed(opened):
    store = opened()
    await store.create(GOAL, a_first_entry())
    old, there = journal_of(store).read_bytes(), journal_of(store).stat()
    head = head_of(store).read_bytes()
    await store.append(GOAL, next_entry(*await store.head(GOAL), e.GoalStarted()))
    with journal_of(store).open("r+b") as file:  # the same inode, the same size, the same time
        file.truncate(len(old))
    os.utime(journal_of(store), ns=(there.st_atime_ns, there.st_mtime_ns))
    head_of(store).write_bytes(head)
    [summary] = await opened().list()
    assert summary.state is None and "its last entry is gone" in summary.damage


def fork(lines, at):
    """The lines up to entry `at`, and then as many others, as well chained."""
    kept = b"".join(lines[: at + 1])
    state, digest = parse_head_of(kept)
    made = [kept]
    for _ in lines[at + 1 :]:
        entry = next_entry(state, digest, e.GoalStarted() if state.seq == 1 else VERIFYING)
        entry = entry.changed(cause="Other")
        made.append(encode_entry(entry))
        state, digest = parse_head_of(b"".join(made))
    return b"".join(made)


@pytest.mark.parametrize("at", range(1, len(EVENTS)))
async def test_a_fork_is_noticed(store, opened, at):
    lines = journal_of(store).read_bytes().splitlines(keepends=True)
    forged = fork(lines, at)
    assert len(parse_journal(forged, GOAL).entries) == len(lines) - 1  # it verifies by itself
    journal_of(store).write_bytes(forged)
    await check_noticed(opened(), "its entry 7 was replaced by another")


async def test_a_longer_fork_is_noticed(store, opened):
    lines = journal_of(store).read_bytes().splitlines(keepends=True)
    journal_of(store).write_bytes(fork([*lines, b"", b""], 3))
    await check_noticed(opened(), "its entry 7 was replaced by another")


async def test_another_file_is_noticed(store, opened):
    other = journal_of(store).with_name("other")
    other.write_bytes(header_line(GOAL) + encode_entry(a_first_entry().changed(cause="Other")))
    other.replace(journal_of(store))
    await check_noticed(opened(), "its last 6 entries are gone")


async def test_a_copy_that_is_put_back_ends_the_damage(store, opened):
    whole = journal_of(store).read_bytes()
    journal_of(store).write_bytes(whole[: whole.rfind(b"\n", 0, -1) + 1])
    again = opened()
    with pytest.raises(JournalDamaged):
        await again.head(GOAL)
    journal_of(store).write_bytes(whole)
    state, digest = await again.head(GOAL)
    await again.append(GOAL, next_entry(state, digest, VERIFYING))


NO_ANCHORS = [
    None,
    b"",
    b"\0" * 86,
    b"7 x\n",
    b"x" * 4096,
    encode_anchor(Anchor(99, "0" * 64))[:-4],
]


@pytest.mark.parametrize("content", NO_ANCHORS)
async def test_a_missing_or_unreadable_anchor_is_no_damage_and_comes_with_the_next_append(
    store, opened, content
):
    place = anchor_of(store)
    place.unlink()
    if content is not None:
        place.write_bytes(content)
    again = opened()
    state, digest = await again.head(GOAL)
    assert not place.exists() or place.read_bytes() == content  # reading writes nothing
    entry = next_entry(state, digest, VERIFYING)
    await again.append(GOAL, entry)
    _, digest = await again.head(GOAL)
    assert parse_anchor(place.read_bytes()) == Anchor(entry.seq, digest)


async def test_an_anchor_that_lags_is_no_damage(store, opened):
    _, digest = await store.head(GOAL)
    entries = await store.entries(GOAL)
    anchor_of(store).write_bytes(encode_anchor(Anchor(3, entries[3].prev)))
    assert (await opened().head(GOAL))[1] == digest
    assert [summary.damage for summary in await opened().list()] == [""]


async def test_an_anchor_that_cannot_be_written_stops_no_append(store, opened):
    folder = anchor_of(store).parent
    shutil.rmtree(folder)
    folder.write_bytes(b"")
    state, digest = await store.head(GOAL)
    await store.append(GOAL, next_entry(state, digest, VERIFYING))
    assert (await opened().head(GOAL))[0].seq == state.seq + 1


async def test_a_goal_whose_folder_was_removed_is_gone_and_can_be_created_again(store, opened):
    shutil.rmtree(journal_of(store).parent)
    again = opened()
    assert list(await again.list()) == []
    await again.create(GOAL, a_first_entry())
    assert (await opened().head(GOAL))[0].seq == 1


async def test_no_anchor_is_written_for_what_was_not_made_durable(store, monkeypatch):
    before = anchor_of(store).read_bytes()

    def fail(descriptor):
        raise OSError(5, "Input/output error")

    state, digest = await store.head(GOAL)
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreUnwritable):
        await store.append(GOAL, next_entry(state, digest, VERIFYING))
    assert anchor_of(store).read_bytes() == before


@pytest.mark.parametrize("seq", [1, 7, 10**11])
def test_an_anchor_reads_as_it_was_written(seq):
    anchor = Anchor(seq, "ab" * 32)
    assert parse_anchor(encode_anchor(anchor)) == anchor
    assert len(encode_anchor(anchor)) == len(encode_anchor(Anchor(0, "0" * 64)))


def test_two_anchors_mixed_are_none():
    one, two = encode_anchor(Anchor(7, "ab" * 32)), encode_anchor(Anchor(8, "cd" * 32))
    for at in range(len(one)):
        mixed = one[:at] + two[at:]
        assert parse_anchor(mixed) is None or mixed in (one, two)


ONE, TWO = "1" * 64, "2" * 64
LOST = [
    (Anchor(3, ONE), 3, ONE, ""),
    (Anchor(3, ONE), 9, ONE, ""),
    (Anchor(3, ONE), 2, "", "its last entry is gone"),
    (Anchor(3, ONE), 0, "", "its last 3 entries are gone"),
    (Anchor(3, ONE), 3, TWO, "its entry 3 was replaced by another"),
    (Anchor(3, ONE), 9, TWO, "its entry 3 was replaced by another"),
]


@pytest.mark.parametrize(("anchor", "last", "digest", "lost"), LOST)
def test_what_a_journal_lacks(anchor, last, digest, lost):
    assert find_lost(anchor, last, digest) == lost
