"""The passes over one change, made into six sections that say what was found and what was not seen.

No pass crashes on what it is given: one that cannot read a change says so as a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from goal_engine.proof.review import (
    Finding,
    ReviewPass,
    ReviewPolicy,
    ReviewSection,
    ReviewStatus,
    Severity,
)
from goal_engine.proof.rules import RULES
from goal_engine.review.architect import find_scope
from goal_engine.review.change import Change
from goal_engine.review.code import find_mistakes
from goal_engine.review.dangers import find_dangers
from goal_engine.review.dependencies import find_dependencies
from goal_engine.review.found import find
from goal_engine.review.security import find_bytes, find_hidden, find_leaks, find_protected_files
from goal_engine.review.slop import find_slop
from goal_engine.review.weakening import find_weakening

MOST = 40
"""Findings that a section lists; those that block come first."""
ORDER = (Severity.BLOCKS, Severity.WARNS, Severity.NOTES)
FAST = ("perf", "bench")
"""What a gate that measures speed is called."""

Pass = Callable[[Change], Iterable[Finding]]
PASSES: dict[str, Pass] = {
    "scope": find_scope,
    "mistakes": find_mistakes,
    "weakening": find_weakening,
    "leaks": find_leaks,
    "hidden": find_hidden,
    "bytes": find_bytes,
    "dangers": find_dangers,
    "dependencies": find_dependencies,
    "protected": find_protected_files,
    "slop": find_slop,
}
"""Every look there is."""
CANNOT = (RecursionError, MemoryError, OverflowError, ValueError)
"""What hostile syntax does to those who read it."""


def review_change(change: Change) -> tuple[ReviewSection, ...]:
    """Return the sections of the review of a change, in their order."""
    found: list[Finding] = []
    gaps: list[str] = []
    for name, look in PASSES.items():
        try:
            found += dict.fromkeys(look(change))
        except CANNOT as error:
            gaps.append(f"the look for {name} gave up: {type(error).__name__}")
    if gaps and change.files:
        found.append(find("not-looked-at", change.files[0], None, "; ".join(gaps)))
    found = [_weigh(finding, change.policy) for finding in found]
    kept = [finding for finding in found if finding.rule not in change.policy.ignore]
    return tuple(_make_section(name, kept, change, gaps) for name in ReviewPass)


def _weigh(finding: Finding, policy: ReviewPolicy) -> Finding:
    return finding.changed(severity=Severity.BLOCKS) if finding.rule in policy.block else finding


def _make_section(
    name: ReviewPass, found: Iterable[Finding], change: Change, broken: list[str]
) -> ReviewSection:
    own = sorted(
        (finding for finding in found if finding.section is name),
        key=lambda f: (ORDER.index(f.severity), f.path, f.line or 0, f.rule, f.message),
    )
    worst = own[0].severity if own else None
    weighty = dict.fromkeys(f.rule for f in own if f.severity is not Severity.NOTES)
    return ReviewSection(
        name=name,
        status=_find_status(name, worst, change),
        findings=tuple(own[:MOST]),
        more=max(0, len(own) - MOST),
        risks=tuple(dict.fromkeys(RULES[rule].risk for rule in weighty)),
        gaps=(*_find_gaps(name, change), *broken),
        next=NEXT.get(worst, "") if worst else "",
    )


NEXT = {
    Severity.BLOCKS: "look at each finding; change it, or accept `review-findings` with a reason",
    Severity.WARNS: "look at the findings before you deliver",
}


def _find_status(name: ReviewPass, worst: Severity | None, change: Change) -> ReviewStatus:
    if worst is Severity.BLOCKS:
        return ReviewStatus.BLOCKED
    if worst is Severity.WARNS:
        return ReviewStatus.WARNED
    if name is ReviewPass.PERFORMANCE:
        measured = [met for gate, met in change.met.items() if _measures(gate)]
        if not measured:
            return ReviewStatus.NOT_APPLICABLE
        return ReviewStatus.PASSED if all(measured) else ReviewStatus.WARNED
    looked = {
        ReviewPass.TEST: any(file.test or file.is_code for file in change.files),
        ReviewPass.CODE: any(file.is_text for file in change.files),
        ReviewPass.ANTI_SLOP: bool(change.code),
    }.get(name, bool(change.files))
    return ReviewStatus.PASSED if looked else ReviewStatus.NOT_APPLICABLE


def _measures(gate: str) -> bool:
    return any(word in gate for word in FAST)


def _find_gaps(name: ReviewPass, change: Change) -> Iterator[str]:
    """What a section did not look at, so that nobody takes silence for an all-clear."""
    ignored = [rule for rule in change.policy.ignore if RULES[rule].section is name]
    if ignored:
        yield f"ignored, as goalproof.toml says: {', '.join(ignored)}"
    if name is ReviewPass.PERFORMANCE and not any(map(_measures, change.met)):
        yield "no gate measures speed"
    if name is ReviewPass.TEST:
        for gate in sorted(gate for gate, met in change.met.items() if not met):
            yield f"gate {gate} is not green"
    unread = [
        file.path for file in change.files if file.is_python and file.new and file.tree is None
    ]
    if unread and name in (ReviewPass.CODE, ReviewPass.TEST, ReviewPass.ANTI_SLOP):
        yield f"read by lines alone: {', '.join(unread[:5])}{' …' if len(unread) > 5 else ''}"
