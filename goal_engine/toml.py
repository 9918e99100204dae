"""TOML for people to edit: plain values become text that `tomllib` reads back to the same values.

It writes what our own documents need and no more: strings, numbers, truth, arrays and inline tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

WIDTH = 96
"""Characters up to which an array stands on one line."""

UNREADABLE = (ValueError, RecursionError)
"""What `tomllib` raises for a text that is no TOML, has a number of too many digits or is too deep."""

BARE = re.compile(r"[A-Za-z0-9_-]+")
KEPT = '\n\t"'
CLOSING = re.compile(r'"(?="")|"\Z')
"""Quotes that would end a string of several lines."""
ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def render_key(key: str) -> str:
    """Return a key, quoted where it has to be."""
    return key if BARE.fullmatch(key) else render_string(key)


def render_value(value: Any) -> str:
    """Return a value; short arrays and tables stand on one line, as do all tables in an array.

    Raises `TypeError` for what TOML has no word for.
    """
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case Decimal():
            return _render_decimal(value)
        case str():
            return render_text(value) if "\n" in value else render_string(value)
        case Mapping():
            return render_inline(value)
        case list() | tuple():
            return _render_array([render_value(item) for item in value])
        case _:
            raise TypeError(f"TOML cannot say {type(value).__name__}")


def render_inline(table: Mapping[str, Any]) -> str:
    """Return a table on one line, its long texts apart."""
    pairs = (f"{render_key(key)} = {render_value(value)}" for key, value in table.items())
    return f"{{ {', '.join(pairs)} }}" if table else "{}"


def render_rows(items: Iterable[Mapping[str, Any]]) -> str:
    """Return an array of tables with each on a line of its own."""
    return "".join(["[\n", *(f"  {render_inline(item)},\n" for item in items), "]"])


def render_string(text: str) -> str:
    """Return a string on one line; what a reader would not see is spelled out."""
    return f'"{"".join(map(_escape, text))}"'


def render_text(text: str) -> str:
    """Return a string of several lines as it will stand in its file."""
    lines = "".join(char if char in KEPT else _escape(char) for char in text)
    return '"""\n' + CLOSING.sub('\\\\"', lines) + '"""'


def _render_array(items: list[str]) -> str:
    flat = f"[{', '.join(items)}]"
    if len(flat) <= WIDTH or len(items) < 2:
        return flat
    return "".join(["[\n", *(f"  {item},\n" for item in items), "]"])


def _render_decimal(value: Decimal) -> str:
    """A number where reading it gives the same one, else a string."""
    plain = format(value, "f")
    number = float(plain) if "." in plain else int(plain)
    return plain if Decimal(str(number)) == value else render_string(str(value))


def _escape(char: str) -> str:
    if char in ESCAPES:
        return ESCAPES[char]
    if char.isprintable():
        return char
    return f"\\u{ord(char):04X}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08X}"
