"""A replay is a function of the entries: which part is told, and what the caches said otherwise."""

from __future__ import annotations

import pytest

from goal_engine import replay as module
from goal_engine.errors import BadInput
from goal_engine.proof.gate import GateStage
from goal_engine.replay import ReplayOptions, digest_state, find_defects, tell_story
from goal_engine.state import events as e
from goal_engine.state.evolve import fold_entries
from goal_engine.state.journal import FORMAT
from goal_engine.types import GoalStatus
from tests.builders import (
    BASE,
    GROUPS,
    TREE,
    a_gate_result,
    a_goal_created,
    entries_of,
    planned,
)

S = GoalStatus
ENTRIES = entries_of(GROUPS)


def told(entries=ENTRIES, **options):
    return tell_story(entries, ReplayOptions(**options))


def test_a_story_has_every_event_and_ends_where_the_goal_does():
    story = told()
    assert [moment.kind for moment in story.moments] == [
        "goal.created", "goal.planned", "goal.started", "task.started", "goal.paused", "goal.resumed",
        "goal.cancelled",
    ]  # fmt: skip
    assert story.state == fold_entries(ENTRIES)
    assert (story.entries, story.after, story.last, story.earlier) == (6, 0, 6, 0)
    assert story.differences is None and story.damage == ""


@pytest.mark.parametrize("at", range(1, len(ENTRIES) + 1))
def test_the_goal_is_what_it_was_at_each_entry(at):
    story = told(at=at)
    assert story.state == fold_entries(ENTRIES[:at])
    assert story.last == at and story.moments[-1].seq == at
    assert story.digest == digest_state(story.state)


def test_two_moments_are_told_apart():
    story = told(start=2, end=4)
    assert [moment.seq for moment in story.moments] == [3, 4]
    assert {one.path for one in story.differences} == {
        "status", "tasks.fix.attempts", "tasks.fix.base", "pause_reason", "confined",
    }  # fmt: skip
    assert told(start=4, end=4).differences == () and told(start=4, end=4).moments == ()


def test_one_end_is_enough():
    assert (told(start=3).after, told(start=3).last) == (3, 6)
    assert (told(end=3).after, told(end=3).last) == (1, 3)


def test_many_differences_are_counted(monkeypatch):
    whole = told(start=1, end=4)
    monkeypatch.setattr(module, "DIFFERENCES", 1)
    cut = told(start=1, end=4)
    assert cut.differences == whole.differences[:1]
    assert cut.more == len(whole.differences) - 1 > 0


def test_a_long_story_is_told_from_its_end():
    story = told(last=2)
    assert [moment.kind for moment in story.moments] == ["goal.resumed", "goal.cancelled"]
    assert story.earlier == 5
    earlier = told(at=story.moments[0].seq - 1, last=2)
    assert [moment.seq for moment in earlier.moments] == [3, 4]


WORK = entries_of(
    (
        (a_goal_created(), planned()),
        (e.GoalStarted(),),
        (e.GateStarted(gate="tests", stage=GateStage.BASELINE, tree=BASE),),
        (e.TaskStarted(task="fix", attempt=1, base_commit=BASE),),
        (e.VerificationStarted(tree=TREE),),
        (e.GateFinished(result=a_gate_result()),),
    )
)


def test_a_task_and_a_gate_have_a_story_of_their_own():
    assert [moment.kind for moment in told(WORK, task="fix").moments] == ["task.started"]
    assert [moment.seq for moment in told(WORK, gate="tests").moments] == [3, 6]
    assert told(WORK, task="fix", gate="tests").moments == ()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"at": 7}, "There is no entry 7 for `--at`: the journal has the entries 1 to 6"),
        ({"at": 0}, "no entry 0"),
        ({"start": -1}, "no entry -1 for `--from`"),
        ({"end": 99}, "no entry 99 for `--to`"),
        ({"start": 5, "end": 3}, "`--from 5` comes after `--to 3`"),
        ({"at": 3, "start": 2}, "not both"),
        ({"at": 3, "end": 4}, "not both"),
        ({"task": "fxi"}, "has no task 'fxi'; there are: fix"),
        ({"gate": "test"}, "has no gate 'test'; there are: tests"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(options, said):
    with pytest.raises(BadInput) as refused:
        told(**options)
    assert said in refused.value.paragraph


def test_a_task_that_has_not_begun_has_no_moments_yet():
    entries = entries_of(
        ((a_goal_created(), planned()), (e.GoalStarted(),),
         (e.TaskStarted(task="fix", attempt=1, base_commit=BASE),))
    )  # fmt: skip
    assert told(entries, at=2, task="fix").moments == ()


def test_what_a_newer_release_wrote_is_told_up_to_there():
    entries = entries_of((*GROUPS[:2], (e.FormatRaised(format=FORMAT + 1),)))
    story = told(entries)
    assert "newer Goalproof" in story.note and story.damage == ""
    assert told(entries, at=2).note == ""


def test_what_is_shown_and_was_true_is_no_defect():
    assert find_defects(ENTRIES, {"show": told().state, "list": told(at=3).state}) == ()
    assert find_defects(ENTRIES, {"show": None}) == ()


@pytest.mark.parametrize("seq", [1, 3, 6])
def test_what_is_shown_and_was_never_true_is_a_defect(seq):
    forged = told(at=seq).state.changed(status=S.READY)
    (found,) = find_defects(ENTRIES, {"list": forged})
    assert f"`list` does not show what the journal says at entry {seq}" in found
    assert "→ ready" in found


def test_a_goal_that_is_ahead_of_its_journal_is_a_defect():
    ahead = told().state.changed(seq=9)
    assert find_defects(ENTRIES, {"show": ahead}) == (
        "`show` speaks of entry 9, and the journal ends with 6",
    )


def test_the_digest_is_of_all_of_the_goal():
    state = told().state
    assert len({digest_state(state), digest_state(state.changed(pause_reason="x"))}) == 2
    assert digest_state(state) == digest_state(fold_entries(ENTRIES))
