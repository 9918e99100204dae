"""Limits are limits, and what nobody measured is never zero."""

from __future__ import annotations

from decimal import Decimal

import pytest

from goal_engine.budget import GoalBudget, Spend, SpendSource, find_exceeded


@pytest.mark.parametrize(
    ("budget", "spend", "told"),
    [
        (GoalBudget(), Spend(wall_ms=10**9, tokens=10**9), ()),
        (GoalBudget(wall_seconds=2), Spend(wall_ms=2000), ()),
        (GoalBudget(wall_seconds=2), Spend(wall_ms=2001), ("wall_seconds: 2.001 of 2",)),
        (GoalBudget(tokens=5), Spend(tokens=6), ("tokens: 6 of 5",)),
        (GoalBudget(usd=Decimal("0.10")), Spend(usd=Decimal("0.11")), ("usd: 0.11 of 0.10",)),
        (GoalBudget(usd=Decimal(1)), Spend(usd=None), ("usd: unknown of 1",)),
        (GoalBudget(attempts=1, changed_lines=1), Spend(attempts=2), ("attempts: 2 of 1",)),
    ],
)
def test_what_is_used_up_is_named(budget: GoalBudget, spend: Spend, told: tuple[str, ...]) -> None:
    assert find_exceeded(budget, spend) == told


def test_what_is_unknown_on_one_side_is_unknown_in_the_sum() -> None:
    known = Spend(wall_ms=5, tokens=3, usd=Decimal("0.5"))
    total = known.plus(Spend(wall_ms=1, tokens=None, usd=None, source=SpendSource.ESTIMATED))
    assert (total.wall_ms, total.tokens, total.usd) == (6, None, None)
    assert total.source is SpendSource.UNKNOWN
    assert known.plus(known).tokens == 6
