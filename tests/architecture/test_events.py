"""What can happen to a goal is told: an event that nobody has words for is not finished."""

from __future__ import annotations

from typing import get_args

from goal_engine.history.sentences import SENTENCES
from goal_engine.state import events as e

KINDS = get_args(get_args(e.GoalEvent)[0])


def find_untold(kinds):
    """Return the kinds of events that nobody says a sentence for, and sentences of no event."""
    untold = [
        f"{kind.__name__}: add its row to SENTENCES" for kind in kinds if kind not in SENTENCES
    ]
    return untold + [f"{kind.__name__} is no event" for kind in SENTENCES if kind not in kinds]


def test_every_event_has_a_sentence():
    assert find_untold(KINDS) == []


def test_an_event_without_a_sentence_is_found():
    class GoalBlessed(e.GoalStarted):
        """A kind that a later release adds."""

    assert find_untold([*KINDS, GoalBlessed]) == ["GoalBlessed: add its row to SENTENCES"]
    assert find_untold(KINDS[1:]) == ["GoalCreated is no event"]
