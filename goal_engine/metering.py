"""What a run of a goal has used that no event says yet, and what is held back for what runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from goal_engine.budget import (
    NO_NEED,
    WHILE_RUNNING,
    InFlight,
    Need,
    Room,
    Spend,
    find_exceeded,
    find_warnings,
    name_limits,
)
from goal_engine.state.model import GoalState


class Meter:
    """Belongs to one run and its loop.  Time is the clock's, not the world's."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._begun = clock()
        self._held: dict[str, Need] = {}
        self._reported: dict[str, Spend] = {}
        self._told = asyncio.Event()
        self._look: Callable[[], None] = lambda: None

    def listen(self, look: Callable[[], None]) -> None:
        """Call `look` at each report: a turn that has used all there was makes no second charge."""
        self._look = look

    def leave_out(self, seconds: float) -> None:
        """Do not count time that was not the goal's."""
        self._begun += seconds

    @property
    def spent(self) -> Spend:
        """What ends up in the event that ends the run: its time."""
        return Spend(wall_ms=round((self._clock() - self._begun) * 1000))

    @property
    def in_flight(self) -> InFlight:
        """What was used that no event says yet: the time, and what turns under way reported."""
        return InFlight(self.spent.wall_ms, dict(self._reported))

    def find_total(self, state: GoalState) -> Spend:
        """Return what the goal has used by now, in all."""
        return state.used.plus(self.in_flight.total(state.is_open))

    def hold(self, state: GoalState, need: Need) -> tuple[str, ...]:
        """Hold back what an attempt needs, or return why it does not fit.

        Nothing comes between the look and the hold: attempts cannot overspend together.
        """
        held = NO_NEED
        for name, other in self._held.items():
            if state.is_open(name):
                held = held.plus(other.without(self._reported.get(name, Spend())))
        unfit = Room(state.budget, self.find_total(state), held).find_unfit(need)
        if not unfit:
            self._held[need.name] = need
        return unfit

    def release(self, name: str) -> None:
        """An attempt is over and recorded."""
        self._held.pop(name, None)
        self._reported.pop(name, None)

    def report(self, name: str, spent: Spend) -> None:
        """Take notice of what an attempt under way has used by now, in all."""
        if self._reported.get(name) == spent:
            return
        self._reported[name] = spent
        self._told.set()
        self._look()

    def find_reported(self, name: str) -> Spend | None:
        """Return what an attempt reported last."""
        return self._reported.get(name)

    async def wait(self, seconds: float) -> None:
        """Return after `seconds`, or as soon as something is reported."""
        try:
            async with asyncio.timeout(seconds):
                await self._told.wait()
        except TimeoutError:
            return
        self._told.clear()

    def find_over(self, state: GoalState) -> tuple[str, ...]:
        """Return a phrase for each limit because of which what runs has to end now.

        Time is over for everything; what has to be paid for ends turns that cost, for gates use
        none of it.
        """
        if state.reopened:
            return ()
        costs = any(need.costs and state.is_open(name) for name, need in self._held.items())
        ends = {"wall_seconds", *(WHILE_RUNNING if costs else ())}
        exceeded = find_exceeded(state.budget, self.find_total(state))
        return tuple(phrase for phrase in exceeded if ends.intersection(name_limits((phrase,))))

    def has_warnings(self, state: GoalState) -> bool:
        """Whether a limit is nearly used up and nobody was told."""
        warned = find_warnings(state.budget, self.find_total(state), state.warned)
        return not state.reopened and bool(warned)
