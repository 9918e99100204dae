"""Progress to the editor: the latest snapshot of each goal, at most ten times a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from goal_engine.progress import GoalProgressSnapshot
    from goal_engine.types import GoalId

PAUSE = 0.1
"""Seconds between two snapshots of one goal."""


class Coalescer:
    """Latest wins, and the last one is always sent.  Belongs to one loop."""

    def __init__(self, send: Callable[[GoalProgressSnapshot], None]) -> None:
        self._send = send
        self._waiting: dict[GoalId, GoalProgressSnapshot] = {}
        self._resting: set[GoalId] = set()
        self._sent: dict[GoalId, int] = {}

    def offer(self, snapshot: GoalProgressSnapshot) -> None:
        """Send `snapshot` now or, if it is still the latest, after the pause."""
        goal = snapshot.goal_id
        if snapshot.rev <= self._sent.get(goal, 0):
            return
        self._waiting[goal] = snapshot
        if goal not in self._resting:
            self._flush(goal)

    def _flush(self, goal: GoalId) -> None:
        snapshot = self._waiting.pop(goal, None)
        if snapshot is None:
            self._resting.discard(goal)
            return
        self._sent[goal] = snapshot.rev
        self._send(snapshot)
        self._resting.add(goal)
        asyncio.get_running_loop().call_later(PAUSE, self._flush, goal)
