"""`evolve` applies one event and cannot fail on what `decide` let through; `fold` is a goal's history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from goal_engine.budget import LOST_TURN, UNITS, UNKNOWN, GoalBudget, Spend
from goal_engine.decision import WAIVE
from goal_engine.proof.confinement import Confined, with_confinement
from goal_engine.proof.gate import GateStage
from goal_engine.proof.verdict import NOT_REJECTED
from goal_engine.state import events as e
from goal_engine.state.decided import find_decision
from goal_engine.state.model import GateRun, GoalState, LeaveAsked, ProofPointer, TaskState
from goal_engine.state.transitions import find_next
from goal_engine.task_graph.graph import GoalTaskGraph
from goal_engine.types import Frozen, GoalPhase, GoalStatus, TaskStatus


class ImpossibleEvent(Exception):
    """The event cannot happen to this goal; `decide` turns it into a refusal, a store into damage."""

    def __init__(self, status: GoalStatus | None, event: Frozen) -> None:
        super().__init__(f"{type(event).__name__} while {status}")
        self.status, self.event = status, event


def evolve(state: GoalState | None, event: e.GoalEvent, **beside: Any) -> GoalState:
    """Return the goal after `event`, with what changes `beside`.

    Raises `ImpossibleEvent` where the table has no entry or the plan has no such task.
    """
    status = find_next(state.status if state else None, event)
    if status is None:
        raise ImpossibleEvent(state.status if state else None, event)
    if state is None:
        assert isinstance(event, e.GoalCreated)
        return GoalState(status=status, created=event, budget=event.budget).changed(**beside)
    change = CHANGES.get(type(event))
    try:
        changes = change(state, event) if change else {}
    except KeyError as error:  # it speaks of a task that the plan does not have
        raise ImpossibleEvent(state.status, event) from error
    if state.archived and status is not state.status:
        changes = {**changes, "archived": False}
    decided = find_decision(event)
    decisions = (*state.decisions, decided) if decided else state.decisions
    return state.changed(status=status, decisions=decisions, **changes, **beside)


def fold(events: Iterable[e.GoalEvent], state: GoalState | None = None) -> GoalState:
    """Return the goal after all `events`; raises `ValueError` when there is none to begin with."""
    for event in events:
        state = evolve(state, event)
    if state is None:
        raise ValueError("a goal begins with an event")
    return state


def fold_entries(entries: Iterable[e.JournalEntry], state: GoalState | None = None) -> GoalState:
    """Return the goal after all `entries`, with the number and time of the last one."""
    for entry in entries:
        *before, last = entry.events
        state = fold(before, state) if before else state
        state = evolve(state, last, seq=entry.seq, updated_at=entry.at)
    if state is None:
        raise ValueError("a goal begins with an event")
    return state


Change = Callable[[GoalState, Any], Mapping[str, Any]]
MERGED: Mapping[str, Any] = {"conflict": (), "conflicted": None, "clash": None}
"""Nothing is left that does not merge."""


def _with_task(state: GoalState, task: str, **changes: Any) -> dict[str, Any]:
    return {"tasks": {**state.tasks, task: state.tasks[task].changed(**changes)}}


def _planned(state: GoalState, event: e.GoalPlanned) -> Mapping[str, Any]:
    """A plan, the first or another one: what the one before asked and waited for is void."""
    answered = {answer.question for answer in state.answers}
    writes = (path for task in event.graph for path in task.writes)
    own = event.planner != "agent"
    return {
        "phase": GoalPhase.PLANNING,
        "granted": tuple(dict.fromkeys(writes)) if own else state.granted,
        "unplanned": "",
        "planner": event.planner,
        "criteria": event.criteria,
        "graph": event.graph,
        "policy": event.policy,
        "proposed": (),
        "accepted": (),
        "tasks": {task.id: TaskState() for task in event.graph},
        "questions": tuple(asked for asked in state.questions if asked.id in answered),
        "blocked": None,
        "requests": (),
        **MERGED,
        "pause_reason": "",
        "interrupted": False,
    }


def _planning_started(state: GoalState, event: e.PlanningStarted) -> Mapping[str, Any]:
    return {
        "phase": GoalPhase.PLANNING,
        "planning": event,
        "unplanned": "",
        "receipt": None,
        "requests": (),
    }


def _planning_ended(state: GoalState, event: e.PlanningEnded) -> Mapping[str, Any]:
    planned = _planned(state, event.plan) if event.plan else {"requests": (), "blocked": None}
    return {
        **planned,
        "planning": None,
        "unplanned": event.reason,
        "spend": state.spend.plus(event.spent),
    }


def _consultation_finished(state: GoalState, event: e.ConsultationFinished) -> Mapping[str, Any]:
    return {
        "consulting": None,
        "consulted": {**state.consulted, event.about: event},
        "reviewed": event if event.about == "review" and event.report else state.reviewed,
        "spend": state.spend.plus(event.spent),
    }


def _restated(state: GoalState, event: e.GoalRestated) -> Mapping[str, Any]:
    words = {"text": event.text, "kind": event.kind, "kind_reason": event.kind_reason}
    return {"created": state.created.changed(**words), **_with_budget(state, event.budget)}


def _asked(state: GoalState, event: e.QuestionsAsked) -> Mapping[str, Any]:
    known = {question.id for question in state.questions}
    return {"questions": (*state.questions, *(q for q in event.questions if q.id not in known))}


def _stopped(state: GoalState, event: e.GoalPaused | e.GoalCancelled) -> Mapping[str, Any]:
    return {
        "consulting": None,
        "requests": (),
        "receipt": event.receipt,
        "pause_reason": event.reason,
        "spend": _spend_with_lost(state).plus(event.spent),
        "tasks": _released(state),
    }


def _cancelled(state: GoalState, event: e.GoalCancelled) -> Mapping[str, Any]:
    """A person's folder that holds nothing of theirs goes with the goal."""
    changes = dict(_stopped(state, event))
    tasks: dict[str, TaskState] = changes["tasks"]
    changes["tasks"] = {
        name: task if name in event.kept else task.changed(folder=None)
        for name, task in tasks.items()
    }
    return changes


def _interrupted(state: GoalState, event: e.GoalInterrupted) -> Mapping[str, Any]:
    return {
        "consulting": None,
        "requests": (),
        "receipt": event.receipt,
        "interrupted": True,
        "pause_reason": "interrupted",
        "spend": _spend_after_crash(state),
        "tasks": _released(state),
    }


def _released(state: GoalState) -> dict[str, TaskState]:
    """An attempt that was under way counts for nothing: its task is pending again.

    A person's folder stays theirs, and what they submitted is asked for again: they may go on.
    """
    return {
        task_id: task.changed(
            status=TaskStatus.PENDING,
            submitted=None,
            spend=task.spend.plus(task.reported) if task.reported else task.spend,
            reported=None,
        )
        if task.status is TaskStatus.RUNNING
        else task
        for task_id, task in state.tasks.items()
    }


def _spend_with_lost(state: GoalState) -> Spend:
    """What an agent spent before it was stopped is what it reported, or nobody knows."""
    spend = state.spend.plus(LOST_TURN) if state.consulting else state.spend
    for task in state.graph:
        stands = state.tasks[task.id]
        if stands.status is not TaskStatus.RUNNING:
            continue
        if stands.reported is not None:
            spend = spend.plus(stands.reported)
        elif not task.metered:
            spend = spend.plus(LOST_TURN)
    return spend


def _spend_after_crash(state: GoalState) -> Spend:
    """Time is known up to the last checkpoint; what an agent used after its report is not."""
    spend = _spend_with_lost(state)
    reported = any(
        task.status is TaskStatus.RUNNING and task.reported for task in state.tasks.values()
    )
    spend = spend.plus(UNKNOWN) if reported else spend
    return spend.changed(wall_ms=max(spend.wall_ms, state.checked.wall_ms))


def _started(state: GoalState, event: e.GoalStarted) -> Mapping[str, Any]:
    """A fresh run tries what did not end well again and proves with fresh gates.

    What gates said of the base stands, where they said anything: one that had no time is asked again.

    After `not_ready` that is also what agents and people did: they go on where they stopped, on the
    tree that was judged.  Steps would only give the same tree again.  Repairs belong to the run that planned them.
    """
    judged = state.status is GoalStatus.NOT_READY
    repairs = state.repair_ids
    redone = {task.id for task in state.plan if judged and task.worker != "recipe"}
    again = {
        task_id: task
        if task_id in repairs or (task.status is TaskStatus.DONE and task_id not in redone)
        else _again(task)
        for task_id, task in state.tasks.items()
    }
    baseline = {
        key: run
        for key, run in state.gates_run.items()
        if run.result.stage is GateStage.BASELINE and run.result.answered
    }
    return {
        "phase": GoalPhase.EXECUTION,
        "tasks": again,
        "integrated": tuple(task for task in state.integrated if task not in redone),
        "blocked": None,
        **MERGED,
        "repairs_before": len(state.repairs),
        "rounds": (),
        "stopped": None,
        "gates_run": baseline,
        "checks_run": {},
        "gates_running": (),
        "receipt": None,
        "reopened": False,
    }


def _again(task: TaskState) -> TaskState:
    """A task without its last attempt, but with the folder that a person worked in."""
    kept = {"folder": task.folder, "base": task.base, "exclude": task.exclude}
    return TaskState(attempts=task.attempts, spend=task.spend).changed(**kept)


def _resumed(state: GoalState, event: e.GoalResumed) -> Mapping[str, Any]:
    """What did not merge and waited for a person is done again, on what is there by now."""
    tasks = dict(state.tasks)
    for name in _find_held_up(state) if state.status is GoalStatus.BLOCKED_ON_HUMAN else ():
        tasks[name] = _again(tasks[name])
    return {
        "tasks": tasks,
        "gates_running": (),
        "receipt": None,
        "interrupted": False,
        "blocked": None,
        "moved": None,
        "pause_reason": "",
        **_with_budget(state, event.budget or state.budget),
        **({"conflict": ()} if tasks == state.tasks else MERGED),
    }


def _with_budget(state: GoalState, budget: GoalBudget) -> dict[str, Any]:
    """Another limit is warned of anew."""
    same = {
        unit.name
        for unit in UNITS
        if getattr(budget, unit.name) == getattr(state.budget, unit.name)
    }
    warned = {name: percent for name, percent in state.warned.items() if name in same}
    return {"budget": budget, "warned": warned}


def _find_held_up(state: GoalState) -> tuple[str, ...]:
    """The task that did not merge, and those that wait for it."""
    if state.conflicted is None:
        return ()
    waiting = (
        name
        for name in state.graph.dependents(state.conflicted)
        if state.tasks[name].status is TaskStatus.BLOCKED
    )
    return (state.conflicted, *waiting)


def _moved(state: GoalState, event: e.RepositoryMoved) -> Mapping[str, Any]:
    return {"moved": event} if event.asked else {}


def _settled(state: GoalState, event: e.RepositorySettled) -> Mapping[str, Any]:
    """What is put back was not the person's: of what ran beside it nothing counts."""
    moved = state.moved
    if event.choice == "mine" or moved is None:
        return {"moves_are_mine": True}
    dropped = {
        name: _again(state.tasks[name])
        for name in moved.tasks
        if state.tasks[name].status is TaskStatus.DONE and name not in state.integrated
    }
    ran = {key: run for key, run in state.gates_run.items() if key not in moved.gates}
    checks = {} if moved.gates else state.checks_run
    return {"tasks": {**state.tasks, **dropped}, "gates_run": ran, "checks_run": checks}


def _blocked(state: GoalState, event: e.GoalBlocked) -> Mapping[str, Any]:
    return {
        "blocked": event,
        "consulting": None,
        "tasks": _released(state),
        "requests": (),
        "spend": _spend_with_lost(state).plus(event.spent),
    }


def _reopened(state: GoalState, event: e.VerificationReopened) -> Mapping[str, Any]:
    """What the gates said before counts no more, on the base neither: it may be another machine."""
    return {
        "phase": GoalPhase.VERIFICATION,
        "reopened": True,
        "blocked": None,
        "gates_run": {},
        "checks_run": {},
    }


def _judged(state: GoalState, event: e.GoalJudged) -> Mapping[str, Any]:
    spend = state.spend.plus(event.spent)
    return {"judgement": event.judgement, "spend": spend, "reopened": False, "rebased": False}


def _rejected(state: GoalState, event: e.GoalRejected) -> Mapping[str, Any]:
    """A no counts for more than a yes before it; a branch that was delivered stays, and is known."""
    rejection = event.rejection
    outweighed = (NOT_REJECTED, rejection.tree)
    before = dict(state.delivered_before)
    if state.delivered_commit is not None and state.delivery_branch is not None:
        before[state.delivered_commit] = state.delivery_branch
    return {
        "phase": GoalPhase.PROOF,
        "rejections": (*state.rejections, rejection),
        "acceptances": tuple(
            word for word in state.acceptances if (word.criterion, word.tree) != outweighed
        ),
        "blocked": None,
        "requests": (),
        "delivered_before": before,
        "delivery_branch": None if state.delivered_commit else state.delivery_branch,
        "delivered_commit": None,
    }


def _proof_recorded(state: GoalState, event: e.ProofRecorded) -> Mapping[str, Any]:
    before = (state.proof,) if state.proof else ()
    proof = ProofPointer(digest=event.digest, tree=event.tree, cause=event.cause)
    return {"proof": proof, "superseded": (*state.superseded, *before)}


def _limits_waived(state: GoalState, event: e.LimitsWaived) -> Mapping[str, Any]:
    return _with_budget(state, state.budget.changed(**dict.fromkeys(event.limits)))


def _gate_finished(state: GoalState, event: e.GateFinished) -> Mapping[str, Any]:
    result = event.result
    key = f"{result.stage}:{result.tree}:{result.gate}"
    run = GateRun(
        result=result,
        report=event.report,
        failures=event.failures,
        environment=event.environment,
        left_behind=event.left_behind,
        seeding=event.seeding,
    )
    began = f"{result.stage} {result.gate}"
    return {
        "gates_run": {**state.gates_run, key: run},
        "gates_running": tuple(name for name in state.gates_running if name != began),
    }


def _gate_started(state: GoalState, event: e.GateStarted) -> Mapping[str, Any]:
    name = f"{event.stage} {event.gate}"
    others = (other for other in state.gates_running if other != name)
    return {"gates_running": (*others, name), **_confined(state, Confined.GATES, event.sandbox)}


def _confined(state: GoalState, who: Confined, sandbox: str) -> Mapping[str, Any]:
    return {"confined": with_confinement(state.confined, who, sandbox)}


def _check_finished(state: GoalState, event: e.CheckFinished) -> Mapping[str, Any]:
    key = f"{event.result.tree}:{event.result.criterion}"
    confined = _confined(state, Confined.GATES, event.sandbox) if event.sandbox else {}
    return {"checks_run": {**state.checks_run, key: event.result}, **confined}


def _task_started(state: GoalState, event: e.TaskStarted) -> Mapping[str, Any]:
    begun = _with_task(
        state,
        event.task,
        status=TaskStatus.RUNNING,
        attempts=event.attempt,
        base=event.base_commit,
        reason="",
        reported=None,
        not_before=None,
    )
    return {**begun, **_confined(state, Confined.WORKERS, event.sandbox)}


def _task_handed_over(state: GoalState, event: e.TaskHandedOver) -> Mapping[str, Any]:
    return _with_task(state, event.task, folder=event.folder, exclude=event.exclude)


def _leave_asked(state: GoalState, event: e.PermissionAsked) -> Mapping[str, Any]:
    """Asked again it is another ask; what attempts asked that are over is of no use to anybody."""
    kept = (
        one
        for one in state.asks
        if state.is_present(one.asked.task, one.asked.attempt)
        and (one.asked.task, one.asked.key) != (event.task, event.key)
    )
    return {"asks": (*kept, LeaveAsked(asked=event))}


def _leave_given(state: GoalState, event: e.PermissionAnswered) -> Mapping[str, Any]:
    meant = (event.task, event.attempt, event.key)
    return {
        "asks": tuple(
            one.changed(answer=event.answer)
            if (one.asked.task, one.asked.attempt, one.asked.key) == meant and one.answer is None
            else one
            for one in state.asks
        )
    }


def _word_said(state: GoalState, event: e.WordSaid) -> Mapping[str, Any]:
    return _with_task(state, event.task, words=(*state.tasks[event.task].words, event.text))


def _task_finished(state: GoalState, event: e.TaskFinished) -> Mapping[str, Any]:
    """A person's folder stays theirs until its tree is part of the goal's."""
    done = _with_task(
        state,
        event.task,
        status=TaskStatus.DONE,
        commit=event.commit,
        evidence=event.evidence,
        log=event.log,
        **_spent_by(state, event),
    )
    return {**done, "spend": state.spend.plus(event.spent)}


def _spent_by(state: GoalState, event: e.AttemptEnded) -> dict[str, Any]:
    spent = event.spent.changed(wall_ms=event.spent.wall_ms + event.wall_ms)
    told = {"reported": None, "seeding": event.seeding}
    return {"spend": state.tasks[event.task].spend.plus(spent), **told}


def _task_failed(state: GoalState, event: e.TaskFailed) -> Mapping[str, Any]:
    failed = _with_task(
        state,
        event.task,
        status=TaskStatus.FAILED,
        reason=event.reason,
        log=event.log,
        submitted=None,
        **_spent_by(state, event),
    )
    return {**failed, "spend": state.spend.plus(event.spent)}


def _task_deferred(state: GoalState, event: e.TaskDeferred) -> Mapping[str, Any]:
    when = f"tried again ({event.number} of {event.limit}) after {event.not_before:%H:%M:%S} UTC"
    deferred = _with_task(
        state,
        event.task,
        status=TaskStatus.PENDING,
        reason=f"{event.reason}; {when}",
        retries=event.number,
        not_before=event.not_before,
        log=event.log,
        **_spent_by(state, event),
    )
    return {**deferred, "spend": state.spend.plus(event.spent)}


def _tasks_blocked(state: GoalState, event: e.TasksBlocked) -> Mapping[str, Any]:
    reason = f"waits for {event.by}, which failed"
    blocked = {
        task: state.tasks[task].changed(status=TaskStatus.BLOCKED, reason=reason)
        for task in event.tasks
    }
    return {"tasks": {**state.tasks, **blocked}}


def _integrated(state: GoalState, event: e.TreeIntegrated) -> Mapping[str, Any]:
    taken = {name: state.tasks[name].changed(folder=None, exclude=()) for name in event.tasks}
    resolved = _find_resolved(state, event)
    if resolved is not None:
        held = {name: _again(state.tasks[name]) for name in _find_held_up(state)}
        done = state.tasks[resolved].changed(status=TaskStatus.DONE, reason="")
        taken = {**held, resolved: done, **taken}
    named = (*event.tasks, *((resolved,) if resolved is not None else ()))
    return {
        "tasks": {**state.tasks, **taken},
        "integrated": (*state.integrated, *named),
        "commit": event.commit,
        "tree": event.tree,
        "evidence": event.evidence,
        **(MERGED if resolved is not None else {}),
    }


def _find_resolved(state: GoalState, event: e.TreeIntegrated) -> str | None:
    """Return the task that did not merge, if one of those that do now was to do it again."""
    repairs = (state.find_repair(name) for name in event.tasks)
    resolved = {repair.resolves for repair in repairs if repair is not None}
    return state.conflicted if state.conflicted in resolved else None


def _conflicted(state: GoalState, event: e.IntegrationConflicted) -> Mapping[str, Any]:
    reason = f"does not merge: {', '.join(event.paths)}"
    failed = _with_task(
        state,
        event.task,
        status=TaskStatus.FAILED,
        commit=None,
        reason=reason,
        submitted=None,
    )
    return {**failed, "conflict": event.paths, "conflicted": event.task, "clash": event}


def _base_moved(state: GoalState, event: e.BaseMoved) -> Mapping[str, Any]:
    """Nothing that was seen or said of the result before counts any more.

    What does not merge is to be done again; all else is verified as it is.  A question that waived
    a gate is gone with its answer, so that it is asked on this base; both stay among the decisions.
    """
    again = {WAIVE + gate for gate in event.unwaived}
    reason = "what it did does not merge with the newer base"
    begun = state.status is not GoalStatus.PLANNED
    redo = {
        name: state.tasks[name].changed(status=TaskStatus.FAILED, commit=None, reason=reason)
        for name in event.redo
    }
    base = {name: getattr(event, name) for name in ("base_commit", "base_tree", "branch")}
    return {
        "phase": GoalPhase.VERIFICATION if begun else state.phase,
        "created": state.created.changed(**base),
        "moves": (*state.moves, event),
        "rebased": begun,
        "reopened": begun and not event.redo,
        "outgrown": None,
        "tasks": {**state.tasks, **redo},
        "integrated": tuple(name for name in state.integrated if name not in redo),
        "commit": event.commit,
        "tree": event.tree,
        "evidence": event.evidence,
        "acceptances": (),
        "waived": tuple(gate for gate in state.waived if gate not in event.unwaived),
        "questions": tuple(asked for asked in state.questions if asked.id not in again),
        "answers": tuple(said for said in state.answers if said.question not in again),
        "hunks": None,
        "blocked": None,
        **MERGED,
        "repairs_before": len(state.repairs),
        "rounds": (),
        "stopped": None,
        "gates_run": {},
        "checks_run": {},
        "gates_running": (),
        "receipt": None,
    }


def _repair_planned(state: GoalState, event: e.RepairPlanned) -> Mapping[str, Any]:
    return {
        "phase": GoalPhase.EXECUTION,
        "graph": GoalTaskGraph(tasks=(*state.graph.tasks, event.task)),
        "tasks": {**state.tasks, event.task.id: TaskState()},
        "repairs": (*state.repairs, event),
    }


def _proposal_accepted(state: GoalState, event: e.ProposalAccepted) -> Mapping[str, Any]:
    return {
        "graph": GoalTaskGraph(tasks=(*state.graph.tasks, event.task)),
        "tasks": {**state.tasks, event.task.id: TaskState()},
        "accepted": (*state.accepted, event.task.id),
        **_without_proposal(state, event.task.id),
    }


def _without_proposal(state: GoalState, name: str) -> Mapping[str, Any]:
    return {"proposed": tuple(one for one in state.proposed if one.proposal.id != name)}


def _proposal_rejected(state: GoalState, event: e.ProposalRejected) -> Mapping[str, Any]:
    """A person's no settles what was asked; another rule may refuse a second one of that name."""
    if state.status is not GoalStatus.BLOCKED_ON_HUMAN:
        return {}
    return _without_proposal(state, event.name)


def _repair_dropped(state: GoalState, event: e.RepairDropped) -> Mapping[str, Any]:
    dropped = _with_task(state, event.task, status=TaskStatus.FAILED, reason=event.reason)
    return {**dropped, "commit": event.commit, "tree": event.tree, "evidence": event.evidence}


CHANGES: Mapping[type[Frozen], Change] = {
    e.GoalPlanned: _planned,
    e.PlanningStarted: _planning_started,
    e.PlanningEnded: _planning_ended,
    e.ConsultationStarted: lambda s, v: {
        "consulting": v,
        **_confined(s, Confined.WORKERS, v.sandbox),
    },
    e.ConsultationFinished: _consultation_finished,
    e.GoalRestated: _restated,
    e.QuestionsAsked: _asked,
    e.QuestionAnswered: lambda s, v: {"answers": (*s.answers, v.answer)},
    e.GateWaived: lambda s, v: {"waived": (*s.waived, v.gate)},
    e.LimitsWaived: _limits_waived,
    e.GoalBlocked: _blocked,
    e.GoalStarted: _started,
    e.GoalResumed: _resumed,
    e.ControlRequested: lambda s, v: {"requests": (*s.requests, v)},
    e.GoalPaused: _stopped,
    e.GoalCancelled: _cancelled,
    e.GoalInterrupted: _interrupted,
    e.GateStarted: _gate_started,
    e.GateFinished: _gate_finished,
    e.CheckFinished: _check_finished,
    e.TaskStarted: _task_started,
    e.TaskHandedOver: _task_handed_over,
    e.TaskSubmitted: lambda s, v: _with_task(s, v.task, submitted=v.decision),
    e.PermissionAsked: _leave_asked,
    e.PermissionAnswered: _leave_given,
    e.WordSaid: _word_said,
    e.SessionOpened: lambda s, v: _with_task(s, v.task, session=v.session),
    e.TaskFinished: _task_finished,
    e.TaskFailed: _task_failed,
    e.TaskDeferred: _task_deferred,
    e.TaskProposed: lambda s, v: {"proposed": (*s.proposed, v)},
    e.ProposalAccepted: _proposal_accepted,
    e.ProposalRejected: _proposal_rejected,
    e.TasksBlocked: _tasks_blocked,
    e.TreeIntegrated: _integrated,
    e.IntegrationConflicted: _conflicted,
    e.BaseOutgrown: lambda s, v: {"outgrown": v},
    e.BaseMoved: _base_moved,
    e.VerificationStarted: lambda s, v: {"phase": GoalPhase.VERIFICATION},
    e.RoundWeighed: lambda s, v: {"rounds": (*s.rounds, v.round)},
    e.RepairPlanned: _repair_planned,
    e.RepairDropped: _repair_dropped,
    e.RepairsStopped: lambda s, v: {"stopped": v},
    e.RepositoryMoved: _moved,
    e.RepositorySettled: _settled,
    e.VerificationReopened: _reopened,
    e.HunksTried: lambda s, v: {"hunks": v, **_confined(s, Confined.GATES, v.sandbox)},
    e.GoalJudged: _judged,
    e.GoalReady: lambda s, v: {"phase": GoalPhase.PROOF, "requests": (), "blocked": None},
    e.GoalNotReady: lambda s, v: {"phase": GoalPhase.PROOF, "requests": (), "blocked": None},
    e.CriterionAccepted: lambda s, v: {"acceptances": (*s.acceptances, v.acceptance)},
    e.GoalRejected: _rejected,
    e.ProofRecorded: _proof_recorded,
    e.ChangeApplied: lambda s, v: {
        "applied": v.files,
        "applied_tree": v.tree,
        "applied_base": s.created.base_tree,
    },
    e.ChangeUndone: lambda s, v: {"applied": (), "applied_tree": None, "applied_base": None},
    e.DeliveryIntended: lambda s, v: {"delivery_branch": v.branch},
    e.BudgetExtended: lambda s, v: _with_budget(s, v.budget),
    e.BudgetWarned: lambda s, v: {"warned": {**s.warned, v.limit: v.percent}},
    e.BudgetChecked: lambda s, v: {"checked": v.spent},
    e.SpendReported: lambda s, v: _with_task(s, v.task, reported=v.spent),
    e.GoalDelivered: lambda s, v: {
        "phase": GoalPhase.DELIVERY,
        "delivered_commit": v.commit,
        "delivery_branch": v.branch,
    },
    e.GoalArchived: lambda s, v: {"archived": True},
    e.GoalUnarchived: lambda s, v: {"archived": False},
    e.FormatRaised: lambda s, v: {"format": v.format},
}
"""What each event changes beside the status."""
