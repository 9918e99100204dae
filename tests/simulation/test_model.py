"""No interleaving of two processes, crashes and requests breaks a goal; each rule is there for a reason (M03, M04)."""

from __future__ import annotations

import pytest

from goal_engine.state import events as e
from goal_engine.state.transitions import TRANSITIONS
from goal_engine.types import GoalStatus
from tests.simulation.model import CAUSED_BY, Rules, Search, find_edges

S = GoalStatus
MOVES = {
    "planned": "goal.started planning.started goal.blocked goal.cancelled",
    "running": "planning.ended goal.paused goal.interrupted goal.blocked goal.ready goal.not_ready goal.cancelled",
    "paused": "goal.resumed goal.cancelled",
    "blocked_on_human": "goal.resumed goal.planned goal.blocked goal.ready goal.not_ready "
    "verification.reopened base.moved goal.rejected goal.cancelled",
    "blocked_on_external": "goal.resumed goal.planned goal.cancelled",
    "needs_more_budget": "goal.resumed goal.cancelled",
    "failed_infra": "goal.resumed goal.cancelled",
    "not_ready": "goal.started goal.blocked goal.ready verification.reopened base.moved goal.cancelled",
    "ready": "goal.started goal.delivered verification.reopened base.moved goal.rejected goal.cancelled",
    "delivered": "goal.rejected",
    "cancelled": "",
}
"""What moves a goal, as the model knows it."""


def changed(status, event, target):
    """Return the engine's table with one entry more, or with one less where `target` is `None`."""
    moves = {one: move for one, move in TRANSITIONS[status].items() if one is not event}
    return {**TRANSITIONS, status: {**moves, **({event: target} if target else {})}}


def named(edges):
    found = {status.value: set() for status in S}
    for status, event, _ in edges:
        found[status].add(event.model_fields["type"].default)
    return found


@pytest.fixture(scope="module")
def whole():
    return Search(Rules())


def test_no_way_through_breaks_a_promise_or_ends_nowhere(whole):
    assert not whole.found, f"{whole.found}: {whole.trace}"


def test_the_model_takes_every_edge_of_the_engines_table_and_no_other(whole):
    assert whole.taken == find_edges(TRANSITIONS)


def test_the_engines_table_moves_a_goal_as_the_model_says():
    assert named(find_edges(TRANSITIONS)) == {
        name: set(said.split()) for name, said in MOVES.items()
    }


def test_whatever_moves_a_goal_is_caused_by_somebody():
    assert {event for _, event, _ in find_edges(TRANSITIONS)} | {e.GoalCreated} == set(CAUSED_BY)


@pytest.mark.parametrize(
    ("left_out", "breaks"),
    [
        ("lock", "a worker runs after the receipt"),
        ("fence", "a worker runs after the receipt"),
        ("one_branch", "delivered twice"),
        ("delivery_lock", "delivered without a branch"),
        ("sweep", "a worker runs after the receipt"),
        ("kill_first", "a worker runs after the receipt"),
        ("hardest", "a cancel that was asked for is forgotten"),
    ],
)
def test_without_a_rule_the_search_finds_what_it_is_for(left_out, breaks):
    search = Search(Rules(**{left_out: False}))
    assert search.found == breaks
    assert search.trace


@pytest.mark.parametrize(
    ("table", "breaks"),
    [
        (changed(S.CANCELLED, e.GoalResumed, S.RUNNING), "a cancel was undone"),
        (changed(S.READY, e.GoalPaused, S.PAUSED), ""),
        ({**TRANSITIONS, S.PAUSED: {}}, "stuck while paused"),
        (changed(S.PAUSED, e.GoalCancelled, None), ""),
    ],
    ids=["added", "added quietly", "removed", "removed quietly"],
)
def test_a_table_with_another_edge_is_found_out(table, breaks):
    """By the search, or, where nothing breaks, by comparison with what the model knows."""
    assert Search(Rules(table=table)).found == breaks
    assert named(find_edges(table)) != {name: set(said.split()) for name, said in MOVES.items()}
