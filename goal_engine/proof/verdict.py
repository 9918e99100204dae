"""`ready` is decided here: bars, criteria and the verdict, from what the engine itself saw.

Every required gate met its bar, every criterion has evidence of its kind, and at least one flips
or is accepted.  No word of a worker is among the inputs (DESIGN §8).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from pydantic import Field

from goal_engine.check import OnlyTests
from goal_engine.decision import Acceptance, Criterion, CriterionState, EvidenceKind, Rejection
from goal_engine.proof.checked import CheckResult, judge_check
from goal_engine.proof.confidence import say_bound
from goal_engine.proof.flakes import (
    find_quarantined,
    is_quarantined,
    say_flaky,
    without_flaky,
    without_quarantined,
)
from goal_engine.proof.flipping import judge_some_test
from goal_engine.proof.gate import (
    GateOutcome,
    GateReport,
    GateResult,
    GateSpec,
    TestOutcome,
)
from goal_engine.proof.review import ReviewSection, find_blocking
from goal_engine.stagnation import Stagnation
from goal_engine.types import Decision, Frozen, GitOid, later

PROTECTED = "protected-paths"
"""The criterion that stands for changes to files which can change what the gates mean."""
REMOVED = "removed-tests"
"""The criterion that stands for tests which the change makes disappear or be skipped."""

REWRITTEN = "rewritten-tests"
"""The criterion that stands for tests which pass only as the change has rewritten them."""
REACHES = "reaches-its-judge"
"""The criterion that stands for code which reaches for what runs and judges it."""

UNDOES = "merged-work"
"""The criterion that stands for what the result undoes of others' work, merged since its first base."""

REVIEWED = "review-findings"
"""The criterion that stands for what the review found and a person has to accept."""

NOT_REJECTED = "not-rejected"
"""The criterion that stands for a person's no to this very result: no gate outweighs it, and only a
person who accepts it takes it back."""

EXTRA_CRITERIA = frozenset({PROTECTED, REMOVED, REWRITTEN, REACHES, UNDOES, REVIEWED, NOT_REJECTED})
"""Ids of the criteria that the engine itself adds."""

STAGES = ("baseline", "proving", "counterfactual", "original")
"""The mappings of what was seen."""
NAMED = 10
"""Paths or tests that a criterion names."""
RED = (TestOutcome.FAILED, TestOutcome.ERROR)
STANDING = (
    CriterionState.PARTIAL,
    CriterionState.VERIFIED,
    CriterionState.IMPLEMENTED_UNVERIFIED,
    CriterionState.BLOCKED,
    CriterionState.NOT_ADDRESSED,
)
"""Of what several gates say of one criterion, the first of these is how it stands."""


class Verdict(StrEnum):
    """What the evidence amounts to."""

    READY = "ready"
    NEEDS_PERSON = "needs_person"
    NOT_READY = "not_ready"


class Bar(StrEnum):
    """What a gate has to reach."""

    PASS = "pass"
    NO_NEW_FAILURES = "no_new_failures"


class GateVerdict(Frozen):
    """One gate against its bar."""

    gate: str
    required: bool
    bar: Bar
    met: bool
    reason: str
    gaps: tuple[str, ...] = ()
    """Tests that failed on the base already and still do."""
    flaky: tuple[str, ...] = later(())
    """Tests that are flaky on the base as well, and how often each failed: known, so not blocking."""
    quarantined: tuple[str, ...] = later(())
    """Tests that the person took out of the gate's answer, and what each did."""


class CriterionVerdict(Frozen):
    """One criterion and the evidence for it."""

    criterion: Criterion
    state: CriterionState
    reason: str


class Judgement(Frozen):
    """All gates and criteria of one tree, and what they amount to."""

    tree: GitOid
    verdict: Verdict
    gates: tuple[GateVerdict, ...]
    criteria: tuple[CriterionVerdict, ...]
    reasons: tuple[str, ...] = ()
    """Why it is not ready, one sentence each, none when it is."""
    reviews: tuple[ReviewSection, ...] = later(())
    """What a look at the change found, in six sections; none before there was one."""
    stagnation: Stagnation | None = later(None)
    """Why repairing it led nowhere, where it was tried."""


class Observations(Frozen):
    """Everything a judgement is made from.  The mappings go by gate name."""

    tree: GitOid
    baseline: dict[str, GateResult] = Field(default_factory=dict)
    proving: dict[str, GateResult] = Field(default_factory=dict)
    counterfactual: dict[str, GateResult] = Field(default_factory=dict)
    """The tree without its non-test changes."""
    original: dict[str, GateResult] = Field(default_factory=dict)
    """The tree with the tests of the base, for the gates that run tests, where tests were changed."""
    checks: dict[str, CheckResult] = Field(default_factory=dict)
    """What the engine looked at itself, by criterion."""
    protected: tuple[str, ...] = ()
    """Changed paths that can change what a gate means."""
    reaching: tuple[str, ...] = ()
    """Places in new code that reach for what judges it."""
    undone: tuple[str, ...] = ()
    """What the result undoes of work that was merged since the goal's first base, a sentence each."""
    reviews: tuple[ReviewSection, ...] = ()
    """What a look at the change found."""
    rejections: tuple[Rejection, ...] = ()
    """What people said no to."""
    unfinished: tuple[str, ...] = ()
    """Tasks that did not end well, a phrase each."""
    stopped: str = ""
    """Why no further repair was tried; a reason beside others, never one of its own."""
    stagnation: Stagnation | None = None
    """The diagnosis, where that is why."""


def judge(
    gates: tuple[GateSpec, ...],
    criteria: tuple[Criterion, ...],
    acceptances: tuple[Acceptance, ...],
    seen: Observations,
) -> Judgement:
    """Return what `seen` amounts to for a goal with these gates and criteria."""
    accepted = {a.criterion: a for a in acceptances if a.tree == seen.tree}
    ran, seen = seen, leave_out_quarantined(gates, seen)
    evidence = leave_out_flaky(seen)
    gate_verdicts = tuple(
        judge_gate(spec, criteria, seen).changed(
            quarantined=find_quarantined(spec, ran.proving.get(spec.name))
        )
        for spec in gates
    )
    met = {verdict.gate: verdict.met for verdict in gate_verdicts}
    criterion_verdicts = tuple(
        _judge_criterion(criterion, accepted, met, evidence, _find_doubt(criterion, gates, seen))
        for criterion in (*criteria, *_find_extra_criteria(gates, seen))
    )
    refusals = _find_refusals(gate_verdicts, criterion_verdicts, seen)
    waiting = tuple(
        f"{item.criterion.id}: {item.reason}"
        for item in criterion_verdicts
        if item.state is CriterionState.IMPLEMENTED_UNVERIFIED
    )
    strong = any(
        item.state is CriterionState.VERIFIED
        and item.criterion.evidence in (EvidenceKind.FLIPS, EvidenceKind.ACCEPTED)
        and item.criterion.id != NOT_REJECTED
        for item in criterion_verdicts
    )
    if not refusals and not waiting and not strong:
        refusals = (
            "no criterion flips and none was accepted: nothing shows that this change matters",
        )
    return Judgement(
        tree=seen.tree,
        verdict=Verdict.NOT_READY
        if refusals
        else Verdict.NEEDS_PERSON
        if waiting
        else Verdict.READY,
        gates=gate_verdicts,
        criteria=criterion_verdicts,
        reasons=(*refusals, *_say_stopped(refusals, seen), *waiting),
        stagnation=seen.stagnation if refusals else None,
        reviews=seen.reviews,
    )


def leave_out_quarantined(gates: tuple[GateSpec, ...], seen: Observations) -> Observations:
    """Return what was seen as if quarantined tests did not exist: they neither fail nor back."""
    specs = {spec.name: spec for spec in gates}

    def view(results: Mapping[str, GateResult]) -> dict[str, GateResult]:
        return {
            name: without_quarantined(specs[name], result) if name in specs else result
            for name, result in results.items()
        }

    return seen.changed(**{stage: view(getattr(seen, stage)) for stage in STAGES})


def leave_out_flaky(seen: Observations) -> Observations:
    """Return what was seen as evidence for criteria: a flaky test shows nothing either way."""
    return seen.changed(
        **{
            stage: {name: without_flaky(run) for name, run in getattr(seen, stage).items()}
            for stage in STAGES
        }
    )


def _say_stopped(refusals: Sequence[str], seen: Observations) -> tuple[str, ...]:
    return (f"no further repair: {seen.stopped}",) if refusals and seen.stopped else ()


def choose_bar(spec: GateSpec, base: GateResult | None) -> Bar:
    """Return the bar of a gate: only a red base that tells its tests apart lowers it."""
    if base is None or base.green or spec.report is GateReport.EXIT or not base.tests:
        return Bar.PASS
    return Bar.NO_NEW_FAILURES


def judge_gate(spec: GateSpec, criteria: tuple[Criterion, ...], seen: Observations) -> GateVerdict:
    """Return whether a gate met its bar on the proven tree."""
    base, now = seen.baseline.get(spec.name), seen.proving.get(spec.name)
    bar = choose_bar(spec, base)
    known = base.flaky if base is not None else frozenset()

    def say(met: bool, reason: str, gaps: tuple[str, ...] = ()) -> GateVerdict:
        return GateVerdict(
            gate=spec.name,
            required=spec.required,
            bar=bar,
            met=met,
            reason=reason,
            gaps=gaps,
            flaky=_tell_known(base, known),
        )

    if now is None:
        return say(False, "it was not run on the result")
    if now.green:
        often = f"; {say_bound(0, now.runs)}" if now.runs > 1 else ""
        return say(True, f"{now.message or 'it passes'}{often}")
    if now.outcome is not GateOutcome.FAILED:
        return say(False, now.message or f"it ended as {now.outcome}")
    old = base.failing if base is not None and bar is Bar.NO_NEW_FAILURES else frozenset()
    new = now.failing - old
    flaky = say_flaky(now, new)
    if flaky and new <= now.flaky:
        return say(False, f"flaky: {flaky}")
    if bar is Bar.PASS or base is None:
        named = ", ".join(sorted(now.failing)[:5])
        said = f"; {now.message}" if now.message else ""
        return say(
            False,
            f"it fails: {named}" if named else f"it fails with exit code {now.exit_code}{said}",
        )
    wanted = {test for c in criteria if c.gate == spec.name for test in c.tests}
    named_failures = now.failing & wanted
    if not now.tests or not now.failing:
        return say(False, f"it fails with exit code {now.exit_code} and names no failing test")
    if new:
        return say(False, f"tests fail that did not fail on the base: {', '.join(sorted(new)[:5])}")
    if named_failures:
        return say(False, f"tests of this goal fail: {', '.join(sorted(named_failures)[:5])}")
    vanished = set(base.tests) - set(base.counts) - set(now.tests)
    if vanished:
        return say(False, f"tests are gone: {', '.join(sorted(vanished)[:5])}")
    return say(True, "nothing fails that did not fail on the base", tuple(sorted(now.failing)))


def _tell_known(base: GateResult | None, known: frozenset[str]) -> tuple[str, ...]:
    if base is None:
        return ()
    return tuple(f"{say_flaky(base, (test,))} on the base" for test in sorted(known))


def _find_extra_criteria(gates: tuple[GateSpec, ...], seen: Observations) -> tuple[Criterion, ...]:
    """Changes that can make a gate lie need a person, whatever the plan says."""
    extra = []
    if seen.protected:
        extra.append((PROTECTED, f"Changes to protected files: {_list(seen.protected)}"))
    removed = sorted(test for spec in gates for test in _find_removed(spec.name, seen))
    if removed:
        extra.append((REMOVED, f"Tests that no longer run: {_list(removed)}"))
    rewritten = sorted(test for spec in gates for test in _find_rewritten(spec.name, seen))
    if rewritten:
        extra.append((REWRITTEN, f"Tests that pass only as rewritten: {_list(rewritten)}"))
    if seen.reaching:
        extra.append((REACHES, f"Code that reaches for what judges it: {_list(seen.reaching)}"))
    if seen.undone:
        extra.append((UNDOES, f"Work merged since the first base, undone: {_list(seen.undone)}"))
    blocking = [f"{finding.rule} in {finding.place}" for finding in find_blocking(seen.reviews)]
    if blocking:
        extra.append((REVIEWED, f"Findings of the review: {_list(blocking)}"))
    if any(rejection.tree == seen.tree for rejection in seen.rejections):
        extra.append((NOT_REJECTED, "Nobody says no to this result"))
    return tuple(
        Criterion(id=name, text=text, evidence=EvidenceKind.ACCEPTED) for name, text in extra
    )


def _list(names: Sequence[str]) -> str:
    """A person who accepts is told how much they are not shown."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"


def _find_removed(gate: str, seen: Observations) -> set[str]:
    base, now = seen.baseline.get(gate), seen.proving.get(gate)
    if base is None or now is None:
        return set()
    ran = {test for test, outcome in base.tests.items() if outcome is not TestOutcome.SKIPPED}
    runs = {test for test, outcome in now.tests.items() if outcome is not TestOutcome.SKIPPED}
    return {test for test in ran - runs if not _was_module(test, runs)}


def _find_rewritten(gate: str, seen: Observations) -> set[str]:
    """Tests that the base has and the change passes, but not as the base has them.

    Of a gate that does not tell its tests apart, the gate.
    """
    base, now, original = (
        stage.get(gate) for stage in (seen.baseline, seen.proving, seen.original)
    )
    if base is None or now is None or original is None:
        return set()
    if not now.tests:
        return {f"gate {gate}"} if now.green and not original.green else set()
    passed = TestOutcome.PASSED
    ran = {test for test, outcome in base.tests.items() if outcome is not TestOutcome.SKIPPED}
    kept = {test for test in ran - base.flaky if now.tests.get(test) is passed}
    return {test for test in kept if original.tests.get(test) is not passed}


def _was_module(test: str, runs: set[str]) -> bool:
    """Whether `test` is a module that could not be collected and whose tests run now."""
    return "::" not in test and any(now.startswith((f"{test}::", f"{test}.")) for now in runs)


def _judge_criterion(
    criterion: Criterion,
    accepted: Mapping[str, Acceptance],
    met: Mapping[str, bool],
    seen: Observations,
    doubt: tuple[CriterionState, str] | None,
) -> CriterionVerdict:
    if criterion.id in accepted:
        decision = accepted[criterion.id].decision
        state, reason = CriterionState.VERIFIED, f"accepted by {decision.actor}: {decision.reason}"
    elif criterion.id == NOT_REJECTED:
        state, reason = CriterionState.BLOCKED, _say_rejected(seen)
    elif criterion.evidence is EvidenceKind.ACCEPTED:
        state, reason = CriterionState.IMPLEMENTED_UNVERIFIED, _say_waiting(criterion, seen)
    elif criterion.check is not None:
        state, reason = _judge_check(criterion, seen)
    elif criterion.some_test:
        state, reason = _judge_some_test(criterion, seen)
    elif criterion.gate is None or criterion.gate not in seen.proving:
        state, reason = CriterionState.NOT_ADDRESSED, "no gate has spoken for it"
    elif doubt is not None:
        state, reason = doubt
    elif seen.proving[criterion.gate].outcome not in (GateOutcome.PASSED, GateOutcome.FAILED):
        state, reason = CriterionState.PARTIAL, f"gate {criterion.gate} gave no answer"
    elif criterion.evidence is EvidenceKind.HOLDS:
        state, reason = _judge_holds(criterion, met, seen)
    else:
        state, reason = _judge_flips(criterion, seen)
    return CriterionVerdict(criterion=criterion, state=state, reason=reason)


def _find_doubt(
    criterion: Criterion, gates: tuple[GateSpec, ...], seen: Observations
) -> tuple[CriterionState, str] | None:
    """Return why the tests that a criterion rests on cannot speak: quarantined, or flaky."""
    spec = next((gate for gate in gates if gate.name == criterion.gate), None)
    if spec is None:
        return None
    barred = [test for test in criterion.tests if is_quarantined(spec, test)]
    if barred:
        return CriterionState.PARTIAL, f"quarantined, so it backs nothing: {_list(barred)}"
    now = seen.proving.get(spec.name)
    if now is not None and _rests_on_flaky(criterion, now):
        return CriterionState.PARTIAL, f"flaky: {say_flaky(now, criterion.tests or now.flaky)}"
    stages = {"on the base": seen.baseline, "without the change": seen.counterfactual}
    for where, stage in stages.items():
        run = stage.get(spec.name)
        if run is None or not _rests_on_flaky(criterion, run):
            continue
        flaky = say_flaky(run, criterion.tests or run.flaky)
        often = f", and {say_bound(0, now.runs)}" if now is not None and now.green else ""
        weak = f"flaky {where}, which shows little: {flaky}{often}"
        return CriterionState.IMPLEMENTED_UNVERIFIED, weak
    return None


def _rests_on_flaky(criterion: Criterion, run: GateResult) -> bool:
    """Whether one of its tests is flaky; of a whole gate that must be red, whether nothing else is."""
    if criterion.tests:
        return not run.flaky.isdisjoint(criterion.tests)
    red_by_chance = bool(run.failing) and run.failing <= run.flaky
    return criterion.evidence is EvidenceKind.FLIPS and red_by_chance


def _say_rejected(seen: Observations) -> str:
    words = [say_rejection(one.decision) for one in seen.rejections if one.tree == seen.tree]
    return "; ".join(words)


def say_rejection(decision: Decision) -> str:
    """Return in words who said no to a result, and why."""
    return f"rejected by {decision.actor}: {decision.reason}"


def is_acceptable(verdict: CriterionVerdict) -> bool:
    """Whether a person's word is what a criterion lacks: also where it was their own no."""
    waits = verdict.state is CriterionState.IMPLEMENTED_UNVERIFIED
    taken_back = verdict.criterion.id == NOT_REJECTED and verdict.state is CriterionState.BLOCKED
    return waits or taken_back


def _say_waiting(criterion: Criterion, seen: Observations) -> str:
    """Who is to accept is told what was seen, which decides nothing."""
    said = "a person has to accept it"
    if criterion.check is not None:
        return f"{said}; seen: {_judge_check(criterion, seen)[1]}"
    return f"{said}; seen: {_judge_some_test(criterion, seen)[1]}" if criterion.some_test else said


def _judge_check(criterion: Criterion, seen: Observations) -> tuple[CriterionState, str]:
    state, reason = judge_check(criterion, seen.checks.get(criterion.id))
    if state is not CriterionState.VERIFIED or not isinstance(criterion.check, OnlyTests):
        return state, reason
    new = _find_new_tests(criterion.gate or "", seen)
    if not new:
        return CriterionState.NOT_ADDRESSED, f"{reason}, but no test passes that was not there"
    return state, f"{reason}; new and green: {_list(new)}"


def _find_new_tests(gate: str, seen: Observations) -> list[str]:
    base, now = seen.baseline.get(gate), seen.proving.get(gate)
    if base is None or now is None or now.outcome not in (GateOutcome.PASSED, GateOutcome.FAILED):
        return []
    passed = [test for test, said in now.tests.items() if said is TestOutcome.PASSED]
    return sorted(test for test in passed if test not in base.tests)


def _judge_some_test(criterion: Criterion, seen: Observations) -> tuple[CriterionState, str]:
    """One gate is enough, but none may say that what was asked for by name is still red."""
    gates = [criterion.gate] if criterion.gate else [g for g, r in seen.proving.items() if r.tests]
    stages = (seen.baseline, seen.proving, seen.counterfactual, seen.original)
    said = [judge_some_test(criterion, *(stage.get(gate) for stage in stages)) for gate in gates]
    return min(
        said,
        key=lambda standing: STANDING.index(standing[0]),
        default=(CriterionState.NOT_ADDRESSED, "no gate has told what each test says"),
    )


def _judge_holds(
    criterion: Criterion, met: Mapping[str, bool], seen: Observations
) -> tuple[CriterionState, str]:
    gate = criterion.gate or ""
    base, now = seen.baseline.get(gate), seen.proving[gate]
    if criterion.tests:
        lost = [t for t in criterion.tests if now.tests.get(t) is not TestOutcome.PASSED]
        never = [t for t in criterion.tests if base and base.tests.get(t) is not TestOutcome.PASSED]
        if lost:
            return CriterionState.PARTIAL, f"no longer green: {', '.join(lost[:5])}"
        if base is None or never:
            return CriterionState.PARTIAL, f"was not green before: {', '.join(never[:5])}"
        return CriterionState.VERIFIED, "green before and after"
    if not met.get(gate, False):
        return CriterionState.PARTIAL, f"gate {gate} did not meet its bar"
    if base is None or not (base.green or base.tests):
        return CriterionState.PARTIAL, f"gate {gate} was not green before"
    return CriterionState.VERIFIED, "green before and after" if base.green else "nothing was lost"


def _judge_flips(criterion: Criterion, seen: Observations) -> tuple[CriterionState, str]:
    gate = criterion.gate or ""
    base, now, without = (
        stage.get(gate) for stage in (seen.baseline, seen.proving, seen.counterfactual)
    )
    if now is None or not _is_green(now, criterion.tests):
        return CriterionState.PARTIAL, f"gate {gate} is not green for it"
    if base is None or not _is_red(base, criterion.tests, absent=True):
        before = base is None or base.answered
        said = (
            "was green before the change as well" if before else "gave no answer before the change"
        )
        return CriterionState.NOT_ADDRESSED, f"gate {gate} {said}"
    if without is None:
        return CriterionState.IMPLEMENTED_UNVERIFIED, "it was not tried without the change"
    if not _is_red(without, criterion.tests, absent=True):
        return CriterionState.NOT_ADDRESSED, "it stays green when the change is taken away"
    if not _is_red(without, criterion.tests, absent=False):
        weak = "without the change its tests cannot even run, which shows little"
        return CriterionState.IMPLEMENTED_UNVERIFIED, weak
    return CriterionState.VERIFIED, "red before, green now, red again without the change"


def _is_green(result: GateResult, tests: tuple[str, ...]) -> bool:
    if not tests:
        return result.green
    return all(result.tests.get(test) is TestOutcome.PASSED for test in tests)


def _is_red(result: GateResult, tests: tuple[str, ...], *, absent: bool) -> bool:
    """Whether each of `tests` is red; `absent` counts errors and missing tests as well."""
    if not tests:
        said_no = result.outcome is GateOutcome.FAILED
        if absent or not said_no or not result.tests:
            return said_no or (absent and result.outcome is GateOutcome.ERROR)
        return TestOutcome.FAILED in result.tests.values()
    bad = (*RED, None) if absent else (TestOutcome.FAILED,)
    return all(result.tests.get(test) in bad for test in tests)


def _find_refusals(
    gates: tuple[GateVerdict, ...], criteria: tuple[CriterionVerdict, ...], seen: Observations
) -> tuple[str, ...]:
    hopeless = (CriterionState.PARTIAL, CriterionState.BLOCKED, CriterionState.NOT_ADDRESSED)
    return (
        *seen.unfinished,
        *(f"gate {v.gate}: {v.reason}" for v in gates if v.required and not v.met),
        *(f"criterion {v.criterion.id}: {v.reason}" for v in criteria if v.state in hopeless),
    )
