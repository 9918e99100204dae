"""Reads the last block of JSON or TOML in what an agent said: its answer, among words around it.

It is data from outside: bounded, and taken for nothing that it does not say.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping

from goal_engine.toml import UNREADABLE

MOST = 64 * 1024
"""Characters of a block that are read."""
FENCE = re.compile(r" {0,3}(`{3,}|~{3,}) *+(\w*+)[^`]*+")
"""A line that opens or closes a block, and what it calls it."""


class NotTaken(ValueError):
    """An answer that counts for nothing; `problems` say why, a sentence each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


def find_last_block(said: str) -> Mapping[str, object]:
    """Return the last block in `said` as data.  Raises `NotTaken`."""
    kind, text = _find_block(said) or ("json", said[said.find("{") : said.rfind("}") + 1])
    if not text.strip():
        raise NotTaken(["there is no block of JSON between fences (```json … ```) at the end"])
    if len(text) > MOST:
        raise NotTaken([f"the block at the end has {len(text)} characters, and {MOST} are read"])
    try:
        found = _read_toml(text) if kind == "toml" else json.loads(text)
    except (*UNREADABLE, ValueError, RecursionError) as error:
        raise NotTaken([f"the block at the end cannot be read: {error}"]) from error
    if not isinstance(found, dict):
        raise NotTaken(["the block at the end is no object"])
    return found


def _read_toml(text: str) -> object:
    """Return what a TOML says as JSON could have: its whole numbers may be longer, and it has dates."""
    return json.loads(json.dumps(tomllib.loads(text), default=str))


def _find_block(said: str) -> tuple[str, str] | None:
    """Return what the last block between fences is called, and its text; one that is not closed too."""
    fence, kind, lines = "", "", list[str]()
    found: tuple[str, str] | None = None
    for line in said.splitlines():
        match = FENCE.fullmatch(line)
        if not fence and match:
            fence, kind, lines = match[1], match[2].casefold(), []
        elif fence and match and not match[2] and match[1].startswith(fence):
            found, fence = (kind, "\n".join(lines)), ""
        elif fence:
            lines.append(line)
    return (kind, "\n".join(lines)) if fence else found
