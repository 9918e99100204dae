"""The history of what a goal used, told by its journal."""

from __future__ import annotations

from decimal import Decimal

from goal_engine.budget import BudgetAdd, GoalBudget, Spend, SpendSource
from goal_engine.ledger import find_shares, read_ledger
from goal_engine.state import events as e
from goal_engine.state.evolve import fold_entries
from tests.builders import BASE, ME, NOTHING, OTHER, a_goal_created, entries_of, planned

PAID = Spend(attempts=1, tokens=9, usd=Decimal("0.5"), source=SpendSource.ESTIMATED)
GROUPS = (
    (a_goal_created(budget=GoalBudget(tokens=10)), planned()),
    (e.GoalStarted(),),
    (e.BudgetChecked(step="wave", spent=Spend(wall_ms=5)),),
    (e.TaskStarted(task="fix", attempt=1, base_commit=BASE),),
    (
        e.TaskFinished(
            task="fix", attempt=1, commit=OTHER, evidence=NOTHING, spent=PAID, wall_ms=7
        ),
        e.BudgetChecked(step="task", task="fix", spent=PAID.plus(Spend(wall_ms=12))),
        e.BudgetWarned(limit="tokens", percent=80, used="9", of="10"),
    ),
    (e.GoalBlocked(on="budget", reason="tokens: 9 of 10", next="more", spent=Spend(wall_ms=20)),),
    (e.BudgetExtended(added=BudgetAdd(tokens=5), budget=GoalBudget(tokens=15), decision=ME),),
)


def test_each_step_is_a_checkpoint_with_what_was_used_by_then() -> None:
    ledger = read_ledger(entries_of(GROUPS))
    assert [(one.seq, one.label, one.spent.wall_ms) for one in ledger.checkpoints] == [
        (3, "before tasks", 5),
        (5, "after task fix", 12),
        (6, "used up", 20),
        (7, "extended", 20),
    ]
    assert [one.said.percent for one in ledger.warnings] == [80]
    assert [one.said.decision.reason for one in ledger.extensions] == [ME.reason]


def test_a_task_has_what_its_attempts_used_and_who_did_it() -> None:
    state = fold_entries(entries_of(GROUPS))
    assert state.spend.wall_ms == 20, "the time of a task is no second time of the goal"
    share = find_shares(state)[0]
    assert (share.task, share.worker, share.spent.wall_ms, share.spent.tokens) == (
        "fix",
        "recipe",
        7,
        9,
    )
    assert share.spent.source is SpendSource.ESTIMATED
