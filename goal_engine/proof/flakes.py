"""Several runs of a gate on one tree are one result, and no lucky run makes red green.

A test is flaky on a tree when it failed there in some runs and not in others.  What is merged is the
worst that each test said, so whoever reads `tests` alone errs on the safe side; `counts` tells more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import translate
from functools import lru_cache

from goal_engine.proof.gate import (
    GateOutcome,
    GateResult,
    GateSpec,
    GateStage,
    TestCounts,
    TestOutcome,
)

ANSWERS = (GateOutcome.PASSED, GateOutcome.FAILED)
RED = (TestOutcome.ERROR, TestOutcome.FAILED)
WORST_FIRST = (TestOutcome.ERROR, TestOutcome.FAILED, TestOutcome.SKIPPED, TestOutcome.PASSED)
UNSTEADY = 500
"""Tests that may differ between runs; a gate with more has not answered."""
SAID = 5
"""Tests that a sentence names."""


def wants_another(spec: GateSpec, runs: Sequence[GateResult], confirm: int = 0) -> bool:
    """Return whether a gate has to run once more on the same tree before it is believed.

    A red run is repeated until two in a row say the same, at most `spec.reruns` times, where the
    tests are told apart; a green one `confirm` times.
    """
    judged = [without_quarantined(spec, run) for run in runs]
    if any(run.outcome not in ANSWERS for run in judged):
        return False
    if all(run.green for run in judged):
        return len(runs) <= confirm
    if not any(run.failing for run in judged):  # an exit code does not say what differed
        return False
    agree = len(judged) > 1 and judged[-1].tests == judged[-2].tests
    return not agree and len(runs) <= max(spec.reruns, confirm)


def merge_runs(runs: Sequence[GateResult]) -> GateResult:
    """Return what several runs of one gate on one tree amount to (at least one).

    Green only when all were.  A run without an answer counts for nothing among red ones, and makes
    green ones worth nothing.
    """
    first, last = runs[0], runs[-1]
    if len(runs) == 1:
        return first
    answered = [run for run in runs if run.outcome in ANSWERS]
    red = [run for run in answered if not run.green]
    spent = sum(run.duration_ms for run in runs)
    if last.outcome not in ANSWERS and not red:
        said = f"in run {len(runs)} of {len(runs)}: {last.message or last.outcome}"
        return last.changed(message=said, duration_ms=spent)
    counts = _count(answered)
    if len(counts) > UNSTEADY:
        said = f"{len(counts)} of its tests say something else in each run, so it says nothing"
        shown = {"outcome": GateOutcome.ERROR, "tests": {}, "message": said}
        return first.changed(**shown, runs=len(answered), duration_ms=spent)
    shows = red[0] if red else first
    merged = shows.changed(
        tests=_find_worst(answered),
        runs=len(answered),
        red=len(red),
        counts=counts,
        duration_ms=spent,
    )
    flaky = say_flaky(merged, merged.flaky)
    return merged.changed(message=f"flaky: {flaky}") if flaky else merged


def without_quarantined(spec: GateSpec, result: GateResult) -> GateResult:
    """Return a result as if the tests that the person quarantined did not exist."""
    kept = {test: said for test, said in result.tests.items() if not is_quarantined(spec, test)}
    if len(kept) == len(result.tests) or result.outcome not in ANSWERS:
        return result
    if not kept:
        said = "every test of it is quarantined, so it shows nothing"
        nothing = {"outcome": GateOutcome.ERROR, "tests": {}, "counts": {}, "message": said}
        return result.changed(**nothing)
    counts = {test: count for test, count in result.counts.items() if test in kept}
    seen = result.changed(tests=kept, counts=counts)
    if result.failing and not seen.failing:
        said = "nothing fails but tests that are quarantined"
        return seen.changed(outcome=GateOutcome.PASSED, exit_code=0, red=0, message=said)
    return seen


def without_flaky(result: GateResult) -> GateResult:
    """Return a result as evidence: what a flaky test said shows neither green nor red."""
    if not result.flaky:
        return result
    skipped = dict.fromkeys(result.flaky, TestOutcome.SKIPPED)
    return result.changed(tests={**result.tests, **skipped})


def expect_unsteady(spec: GateSpec, said: GateResult, found: GateResult) -> GateResult:
    """Return what was found when `said` was run again, as it would be had chance decided alike.

    For tests that `said` has as flaky or `spec` as quarantined, what they said then counts.  Who made
    `said` may have lied: a flaky test is expected to be red, and an unsteady one is never green.
    """
    if found.outcome not in ANSWERS or said.outcome not in ANSWERS:
        return found
    confirmed = said.stage is GateStage.PROVING and not said.tests and not found.tests
    if confirmed and 0 < said.red < said.runs:
        return found.changed(outcome=GateOutcome.FAILED, exit_code=found.exit_code or 1)
    loose = {test for test in {*said.tests, *found.tests} if is_quarantined(spec, test)}
    tests = dict(found.tests)
    for test in loose | said.counts.keys():
        outcome = found.tests.get(test)
        expected = said.tests.get(test)
        if test in loose and expected is None:
            tests.pop(test, None)
        elif test in loose and expected is not None:
            tests[test] = expected
        elif test in said.flaky:
            tests[test] = expected if expected in RED else TestOutcome.FAILED
        elif outcome not in RED:
            tests[test] = TestOutcome.SKIPPED
    seen = found.changed(tests=tests, counts={**found.counts, **said.counts})
    by_chance = loose | said.flaky
    if found.failing <= by_chance and (found.green or found.failing):
        red = bool(seen.failing)
        code = (found.exit_code or 1) if red else 0
        return seen.changed(
            outcome=GateOutcome.FAILED if red else GateOutcome.PASSED, exit_code=code
        )
    return seen


def is_quarantined(spec: GateSpec, test: str) -> bool:
    """Whether the person's configuration takes this test out of the gate's answer."""
    return any(matches_test(glob, test) for glob in spec.quarantine)


def find_quarantined(spec: GateSpec, result: GateResult | None) -> tuple[str, ...]:
    """Return what each quarantined test did, a phrase each."""
    if result is None:
        return ()
    return tuple(
        say_flaky(result, (test,)) or f"{test}: {said}"
        for test, said in sorted(result.tests.items())
        if is_quarantined(spec, test)
    )


def say_flaky(result: GateResult, tests: Iterable[str]) -> str:
    """Return how often each of these flaky tests failed, empty for none; or how often the gate did."""
    found = sorted(result.flaky.intersection(tests))
    if not found:
        return f"failed {result.red} of {result.runs} runs" if _differs(result) else ""
    told = [
        f"{test} failed {result.counts[test].failed} of {result.counts[test].runs} runs"
        for test in found[:SAID]
    ]
    more = f" and {len(found) - SAID} more" if len(found) > SAID else ""
    return f"{', '.join(told)}{more}"


def matches_test(glob: str, test: str) -> bool:
    """Whether a glob means a test; brackets are plain, because ids of parametrized tests have them."""
    return _compile(glob).fullmatch(test) is not None


@lru_cache(maxsize=1024)
def _compile(glob: str) -> re.Pattern[str]:
    return re.compile(translate(glob.replace("[", "[[]")))


def _differs(result: GateResult) -> bool:
    return 0 < result.red < result.runs and not result.failing


def _find_worst(runs: Sequence[GateResult]) -> dict[str, TestOutcome]:
    """Absent from some runs counts as skipped there: it is not known to pass."""
    tests = dict.fromkeys(test for run in runs for test in run.tests)
    return {test: min(_said(runs, test), key=WORST_FIRST.index) for test in tests}


def _said(runs: Sequence[GateResult], test: str) -> list[TestOutcome]:
    return [run.tests.get(test, TestOutcome.SKIPPED) for run in runs]


def _count(runs: Sequence[GateResult]) -> dict[str, TestCounts]:
    counts = {}
    for test in dict.fromkeys(test for run in runs for test in run.tests):
        said = _said(runs, test)
        failed = sum(outcome in RED for outcome in said)
        passed = said.count(TestOutcome.PASSED)
        if max(failed, passed, len(said) - failed - passed) < len(said):
            counts[test] = TestCounts(
                passed=passed, failed=failed, neither=len(said) - failed - passed
            )
    return counts
