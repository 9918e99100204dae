"""How a plan's tasks are given out: what the person decided once, for all of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from goal_engine.permission import Level, Pattern
from goal_engine.types import Frozen, later


class WorkPolicy(Frozen):
    """What a plan says of all its tasks."""

    sequential: bool = later(False)
    """One task after the other, each on what those before it left, in order of priority."""

    retries: Annotated[int, Field(ge=0, le=10)] = later(2)
    """How often each is tried again after an attempt that failed because of the machine or the
    agent's vendor, with longer and longer pauses."""

    proposals: Literal["ask", "accept", "refuse"] = later("ask")
    """What becomes of tasks that agents propose: a person is asked, or those join that keep to the
    rules, or none does."""

    permissions: Level | None = later(None)
    """What agents may do without asking, where that is less than the person lets them anyway."""

    permissions_deny: tuple[Pattern, ...] = later(())
    """What they may not do beside that."""


DEFAULT_POLICY = WorkPolicy()
Priority = Annotated[int, Field(ge=-1000, le=1000)]
"""Higher goes first; the usual one is 0."""
