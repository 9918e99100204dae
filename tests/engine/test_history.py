"""A history in words: every event has a sentence, and nothing that changed is left out."""

from __future__ import annotations

from datetime import timedelta
from itertools import combinations

import pytest

from goal_engine.budget import GoalBudget, Spend
from goal_engine.decision import Acceptance, Answer
from goal_engine.history.differences import find_differences
from goal_engine.history.sentences import tell_event
from goal_engine.history.timeline import (
    TimeSpent,
    find_decision,
    find_gate,
    find_tasks,
    render_moment,
    sum_times,
    walk,
)
from goal_engine.proof.gate import GateOutcome, GateResult, GateStage
from goal_engine.state import events as e
from goal_engine.state.evolve import ImpossibleEvent
from goal_engine.state.transitions import TRANSITIONS
from goal_engine.types import GoalStatus
from tests.builders import (
    BASE,
    DIGEST,
    EVENTS,
    ME,
    NOTHING,
    NOW,
    OTHER,
    TREE,
    a_gate,
    a_goal,
    a_goal_created,
    a_task,
    entries_of,
    planned,
)

S = GoalStatus


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_a_sentence_is_one_line_of_plain_words(event):
    said = tell_event(event)
    assert said.strip() == said and said and "\n" not in said
    assert not said.endswith(".") and "None" not in said and "<" not in said and "{" not in said


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (
            a_goal_created(budget=GoalBudget(attempts=3)),
            "“Make sums right” was stated: fix (said so), on aaaaaaaaaaaa (main), 1 gate, "
            "limits: attempts 3",
        ),
        (planned(a_task("one"), a_task("two")), "it got a plan: 2 tasks, 1 criterion"),
        (
            e.GateFinished(
                result=GateResult(
                    gate="tests",
                    stage=GateStage.COUNTERFACTUAL,
                    tree=TREE,
                    outcome=GateOutcome.FAILED,
                    message="2 failed",
                    runs=3,
                )
            ),
            "gate tests without the change: failed after 3 runs: 2 failed",
        ),
        (
            e.TaskFailed(task="fix", attempt=2, reason="exit code 1", spent=Spend()),
            "task fix failed (attempt 2): exit code 1",
        ),
        (
            e.IntegrationConflicted(task="fix", paths=tuple("abcdefg")),
            "task fix does not merge with what was there already: a, b, c, d, e and 2 more",
        ),
        (e.HunksTried(tree=TREE, report=DIGEST, count={"unproven": 1, "constrained": 4}),
         "each hunk was taken away once: 4 constrained, 1 unproven"),
    ],
    ids=["stated", "planned", "gate", "failed", "many", "hunks"],
)  # fmt: skip
def test_a_sentence_says_what_counts(event, said):
    assert tell_event(event) == said


@pytest.mark.parametrize(
    "event",
    [
        e.GateWaived(gate="tests", decision=ME),
        e.QuestionAnswered(answer=Answer(question="what", text="this", decision=ME)),
        e.CriterionAccepted(acceptance=Acceptance(criterion="adds", tree=TREE, decision=ME)),
    ],
    ids=lambda event: event.type,
)
def test_who_decided_is_found_wherever_an_event_keeps_it(event):
    assert find_decision(event) == ME


def test_a_receipt_says_who_asked_how_long_it_took_and_what_was_ended():
    receipt = e.Receipt(actor="ann", reason="lunch", took_ms=300, ended=2, tasks=("fix",))
    stopped = e.GoalPaused(reason="lunch", receipt=receipt)
    *_, step = walk(a_story((a_goal_created(), planned()), (e.GoalStarted(),), (stopped,)))
    moment = render_moment(step)
    assert (moment.by, moment.reason, moment.took_ms) == ("ann", "lunch", 300)
    assert moment.text == "it stopped, to go on later: lunch; 2 processes ended; under way: fix"
    assert TimeSpent(what="stopping", times=1, ms=300) in sum_times([step])
    alone = e.GoalInterrupted(receipt=e.Receipt(actor="", reason="gone", left=1))
    assert find_decision(alone) is None
    assert tell_event(alone).endswith("; 0 processes ended, 1 could not be")


def test_who_let_it_go_on_is_told():
    *_, step = walk(a_story((a_goal_created(), planned()), (e.GoalStarted(by="ann"),)))
    assert render_moment(step).by == "ann"
    *_, step = walk(a_story((a_goal_created(), planned()), (e.GoalStarted(),)))
    assert render_moment(step).by == ""


def test_what_the_engine_saw_was_decided_by_nobody():
    assert find_decision(e.GoalStarted()) is None
    assert find_decision(e.GateStarted(gate="tests", stage=GateStage.PROVING, tree=TREE)) is None


def test_an_event_is_filed_under_its_tasks_and_its_gate():
    repair = e.RepairPlanned(task=a_task("repair-1"), number=1, limit=2, reasons=("red",))
    assert find_tasks(repair) == ("repair-1",)
    assert find_tasks(e.TasksBlocked(tasks=("b", "c"), by="a")) == ("b", "c")
    assert find_gate(e.GateStarted(gate="tests", stage=GateStage.PROVING, tree=TREE)) == "tests"
    assert find_gate(a_run(5)) == "tests" and find_gate(e.GoalStarted()) == ""


def a_run(ms, **changes):
    result = GateResult(
        gate="tests", stage=GateStage.BASELINE, tree=BASE, outcome=GateOutcome.PASSED
    )
    return e.GateFinished(result=result.changed(duration_ms=ms, **changes), report=DIGEST)


def a_story(*groups):
    """Return entries that are a second apart."""
    entries = entries_of(groups)
    return [entry.changed(at=NOW + timedelta(seconds=entry.seq)) for entry in entries]


STORY = a_story(
    (a_goal_created(), planned()),
    (e.GoalStarted(),),
    (a_run(700),),
    (e.TaskStarted(task="fix", attempt=1, base_commit=BASE),),
    (e.ControlRequested(kind=e.ControlKind.PAUSE, decision=ME),),
    (e.TaskFinished(task="fix", attempt=1, commit=OTHER, evidence=NOTHING, spent=Spend(attempts=1)),),
    (e.GoalPaused(reason="asked"),),
    (e.GoalResumed(),),
)  # fmt: skip


def test_a_moment_says_what_it_changed():
    moments = [render_moment(step) for step in walk(STORY)]
    assert [moment.seq for moment in moments] == [1, 1, 2, 3, 4, 5, 6, 7, 8]
    created, plan, started, gate, begun, asked, done, paused, _ = moments
    assert (created.was, created.status, created.by) == (None, S.PLANNED, "Ada")
    assert [(move.task, move.before, move.after) for move in plan.moves] == [
        ("fix", None, "pending")
    ]
    assert (started.was, started.status) == (S.PLANNED, S.RUNNING)
    assert gate.took_ms == 700 and gate.gate == "tests"
    assert [(named.what, named.name) for named in gate.objects] == [
        ("report", DIGEST),
        ("tree", BASE),
    ]
    assert begun.moves[0].after == "running" and begun.took_ms is None
    assert (asked.by, asked.reason) == ("me", "I looked at it")
    assert done.took_ms == 2000 and done.spent == Spend(attempts=1)
    assert (paused.was, paused.status) == (S.RUNNING, S.PAUSED)
    assert [moment.gap_ms for moment in moments] == [0, 0, *[1000] * 7]


def test_the_time_went_where_it_went():
    assert sum_times(list(walk(STORY))) == (
        TimeSpent(what="status running", times=5, ms=5000),
        TimeSpent(what="task fix", times=1, ms=2000),
        TimeSpent(what="status paused", times=1, ms=1000),
        TimeSpent(what="status planned", times=1, ms=1000),
        TimeSpent(what="gate tests before any work", times=1, ms=700),
    )


def test_a_remembered_answer_took_no_time():
    steps = list(
        walk(
            a_story(
                (a_goal_created(), planned()), (e.GoalStarted(),), (a_run(9, cached="2026-01-01"),)
            )
        )
    )
    assert steps[-1].took_ms == 0


def test_an_answer_that_was_taken_over_took_no_time_where_runs_are_told():
    begun = e.GateStarted(gate="tests", stage=GateStage.BASELINE, tree=BASE)
    again = a_run(700).changed(result=a_run(700).result.changed(stage=GateStage.COUNTERFACTUAL))
    groups = ((a_goal_created(), planned()), (e.GoalStarted(),), (begun,), (a_run(700),), (again,))
    assert [step.took_ms for step in walk(a_story(*groups))][-2:] == [700, 0]
    old = (*groups[:2], *groups[3:])
    assert [step.took_ms for step in walk(a_story(*old))][-2:] == [700, 700]


def test_no_time_is_negative_when_a_clock_goes_back():
    back = [STORY[0], STORY[1].changed(at=NOW - timedelta(days=1)), STORY[2]]
    assert [step.gap_ms for step in walk(back)][2] == 0


def test_a_history_that_cannot_be_is_not_told():
    with pytest.raises(ImpossibleEvent):
        list(walk(a_story((a_goal_created(), planned()), (e.GoalReady(),))))


def test_what_is_different_is_said_as_data_and_in_words():
    before = a_goal(S.RUNNING)
    after = a_goal(
        S.RUNNING,
        e.TaskStarted(task="fix", attempt=1, base_commit=BASE),
        e.GoalPaused(reason="asked"),
    )
    found = {one.path: one for one in find_differences(before, after)}
    changed = ["status", "tasks.fix.attempts", "tasks.fix.base", "pause_reason", "confined"]
    assert list(found) == changed
    assert (found["status"].before, found["status"].after) == ("running", "paused")
    assert found["status"].text == "status: running → paused"
    assert found["tasks.fix.attempts"].text == "task fix attempts: 0 → 1"
    assert found["tasks.fix.base"].text == f"task fix base: {BASE}"


def test_a_gate_that_ran_is_said_as_people_say_it():
    (one,) = find_differences(a_goal(S.RUNNING), a_goal(S.RUNNING, a_run(5)))
    assert one.path == f"gates_run.baseline:{BASE}:tests"
    assert one.text == "gate tests before any work: passed"


def test_the_same_goal_differs_in_nothing():
    assert find_differences(a_goal(S.READY), a_goal(S.READY)) == ()
    assert find_differences(a_goal(), a_goal().changed(seq=9, updated_at=NOW)) == ()


def test_items_with_an_id_are_compared_by_it_and_others_by_their_place():
    before, after = (
        a_goal(S.PLANNED, planned(*tasks))
        for tasks in ((a_task("one"), a_task("two")), (a_task("two"), a_task("six")))
    )
    found = {one.path: one.change for one in find_differences(before, after)}
    assert found["graph.tasks[one]"] == "removed" and found["graph.tasks[six]"] == "added"
    assert not any(path.startswith("graph.tasks[two]") for path in found)
    asked = a_goal(S.RUNNING, e.ControlRequested(kind=e.ControlKind.PAUSE, decision=ME))
    changed = [one.path for one in find_differences(a_goal(S.RUNNING), asked)]
    assert changed == ["requests[0]", "decisions"]


def test_goals_that_differ_in_anything_differ():
    """A comparison that forgot a field would let two goals that differ look alike."""
    goals = [a_goal(status) for status in S]
    goals += [a_goal(S.BLOCKED_ON_HUMAN, event) for event in EVENTS if is_possible(event)]
    assert all(bool(find_differences(a, b)) == (a != b) for a, b in combinations(goals, 2))


def is_possible(event):
    return type(event) in TRANSITIONS[S.BLOCKED_ON_HUMAN]


def test_a_gate_that_was_added_is_told_short():
    long = a_goal().changed(created=a_goal_created(text="x" * 5000, gates=(a_gate(),) * 100))
    found = {one.path: one for one in find_differences(a_goal(), long)}
    assert len(found["created.text"].after) < 400 and len(found["created.text"].text) < 300
    assert sum(path.startswith("created.gates") for path in found) == 99
