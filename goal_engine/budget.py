"""Limits and what was used against them.  What nobody measured is unknown, never zero."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from goal_engine.types import Frozen, later


class GoalBudget(Frozen):
    """Limits of one goal; `None` is no limit (seed: `GoalBudget`)."""

    wall_seconds: int | None = Field(default=None, gt=0)
    """Active wall time, in seconds: time spent paused does not count."""
    attempts: int | None = Field(default=None, gt=0)
    """Task attempts in all."""
    changed_lines: int | None = Field(default=None, gt=0)
    """Lines added plus lines deleted in the integrated change."""
    tokens: int | None = Field(default=None, gt=0)
    """Tokens of all workers; a recipe uses none."""
    usd: Decimal | None = Field(default=None, gt=0)
    """What workers may cost, in US dollars."""
    max_agents: int = Field(default=4, gt=0, le=64)
    """Tasks that run at the same time."""
    repairs: Annotated[int, Field(ge=0, le=20)] = later(2)
    """Tasks that the engine adds in one run to repair what the gates said no to."""


class SpendSource(StrEnum):
    """Where a figure comes from."""

    MEASURED = "measured"
    VENDOR_REPORTED = "vendor_reported"
    ESTIMATED = "estimated"
    UNKNOWN = "unknown"


class Spend(Frozen):
    """What was used.  `tokens` and `usd` are `None` when nobody could tell."""

    wall_ms: int = 0
    attempts: int = 0
    changed_lines: int = 0
    tokens: int | None = 0
    usd: Decimal | None = Decimal(0)
    source: SpendSource = SpendSource.MEASURED

    def plus(self, other: Spend) -> Spend:
        """Return the sum; a figure that is unknown on either side stays unknown."""
        return Spend(
            wall_ms=self.wall_ms + other.wall_ms,
            attempts=self.attempts + other.attempts,
            changed_lines=self.changed_lines + other.changed_lines,
            tokens=None
            if None in (self.tokens, other.tokens)
            else (self.tokens or 0) + (other.tokens or 0),
            usd=None
            if None in (self.usd, other.usd)
            else (self.usd or Decimal(0)) + (other.usd or Decimal(0)),
            source=self.source if self.source == other.source else SpendSource.UNKNOWN,
        )


UNKNOWN = Spend(tokens=None, usd=None, source=SpendSource.UNKNOWN)
"""What somebody spent who cannot tell."""


def find_exceeded(budget: GoalBudget, spend: Spend) -> tuple[str, ...]:
    """Return a phrase for each limit that is used up, none when there is room.

    Where nobody could tell what was used, a limit counts as used up: unknown is never zero.
    """
    used: dict[str, float | int | Decimal | None] = {
        "wall_seconds": spend.wall_ms / 1000,
        "attempts": spend.attempts,
        "changed_lines": spend.changed_lines,
        "tokens": spend.tokens,
        "usd": spend.usd,
    }
    limits = {name: getattr(budget, name) for name in used}
    return tuple(
        f"{name}: {'unknown' if value is None else f'{value:g}'} of {limits[name]}"
        for name, value in used.items()
        if limits[name] is not None and (value is None or value > limits[name])
    )
