"""A change of a text as the fewest whole lines, and which texts an editor keeps byte for byte.

Pure.  Editors have one line ending in a buffer and no byte order mark: a file that is otherwise is
not theirs to change.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

BOM = "\ufeff"
LINES = re.compile(r"[^\r\n]*(?:\r\n|\n)|[^\r\n]+")
ENDINGS = re.compile(r"\r\n|\r|\n")
LONGEST = 20_000
"""Lines up to which what stayed the same within a change is looked for."""


@dataclass(frozen=True, slots=True)
class LineEdit:
    """Lines `start` up to, without, `end` become `text`; lines count from 0."""

    start: int
    end: int
    text: str


def split_lines(text: str) -> list[str]:
    """Return the lines of `text` with their endings."""
    return LINES.findall(text)


def plan_edits(before: str, after: str) -> tuple[LineEdit, ...]:
    """Return the edits, in order, that make `before` to `after`; none where they are the same."""
    old, new = split_lines(before), split_lines(after)
    shorter = min(len(old), len(new))
    head = next((at for at in range(shorter) if old[at] != new[at]), shorter)
    rest = shorter - head
    tail = next((at for at in range(rest) if old[-1 - at] != new[-1 - at]), rest)
    last_old, last_new = len(old) - tail, len(new) - tail
    if head == last_old and head == last_new:
        return ()
    if max(last_old, last_new) - head > LONGEST:
        return (LineEdit(head, last_old, "".join(new[head:last_new])),)
    matcher = SequenceMatcher(None, old[head:last_old], new[head:last_new])
    return tuple(
        LineEdit(head + a, head + b, "".join(new[head + c : head + d]))
        for kind, a, b, c, d in matcher.get_opcodes()
        if kind != "equal"
    )


def decode_text(data: bytes) -> str | None:
    """Return the text of a file that editors keep as it is, `None` for any other."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    endings = set(ENDINGS.findall(text))
    return text if "\0" not in text and len(endings) <= 1 and "\r" not in endings else None


def find_ending(text: str) -> str:
    """Return the line ending of a text, empty where it has none."""
    found = ENDINGS.search(text)
    return found.group() if found else ""


def can_edit(before: str, after: str) -> bool:
    """Whether an editor can make the one to the other: not where every line's ending changes."""
    same_mark = before.startswith(BOM) == after.startswith(BOM)
    endings = {find_ending(before), find_ending(after)} - {""}
    return same_mark and len(endings) <= 1


def is_same_text(buffer: str, text: str) -> bool:
    """Whether a buffer shows `text`: an editor may hold its line endings and mark otherwise."""
    return buffer == text or _plain(buffer) == _plain(text)


def _plain(text: str) -> str:
    plain = ENDINGS.sub("\n", text.removeprefix(BOM))
    return "" if plain == "\n" else plain  # Vim has no buffer without a line
