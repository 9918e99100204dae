"""What is different between two states of one goal: as data, and in words.

States are compared as they are written down, so that nothing is left out that a field holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from goal_engine.history.sentences import name_gate
from goal_engine.state.model import GoalState
from goal_engine.types import Frozen

TEXT = 300
"""Letters of a text that a difference shows."""
ITEMS = 20
"""Items of a list or a table that it shows."""
SAID = 80
"""Letters of a value in a sentence."""
PASSING = ("seq", "updated_at")
"""Fields that change with every entry and say nothing."""
NAMES: Mapping[str, str] = {
    "created": "goal",
    "budget": "limit",
    "tasks": "task",
    "graph": "plan",
    "gates_run": "gate",
    "checks_run": "check",
    "spend": "spent",
    "applied": "applied file",
    "commit": "result's commit",
    "tree": "result's tree",
    "evidence": "change",
}
"""Fields whose names are not what people call them."""

Change = Literal["changed", "added", "removed"]


class Difference(Frozen):
    """One thing that is different; long texts and lists in the values are cut."""

    path: str
    """`status`, `tasks.fix.status`, `graph.tasks[fix].title`, `requests[0]`."""
    change: Change
    before: Any = None
    after: Any = None
    text: str
    """In words."""


def find_differences(before: GoalState, after: GoalState) -> tuple[Difference, ...]:
    """Return what is different, in the order in which a state has its fields."""
    one, other = (state.model_dump(mode="json", exclude=set(PASSING)) for state in (before, after))
    return tuple(_compare((), one, other))


Path = tuple[str, ...]
"""A state's field, and what is within it: `.tasks`, `.fix`, `[0]`."""


def _compare(path: Path, before: Any, after: Any) -> Iterator[Difference]:
    if before == after:
        return
    one, other = _open(before), _open(after)
    if one is None or other is None or type(before) is not type(after):
        yield _make(path, "changed", before, after)
        return
    spelled = ".{}" if isinstance(after, dict) else "[{}]"
    for key in dict.fromkeys((*one, *other)):
        at = (*path, spelled.format(key))
        if key not in one:
            yield _make(at, "added", None, other[key])
        elif key not in other:
            yield _make(at, "removed", one[key], None)
        else:
            yield from _compare(at, one[key], other[key])


def _open(value: Any) -> Mapping[str, Any] | None:
    """Return the parts of a value by name; items that have an id go by it, others by their place."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, list):
        return None
    ids = [item.get("id") if isinstance(item, dict) else None for item in value]
    named = None not in ids and len(set(ids)) == len(ids)
    return dict(zip(map(str, ids if named else range(len(value))), value, strict=True))


def _make(path: Path, change: Change, before: Any, after: Any) -> Difference:
    name = "".join(path).lstrip(".")
    one, other = _cut(before), _cut(after)
    return Difference(
        path=name, change=change, before=one, after=other, text=_say(path, change, one, other)
    )


def _say(path: Path, change: Change, before: Any, after: Any) -> str:
    if path[0] == ".gates_run" and change == "added":
        result = after["result"]
        return f"{name_gate(result['gate'], result['stage'])}: {result['outcome']}"
    first, *rest = (part.strip(".[]").replace("_", " ") for part in path)
    named = " ".join((NAMES.get(first.replace(" ", "_"), first), *rest))
    if change == "added" or before is None:
        return f"{named}: {_short(after)}"
    if change == "removed" or after is None:
        return f"{named}: no more ({_short(before)})"
    return f"{named}: {_short(before)} → {_short(after)}"


def _short(value: Any) -> str:
    text = _tell(value)
    return text if len(text) <= SAID else text[:SAID] + "…"


def _tell(value: Any) -> str:
    """Return a value in words: of what has parts, the plain ones, and how many there are of others."""
    match value:
        case str():
            return value
        case dict():
            return ", ".join(
                f"{key.replace('_', ' ')} {_sum_up(part)}" for key, part in value.items()
            )
        case list():
            return ", ".join(map(_sum_up, value)) or "none"
        case _:
            return json.dumps(value)


def _sum_up(value: Any) -> str:
    return f"({len(value)})" if isinstance(value, dict | list) else _tell(value)


def _cut(value: Any) -> Any:
    """Return a value of which no part is long."""
    match value:
        case str():
            return value if len(value) <= TEXT else value[:TEXT] + "…"
        case dict():
            kept = {key: _cut(value[key]) for key in list(value)[:ITEMS]}
            return kept | ({"…": len(value) - ITEMS} if len(value) > ITEMS else {})
        case Sequence():
            more = [f"… {len(value) - ITEMS} more"] if len(value) > ITEMS else []
            return [*map(_cut, value[:ITEMS]), *more]
        case _:
            return value
