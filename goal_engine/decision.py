"""What a goal must show, and what people decided about it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from goal_engine.check import Check, describe_check
from goal_engine.types import Decision, Frozen, GitOid, later

CriterionId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9:._-]{0,79}$")]


class EvidenceKind(StrEnum):
    """The evidence a criterion asks for, fixed when the goal is planned."""

    FLIPS = "flips"
    """Red or absent on the base, green now, red again without the change."""
    HOLDS = "holds"
    """Green before and after."""
    ACCEPTED = "accepted"
    """A person says so, with a reason, for one tree."""


class CriterionState(StrEnum):
    """How far a criterion has come."""

    VERIFIED = "verified"
    IMPLEMENTED_UNVERIFIED = "implemented_unverified"
    PARTIAL = "partial"
    BLOCKED = "blocked"
    NOT_ADDRESSED = "not_addressed"


class Criterion(Frozen):
    """One thing that the goal must show."""

    id: CriterionId
    text: str = Field(min_length=1)
    evidence: EvidenceKind
    gate: str | None = None
    """The gate that gives the evidence; needed unless a person does."""
    tests: tuple[str, ...] = ()
    """The gate's tests that speak for this criterion; the whole gate when empty."""
    some_test: bool = later(False)
    """One test that flips is enough: of `tests`, which then may be parts of names, else of all.
    Without `gate` it may be of any gate that tells its tests apart."""
    new_tests: Literal["show", "trust"] = later("show")
    """Whether a flipping test that the plan does not name convinces by itself, or is shown to a
    person: a test that came with the change shows that the change does something, not that it does
    what was asked."""
    check: Check | None = later(None)
    """What the engine itself looks at or runs."""
    why: str = later("")
    """Why the oracle proposed it; empty for what a person wrote."""

    @property
    def wants_flip(self) -> bool:
        """Whether what its gate says without the change is asked for."""
        return self.check is None and (self.evidence is EvidenceKind.FLIPS or self.some_test)


class Acceptance(Frozen):
    """A person's word for one criterion.  Void on any other tree."""

    criterion: CriterionId
    tree: GitOid
    decision: Decision


class Rejection(Frozen):
    """A person's no to one result.  It says nothing of any other tree."""

    tree: GitOid
    decision: Decision


class Decided(Frozen):
    """What somebody decided about a goal: the verb they used, about what, and why."""

    verb: str
    about: str = ""
    """The criterion, question, gate, task or branch; empty where it is the whole goal."""
    tree: GitOid | None = None
    """The result that was decided about, where it was one."""
    decision: Decision


class Question(Frozen):
    """Something a person has to say before work can start."""

    id: CriterionId
    text: str


WAIVE = "gate:"
"""A question with this prefix asks whether a gate is required; the answer `optional` waives it."""
CHOICES = {
    "proposal:": ("accept", "refuse"),
    WAIVE: ("optional", "required"),
    "unmetered": ("unlimited",),
    "tamper": ("restore", "mine"),
    "moved": ("mine",),
}
"""How the ids of the engine's own questions begin, and what can be answered; the usual one first."""


def find_choices(question: str) -> tuple[str, ...]:
    """Return the answers that a question has, none where only the person knows."""
    return next((said for prefix, said in CHOICES.items() if question.startswith(prefix)), ())


def find_usual_answer(question: str) -> str:
    """Return what to type for an answer; where only the person knows, the word `TEXT`."""
    return next(iter(find_choices(question)), "TEXT")


class Answer(Frozen):
    """What the person said."""

    question: CriterionId
    text: str
    decision: Decision


EVIDENCE = {
    EvidenceKind.FLIPS: "red before, green now, red again without the change",
    EvidenceKind.HOLDS: "green before and after",
    EvidenceKind.ACCEPTED: "a person's word",
}


def describe_evidence(criterion: Criterion) -> str:
    """Return in words what a criterion asks for."""
    said = EVIDENCE[criterion.evidence]
    if criterion.check is not None:
        seen = describe_check(criterion.check)
        return f"{said}, shown {seen}" if criterion.evidence is EvidenceKind.ACCEPTED else seen
    if criterion.evidence is EvidenceKind.ACCEPTED or not criterion.some_test:
        return said
    which = f"{', '.join(criterion.tests)}" if criterion.tests else "some test"
    trust = ", whoever wrote it" if criterion.new_tests == "trust" else ""
    return f"{which}{trust}: {said}"
