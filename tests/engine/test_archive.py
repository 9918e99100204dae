"""An archived goal is out of the lists, keeps all it has, and is back as soon as it moves."""

from __future__ import annotations

import pytest

from goal_engine.errors import NotPossibleNow
from goal_engine.state import commands as c
from goal_engine.state import events as e
from goal_engine.state.decide import decide
from goal_engine.state.evolve import fold
from goal_engine.state.memory import InMemoryGoalStateStore
from goal_engine.state.model import GoalState
from goal_engine.state.naming import find_named
from goal_engine.state.possible import find_possible
from goal_engine.state.store import transact
from goal_engine.types import GoalId, GoalStatus
from tests.builders import ME, NOW, StoppedClock, a_goal, a_goal_created, planned

S = GoalStatus
CLOCK = StoppedClock()
STILL = [status for status in S if status is not S.RUNNING]


def archive(state: GoalState, *, back: bool = False) -> GoalState:
    return fold(decide(state, c.ArchiveGoal(ME, back), NOW), state)


@pytest.mark.parametrize("status", STILL)
def test_a_goal_that_stands_still_is_archived_and_taken_back_and_otherwise_the_same(
    status: GoalStatus,
) -> None:
    before = a_goal(status)
    away = archive(before)
    assert away.archived and away.decisions[-1].verb == "archive"
    assert away.decisions[-1].decision == ME
    assert away.changed(archived=False, decisions=before.decisions) == before
    back = archive(away, back=True)
    assert back.changed(decisions=before.decisions) == before
    assert back.decisions[-1].verb == "unarchive"


@pytest.mark.parametrize("status", STILL)
def test_it_is_archived_once_and_taken_back_once(status: GoalStatus) -> None:
    with pytest.raises(NotPossibleNow, match="it is not archived"):
        archive(a_goal(status), back=True)
    with pytest.raises(NotPossibleNow, match="it is archived already"):
        archive(archive(a_goal(status)))


def test_a_goal_that_runs_stays_in_sight() -> None:
    with pytest.raises(NotPossibleNow, match="is running"):
        archive(a_goal(S.RUNNING))


@pytest.mark.parametrize(
    ("status", "event"),
    [(S.PAUSED, e.GoalResumed()), (S.READY, e.GoalStarted()), (S.PLANNED, e.GoalStarted())],
)
def test_what_moves_is_in_sight_again(status: GoalStatus, event: e.GoalEvent) -> None:
    assert not fold((event,), archive(a_goal(status))).archived


def test_what_does_not_move_stays_archived() -> None:
    away = archive(a_goal(S.DELIVERED))
    assert fold((e.ChangeUndone(tree="a" * 40, files=("a.py",)),), away).archived


def test_the_same_can_be_asked_of_it_as_before() -> None:
    before = a_goal(S.READY)
    told = set(find_possible(archive(before))) ^ set(find_possible(before))
    assert told == {"archive", "unarchive"}


async def test_the_latest_goal_is_the_latest_in_sight() -> None:
    store, names = InMemoryGoalStateStore(), []
    for day in (1, 2):
        goal = GoalId(f"goal-2026010{day}-000000-000-0000000a")
        created = a_goal_created(goal)
        await transact(store, goal, c.CreateGoal(created, planned()), CLOCK)
        names.append(goal)
    assert await find_named(store, "latest") == names[1]
    await transact(store, names[1], c.ArchiveGoal(ME), CLOCK)
    assert await find_named(store, "latest") == names[0]
    assert await find_named(store, names[1]) == names[1], "by its name it is found"
    await transact(store, names[0], c.ArchiveGoal(ME), CLOCK)
    assert await find_named(store, "latest") == names[1], "there is no other"
