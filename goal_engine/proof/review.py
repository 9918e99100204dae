"""What a review without a model found: findings with a place, in six sections.

A review lowers nothing and overrides nothing.  What it finds that blocks is asked of a person; the
rest is told.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from goal_engine.types import Frozen


class Severity(StrEnum):
    """What a finding does."""

    BLOCKS = "blocks"
    """A person has to accept it for this tree."""
    WARNS = "warns"
    NOTES = "notes"


class ReviewPass(StrEnum):
    """The sections of a review, in their order (seed: the review wall)."""

    ARCHITECT = "architect"
    CODE = "code"
    TEST = "test"
    SECURITY = "security"
    PERFORMANCE = "performance"
    ANTI_SLOP = "anti-slop"


class ReviewStatus(StrEnum):
    """How a section stands: that of its worst finding."""

    PASSED = "passed"
    BLOCKED = "blocked"
    WARNED = "warned"
    NOT_APPLICABLE = "not_applicable"
    """There was nothing that this section looks at."""


class Finding(Frozen):
    """One thing in the change that a reader should see."""

    rule: str
    section: ReviewPass
    severity: Severity
    path: str
    line: int | None = None
    """In the result, from 1."""
    message: str
    excerpt: str = ""
    """The line, cut short and without secrets."""

    @property
    def place(self) -> str:
        """Where it is, as people write it."""
        return self.path if self.line is None else f"{self.path}:{self.line}"


class ReviewSection(Frozen):
    """One section of a review."""

    name: ReviewPass
    status: ReviewStatus
    findings: tuple[Finding, ...] = ()
    more: int = 0
    """Findings that are not listed."""
    risks: tuple[str, ...] = ()
    """What the findings mean, one sentence each."""
    gaps: tuple[str, ...] = ()
    """What was not looked at."""
    next: str = ""
    """What to do about it."""


class ReviewPolicy(Frozen):
    """What a person wants of reviews, as written when the goal was created (`[review]`)."""

    block: tuple[str, ...] = ()
    """Rules whose findings a person has to accept, which else are only told."""
    ignore: tuple[str, ...] = ()
    """Rules whose findings are left out; each section says so."""


def find_blocking(reviews: Iterable[ReviewSection]) -> tuple[Finding, ...]:
    """Return the findings that a person has to accept."""
    findings = (finding for section in reviews for finding in section.findings)
    return tuple(finding for finding in findings if finding.severity is Severity.BLOCKS)
