"""The whole of `judge`: a table of what was seen and what it amounts to, and mutants it must catch."""

from __future__ import annotations

import pytest

from goal_engine.decision import Acceptance, Criterion, CriterionState, EvidenceKind
from goal_engine.proof import flipping
from goal_engine.proof import verdict as module
from goal_engine.proof.gate import GateOutcome, GateReport, GateResult, GateStage, TestOutcome
from goal_engine.proof.verdict import (
    PROTECTED,
    REACHES,
    REMOVED,
    REWRITTEN,
    Bar,
    Observations,
    Verdict,
    judge,
)
from tests.builders import ME, OTHER, TREE, a_gate

P, F, E, K = TestOutcome.PASSED, TestOutcome.FAILED, TestOutcome.ERROR, TestOutcome.SKIPPED
READY, WAITS, NOT = Verdict.READY, Verdict.NEEDS_PERSON, Verdict.NOT_READY
DONE = CriterionState.VERIFIED
WEAK = CriterionState.IMPLEMENTED_UNVERIFIED
PARTIAL, MISSED = CriterionState.PARTIAL, CriterionState.NOT_ADDRESSED
GREEN, RED, TIMEOUT, WRONG, BROKEN = (
    GateOutcome.PASSED,
    GateOutcome.FAILED,
    GateOutcome.TIMEOUT,
    GateOutcome.WRONG_TREE,
    GateOutcome.ERROR,
)
JUNIT, EXIT = a_gate(), a_gate(report=GateReport.EXIT)


def ran(tests=None, outcome=None, code=None):
    """One run of the gate: its tests, or how it ended."""
    tests = tests or {}
    ended = outcome or (RED if {F, E} & set(tests.values()) else GREEN)
    return GateResult(
        gate="tests",
        stage=GateStage.PROVING,
        tree=TREE,
        outcome=ended,
        exit_code=code if code is not None else int(ended is not GREEN),
        tests=tests,
    )


def ended(outcome):
    return ran(outcome=outcome)


def seen(base, now, without=None, **more):
    stages = {"baseline": base, "proving": now, "counterfactual": without}
    runs = {name: {"tests": run} for name, run in stages.items() if run is not None}
    return Observations(tree=TREE, **runs, **more)


def flips(*tests):
    return Criterion(id="it", text="It", evidence=EvidenceKind.FLIPS, gate="tests", tests=tests)


def holds(*tests):
    return Criterion(id="it", text="It", evidence=EvidenceKind.HOLDS, gate="tests", tests=tests)


def some(*names, **more):
    """A criterion for which some test has to flip."""
    return flips(*names).changed(some_test=True, **more)


def without_tests(observed, **tests):
    """The same, with what the base's own tests say."""
    return observed.changed(original={"tests": ran(tests)})


LOOKS = Criterion(id="looks", text="It looks good", evidence=EvidenceKind.ACCEPTED)


def word(criterion="it", tree=TREE):
    return Acceptance(criterion=criterion, tree=tree, decision=ME)


NEW = seen(ran({"b": P}), ran({"n": P, "b": P}), ran({"n": F, "b": P}))
"""A test that came with the change and is red without it."""
FLIPPED = seen(ran({"a": F, "b": P}), ran({"a": P, "b": P}), ran({"a": F, "b": P}))
HELD = seen(ran({"a": P}), ran({"a": P}), ran({"a": P}))

CASES = {
    "a test that flips": (JUNIT, [flips("a")], [], FLIPPED, READY, DONE),
    "a new test that flips": (
        JUNIT, [flips("a")], [], seen(ran({"b": P}), ran({"a": P, "b": P}), ran({"a": F, "b": P})),
        READY, DONE,
    ),
    "a test that could not run before": (
        JUNIT, [flips("a")], [], seen(ran({"a": E}), ran({"a": P}), ran({"a": F})), READY, DONE,
    ),
    "red without the change by an error": (
        JUNIT, [flips("a")], [], seen(ran({"a": F}), ran({"a": P}), ran({"a": E})), WAITS, WEAK,
    ),
    "red without the change by absence": (
        JUNIT, [flips("a")], [], seen(ran({"a": F}), ran({"a": P}), ran({})), WAITS, WEAK,
    ),
    "weak red that a person accepted": (
        JUNIT, [flips("a")], [word()], seen(ran({"a": F}), ran({"a": P}), ran({"a": E})),
        READY, DONE,
    ),
    "an acceptance for another tree": (
        JUNIT, [flips("a")], [word(tree=OTHER)],
        seen(ran({"a": F}), ran({"a": P}), ran({"a": E})), WAITS, WEAK,
    ),
    "green before as well": (
        JUNIT, [flips("a")], [], seen(ran({"a": P}), ran({"a": P}), ran({"a": F})), NOT, MISSED,
    ),
    "skipped before": (
        JUNIT, [flips("a")], [], seen(ran({"a": K}), ran({"a": P}), ran({"a": F})), NOT, MISSED,
    ),
    "green without the change": (
        JUNIT, [flips("a")], [], seen(ran({"a": F}), ran({"a": P}), ran({"a": P})), NOT, MISSED,
    ),
    "never tried without the change": (
        JUNIT, [flips("a")], [], seen(ran({"a": F}), ran({"a": P})), WAITS, WEAK,
    ),
    "no baseline": (
        JUNIT, [flips("a")], [], seen(None, ran({"a": P}), ran({"a": F})), NOT, MISSED,
    ),
    "still red": (
        JUNIT, [flips("a")], [], seen(ran({"a": F}), ran({"a": F}), ran({"a": F})), NOT, PARTIAL,
    ),
    "skipped now": (
        JUNIT, [flips("a")], [], seen(ran({"a": F}), ran({"a": K}), ran({"a": F})), NOT, PARTIAL,
    ),
    "one of two flips": (
        JUNIT, [flips("a", "b")], [], FLIPPED, NOT, MISSED,
    ),
    "a red base and nothing new": (
        JUNIT, [flips("a")], [],
        seen(ran({"a": F, "o": F}), ran({"a": P, "o": F}), ran({"a": F, "o": F})), READY, DONE,
    ),
    "a red base and a new failure": (
        JUNIT, [flips("a")], [],
        seen(ran({"a": F, "o": F, "n": P}), ran({"a": P, "o": P, "n": F}), ran({"a": F})),
        NOT, DONE,
    ),
    "a red base and an old failure of this goal": (
        JUNIT, [flips("a"), flips("o")], [],
        seen(ran({"a": F, "o": F}), ran({"a": P, "o": F}), ran({"a": F, "o": F})), NOT, DONE,
    ),
    "a red base and a test that vanished": (
        JUNIT, [flips("a")], [word(REMOVED)],
        seen(ran({"a": F, "o": F, "v": P}), ran({"a": P, "o": F}), ran({"a": F, "o": F})),
        NOT, DONE,
    ),
    "red now but nothing is named": (
        JUNIT, [flips("a")], [],
        seen(ran({"a": F, "o": F}), ran({"a": P, "o": P}, RED), ran({"a": F})), NOT, DONE,
    ),
    "a green base and a failure": (
        JUNIT, [flips("a")], [],
        seen(ran({"b": P}), ran({"a": P, "b": F}), ran({"a": F, "b": P})), NOT, DONE,
    ),
    "a test vanished": (
        JUNIT, [flips("a")], [], seen(ran({"a": F, "v": P}), ran({"a": P}), ran({"a": F})),
        WAITS, DONE,
    ),
    "a test is skipped now": (
        JUNIT, [flips("a")], [], seen(ran({"a": F, "v": P}), ran({"a": P, "v": K}), ran({"a": F})),
        WAITS, DONE,
    ),
    "a skipped test vanished": (
        JUNIT, [flips("a")], [], seen(ran({"a": F, "v": K}), ran({"a": P}), ran({"a": F})),
        READY, DONE,
    ),
    "a vanished test that a person accepted": (
        JUNIT, [flips("a")], [word(REMOVED)],
        seen(ran({"a": F, "v": P}), ran({"a": P}), ran({"a": F})), READY, DONE,
    ),
    "a test that passes only as rewritten": (
        JUNIT, [flips("a")], [], FLIPPED.changed(original={"tests": ran({"a": P, "b": F})}),
        WAITS, DONE,
    ),
    "a rewritten test that a person accepted": (
        JUNIT, [flips("a")], [word(REWRITTEN)],
        FLIPPED.changed(original={"tests": ran({"a": P, "b": F})}), READY, DONE,
    ),
    "tests that pass as they were": (
        JUNIT, [flips("a")], [], FLIPPED.changed(original={"tests": ran({"a": P, "b": P})}),
        READY, DONE,
    ),
    "a gate that passes only with its tests rewritten": (
        EXIT, [flips()], [], seen(ended(RED), ended(GREEN), ended(RED)).changed(
            original={"tests": ended(RED)}
        ), WAITS, DONE,
    ),
    "code that reaches for its judge": (
        JUNIT, [flips("a")], [], FLIPPED.changed(reaching=("calc.py:1 unittest",)), WAITS, DONE,
    ),
    "code that reaches for its judge and that a person accepted": (
        JUNIT, [flips("a")], [word(REACHES)], FLIPPED.changed(reaching=("calc.py:1 unittest",)),
        READY, DONE,
    ),
    "protected paths": (
        JUNIT, [flips("a")], [], FLIPPED.changed(protected=("conftest.py",)), WAITS, DONE,
    ),
    "protected paths that a person accepted": (
        JUNIT, [flips("a")], [word(PROTECTED)], FLIPPED.changed(protected=("conftest.py",)),
        READY, DONE,
    ),
    "an unfinished task": (
        JUNIT, [flips("a")], [], FLIPPED.changed(unfinished=("task b failed",)), NOT, DONE,
    ),
    "what holds alone": (JUNIT, [holds("a")], [], HELD, NOT, DONE),
    "what holds beside a flip": (
        JUNIT, [holds("b"), flips("a")], [], FLIPPED, READY, DONE,
    ),
    "what no longer holds": (
        JUNIT, [holds("b"), flips("a")], [],
        seen(ran({"a": F, "b": P}), ran({"a": P, "b": F}), ran({"a": F, "b": P})), NOT, PARTIAL,
    ),
    "what did not hold before": (
        JUNIT, [holds("b"), flips("a")], [],
        seen(ran({"a": F, "b": F}), ran({"a": P, "b": P}), ran({"a": F, "b": P})), NOT, PARTIAL,
    ),
    "what holds without a baseline": (
        JUNIT, [holds("b"), flips("a")], [word()],
        seen(None, ran({"a": P, "b": P}), ran({"a": F})), READY, DONE,
    ),
    "a gate that holds on a red base": (
        JUNIT, [holds(), LOOKS], [word("looks")], seen(ran({"a": F}), ran({"a": F})), READY, DONE,
    ),
    "a gate that holds no more": (
        EXIT, [holds(), LOOKS], [word("looks")], seen(ended(GREEN), ended(RED)), NOT, PARTIAL,
    ),
    "a gate that was red holds nothing": (
        EXIT, [holds(), LOOKS], [word("looks")], seen(ended(RED), ended(GREEN)), NOT, PARTIAL,
    ),
    "nobody has accepted": (JUNIT, [LOOKS], [], HELD, WAITS, WEAK),
    "a person has accepted": (JUNIT, [LOOKS], [word("looks")], HELD, READY, DONE),
    "accepted for another tree": (JUNIT, [LOOKS], [word("looks", OTHER)], HELD, WAITS, WEAK),
    "no criteria at all": (JUNIT, [], [], HELD, NOT, None),
    "nothing was run": (JUNIT, [flips("a")], [], Observations(tree=TREE), NOT, MISSED),
    "an exit code that flips": (
        EXIT, [flips()], [], seen(ended(RED), ended(GREEN), ended(RED)), READY, DONE,
    ),
    "an exit code that was green": (
        EXIT, [flips()], [], seen(ended(GREEN), ended(GREEN), ended(RED)), NOT, MISSED,
    ),
    "an exit code that stays green without": (
        EXIT, [flips()], [], seen(ended(RED), ended(GREEN), ended(GREEN)), NOT, MISSED,
    ),
    "an exit code that cannot say without": (
        EXIT, [flips()], [], seen(ended(RED), ended(GREEN), ended(BROKEN)), WAITS, WEAK,
    ),
    "a timeout without the change is no red": (
        EXIT, [flips()], [], seen(ended(RED), ended(GREEN), ended(TIMEOUT)), NOT, MISSED,
    ),
    "a timeout before the change is no red": (
        EXIT, [flips()], [], seen(ended(TIMEOUT), ended(GREEN), ended(RED)), NOT, MISSED,
    ),
    "an exit code with a red base has no lower bar": (
        EXIT, [LOOKS], [word("looks")], seen(ended(RED), ended(RED)), NOT, DONE,
    ),
    "an exit code has no lower bar whatever it names": (
        EXIT, [LOOKS], [word("looks")], seen(ran({"o": F}), ran({"o": F})), NOT, DONE,
    ),
    "a whole gate red without by errors alone": (
        JUNIT, [flips()], [], seen(ran({"a": F}), ran({"a": P}), ran({"a": E})), WAITS, WEAK,
    ),
    "a test that was named by a part of its name": (
        JUNIT, [some("test_x")], [],
        seen(ran({"t.C::test_x": F}), ran({"t.C::test_x": P}), ran({"t.C::test_x": F})),
        READY, DONE,
    ),
    "a test of which only letters were named": (
        JUNIT, [some("test_x")], [],
        seen(ran({"t::test_xy": F}), ran({"t::test_xy": P}), ran({"t::test_xy": F})), NOT, MISSED,
    ),
    "tests of a file that was named": (
        JUNIT, [some("tests/test_a.py")], [],
        seen(ran({"tests.test_a.C::x": F, "tests.test_a.C::y": P}),
             ran({"tests.test_a.C::x": P, "tests.test_a.C::y": P}),
             ran({"tests.test_a.C::x": F, "tests.test_a.C::y": P})), READY, DONE,
    ),
    "one of two named tests is still red": (
        JUNIT, [some("a", "b")], [],
        seen(ran({"a": F, "b": F}), ran({"a": P, "b": F}), ran({"a": F, "b": F})), NOT, PARTIAL,
    ),
    "a named test is gone and another of its name came": (
        JUNIT, [some("a")], [], seen(ran({"x.a": F}), ran({"y.a": P}), ran({"y.a": F})),
        NOT, PARTIAL,
    ),
    "a named test that came with the change": (
        JUNIT, [some("n")], [], NEW, WAITS, WEAK,
    ),
    "a named test that passes only as rewritten": (
        JUNIT, [some("a")], [word(REWRITTEN)], without_tests(FLIPPED, a=F, b=P), WAITS, WEAK,
    ),
    "a named test of a file that was touched and says the same": (
        JUNIT, [some("a")], [], without_tests(FLIPPED, a=P, b=P), READY, DONE,
    ),
    "an old failure that nobody named": (JUNIT, [some()], [], FLIPPED, WAITS, WEAK),
    "a test that came with the change": (JUNIT, [some()], [], NEW, WAITS, WEAK),
    "a test that came with the change and a person accepted": (
        JUNIT, [some()], [word()], NEW, READY, DONE,
    ),
    "a test that came with the change and the plan trusts": (
        JUNIT, [some(new_tests="trust")], [], NEW, READY, DONE,
    ),
    "a trusted test that cannot run without the change": (
        JUNIT, [some(new_tests="trust")], [],
        seen(ran({"b": P}), ran({"n": P, "b": P}), ran({"n": E, "b": P})), WAITS, WEAK,
    ),
    "a trusted test in a run that broke without the change": (
        JUNIT, [some(new_tests="trust")], [],
        seen(ran({"b": P}), ran({"n": P, "b": P}), ran({"n": F, "b": P}, BROKEN)), WAITS, WEAK,
    ),
    "a trusted test that is green without the change": (
        JUNIT, [some(new_tests="trust")], [],
        seen(ran({"b": P}), ran({"n": P, "b": P}), ran({"n": P, "b": P})), NOT, MISSED,
    ),
    "a trusted test that was green on the base": (
        JUNIT, [some(new_tests="trust")], [], seen(ran({"a": P}), ran({"a": P}), ran({"a": F})),
        NOT, MISSED,
    ),
    "a trusted test that is skipped": (
        JUNIT, [some(new_tests="trust")], [], seen(ran({"b": P}), ran({"n": K, "b": P}), ran({"n": F})),
        NOT, MISSED,
    ),
    "a trusted test where nobody knows the base": (
        JUNIT, [some(new_tests="trust")], [], seen(ended(TIMEOUT), ran({"n": P}), ran({"n": F})),
        NOT, MISSED,
    ),
    "a trusted test that was not tried without the change": (
        JUNIT, [some(new_tests="trust")], [], seen(ran({"b": P}), ran({"n": P, "b": P})), WAITS, WEAK,
    ),
    "a trusted test in a run that contradicts itself": (
        JUNIT, [some(new_tests="trust")], [],
        seen(ran({"b": P}), ran({"n": P, "b": P}, BROKEN), ran({"n": F})), NOT, PARTIAL,
    ),
    "no test at all for it": (JUNIT, [some()], [], HELD, NOT, MISSED),
    "some test of any gate": (JUNIT, [some("a", gate=None)], [], FLIPPED, READY, DONE),
    "some test of a gate that tells none": (
        EXIT, [some(gate=None)], [], seen(ended(RED), ended(GREEN), ended(RED)), NOT, MISSED,
    ),
    "a person judges and is shown what flips": (
        JUNIT, [LOOKS.changed(some_test=True)], [], FLIPPED, WAITS, WEAK,
    ),
    "a timeout": (JUNIT, [LOOKS], [word("looks")], seen(ran({"a": P}), ended(TIMEOUT)), NOT, DONE),
    "a timeout on a base that timed out": (
        JUNIT, [LOOKS], [word("looks")], seen(ended(TIMEOUT), ended(TIMEOUT)), NOT, DONE,
    ),
    "the wrong tree": (
        JUNIT, [LOOKS], [word("looks"), word(REMOVED)], seen(ran({"a": F}), ended(WRONG)), NOT, DONE,
    ),
    "the wrong tree although its tests pass": (
        JUNIT, [LOOKS], [word("looks")], seen(ran({"a": P}), ran({"a": P}, WRONG)), NOT, DONE,
    ),
    "a gate that could not answer": (
        JUNIT, [LOOKS], [word("looks"), word(REMOVED)], seen(ran({"a": F}), ended(BROKEN)), NOT, DONE,
    ),
    "a failing gate that is not required": (
        JUNIT.changed(required=False), [LOOKS], [word("looks")],
        seen(ran({"a": P}), ran({"a": F})), READY, DONE,
    ),
}  # fmt: skip


def fails(case):
    """Whether a case does not come out as the table says."""
    gate, criteria, acceptances, observed, verdict, state = case
    said = judge((gate,), tuple(criteria), tuple(acceptances), observed)
    found = said.criteria[0].state if said.criteria else None
    return (said.verdict, found) != (verdict, state) or bool(said.reasons) == (verdict is READY)


@pytest.mark.parametrize("name", CASES)
def test_what_was_seen_amounts_to_the_verdict(name):
    gate, criteria, acceptances, observed, verdict, state = CASES[name]
    said = judge((gate,), tuple(criteria), tuple(acceptances), observed)
    assert said.verdict is verdict, said.reasons
    assert (said.criteria[0].state if said.criteria else None) is state
    assert bool(said.reasons) == (verdict is not READY)
    assert said.tree == TREE


@pytest.mark.parametrize("outcome", [TIMEOUT, WRONG, BROKEN, RED])
@pytest.mark.parametrize("base", [ran({"a": P}), ran({"a": F}), ended(TIMEOUT), ended(WRONG), None])
@pytest.mark.parametrize("gate", [JUNIT, EXIT], ids=["junit", "exit"])
def test_a_gate_that_did_not_answer_never_meets_its_bar(gate, base, outcome):
    said = judge((gate,), (LOOKS,), (word("looks"),), seen(base, ended(outcome)))
    assert not said.gates[0].met and said.gates[0].reason


def test_old_failures_are_named_as_gaps():
    observed = seen(ran({"a": F, "o": F}), ran({"a": P, "o": F}), ran({"a": F, "o": F}))
    gate = judge((JUNIT,), (flips("a"),), (), observed).gates[0]
    assert (gate.bar, gate.met, gate.gaps) == (Bar.NO_NEW_FAILURES, True, ("o",))


def test_the_engines_own_criteria_name_what_needs_a_person():
    observed = FLIPPED.changed(protected=("conftest.py",))
    observed = observed.changed(proving={"tests": ran({"a": P})})
    said = judge((JUNIT,), (flips("a"),), (), observed)
    extra = {item.criterion.id: item.criterion.text for item in said.criteria[1:]}
    assert "conftest.py" in extra[PROTECTED] and extra[REMOVED].endswith(": b")


def test_who_accepts_is_told_how_much_is_not_shown():
    many = tuple(f"{number:02}/conftest.py" for number in range(13))
    said = judge((JUNIT,), (flips("a"),), (), FLIPPED.changed(protected=many))
    assert said.criteria[-1].criterion.text.endswith("09/conftest.py and 3 more")


def always(value):
    return lambda *args, **kwargs: value


def without_absence(original):
    return lambda result, tests, *, absent: original(result, tests, absent=True)


def as_if_met(original):
    return lambda *args: original(*args).changed(met=True)


def as_if_verified(original):
    return lambda *args: original(*args).changed(state=CriterionState.VERIFIED)


MUTANTS = {
    "any outcome is green": ("_is_green", lambda original: always(True)),
    "an error is as good as a failure": ("_is_red", without_absence),
    "everything was red": ("_is_red", lambda original: always(True)),
    "nothing was red": ("_is_red", lambda original: always(False)),
    "every gate meets its bar": ("judge_gate", as_if_met),
    "every criterion is verified": ("_judge_criterion", as_if_verified),
    "every flip counts": ("_judge_flips", lambda original: always((DONE, "x"))),
    "every test flips": ("_judge_some_test", lambda original: always((DONE, "x"))),
    "no test flips": ("_judge_some_test", lambda original: always((MISSED, "x"))),
    "everything holds": ("_judge_holds", lambda original: always((DONE, "x"))),
    "no bar but pass": ("choose_bar", lambda original: always(Bar.PASS)),
    "the low bar for everybody": ("choose_bar", lambda original: always(Bar.NO_NEW_FAILURES)),
    "nothing was removed": ("_find_removed", lambda original: always(set())),
    "nothing was rewritten": ("_find_rewritten", lambda original: always(set())),
    "no criteria of the engine": ("_find_extra_criteria", lambda original: always(())),
    "nothing refuses": ("_find_refusals", lambda original: always(())),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_the_table_catches_a_judge_that_lies(name, monkeypatch):
    assert not any(map(fails, CASES.values()))
    piece, mutate = MUTANTS[name]
    monkeypatch.setattr(module, piece, mutate(getattr(module, piece)))
    assert any(map(fails, CASES.values())), f"no case notices that {name}"


FLIPPING = {
    "every name fits": ("is_named", lambda original: always(True)),
    "every test is as it was": ("_passes_as_it_was", lambda original: always(True)),
    "no test is as it was": ("_passes_as_it_was", lambda original: always(False)),
    "nothing is left red": ("_not_passing", lambda original: always(set())),
    "what does not flip flips": ("_say_unflipped", lambda original: always((DONE, "x"))),
    "every flip convinces": ("_judge_flipped", lambda original: always((DONE, "x"))),
    "no flip convinces": ("_judge_flipped", lambda original: always((WEAK, "x"))),
}


@pytest.mark.parametrize("name", FLIPPING)
def test_the_table_catches_a_flip_that_lies(name, monkeypatch):
    piece, mutate = FLIPPING[name]
    monkeypatch.setattr(flipping, piece, mutate(getattr(flipping, piece)))
    assert any(map(fails, CASES.values())), f"no case notices that {name}"


def test_who_looks_is_told_which_test():
    said = judge((JUNIT,), (some(),), (), NEW).criteria[0]
    assert said.reason.startswith("n: ") and "written with the change: look at it" in said.reason
    said = judge((JUNIT,), (some(),), (), FLIPPED).criteria[0]
    assert said.reason.startswith("a: ") and "nobody named it" in said.reason
    said = judge((JUNIT,), (LOOKS.changed(some_test=True),), (), NEW).criteria[0]
    assert said.reason.startswith("a person has to accept it; seen: n: ")
