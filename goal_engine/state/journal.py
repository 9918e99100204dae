"""A journal's bytes: `sha256 SP json LF` a line, each naming the one before it.

A line counts only once its newline is there.  An unfinished last line is a crash and is cut; all
else that does not verify is damage, which is reported and never repaired.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from json.encoder import (  # type: ignore[attr-defined]
    c_make_encoder,
    encode_basestring_ascii,
)
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from goal_engine.errors import JournalDamaged, NotPossibleNow
from goal_engine.state.events import FORMAT, JournalEntry
from goal_engine.state.evolve import ImpossibleEvent, fold_entries
from goal_engine.state.model import GoalState
from goal_engine.types import GoalId, share_names

HEAD = 3
"""The version of the cached goal: raised when the same events mean another state."""
CANONICAL = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=True, check_circular=False
)
RECENT = 64
"""Entries at a journal's end that are kept in memory, for those who follow it."""


Stamp = tuple[int, int, int]
"""A journal file's inode, size in bytes and time of change in nanoseconds."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a journal holds."""

    entries: tuple[JournalEntry, ...]
    digest: str
    """Of the last whole line."""
    good: int
    """Bytes up to the end of the last whole line; what follows is a torn tail."""


@dataclass(frozen=True, slots=True)
class Journal:
    """A journal as far as it was read: the goal, and where its entries are."""

    state: GoalState
    digest: str
    """Of the last whole line."""
    size: int
    """Bytes up to the end of the last whole line; what follows is a torn tail."""
    starts: array[int] = field(compare=False)
    """Where each entry's line starts; the journal that follows this one goes on with it."""
    recent: tuple[JournalEntry, ...] = field(compare=False)
    """The last entries."""

    def followed_by(self, entry: JournalEntry, line: bytes, state: GoalState) -> Journal:
        """Return the journal after `line`, which holds `entry`, which leads to `state`."""
        self.starts.append(self.size)
        recent = (*self.recent[1 - RECENT :], entry)
        return Journal(state, line_digest(line), self.size + len(line), self.starts, recent)


def header_line(goal_id: GoalId) -> bytes:
    """Return the first line of a goal's journal."""
    return _frame({"format": FORMAT, "goal": goal_id})


def header_digest(goal_id: GoalId) -> str:
    """Return the digest that a goal's first entry names as the line before it."""
    return line_digest(header_line(goal_id))


def encode_entry(entry: JournalEntry) -> bytes:
    """Return the line of an entry."""
    return _frame(entry.model_dump(mode="json"))


def line_digest(line: bytes) -> str:
    """Return the digest that stands at the start of a line."""
    return line[:64].decode("ascii")


def _frame(content: dict[str, Any]) -> bytes:
    text = _encode(content)
    return hashlib.sha256(text).hexdigest().encode() + b" " + text + b"\n"


def _make_encoder() -> Callable[[dict[str, Any]], str]:
    """Return `CANONICAL.encode` for objects, made ready once: it is called for each line that is read."""
    c = CANONICAL
    if c_make_encoder is None:  # another Python than CPython
        return c.encode
    encode = c_make_encoder(
        *(None, c.default, encode_basestring_ascii, None, c.key_separator, c.item_separator),
        *(c.sort_keys, c.skipkeys, c.allow_nan),
    )
    return lambda content: "".join(encode(content, 0))


_CANONICAL = _make_encoder()


def _encode(content: dict[str, Any]) -> bytes:
    return _CANONICAL(content).encode("ascii")


def newer(goal_id: GoalId, version: int) -> str:
    """Return the refusal of what a newer release wrote."""
    return (
        f"{goal_id} was written by a newer Goalproof (journal format {version}, "
        f"this one reads {FORMAT}): update Goalproof to work with it."
    )


def parse_journal(data: bytes, goal_id: GoalId) -> Parsed:
    """Return the entries of a whole journal.  Raises `JournalDamaged`; see `parse_entries`."""
    start = _parse_header(data, goal_id)
    return _collect(start, _walk(data, start, goal_id, header_digest(goal_id), 1), goal_id)


def parse_entries(data: bytes, goal_id: GoalId, digest: str, seq: int) -> Parsed:
    """Return the entries in `data`, which begins where `digest` ended; the first is number `seq`.

    Raises `JournalDamaged` naming the line unless every whole line verifies and follows the last.
    What was written in a newer format is left unread.
    """
    parsed = _collect(0, _walk(data, 0, goal_id, digest, seq), goal_id)
    return parsed if parsed.entries else Parsed((), digest, 0)


def _collect(start: int, lines: Iterable[tuple[JournalEntry, int, str]], goal_id: GoalId) -> Parsed:
    walked = list(lines)
    good, digest = walked[-1][1:] if walked else (start, header_digest(goal_id))
    return Parsed(tuple(entry for entry, _, _ in walked), digest, good)


def read_journal(data: bytes, goal_id: GoalId) -> Journal:
    """Return what a whole journal says.  Raises as `parse_entries` and `replay` do."""
    start = _parse_header(data, goal_id)
    lines = _walk(data, start, goal_id, header_digest(goal_id), 1)
    return _read(lines, start, goal_id, None)


def read_on(data: bytes, goal_id: GoalId, known: Journal) -> Journal:
    """Return what a journal says that goes on with `data` where it was `known`."""
    lines = _walk(data, 0, goal_id, known.digest, known.state.seq + 1)
    return known if known.state.is_newer else _read(lines, 0, goal_id, known)


def _read(
    lines: Iterable[tuple[JournalEntry, int, str]],
    end: int,
    goal_id: GoalId,
    known: Journal | None,
) -> Journal:
    """Entry by entry, so that a long history is never in memory as a whole."""
    state, digest, offset = (known.state, known.digest, known.size) if known else (None, "", 0)
    starts = array("Q", known.starts if known else ())
    recent = deque(known.recent if known else (), RECENT)
    for entry, after, digest in lines:  # noqa: B007 the last one is the journal's
        starts.append(offset + end)
        state = replay((entry,), goal_id, state)
        recent.append(entry)
        end = after
    return Journal(replay((), goal_id, state), digest, offset + end, starts, tuple(recent))


def read_verified(data: bytes, goal_id: GoalId) -> tuple[tuple[JournalEntry, ...], str]:
    """Return the entries before the first damage, and what is damaged; `""` where nothing is.

    What a person may still look at: every one of them verifies and could happen after the last.
    Raises `NotPossibleNow` for the journal of a newer release.
    """
    entries: list[JournalEntry] = []
    state: GoalState | None = None
    try:
        start = _parse_header(data, goal_id)
        for entry, _, _ in _walk(data, start, goal_id, header_digest(goal_id), 1):
            state = replay((entry,), goal_id, state)
            entries.append(entry)
        replay((), goal_id, state)
    except JournalDamaged as error:
        return tuple(entries), error.paragraph
    return tuple(entries), ""


def _parse_header(data: bytes, goal_id: GoalId) -> int:
    """Return where the first line ends; 0 when it is not whole."""
    end = data.find(b"\n") + 1
    if end == 0:
        return 0
    content = _unframe(data[:end], goal_id, 1)
    version = content.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise NotPossibleNow(newer(goal_id, version))
    if data[:end] != header_line(goal_id):
        raise _damaged(goal_id, 1, "it is not the header of this goal")
    return end


def _walk(
    data: bytes, start: int, goal_id: GoalId, digest: str, seq: int
) -> Iterator[tuple[JournalEntry, int, str]]:
    """Yield each entry, where its line ends, and the line's digest."""
    while end := data.find(b"\n", start) + 1:
        line = data[start:end]
        content = _unframe(line, goal_id, seq + 1)
        try:
            entry = JournalEntry.model_validate(content)
        except ValidationError as error:
            why = f"it holds what this version does not know ({error.errors()[0]['msg']})"
            raise _damaged(goal_id, seq + 1, why) from error
        if entry.prev != digest or entry.seq != seq:
            raise _damaged(goal_id, seq + 1, "it does not follow the line before it")
        if entry.creates not in (None, goal_id):
            raise _damaged(goal_id, seq + 1, "it creates another goal")
        digest = line_digest(line)
        yield entry, end, digest
        if entry.raises_format:
            return  # what follows is not for this version to judge
        start, seq = end, seq + 1


def replay(
    entries: tuple[JournalEntry, ...], goal_id: GoalId, state: GoalState | None = None
) -> GoalState:
    """Return the goal after `entries`.  Raises `JournalDamaged` for a history that cannot be."""
    if state is None and not entries:
        raise JournalDamaged(
            f"The journal of {goal_id} ends before its first entry: the goal was never created. "
            "Remove its folder."
        )
    for entry in entries:
        try:
            state = fold_entries((entry,), state)
        except ImpossibleEvent as error:
            raise _damaged(goal_id, entry.seq + 1, f"it cannot have happened ({error})") from error
    assert state is not None
    return state


def encode_head(state: GoalState, digest: str, stamp: Stamp) -> bytes:
    """Return a goal as it is cached, beside what its journal looked like then."""
    head = {"head": HEAD, "digest": digest, "stamp": stamp, "state": state.model_dump(mode="json")}
    return _frame(head)


def parse_head(data: bytes, tail: bytes, stamp: Stamp, goal_id: GoalId) -> GoalState | None:
    """Return the cached goal, or `None` on any doubt that its journal, ending in `tail`, says so."""
    last = tail[tail.rfind(b"\n", 0, -1) + 1 :]
    try:
        head, entry = _unframe(data, goal_id, 1), _unframe(last, goal_id, 1)
        state = GoalState.model_validate(head.get("state"))
    except (JournalDamaged, ValidationError):
        return None
    true = (HEAD, line_digest(last), list(stamp), entry.get("seq"), goal_id)
    said = (head.get("head"), head.get("digest"), head.get("stamp"), state.seq, state.goal_id)
    if said != true:
        return None
    share_names((state, state.graph.tasks))
    return state


def _unframe(line: bytes, goal_id: GoalId, number: int) -> dict[str, Any]:
    digest, space, text = line[:64], line[64:65], line[65:-1]
    if space != b" " or hashlib.sha256(text).hexdigest().encode() != digest:
        raise _damaged(goal_id, number, "its digest is wrong")
    try:
        content = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise _damaged(goal_id, number, "it is not JSON") from error
    if not isinstance(content, dict) or line[-1:] != b"\n" or _encode(content) != text:
        raise _damaged(goal_id, number, "it is not written as Goalproof writes")
    return content


def _damaged(goal_id: GoalId, number: int, why: str) -> JournalDamaged:
    return JournalDamaged(
        f"The journal of {goal_id} is damaged in line {number}: {why}. Nothing was changed: put "
        f"back a copy of its events.jsonl if you have one; `goalproof replay {goal_id}` tells what "
        "still verifies, and other goals are not concerned."
    )
