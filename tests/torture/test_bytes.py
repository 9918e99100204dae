"""A journal that is cut, flipped or put together anew at any byte is cut or refused, never believed (D06, D07)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from goal_engine.errors import GoalError, JournalDamaged
from goal_engine.state.journal import (
    CANONICAL,
    encode_entry,
    header_line,
    line_digest,
    parse_journal,
    read_verified,
)
from tests.builders import GOAL, GROUPS, a_goal_created, a_journal, entries_of, goal_id, planned
from tests.torture.checks import find_faults
from tests.torture.jobs import ANCHORS, open_store, prepare

WHOLE = a_journal()
LINES = WHOLE.splitlines(keepends=True)
ENDS = [sum(map(len, LINES[: count + 1])) for count in range(len(LINES))]
"""Where each line ends."""
MASKS = (0x01, 0x20, 0x80)
STRIDE = 41
"""Every so many bytes are tried on a real store where there is little time."""

Reader = Callable[[bytes], tuple[list[str], int]]
"""Gives the digests of the entries' lines, and where the last whole line ends.  Raises `JournalDamaged`."""


def read(data: bytes) -> tuple[list[str], int]:
    parsed = parse_journal(data, GOAL)
    return [line_digest(encode_entry(entry)) for entry in parsed.entries], parsed.good


def sealed(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest().encode() + b" " + text + b"\n"


def digests_unchecked(data: bytes) -> tuple[list[str], int]:
    """Believe each line, whatever its digest says."""
    *lines, tail = data.split(b"\n")
    return read(b"".join(sealed(line[65:]) for line in lines) + tail)


def chain_unchecked(data: bytes) -> tuple[list[str], int]:
    """Believe each line that verifies, whatever line came before it."""
    header, *lines = data.splitlines(keepends=True)
    chained = [header]
    for seq, line in enumerate(lines, 1):
        if line.endswith(b"\n") and sealed(line[65:-1]) == line:
            content = json.loads(line[65:])
            content.update(prev=line_digest(chained[-1]), seq=seq)
            line = sealed(CANONICAL.encode(content).encode())
        chained.append(line)
    return read(b"".join(chained))


def tails_counted(data: bytes) -> tuple[list[str], int]:
    """Take a line for whole though its newline is not there."""
    return read(data if data.endswith(b"\n") or not data else data + b"\n")


def find_cut_faults(reader: Reader) -> Iterator[str]:
    """Say where a journal that was cut is not read as its whole lines."""
    every = [line_digest(line) for line in LINES[1:]]
    for size in range(len(WHOLE) + 1):
        whole = [end for end in ENDS if end <= size]
        expected = every[: max(0, len(whole) - 1)], whole[-1] if whole else 0
        try:
            if reader(WHOLE[:size]) != expected:
                yield f"cut to {size} bytes it is read as something else"
        except JournalDamaged as error:
            yield f"cut to {size} bytes it is refused: {error.paragraph}"


def find_flip_faults(reader: Reader) -> Iterator[str]:
    """Say which changed byte is believed.  Only the last newline may turn a line into a torn tail."""
    for at in range(len(WHOLE)):
        for mask in MASKS:
            data = bytearray(WHOLE)
            data[at] ^= mask
            try:
                read_, _ = reader(bytes(data))
            except GoalError:
                continue
            if at < len(WHOLE) - 1 or len(read_) != len(LINES) - 2:
                yield f"byte {at} with {mask:#x} is believed"


def forge(line: bytes, **changes: object) -> bytes:
    """Return a line that says something else, with a digest that is right."""
    content = json.loads(line[65:])
    return sealed(CANONICAL.encode({**content, **changes}).encode())


def find_splice_faults(reader: Reader) -> Iterator[str]:
    """Say which of the journals that were put together from good lines is believed."""
    other = goal_id(9)
    groups = [(a_goal_created(other), planned()), *GROUPS[1:]]
    stranger = [header_line(other), *map(encode_entry, entries_of(groups, other))]
    for at in range(len(LINES)):
        before, line, after = LINES[:at], LINES[at], LINES[at + 1 :]
        spliced = {
            "twice": [*before, line, line, *after],
            "of another goal": [*before, stranger[at], *after],
        }
        if after:
            spliced["left out"] = [*before, *after]
            spliced["after the next"] = [*before, after[0], line, *after[1:]]
            spliced["forged"] = [*before, forge(line, cause="Forged"), *after]
        for name, lines in spliced.items():
            try:
                reader(b"".join(lines))
            except GoalError:
                continue
            yield f"line {at + 1} {name} is believed"


FINDERS = (find_cut_faults, find_flip_faults, find_splice_faults)


@pytest.mark.parametrize("finder", FINDERS, ids=lambda finder: finder.__name__)
def test_a_reader_believes_whole_true_lines_alone(finder):
    assert not list(finder(read))


@pytest.mark.parametrize(
    ("mutant", "finder"),
    [
        (digests_unchecked, find_flip_faults),
        (chain_unchecked, find_splice_faults),
        (tails_counted, find_cut_faults),
    ],
)
def test_a_reader_that_believes_too_much_is_caught(mutant, finder):
    assert next(finder(mutant), None)


def test_what_can_still_be_read_of_a_damaged_journal_ends_before_the_damage():
    whole = parse_journal(WHOLE, GOAL).entries
    for at in range(0, len(WHOLE) - 1, STRIDE):
        data = bytearray(WHOLE)
        data[at] ^= 0x01
        verified, damage = read_verified(bytes(data), GOAL)
        line = sum(end <= at for end in ENDS) + 1
        assert verified == whole[: max(0, line - 2)] and f"in line {line}:" in damage


def lay(root: Path, data: bytes) -> None:
    """Put a goal's journal where a store has it, whose end nothing else remembers."""
    (root / ANCHORS / GOAL).unlink(missing_ok=True)
    journal = root / "goals" / GOAL / "events.jsonl"
    journal.parent.mkdir(exist_ok=True)
    journal.write_bytes(data)


def told(count: int) -> list[dict]:
    """What somebody was told who appended the first `count` entries."""
    lines = LINES[1 : count + 1]
    return [{"seq": seq, "digest": line_digest(line)} for seq, line in enumerate(lines, 1)]


async def check_cuts(root: Path, sizes: Iterator[int] | range) -> None:
    await prepare(root, "whole")
    for size in sizes:
        whole = sum(end <= size for end in ENDS) - 1
        if whole < 1:
            continue  # it was never created: a crash leaves no such journal, and none is made of it
        lay(root, WHOLE[:size])
        assert not await find_faults(root, told(whole)), f"cut to {size} bytes"


async def check_flips(root: Path, places: range) -> None:
    await prepare(root, "whole")
    for at in places:
        data = bytearray(WHOLE)
        data[at] ^= MASKS[at % len(MASKS)]
        lay(root, bytes(data))
        store = open_store(root)
        damaged = [one.goal_id for one in await store.list() if one.damage]
        assert damaged == [GOAL], f"byte {at}"
        with pytest.raises(JournalDamaged):
            await store.head(GOAL)
        store.close()


async def test_a_store_goes_on_after_the_last_whole_line(memory):
    await check_cuts(memory, range(0, len(WHOLE), STRIDE))


async def test_a_store_shows_a_changed_byte_as_damage_of_that_goal(memory):
    await check_flips(memory, range(0, len(WHOLE) - 1, STRIDE))


@pytest.mark.long
async def test_a_store_goes_on_wherever_its_journal_was_cut(memory):
    await check_cuts(memory, range(len(WHOLE) + 1))


@pytest.mark.long
async def test_a_store_shows_whichever_byte_was_changed(memory):
    await check_flips(memory, range(len(WHOLE) - 1))
