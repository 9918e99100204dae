"""Several runs of a gate: what they amount to, what they can back, and a liar who plays for luck."""

from __future__ import annotations

import random

import pytest

from goal_engine.decision import Criterion, CriterionState, EvidenceKind
from goal_engine.errors import BadPlan
from goal_engine.planner import check_quarantine
from goal_engine.proof import verdict as module
from goal_engine.proof.confidence import upper_bound
from goal_engine.proof.flakes import (
    UNSTEADY,
    expect_unsteady,
    find_quarantined,
    matches_test,
    merge_runs,
    wants_another,
    without_quarantined,
)
from goal_engine.proof.gate import (
    GateOutcome,
    GateReport,
    GateResult,
    GateStage,
    TestCounts,
    TestOutcome,
)
from goal_engine.proof.verdict import Observations, Verdict, judge
from tests.builders import TREE, a_gate

P, F, E, K = TestOutcome.PASSED, TestOutcome.FAILED, TestOutcome.ERROR, TestOutcome.SKIPPED
GREEN, RED = GateOutcome.PASSED, GateOutcome.FAILED
READY, WAITS, NOT = Verdict.READY, Verdict.NEEDS_PERSON, Verdict.NOT_READY
GATE = a_gate()


def ran(tests=None, outcome=None, stage=GateStage.PROVING, message=""):
    tests = tests or {}
    ended = outcome or (RED if {F, E} & set(tests.values()) else GREEN)
    return GateResult(
        gate="tests",
        stage=stage,
        tree=TREE,
        outcome=ended,
        exit_code=int(ended is not GREEN),
        tests=tests,
        message=message,
        duration_ms=10,
    )


def runs_of(*words):
    """One run per word, one letter per test `a`, `b`, …: `PF` is `a` passed, `b` failed."""
    letters = {"P": P, "F": F, "E": E, "K": K}
    return [
        ran({chr(97 + at): letters[word] for at, word in enumerate(said) if word != "."})
        for said in words
    ]


def merged(*words):
    return merge_runs(runs_of(*words))


def until_settled(said, spec=GATE, confirm=0):
    """How many runs are made of a gate that says `said` one after the other."""
    runs = []
    while not runs or wants_another(spec, runs, confirm):
        runs.append(said[len(runs)])
    return len(runs)


WANTED = {
    "a green run costs one": (runs_of("P"), GATE, 0, 1),
    "a green run is confirmed": (runs_of("P", "P", "P"), GATE, 2, 3),
    "a red run is repeated": (runs_of("F", "F", "F"), GATE, 0, 2),
    "what differs is repeated": (runs_of("F", "P", "P"), GATE, 0, 3),
    "what differs each time ends": (runs_of("F", "P", "F", "P"), GATE, 0, 3),
    "two that agree are enough": (runs_of("F", "P", "P", "F"), a_gate(reruns=9), 0, 3),
    "another red is no agreement": (runs_of("FP", "PF", "FF"), GATE, 0, 3),
    "a confirmation that is red is looked at": (runs_of("P", "F", "P"), GATE, 1, 3),
    "switched off": (runs_of("F", "P"), a_gate(reruns=0), 0, 1),
    "switched off, but confirmed": (runs_of("P", "F"), a_gate(reruns=0), 1, 2),
    "an exit code tells nothing apart": ([ran(outcome=RED)], GATE, 0, 1),
    "no answer is no red": ([ran(outcome=GateOutcome.TIMEOUT)], GATE, 0, 1),
    "a rerun without an answer ends it": (
        [ran({"a": F}), ran(outcome=GateOutcome.ERROR)], GATE, 0, 2,
    ),
    "what is quarantined is nothing to repeat": (runs_of("PF"), a_gate(quarantine=("b",)), 0, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", WANTED)
def test_a_gate_runs_until_it_is_clear_what_it_says(name: str) -> None:
    said, spec, confirm, runs = WANTED[name]
    assert until_settled(said, spec, confirm) == runs


def test_one_run_is_itself() -> None:
    (one,) = runs_of("F")
    assert merge_runs([one]) is one
    assert "runs" not in one.model_dump() and "counts" not in one.model_dump(mode="json")


def test_what_came_later_is_not_in_the_bytes_of_before() -> None:
    later = {"runs", "red", "counts", "cached"}
    assert not later & ran({"a": P}).model_dump(mode="json").keys()
    keys = a_gate().model_dump(mode="json").keys()
    assert not {"reruns", "confirm", "quarantine", "cache", "group", "memory", "output"} & keys


def test_no_lucky_run_makes_red_green() -> None:
    result = merged("FP", "PP", "PP")
    assert result.outcome is RED and result.tests == {"a": F, "b": P}
    assert (result.runs, result.red, result.duration_ms) == (3, 1, 30)
    assert result.counts == {"a": TestCounts(passed=2, failed=1)} and result.flaky == {"a"}
    assert result.message == "flaky: a failed 1 of 3 runs"


def test_a_test_that_is_always_red_is_red_as_before() -> None:
    result = merged("FP", "FP")
    assert (result.tests, result.counts, result.flaky) == ({"a": F, "b": P}, {}, frozenset())
    assert result.message == ""


def test_the_worst_that_was_said_is_what_counts() -> None:
    result = merged("FPP.", "EKP.", "PPPP")
    assert result.tests == {"a": E, "b": K, "c": P, "d": K}
    assert result.flaky == {"a"}
    assert result.counts["b"] == TestCounts(passed=2, neither=1)
    assert result.counts["d"] == TestCounts(passed=1, neither=2)


def test_a_green_run_whose_confirmation_has_no_answer_is_not_green() -> None:
    lost = merge_runs([ran({"a": P}), ran(outcome=GateOutcome.TIMEOUT, message="killed")])
    assert lost.outcome is GateOutcome.TIMEOUT and lost.message == "in run 2 of 2: killed"


def test_a_red_run_stays_red_when_the_next_has_no_answer() -> None:
    result = merge_runs([ran({"a": F}), ran(outcome=GateOutcome.ERROR)])
    assert (result.outcome, result.runs, result.failing) == (RED, 1, {"a"})


def test_an_exit_code_that_differs_is_flaky() -> None:
    result = merge_runs([ran(), ran(outcome=RED)])
    assert (result.outcome, result.red, result.runs) == (RED, 1, 2)
    assert result.message == "flaky: failed 1 of 2 runs"


def test_a_gate_whose_tests_are_new_in_each_run_says_nothing() -> None:
    runs = [ran({f"t{run}-{number}": P for number in range(UNSTEADY)}) for run in range(2)]
    result = merge_runs(runs)
    assert result.outcome is GateOutcome.ERROR and not result.tests and not result.counts
    assert f"{2 * UNSTEADY} of its tests" in result.message


@pytest.mark.parametrize(
    ("glob", "test", "means"),
    [
        ("tests.test_a.T::test_net*", "tests.test_a.T::test_network", True),
        ("tests.test_a.T::test_net*", "tests.test_b.T::test_network", False),
        ("*::test_?", "x::test_a", True),
        ("*::test_?", "x::test_ab", False),
        ("t::x[1-3]", "t::x[1-3]", True),
        ("t::x[1-3]", "t::x2", False),
        ("t", "T", False),
        ("t.x", "tax", False),
        ("*" * 40 + "x", "a" * 5000, False),
    ],
)
def test_globs_over_tests(glob: str, test: str, means: bool) -> None:
    assert matches_test(glob, test) is means


def test_quarantined_tests_do_not_exist_for_the_judgement() -> None:
    spec = a_gate(quarantine=("b",))
    seen = without_quarantined(spec, merged("PF"))
    assert seen.outcome is GREEN and seen.tests == {"a": P}
    assert without_quarantined(spec, merged("FF")).outcome is RED
    assert without_quarantined(spec, merged("F")) == merged("F")
    assert find_quarantined(spec, merged("PF", "PP")) == ("b failed 1 of 2 runs",)
    assert find_quarantined(spec, merged("PF")) == ("b: failed",)
    assert find_quarantined(spec, None) == ()


def test_a_gate_whose_every_test_is_quarantined_shows_nothing() -> None:
    seen = without_quarantined(a_gate(quarantine=("?",)), merged("PP"))
    assert seen.outcome is GateOutcome.ERROR and "quarantined" in seen.message


def test_a_timeout_is_not_made_green_by_a_quarantine() -> None:
    stuck = ran({"b": F}, outcome=GateOutcome.TIMEOUT)
    assert without_quarantined(a_gate(quarantine=("b",)), stuck) is stuck


# What it amounts to


def flips(*tests):
    return Criterion(id="it", text="It", evidence=EvidenceKind.FLIPS, gate="tests", tests=tests)


def holds(*tests):
    return Criterion(id="it", text="It", evidence=EvidenceKind.HOLDS, gate="tests", tests=tests)


def seen(base, now, without=None, original=None):
    stages = {"baseline": base, "proving": now, "counterfactual": without, "original": original}
    return Observations(
        tree=TREE, **{name: {"tests": run} for name, run in stages.items() if run is not None}
    )


IT, BUT = CriterionState.VERIFIED, CriterionState.IMPLEMENTED_UNVERIFIED
NO, PART = CriterionState.NOT_ADDRESSED, CriterionState.PARTIAL
Q = a_gate(quarantine=("b",))
EXIT = a_gate(report=GateReport.EXIT)
CASES = {
    "flips, confirmed": (
        GATE, flips("a"), (["FP"], ["PP", "PP"], ["FP"]), READY, IT, "green in 2 of 2 runs",
    ),
    "flaky now": (
        GATE, flips("a"), (["FP"], ["PP", "FP", "PP"], ["FP"]), NOT, PART,
        "flaky: a failed 1 of 3 runs",
    ),
    "passes at the second try": (
        GATE, flips("a"), (["FP"], ["FP", "PP", "PP"], ["FP"]), NOT, PART, "flaky: a failed 1 of 3",
    ),
    "another test is flaky now": (
        GATE, flips("a"), (["FP"], ["PF", "PP", "PP"], ["FP"]), NOT, IT,
        "gate tests: flaky: b failed 1 of 3 runs",
    ),
    "another test was flaky before as well": (
        GATE, flips("a"), (["FF", "FP", "FF"], ["PF", "PP", "PP"], ["FP"]), READY, IT, "",
    ),
    "another test was flaky before and passes": (
        GATE, flips("a"), (["FF", "FP", "FF"], ["PP", "PP"], ["FP"]), READY, IT, "",
    ),
    "another was flaky before and is red now": (
        GATE, flips("a"), (["FF", "FP", "FF"], ["PF", "PF"], ["FP"]), READY, IT, "",
    ),
    "red by chance before": (
        GATE, flips("a"), (["F", "P", "P"], ["P", "P"], ["F", "F"]), WAITS, BUT, "flaky on the base",
    ),
    "red by chance without the change": (
        GATE, flips("a"), (["F", "F"], ["P", "P"], ["F", "P", "P"]), WAITS, BUT,
        "flaky without the change",
    ),
    "a gate red by chance before": (
        GATE, flips(), (["FP", "PP", "PP"], ["PP", "PP"], ["FP"]), WAITS, BUT, "flaky on the base",
    ),
    "a gate red for more than chance": (
        GATE, flips(), (["FF", "PF", "FF"], ["PP", "PP"], ["PF", "PF"]), READY, IT, "",
    ),
    "what holds was flaky": (
        GATE, holds("a"), (["F", "P", "P"], ["P"], None), WAITS, BUT, "flaky on the base",
    ),
    "one is red and another flaky": (
        GATE, flips("a"), (["FPP"], ["PFF", "PFP", "PFF"], ["FPP"]), NOT, IT, "fail that did not fail on the base: b, c",
    ),
    "quarantined and red": (
        Q, flips("a"), (["FP"], ["PF"], ["FP"]), READY, IT, "",
    ),
    "quarantined and flaky before and now": (
        Q, flips("a"), (["FF", "FP", "FF"], ["PF", "PP"], ["FP"]), READY, IT, "",
    ),
    "rests on what is quarantined": (
        Q, flips("b"), (["PF"], ["PP"], ["PF"]), NOT, PART, "quarantined, so it backs nothing: b",
    ),
    "a gate that flips by what is quarantined alone": (
        Q, flips(), (["PF"], ["PP"], ["PF"]), NOT, NO, "was green before",
    ),
    "nothing but quarantined": (
        a_gate(quarantine=("a", "b")), flips(), (["FF"], ["PP"], ["FF"]), NOT, PART,
        "every test of it is quarantined",
    ),
    "quarantine hides no other failure": (
        Q, flips("a"), (["FPP"], ["PFF"], ["FPP"]), NOT, IT, "fail that did not fail on the base: c",
    ),
    "quarantine hides no test that is gone": (
        Q, flips("a"), (["FPP"], ["PF."], ["FPP"]), WAITS, IT, "Tests that no longer run",
    ),
}  # fmt: skip


def judged(name):
    spec, criterion, words, *_ = CASES[name]
    stages = [merge_runs(runs_of(*said)) if said else None for said in words]
    return judge((spec,), (criterion,), (), seen(*stages))


@pytest.mark.parametrize("name", CASES)
def test_what_flakes_and_quarantines_amount_to(name: str) -> None:
    *_, verdict, state, says = CASES[name]
    judgement = judged(name)
    found = judgement.criteria[0]
    assert (judgement.verdict, found.state) == (verdict, state), judgement.reasons
    told = [*judgement.reasons, *(gate.reason for gate in judgement.gates)]
    told += [item.criterion.text for item in judgement.criteria]
    assert says in "; ".join(told)


def test_what_is_known_to_be_flaky_is_listed() -> None:
    (gate,) = judged("another test was flaky before as well").gates
    assert gate.flaky == ("b failed 2 of 3 runs on the base",) and gate.gaps == ("b",)
    (gate,) = judged("quarantined and red").gates
    assert gate.quarantined == ("b: failed",) and gate.flaky == ()


def test_a_flaky_exit_code_is_not_met() -> None:
    now = merge_runs([ran(), ran(outcome=RED)])
    red = ran(outcome=RED)
    judgement = judge((EXIT,), (flips(),), (), seen(red, now, red))
    assert judgement.verdict is NOT
    assert "flaky: failed 1 of 2 runs" in judgement.gates[0].reason


MUTANTS = {
    "believes the last run": (
        "passes at the second try", "leave_out_quarantined",
        lambda _, it: it.changed(proving={"tests": ran({"a": P, "b": P})}),
    ),
    "takes chance for evidence": ("red by chance before", "_find_doubt", lambda *_: None),
    "lets the quarantined back it": (
        "rests on what is quarantined", "leave_out_quarantined", lambda _, it: it,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_a_judge_without_the_rule_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case, piece, instead = MUTANTS[name]
    monkeypatch.setattr(module, piece, instead)
    if name == "lets the quarantined back it":
        monkeypatch.setattr(module, "_find_doubt", lambda *_: None)
    if name == "takes chance for evidence":
        monkeypatch.setattr(module, "leave_out_flaky", lambda it: it)
    assert judged(case).verdict is READY


# A plan


def test_a_plan_that_rests_on_what_is_quarantined_is_refused() -> None:
    with pytest.raises(BadPlan, match=r"criterion it rests on b\. Name other tests"):
        check_quarantine((Q,), (flips("a", "b"),))
    check_quarantine((Q,), (flips("a"), flips()))


# Running it again


def again(said, found, spec=GATE):
    return expect_unsteady(spec, merge_runs(runs_of(*said)), merge_runs(runs_of(*found)))


@pytest.mark.parametrize("found", [["PP"], ["FP"], ["FP", "PP", "PP"]])
def test_chance_may_decide_otherwise_when_a_proof_is_run_again(found: list[str]) -> None:
    seen = again(["FP", "PP", "PP"], found)
    assert seen.outcome is RED and seen.tests == {"a": F, "b": P} and seen.exit_code == 1


def test_chance_excuses_nothing_but_itself() -> None:
    assert again(["FP", "PP", "PP"], ["PF"]).tests["b"] is F
    assert again(["PP"], ["FP"]).outcome is RED
    assert again(["PF"], ["PP"], Q).outcome is RED, "as it was said of a test that does not count"
    assert again(["PP"], ["FF"], Q).tests["a"] is F


FORGED = {
    "a flaky test that is said to be green": {"counts": {"a": TestCounts(passed=1, failed=1)}},
    "a test that is skipped here and there": {"counts": {"a": TestCounts(passed=1, neither=1)}},
    "an exit code that differs": {"red": 1, "tests": {}},
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_count_does_not_make_a_red_test_green(name: str) -> None:
    said = ran({"a": P}).changed(runs=2, **FORGED[name])
    found = ran({"a": F}) if said.tests else ran(outcome=RED)
    seen = expect_unsteady(GATE, said, found)
    assert seen.outcome is RED and seen.tests.get("a", F) is F


def test_a_base_is_not_made_red_by_a_forged_count() -> None:
    said = ran(outcome=RED, stage=GateStage.BASELINE).changed(runs=2, red=1)
    green = ran(stage=GateStage.BASELINE)
    assert expect_unsteady(EXIT, said, green).outcome is GREEN


# How often luck wins


def play_for_luck(rate: float, confirm: int, chance: random.Random) -> Verdict:
    """A worker left the test as it was, but made it fail at `rate` in place of always."""

    def settle(fails: float) -> GateResult:
        runs: list[GateResult] = []
        while not runs or wants_another(GATE, runs, confirm):
            runs.append(ran({"a": F if chance.random() < fails else P}))
        return merge_runs(runs)

    base, without = merge_runs(runs_of("F", "F")), merge_runs(runs_of("F", "F"))
    return judge((GATE,), (flips("a"),), (), seen(base, settle(rate), without)).verdict


@pytest.mark.parametrize("confirm", [0, 1, 2, 9])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_luck_wins_as_rarely_as_the_bound_says(rate: float, confirm: int) -> None:
    chance = random.Random(f"{rate} {confirm}")
    games = 2000
    won = sum(play_for_luck(rate, confirm, chance) is READY for _ in range(games)) / games
    assert won == pytest.approx((1 - rate) ** (confirm + 1), abs=0.03)
    if rate > upper_bound(0, confirm + 1):  # the proof says that this rate is ruled out
        assert won <= 0.05 + 0.015
