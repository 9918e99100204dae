"""One line for each fact that a person who watches wants to know; all other events are silent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from goal_engine.budget import UNIT
from goal_engine.conflicts import name_files, say_others
from goal_engine.moved import say_changes
from goal_engine.permission import say_ask
from goal_engine.progress import say_outgrown
from goal_engine.proof.checked import judge_check
from goal_engine.proof.verdict import say_rejection
from goal_engine.state import events as e
from goal_engine.state.model import GoalState
from goal_engine.task_graph.graph import GoalTask
from goal_server.plain import plain_line

Say = Callable[[GoalState, Any], str]


def render_facts(state: GoalState, entry: e.JournalEntry) -> tuple[str, ...]:
    """Return the lines for one journal entry; `state` is the goal after it."""
    said = (FACTS[type(event)](state, event) for event in entry.events if type(event) in FACTS)
    return tuple(plain_line(line) for line in said if line)


def _created(state: GoalState, event: e.GoalCreated) -> str:
    return f"goal {event.goal_id}: {event.text} ({event.kind}: {event.kind_reason})"


def _planned(state: GoalState, event: e.GoalPlanned) -> str:
    tasks, criteria = len(event.graph.tasks), len(event.criteria)
    return f"planned: {tasks} task{'s' * (tasks != 1)}, {criteria} criteri{'on' if criteria == 1 else 'a'} ({event.planner})"


def _planning_ended(state: GoalState, event: e.PlanningEnded) -> str:
    return _planned(state, event.plan) if event.plan else f"planned as before: {event.reason}"


def _gate(state: GoalState, event: e.GateFinished) -> str:
    result = event.result
    seconds = result.duration_ms / 1000
    message = f": {result.message}" if result.message and not result.green else ""
    runs = f", {result.runs} runs" if result.runs > 1 else ""
    runs += f" (cached: seen at {result.cached})" if result.cached else ""
    return f"gate {result.gate} ({result.stage}) {result.outcome} in {seconds:.1f} s{runs}{message}"


def _check(state: GoalState, event: e.CheckFinished) -> str:
    asked = next((c for c in state.criteria if c.id == event.result.criterion), None)
    if asked is None:
        return ""
    standing, reason = judge_check(asked, event.result)
    return f"check {asked.id} {standing.replace('_', ' ')}: {reason}"


def _attempt(number: int) -> str:
    return f", attempt {number}" if number > 1 else ""


def _task(state: GoalState, task_id: str) -> GoalTask | None:
    return next((task for task in state.graph if task.id == task_id), None)


def _task_started(state: GoalState, event: e.TaskStarted) -> str:
    task = _task(state, event.task)
    again = _attempt(event.attempt)
    return f"task {event.task} started{again}: {task.title if task else ''}"


def _task_handed_over(state: GoalState, event: e.TaskHandedOver) -> str:
    several = sum(task.worker == "manual" for task in state.graph) > 1
    named = f" --task {event.task}" if several else ""
    return (
        f"waiting for you: edit the files in {event.folder}, then in another terminal"
        f" `goalproof submit {state.goal_id}{named}`"
    )


def _asked(state: GoalState, event: e.PermissionAsked) -> str:
    word = "TEXT" if event.ask.action == "question" else "allow` or `deny"
    return (
        f"the agent of {event.task} asks you: {say_ask(event.ask)}; in another terminal"
        f" `goalproof answer {state.goal_id} {event.key} {word}`"
    )


def _answered(_: GoalState, event: e.PermissionAnswered) -> str:
    if event.answer.by == "withdrawn":
        return f"the agent of {event.task} waits no more for what it asked"
    told = "allowed" if event.answer.allowed else "denied"
    return f"{told} {f'by {event.decision.actor}' if event.decision else 'since nobody answered'}"


def _task_finished(state: GoalState, event: e.TaskFinished) -> str:
    evidence = event.evidence
    return f"task {event.task} done: +{evidence.additions} −{evidence.deletions}"


def _cancelled(state: GoalState, event: e.GoalCancelled) -> str:
    folders = [state.tasks[task].folder or "" for task in event.kept]
    kept = f"; your work is kept in {', '.join(folders)}" if folders else ""
    return f"cancelled: {event.reason}{_ended(event.receipt)}{kept}"


def _ended(receipt: e.Receipt | None) -> str:
    if receipt is None or not (receipt.ended or receipt.left):
        return ""
    left = f", {receipt.left} could not be" if receipt.left else ""
    return f" ({receipt.ended} process{'es' if receipt.ended != 1 else ''} ended{left})"


def _blocked(state: GoalState, event: e.GoalBlocked) -> str:
    why = "it waits for answers" if state.open_questions else event.reason
    return f"blocked ({event.on}): {why}"


def _repair(state: GoalState, event: e.RepairPlanned) -> str:
    return f"repair {event.number} of {event.limit} planned: {'; '.join(event.reasons)}"


def _integrated(state: GoalState, event: e.TreeIntegrated) -> str:
    if not event.tasks:
        return ""
    return f"merged {', '.join(event.tasks)} into tree {event.tree[:12]}"


def _extended(state: GoalState, event: e.BudgetExtended) -> str:
    added = event.added.model_dump(exclude_none=True)
    said = ", ".join(
        f"{UNIT[name].words} +{value}" if name in UNIT else f"{name} {value}"
        for name, value in added.items()
    )
    return f"more was given by {event.decision.actor}: {said}"


FACTS: Mapping[type, Say] = {
    e.GoalCreated: _created,
    e.GoalPlanned: _planned,
    e.PlanningEnded: _planning_ended,
    e.ConsultationStarted: lambda _, event: (
        f"{event.agent or event.worker} is asked for a {event.about}{_attempt(event.attempt)}"
    ),
    e.ConsultationFinished: lambda _, event: (
        f"no {event.about} was taken: {'; '.join(event.problems)}" if event.problems else ""
    ),
    e.QuestionsAsked: lambda _, event: "asked: " + "; ".join(q.text for q in event.questions),
    e.QuestionAnswered: lambda _, event: f"answered: {event.answer.question}",
    e.RepositoryMoved: lambda _, event: f"your repository moved: {say_changes(event.changes)}",
    e.RepositorySettled: lambda _, event: (
        f"put back: {', '.join(event.restored) or 'nothing'}"
        if event.choice == "restore"
        else "you moved it yourself"
    ),
    e.LimitsWaived: lambda _, event: f"no limit any more: {', '.join(event.limits)}",
    e.GateWaived: lambda _, event: f"gate {event.gate} is not required any more",
    e.GoalBlocked: _blocked,
    e.GoalResumed: lambda _, event: "resumed",
    e.ControlRequested: lambda _, event: (
        f"asked to {event.kind}{' after this step' if event.after_step else ''}"
    ),
    e.GoalPaused: lambda _, event: f"paused: {event.reason}{_ended(event.receipt)}",
    e.GoalInterrupted: lambda _, event: f"the run before was interrupted{_ended(event.receipt)}",
    e.GoalCancelled: _cancelled,
    e.GateFinished: _gate,
    e.CheckFinished: _check,
    e.TaskStarted: _task_started,
    e.TaskHandedOver: _task_handed_over,
    e.TaskSubmitted: lambda _, event: f"task {event.task} submitted by {event.decision.actor}",
    e.PermissionAsked: _asked,
    e.PermissionAnswered: _answered,
    e.WordSaid: lambda _, event: f"{event.by} said to the agent of {event.task}: {event.text}",
    e.TaskFinished: _task_finished,
    e.TaskFailed: lambda _, event: f"task {event.task} failed: {event.reason}",
    e.TasksBlocked: lambda _, event: f"not run for want of {event.by}: {', '.join(event.tasks)}",
    e.TreeIntegrated: _integrated,
    e.IntegrationConflicted: lambda _, event: (
        f"task {event.task} does not merge with {say_others(event.others)}:"
        f" {', '.join(name_files(event.paths))}"
    ),
    e.BaseOutgrown: lambda state, _: say_outgrown(state),
    e.BaseMoved: lambda _, event: (
        f"the base moved from {event.from_commit[:12]} to {event.base_commit[:12]}:"
        + (f" {', '.join(event.redo)} to be done again" if event.redo else " all gates run anew")
    ),
    e.HunksTried: lambda _, event: (
        f"hunks: {', '.join(f'{number} {word}' for word, number in event.count.items())}"
    ),
    e.VerificationReopened: lambda *_: "the gates run again, on the base as well",
    e.VerificationStarted: lambda _, event: f"verifying tree {event.tree[:12]}",
    e.RepairPlanned: _repair,
    e.RepairDropped: lambda _, event: f"task {event.task} {event.reason}",
    e.RepairsStopped: lambda _, event: f"no further repair: {event.reason}",
    e.CriterionAccepted: lambda _, event: f"accepted: {event.acceptance.criterion}",
    e.GoalRejected: lambda _, event: say_rejection(event.rejection.decision),
    e.ProofRecorded: lambda _, event: f"proof {event.digest[:16]}",
    e.BudgetWarned: lambda _, event: (
        f"{event.percent} % of {UNIT[event.limit].words} used: {event.used} of {event.of}"
    ),
    e.BudgetExtended: _extended,
    e.WaveNarrowed: lambda _, event: f"{event.at_once} at once: {event.reason}",
    e.GoalArchived: lambda _, event: "archived",
    e.GoalUnarchived: lambda _, event: "taken back from the archive",
    e.GoalReady: lambda _, event: "ready",
    e.GoalNotReady: lambda _, event: "not ready",
    e.GoalDelivered: lambda _, event: f"delivered as {event.branch}",
}
