"""Progress to the editor: the latest snapshot of each goal, at most ten times a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from goal_server.plain import plain_line

if TYPE_CHECKING:  # costs as much to import as pygls; see `lsp`
    from goal_engine.progress import GoalProgressSnapshot
    from goal_engine.types import GoalId

PAUSE = 0.1
"""Seconds between two snapshots of one goal."""


def render_snapshot(snapshot: GoalProgressSnapshot) -> dict[str, Any]:
    """Return a snapshot as `goal/progress` carries it, its words plain text."""
    spend = snapshot.spend
    return {
        "goalId": snapshot.goal_id,
        "rev": snapshot.rev,
        "text": plain_line(snapshot.text),
        "status": snapshot.status.value,
        "phase": snapshot.phase.value,
        "done": snapshot.done,
        "total": snapshot.total,
        "percentage": snapshot.percentage,
        "lines": [plain_line(line) for line in snapshot.lines],
        "spend": {
            "wallMs": spend.wall_ms,
            "attempts": spend.attempts,
            "changedLines": spend.changed_lines,
            "tokens": spend.tokens,
            "usd": None if spend.usd is None else str(spend.usd),
            "source": spend.source,
            "turns": spend.turns,
            "priced": spend.priced,
        },
        "blocker": plain_line(snapshot.blocker),
        "asks": list(snapshot.asks),
    }


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
            self._wake(goal)

    def flush(self) -> None:
        """Send what waits: nothing comes after."""
        for snapshot in tuple(self._waiting.values()):
            self._pass(snapshot)

    def _wake(self, goal: GoalId) -> None:
        snapshot = self._waiting.get(goal)
        if snapshot is None:
            self._resting.discard(goal)
            return
        self._resting.add(goal)
        asyncio.get_running_loop().call_later(PAUSE, self._wake, goal)
        self._pass(snapshot)

    def _pass(self, snapshot: GoalProgressSnapshot) -> None:
        del self._waiting[snapshot.goal_id]
        self._sent[snapshot.goal_id] = snapshot.rev
        self._send(snapshot)
