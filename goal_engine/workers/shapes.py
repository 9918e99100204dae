"""Reads what somebody else sent: a part of the wrong shape says nothing; pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

Payload = Mapping[str, Any]
MOST = 10**12
"""No count of tokens and no price is larger: who says so says nothing."""


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
