"""Which events are somebody's decision: the verb, what it is about, who and why, in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from goal_engine.decision import Decided
from goal_engine.state import events as e
from goal_engine.types import Decision, Frozen


def _say_stop(verb: str, stopped: e.GoalPaused | e.GoalCancelled) -> Decided | None:
    """Where a runner was asked, the request says it."""
    receipt = stopped.receipt
    if receipt is None or not receipt.actor or receipt.took_ms is not None:
        return None
    return Decided(verb=verb, decision=Decision(actor=receipt.actor, reason=receipt.reason))


DECISIONS: Mapping[type[Frozen], Callable[[Any], Decided | None]] = {
    e.QuestionAnswered: lambda v: Decided(
        verb="answer", about=f"{v.answer.question}: {v.answer.text}", decision=v.answer.decision
    ),
    e.GateWaived: lambda v: Decided(verb="waive", about=f"gate {v.gate}", decision=v.decision),
    e.LimitsWaived: lambda v: Decided(
        verb="waive", about=f"limit of {', '.join(v.limits)}", decision=v.decision
    ),
    e.RepositorySettled: lambda v: Decided(
        verb=v.choice, about=", ".join(v.restored), decision=v.decision
    ),
    e.BudgetExtended: lambda v: Decided(verb="budget", decision=v.decision),
    e.ControlRequested: lambda v: Decided(verb=v.kind, decision=v.decision),
    e.GoalPaused: lambda v: _say_stop("pause", v),
    e.GoalCancelled: lambda v: _say_stop("cancel", v),
    e.TaskSubmitted: lambda v: Decided(verb="submit", about=f"task {v.task}", decision=v.decision),
    e.PermissionAnswered: lambda v: (
        Decided(
            verb="allow" if v.answer.allowed else "deny",
            about=f"task {v.task}, ask {v.key}",
            decision=v.decision,
        )
        if v.decision
        else None
    ),
    e.CriterionAccepted: lambda v: Decided(
        verb="accept",
        about=v.acceptance.criterion,
        tree=v.acceptance.tree,
        decision=v.acceptance.decision,
    ),
    e.GoalArchived: lambda v: Decided(verb="archive", decision=v.decision),
    e.GoalUnarchived: lambda v: Decided(verb="unarchive", decision=v.decision),
    e.BaseMoved: lambda v: Decided(
        verb="rebase", about=f"onto {v.base_commit[:12]}", decision=v.decision
    ),
    e.GoalRejected: lambda v: Decided(
        verb="reject", tree=v.rejection.tree, decision=v.rejection.decision
    ),
}
"""How each event that holds a person's decision says it."""


def find_decision(event: Frozen) -> Decided | None:
    """Return what somebody decided with an event, `None` where nobody did."""
    say = DECISIONS.get(type(event))
    return say(event) if say else None
