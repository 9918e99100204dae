"""What a task is likely to take: from comparable ones, and no number without a basis."""

from __future__ import annotations

from decimal import Decimal

import pytest

from goal_engine.budget import GoalBudget, Spend, SpendSource
from goal_engine.forecast import (
    ENOUGH,
    Calibration,
    GoalForecast,
    Sample,
    calibrate,
    find_rank,
    find_remaining,
    find_samples,
    forecast,
)
from goal_engine.progress import render_progress
from goal_engine.state import events as e
from goal_engine.state.evolve import fold
from goal_engine.state.model import GoalState
from goal_engine.task_graph.graph import GoalTask
from goal_engine.types import GoalKind, GoalStatus
from tests.builders import (
    BASE,
    HISTORY,
    NOTHING,
    OTHER,
    S,
    a_goal_created,
    a_task,
    goal_id,
    planned,
)


def an_agents(name: str, *deps: str, agent: str = "codex") -> GoalTask:
    return a_task(name, *deps).changed(worker="cli", agent=agent, steps=())


def finished(
    number: int,
    seconds: int,
    tokens: int | None = None,
    kind: GoalKind = GoalKind.FIX,
    status: GoalStatus = S.READY,
    agent: str = "codex",
) -> GoalState:
    spent = Spend(attempts=1, tokens=tokens, usd=None, source=SpendSource.UNKNOWN)
    done = e.TaskFinished(
        task="fix", attempt=1, commit=OTHER, evidence=NOTHING, spent=spent, wall_ms=seconds * 1000
    )
    events = (
        a_goal_created(goal_id(number), kind=kind),
        planned(an_agents("fix", agent=agent)),
        e.GoalStarted(),
        e.TaskStarted(task="fix", attempt=1, base_commit=BASE),
        done,
        *HISTORY[status],
    )
    return fold(events)


def open_goal(*tasks: GoalTask, kind: GoalKind = GoalKind.FIX, max_agents: int = 4) -> GoalState:
    budget = GoalBudget(max_agents=max_agents)
    created = a_goal_created(goal_id(9999), kind=kind, budget=budget)
    return fold((created, planned(*tasks)))


def look(goal: GoalState, *before: GoalState) -> GoalForecast:
    found = forecast(goal, find_samples(before))
    assert found is not None
    return found


def test_the_middle_and_what_most_stayed_below_come_from_comparable_tasks() -> None:
    before = [finished(number, seconds=10 * number, tokens=100) for number in range(1, 11)]
    found = look(open_goal(an_agents("fix")), *before).tasks[0]
    times = found.figures["wall_ms"]
    assert (times.median, times.high, times.count) == (50_000, 90_000, 10)
    assert found.figures["tokens"].median == 100
    assert found.basis == "10 tasks of codex of kind fix"


def test_there_is_no_number_without_a_basis_and_it_says_how_many_more_are_needed() -> None:
    before = [finished(number, seconds=10) for number in range(ENOUGH - 1)]
    found = look(open_goal(an_agents("fix")), *before)
    assert found.tasks[0].figures == {} and found.wall_ms is None and found.calibration is None
    assert found.tasks[0].basis == "4 tasks of codex; 1 more is needed"
    other = look(open_goal(an_agents("fix", agent="claude")), *before, finished(99, seconds=1))
    assert other.tasks[0].figures == {}


def test_what_did_not_tell_is_no_sample_and_is_counted() -> None:
    before = [finished(n, seconds=1, tokens=None if n % 2 else 7) for n in range(12)]
    tokens = look(open_goal(an_agents("fix")), *before).tasks[0].figures["tokens"]
    assert (tokens.median, tokens.count, tokens.unknown) == (7, 6, 6)
    assert "usd" not in look(open_goal(an_agents("fix")), *before).tasks[0].figures


def test_another_kind_of_goal_is_a_basis_only_where_its_own_is_too_small() -> None:
    docs = [finished(n, seconds=1, kind=GoalKind.DOCS) for n in range(6)]
    fixes = [finished(n, seconds=9) for n in range(10, 16)]
    goal = open_goal(an_agents("fix"), kind=GoalKind.DOCS)
    assert look(goal, *docs, *fixes).tasks[0].figures["wall_ms"].median == 1000
    mixed = look(goal, *docs[:2], *fixes).tasks[0]
    assert mixed.basis == "8 tasks of codex" and mixed.figures["wall_ms"].median == 9000


def test_only_finished_goals_count() -> None:
    before = [finished(n, seconds=1, status=S.PAUSED) for n in range(9)]
    assert find_samples(before) == ()
    old = [finished(n, seconds=0) for n in range(9)]
    assert find_samples(old) == (), "journals of before have no times"


def test_tasks_side_by_side_take_as_long_as_the_longest_chain() -> None:
    before = [finished(n, seconds=10) for n in range(6)]
    tasks = [an_agents("one"), an_agents("two", "one"), an_agents("three"), an_agents("four")]
    wide = look(open_goal(*tasks), *before).wall_ms
    assert wide is not None and wide.median == 20_000
    narrow = look(open_goal(*tasks, max_agents=1), *before).wall_ms
    assert narrow is not None and narrow.median == 40_000
    unknown = look(open_goal(*tasks, an_agents("five", agent="claude")), *before)
    assert unknown.wall_ms is None


def test_a_goal_with_nothing_left_has_no_forecast() -> None:
    assert forecast(finished(1, seconds=1), ()) is None


def find_line(goal: GoalState, *before: GoalState) -> str:
    """Return what progress says of the time that is left, empty where it says nothing."""
    snapshot = render_progress(goal, find_remaining(goal, find_samples(before)))
    return next((line for line in snapshot.lines if line.startswith("~")), "")


def test_progress_says_what_is_left_where_there_is_a_basis_alone() -> None:
    before = [finished(n, seconds=10 * n) for n in range(1, 11)]
    planned_ = open_goal(an_agents("fix"), an_agents("say", "fix"))
    goal = fold((e.GoalStarted(),), planned_)
    assert find_line(goal, *before) == (
        "~ about 100 s to 3 min of tasks left, by 10 like them; gates not counted"
    )
    assert find_line(planned_, *before) == "", "nobody works on it"
    assert find_line(goal) == find_line(goal, *before[: ENOUGH - 1]) == ""
    other = fold((e.GoalStarted(),), open_goal(an_agents("fix"), an_agents("say", agent="claude")))
    assert find_line(other, *before) == "", "one of its tasks has no basis"


def test_what_is_done_is_not_left() -> None:
    before = [finished(n, seconds=10) for n in range(6)]
    goal = fold((e.GoalStarted(),), open_goal(an_agents("fix"), an_agents("say", "fix")))
    began = e.TaskStarted(task="fix", attempt=1, base_commit=BASE)
    spent = Spend(attempts=1)
    ended = e.TaskFinished(task="fix", attempt=1, commit=OTHER, evidence=NOTHING, spent=spent)
    assert "about 20 s of tasks" in find_line(fold((began,), goal), *before)
    assert "about 10 s of tasks" in find_line(fold((began, ended), goal), *before)


def samples(*seconds: int) -> list[Sample]:
    return [
        Sample(str(goal_id(at)), "codex", "fix", took * 1000, None, Decimal(0))
        for at, took in enumerate(seconds)
    ]


def test_how_forecasts_held_is_found_with_what_was_known_before_each() -> None:
    assert calibrate(samples(*[10] * 12), {"codex"}) == Calibration(7, 7, 7)
    growing = calibrate(samples(*range(1, 13)), {"codex"})
    assert growing == Calibration(7, 0, 0), "each took longer than all before it"
    assert calibrate(samples(*[10] * 9), {"codex"}) is None
    assert calibrate(samples(*[10] * 12), {"claude"}) is None


def test_tasks_of_one_goal_do_not_foretell_each_other() -> None:
    same = [Sample("goal", "codex", "fix", 1, None, None)] * 30
    assert calibrate(same, {"codex"}) is None


@pytest.mark.parametrize(("percent", "value"), [(1, 1), (50, 5), (90, 9), (91, 10), (100, 10)])
def test_a_rank_is_the_nearest_one(percent: int, value: int) -> None:
    assert find_rank(range(1, 11), percent) == value


def test_the_order_in_which_goals_are_listed_changes_nothing() -> None:
    before = [finished(number, seconds=number) for number in range(1, 20)]
    goal = open_goal(an_agents("fix"))
    assert look(goal, *before) == look(goal, *reversed(before))
