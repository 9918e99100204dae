"""Which goal a person means: by its id, by the beginning of one, or by `latest`."""

from __future__ import annotations

from collections.abc import Sequence

from goal_engine.errors import GoalAmbiguous, GoalNotFound
from goal_engine.state.store import GoalStateStore
from goal_engine.types import GoalId

LATEST = "latest"
PREFIX = "goal-"
SHOWN = 5
"""Candidates that an ambiguous name lists."""


async def find_named(store: GoalStateStore, wanted: str) -> GoalId:
    """Return which goal is meant; the latest is the latest in sight, if any is.

    Raises `GoalNotFound` and `GoalAmbiguous`.
    """
    names = await store.names()
    for name in reversed(names) if wanted.strip() == LATEST else ():
        found = await store.list((name,))
        if not any(one.state is not None and one.state.archived for one in found):
            return name
    return GoalId(find_goal(names, wanted))


def find_goal(names: Sequence[str], wanted: str) -> str:
    """Return the one of `names` that `wanted` means; `goal-` may be left out."""
    wanted = wanted.strip()
    if wanted == LATEST and names:
        return max(names)
    begins = wanted if wanted.startswith(PREFIX) else PREFIX + wanted
    found = [name for name in names if wanted and name.startswith(begins)]
    if len(found) == 1 or begins in found:
        return begins if begins in found else found[0]
    if not found:
        raise GoalNotFound(
            f"No goal is called {wanted[:80]!r}; `goalproof list` shows the ones there are."
        )
    listed = ", ".join(found[:SHOWN]) + (", …" if len(found) > SHOWN else "")
    raise GoalAmbiguous(f"{wanted[:80]!r} could be {listed}: give more of the id.")
