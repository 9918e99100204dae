"""The proof: an in-toto Statement about a tree and its base, named by the digest of its bytes.

Its envelope is signed, and it says what that is worth: whoever made it could have made another.
Running it again is what convinces (DESIGN §8).
"""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field, ValidationError

from goal_engine.budget import Spend
from goal_engine.decision import Acceptance, Answer, Decided, Rejection
from goal_engine.errors import ProofRefused
from goal_engine.evidence import GoalGitEvidence
from goal_engine.proof.checked import CheckResult
from goal_engine.proof.confinement import Confinement
from goal_engine.proof.gate import GateResult, GateSpec
from goal_engine.proof.hunk import HunkTrial
from goal_engine.proof.review import ReviewPolicy
from goal_engine.proof.verdict import Judgement
from goal_engine.stagnation import Round
from goal_engine.types import Frozen, GitOid, GoalId, GoalKind, Sha256, later

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:goalproof:goal-proof:v1"


class ProofCause(StrEnum):
    """Why a proof was made; with its tree, also why it took the place of the one before."""

    JUDGED = "judged"
    """The goal was worked on and its gates ran."""
    ACCEPTED = "accepted"
    """A person accepted a criterion."""
    REJECTED = "rejected"
    """A person said no to the result."""
    VERIFIED = "verified"
    """The gates ran again on the tree that there was."""
    HUNKS = "hunks"
    """Its hunks were taken away, one at a time."""
    REVIEWED = "reviewed"
    """An agent was asked for a review of it, which changed no verdict."""
    REBASED = "rebased"
    """Its base moved to newer commits, and all of it was judged there."""
    RECOVERED = "recovered"
    """The bundle before was lost or damaged; this one was made again from the journal."""


SUPERSEDED = {
    ProofCause.JUDGED: "the goal was executed again",
    ProofCause.ACCEPTED: "a person accepted a criterion",
    ProofCause.REJECTED: "a person rejected it",
    ProofCause.VERIFIED: "its gates ran again",
    ProofCause.HUNKS: "its hunks were tried",
    ProofCause.REVIEWED: "an agent reviewed it",
    ProofCause.REBASED: "its base moved to newer commits",
    ProofCause.RECOVERED: "its bundle was lost or damaged",
}
"""Why a proof was superseded by one of the same tree, by the cause of that one."""


def say_superseded(cause: ProofCause, *, same_tree: bool) -> str:
    """Return why a proof was superseded by one that was made for `cause`."""
    told = same_tree or cause is ProofCause.REBASED
    return SUPERSEDED[cause] if told else "the goal has another tree"


class ProvenEnvironment(Frozen):
    """Where the gates ran."""

    python: str
    """The interpreter's version, empty when none was found."""
    platform: str
    git: str
    digest: str
    """Of everything that the view of the environment was made from."""
    notes: tuple[str, ...] = ()


class GoalProof(Frozen):
    """What the engine saw of one tree (seed: `GoalProof`).  Immutable; the statement's predicate."""

    goal_id: GoalId
    text: str
    kind: GoalKind
    base_commit: GitOid
    base_tree: GitOid
    tree: GitOid
    judgement: Judgement
    evidence: GoalGitEvidence
    gates: tuple[GateSpec, ...]
    runs: tuple[GateResult, ...]
    checks: tuple[CheckResult, ...] = later(())
    """What the engine looked at itself for criteria."""
    protected: tuple[str, ...]
    protected_list: Literal[1, 2] = later(1)
    """By which version of the list of files that need a person."""
    undone: tuple[str, ...] = later(())
    """What it undoes of the work between the goal's first base and this one, a sentence each; who has
    the proof alone does not have that first base, and takes this as it is."""
    unfinished: tuple[str, ...]
    environment: ProvenEnvironment
    spend: Spend
    workers: tuple[str, ...]
    acceptances: tuple[Acceptance, ...] = ()
    rejections: tuple[Rejection, ...] = later(())
    """Results that a person said no to, of earlier trees too."""
    decisions: tuple[Decided, ...] = later(())
    """All that people decided about the goal, oldest first."""
    answers: tuple[Answer, ...] = ()
    waived: tuple[str, ...] = ()
    rounds: tuple[Round, ...] = later(())
    """The results of this run that gates said no to, repairs too, oldest first."""
    sandbox: Literal["none", "bubblewrap"] = "none"
    """What all that ran for the goal ran in; `none` where that is not so of everything."""
    confined: tuple[Confinement, ...] = later(())
    """What workers and gates ran in, and where that was nothing, why."""
    key_id: Sha256
    """The key that has to have signed this."""
    key_exposed: bool
    """Whether something that ran could have read the private key: unsandboxed, as the same user."""
    journal_seq: int
    journal_head: Sha256
    """The digest of the journal's last line before this proof."""
    files: dict[str, Sha256] = Field(default_factory=dict)
    """Every other file of the bundle and its digest."""
    page: Literal[1, 2, 3] = later(1)
    """Which form the page of the bundle has."""
    cause: ProofCause = later(ProofCause.JUDGED)
    supersedes: Sha256 | None = later(None)
    """The proof that the goal had before this one."""
    review: ReviewPolicy = later(ReviewPolicy())
    """What the person wanted of the review."""
    setup: tuple[tuple[str, ...], ...] = later(())
    """Commands that made each workspace ready before a gate ran in it."""
    recovered: bool = later(False)
    """Whether it was made again from the journal: where its gates ran is not known then."""
    hunks: tuple[HunkTrial, ...] = later(())
    """What was seen without each hunk, where that was asked for; nothing is judged by it."""


def render_statement(proof: GoalProof) -> bytes:
    """Return the bytes that are the proof; the same proof gives the same bytes."""
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [
            {"name": "tree", "digest": {"gitTree": proof.tree}},
            {"name": "base", "digest": {"gitCommit": proof.base_commit}},
        ],
        "predicateType": PREDICATE_TYPE,
        "predicate": proof.model_dump(mode="json"),
    }
    return json.dumps(statement, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def parse_statement(data: bytes) -> GoalProof:
    """Return the proof in `data`.  Raises `ProofRefused` unless it is a statement of ours, as is."""
    try:
        statement: Any = json.loads(data)
        proof = GoalProof.model_validate(statement["predicate"])
    except (ValueError, KeyError, TypeError, ValidationError, RecursionError) as error:
        raise ProofRefused(f"statement.json is no goal proof: {str(error)[:300]}.") from error
    if render_statement(proof) != data:
        raise ProofRefused(
            "statement.json says its proof in another way than Goalproof writes it; refused."
        )
    return proof


def find_digest(data: bytes) -> str:
    """Return the name of a proof: the sha256 of its statement's bytes."""
    return hashlib.sha256(data).hexdigest()
