"""Every status change is in `TRANSITIONS`, nowhere else.

An event that has no entry under a status cannot happen there: `decide` refuses what would cause it.
"""

from __future__ import annotations

from collections.abc import Mapping

from goal_engine.state import events as e
from goal_engine.types import Frozen, GoalStatus, TaskStatus

S, T = GoalStatus, TaskStatus
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
    e.WaveNarrowed,
    e.ControlRequested,
    e.GateStarted,
    e.GateFinished,
    e.CheckFinished,
    e.TaskStarted,
    e.TaskHandedOver,
    e.TaskSubmitted,
    e.PermissionAsked,
    e.PermissionAnswered,
    e.WordSaid,
    e.SessionOpened,
    e.TaskFinished,
    e.TaskFailed,
    e.TaskDeferred,
    e.TaskProposed,
    e.ProposalAccepted,
    e.ProposalRejected,
    e.TasksBlocked,
    e.TreeIntegrated,
    e.IntegrationConflicted,
    e.BaseOutgrown,
    e.VerificationStarted,
    e.RoundWeighed,
    e.RepairPlanned,
    e.RepairDropped,
    e.RepairsStopped,
    e.RepositoryMoved,
    e.ConsultationStarted,
    e.ConsultationFinished,
    e.GoalJudged,
    e.ProofRecorded,
    e.QuestionsAsked,
    e.BudgetExtended,
    e.BudgetWarned,
    e.BudgetChecked,
    e.SpendReported,
)
_CONSULTED = (e.ConsultationStarted, e.ConsultationFinished)
_SHELVED = (e.GoalArchived, e.GoalUnarchived)
_RESUME: Moves = {e.GoalResumed: S.RUNNING, e.GoalCancelled: S.CANCELLED}
_START: Moves = {e.GoalStarted: S.RUNNING, e.GoalCancelled: S.CANCELLED}

TRANSITIONS: Mapping[GoalStatus | None, Moves] = {
    None: {e.GoalCreated: S.PLANNED},
    S.PLANNED: {
        **_START,
        **_stays(S.PLANNED, e.GoalPlanned, e.GoalRestated, e.QuestionsAsked, e.BudgetExtended),
        **_stays(S.PLANNED, *_SHELVED),
        **_stays(S.PLANNED, e.BaseMoved),
        e.PlanningStarted: S.RUNNING,
        e.GoalBlocked: S.BLOCKED_ON_HUMAN,
    },
    S.RUNNING: {
        **_stays(S.RUNNING, *_WORK),
        e.PlanningEnded: S.PLANNED,
        e.GoalPaused: S.PAUSED,
        e.GoalInterrupted: S.PAUSED,
        e.GoalBlocked: S.BLOCKED_ON_HUMAN,
        e.GoalReady: S.READY,
        e.GoalNotReady: S.NOT_READY,
        e.GoalCancelled: S.CANCELLED,
    },
    S.PAUSED: {**_RESUME, **_stays(S.PAUSED, e.BudgetExtended, *_SHELVED)},
    S.BLOCKED_ON_HUMAN: {
        **_RESUME,
        **_stays(
            S.BLOCKED_ON_HUMAN,
            e.QuestionsAsked,
            e.QuestionAnswered,
            e.ProposalAccepted,
            e.ProposalRejected,
            e.GateWaived,
            e.LimitsWaived,
            e.RepositorySettled,
            e.CriterionAccepted,
            e.HunksTried,
            *_CONSULTED,
            e.GoalJudged,
            e.ProofRecorded,
            e.BudgetExtended,
            *_SHELVED,
        ),
        e.GoalPlanned: S.PLANNED,
        e.GoalBlocked: S.BLOCKED_ON_HUMAN,
        e.GoalRejected: S.NOT_READY,
        e.GoalReady: S.READY,
        e.GoalNotReady: S.NOT_READY,
        e.VerificationReopened: S.RUNNING,
        e.BaseMoved: S.RUNNING,
    },
    S.BLOCKED_ON_EXTERNAL: {
        **_RESUME,
        **_stays(S.BLOCKED_ON_EXTERNAL, e.BudgetExtended, *_SHELVED),
        e.GoalPlanned: S.PLANNED,
    },
    S.NEEDS_MORE_BUDGET: {**_RESUME, **_stays(S.NEEDS_MORE_BUDGET, e.BudgetExtended, *_SHELVED)},
    S.FAILED_INFRA: {**_RESUME, **_stays(S.FAILED_INFRA, e.BudgetExtended, *_SHELVED)},
    S.NOT_READY: {
        **_START,
        **_stays(S.NOT_READY, e.CriterionAccepted, e.GoalJudged, e.ProofRecorded, e.GoalNotReady),
        **_stays(S.NOT_READY, e.ChangeUndone, e.BudgetExtended, e.GoalRejected),
        **_stays(S.NOT_READY, *_CONSULTED, *_SHELVED),
        e.GoalReady: S.READY,
        e.GoalBlocked: S.BLOCKED_ON_HUMAN,
        e.VerificationReopened: S.RUNNING,
        e.BaseMoved: S.RUNNING,
    },
    S.READY: {
        **_START,
        **_stays(S.READY, e.HunksTried, *_CONSULTED, e.GoalJudged, e.BudgetExtended, *_SHELVED),
        **_stays(S.READY, e.ProofRecorded, e.ChangeApplied, e.ChangeUndone, e.DeliveryIntended),
        e.GoalDelivered: S.DELIVERED,
        e.GoalRejected: S.NOT_READY,
        e.VerificationReopened: S.RUNNING,
        e.BaseMoved: S.RUNNING,
    },
    S.DELIVERED: {
        **_stays(S.DELIVERED, e.ProofRecorded, e.ChangeApplied, e.ChangeUndone, *_SHELVED),
        e.GoalRejected: S.NOT_READY,
    },
    S.CANCELLED: _stays(S.CANCELLED, *_SHELVED),
}


TASK_MOVES: Mapping[TaskStatus | None, Mapping[type[Frozen], TaskStatus]] = {
    None: dict.fromkeys(
        (e.GoalPlanned, e.PlanningEnded, e.RepairPlanned, e.ProposalAccepted), T.PENDING
    ),
    T.PENDING: {e.TaskStarted: T.RUNNING, e.TasksBlocked: T.BLOCKED},
    T.RUNNING: {
        e.TaskHandedOver: T.RUNNING,
        **dict.fromkeys(
            (
                *(e.TaskSubmitted, e.PermissionAsked, e.PermissionAnswered, e.WordSaid),
                e.SessionOpened,
            ),
            T.RUNNING,
        ),
        e.TaskFinished: T.DONE,
        e.TaskFailed: T.FAILED,
        e.TaskDeferred: T.PENDING,
        **dict.fromkeys(
            (e.GoalPaused, e.GoalInterrupted, e.GoalBlocked, e.GoalCancelled), T.PENDING
        ),
    },
    T.DONE: {
        e.IntegrationConflicted: T.FAILED,
        e.RepairDropped: T.FAILED,
        e.BaseMoved: T.FAILED,
        e.GoalStarted: T.PENDING,
        e.RepositorySettled: T.PENDING,
    },
    T.FAILED: {
        e.GoalStarted: T.PENDING,
        e.GoalResumed: T.PENDING,
        e.TreeIntegrated: T.DONE,
    },
    T.BLOCKED: {
        e.GoalStarted: T.PENDING,
        e.GoalResumed: T.PENDING,
        e.TreeIntegrated: T.PENDING,
    },
}
"""How a task's status moves; `None` is a task that is not there yet.

`goal.started` gives out again what did not end well and, after `not_ready`, what agents and people
did; `goal.resumed` and `tree.integrated` settle a task that did not merge and those that wait for it.
`repository.settled` drops results that were left beside a change of the person's repository.
"""


ANYWHERE = frozenset({e.FormatRaised, e.AttemptLate})
"""Events that any goal can have and that leave its status as it is."""


def find_next(status: GoalStatus | None, event: Frozen) -> GoalStatus | None:
    """Return the status after `event`, or `None` where it cannot happen."""
    if type(event) in ANYWHERE:
        return status
    target = TRANSITIONS[status].get(type(event))
    if target is not None and isinstance(event, e.GoalBlocked):
        return BLOCKED_ON[event.on]
    return target


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


def render_task_mermaid() -> str:
    """Return the state diagram of a task, as ARCHITECTURE.md shows it."""
    lines = ["stateDiagram-v2"]
    lines += [
        f"    {status or '[*]'} --> {target}: {event.model_fields['type'].default}"
        for status, moves in TASK_MOVES.items()
        for event, target in moves.items()
        if target is not status
    ]
    return "\n".join(lines)
