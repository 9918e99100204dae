"""Where in a TOML text a key stands: each statement is read alone, and the first line is its line."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

from goal_engine.toml import UNREADABLE

LONGEST = 500
"""Lines of one statement that are looked at, so that an unclosed quote costs little."""

Location = tuple[str | int, ...]
"""The way to a value: names of keys, and numbers (from 0) in arrays."""


def find_lines(text: str) -> dict[Location, int]:
    """Return the line (from 1) of every table and key of `text`, up to what is no TOML."""
    found: dict[Location, int] = {}
    table: Location = ()
    count: dict[Location, int] = {}
    for line, statement, value in _split(text):
        if value is None:
            break
        if statement.startswith("["):
            table = _number(_find_names(value), count, statement.startswith("[["))
            found.setdefault(table, line)
        else:
            for location in _walk(value):
                found.setdefault(table + location, line)
    return found


def find_unfinished(text: str) -> int:
    """Return the line (from 1) of the statement that the end of `text` cuts off."""
    return next((line for line, _, value in _split(text) if value is None), 1)


def _split(text: str) -> Iterator[tuple[int, str, dict[str, Any] | None]]:
    """Yield each statement with the line where it starts: the fewest lines that are TOML alone.

    What is left at the end comes with `None`.
    """
    start, chunk = 0, ""
    for number, line in enumerate(text.split("\n"), start=1):
        if not chunk and (not line.strip() or line.lstrip().startswith("#")):
            continue
        start = start if chunk else number
        chunk += line + "\n"
        try:
            value = tomllib.loads(chunk)
        except UNREADABLE:
            if number - start >= LONGEST:
                break
            continue
        yield start, chunk.lstrip(), value
        chunk = ""
    if chunk:
        yield start, chunk, None


def _find_names(value: Any) -> Location:
    """The names in a table's header, which holds nothing yet."""
    names: list[str] = []
    while value:
        if isinstance(value, list):
            value = value[0]
        else:
            [(name, value)] = value.items()
            names.append(name)
    return tuple(names)


def _number(names: Location, count: dict[Location, int], is_element: bool) -> Location:
    """A header means the newest element of each array of tables on its way, or a new last one."""
    found: Location = ()
    for depth, name in enumerate(names, start=1):
        found += (name,)
        if is_element and depth == len(names):
            count[found] = count.get(found, -1) + 1
        if found in count:
            found += (count[found],)
    return found


def _walk(value: Any) -> Iterator[Location]:
    items = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        items = enumerate(value)  # type: ignore[assignment]
    for name, inner in items:
        yield (name,)
        yield from ((name, *rest) for rest in _walk(inner))
