"""Small values for tests of the pure core: a goal, its events, its commands and its journal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from goal_engine.agent import GoalAgentTaskProposal
from goal_engine.budget import BudgetAdd, GoalBudget, Spend
from goal_engine.decision import (
    Acceptance,
    Answer,
    Criterion,
    EvidenceKind,
    Question,
    Rejection,
)
from goal_engine.evidence import GoalGitEvidence
from goal_engine.moved import Part, RepositoryChange
from goal_engine.permission import Action, Ask
from goal_engine.permission import Answer as Leave
from goal_engine.proof.checked import CheckResult
from goal_engine.proof.gate import GateOutcome, GateResult, GateSpec, GateStage
from goal_engine.proof.verdict import Judgement, Verdict
from goal_engine.stagnation import Round
from goal_engine.state import commands as c
from goal_engine.state import events as e
from goal_engine.state.decide import decide
from goal_engine.state.evolve import fold, fold_entries
from goal_engine.state.journal import encode_entry, header_digest, header_line, line_digest
from goal_engine.state.model import GoalState
from goal_engine.task_graph.graph import GoalTask, GoalTaskGraph, WriteStep
from goal_engine.types import Decision, GoalId, GoalKind, GoalStatus, Person, Trouble

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
GOAL = GoalId.made_of(NOW, 0xABCDEF01)
BASE, TREE, OTHER = "a" * 40, "b" * 40, "c" * 40
DIGEST = "d" * 64
ME = Decision(actor="me", reason="I looked at it")
NOTHING = GoalGitEvidence(base_tree=BASE, tree=TREE)
S = GoalStatus


class StoppedClock:
    """Always the same time."""

    def now(self) -> datetime:
        return NOW


def goal_id(number: int) -> GoalId:
    """Return a goal id that sorts by `number`."""
    return GoalId.made_of(NOW + timedelta(seconds=number), number)


def a_gate(**changes: Any) -> GateSpec:
    return GateSpec(name="tests", argv=("pytest",), report="junit").changed(**changes)


def an_ask(detail: str = "git push", **changes: Any) -> e.PermissionAsked:
    """Return what the agent of `fix` asks leave for."""
    ask = Ask(tool="Bash", action=Action.EXECUTE, detail=detail)
    asked = e.PermissionAsked(task="fix", attempt=1, key=ask.key, ask=ask, until=NOW)
    return asked.changed(**changes)


def a_task(task_id: str = "fix", *deps: str, writes: Sequence[str] = ("**",)) -> GoalTask:
    steps = (WriteStep(write="x.txt", content="x"),) if "**" in writes else ()
    steps = steps or (WriteStep(write=writes[0], content="x"),) if writes else ()
    return GoalTask(id=task_id, title=task_id, deps=deps, writes=tuple(writes), steps=steps)


def a_goal_created(name: GoalId = GOAL, **changes: Any) -> e.GoalCreated:
    return e.GoalCreated(
        goal_id=name,
        text="Make sums right",
        kind=GoalKind.FIX,
        kind_reason="said so",
        base_commit=BASE,
        base_tree=BASE,
        branch="main",
        author=Person(name="Ada", email="ada@example.org"),
        gates=(a_gate(),),
        gates_digest=DIGEST,
        budget=GoalBudget(),
    ).changed(**changes)


def planned(*tasks: GoalTask) -> e.GoalPlanned:
    criterion = Criterion(id="adds", text="Sums", evidence=EvidenceKind.FLIPS, gate="tests")
    graph = GoalTaskGraph(tasks=tasks or (a_task(),))
    return e.GoalPlanned(planner="plan", criteria=(criterion,), graph=graph)


def a_judgement(verdict: Verdict = Verdict.READY) -> Judgement:
    reasons = () if verdict is Verdict.READY else ("it says so",)
    return Judgement(tree=TREE, verdict=verdict, gates=(), criteria=(), reasons=reasons)


def a_gate_result(stage: GateStage = GateStage.PROVING) -> GateResult:
    return GateResult(gate="tests", stage=stage, tree=TREE, outcome=GateOutcome.PASSED)


def a_question(name: str = "what") -> Question:
    return Question(id=name, text="What is meant?")


def a_block(on: e.BlockedOn = "human") -> e.GoalBlocked:
    return e.GoalBlocked(on=on, reason="it waits", next="do something")


MOVED = e.BaseMoved(
    from_commit=BASE,
    from_tree=BASE,
    base_commit=OTHER,
    base_tree=OTHER,
    branch="main",
    redo=("fix",),
    decision=ME,
)
A_PROPOSAL = GoalAgentTaskProposal(
    id="more",
    title="Document it",
    description="Say in the README how it is used.",
    write_set=("README.md",),
    acceptance=("The README says it.",),
)
INTEGRATED = e.TreeIntegrated(tasks=("fix",), commit=OTHER, tree=TREE, evidence=NOTHING)
EVENTS: tuple[e.GoalEvent, ...] = (
    a_goal_created(),
    planned(),
    e.QuestionsAsked(questions=(a_question(),)),
    e.QuestionAnswered(answer=Answer(question="what", text="this", decision=ME)),
    e.GateWaived(gate="tests", decision=ME),
    e.RepositoryMoved(
        changes=(RepositoryChange(part=Part.HOOK, name="hooks/x", what="appeared", steers=True),),
        during="task fix",
        tasks=("fix",),
    ),
    e.RepositorySettled(choice="restore", restored=("hooks/x",), decision=ME),
    e.LimitsWaived(limits=("usd",), decision=ME),
    a_block(),
    e.GoalStarted(),
    e.GoalResumed(budget=GoalBudget(attempts=9)),
    e.ControlRequested(kind=e.ControlKind.PAUSE, decision=ME),
    e.GoalPaused(reason="asked"),
    e.GoalInterrupted(),
    e.GoalCancelled(reason="asked"),
    e.GateStarted(gate="tests", stage=GateStage.PROVING, tree=TREE),
    e.GateFinished(result=a_gate_result()),
    e.CheckFinished(result=CheckResult(criterion="adds", tree=TREE)),
    e.TaskStarted(task="fix", attempt=1, base_commit=BASE),
    e.TaskHandedOver(task="fix", attempt=1, folder="/state/desks/fix"),
    e.TaskSubmitted(task="fix", attempt=1, decision=ME),
    an_ask(),
    e.PermissionAnswered(
        task="fix",
        attempt=1,
        key=an_ask().key,
        answer=Leave(allowed=True, by="person"),
        decision=ME,
    ),
    e.WordSaid(task="fix", attempt=1, text="Mind the tests.", by="me"),
    e.TaskFinished(task="fix", attempt=1, commit=OTHER, evidence=NOTHING, spent=Spend(attempts=1)),
    e.TaskFailed(task="fix", attempt=1, reason="no", spent=Spend(attempts=1)),
    e.TaskDeferred(
        task="fix",
        attempt=1,
        trouble=Trouble.RATE_LIMITED,
        reason="no",
        number=1,
        limit=2,
        not_before=NOW,
        spent=Spend(attempts=1),
    ),
    e.WaveNarrowed(at_once=1, reason="there is little room"),
    e.AttemptLate(task="fix", attempt=1, present=2, told="task.finished"),
    e.TaskProposed(proposal=A_PROPOSAL, by="fix", attempt=1, rule="asked", reason="x"),
    e.ProposalAccepted(task=a_task("more", "fix"), by="fix", attempt=1),
    e.ProposalRejected(name="more", by="fix", attempt=1, rule="path", reason="x"),
    e.TasksBlocked(tasks=("fix",), by="fix"),
    INTEGRATED,
    e.IntegrationConflicted(task="fix", paths=("a.py",)),
    e.BaseOutgrown(
        branch="main", head=OTHER, commits=2, rewritten=False, files=3, touched=("a.py",)
    ),
    MOVED,
    e.VerificationStarted(tree=TREE),
    e.RoundWeighed(round=Round(tree=TREE, unmet=1)),
    e.RepairPlanned(task=a_task("repair-1"), number=1, limit=2, reasons=("it is red",)),
    e.RepairDropped(task="fix", reason="it was worse", commit=None, tree=None, evidence=None),
    e.RepairsStopped(reason="2 of 2 repairs were tried"),
    e.VerificationReopened(tree=TREE),
    e.HunksTried(tree=TREE, report=DIGEST, count={"unproven": 1}),
    e.GoalJudged(judgement=a_judgement()),
    e.GoalReady(),
    e.GoalNotReady(),
    e.CriterionAccepted(acceptance=Acceptance(criterion="adds", tree=TREE, decision=ME)),
    e.GoalArchived(decision=ME),
    e.GoalUnarchived(decision=ME),
    e.GoalRejected(rejection=Rejection(tree=TREE, decision=ME)),
    e.ProofRecorded(digest=DIGEST, tree=TREE),
    e.ChangeApplied(tree=TREE, files=("a.py",)),
    e.GoalRestated(text="Sums", kind=GoalKind.FIX, kind_reason="x", budget=GoalBudget()),
    e.PlanningStarted(worker="cli", agent="mine", by="me"),
    e.PlanningEnded(plan=planned(), spent=Spend(wall_ms=5)),
    e.ConsultationStarted(about="plan", attempt=1, tree=BASE, worker="cli", agent="mine"),
    e.ConsultationFinished(about="plan", attempt=1, tree=BASE, spent=Spend(turns=1)),
    e.ChangeUndone(tree=TREE, files=("a.py",)),
    e.DeliveryIntended(branch="goal/x", commit=OTHER),
    e.GoalDelivered(branch="goal/x", commit=OTHER),
    e.BudgetExtended(added=BudgetAdd(attempts=1), budget=GoalBudget(attempts=2), decision=ME),
    e.BudgetWarned(limit="attempts", percent=50, used="1", of="2"),
    e.BudgetChecked(step="wave", spent=Spend(wall_ms=5)),
    e.SessionOpened(task="fix", attempt=1, session="3b241101"),
    e.SpendReported(task="fix", attempt=1, spent=Spend(tokens=5)),
    e.FormatRaised(format=e.FORMAT),
)
"""One of each event."""

HISTORY: dict[GoalStatus, tuple[e.GoalEvent, ...]] = {
    S.PLANNED: (a_goal_created(), planned()),
    S.DELIVERED: (e.GoalDelivered(branch="goal/x", commit=OTHER),),
    S.CANCELLED: (e.GoalCancelled(reason="asked"),),
    S.READY: (INTEGRATED, e.GoalJudged(judgement=a_judgement()), e.GoalReady()),
    S.NOT_READY: (
        INTEGRATED,
        e.GoalJudged(judgement=a_judgement(Verdict.NOT_READY)),
        e.GoalNotReady(),
    ),
    S.RUNNING: (e.GoalStarted(),),
    S.PAUSED: (e.GoalPaused(reason="asked"),),
    S.BLOCKED_ON_HUMAN: (a_block("human"),),
    S.BLOCKED_ON_EXTERNAL: (a_block("external"),),
    S.NEEDS_MORE_BUDGET: (a_block("budget"),),
    S.FAILED_INFRA: (a_block("infra"),),
}


def a_goal(status: GoalStatus = S.PLANNED, *more: e.GoalEvent) -> GoalState:
    """Return a goal that came to `status` the usual way, and `more` happened to."""
    events = list(HISTORY[S.PLANNED])
    if status is not S.PLANNED:
        events += HISTORY[S.RUNNING]
    if status is S.DELIVERED:
        events += HISTORY[S.READY]
    if status not in (S.PLANNED, S.RUNNING):
        events += HISTORY[status]
    return fold((*events, *more))


def do(state: GoalState | None, *commands: c.Command) -> GoalState:
    """Return the goal after `commands`."""
    for command in commands:
        state = fold(decide(state, command, NOW), state)
    assert state is not None
    return state


def entries_of(
    groups: Iterable[Sequence[e.GoalEvent]], name: GoalId = GOAL
) -> tuple[e.JournalEntry, ...]:
    """Return the entries that hold `groups` of events."""
    digest, entries = header_digest(name), []
    for seq, events in enumerate(groups, 1):
        entry = e.JournalEntry(seq=seq, prev=digest, at=NOW, cause="Record", events=tuple(events))
        digest = line_digest(encode_entry(entry))
        entries.append(entry)
    return tuple(entries)


def next_entry(state: GoalState, digest: str, *events: e.GoalEvent) -> e.JournalEntry:
    """Return the entry that follows `state`, whose last line has `digest`."""
    return e.JournalEntry(seq=state.seq + 1, prev=digest, at=NOW, cause="Record", events=events)


def a_first_entry(name: GoalId = GOAL) -> e.JournalEntry:
    return entries_of([(a_goal_created(name), planned())], name)[0]


GROUPS: tuple[tuple[e.GoalEvent, ...], ...] = (
    (a_goal_created(), planned()),
    (e.GoalStarted(),),
    (e.TaskStarted(task="fix", attempt=1, base_commit=BASE),),
    (e.GoalPaused(reason="asked"),),
    (e.GoalResumed(),),
    (e.GoalCancelled(reason="asked"),),
)


def a_journal() -> bytes:
    """Return the bytes of a journal of six entries."""
    entries = entries_of(GROUPS)
    assert fold_entries(entries).status is S.CANCELLED
    return header_line(GOAL) + b"".join(map(encode_entry, entries))
