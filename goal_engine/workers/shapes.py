"""Reads what somebody else sent: a part of the wrong shape says nothing; pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

Payload = Mapping[str, Any]


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
    """Return a whole number that is not negative, `None` for anything else."""
    return value if type(value) is int and value >= 0 else None


def as_amount(value: Any) -> float | None:
    """Return a number that is not negative, `None` for anything else."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if number and math.isfinite(value) and value >= 0 else None


def dump(value: Any) -> str:
    """Return a text as it is, and everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
