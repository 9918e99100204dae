"""Every event has one row in `SENTENCES`: what happened, in plain words.

A sentence says what and with which outcome; when, by whom and why is told beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from goal_engine.budget import UNIT, GoalBudget
from goal_engine.conflicts import say_others
from goal_engine.left_behind import describe_left_behind
from goal_engine.moved import say_changes
from goal_engine.permission import say_ask
from goal_engine.proof.gate import GateStage
from goal_engine.state import events as e
from goal_engine.types import Frozen

SHORT = 12
"""Letters of a git object that a sentence names."""
NAMED = 5
"""Things that a sentence lists before it counts the rest."""


def tell_event(event: e.GoalEvent) -> str:
    """Return the sentence for an event, without a full stop."""
    return SENTENCES[type(event)](event)


def count(number: int, word: str, several: str = "") -> str:
    """Return `1 task`, `2 tasks`."""
    return f"{number} {word if number == 1 else several or word + 's'}"


def name_some(names: Sequence[str]) -> str:
    """Return the first few names, and how many more there are."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


STAGES: Mapping[GateStage, str] = {
    GateStage.BASELINE: "before any work",
    GateStage.PROVING: "on the result",
    GateStage.COUNTERFACTUAL: "without the change",
    GateStage.ORIGINAL: "with the tests as they were",
}
"""What a gate ran on."""


def name_gate(gate: str, stage: str) -> str:
    """Return a gate and what it ran on."""
    return f"gate {gate} {STAGES[GateStage(stage)]}"


def describe_limits(budget: GoalBudget) -> str:
    """Return the limits that a budget sets."""
    limits = budget.model_dump(mode="json", exclude_defaults=True)
    return ", ".join(f"{name.replace('_', ' ')} {limit}" for name, limit in limits.items())


def _created(event: e.GoalCreated) -> str:
    branch = f" ({event.branch})" if event.branch else ""
    limits = describe_limits(event.budget)
    return (
        f"“{event.text}” was stated: {event.kind} ({event.kind_reason}),"
        f" on {event.base_commit[:SHORT]}{branch}, {count(len(event.gates), 'gate')}"
        + (f", limits: {limits}" if limits else "")
    )


def _planned(event: e.GoalPlanned) -> str:
    tasks = count(len(event.graph.tasks), "task")
    return f"it got a plan: {tasks}, {count(len(event.criteria), 'criterion', 'criteria')}"


def _planning_ended(event: e.PlanningEnded) -> str:
    if event.plan is None:
        return f"the plan that was there stays: {event.reason}"
    return f"{_planned(event.plan)}, an agent's"


def _consulted(event: e.ConsultationStarted) -> str:
    return f"{event.agent or event.worker} was asked for a {event.about}{_attempt(event.attempt)}"


def _answered(event: e.ConsultationFinished) -> str:
    who = event.agent or "the agent"
    if event.problems:
        return f"no {event.about} of {who} was taken{_attempt(event.attempt)}: {'; '.join(event.problems)}"
    return f"{who} gave a {event.about}"


def _restated(event: e.GoalRestated) -> str:
    return f"it was stated anew: “{event.text}”, {event.kind} ({event.kind_reason})"


def _gate_finished(event: e.GateFinished) -> str:
    result = event.result
    said = f": {result.message}" if result.message and not result.green else ""
    runs = f" after {result.runs} runs" if result.runs > 1 else ""
    seen = f" (remembered from {result.cached})" if result.cached else ""
    missed = f"; {describe_left_behind(event.left_behind)}" if event.left_behind else ""
    return f"{name_gate(result.gate, result.stage)}: {result.outcome}{runs}{seen}{said}{missed}"


def _check_finished(event: e.CheckFinished) -> str:
    result = event.result
    error = f", which failed: {result.error}" if result.error else ""
    return f"what criterion {result.criterion} asks for was looked at{error}"


def _task_finished(event: e.TaskFinished) -> str:
    found = event.evidence
    files = count(len(found.files), "file")
    change = f"{files}, +{found.additions} −{found.deletions} lines"
    return f"task {event.task} left a result: {change}"


def _handed_over(event: e.TaskHandedOver) -> str:
    return f"task {event.task} waits for a person, in {event.folder}"


def _leave(event: e.PermissionAnswered) -> str:
    answer = event.answer
    if answer.by == "withdrawn":
        return f"the agent of task {event.task} waited no more for what it had asked"
    why = f": {answer.reason}" if answer.reason else ""
    nobody = ", since nobody answered" if answer.by == "timeout" else ""
    told = "allowed" if answer.allowed else "denied"
    return f"what the agent of task {event.task} asked was {told}{nobody}{why}"


def _attempt(number: int) -> str:
    return f" (attempt {number})" if number > 1 else ""


def _integrated(event: e.TreeIntegrated) -> str:
    what = name_some(event.tasks) or "nothing"
    found = event.evidence
    change = f"{count(len(found.files), 'file')}, +{found.additions} −{found.deletions} lines"
    return f"{what} merged into tree {event.tree[:SHORT]}; the change in all: {change}"


def _outgrown(event: e.BaseOutgrown) -> str:
    branch = event.branch or "the checkout"
    if event.rewritten:
        return f"its base was found to be no part of {branch} any more, which is at {event.head[:SHORT]}"
    named = f", of its own {name_some(event.touched)}" if event.touched else ""
    return (
        f"{branch} was found {count(event.commits, 'commit')} ahead of its base:"
        f" {count(event.files, 'file')} changed{named}"
    )


def _moved(event: e.BaseMoved) -> str:
    places = f"from {event.from_commit[:SHORT]} to {event.base_commit[:SHORT]}"
    found = event.evidence
    change = f"; the change there: {count(len(found.files), 'file')}" if found else ""
    again = f"; to be done again: {name_some(event.redo)}" if event.redo else ""
    gates = f"; asked about again: {name_some(event.unwaived)}" if event.unwaived else ""
    return f"its base moved {places}{change}{again}{gates}"


def _cancelled(event: e.GoalCancelled) -> str:
    kept = f"; work of a person is kept: {name_some(event.kept)}" if event.kept else ""
    return f"it ended for good: {event.reason}{_receipt(event.receipt)}{kept}"


def _receipt(receipt: e.Receipt | None) -> str:
    """Return what a stop came to; who asked for it is told beside the sentence."""
    if receipt is None:
        return ""
    left = f", {receipt.left} could not be" if receipt.left else ""
    way = name_some((*receipt.tasks, *receipt.gates))
    cut = f"; under way: {way}" if way else ""
    return f"; {count(receipt.ended, 'process', 'processes')} ended{left}{cut}"


def _asked(event: e.ControlRequested) -> str:
    return f"it was asked to {event.kind}" + (" after the present step" * event.after_step)


def _round(event: e.RoundWeighed) -> str:
    found = event.round
    made = f"of {found.task}" if found.task else "of the tasks"
    named = f": {name_some(found.failing)}" if found.failing else ""
    return f"the result {made} was weighed: {count(found.failures, 'failure')}{named}"


def _repair(event: e.RepairPlanned) -> str:
    reasons = "; ".join(event.reasons)
    return f"repair {event.number} of {event.limit} was planned, {event.task.id}: {reasons}"


def _hunks(event: e.HunksTried) -> str:
    found = ", ".join(f"{number} {word}" for word, number in sorted(event.count.items()))
    return f"each hunk was taken away once: {found or 'there was none'}"


def _judged(event: e.GoalJudged) -> str:
    found = event.judgement
    reasons = f": {'; '.join(found.reasons)}" if found.reasons else ""
    return f"the evidence was weighed: {found.verdict.replace('_', ' ')}{reasons}"


def _proof(event: e.ProofRecorded) -> str:
    again = " again, from the journal" if event.is_recovered else ""
    return f"proof {event.digest[:SHORT]} of tree {event.tree[:SHORT]} was written{again}"


def _deferred(event: e.TaskDeferred) -> str:
    return (
        f"task {event.task} could not be worked on{_attempt(event.attempt)}: {event.reason}; retry"
        f" {event.number} of {event.limit} not before {event.not_before:%H:%M:%S} UTC"
    )


def _late(event: e.AttemptLate) -> str:
    return (
        f"attempt {event.attempt} at task {event.task} ended too late, after it was given up: what"
        " came of it is not taken"
    )


SENTENCES: Mapping[type[Frozen], Callable[[Any], str]] = {
    e.GoalCreated: _created,
    e.GoalPlanned: _planned,
    e.PlanningStarted: lambda v: f"{v.agent or v.worker} is to make the plan",
    e.PlanningEnded: _planning_ended,
    e.ConsultationStarted: _consulted,
    e.ConsultationFinished: _answered,
    e.GoalRestated: _restated,
    e.QuestionsAsked: lambda v: "it asked: " + " ".join(asked.text for asked in v.questions),
    e.QuestionAnswered: lambda v: f"{v.answer.question} was answered: {v.answer.text}",
    e.GateWaived: lambda v: f"gate {v.gate} is not required any more",
    e.LimitsWaived: lambda v: f"no limit counts any more in {' and '.join(v.limits)}",
    e.GoalBlocked: lambda v: f"it stands still: {v.reason}",
    e.GoalStarted: lambda v: "work began",
    e.GoalResumed: lambda v: (
        "it goes on" + (f", limits: {describe_limits(v.budget)}" if v.budget else "")
    ),
    e.ControlRequested: _asked,
    e.GoalPaused: lambda v: f"it stopped, to go on later: {v.reason}{_receipt(v.receipt)}",
    e.GoalInterrupted: lambda v: f"whoever ran it was gone without a word{_receipt(v.receipt)}",
    e.GoalCancelled: _cancelled,
    e.GateStarted: lambda v: f"gate {v.gate} began {STAGES[v.stage]}",
    e.GateFinished: _gate_finished,
    e.CheckFinished: _check_finished,
    e.TaskStarted: lambda v: (
        f"task {v.task} began{_attempt(v.attempt)}, on {v.base_commit[:SHORT]}"
    ),
    e.TaskHandedOver: _handed_over,
    e.TaskSubmitted: lambda v: f"task {v.task} was handed in",
    e.PermissionAsked: lambda v: f"the agent of task {v.task} asked leave: {say_ask(v.ask)}",
    e.PermissionAnswered: _leave,
    e.WordSaid: lambda v: f"the agent of task {v.task} was told: “{v.text}”",
    e.SessionOpened: lambda v: f"the agent of task {v.task} works in its session {v.session}",
    e.TaskFinished: _task_finished,
    e.TaskFailed: lambda v: f"task {v.task} failed{_attempt(v.attempt)}: {v.reason}",
    e.TaskDeferred: _deferred,
    e.AttemptLate: _late,
    e.TaskProposed: lambda v: (
        f"the agent of task {v.by} proposed a task, {v.proposal.id}, which a person is to settle:"
        f" {v.reason}"
    ),
    e.ProposalAccepted: lambda v: f"task {v.task.id} joined, as the agent of {v.by} proposed",
    e.ProposalRejected: lambda v: (
        f"task {v.name}, which the agent of {v.by} proposed, did not join: {v.reason}"
    ),
    e.WaveNarrowed: lambda v: f"{v.at_once} at once and not more: {v.reason}",
    e.TasksBlocked: lambda v: f"{name_some(v.tasks)} cannot run, since {v.by} failed",
    e.TreeIntegrated: _integrated,
    e.IntegrationConflicted: lambda v: (
        f"task {v.task} does not merge with {say_others(v.others)}: {name_some(v.paths)}"
    ),
    e.BaseOutgrown: _outgrown,
    e.BaseMoved: _moved,
    e.VerificationStarted: lambda v: f"tree {v.tree[:SHORT]} is to be verified",
    e.RoundWeighed: _round,
    e.RepairPlanned: _repair,
    e.RepairDropped: lambda v: f"what {v.task} did was dropped: {v.reason}",
    e.RepairsStopped: lambda v: f"no further repair is tried: {v.reason}",
    e.RepositoryMoved: lambda v: (
        f"while {v.during} ran, the repository changed: {say_changes(v.changes)}"
    ),
    e.RepositorySettled: lambda v: (
        f"put back as it was: {name_some(v.restored) or 'nothing'}"
        if v.choice == "restore"
        else "what changed in the repository was the person's own doing"
    ),
    e.VerificationReopened: lambda v: f"the gates run again on tree {v.tree[:SHORT]}",
    e.HunksTried: _hunks,
    e.GoalJudged: _judged,
    e.BudgetExtended: lambda v: f"it was given more, limits: {describe_limits(v.budget)}",
    e.BudgetWarned: lambda v: (
        f"{v.percent} % of its {UNIT[v.limit].words} are used: {v.used} of {v.of}"
    ),
    e.BudgetChecked: lambda v: (
        f"{e.STEPS[v.step]}{f' {v.task}' if v.task else ''}: {v.spent.wall_ms / 1000:.1f} s used"
    ),
    e.SpendReported: lambda v: f"task {v.task} was stopped and had told what it used",
    e.GoalReady: lambda v: "it is ready",
    e.GoalNotReady: lambda v: "it is not ready",
    e.CriterionAccepted: lambda v: (
        f"criterion {v.acceptance.criterion} was accepted, for tree {v.acceptance.tree[:SHORT]}"
    ),
    e.GoalRejected: lambda v: f"the result was rejected, tree {v.rejection.tree[:SHORT]}",
    e.ProofRecorded: _proof,
    e.ChangeApplied: lambda v: (
        f"the change was put into the checkout: {count(len(v.files), 'file')}"
    ),
    e.ChangeUndone: lambda v: (
        f"the change was taken out of the checkout: {count(len(v.files), 'file')}"
    ),
    e.DeliveryIntended: lambda v: f"branch {v.branch} is about to be made",
    e.GoalDelivered: lambda v: f"branch {v.branch} was made, at {v.commit[:SHORT]}",
    e.GoalArchived: lambda v: "it was archived",
    e.GoalUnarchived: lambda v: "it was taken back into the lists",
    e.FormatRaised: lambda v: f"what follows is written in journal format {v.format}",
}
"""How each event is told."""
