"""Journals that earlier releases wrote are read for ever: each file stays as it was recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from goal_engine.state.evolve import fold_entries
from goal_engine.state.journal import encode_entry, parse_journal
from goal_engine.types import GoalId, GoalStatus

RECORDED = sorted(Path(__file__).parent.glob("*/*.jsonl"))


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_recorded_journal_ends_where_it_did(path):
    data = path.read_bytes()
    goal_id = GoalId(json.loads(data.split(b"\n")[0][65:])["goal"])
    parsed = parse_journal(data, goal_id)
    assert parsed.good == len(data)
    goal = fold_entries(parsed.entries)
    assert goal.goal_id == goal_id and goal.seq == len(parsed.entries)
    assert goal.status is GoalStatus(path.stem)
    assert goal.proof is not None and goal.proof.tree == goal.tree


def test_there_is_a_journal_of_this_format():
    assert [path for path in RECORDED if path.parent.name == "0.1.0"]


def test_the_latest_format_is_written_byte_for_byte_as_recorded():
    data = (Path(__file__).parent / "0.1.0" / "ready.jsonl").read_bytes()
    first, *lines = data.splitlines(keepends=True)
    entries = parse_journal(data, GoalId(json.loads(first[65:])["goal"])).entries
    assert [encode_entry(entry) for entry in entries] == lines
