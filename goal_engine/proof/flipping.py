"""Some test flips: which one nobody had to know beforehand, so who wrote it decides what it shows.

A test that the plan names and that was red on the base says what was asked.  Any other one only
shows that the change does something: a worker can write it, or pick an old failure that has nothing
to do with the goal.  Then a person looks, unless they said beforehand that they trust it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from goal_engine.decision import Criterion, CriterionState
from goal_engine.proof.gate import GateOutcome, GateResult, TestOutcome

RED = (TestOutcome.FAILED, TestOutcome.ERROR)
ANSWERED = (GateOutcome.PASSED, GateOutcome.FAILED)
NAMED = 3
"""Tests that a reason names."""
Standing = tuple[CriterionState, str]


def judge_some_test(
    criterion: Criterion,
    base: GateResult | None,
    now: GateResult | None,
    without: GateResult | None,
    original: GateResult | None,
) -> Standing:
    """Return how far one gate's tests bring a criterion for which one of them has to flip.

    `original` is what they said with the base's own test files, `None` where those are unchanged.
    """
    state = CriterionState
    if now is None or not now.tests:
        return state.NOT_ADDRESSED, "no gate has told what each test says"
    if now.outcome not in ANSWERED:
        return state.PARTIAL, f"gate {now.gate} gave no answer"
    if base is None or base.outcome in (GateOutcome.TIMEOUT, GateOutcome.WRONG_TREE):
        return state.NOT_ADDRESSED, "what the tests said before the change is not known"
    before = base.tests
    asked = {test for test in {*before, *now.tests} if is_named(test, criterion.tests)}
    was_red = {test for test in asked if before.get(test) in RED}
    if criterion.tests and (left := _not_passing(was_red, now)):
        return state.PARTIAL, f"not green: {_list(left)}"
    came = {
        test
        for test in asked
        if now.tests.get(test) is TestOutcome.PASSED and before.get(test) in (*RED, None)
    }
    if not came:
        return state.NOT_ADDRESSED, "no test passes that was red or absent before the change"
    if without is None:
        return state.IMPLEMENTED_UNVERIFIED, "it was not tried without the change"
    answered = without.tests if without.outcome in ANSWERED else {}
    flipped = {test for test in came if answered.get(test) is TestOutcome.FAILED}
    if not flipped:
        return _say_unflipped(came, without)
    return _judge_flipped(criterion, flipped, was_red, original)


def is_named(test: str, names: tuple[str, ...]) -> bool:
    """Whether a test's id has one of `names` in it, as whole words; any does when there are none."""
    plain = _dotted(test)
    return not names or any(
        re.search(rf"(?<!\w){re.escape(_dotted(name))}(?!\w)", plain) is not None for name in names
    )


def _judge_flipped(
    criterion: Criterion, flipped: set[str], was_red: set[str], original: GateResult | None
) -> Standing:
    said = "red before, green now, red again without the change"
    kept = {test for test in flipped & was_red if _passes_as_it_was(test, original)}
    if criterion.tests and kept:
        return CriterionState.VERIFIED, f"{_list(kept)}: {said}"
    if criterion.new_tests == "trust":
        return CriterionState.VERIFIED, f"{_list(flipped)}: {said}; the plan trusts it"
    if kept:
        why = f"{_list(kept)}: {said}; but nobody named it: see whether it is what was asked"
    else:
        why = (
            f"{_list(flipped)}: red or absent before, green now, red without the change; but it was"
            " written with the change: look at it"
        )
    return CriterionState.IMPLEMENTED_UNVERIFIED, f"{why}, then accept"


def _say_unflipped(came: set[str], without: GateResult) -> Standing:
    ran = {test for test in came if without.tests.get(test) is TestOutcome.PASSED}
    if ran == came:
        said = f"{_list(came)}: green as well when the change is taken away"
        return CriterionState.NOT_ADDRESSED, said
    weak = "cannot even run without the change, which shows little"
    return CriterionState.IMPLEMENTED_UNVERIFIED, f"{_list(came - ran)} {weak}: look at it"


def _passes_as_it_was(test: str, original: GateResult | None) -> bool:
    return original is None or original.tests.get(test) is TestOutcome.PASSED


def _not_passing(tests: set[str], now: GateResult) -> set[str]:
    return {test for test in tests if now.tests.get(test) is not TestOutcome.PASSED}


def _dotted(name: str) -> str:
    """A file's path and the module in an id are the same name."""
    plain = re.sub(r"\.py(?=$|::)", "", name) if "/" in name else name
    return plain.replace("::", ".").replace("/", ".")


def _list(tests: Iterable[str]) -> str:
    names = sorted(tests)
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"
