"""What a goal may do when: given a status, when a command comes, then events or a refusal."""

from __future__ import annotations

import itertools
import typing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goal_engine.budget import BudgetAdd, GoalBudget, Spend
from goal_engine.decision import Acceptance, Rejection
from goal_engine.errors import BadInput, GoalError, GoalNotFound, NotPossibleNow
from goal_engine.progress import render_progress
from goal_engine.proof.gate import GateOutcome, GateStage
from goal_engine.proof.review import ReviewPass, ReviewSection, ReviewStatus
from goal_engine.proof.statement import ProofCause
from goal_engine.proof.verdict import Verdict
from goal_engine.state import commands as c
from goal_engine.state import events as e
from goal_engine.state.decide import decide
from goal_engine.state.decided import find_decision
from goal_engine.state.evolve import ImpossibleEvent, evolve, fold, fold_entries
from goal_engine.state.journal import encode_entry, header_line, parse_journal
from goal_engine.state.model import TaskState
from goal_engine.state.possible import OPERATIONS, ROWS, check_possible, find_possible
from goal_engine.state.transitions import ANYWHERE, BLOCKED_ON, TASK_MOVES, TRANSITIONS
from goal_engine.task_graph.graph import GoalTaskGraph
from goal_engine.types import Decision, Frozen, GoalKind, GoalStatus, TaskStatus
from tests.builders import (
    BASE,
    DIGEST,
    EVENTS,
    GOAL,
    HISTORY,
    INTEGRATED,
    ME,
    MOVED,
    NOW,
    OTHER,
    TREE,
    a_block,
    a_gate,
    a_gate_result,
    a_goal,
    a_goal_created,
    a_judgement,
    a_question,
    a_task,
    do,
    entries_of,
    planned,
)

S = GoalStatus
PAUSE, CANCEL = e.ControlKind.PAUSE, e.ControlKind.CANCEL
EVENT_TYPES = typing.get_args(typing.get_args(e.GoalEvent)[0])
COMMANDS: tuple[c.Command, ...] = (
    c.StartGoal(),
    c.ResumeGoal(),
    c.ResumeGoal(GoalBudget(attempts=5)),
    c.RequestControl(PAUSE, ME),
    c.RequestControl(CANCEL, ME),
    c.StopGoal(PAUSE, "asked", Spend(attempts=1)),
    c.StopGoal(CANCEL, "asked"),
    c.NoticeInterruption(),
    c.RevisePlan(planned()),
    c.AnswerQuestion("what", "this", ME),
    c.AnswerQuestion("gate:tests", "optional", ME),
    *(c.JudgeGoal(a_judgement(verdict), DIGEST) for verdict in Verdict),
    c.AcceptCriterion(Acceptance(criterion="adds", tree=TREE, decision=ME), a_judgement(), DIGEST),
    *(c.RejectGoal(Rejection(tree=TREE, decision=ME), a_judgement(v), DIGEST) for v in Verdict),
    c.ReopenVerification(),
    c.ArchiveGoal(ME, back=True),
    c.MoveBase(MOVED, TREE),
    c.RecordHunks(e.HunksTried(tree=TREE, report=DIGEST, count={}), DIGEST, None),
    c.RecordRecovery(DIGEST, DIGEST),
    c.RecordReview(a_judgement(), DIGEST, DIGEST),
    *(c.Record((event,)) for event in EVENTS if not isinstance(event, e.GoalCreated)),
    c.Record((e.QuestionsAsked(questions=(a_question("gate:tests"),)), a_block())),
)


@pytest.mark.parametrize(
    ("status", "command", "event", "after"),
    [
        (S.PLANNED, c.StartGoal(), e.GoalStarted, S.RUNNING),
        (S.PLANNED, c.RevisePlan(planned()), e.GoalPlanned, S.PLANNED),
        (S.BLOCKED_ON_HUMAN, c.RevisePlan(planned()), e.GoalPlanned, S.PLANNED),
        (S.BLOCKED_ON_EXTERNAL, c.RevisePlan(planned()), e.GoalPlanned, S.PLANNED),
        (S.RUNNING, c.StopGoal(PAUSE, "asked"), e.GoalPaused, S.PAUSED),
        (S.RUNNING, c.StopGoal(CANCEL, "asked"), e.GoalCancelled, S.CANCELLED),
        (S.RUNNING, c.NoticeInterruption(), e.GoalInterrupted, S.PAUSED),
        (S.RUNNING, c.RequestControl(PAUSE, ME), e.ControlRequested, S.RUNNING),
        (S.PAUSED, c.ResumeGoal(), e.GoalResumed, S.RUNNING),
        (S.BLOCKED_ON_HUMAN, c.ResumeGoal(), e.GoalResumed, S.RUNNING),
        (S.BLOCKED_ON_EXTERNAL, c.ResumeGoal(), e.GoalResumed, S.RUNNING),
        (S.NEEDS_MORE_BUDGET, c.ResumeGoal(), e.GoalResumed, S.RUNNING),
        (S.FAILED_INFRA, c.ResumeGoal(), e.GoalResumed, S.RUNNING),
        (S.NOT_READY, c.StartGoal(), e.GoalStarted, S.RUNNING),
        (S.READY, c.StartGoal(), e.GoalStarted, S.RUNNING),
        (S.PLANNED, c.StopGoal(CANCEL, "asked"), e.GoalCancelled, S.CANCELLED),
        (S.READY, c.ReopenVerification(), e.VerificationReopened, S.RUNNING),
        (S.NOT_READY, c.ReopenVerification(), e.VerificationReopened, S.RUNNING),
        (S.READY, c.MoveBase(MOVED, TREE), e.BaseMoved, S.RUNNING),
        (S.NOT_READY, c.MoveBase(MOVED, TREE), e.BaseMoved, S.RUNNING),
        (S.PLANNED, c.MoveBase(MOVED, BASE), e.BaseMoved, S.PLANNED),
    ],
    ids=str,
)
def test_a_goal_moves(status, command, event, after):
    goal = a_goal(status)
    events = decide(goal, command, NOW)
    assert [type(one) for one in events] == [event]
    assert fold(events, goal).status is after


@pytest.mark.parametrize(
    ("status", "command"),
    [
        (S.PLANNED, c.ResumeGoal()),
        (S.PLANNED, c.StopGoal(PAUSE, "asked")),
        (S.RUNNING, c.StartGoal()),
        (S.PAUSED, c.StartGoal()),
        (S.READY, c.ResumeGoal()),
        (S.NOT_READY, c.StopGoal(PAUSE, "asked")),
        (S.DELIVERED, c.StopGoal(CANCEL, "asked")),
        (S.DELIVERED, c.StartGoal()),
        (S.PAUSED, c.NoticeInterruption()),
        (S.PLANNED, c.RequestControl(PAUSE, ME)),
        (S.RUNNING, c.RevisePlan(planned())),
        (S.PAUSED, c.RevisePlan(planned())),
        (S.NOT_READY, c.RevisePlan(planned())),
        (S.CANCELLED, c.RevisePlan(planned())),
        (S.PLANNED, c.ReopenVerification()),
        (S.BLOCKED_ON_HUMAN, c.ReopenVerification()),
        (S.DELIVERED, c.ReopenVerification()),
        (S.RUNNING, c.MoveBase(MOVED, TREE)),
        (S.BLOCKED_ON_HUMAN, c.MoveBase(MOVED, BASE)),
        (S.READY, c.MoveBase(MOVED, OTHER)),
        (S.READY, c.MoveBase(MOVED.changed(from_commit=OTHER), TREE)),
        (S.READY, c.RecordRecovery(DIGEST, DIGEST)),
    ],
    ids=str,
)
def test_a_refusal_names_the_goal_its_status_and_what_is_possible(status, command):
    with pytest.raises(NotPossibleNow) as refusal:
        decide(a_goal(status), command, NOW)
    said = str(refusal.value)
    assert GOAL in said and f"is {status}" in said
    named = said.partition("Possible: ")[2].strip(".").split(", ")
    assert named and set(named) <= set(find_possible(a_goal(status)))


def test_the_builders_know_every_event_and_reach_every_status():
    assert {type(event) for event in EVENTS} == set(EVENT_TYPES)
    assert {a_goal(status).status for status in S} == set(S)
    assert set(TRANSITIONS) == {None, *S}


@pytest.mark.parametrize("status", list(S))
@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_an_event_is_in_the_table_or_refused_everywhere(status, event):
    goal = a_goal(status)
    target = status if type(event) in ANYWHERE else TRANSITIONS[status].get(type(event))
    if target is None:
        with pytest.raises(ImpossibleEvent):
            evolve(goal, event)
        with pytest.raises(NotPossibleNow, match="Possible: "):
            decide(goal, c.Record((event,)), NOW)
    else:
        if isinstance(event, e.GoalBlocked):
            target = BLOCKED_ON[event.on]
        assert evolve(goal, event).status is target


@pytest.mark.parametrize("event", EVENTS[1:], ids=lambda event: event.type)
def test_nothing_but_creation_can_happen_to_no_goal(event):
    with pytest.raises(ImpossibleEvent):
        evolve(None, event)
    with pytest.raises(NotPossibleNow):
        decide(None, c.Record((event,)), NOW)


BESIDE = {*ANYWHERE, e.GoalArchived, e.GoalUnarchived}
"""What can happen to a goal that ended, and changes nothing about that."""


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_a_cancelled_goal_stays_cancelled(command):
    if isinstance(command, c.Record) and type(command.events[0]) in BESIDE:
        events = decide(a_goal(S.CANCELLED), command, NOW)
        assert fold(events, a_goal(S.CANCELLED)).status is S.CANCELLED
        return
    with pytest.raises(GoalError):
        decide(a_goal(S.CANCELLED), command, NOW)


@pytest.mark.parametrize("status", list(S))
@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_a_goal_that_a_newer_release_went_on_with_is_not_changed(status, command):
    goal = evolve(a_goal(status), e.FormatRaised(format=e.FORMAT + 1))
    with pytest.raises(NotPossibleNow, match="update Goalproof"):
        decide(goal, command, NOW)


@pytest.mark.parametrize("status", list(S))
def test_a_goal_that_a_newer_release_went_on_with_is_looked_at_alone(status):
    before = a_goal(status)
    goal = evolve(before, e.FormatRaised(format=e.FORMAT + 1))
    looks = {verb for verb, row in ROWS.items() if row.looks}
    assert looks == {"diff", "diagnose", "proof", "show", "review", "log", "open", "replay"}
    assert set(find_possible(goal)) == set(find_possible(before)) & looks
    for verb in ROWS.keys() - looks:
        with pytest.raises(NotPossibleNow, match=f"newer Goalproof.*`{verb}` is refused"):
            check_possible(goal, verb)


def test_nothing_leads_out_of_cancelled():
    assert set(TRANSITIONS[S.CANCELLED].values()) == {S.CANCELLED}


@pytest.mark.parametrize("status", list(S))
@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_ready_comes_from_a_ready_verdict_alone(status, command):
    goal = a_goal(status)
    try:
        events = decide(goal, command, NOW)
    except GoalError:
        return
    if any(isinstance(event, e.GoalReady) for event in events):
        assert isinstance(command, c.JudgeGoal | c.AcceptCriterion)
        assert command.judgement.verdict is Verdict.READY
    if isinstance(command, c.JudgeGoal):
        moves = {
            Verdict.READY: S.READY,
            Verdict.NOT_READY: S.NOT_READY,
            Verdict.NEEDS_PERSON: S.BLOCKED_ON_HUMAN,
        }
        assert fold(events, goal).status is moves[command.judgement.verdict]
        assert any(isinstance(event, e.ProofRecorded) for event in events)


@pytest.mark.parametrize(
    "event", [e.GoalReady(), e.GoalNotReady(), e.GoalJudged(judgement=a_judgement())]
)
def test_a_verdict_cannot_be_recorded_without_a_judgement(event):
    with pytest.raises(NotPossibleNow):
        decide(a_goal(S.RUNNING), c.Record((event,)), NOW)


def test_an_interrupted_goal_is_paused_and_resumes_with_its_task_pending():
    started = e.TaskStarted(task="fix", attempt=1, base_commit=TREE)
    running = do(a_goal(S.RUNNING), c.Record((started,)), c.RequestControl(PAUSE, ME))
    assert running.tasks["fix"].status is TaskStatus.RUNNING
    interrupted = do(running, c.NoticeInterruption())
    assert interrupted.status is S.PAUSED and interrupted.interrupted
    assert interrupted.tasks["fix"].status is TaskStatus.PENDING
    assert interrupted.requests == ()
    resumed = do(interrupted, c.ResumeGoal())
    assert resumed.status is S.RUNNING and not resumed.interrupted
    assert resumed.tasks["fix"].attempts == 1


def asking(*names):
    asked = tuple(a_question(name) for name in names)
    return do(None, c.CreateGoal(a_goal_created(), None, asked, a_block()))


def test_a_goal_with_questions_waits_until_they_are_answered():
    goal = asking("what", "where")
    assert goal.status is S.BLOCKED_ON_HUMAN
    with pytest.raises(NotPossibleNow, match="answer what, where"):
        decide(goal, c.ResumeGoal(), NOW)
    goal = do(goal, c.AnswerQuestion("what", "this", ME))
    assert goal.status is S.BLOCKED_ON_HUMAN
    goal = do(goal, c.AnswerQuestion("where", "here", ME, planned()))
    assert goal.status is S.PLANNED and goal.open_questions == ()
    assert [answer.text for answer in goal.answers] == ["this", "here"]


def test_an_answer_to_no_open_question_names_the_open_ones():
    with pytest.raises(GoalNotFound, match="open: what"):
        decide(asking("what"), c.AnswerQuestion("who", "me", ME), NOW)
    answered = do(asking("what"), c.AnswerQuestion("what", "this", ME))
    with pytest.raises(GoalNotFound, match="open: none"):
        decide(answered, c.AnswerQuestion("what", "that", ME), NOW)


@pytest.mark.parametrize(("text", "required"), [(" Optional ", False), ("required", True)])
def test_a_gate_is_waived_by_the_word_optional_alone(text, required):
    goal = do(asking("gate:tests"), c.AnswerQuestion("gate:tests", text, ME, planned()))
    assert goal.gates == (a_gate(required=required),)
    assert goal.waived == (() if required else ("tests",))


@pytest.mark.parametrize(
    ("question", "choices"),
    [
        ("gate:tests", "`optional` or `required`"),
        ("unmetered", "`unlimited`"),
        ("tamper", "`restore` or `mine`"),
        ("moved-2", "`mine`"),
    ],
)
def test_an_answer_that_is_no_choice_is_refused_with_the_choices(question, choices):
    with pytest.raises(BadInput, match=f"'maybe' is no answer to {question}: answer {choices}"):
        decide(asking(question), c.AnswerQuestion(question, "maybe", ME), NOW)


@pytest.mark.parametrize(
    "command",
    [
        c.StartGoal(by="ann"),
        c.ResumeGoal(by="ann"),
        c.ReopenVerification(by="ann"),
    ],
    ids=lambda command: type(command).__name__,
)
def test_who_lets_a_goal_go_on_stands_in_the_journal(command):
    status = {c.StartGoal: S.PLANNED, c.ResumeGoal: S.PAUSED, c.ReopenVerification: S.READY}
    (event,) = decide(a_goal(status[type(command)]), command, NOW)
    assert event.by == "ann"
    assert "by" not in type(event).model_validate(event.model_dump(exclude={"by"})).model_dump()


def test_who_stops_a_goal_that_nobody_runs_is_among_the_decisions():
    stop = c.StopGoal(e.ControlKind.CANCEL, "no use", actor="ann")
    (said,) = do(a_goal(S.PAUSED), stop).decisions[-1:]
    assert (said.verb, said.decision) == ("cancel", Decision(actor="ann", reason="no use"))


def test_another_plan_leaves_nothing_of_the_one_before():
    goal = asking("what", "gate:tests")
    goal = do(goal, c.AnswerQuestion("gate:tests", "optional", ME))
    other = planned(a_task("one"), a_task("two", "one"))
    limits = GoalBudget(attempts=3)
    words = e.GoalRestated(text="Say it so", kind=GoalKind.FIX, kind_reason="x", budget=limits)
    goal = do(goal, c.RevisePlan(other, words))
    assert goal.status is S.PLANNED and goal.blocked is None
    assert goal.graph == other.graph and set(goal.tasks) == {"one", "two"}
    assert goal.created.text == "Say it so" and goal.budget == limits
    assert goal.open_questions == () and [q.id for q in goal.questions] == ["gate:tests"]
    assert goal.waived == ("tests",)


def test_a_plan_stands_once_a_task_was_attempted():
    begun = e.TaskStarted(task="fix", attempt=1, base_commit=TREE)
    blocked = a_goal(S.RUNNING, begun, a_block("human"))
    with pytest.raises(NotPossibleNow, match="work on its plan has begun"):
        decide(blocked, c.RevisePlan(planned()), NOW)


def test_a_spent_budget_is_resumed_only_with_a_higher_limit():
    limited = a_goal_created(budget=GoalBudget(attempts=1))
    spent = Spend(attempts=2)
    blocked = a_block("budget").changed(spent=spent)
    goal = fold((limited, planned(), e.GoalStarted(), blocked))
    for command in (c.ResumeGoal(), c.ResumeGoal(GoalBudget(attempts=1))):
        with pytest.raises(NotPossibleNow, match="attempts: 2 of 1"):
            decide(goal, command, NOW)
    resumed = do(goal, c.ResumeGoal(GoalBudget(attempts=3)))
    assert resumed.status is S.RUNNING and resumed.budget.attempts == 3


def test_limits_that_are_not_named_stay_as_somebody_raised_them_meanwhile():
    limited = a_goal_created(budget=GoalBudget(attempts=1, wall_seconds=60))
    goal = fold((limited, planned(), e.GoalStarted(), e.GoalPaused(reason="asked")))
    raised = do(goal, c.ExtendBudget(BudgetAdd(wall_seconds=30), ME))
    resumed = do(raised, c.ResumeGoal(GoalBudget(attempts=3)))
    assert (resumed.budget.attempts, resumed.budget.wall_seconds) == (3, 90)


def test_a_goal_without_tasks_is_not_resumed():
    goal = fold((a_goal_created(), e.GoalStarted(), a_block("external")))
    with pytest.raises(NotPossibleNow, match="do something"):
        decide(goal, c.ResumeGoal(), NOW)


def test_a_judgement_that_waits_for_a_person_is_not_resumed():
    goal = do(a_goal(S.RUNNING, INTEGRATED), c.JudgeGoal(a_judgement(Verdict.NEEDS_PERSON), DIGEST))
    with pytest.raises(NotPossibleNow, match="it says so"):
        decide(goal, c.ResumeGoal(), NOW)
    word = Acceptance(criterion="adds", tree=TREE, decision=ME)
    accepted = do(goal, c.AcceptCriterion(word, a_judgement(), DIGEST, DIGEST))
    assert accepted.status is S.READY and accepted.acceptances == (word,)


@pytest.mark.parametrize("status", [S.RUNNING, S.BLOCKED_ON_HUMAN, S.NOT_READY])
def test_a_judgement_of_a_tree_that_the_goal_no_longer_has_is_refused(status):
    goal = a_goal(status).changed(tree=OTHER)
    word = Acceptance(criterion="adds", tree=TREE, decision=ME)
    commands = [c.JudgeGoal(a_judgement(), DIGEST), c.AcceptCriterion(word, a_judgement(), DIGEST)]
    for command in commands:
        with pytest.raises(NotPossibleNow, match="another tree by now"):
            decide(goal, command, NOW)


def test_an_acceptance_for_another_tree_than_was_judged_is_refused():
    word = Acceptance(criterion="adds", tree=OTHER, decision=ME)
    with pytest.raises(NotPossibleNow, match="of another tree"):
        decide(a_goal(S.NOT_READY), c.AcceptCriterion(word, a_judgement(), DIGEST), NOW)


@pytest.mark.parametrize(
    "event",
    [e.TaskStarted(task="nope", attempt=1, base_commit=TREE), e.TasksBlocked(tasks=("nope",), by="fix")],
    ids=lambda event: event.type,
)  # fmt: skip
def test_what_happens_to_a_task_that_is_not_planned_is_refused(event):
    with pytest.raises(NotPossibleNow):
        decide(a_goal(S.RUNNING), c.Record((event,)), NOW)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(COMMANDS), max_size=25))
def test_a_journal_says_the_same_as_the_goal_that_was_folded(commands):
    groups = [decide(None, c.CreateGoal(a_goal_created(), planned()), NOW)]
    goal = fold(groups[0])
    for command in commands:
        try:
            events = decide(goal, command, NOW)
        except GoalError:
            continue
        goal = fold(events, goal)
        groups.append(events)
    data = header_line(GOAL) + b"".join(map(encode_entry, entries_of(groups)))
    read = fold_entries(parse_journal(data, GOAL).entries)
    assert read == goal.changed(seq=len(groups), updated_at=NOW)


def test_a_proof_is_superseded_by_the_next_and_each_says_why():
    goal = do(a_goal(S.RUNNING, INTEGRATED), c.JudgeGoal(a_judgement(), DIGEST))
    tried = e.HunksTried(tree=TREE, report=DIGEST, count={"unproven": 1})
    goal = do(goal, c.RecordHunks(tried, "e" * 64, DIGEST), c.RecordRecovery("f" * 64, "e" * 64))
    assert [(proof.digest[0], proof.cause) for proof in goal.proofs] == [
        ("d", ProofCause.JUDGED),
        ("e", ProofCause.HUNKS),
        ("f", ProofCause.RECOVERED),
    ]
    assert goal.status is S.READY and goal.proof == goal.proofs[-1] and goal.hunks == tried


@pytest.mark.parametrize(
    "command",
    [
        c.RecordHunks(e.HunksTried(tree=TREE, report=DIGEST, count={}), "e" * 64, "0" * 64),
        c.RecordHunks(e.HunksTried(tree=OTHER, report=DIGEST, count={}), "e" * 64, DIGEST),
        c.RecordRecovery("e" * 64, "0" * 64),
        c.RecordReview(a_judgement(), "e" * 64, "0" * 64),
        c.RecordReview(a_judgement().changed(tree=OTHER), "e" * 64, DIGEST),
    ],
    ids=str,
)
def test_what_was_made_beside_another_proof_is_not_recorded(command):
    goal = do(a_goal(S.RUNNING, INTEGRATED), c.JudgeGoal(a_judgement(), DIGEST))
    with pytest.raises(NotPossibleNow, match=r"meanwhile|by now"):
        decide(goal, command, NOW)


def test_gates_that_run_again_forget_what_they_said_and_no_task_is_given_out():
    goal = do(a_goal(S.RUNNING, INTEGRATED), c.JudgeGoal(a_judgement(), DIGEST))
    tasks = goal.tasks
    goal = do(goal, c.ReopenVerification())
    assert goal.reopened and goal.gates_run == {} and goal.tasks == tasks
    paused = do(goal, c.NoticeInterruption(), c.ResumeGoal())
    assert paused.reopened
    assert not do(paused, c.JudgeGoal(a_judgement(Verdict.NOT_READY), DIGEST)).reopened
    assert not do(goal, c.NoticeInterruption(), c.ResumeGoal(), c.JudgeGoal(a_judgement(), DIGEST),
                  c.StartGoal()).reopened  # fmt: skip


# The tables agree


def find_decided(event):
    """Return the decision of whoever an event is of, wherever in it that stands."""
    if isinstance(event, Decision):
        return event
    if not isinstance(event, Frozen):
        return None
    inside = (getattr(event, name) for name in type(event).model_fields)
    return next(filter(None, map(find_decided, inside)), None)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_who_decided_what_is_kept_for_every_event_that_says_it(event):
    decided = find_decision(event)
    assert (decided.decision if decided else None) == find_decided(event)


def test_every_event_is_caused_by_an_operation_or_by_whoever_runs_the_goal():
    """What an operation causes can happen in its status, or after what it caused before."""
    creation = {e.GoalPlanned, e.GoalRestated, e.QuestionsAsked, e.GoalBlocked}
    for status in S:
        caused = {event for row in OPERATIONS if status in row.cells for event in row.cells[status].causes}  # fmt: skip
        after = {TRANSITIONS[status].get(event) for event in caused} - {None}
        reached = {event for there in (status, *after) for event in TRANSITIONS[there]}
        assert caused <= reached, status
        if status is not S.RUNNING:
            left = set(TRANSITIONS[status]) - caused - (creation if status is S.PLANNED else set())
            assert left == set(), status


def test_tasks_move_as_their_table_says():
    """Each move that the table draws is one that `evolve` makes."""
    for status, moves in TASK_MOVES.items():
        for event, target in moves.items():
            if status is not None:
                assert target in move_task(status, event), (status, event)


def move_task(status, kind):
    """Return where a task of this status comes to by an event of this kind, over what goals it can
    happen to: some moves need a judgement before, others a result that did not merge."""
    found = set()
    event = next(one for one in EVENTS if type(one) is kind)
    for goal_status in S:
        if kind not in TRANSITIONS[goal_status]:
            continue
        for worker, conflicted in itertools.product(("recipe", "manual"), (None, "fix", "other")):
            task = a_task().changed(worker=worker)
            other = a_task("other").changed(deps=()) if conflicted != "other" else a_task("other")
            after = a_task("fix", "other") if conflicted == "other" else task
            goal = a_goal(goal_status).changed(graph=GoalTaskGraph(tasks=(other, after)))
            states = {"fix": TaskState(status=status, attempts=1), "other": TaskState()}
            repair = e.RepairPlanned(
                task=a_task("redo"), number=1, limit=2, reasons=("x",), resolves=conflicted
            )
            goal = goal.changed(
                tasks={**states, "redo": TaskState()},
                conflicted=conflicted,
                moved=next(one for one in EVENTS if type(one) is e.RepositoryMoved),
                repairs=(repair,) if conflicted else (),
            )
            happened = event.changed(tasks=("redo",)) if kind is e.TreeIntegrated else event
            found.add(evolve(goal, happened).tasks["fix"].status)
    return found


@pytest.mark.parametrize("command", [c.StopGoal(PAUSE, "asked"), c.NoticeInterruption()])
def test_a_cancel_that_was_asked_for_is_not_forgotten_by_a_pause(command):
    """A pause's receipt, and the notice that its runner had died, took the request away with them."""
    handed = e.TaskHandedOver(task="fix", attempt=1, folder="/desk")
    begun = e.TaskStarted(task="fix", attempt=1, base_commit=OTHER)
    asked = do(
        a_goal(S.RUNNING, begun, handed), *(c.RequestControl(k, ME) for k in (PAUSE, CANCEL))
    )
    after = do(asked, command)
    assert after.status is S.CANCELLED
    assert after.tasks["fix"].folder == "/desk"  # nobody looked whether work of theirs is in it


@pytest.mark.parametrize(
    ("outcome", "stands"),
    [(GateOutcome.FAILED, True), (GateOutcome.TIMEOUT, False), (GateOutcome.ERROR, False)],
)
def test_a_gate_that_said_nothing_of_the_base_is_asked_again(outcome, stands):
    """One that had no time once was never asked again: the goal could not become ready any more."""
    result = a_gate_result(GateStage.BASELINE).changed(outcome=outcome)
    judged = a_goal(S.RUNNING, e.GateFinished(result=result), *HISTORY[S.NOT_READY])
    assert bool(do(judged, c.StartGoal()).gates_run) is stands


def test_a_goal_on_newer_commits_begins_without_what_was_seen_and_said_before():
    """Interrupted in the middle it is still the gates that are missing, not the work."""
    word = Acceptance(criterion="adds", tree=TREE, decision=ME)
    ran = e.GateFinished(result=a_gate_result())
    done = a_goal(S.RUNNING, ran, *HISTORY[S.READY]).changed(acceptances=(word,), applied=("a.py",))
    merged = {"commit": OTHER, "tree": TREE, "evidence": INTEGRATED.evidence, "redo": ()}
    moved = do(done, c.MoveBase(MOVED.changed(**merged), TREE))
    assert (moved.created.base_commit, moved.first_base_tree) == (OTHER, BASE)
    assert not (moved.acceptances or moved.gates_run) and moved.integrated == ("fix",)
    again = do(moved, c.NoticeInterruption(), c.ResumeGoal())
    assert again.status is S.RUNNING and again.reopened and again.rebased
    judged = do(again, c.JudgeGoal(a_judgement(), DIGEST))
    assert judged.status is S.READY and not (judged.rebased or judged.reopened)


def test_a_gate_that_was_waived_on_the_base_before_is_asked_about_on_the_newer_one():
    """Green there and broken by the change, it would not be required and the goal ready."""
    goal = do(asking("what", "gate:tests"), c.AnswerQuestion("what", "this", ME))
    goal = do(goal, c.AnswerQuestion("gate:tests", "optional", ME, planned()))
    assert not goal.gates[0].required
    moved = do(goal, c.MoveBase(MOVED.changed(redo=()), goal.present_tree))
    assert moved.waived == () and moved.gates[0].required
    assert [said.question for said in moved.answers] == ["what"] and moved.open_questions == ()
    assert [d.verb for d in moved.decisions] == ["answer", "answer", "waive", "rebase"]
    asked = e.QuestionsAsked(questions=(a_question("gate:tests"),))
    waits = fold((e.GoalStarted(), asked, a_block()), moved)
    assert [question.id for question in waits.open_questions] == ["gate:tests"]
    assert not do(waits, c.AnswerQuestion("gate:tests", "optional", ME)).gates[0].required


def test_a_base_that_moved_in_a_release_before_left_its_waivers():
    goal = a_goal(S.READY).changed(waived=("tests",))
    assert fold((MOVED.changed(redo=()),), goal).waived == ("tests",)


def test_a_judgement_on_the_base_before_is_none_of_the_same_tree_on_the_newer_one():
    judged = a_goal(S.READY)
    assert judged.is_judged
    moved = do(judged, c.MoveBase(MOVED.changed(redo=(), commit=OTHER, tree=TREE), TREE))
    assert moved.present_tree == TREE and not moved.is_judged
    assert do(moved, c.JudgeGoal(a_judgement(), DIGEST)).is_judged


def test_what_does_not_merge_with_newer_commits_is_done_again_and_no_repair_counts_double():
    clash = e.IntegrationConflicted(task="fix", paths=("a.py",), others=("base",))
    moved = do(a_goal(S.READY), c.MoveBase(MOVED, TREE, clash))
    assert (moved.conflicted, moved.integrated, moved.reopened) == ("fix", (), False)
    assert moved.tasks["fix"].status is TaskStatus.FAILED and moved.tree is None
    waits = fold((a_block(),), moved)
    assert do(waits, c.ResumeGoal()).tasks["fix"].status is TaskStatus.PENDING
    assert find_decision(MOVED).verb == "rebase" and find_decision(MOVED).decision == ME


def a_planning(*more: e.GoalEvent):
    """A goal whose plan an agent makes."""
    begun = e.ConsultationStarted(about="plan", attempt=1, tree=BASE, worker="cli", agent="mine")
    return do(a_goal(), c.StartPlanning("cli", "mine", "me"), c.Record((begun, *more)))


def test_an_agent_that_plans_is_as_a_run_is_and_nothing_has_begun_after_it():
    asked = a_planning()
    assert asked.status is S.RUNNING and asked.is_open("plan") and not asked.has_begun
    answered = e.ConsultationFinished(
        about="plan", attempt=1, tree=BASE, spent=Spend(tokens=5, turns=1)
    )
    plan = planned(a_task("other")).changed(planner="agent")
    ended = e.PlanningEnded(plan=plan, spent=Spend(wall_ms=7))
    state = do(asked, c.Record((answered, ended)))
    assert state.status is S.PLANNED and state.planner == "agent" and not state.is_open("plan")
    assert (state.spend.tokens, state.spend.turns, state.spend.wall_ms) == (5, 1, 7)
    assert state.planning is None and list(state.tasks) == ["other"] and not state.has_begun
    kept = do(asked, c.Record((answered, e.PlanningEnded(reason="it was none"))))
    assert kept.status is S.PLANNED and list(kept.tasks) == ["fix"]
    assert kept.unplanned == "it was none"
    assert do(kept, c.RevisePlan(planned(a_task("mine")))).unplanned == ""


def test_a_turn_that_plans_and_is_cut_off_is_one_of_unknown_cost_and_goes_on_later():
    state = do(a_planning(), c.NoticeInterruption())
    assert state.status is S.PAUSED and state.consulting is None and state.planning is not None
    assert (state.spend.turns, state.spend.tokens) == (1, None)
    assert do(state, c.ResumeGoal()).status is S.RUNNING


def a_reviewed(**more: object) -> tuple[e.GoalEvent, ...]:
    """An agent is asked for a review beside a run, and answers."""
    begun = e.ConsultationStarted(about="review", attempt=1, tree=TREE, worker="cli", agent="mine")
    answered = {
        "about": "review",
        "attempt": 1,
        "tree": TREE,
        "agent": "mine",
        "spent": Spend(turns=1),
    }
    return begun, e.ConsultationFinished(**{**answered, **more})


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_review_that_a_person_asks_an_agent_for_leaves_the_status_as_it_is(verdict):
    goal = do(a_goal(S.RUNNING, INTEGRATED), c.JudgeGoal(a_judgement(verdict), DIGEST))
    begun, taken = a_reviewed(report=DIGEST)
    asked = do(goal, c.Record((begun,)))
    assert asked.status is goal.status and asked.is_open("review")
    assert "mine is asked for a review" in "".join(render_progress(asked).lines)
    section = ReviewSection(name=ReviewPass.CODE, status=ReviewStatus.WARNED)
    more = a_judgement(verdict).changed(reviews=(section,))
    done = do(asked, c.Record((taken,)), c.RecordReview(more, "e" * 64, DIGEST))
    assert done.status is goal.status and done.judgement == more and not done.is_open("review")
    assert done.proof.cause is ProofCause.REVIEWED and done.spend.turns == goal.spend.turns + 1


@pytest.mark.parametrize("verdict", list(Verdict))
def test_no_review_changes_a_verdict(verdict):
    goal = do(a_goal(S.RUNNING, INTEGRATED), c.JudgeGoal(a_judgement(verdict), DIGEST))
    for other in set(Verdict) - {verdict}:
        with pytest.raises(NotPossibleNow, match="changes no verdict"):
            decide(goal, c.RecordReview(a_judgement(other), "e" * 64, DIGEST), NOW)


def test_an_answer_that_is_none_takes_no_earlier_review_away():
    goal = do(a_goal(S.RUNNING, INTEGRATED), c.JudgeGoal(a_judgement(), DIGEST))
    goal = do(goal, c.Record(a_reviewed(report=DIGEST)))
    again = do(goal, c.Record(a_reviewed(problems=("no JSON",))))
    assert again.reviewed.report == DIGEST and again.consulted["review"].problems == ("no JSON",)


@pytest.mark.parametrize("status", sorted(set(S) - {S.PLANNED}))
def test_only_what_is_planned_is_planned_by_an_agent(status):
    with pytest.raises(NotPossibleNow):
        decide(a_goal(status), c.StartPlanning("cli", "mine"), NOW)


def test_an_agents_plan_does_not_widen_what_a_person_granted():
    narrow = fold((a_goal_created(), planned(a_task(writes=("src/**",)))))
    plan = planned(a_task("other", writes=("src/a.py",))).changed(planner="agent")
    begun = do(narrow, c.StartPlanning("cli"), c.Record((e.PlanningEnded(plan=plan),)))
    assert begun.granted == ("src/**",)
