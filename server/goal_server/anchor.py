"""Where a goal's lens hangs in a buffer: pure, so that every case is a line in a test."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum


class AnchorMode(StrEnum):
    """How a buffer relates to a change."""

    PROPOSED = "proposed"
    """The buffer is as the change found it."""
    PRESENT = "present"
    """The buffer is as the change leaves it."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A place in the buffer: `line` counts from 0; additions and deletions are lines."""

    mode: AnchorMode
    line: int
    additions: int
    deletions: int


def find_anchor(base: str | None, head: str | None, buffer: str) -> Anchor | None:
    """Return where the lens goes, `None` when the buffer is neither `base` nor `head`.

    `None` for `base` or `head` is a file that is not there; an empty buffer stands for it too.
    """
    before, after = (base or "").splitlines(), (head or "").splitlines()
    there = buffer.splitlines()
    if before == after or there not in (before, after):
        return None
    changes = [
        code for code in SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
        if code[0] != "equal"
    ]  # fmt: skip
    proposed = there == before
    first = changes[0]
    return Anchor(
        mode=AnchorMode.PROPOSED if proposed else AnchorMode.PRESENT,
        line=max(0, min(first[1] if proposed else first[3], len(there) - 1)),
        additions=sum(code[4] - code[3] for code in changes),
        deletions=sum(code[2] - code[1] for code in changes),
    )
