"""A recorded journal means what it meant: its goal has every value that it had, and its story is whole.

What must stay are values: a field of a goal may be added, and none that was recorded may be dropped,
renamed or come out otherwise.  Sentences may be worded anew, so they are not recorded.
"""

from __future__ import annotations

import json

import pytest

from goal_engine.history.timeline import walk
from goal_engine.replay import ReplayOptions, digest_state, tell_story
from goal_engine.state.evolve import fold_entries
from goal_engine.types import GoalStatus
from tests.golden.states import JOURNALS, find_state, read_entries

EACH = pytest.mark.parametrize("path", JOURNALS, ids=lambda path: f"{path.parent.name}-{path.stem}")


def find_lost(now, recorded, path="goal"):
    """Return where `now` does not hold what was recorded; more than that it may hold."""
    if isinstance(now, dict) and isinstance(recorded, dict):
        return [
            lost
            for key, value in recorded.items()
            for lost in find_lost(now.get(key), value, f"{path}.{key}")
        ]
    if isinstance(now, list) and isinstance(recorded, list) and len(now) == len(recorded):
        return [
            lost
            for index, pair in enumerate(zip(now, recorded, strict=True))
            for lost in find_lost(*pair, f"{path}[{index}]")
        ]
    return [] if now == recorded else [path]


@EACH
def test_a_recorded_goal_has_every_value_that_it_had(path):
    assert find_state(path).exists(), "`python -m tests.golden.states` records a new one"
    recorded = json.loads(find_state(path).read_text(encoding="utf-8"))
    goal = fold_entries(read_entries(path)).model_dump(mode="json")
    assert find_lost(goal, recorded) == []


@EACH
def test_a_recorded_goal_is_told_at_every_entry(path):
    entries = read_entries(path)
    whole = tell_story(entries, ReplayOptions(last=len(entries) * 100))
    assert len(whole.moments) == sum(len(entry.events) for entry in entries)
    for at in range(1, len(entries) + 1):
        then = tell_story(entries, ReplayOptions(at=at, last=len(whole.moments)))
        assert then.state == fold_entries(entries[:at])
        assert then.moments == whole.moments[: len(then.moments)]


@EACH
def test_a_recorded_goal_is_folded_the_same_from_any_entry_on(path):
    entries = read_entries(path)
    ends = {
        digest_state(fold_entries(entries[at:], fold_entries(entries[:at])))
        for at in range(1, len(entries))
    }
    assert len(ends) <= 1
    assert [step.after.status for step in walk(entries)][-1] is fold_entries(entries).status


def test_a_value_that_was_lost_is_found():
    (path,) = (path for path in JOURNALS if path.parent.name == "0.1.0" and path.stem == "ready")
    recorded = json.loads(find_state(path).read_text(encoding="utf-8"))
    goal = fold_entries(read_entries(path))
    other = goal.changed(status=GoalStatus.NOT_READY).model_dump(mode="json")
    assert find_lost(other, recorded) == ["goal.status"]
    without = {key: value for key, value in goal.model_dump(mode="json").items() if key != "proof"}
    assert find_lost(without, recorded) == ["goal.proof"]
    assert find_lost(goal.model_dump(mode="json") | {"new": 1}, recorded) == []
