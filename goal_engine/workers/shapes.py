"""Reads what somebody else sent: a part of the wrong shape says nothing; pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

Payload = Mapping[str, Any]
MOST = 10**12
"""No count of tokens and no price is larger: who says so says nothing."""
DEEPEST = 100
"""Lists and objects within one another; what is deeper could be read, and not be written again."""


HALF = re.compile(r"\\u[dD][89a-fA-F]")
"""What may be one half of a character in UTF-16, alone: agents cut their words in two there."""


def load(text: str | bytes) -> Any:
    """Return what a JSON says, of halves of characters that they are such.

    Raises `ValueError` for what is none, or too deep.
    """
    said = text.decode("utf-8-sig") if isinstance(text, bytes) else text
    try:
        found = json.loads(said)
    except RecursionError as error:
        raise ValueError("it is too deep") from error
    if said.count("[") + said.count("{") > DEEPEST and _is_deep(found):
        raise ValueError("it is too deep")
    return _mend(found) if HALF.search(said) else found


def _mend(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [_mend(one) for one in value]
        case dict():
            return {_mend(name): _mend(one) for name, one in value.items()}
        case _:
            return value


def _is_deep(value: Any) -> bool:
    layer = [value]
    for _ in range(DEEPEST):
        inside = (one.values() if isinstance(one, dict) else one for one in layer)
        layer = [one for part in inside for one in part if isinstance(one, dict | list)]
        if not layer:
            return False
    return True


def as_mapping(value: Any) -> Payload:
    """Return a mapping, an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_mappings(value: Any) -> Iterator[Payload]:
    """Yield the mappings of a list."""
    yield from (one for one in value if isinstance(one, dict)) if isinstance(value, list) else ()


def as_text(value: Any) -> str:
    """Return a text, an empty one for anything else."""
    return value if isinstance(value, str) else ""


def as_count(value: Any) -> int | None:
    """Return a whole number from 0 to `MOST`, `None` for anything else."""
    return value if type(value) is int and 0 <= value <= MOST else None


def as_amount(value: Any) -> float | None:
    """Return a number from 0 to `MOST`, `None` for anything else."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if number and 0 <= value <= MOST else None


def dump(value: Any) -> str:
    """Return a text as it is, and everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
