"""Every status change is in `TRANSITIONS`, nowhere else.

An event that has no entry under a status cannot happen there: `decide` refuses what would cause it.
"""

from __future__ import annotations

from collections.abc import Mapping

from goal_engine.state import events as e
from goal_engine.types import Frozen, GoalStatus

S = GoalStatus
Moves = Mapping[type[Frozen], GoalStatus]


def _stays(status: GoalStatus, *facts: type[Frozen]) -> dict[type[Frozen], GoalStatus]:
    return dict.fromkeys(facts, status)


BLOCKED_ON: Mapping[str, GoalStatus] = {
    "human": S.BLOCKED_ON_HUMAN,
    "external": S.BLOCKED_ON_EXTERNAL,
    "budget": S.NEEDS_MORE_BUDGET,
    "infra": S.FAILED_INFRA,
}
"""Where `goal.blocked` leads, by what it waits for; the one event whose content chooses."""

_WORK = (
    e.ControlRequested,
    e.GateStarted,
    e.GateFinished,
    e.CheckFinished,
    e.TaskStarted,
    e.TaskHandedOver,
    e.TaskSubmitted,
    e.TaskFinished,
    e.TaskFailed,
    e.TasksBlocked,
    e.TreeIntegrated,
    e.IntegrationConflicted,
    e.VerificationStarted,
    e.RoundWeighed,
    e.RepairPlanned,
    e.RepairDropped,
    e.RepairsStopped,
    e.GoalJudged,
    e.ProofRecorded,
    e.QuestionsAsked,
    e.BudgetExtended,
    e.BudgetWarned,
    e.BudgetChecked,
    e.SpendReported,
)
_RESUME: Moves = {e.GoalResumed: S.RUNNING, e.GoalCancelled: S.CANCELLED}
_START: Moves = {e.GoalStarted: S.RUNNING, e.GoalCancelled: S.CANCELLED}

TRANSITIONS: Mapping[GoalStatus | None, Moves] = {
    None: {e.GoalCreated: S.PLANNED},
    S.PLANNED: {
        **_START,
        **_stays(S.PLANNED, e.GoalPlanned, e.GoalRestated, e.QuestionsAsked, e.BudgetExtended),
        e.GoalBlocked: S.BLOCKED_ON_HUMAN,
    },
    S.RUNNING: {
        **_stays(S.RUNNING, *_WORK),
        e.GoalPaused: S.PAUSED,
        e.GoalInterrupted: S.PAUSED,
        e.GoalBlocked: S.BLOCKED_ON_HUMAN,
        e.GoalReady: S.READY,
        e.GoalNotReady: S.NOT_READY,
        e.GoalCancelled: S.CANCELLED,
    },
    S.PAUSED: {**_RESUME, **_stays(S.PAUSED, e.BudgetExtended)},
    S.BLOCKED_ON_HUMAN: {
        **_RESUME,
        **_stays(
            S.BLOCKED_ON_HUMAN,
            e.QuestionsAsked,
            e.QuestionAnswered,
            e.GateWaived,
            e.LimitsWaived,
            e.CriterionAccepted,
            e.HunksTried,
            e.GoalJudged,
            e.ProofRecorded,
            e.BudgetExtended,
        ),
        e.GoalPlanned: S.PLANNED,
        e.GoalBlocked: S.BLOCKED_ON_HUMAN,
        e.GoalReady: S.READY,
        e.GoalNotReady: S.NOT_READY,
        e.VerificationReopened: S.RUNNING,
    },
    S.BLOCKED_ON_EXTERNAL: {
        **_RESUME,
        **_stays(S.BLOCKED_ON_EXTERNAL, e.BudgetExtended),
        e.GoalPlanned: S.PLANNED,
    },
    S.NEEDS_MORE_BUDGET: {**_RESUME, **_stays(S.NEEDS_MORE_BUDGET, e.BudgetExtended)},
    S.FAILED_INFRA: {**_RESUME, **_stays(S.FAILED_INFRA, e.BudgetExtended)},
    S.NOT_READY: {
        **_START,
        **_stays(S.NOT_READY, e.CriterionAccepted, e.GoalJudged, e.ProofRecorded, e.GoalNotReady),
        **_stays(S.NOT_READY, e.ChangeUndone, e.BudgetExtended),
        e.GoalReady: S.READY,
        e.VerificationReopened: S.RUNNING,
    },
    S.READY: {
        **_START,
        **_stays(S.READY, e.HunksTried, e.BudgetExtended),
        **_stays(S.READY, e.ProofRecorded, e.ChangeApplied, e.ChangeUndone, e.DeliveryIntended),
        e.GoalDelivered: S.DELIVERED,
        e.VerificationReopened: S.RUNNING,
    },
    S.DELIVERED: _stays(S.DELIVERED, e.ProofRecorded, e.ChangeApplied, e.ChangeUndone),
    S.CANCELLED: {},
}


ANYWHERE = frozenset({e.FormatRaised})
"""Events that any goal can have and that leave its status as it is."""


def find_next(status: GoalStatus | None, event: Frozen) -> GoalStatus | None:
    """Return the status after `event`, or `None` where it cannot happen."""
    if type(event) in ANYWHERE:
        return status
    target = TRANSITIONS[status].get(type(event))
    if target is not None and isinstance(event, e.GoalBlocked):
        return BLOCKED_ON[event.on]
    return target


POSSIBLE: Mapping[GoalStatus, tuple[str, ...]] = {
    S.PLANNED: ("execute", "revise", "cancel"),
    S.RUNNING: ("pause", "cancel", "show"),
    S.PAUSED: ("resume", "cancel"),
    S.BLOCKED_ON_HUMAN: (
        "answer", "accept", "diff", "proof", "verify", "hunks", "resume", "revise",
        "cancel",
    ),
    S.BLOCKED_ON_EXTERNAL: ("revise", "resume", "cancel"),
    S.NEEDS_MORE_BUDGET: ("budget", "resume", "cancel"),
    S.FAILED_INFRA: ("resume", "diagnose", "cancel"),
    S.NOT_READY: ("execute", "diagnose", "accept", "diff", "proof", "verify", "cancel"),
    S.READY: ("diff", "apply", "deliver", "proof", "verify", "hunks", "execute", "cancel"),
    S.DELIVERED: ("apply", "diff", "proof"),
    S.CANCELLED: ("show",),
}  # fmt: skip
"""The operations to name when another one is refused."""


def render_mermaid() -> str:
    """Return the state diagram of a goal, as ARCHITECTURE.md shows it."""
    lines = ["stateDiagram-v2"]
    for status, moves in TRANSITIONS.items():
        for event, target in moves.items():
            if target is status:
                continue
            name = event.model_fields["type"].default
            targets = (
                BLOCKED_ON.values() if event is e.GoalBlocked and status is S.RUNNING else (target,)
            )
            lines += [
                f"    {status or '[*]'} --> {to}: {name}" for to in targets if to is not status
            ]
    return "\n".join(lines)
