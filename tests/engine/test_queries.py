"""Which goal a name means: an id, the beginning of one, or `latest`."""

from __future__ import annotations

import pytest

from goal_engine.errors import GoalAmbiguous, GoalNotFound
from goal_engine.queries import (
    list_goals_with_store,
    resolve_goal_proof_with_store,
    resolve_goal_with_store,
)
from goal_engine.state.memory import InMemoryGoalStateStore
from goal_engine.state.naming import find_goal
from tests.builders import a_first_entry, goal_id

NAMES = ["goal-20260101-000000-000-0000aaaa", "goal-20260101-000000-000-0000bbbb"]
NAMES += ["goal-20260203-000000-000-0000cccc"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (NAMES[0], NAMES[0]),
        ("goal-20260101-000000-000-0000b", NAMES[1]),
        ("202602", NAMES[2]),
        (" 20260203 ", NAMES[2]),
        ("latest", NAMES[2]),
    ],
)
def test_a_name_means_one_goal(wanted, found):
    assert find_goal(NAMES, wanted) == found


def test_an_ambiguous_name_lists_the_goals_it_could_be():
    with pytest.raises(GoalAmbiguous) as refusal:
        find_goal(NAMES, "20260101")
    assert NAMES[0] in str(refusal.value) and NAMES[1] in str(refusal.value)
    assert NAMES[2] not in str(refusal.value)


@pytest.mark.parametrize("wanted", ["", "  ", "9999", "Latest", "0000aaaa", NAMES[0] + "0"])
def test_a_name_of_no_goal_is_refused(wanted):
    with pytest.raises(GoalNotFound, match="list"):
        find_goal(NAMES, wanted)


def test_there_is_no_latest_of_nothing():
    with pytest.raises(GoalNotFound):
        find_goal([], "latest")


async def test_a_goal_is_resolved_in_a_store(tmp_path):
    store = InMemoryGoalStateStore()
    for number in (2, 1):
        await store.create(goal_id(number), a_first_entry(goal_id(number)))
    assert [one.goal_id for one in await list_goals_with_store(store)] == [goal_id(1), goal_id(2)]
    assert (await resolve_goal_with_store(store, "latest")).goal_id == goal_id(2)
    with pytest.raises(GoalNotFound, match="no proof yet"):
        await resolve_goal_proof_with_store(store, tmp_path, "latest")
