"""What a goal used of its limits, as a person and an editor see it."""

from __future__ import annotations

from decimal import Decimal

from goal_engine.budget import BudgetAdd, GoalBudget, Spend
from goal_engine.ledger import read_ledger
from goal_engine.progress import render_progress
from goal_engine.state import events as e
from goal_engine.state.evolve import fold, fold_entries
from goal_server import goal_views as g
from goal_server.parameters import BudgetParams
from goal_server.render import render_result
from goal_server.spending import Warnings, render_spending
from tests.builders import ME, a_goal_created, entries_of, planned


def warned(percent: int) -> e.BudgetWarned:
    return e.BudgetWarned(limit="tokens", percent=percent, used=str(percent), of="100")


GROUPS = (
    (a_goal_created(budget=GoalBudget(tokens=100, usd=Decimal(2))), planned()),
    (e.GoalStarted(),),
    (e.BudgetChecked(step="wave", spent=Spend(wall_ms=1500)),),
    (warned(80),),
    (
        e.GoalBlocked(
            on="budget",
            reason="tokens: 120 of 100",
            next="more",
            spent=Spend(wall_ms=2000, tokens=120, usd=None),
            limits=("tokens",),
        ),
    ),
    (e.BudgetExtended(added=BudgetAdd(attempts=1), budget=GoalBudget(tokens=100), decision=ME),),
)


def test_every_figure_is_said_and_the_unknown_is_no_zero() -> None:
    entries = entries_of(GROUPS[:-1])
    state = fold_entries(entries)
    view = render_spending(state, read_ledger(entries), None)
    by_name = {limit.name: limit for limit in view.limits}
    assert (by_name["tokens"].used, by_name["tokens"].limit) == ("120", "100")
    assert (by_name["tokens"].left, by_name["tokens"].percent) == ("0", 120)
    assert (by_name["usd"].used, by_name["usd"].left) == ("unknown", "unknown")
    assert by_name["wall_seconds"].used == "2" and by_name["wall_seconds"].limit is None
    assert view.next == (
        f"goalproof budget {state.goal_id} --add-tokens N",
        f"goalproof resume {state.goal_id}",
    )
    page = render_result(view)
    for said in (
        "120 of 100 used (120 %), 0 left",
        "unknown of 2 used",
        "80 % of tokens",
        "used up",
    ):
        assert said in page


def test_who_gave_more_is_told_with_the_reason() -> None:
    entries = entries_of(GROUPS)
    view = render_spending(fold_entries(entries), read_ledger(entries), None)
    assert view.extensions[0].actor == ME.actor and view.extensions[0].added == {"attempts": "1"}
    assert ME.reason in render_result(view)


def test_a_look_adds_nothing() -> None:
    assert BudgetParams(goal="latest").addition is None
    asked = BudgetParams.model_validate({"goal": "x", "addSeconds": "10m", "addUsd": "$1.50"})
    assert asked.addition == BudgetAdd(wall_seconds=600, usd=Decimal("1.50"))


def test_a_person_is_told_once_and_only_of_what_is_pressing() -> None:
    told = Warnings()
    state = fold_entries(entries_of(GROUPS[:2]))
    assert told.find_new(state) == ()
    assert told.find_new(fold((warned(50),), state)) == ()
    nearly = fold((warned(80),), state)
    assert len(told.find_new(nearly)) == 1 and told.find_new(nearly) == ()
    assert (
        "has used 95 % of its limit of tokens (100)"
        in told.find_new(fold((warned(95),), nearly))[0]
    )
    assert Warnings().find_new(nearly) == (), "it was warned of before anybody looked here"
    assert "! 80 % of tokens used" in render_progress(nearly).lines


def test_a_forecast_without_a_basis_shows_no_number() -> None:
    nothing = g.TaskForecastView(
        task="fix", worker="codex", basis="2 tasks of codex; 3 more are needed",
        seconds=None, tokens=None, usd=None,
    )  # fmt: skip
    entries = entries_of(GROUPS[:1])
    view = render_spending(fold_entries(entries), read_ledger(entries), None)
    blind = g.ForecastView(tasks=(nothing,), seconds=None, calibration="nothing yet")
    page = render_result(view.model_copy(update={"forecast": blind}))
    assert "no basis for a forecast: 2 tasks of codex; 3 more are needed" in page
