"""Tests that stand in a file of code, as Rust has them, told apart from the code around them.

It needs the standard library alone: its text is also part of the `verify.py` in each bundle.  The ends of
an item are found by how it is indented.  Where that is wrong a test does not compile in the place of
another, and what does not run convinces nobody.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MARK = re.compile(rb"([ \t]*)#\s*!?\[\s*(?:cfg\s*\(\s*test\s*\)|(?:\w+\s*::\s*)*test\s*[\](])")
"""How an item begins that is there for tests alone."""
BETWEEN = re.compile(rb"\s*(?:#|//|$)")
"""Lines that stand between that and the item: attributes and comments."""


class Inline(NamedTuple):
    """One such item: its lines, from the first on and without the end."""

    name: bytes
    start: int
    end: int


def may_have_tests(path: str) -> bool:
    """Whether files of this name have their tests beside the code."""
    return path.endswith(".rs")


def swap_tests(code: bytes, tests: bytes) -> bytes:
    """Return `code` with the tests that stand in `tests` instead of its own.

    Each takes the place of the one of its name; those of other names come last.
    """
    lines, others = code.splitlines(keepends=True), tests.splitlines(keepends=True)
    come: dict[bytes, list[bytes]] = {}
    for item in _find_inline(others):
        come.setdefault(item.name, []).append(b"".join(others[item.start : item.end]))
    made, after = [], 0
    for item in _find_inline(lines):
        made += lines[after : item.start]
        after = item.end
        if come.get(item.name):
            made.append(come[item.name].pop(0))
    made += lines[after:]
    left = [text for texts in come.values() for text in texts]
    if left and made and not made[-1].endswith(b"\n"):
        made.append(b"\n")
    return b"".join((*made, *left))


def _find_inline(lines: list[bytes]) -> list[Inline]:
    found, number = [], 0
    while number < len(lines):
        begins = MARK.match(lines[number])
        if begins is None:
            number += 1
            continue
        name, end = _find_end(lines, number, begins.group(1))
        found.append(Inline(name, number, end))
        number = end
    return found


def _find_end(lines: list[bytes], start: int, indent: bytes) -> tuple[bytes, int]:
    """Return the item's name and where it ends: with its bracket, its semicolon, or the file."""
    item = start
    rest = re.sub(rb"^\s*(?:#\s*!?\[[^\]]*\]\s*)*", b"", lines[start])
    while not rest.strip() and item + 1 < len(lines):
        item += 1
        rest = b"" if BETWEEN.match(lines[item]) else lines[item]
    name = b" ".join(re.split(rb"[{(;]", rest, maxsplit=1)[0].split())
    opened, closed = rest.count(b"{"), rest.count(b"}")
    if (opened and opened == closed) or (not opened and rest.rstrip().endswith(b";")):
        return name, item + 1
    for number in range(item + 1, len(lines)):
        if lines[number].startswith(indent + b"}"):
            return name, number + 1
    return name, len(lines)
