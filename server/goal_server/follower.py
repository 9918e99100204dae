"""Follows the goals of a workspace, so that one that is run in a terminal moves the editor too.

A look costs one `stat` for each goal that runs, and every tenth look one for the newest others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from goal_engine.engine import Engine
from goal_engine.errors import GoalError
from goal_engine.lifecycle import recover_goal
from goal_engine.state.model import GoalState
from goal_engine.types import GoalId, GoalStatus

log = logging.getLogger(__name__)

LOOK = 0.1
"""Seconds between two looks."""
SWEEP = 10
"""A look at goals that do not run is one of so many."""
NEWEST = 64
"""How many of those are looked at."""


class Follower:
    """What was seen of one workspace's goals.  Belongs to the engine's loop."""

    def __init__(self, engine: Engine, tell: Callable[[GoalState], None]) -> None:
        self._engine = engine
        self._tell = tell
        self._marks: dict[GoalId, object] = {}
        """What each goal's journal was like when it was read."""
        self._running: set[GoalId] = set()
        self._settled = False
        """Whether what was there at the beginning has been seen."""

    async def follow(self) -> None:
        """Look until cancelled."""
        looks = 0
        while True:
            try:
                await self.look(sweep=looks % SWEEP == 0)
            except Exception:  # one of the three boundaries: a subscriber stops nobody else
                log.exception("the goals of %s cannot be followed", self._engine.checkout)
            looks += 1
            await asyncio.sleep(LOOK)

    async def look(self, *, sweep: bool) -> None:
        """Tell of every goal that has changed since the last look; at first, of those that run."""
        if not sweep and not self._running:
            return
        marks = await self._engine.mark_goals(self._running, NEWEST if sweep else 0)
        for goal, mark in marks.items():
            if self._marks.get(goal) != mark:
                await self._read(goal)
                self._marks[goal] = mark
        self._settled = self._settled or sweep
        for goal in tuple(self._running) if sweep else ():
            await self._recover(goal)

    async def _read(self, goal: GoalId) -> None:
        self._running.discard(goal)
        try:
            state = await self._engine.ports.read(goal)
        except GoalError:  # damaged, or gone: a list says so
            return
        if state.status is GoalStatus.RUNNING:
            self._running.add(goal)
        if self._settled or goal in self._running:
            self._tell(state)

    async def _recover(self, goal: GoalId) -> None:
        """A goal whose runner went away is not shown as running for ever."""
        try:
            await recover_goal(self._engine.ports, goal)
        except GoalError as error:
            log.info("%s: %s", goal, error)
