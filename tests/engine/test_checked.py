"""What a check saw and what it amounts to: a table, mutants it must catch, and the statistics."""

from __future__ import annotations

import pytest

from goal_engine.check import Faster, Gone, Links, OnlyTests, Repeats, SameOutput
from goal_engine.decision import Criterion, CriterionState, EvidenceKind
from goal_engine.proof import checked as module
from goal_engine.proof.checked import (
    CheckResult,
    CheckSeen,
    chance_of_more,
    chance_of_none,
    find_differences,
    judge_check,
    measure,
)
from goal_engine.proof.flipping import is_named
from goal_engine.proof.gate import GateOutcome, GateResult, GateStage, TestOutcome
from goal_engine.proof.verdict import Observations, Verdict, judge
from goal_engine.verifier import standalone
from goal_engine.verifier.checks import find_red
from tests.builders import BASE, DIGEST, ME, OTHER, TREE

B, P, C, O = (  # noqa: E741 - four stages
    GateStage.BASELINE,
    GateStage.PROVING,
    GateStage.COUNTERFACTUAL,
    GateStage.ORIGINAL,
)
TREES = {B: BASE, P: TREE, C: OTHER, O: "e" * 40}
S = CriterionState
DONE, WEAK, PARTIAL, MISSED = S.VERIFIED, S.IMPLEMENTED_UNVERIFIED, S.PARTIAL, S.NOT_ADDRESSED
ONE, TWO = DIGEST, "e" * 64
QUICK, SLOW = (100, 100, 101, 99, 100), (200, 201, 202, 199, 200)


def asks(check, *tests, evidence=EvidenceKind.FLIPS):
    return Criterion(id="it", text="It", evidence=evidence, gate="tests", tests=tests, check=check)


def saw(look=(), error="", **stages):
    seen = {
        GateStage(name): CheckSeen(tree=TREES[GateStage(name)], **fields)
        for name, fields in stages.items()
    }
    return CheckResult(criterion="it", tree=TREE, seen=seen, look=look, error=error)


def counts(before, now, without=None, **more):
    stages = {"baseline": {"count": before}, "proving": {"count": now}}
    return saw(
        **stages, **({} if without is None else {"counterfactual": {"count": without}}), **more
    )


def ran(before, now, without, runs=20, original=None):
    stages = {"baseline": before, "proving": now, "counterfactual": without, "original": original}
    return saw(**{n: {"count": c, "runs": runs} for n, c in stages.items() if c is not None})


def said(before, now, ends=((0,), (0,)), **more):
    return saw(
        baseline={"outputs": before, "ends": ends[0]}, proving={"outputs": now, "ends": ends[1]},
        **more,
    )  # fmt: skip


def took(before, now, ends=((0,), (0,)), outputs=((ONE,), (ONE,))):
    return saw(
        baseline={"millis": before, "ends": ends[0], "outputs": outputs[0]},
        proving={"millis": now, "ends": ends[1], "outputs": outputs[1]},
    )


GONE, INSTEAD = asks(Gone(gone="old")), asks(Gone(gone="old", instead="new"))
SHAKY = asks(Repeats(runs=20), "test_x")
SAME = asks(SameOutput(same_output=("app",)), evidence=EvidenceKind.HOLDS)
FAST = asks(Faster(faster=("bench",), ratio=1.5))
LINKS = asks(Links(links=("*.md",)), evidence=EvidenceKind.HOLDS)

CASES = {
    "gone": (GONE, counts(3, 0, 3), DONE),
    "still there": (GONE, counts(3, 1, 3), PARTIAL),
    "never there": (GONE, counts(0, 0, 0), MISSED),
    "gone from tests alone": (GONE, counts(3, 0, 0), WEAK),
    "not looked for without the change": (GONE, counts(3, 0), WEAK),
    "gone but hidden": (GONE, counts(3, 0, 3, look=("a.py:1",)), WEAK),
    "still there and hidden": (GONE, counts(3, 1, 3, look=("a.py:1",)), PARTIAL),
    "gone and nothing came": (INSTEAD, counts(3, 0, 3), PARTIAL),
    "not checked": (GONE, None, MISSED),
    "could not be checked": (GONE, saw(error="no such tool"), PARTIAL),
    "checked on one tree alone": (GONE, saw(proving={}), PARTIAL),
    "flaky no more": (SHAKY, ran(10, 0, 9), DONE),
    "flaky no more, on the base alone": (
        SHAKY, ran(10, 0, 10).changed(seen={**ran(10, 0, 10).seen, C: CheckSeen(tree=BASE, count=10, runs=20)}),
        DONE,
    ),
    "flaky and nobody named it": (asks(Repeats(runs=20)), ran(10, 0, 9), WEAK),
    "flaky still": (SHAKY, ran(10, 1, 9), PARTIAL),
    "flaky never": (SHAKY, ran(0, 0, 9), WEAK),
    "flaky by chance": (SHAKY, ran(1, 0, 1), WEAK),
    "flaky less than chance can tell": (SHAKY, ran(3, 0, 3), WEAK),
    "flaky in its test alone": (SHAKY, ran(10, 0, 0), WEAK),
    "flaky and not tried without": (SHAKY, ran(10, 0, None), WEAK),
    "flaky with the tests of before": (SHAKY, ran(10, 0, 9, original=2), WEAK),
    "flaky and never run": (SHAKY, ran(10, 0, 9, runs=20).changed(seen={
        **ran(10, 0, 9).seen, P: CheckSeen(tree=TREE)}), PARTIAL),
    "says the same": (SAME, said((ONE,), (ONE,)), DONE),
    "says something else": (SAME, said((ONE,), (TWO,)), PARTIAL),
    "ends in another way": (SAME, said((ONE,), (ONE,), ((0,), (1,))), PARTIAL),
    "fails the same way": (SAME, said((ONE,), (ONE,), ((1,), (1,))), DONE),
    "says another thing each time": (SAME, said((ONE, TWO), (ONE,)), WEAK),
    "had to be stopped": (SAME, said((ONE,), (ONE,), ((None,), (None,))), PARTIAL),
    "says the same and asks where": (SAME, said((ONE,), (ONE,), look=("a.py:1",)), WEAK),
    "twice as fast": (FAST, took(SLOW, QUICK), DONE),
    "as fast": (FAST, took(QUICK, QUICK), PARTIAL),
    "slower": (FAST, took(QUICK, SLOW), PARTIAL),
    "fast by the middle alone": (FAST, took(SLOW, (100, 100, 100, 190, 100)), WEAK),
    "too few rounds": (FAST, took(SLOW[:3], QUICK[:3]), WEAK),
    "fast by failing": (FAST, took(SLOW, QUICK, ((0,), (1,))), PARTIAL),
    "fast by saying something else": (FAST, took(SLOW, QUICK, outputs=((ONE,), (TWO,))), PARTIAL),
    "fast and never says the same": (FAST, took(SLOW, QUICK, outputs=((ONE, TWO), (TWO,))), DONE),
    "only measured": (asks(Faster(faster=("bench",))), took(SLOW, QUICK), WEAK),
    "links": (LINKS, saw(baseline={}, proving={"runs": 1}), DONE),
    "dead links": (LINKS, saw(baseline={}, proving={"runs": 1, "count": 1}), PARTIAL),
    "no documents": (LINKS, saw(baseline={}, proving={}), MISSED),
    "only tests": (asks(OnlyTests(only_tests=True)), counts(0, 0), DONE),
    "more than tests": (asks(OnlyTests(only_tests=True)), counts(0, 1), WEAK),
}  # fmt: skip


def fails(case):
    criterion, result, state = case
    return judge_check(criterion, result)[0] is not state


@pytest.mark.parametrize("name", CASES)
def test_what_was_seen_amounts_to_the_state(name):
    criterion, result, state = CASES[name]
    found, reason = judge_check(criterion, result)
    assert found is state, reason
    assert reason


MUTANTS = {
    "any chance is good enough": ("CHANCE", 1.0),
    "no chance is good enough": ("CHANCE", 0.0),
    "every ratio is bounded": ("measure", lambda before, after: (2.0, 2.0)),
    "no ratio is bounded": ("measure", lambda before, after: (2.0, None)),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_the_table_catches_a_judge_that_lies(name, monkeypatch):
    assert not any(map(fails, CASES.values()))
    monkeypatch.setattr(module, *MUTANTS[name])
    assert any(map(fails, CASES.values())), f"no case notices that {name}"


@pytest.mark.parametrize("kind", module.JUDGES)
@pytest.mark.parametrize("lie", [(DONE, "x"), (WEAK, "x"), (PARTIAL, "x")])
def test_the_table_catches_each_judge_that_says_one_thing(kind, lie, monkeypatch):
    other = lambda *_: lie  # noqa: E731
    monkeypatch.setattr(module, "JUDGES", {**module.JUDGES, kind: other})
    own = [case for case in CASES.values() if type(case[0].check) is kind]
    assert any(map(fails, own)) or kind.__name__ == "GonePattern", "it is judged as `Gone` is"


def test_an_idle_change_looks_like_a_mended_one_once_in_a_hundred_times():
    assert chance_of_none(12, 40, 20) < 0.01 < chance_of_none(10, 40, 20)
    assert chance_of_none(0, 40, 20) == 1
    assert chance_of_more(0, 20, 5, 20) == 1
    assert chance_of_more(20, 20, 3, 20) < 1e-6 < 0.2 < chance_of_more(4, 20, 3, 20)


def test_a_ratio_is_bounded_by_the_worst_of_five_rounds():
    ratio, least = measure(SLOW, QUICK)
    assert 1.9 < least <= ratio < 2.1
    assert measure(SLOW[:4], QUICK[:4])[1] is None, "four rounds bound nothing with 95 %"
    assert measure((0,) * 5, (0,) * 5) == (1.0, 1.0), "what takes no time is not faster"


def test_a_person_who_is_only_shown_what_was_seen_still_decides():
    shown = asks(Faster(faster=("bench",))).changed(evidence=EvidenceKind.ACCEPTED, gate=None)
    seen = Observations(tree=TREE, checks={"it": took(SLOW, QUICK)})
    said = judge((), (shown,), (), seen)
    assert said.verdict is Verdict.NEEDS_PERSON and "seen: 2.00 times" in said.criteria[0].reason


def test_what_holds_by_a_check_alone_shows_no_change():
    seen = Observations(tree=TREE, checks={"it": said((ONE,), (ONE,))})
    judgement = judge((), (SAME.changed(gate=None),), (), seen)
    assert judgement.verdict is Verdict.NOT_READY
    assert ME.actor, "and nobody was asked"


DIFFERENT = {
    "a place more": (GONE, counts(3, 0, 3), counts(3, 0, 2)),
    "something hidden": (GONE, counts(3, 0, 3), counts(3, 0, 3, look=("a.py:1",))),
    "a tool is missing": (SAME, said((ONE,), (ONE,)), saw(error="no app")),
    "other words": (SAME, said((ONE,), (ONE,)), said((ONE,), (TWO,))),
    "not as fast": (FAST, took(SLOW, QUICK), took(QUICK, QUICK)),
    "never red": (SHAKY, ran(10, 0, 9), ran(0, 0, 0)),
    "red after all": (SHAKY, ran(10, 0, 9), ran(10, 5, 9)),
    "red far more often": (SHAKY, ran(19, 0, 19), ran(5, 0, 5)),
    "run less often than was asked": (SHAKY, ran(5, 0, 5, runs=10), ran(5, 0, 5)),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_a_check_that_says_something_else_here_is_not_reproduced(name):
    criterion, there, here = DIFFERENT[name]
    assert find_differences(criterion, there, here)
    assert not find_differences(criterion, there, there) or "less often" in name


def test_times_and_luck_need_not_be_the_same_twice():
    assert not find_differences(SHAKY, ran(10, 0, 9), ran(7, 0, 8))
    assert not find_differences(FAST, took(SLOW, QUICK), took((400,) * 5, (210,) * 5))
    assert not find_differences(SAME, said((ONE,), (ONE,)), said((TWO,), (TWO,)))


NAMES = [
    (),
    ("test_x",),
    ("tests/test_a.py",),
    ("tests/test_a.py::C::test_x",),
    ("b",),
    ("test_a",),
]
IDS = ["tests.test_a.C::test_x", "tests/test_a.py::test_y", "test_xy", "b[1]", "a b c"]
SAYS = [
    {},
    {IDS[0]: "passed"},
    {IDS[0]: "failed"},
    {IDS[0]: "skipped", IDS[2]: "failed"},
    {IDS[1]: "error"},
]


@pytest.mark.parametrize("names", NAMES)
def test_a_stranger_s_script_means_the_same_tests_by_a_name(names):
    for test in IDS:
        assert standalone.has_name(test, list(names)) is is_named(test, names) or not names


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("outcome", ["passed", "failed", "error", "timeout"])
@pytest.mark.parametrize("tests", SAYS, ids=str)
def test_a_stranger_s_script_calls_the_same_runs_red(names, outcome, tests):
    ran = GateResult(
        gate="tests", stage=P, tree=TREE, outcome=GateOutcome(outcome),
        tests={test: TestOutcome(how) for test, how in tests.items()},
    )  # fmt: skip
    for strict in (True, False):
        ours = find_red(ran, names, strict=strict) is not None
        assert standalone.is_red(outcome, tests, list(names), strict) is ours
