"""What a goal of each kind is asked to show, from its words alone."""

from __future__ import annotations

import pytest

from goal_engine.criteria import (
    ACCEPTED,
    SHOWN,
    find_named_gate,
    find_named_tests,
    means_all_tests,
    propose,
)
from goal_engine.decision import EvidenceKind, describe_evidence
from goal_engine.oracle import find_kind
from goal_engine.proof.gate import GateReport
from goal_engine.types import GoalKind
from tests.builders import a_gate

K, FLIPS, WORD = GoalKind, EvidenceKind.FLIPS, EvidenceKind.ACCEPTED
TESTS, LINT = a_gate(), a_gate(name="lint", report=GateReport.EXIT)


def proposed(text, kind=None, gates=(TESTS, LINT), worker="cli"):
    return propose(text, kind or find_kind(text).kind, gates, worker)[-1]


@pytest.mark.parametrize("kind", GoalKind)
@pytest.mark.parametrize("worker", ["cli", "manual", "recipe", None])
def test_every_kind_has_something_that_can_be_ready(kind, worker):
    criteria = propose("Do the thing with `x`", kind, (TESTS, LINT), worker)
    assert [c.id for c in criteria[:2]] == ["tests-holds", "lint-holds"]
    assert any(c.evidence is not EvidenceKind.HOLDS for c in criteria)
    assert all(c.why for c in criteria[2:]), "a proposal says why it is one"
    assert len({c.id for c in criteria}) == len(criteria)


@pytest.mark.parametrize(
    "text", ["Fix the wrong sum", "Add CSV export", "Fix the SQL injection in search"]
)
def test_what_a_test_can_show_is_asked_of_a_test(text):
    said = proposed(text)
    assert (said.id, said.evidence, said.gate, said.some_test) == (SHOWN, FLIPS, "tests", True)
    assert said.tests == () and said.new_tests == "show", "nobody named it, so somebody looks"


def test_a_test_that_the_goal_names_is_the_one():
    said = proposed("Fix test_add in tests/test_calc.py")
    assert said.tests == ("test_add", "tests/test_calc.py") and said.some_test
    assert describe_evidence(said).startswith("test_add, tests/test_calc.py: red before")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Fix tests/test_calc.py::test_add.", ("tests/test_calc.py::test_add",)),
        ("Fix tests.test_calc.CalcTest::test_add", ("tests.test_calc.CalcTest::test_add",)),
        ("CalcTest fails", ("CalcTest",)),
        ("fix src/sum.test.ts and pkg/sum_test.go", ("src/sum.test.ts", "pkg/sum_test.go")),
        ("Fix the sum in calc.py, it is the latest", ()),
        ("Fix the test for sums", ()),
    ],
)
def test_names_that_only_tests_have(text, names):
    assert find_named_tests(text) == names


@pytest.mark.parametrize(
    ("text", "all_of_them"),
    [
        ("Fix the failing tests", True),
        ("Make all tests pass", True),
        ("Make the test suite green again", True),
        ("fix the broken unit tests, please", True),
        ("Fix the login crash and make the tests pass", False),
        ("Fix the tests", False),
        ("Add a test for the parser", False),
    ],
)
def test_a_goal_that_is_nothing_but_its_red_tests(text, all_of_them):
    assert means_all_tests(text) is all_of_them
    for kind in (K.FIX, K.TEST, K.MIXED):
        said = proposed(text, kind)
        assert ((said.id, said.some_test) == (SHOWN, False)) is all_of_them


def test_several_gates_with_tests_may_each_speak():
    other = a_gate(name="frontend")
    said = proposed("Add CSV export", gates=(TESTS, other, LINT))
    assert said.gate is None and said.some_test


def test_where_no_gate_tells_tests_apart_a_person_judges():
    said = proposed("Fix the wrong sum", gates=(LINT,))
    assert (said.id, said.evidence) == (ACCEPTED, WORD) and "no gate" in said.why


def test_who_does_it_themselves_judges_it_unless_a_test_was_named():
    said = proposed("Fix the wrong sum", worker="manual")
    assert said.evidence is WORD and said.some_test
    assert proposed("Fix test_add", worker="manual").evidence is FLIPS


@pytest.mark.parametrize(
    "text", ["Make lint pass", "Get the `lint` gate green again", "See lint green"]
)
def test_a_goal_may_be_that_a_gate_passes(text):
    *_, flips, word = propose(text, find_kind(text).kind, (TESTS, LINT), "cli")
    assert (flips.id, flips.evidence, flips.gate) == ("lint-passes", FLIPS, "lint")
    assert word.evidence is WORD, "a gate that says yes or no is easily satisfied"
    assert [c.id for c in propose(text, K.MIXED, (TESTS, LINT), "cli")][0] == "tests-holds"


def test_a_gate_may_be_said_as_its_command():
    gate = a_gate(name="make-test", report=GateReport.EXIT)
    assert find_named_gate("Make `make test` pass", (gate,)) == gate


@pytest.mark.parametrize(
    "text",
    ["Add a lint pass to the build", "Fix sums so that lint passes", "Make lint-js pass", "lint"],
)
def test_a_gate_that_is_only_mentioned_is_not_the_goal(text):
    assert find_named_gate(text, (TESTS, LINT)) is None
