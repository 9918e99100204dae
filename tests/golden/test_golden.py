"""Journals that earlier releases wrote are read for ever: each file stays as it was recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from goal_engine.state import events
from goal_engine.state.evolve import fold_entries
from goal_engine.state.journal import encode_entry, parse_journal
from goal_engine.types import GoalId, GoalStatus

RECORDED = sorted(Path(__file__).parent.glob("*/*.jsonl"))

UNRECORDED = frozenset(
    {
        "attempt.late",
        "base.moved",
        "base.outgrown",
        "consultation.finished",
        "consultation.started",
        "format.raised",
        "goal.archived",
        "goal.unarchived",
        "permission.answered",
        "permission.asked",
        "planning.ended",
        "planning.started",
        "proposal.accepted",
        "proposal.rejected",
        "repository.moved",
        "repository.settled",
        "session.opened",
        "spend.reported",
        "task.deferred",
        "task.proposed",
        "wave.narrowed",
        "word.said",
    }
)
"""Kinds of events that no recorded journal has yet; `python -m tests.golden.record` makes the others."""


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_recorded_journal_ends_where_it_did(path):
    data = path.read_bytes()
    goal_id = GoalId(json.loads(data.split(b"\n")[0][65:])["goal"])
    parsed = parse_journal(data, goal_id)
    assert parsed.good == len(data)
    goal = fold_entries(parsed.entries)
    assert goal.goal_id == goal_id and goal.seq == len(parsed.entries)
    assert goal.status is GoalStatus(path.stem.partition("-")[0])
    judged = goal.judgement is not None
    assert judged == (goal.proof is not None)
    assert goal.proof is None or goal.proof.tree == goal.present_tree


def test_there_is_a_journal_of_this_format():
    assert [path for path in RECORDED if path.parent.name == "0.1.0"]


def test_the_latest_format_says_all_that_was_recorded():
    """Fields may be added, with defaults; none is dropped, renamed or given another value."""
    data = (Path(__file__).parent / "0.1.0" / "ready.jsonl").read_bytes()
    first, *lines = data.splitlines(keepends=True)
    entries = parse_journal(data, GoalId(json.loads(first[65:])["goal"])).entries
    written = [json.loads(encode_entry(entry)[65:]) for entry in entries]
    assert [trim(new, json.loads(line[65:])) for new, line in zip(written, lines, strict=True)] == [
        json.loads(line[65:]) for line in lines
    ]


def trim(new, old):
    """Return `new` without the keys that `old` does not have."""
    if isinstance(new, dict) and isinstance(old, dict):
        return {key: trim(value, old[key]) for key, value in new.items() if key in old}
    if isinstance(new, list) and isinstance(old, list) and len(new) == len(old):
        return [trim(one, other) for one, other in zip(new, old, strict=True)]
    return new


def test_every_recorded_line_is_written_the_same_today():
    """Of the journals that know the fields of today: what is added later has a default left out."""
    for path in RECORDED:
        if (
            path.name == "ready.jsonl"
        ):  # from before some fields, which have defaults that are written
            continue
        first, *lines = path.read_bytes().splitlines(keepends=True)
        entries = parse_journal(path.read_bytes(), GoalId(json.loads(first[65:])["goal"])).entries
        assert [encode_entry(entry) for entry in entries] == lines


def test_what_no_recorded_journal_has_is_known():
    recorded = {
        event["type"]
        for path in RECORDED
        for line in path.read_bytes().splitlines()[1:]
        for event in json.loads(line[65:])["events"]
    }
    kinds = {kind.model_fields["type"].default for kind in get_args(get_args(events.GoalEvent)[0])}
    assert recorded <= kinds
    assert kinds - recorded == UNRECORDED
