"""Values that everything shares."""

from __future__ import annotations

import pytest

from goal_engine.budget import GoalBudget, Spend
from goal_engine.types import Frozen


@pytest.mark.parametrize(
    ("value", "changes"),
    [
        (Spend(attempts=1), {"tokens": None, "turns": 2}),
        (GoalBudget(usd="2.50"), {}),
        (GoalBudget(attempts=3), {"attempts": None}),
    ],
)
def test_a_changed_value_is_what_the_models_own_copy_is(value: Frozen, changes: dict) -> None:
    """`changed` copies by hand, for speed: nothing of what pydantic keeps may be missing."""
    mine, own = value.changed(**changes), value.model_copy(update=changes)
    assert mine == own and type(mine) is type(own)
    assert mine.model_fields_set == own.model_fields_set
    assert mine.model_dump_json(exclude_unset=True) == own.model_dump_json(exclude_unset=True)
    assert vars(mine) is not vars(value)
    assert (mine.__pydantic_extra__, mine.__pydantic_private__) == (
        own.__pydantic_extra__,
        own.__pydantic_private__,
    )
