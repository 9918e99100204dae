"""Limits are limits, and what nobody measured is never zero."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from goal_engine import metering
from goal_engine.budget import (
    NO_NEED,
    SAYS_LIVE,
    SAYS_NOTHING,
    UNITS,
    WARN_AT,
    BudgetAdd,
    GoalBudget,
    Need,
    Room,
    Spend,
    SpendSource,
    TaskBudget,
    extend,
    find_exceeded,
    find_left,
    find_nonsense,
    find_unlimited,
    find_warnings,
    make_need,
    read_seconds,
)
from goal_engine.metering import Meter
from goal_engine.state import events as e
from goal_engine.state.evolve import fold
from goal_engine.state.model import GoalState
from goal_engine.types import TaskStatus
from tests.builders import BASE, a_goal, a_goal_created, a_task, planned


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
        (GoalBudget(turns=1), Spend(turns=2), ("turns: 2 of 1",)),
        (GoalBudget(tokens=10**7), Spend(tokens=10**7 + 1), ("tokens: 10000001 of 10000000",)),
        (GoalBudget(wall_seconds=10**400), Spend(wall_ms=5), ()),
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


def test_what_cost_nothing_does_not_blur_where_figures_come_from() -> None:
    paid = Spend(tokens=5, source=SpendSource.VENDOR_REPORTED)
    assert Spend(attempts=1).plus(paid).source is SpendSource.VENDOR_REPORTED
    assert paid.plus(Spend(wall_ms=9)).source is SpendSource.VENDOR_REPORTED


def test_what_is_used_to_the_last_counts_where_it_stopped_the_goal() -> None:
    budget, spend = GoalBudget(attempts=1, tokens=5), Spend(attempts=1, tokens=5)
    assert find_exceeded(budget, spend) == ()
    assert find_exceeded(budget, spend, ("attempts",)) == ("attempts: 1 of 1",)


def test_what_is_left_is_never_below_zero_and_unknown_stays_unknown() -> None:
    budget = GoalBudget(wall_seconds=2, tokens=5, usd=Decimal(1))
    left = find_left(budget, Spend(wall_ms=500, tokens=7, usd=None))
    assert left == {"wall_seconds": 1500, "tokens": 0, "usd": None}


def test_more_is_added_to_what_was_used_of_a_limit_that_was_exceeded() -> None:
    budget = GoalBudget(wall_seconds=10, attempts=2, usd=Decimal(1), max_agents=4)
    spend = Spend(wall_ms=12_001, attempts=1, usd=Decimal("1.5"))
    add = BudgetAdd(wall_seconds=5, attempts=1, usd=Decimal("0.5"), max_agents=2)
    raised = extend(budget, spend, add)
    assert (raised.wall_seconds, raised.attempts, raised.usd) == (18, 3, Decimal("2.0"))
    assert raised.max_agents == 2
    assert find_unlimited(budget, BudgetAdd(tokens=5)) == ("tokens",)


@pytest.mark.parametrize(
    ("typed", "seconds"), [("90", 90), ("90s", 90), (" 10 m ", 600), ("2H", 7200), ("1d", 86400)]
)
def test_a_duration_is_read_as_people_write_it(typed: str, seconds: int) -> None:
    assert read_seconds(typed) == seconds
    assert GoalBudget.model_validate({"wall_seconds": typed}).wall_seconds == seconds


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"wall_seconds": "5 minutes"}, "has to be whole seconds, or like 90s, 10m, 2h, 1d"),
        ({"wall_seconds": "-5m"}, "has to be whole seconds"),
        ({"wall_seconds": 0}, "greater than 0"),
        ({"usd": "nan"}, "finite number"),
        ({"usd": float("nan")}, "finite number"),
        ({"usd": "lots"}, "has to be US dollars, like 2.50"),
        ({"usd": -1}, "greater than 0"),
        ({"tokens": -5}, "greater than 0"),
        ({"turns": 1.5}, "valid integer"),
    ],
)
def test_nonsense_is_refused_in_words(limits: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        GoalBudget.model_validate(limits)
    assert said in refused.value.errors()[0]["msg"]


def test_a_limit_that_nobody_can_mean_is_named() -> None:
    assert find_nonsense(GoalBudget(usd=Decimal(5), tokens=10**15)) == (
        ("tokens", "is 1,000,000,000,000 at most; leave it out for no limit"),
    )


def test_a_task_fits_only_beside_what_is_held_back_for_others() -> None:
    budget = GoalBudget(tokens=100)
    one = make_need("one", SAYS_LIVE, TaskBudget(tokens=60))
    two = make_need("two", SAYS_LIVE, TaskBudget(tokens=60))
    assert Room(budget, Spend(), NO_NEED).find_unfit(one) == ()
    assert Room(budget, Spend(), one).find_unfit(two) == (
        "tokens: 0 of 100, 60 held back for what runs, and two may use 60",
    )
    assert Room(budget, Spend(tokens=41), NO_NEED).find_unfit(one) == (
        "tokens: 41 of 100, and one may use 60",
    )
    without = make_need("three", SAYS_LIVE, None)
    assert Room(budget, Spend(tokens=100), NO_NEED).find_unfit(without) == ("tokens: 100 of 100",)
    steps = Need(name="steps")
    assert Room(budget, Spend(tokens=100), NO_NEED).find_unfit(steps) == ()
    assert Room(GoalBudget(turns=1), Spend(turns=1), NO_NEED).find_unfit(without) == (
        "turns: 1 of 1",
    )


FIGURES = st.integers(0, 120)


@given(st.lists(FIGURES, max_size=30), st.integers(1, 100))
def test_each_warning_is_given_once_and_in_order(charges: list[int], limit: int) -> None:
    budget, spend, warned, given_ = GoalBudget(tokens=limit), Spend(), dict[str, int](), []
    for charge in charges:
        spend = spend.plus(Spend(tokens=charge))
        for name, percent in find_warnings(budget, spend, warned).items():
            warned[name] = percent
            given_.append(percent)
    assert given_ == sorted(set(given_)) and set(given_) <= set(WARN_AT)
    used = (spend.tokens or 0) * 100 // limit
    assert (given_ or [0])[-1] == max((at for at in WARN_AT if used >= at), default=0)


@given(
    st.builds(
        Spend,
        turns=FIGURES,
        tokens=st.none() | FIGURES,
        usd=st.none() | st.decimals(0, 9, places=2),
    ),
    st.builds(
        TaskBudget, tokens=st.none() | st.integers(1, 99), turns=st.none() | st.integers(1, 9)
    ),
)
def test_what_is_held_back_is_never_below_nothing(spend: Spend, own: TaskBudget) -> None:
    left = make_need("task", SAYS_NOTHING, own).without(spend)
    assert min(left.attempts, left.turns, left.tokens, left.usd) >= 0


def running_goal(limit: int, tasks: Iterable[str]) -> GoalState:
    created = a_goal_created(budget=GoalBudget(tokens=limit))
    agents = [a_task(name).changed(worker="cli", command=("agent",), steps=()) for name in tasks]
    return fold((created, planned(*agents), e.GoalStarted()))


def spend_until_stopped(limit: int, charges: list[tuple[int, int]], own: int | None) -> None:
    """Turns that run at once report each charge; the goal stops by the same looks as a runner's."""
    names = [f"task-{number}" for number in range(4)]
    state, meter = running_goal(limit, names), Meter(lambda: 0.0)
    total, used = 0, dict.fromkeys(names, 0)
    for at, charge in charges:
        name = names[at]
        if state.tasks[name].status is TaskStatus.PENDING:
            need = make_need(name, SAYS_LIVE, TaskBudget(tokens=own) if own else None)
            if meter.hold(state, need):
                continue
            state = fold((e.TaskStarted(task=name, attempt=1, base_commit=BASE),), state)
        if not state.is_open(name):
            continue
        assert total <= limit, "a turn went on although the limit was passed"
        used[name] += charge
        total += charge
        meter.report(name, Spend(tokens=used[name]))
        assert meter.find_total(state).tokens == total
        if own and used[name] > own:
            spent = Spend(attempts=1, tokens=used[name])
            failed = e.TaskFailed(task=name, attempt=1, reason="over", spent=spent)
            state = fold((failed,), state)
            assert meter.find_total(state).tokens == total
            meter.release(name)
        if meter.find_over(state):
            return


CHARGES = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 30)), max_size=40)


@given(st.integers(1, 200), CHARGES, st.none() | st.integers(1, 60))
def test_no_more_than_one_charge_is_spent_above_a_limit(
    limit: int, charges: list[tuple[int, int]], own: int | None
) -> None:
    spend_until_stopped(limit, charges, own)


def test_a_watch_that_does_not_look_at_turns_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mutant of the property above."""
    monkeypatch.setattr(metering, "WHILE_RUNNING", frozenset())
    looks = settings(max_examples=200, derandomize=True, database=None)(
        given(st.integers(1, 200), CHARGES)(
            lambda limit, charges: spend_until_stopped(limit, charges, None)
        )
    )
    with pytest.raises(AssertionError):
        looks()


def test_attempts_that_run_at_once_do_not_overspend_together() -> None:
    names = [f"task-{number}" for number in range(4)]
    state, meter = running_goal(100, names), Meter(lambda: 0.0)
    needs = [make_need(name, SAYS_LIVE, TaskBudget(tokens=40)) for name in names]
    assert [bool(meter.hold(state, need)) for need in needs] == [False, False, True, True]


def test_what_an_event_says_is_not_counted_twice() -> None:
    """While an attempt's end is recorded it is neither missing nor there twice."""
    state, meter = running_goal(100, ["one"]), Meter(lambda: 0.0)
    meter.hold(state, make_need("one", SAYS_LIVE, None))
    state = fold((e.TaskStarted(task="one", attempt=1, base_commit=BASE),), state)
    meter.report("one", Spend(tokens=60))
    assert meter.find_over(state) == ()
    spent = Spend(attempts=1, tokens=60)
    state = fold((e.TaskFailed(task="one", attempt=1, reason="no", spent=spent),), state)
    assert meter.find_over(state) == ()
    assert meter.find_total(state).tokens == 60


def test_a_turn_that_reported_nothing_yet_ends_too_once_others_used_all() -> None:
    state, meter = running_goal(10, ["one", "two"]), Meter(lambda: 0.0)
    for name in ("one", "two"):
        meter.hold(state, make_need(name, SAYS_LIVE, None))
        state = fold((e.TaskStarted(task=name, attempt=1, base_commit=BASE),), state)
    spent = Spend(attempts=1, tokens=11)
    state = fold((e.TaskFailed(task="one", attempt=1, reason="no", spent=spent),), state)
    meter.release("one")
    assert meter.find_over(state) == ("tokens: 11 of 10",)
    state = fold((e.TaskFailed(task="two", attempt=1, reason="no", spent=Spend()),), state)
    assert meter.find_over(state) == ()  # gates use none of it


def test_every_limit_stops_alone() -> None:
    full = {"wall_ms": 2001, "usd": Decimal(3)}
    for unit in UNITS:
        budget = GoalBudget.model_validate({unit.name: 2})
        spend = Spend.model_validate({unit.used: full.get(unit.used, 3)})
        assert find_exceeded(budget, spend), unit.name
        assert find_warnings(budget, spend, {}) == {unit.name: 95}


def test_another_limit_is_warned_of_anew() -> None:
    goal = fold(
        (
            a_goal_created(budget=GoalBudget(tokens=10, attempts=10)),
            planned(),
            e.GoalStarted(),
            e.BudgetWarned(limit="tokens", percent=95, used="10", of="10"),
            e.BudgetWarned(limit="attempts", percent=50, used="5", of="10"),
        )
    )
    more = e.GoalResumed(budget=goal.budget.changed(tokens=20))
    goal = fold((e.GoalPaused(reason="x"), more), goal)
    assert goal.warned == {"attempts": 50}


def test_time_before_a_crash_counts_up_to_the_last_checkpoint() -> None:
    goal = a_goal()
    goal = fold(
        (
            e.GoalStarted(),
            e.BudgetChecked(step="wave", spent=Spend(wall_ms=4000)),
            e.TaskStarted(task="fix", attempt=1, base_commit=BASE),
            e.GoalInterrupted(),
        ),
        goal,
    )
    assert goal.spend.wall_ms == 4000


def test_what_a_stopped_turn_had_reported_is_known_and_after_a_crash_it_is_not() -> None:
    goal = running_goal(100, ["one"])
    reported = Spend(tokens=7, usd=Decimal("0.1"), source=SpendSource.VENDOR_REPORTED)
    began = (
        e.TaskStarted(task="one", attempt=1, base_commit=BASE),
        e.SpendReported(task="one", attempt=1, spent=reported),
    )
    stopped = fold((*began, e.GoalPaused(reason="asked")), goal)
    assert (stopped.spend.tokens, stopped.tasks["one"].spend.tokens) == (7, 7)
    assert stopped.spend.source is SpendSource.VENDOR_REPORTED
    assert fold((*began, e.GoalInterrupted()), goal).spend.tokens is None
    silent = fold((began[0], e.GoalPaused(reason="asked")), goal).spend
    assert (silent.tokens, silent.turns) == (None, 1)
