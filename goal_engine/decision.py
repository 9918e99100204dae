"""What a goal must show, and what people decided about it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from goal_engine.types import Decision, Frozen, GitOid

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


class Acceptance(Frozen):
    """A person's word for one criterion.  Void on any other tree."""

    criterion: CriterionId
    tree: GitOid
    decision: Decision


class Question(Frozen):
    """Something a person has to say before work can start."""

    id: CriterionId
    text: str


class Answer(Frozen):
    """What the person said."""

    question: CriterionId
    text: str
    decision: Decision
