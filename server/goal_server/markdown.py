"""Text from outside inside of Markdown: it is shown as it is, and never obeyed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from goal_server.plain import plain_line

SPECIAL = re.compile(
    r"[\\`*_{}\[\]<>#|~&!$@]|(?<=[A-Za-z]):(?=//)|(?<=[Ww]{3})\.|^[+\-=]|^\d+[.)](?=\s)"
)
"""What Markdown would read as more than text: marks, entities, addresses, and starts of lists."""


def plain(text: str) -> str:
    """Return one line of text in which Markdown finds nothing to do, no link above all."""
    return SPECIAL.sub(_escape, plain_line(text))


def _escape(found: re.Match[str]) -> str:
    said = found.group(0)
    return f"{said[:-1]}\\{said[-1]}"


def code(text: str) -> str:
    """Return one line of text as code, whatever backticks are in it."""
    line = plain_line(text) or " "
    fence = "`" * (max(map(len, re.findall("`+", line)), default=0) + 1)
    room = " " if "`" in line else ""
    return f"{fence}{room}{line}{room}{fence}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells that are Markdown already; `|` in code is escaped here."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(cell: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", cell) or " "


def listed(items: Iterable[str]) -> str:
    """Return a list of items that are Markdown already."""
    return "\n".join(f"- {item}" for item in items)


def to_text(markdown: str) -> str:
    """Return Markdown made here as text for clients that show none."""
    without = re.sub(r"\*\*|(?<!\\)`+", "", markdown)
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", without)
