"""What comes from agents, repositories, gates and files is data: a terminal obeys none of it."""

from __future__ import annotations

import re

HIDDEN = {
    *range(0x20),
    *range(0x7F, 0xA0),
    0x061C,
    *range(0x200B, 0x2010),
    *range(0x2028, 0x202F),
    *range(0x2060, 0x2070),
    0xFEFF,
    *range(0xFFF9, 0xFFFC),
    *range(0xD800, 0xE000),
    *range(0xE0000, 0xE0080),
}
"""Control, bidi, zero-width, tag and surrogate code points."""

WORKFLOW = re.compile(r"^([^\S\n]*):(?=:)|##(?=\[)", re.MULTILINE)
"""Where a line begins that a forge's runner would obey, wherever we run in one."""
_STRAY = re.compile(r"\x1b(?!\[[0-9;]*m)")
_SHEET = dict.fromkeys(HIDDEN - {0x09, 0x0A, 0x1B})
_TEXT = dict.fromkeys(HIDDEN - {0x09, 0x0A})
_LINE = dict.fromkeys(HIDDEN)
_SHOWN = {point: f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}" for point in HIDDEN}


def plain_text(text: str) -> str:
    """Return `text` without what a terminal would obey; newlines and tabs stay."""
    return text.translate(_TEXT)


def plain_line(text: str) -> str:
    """Return `text` as one line without what a terminal would obey."""
    return " ".join(text.replace("\n", " ").replace("\t", " ").translate(_LINE).split())


def plain_sheet(text: str) -> str:
    """Return all that we print without what a terminal would obey, but for colours, or a workflow."""
    plain = _STRAY.sub("", text.translate(_SHEET))
    return WORKFLOW.sub(lambda found: "# # " if found[1] is None else f"{found[1]}: ", plain)


def visible_line(text: str) -> str:
    """Return `text` as one line in which what a terminal would obey is spelled out.

    For what a person approves: nothing of it may be left out.
    """
    return text.translate(_SHOWN)
