"""Which attempts are made again, when, and whose result comes too late."""

from __future__ import annotations

from datetime import timedelta

import pytest

from goal_engine.budget import InFlight, Spend
from goal_engine.dispatch.tasks.retries import CHANCES, LONGEST, PAUSES, Pause, retry_or_fail
from goal_engine.state import commands as c
from goal_engine.state import events as e
from goal_engine.state.decide import decide
from goal_engine.state.evolve import fold
from goal_engine.task_graph.policy import WorkPolicy
from goal_engine.types import GoalStatus, TaskStatus, Trouble
from goal_engine.workers.troubles import find_trouble
from tests.builders import BASE, NOTHING, NOW, OTHER, a_goal, do

S, T = GoalStatus, TaskStatus
BEGUN = e.TaskStarted(task="fix", attempt=1, base_commit=BASE)
FAILED = e.TaskFailed(task="fix", attempt=1, reason="429", spent=Spend(attempts=1))
FINISHED = e.TaskFinished(
    task="fix", attempt=1, commit=OTHER, evidence=NOTHING, spent=Spend(attempts=1)
)


def defer(state, number=1, chance=0):
    begun = BEGUN.changed(attempt=number)
    state = do(state, c.Record((begun,)))
    failed = FAILED.changed(attempt=number)
    fact = retry_or_fail(state, failed, Trouble.RATE_LIMITED, NOW, chance)
    return fact, do(state, c.Record((fact,)))


def test_what_was_not_the_tasks_fault_is_tried_again_with_longer_pauses_until_it_fails():
    state, waits = a_goal(S.RUNNING), []
    for number in (1, 2):
        fact, state = defer(state, number, CHANCES - 1)
        assert isinstance(fact, e.TaskDeferred) and (fact.number, fact.limit) == (number, 2)
        assert state.tasks["fix"].status is T.PENDING and not state.stopped
        assert state.tasks["fix"].not_before == fact.not_before
        waits.append(round((fact.not_before - NOW).total_seconds()))
    assert waits == [30, 60]
    fact, state = defer(state, 3)
    assert fact == FAILED.changed(attempt=3)
    assert state.tasks["fix"].status is T.FAILED and state.spend.attempts == 3


def test_work_that_was_not_good_enough_is_not_tried_again():
    assert retry_or_fail(a_goal(S.RUNNING), FAILED, None, NOW, 0) is FAILED


def test_a_plan_can_do_without_retries():
    state = a_goal(S.RUNNING).changed(policy=WorkPolicy(retries=0))
    assert retry_or_fail(state, FAILED, Trouble.KILLED, NOW, 0) is FAILED


@pytest.mark.parametrize("stop", [e.GoalPaused(reason="x"), e.GoalInterrupted()])
def test_a_pause_and_a_crash_keep_the_back_off_and_the_count(stop):
    fact, state = defer(a_goal(S.RUNNING))
    after = fold((stop, e.GoalResumed()), state)
    assert after.tasks["fix"].not_before == fact.not_before
    assert after.tasks["fix"].retries == 1


def test_a_goal_that_is_executed_anew_begins_to_count_again():
    _, state = defer(a_goal(S.RUNNING))
    state = fold((e.GoalPaused(reason="x"),), state).changed(status=S.NOT_READY)
    assert do(state, c.StartGoal()).tasks["fix"].retries == 0


def test_pauses_double_up_to_their_end_and_chance_takes_half_at_most():
    pause = Pause(first=2, most=10)
    for number, whole in ((1, 2), (2, 4), (3, 8), (4, 10), (500, 10)):
        assert pause.find_delay(number, 0) == timedelta(seconds=whole / 2)
        most = pause.find_delay(number, CHANCES - 1)
        assert timedelta(seconds=whole * 0.99) < most <= timedelta(seconds=whole)
    assert set(PAUSES) == set(Trouble)
    assert all(pause.find_delay(99, CHANCES - 1) <= LONGEST for pause in PAUSES.values())


@pytest.mark.parametrize(
    ("code", "said", "trouble"),
    [
        (0, "429 Too Many Requests", None),
        (None, "429 Too Many Requests", None),
        (1, "API Error: 429 rate_limit_error", Trouble.RATE_LIMITED),
        (1, 'API Error: 529 {"type":"overloaded_error"}', Trouble.RATE_LIMITED),
        (1, "RESOURCE_EXHAUSTED: quota", Trouble.RATE_LIMITED),
        (1, "see line 4290", None),
        (1, "AssertionError", None),
        (-9, "", Trouble.KILLED),
        (137, "Killed", Trouble.KILLED),
        (-11, "", None),
    ],
)
def test_what_an_end_says_of_the_machine_and_the_vendor(code, said, trouble):
    assert find_trouble(code, said) is trouble


# Results that come too late


def step(event):
    return c.RecordStep("task", InFlight(), (event,), "fix")


SUPERSEDED = fold(
    (BEGUN, e.GoalInterrupted(), e.GoalResumed(), BEGUN.changed(attempt=2)), a_goal(S.RUNNING)
)
DEAD = fold((BEGUN, e.GoalPaused(reason="x")), a_goal(S.RUNNING))
OVER = fold((BEGUN, FINISHED), a_goal(S.RUNNING))
CANCELLED = fold((BEGUN, e.GoalCancelled(reason="x")), a_goal(S.RUNNING))


@pytest.mark.parametrize("state", [SUPERSEDED, DEAD, OVER, CANCELLED])
@pytest.mark.parametrize("end", [FINISHED, FAILED])
@pytest.mark.parametrize("command", [step, lambda event: c.Record((event,))])
def test_the_end_of_an_attempt_that_was_given_up_is_recorded_and_changes_nothing(
    state, end, command
):
    first, *more = decide(state, command(end), NOW)
    assert isinstance(first, e.AttemptLate)
    assert (first.attempt, first.told) == (1, end.type)
    assert first.commit == (OTHER if end is FINISHED else None)
    assert all(isinstance(event, e.BudgetChecked) for event in more)
    after = do(state, command(end))
    assert (after.status, after.tasks, after.spend) == (state.status, state.tasks, state.spend)


def test_the_end_of_the_present_attempt_counts():
    after = do(SUPERSEDED, step(FINISHED.changed(attempt=2)))
    assert after.tasks["fix"].status is T.DONE and after.tasks["fix"].commit == OTHER


def test_an_attempt_that_begins_and_ends_in_one_command_counts():
    assert do(a_goal(S.RUNNING), c.Record((BEGUN, FINISHED))).tasks["fix"].status is T.DONE
