"""What a stop comes to, and which of several requests counts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from goal_engine.progress import say_receipt, say_request
from goal_engine.proof.gate import GateStage
from goal_engine.state import commands as c
from goal_engine.state import events as e
from goal_engine.state.decide import decide
from goal_engine.state.evolve import fold
from goal_engine.types import GoalStatus
from tests.builders import BASE, ME, NOW, TREE, a_goal, do

S = GoalStatus
PAUSE, CANCEL = e.ControlKind.PAUSE, e.ControlKind.CANCEL
WORKING = (
    e.TaskStarted(task="fix", attempt=1, base_commit=BASE),
    e.GateStarted(gate="tests", stage=GateStage.BASELINE, tree=TREE),
)
SOFT, HARD = c.RequestControl(PAUSE, ME, after_step=True), c.RequestControl(PAUSE, ME)
END = c.RequestControl(CANCEL, ME)


@pytest.mark.parametrize(
    ("asked", "counts"),
    [
        ((SOFT,), (PAUSE, True)),
        ((SOFT, HARD), (PAUSE, False)),
        ((HARD, SOFT), (PAUSE, False)),
        ((SOFT, HARD, END), (CANCEL, False)),
        ((END, HARD), (CANCEL, False)),
    ],
)
def test_the_hardest_request_counts(
    asked: tuple[c.RequestControl, ...], counts: tuple[e.ControlKind, bool]
) -> None:
    request = do(a_goal(S.RUNNING), *asked).request
    assert request is not None and (request.kind, request.after_step) == counts


def test_nobody_asked_is_no_request() -> None:
    assert a_goal(S.RUNNING).request is None and say_request(a_goal(S.RUNNING)) == ""


def test_a_receipt_says_who_asked_how_long_it_took_and_what_was_under_way() -> None:
    asked = do(a_goal(S.RUNNING, *WORKING), HARD)
    stop = c.StopGoal(PAUSE, "lunch", ended=3)
    after = fold(decide(asked, stop, NOW + timedelta(milliseconds=420)), asked)
    assert after.receipt == e.Receipt(
        actor="me",
        reason="lunch",
        took_ms=420,
        ended=3,
        tasks=("fix",),
        gates=("baseline tests",),
    )
    assert say_receipt(after.receipt) == (
        "asked by me, dead 420 ms after that: 3 processes ended; under way: fix, baseline tests"
    )
    assert after.request is None


def test_a_clock_that_is_put_back_makes_nothing_shorter_than_nothing() -> None:
    asked = do(a_goal(S.RUNNING), HARD)
    (paused,) = decide(asked, c.StopGoal(PAUSE, "lunch"), NOW - timedelta(days=3650))
    assert isinstance(paused, e.GoalPaused) and paused.receipt is not None
    assert paused.receipt.took_ms == 0


def test_who_stops_a_goal_that_nobody_runs_is_named() -> None:
    after = do(a_goal(S.PAUSED), c.StopGoal(CANCEL, "enough", actor="me"))
    assert after.receipt is not None
    assert (after.receipt.actor, after.receipt.took_ms, after.receipt.ended) == ("me", None, 0)


def test_a_stop_of_another_kind_than_was_asked_for_took_nobody_s_time() -> None:
    after = do(a_goal(S.RUNNING), HARD, c.StopGoal(CANCEL, "closed"))
    assert after.receipt is not None and (after.receipt.actor, after.receipt.took_ms) == ("", None)


def test_a_pause_in_the_place_of_a_cancel_has_the_receipt_of_the_cancel() -> None:
    after = do(a_goal(S.RUNNING), END, c.StopGoal(PAUSE, "stopped"))
    assert after.status is S.CANCELLED
    assert after.receipt is not None and (after.receipt.actor, after.receipt.took_ms) == ("me", 0)


def test_an_interruption_says_what_was_left_and_ended() -> None:
    after = do(a_goal(S.RUNNING, *WORKING), c.NoticeInterruption(ended=2, left=1))
    assert after.receipt is not None
    assert (after.receipt.ended, after.receipt.left) == (2, 1)
    assert after.receipt.tasks == ("fix",)
    assert "2 processes ended, 1 could not be" in say_receipt(after.receipt)


def test_a_goal_that_goes_on_has_no_receipt_any_more() -> None:
    paused = do(a_goal(S.RUNNING), HARD, c.StopGoal(PAUSE, "lunch"))
    assert paused.receipt is not None
    assert do(paused, c.ResumeGoal()).receipt is None


def test_what_is_asked_and_not_done_is_said() -> None:
    asked = do(a_goal(S.RUNNING), SOFT)
    assert say_request(asked) == (
        "me asked to pause it once the step under way has ended; it has not stopped yet"
    )


@pytest.mark.parametrize(
    "event",
    [
        e.ControlRequested(kind=PAUSE, decision=ME),
        e.GoalPaused(reason="lunch"),
        e.GoalCancelled(reason="lunch"),
        e.GoalInterrupted(),
    ],
)
def test_stops_of_before_say_the_same_bytes(event: e.GoalEvent) -> None:
    assert not {"receipt", "after_step", "asked_at"} & event.model_dump().keys()
