"""A hunk of a change: found in git's words, taken out line by line, judged by what goes red."""

from __future__ import annotations

import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goal_engine.evidence import ChangedFile
from goal_engine.proof.gate import GateOutcome, GateResult, GateStage, TestOutcome
from goal_engine.proof.hunk import Hunk, HunkStanding, find_hunks, is_whole, judge_hunk, take_out
from tests.builders import TREE

A_FILE = ChangedFile(path="a.py", status="M", old_mode="100644", mode="100644")
HUNK = Hunk(path="a.py", base=(0, 1), head=(0, 1))
T = TestOutcome


@pytest.mark.parametrize(
    ("header", "base", "head"),
    [
        ("@@ -3 +3 @@", (2, 3), (2, 3)),
        ("@@ -0,0 +1,4 @@", (0, 0), (0, 4)),
        ("@@ -7,2 +6,0 @@ def f():", (6, 8), (6, 6)),
        ("@@ -2,0 +3,2 @@", (2, 2), (2, 4)),
    ],
)
def test_a_header_says_which_lines_are_meant(header, base, head):
    diff = f"diff --git a/a.py b/a.py\n{header}\n-@@ -1 +1 @@\n+@@ -1 +1 @@\n"
    (hunk,) = find_hunks(A_FILE, diff.encode())
    assert (hunk.base, hunk.head) == (base, head)


def test_one_unchanged_line_parts_two_hunks():
    diff = b"@@ -1 +1 @@\n-a\n+b\n@@ -3 +3 @@\n-a\n+b\n"
    assert [hunk.head for hunk in find_hunks(A_FILE, diff)] == [(0, 1), (2, 3)]


LINES = st.lists(st.sampled_from(["a\n", "b\n", "c\r\n", "\n", "d\rd\n"]), max_size=30)


@given(LINES, LINES, st.booleans())
def test_a_change_without_any_of_its_hunks_is_the_base(base, head, ends):
    if head and not ends:
        head = [*head[:-1], head[-1].rstrip("\n")]
    before, after = "".join(base).encode(), "".join(head).encode()
    said = difflib.unified_diff(base, head, n=0)
    bare = "".join(line if line.endswith("\n") else f"{line}\n" for line in said)
    for hunk in reversed(find_hunks(A_FILE, bare.encode())):
        after = take_out(hunk, before, after)
    assert after == before


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "A", "old_mode": "000000"},
        {"status": "D", "mode": "000000"},
        {"status": "R", "old_path": "b.py"},
        {"mode": "100755"},
        {"binary": True},
        {"mode": "120000", "old_mode": "120000"},
    ],
    ids=str,
)
def test_what_lines_do_not_tell_is_one_hunk(changes):
    assert is_whole(A_FILE.changed(**changes)) and not is_whole(A_FILE)


def a_run(outcome=GateOutcome.PASSED, **tests):
    return GateResult(
        gate="tests", stage=GateStage.PROVING, tree=TREE, outcome=outcome, tests=tests
    )


FAILED, ERROR = GateOutcome.FAILED, GateOutcome.ERROR


@pytest.mark.parametrize(
    ("now", "without", "standing"),
    [
        (a_run(x=T.PASSED), a_run(FAILED, x=T.FAILED), HunkStanding.CONSTRAINED),
        (a_run(x=T.PASSED), a_run(FAILED, x=T.ERROR), HunkStanding.CONSTRAINED),
        (a_run(), a_run(FAILED), HunkStanding.CONSTRAINED),
        (a_run(x=T.PASSED), a_run(x=T.PASSED), HunkStanding.UNPROVEN),
        (a_run(), a_run(), HunkStanding.UNPROVEN),
        (a_run(x=T.PASSED), a_run(FAILED, module=T.ERROR), HunkStanding.UNCLEAR),
        (a_run(x=T.PASSED), a_run(ERROR), HunkStanding.UNCLEAR),
        (a_run(), a_run(GateOutcome.TIMEOUT), HunkStanding.UNCLEAR),
        (a_run(x=T.PASSED), a_run(x=T.SKIPPED), HunkStanding.UNCLEAR),
        (
            a_run(FAILED, x=T.PASSED, old=T.FAILED),
            a_run(FAILED, x=T.PASSED, old=T.FAILED),
            HunkStanding.UNPROVEN,
        ),
        (a_run(x=T.PASSED), None, HunkStanding.UNTRIED),
    ],
)
def test_a_hunk_stands_as_its_gates_say(now, without, standing):
    said = {} if without is None else {"tests": without}
    trial = judge_hunk(HUNK, {"tests": now}, said)
    assert trial.standing is standing and trial.reason


def test_one_red_gate_is_enough_whatever_the_others_say():
    now = {"tests": a_run(x=T.PASSED), "lint": a_run().changed(gate="lint")}
    trial = judge_hunk(HUNK, now, {"tests": a_run(FAILED, x=T.FAILED)})
    assert trial.standing is HunkStanding.CONSTRAINED
    assert [(bearing.gate, bearing.tests) for bearing in trial.by] == [("tests", ("x",))]
