"""Whatever happens to a journal's bytes is a torn tail or is noticed; parsers that look away are caught."""

from __future__ import annotations

import hashlib
import json

import pytest

from goal_engine.errors import JournalDamaged, NotPossibleNow
from goal_engine.state import events as e
from goal_engine.state import journal as module
from goal_engine.state.events import FORMAT
from goal_engine.state.journal import (
    CANONICAL,
    _encode,
    encode_entry,
    encode_head,
    header_line,
    line_digest,
    parse_entries,
    parse_head,
    parse_journal,
    read_journal,
    read_verified,
)
from tests.builders import GOAL, GROUPS, a_journal, entries_of, goal_id

WHOLE = a_journal()
LINES = WHOLE.splitlines(keepends=True)
ENTRIES = entries_of(GROUPS)


def frame(content) -> bytes:
    text = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    return hashlib.sha256(text).hexdigest().encode() + b" " + text + b"\n"


def is_noticed(data: bytes, *, torn_is_fine: bool = False) -> bool:
    """Whether a changed journal is refused, or (when cut) read as a beginning of the true one."""
    try:
        parsed = parse_journal(data, GOAL)
    except (JournalDamaged, NotPossibleNow):
        return True
    true_beginning = parsed.entries == ENTRIES[: len(parsed.entries)]
    return true_beginning and torn_is_fine and parsed.good < len(data)


def rearrangements():
    """Journals with whole lines gone, doubled, swapped or from another goal."""
    for number in range(1, len(LINES)):
        if number < len(LINES) - 1:
            yield LINES[:number] + LINES[number + 1 :]
            yield [*LINES[:number], LINES[number + 1], LINES[number], *LINES[number + 2 :]]
        yield [*LINES[: number + 1], *LINES[number:]]
    yield LINES[1:]
    yield [header_line(goal_id(5)), *LINES[1:]]


def forgeries():
    """Journals in which one line says something else, its own digest kept or made to fit."""
    for number in range(1, len(LINES)):
        content = json.loads(LINES[number][65:])
        text = LINES[number].replace(b"2026", b"2027", 1)
        yield [*LINES[:number], text, *LINES[number + 1 :]]
        for changed in ({"seq": content["seq"] + 1}, {"prev": "0" * 64}):
            yield [*LINES[:number], frame(content | changed), *LINES[number + 1 :]]


def flips():
    """Journals with one byte changed; what they end in may be a torn line."""
    for place in range(len(WHOLE)):
        for mask in (0x01, 0x80):
            changed = bytearray(WHOLE)
            changed[place] ^= mask
            yield bytes(changed)


def all_are_noticed() -> bool:
    """The harness: the true journal reads, and every false one is noticed."""
    if parse_journal(WHOLE, GOAL).entries != ENTRIES:
        return False
    whole_lines = [*rearrangements(), *forgeries()]
    return all(is_noticed(b"".join(lines)) for lines in whole_lines) and all(
        is_noticed(data, torn_is_fine=True) for data in flips()
    )


def test_a_journal_is_read_as_it_was_written():
    parsed = parse_journal(WHOLE, GOAL)
    assert parsed.entries == ENTRIES
    assert parsed.good == len(WHOLE)
    assert parsed.digest == line_digest(LINES[-1])


def test_a_journal_cut_at_any_byte_keeps_every_whole_line():
    for cut in range(len(WHOLE) + 1):
        data = WHOLE[:cut]
        parsed = parse_journal(data, GOAL)
        lines = data.count(b"\n")
        assert len(parsed.entries) == max(0, lines - 1), cut
        assert parsed.good == data.rfind(b"\n") + 1


def test_the_end_is_read_on_from_where_another_reading_ended():
    middle = len(b"".join(LINES[:4]))
    tail = parse_entries(WHOLE[middle:], GOAL, line_digest(LINES[3]), 4)
    assert tail.entries == ENTRIES[3:] and tail.good == len(WHOLE) - middle


def test_any_byte_that_changes_is_noticed():
    assert all(is_noticed(data, torn_is_fine=True) for data in flips())


def test_lines_that_are_gone_doubled_or_swapped_are_noticed():
    assert all(is_noticed(b"".join(lines)) for lines in rearrangements())


def test_a_forged_line_is_noticed_even_with_a_digest_that_fits():
    assert all(is_noticed(b"".join(lines)) for lines in forgeries())


def test_damage_names_the_line_and_the_goal():
    data = b"".join([*LINES[:3], LINES[3].replace(b"2026", b"2027"), *LINES[4:]])
    with pytest.raises(JournalDamaged, match=f"{GOAL} is damaged in line 4"):
        parse_journal(data, GOAL)


@pytest.mark.parametrize("number", range(1, len(LINES) + 1))
def test_what_stands_before_the_damage_can_still_be_read(number):
    data = [*LINES[: number - 1], b"x" + LINES[number - 1][1:], *LINES[number:]]
    entries, damage = read_verified(b"".join(data), GOAL)
    assert entries == ENTRIES[: max(0, number - 2)]
    assert f"damaged in line {number}: its digest is wrong" in damage


def test_a_whole_journal_has_no_damage_and_a_torn_tail_is_none():
    assert read_verified(WHOLE, GOAL) == (ENTRIES, "")
    assert read_verified(WHOLE + b"0123 torn", GOAL) == (ENTRIES, "")
    entries, damage = read_verified(LINES[0], GOAL)
    assert entries == () and "never created" in damage


def test_a_history_that_cannot_be_is_read_up_to_what_cannot():
    entries = entries_of([*GROUPS[:1], (e.GoalReady(),)])
    data = header_line(GOAL) + b"".join(map(encode_entry, entries))
    good, damage = read_verified(data, GOAL)
    assert good == entries[:1] and "line 3: it cannot have happened" in damage


def test_a_journal_of_a_newer_release_is_refused_and_not_called_damaged():
    newer = frame({"format": FORMAT + 1, "goal": GOAL, "more": True})
    with pytest.raises(NotPossibleNow, match="newer Goalproof"):
        parse_journal(newer + b"whatever\n", GOAL)


def test_an_event_that_nobody_knows_is_damage():
    content = json.loads(LINES[1][65:])
    content["events"] = [{"type": "goal.blessed"}]
    with pytest.raises(JournalDamaged, match="does not know"):
        parse_journal(LINES[0] + frame(content), GOAL)


@pytest.mark.parametrize("version", ["1", None, [], {}, -1, 0, True, 1.5])
def test_a_header_without_a_version_is_damage(version):
    with pytest.raises(JournalDamaged, match="line 1"):
        parse_journal(frame({"format": version, "goal": GOAL, "x": 1}), GOAL)


def deep(depth: int = 200_000) -> bytes:
    text = b"[" * depth + b"]" * depth
    return hashlib.sha256(text).hexdigest().encode() + b" " + text + b"\n"


@pytest.mark.parametrize(
    "line",
    [b"\n", b"x\n", b"[]\n", frame([]), frame(3), frame("x"), deep()],
    ids=["empty", "x", "list", "framed list", "number", "text", "deep"],
)
def test_a_line_that_is_no_entry_is_damage(line):
    with pytest.raises(JournalDamaged):
        parse_journal(LINES[0] + line, GOAL)


def test_the_same_entry_always_has_the_same_line():
    for entry, line in zip(ENTRIES, LINES[1:], strict=True):
        assert encode_entry(entry) == line


def without_digest(line, goal, number):
    try:
        content = json.loads(line[65:-1])
    except ValueError as error:
        raise JournalDamaged("x") from error
    if not isinstance(content, dict):
        raise JournalDamaged("x")
    return content


def without_prev(data, start, goal, digest, seq):
    """Reads lines one by one and lets each say what it follows."""
    while end := data.find(b"\n", start) + 1:
        line = data[start:end]
        content = module._unframe(line, goal, seq + 1)
        yield module.JournalEntry.model_validate(content), end, line_digest(line)
        start = end


@pytest.mark.parametrize(
    ("piece", "mutant"), [("_unframe", without_digest), ("_walk", without_prev)]
)
def test_a_parser_that_looks_away_is_caught(piece, mutant, monkeypatch):
    assert all_are_noticed()
    monkeypatch.setattr(module, piece, mutant)
    assert not all_are_noticed()


ODD = {
    "z": [1.5, -0.0, 1e300, 10**30, True, None],
    "a": {"ü": '\u2028 \x00 \U0001f600 "\\/', "": {}},
    "m": [],
}


def test_a_line_is_encoded_as_the_canonical_encoder_does():
    assert _encode(ODD) == CANONICAL.encode(ODD).encode()
    with pytest.raises(TypeError):
        _encode({"a": object()})


def test_goals_that_are_read_from_their_heads_share_the_names_of_their_fields():
    def read(state):
        head = encode_head(state, LINES[-1][:64].decode(), (1, 2, 3))
        found = parse_head(head, LINES[-1], (1, 2, 3), GOAL)
        assert found == state
        return found

    whole = read_journal(WHOLE, GOAL).state
    one, other = read(whole), read(whole.changed(pause_reason="other"))
    for of in (
        lambda s: s,
        lambda s: s.created,
        lambda s: s.graph.tasks[0],
        lambda s: s.tasks["fix"],
    ):
        assert of(one).model_fields_set is of(other).model_fields_set
        assert of(one).model_fields_set == of(one).model_dump().keys() | of(one).model_fields_set
    before = one.created.model_fields_set.copy()
    assert one.created.changed(text="another").model_fields_set == before
    assert one.created.model_fields_set == before
