"""How far a goal was written here, remembered outside the store: a shorter journal has lost something.

A journal's chain shows what was changed in it, and not that its end is gone or that all of it is
another one.  An anchor is written after the journal's fsync and never before: it may lag behind.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from zlib import crc32

from goal_engine.types import GoalId

WRITTEN = re.compile(rb"(\d{12}) ([0-9a-f]{64}) ([0-9a-f]{8})\n")


@dataclass(frozen=True, slots=True)
class Anchor:
    """The last entry of a goal that the store is known to have acknowledged."""

    seq: int
    digest: str


def encode_anchor(anchor: Anchor) -> bytes:
    """Return an anchor's bytes: always as many, so that one write replaces the one before."""
    text = b"%012d %s" % (anchor.seq, anchor.digest.encode("ascii"))
    return b"%s %08x\n" % (text, crc32(text))


def parse_anchor(data: bytes) -> Anchor | None:
    """Return the anchor in `data`, `None` for any other bytes: in doubt nothing is called damaged."""
    found = WRITTEN.fullmatch(data)
    if found is None:
        return None
    anchor = Anchor(int(found[1]), found[2].decode("ascii"))
    return anchor if encode_anchor(anchor) == data and anchor.seq else None


def find_lost(anchor: Anchor, last: int, digest: str) -> str:
    """Return what a journal of `last` entries lacks of what was written; empty if it lacks nothing.

    `digest` is that of the entry that the anchor names, where there is one.  The anchor was read
    before the journal was, or an append between the two looks like a loss.
    """
    if lost := max(0, anchor.seq - last):
        return f"its last {lost} entries are gone" if lost > 1 else "its last entry is gone"
    return "" if digest == anchor.digest else f"its entry {anchor.seq} was replaced by another"


def say_lost(goal_id: GoalId, anchor: Anchor, last: int, digest: str, place: object) -> str:
    """Return `find_lost` as a paragraph; the anchor is kept at `place`."""
    lost = find_lost(anchor, last, digest)
    return lost and (
        f"The journal of {goal_id} is damaged: {lost}, although it was written here. Nothing was "
        f"changed: put back a copy of its events.jsonl that has it, or remove {place} to take the "
        "journal as it is; other goals are not concerned."
    )
