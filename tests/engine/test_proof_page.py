"""The page of a proof tells a stranger what is shown, and above all what is not."""

from __future__ import annotations

import hashlib

import pytest

from goal_engine.budget import Spend
from goal_engine.decision import Acceptance, Criterion, CriterionState, EvidenceKind
from goal_engine.evidence import ChangedFile, GoalGitEvidence
from goal_engine.proof.gate import GateOutcome, GateResult, GateStage, TestOutcome
from goal_engine.proof.hunk import Hunk, HunkStanding, HunkTrial
from goal_engine.proof.report import render_proof_page
from goal_engine.proof.statement import (
    GoalProof,
    ProofCause,
    ProvenEnvironment,
    parse_statement,
    render_statement,
)
from goal_engine.proof.verdict import Bar, CriterionVerdict, GateVerdict, Judgement, Verdict
from goal_engine.types import GoalKind
from tests.builders import BASE, DIGEST, GOAL, ME, TREE, a_gate

FORMS = {1: "5225023f2fb5a475", 2: "b24a01948becf646"}
"""The beginning of the digest of each earlier form of the page."""


def a_proof(**changes) -> GoalProof:
    criterion = Criterion(id="adds", text="Sums | `x`", evidence=EvidenceKind.FLIPS, gate="tests")
    judgement = Judgement(
        tree=TREE,
        verdict=Verdict.READY,
        gates=(
            GateVerdict(
                gate="tests",
                required=True,
                bar=Bar.NO_NEW_FAILURES,
                met=True,
                reason="nothing new fails",
                gaps=("old::test",),
            ),
        ),
        criteria=(
            CriterionVerdict(criterion=criterion, state=CriterionState.VERIFIED, reason="it flips"),
        ),
    )
    tests = {"a": TestOutcome.PASSED, "old::test": TestOutcome.FAILED}
    ran = GateResult(
        gate="tests",
        stage=GateStage.PROVING,
        tree=TREE,
        outcome=GateOutcome.FAILED,
        exit_code=1,
        tests=tests,
    )
    file = ChangedFile(path="a.py", status="M", old_mode="100644", mode="100644", additions=1)
    return GoalProof(
        goal_id=GOAL,
        text="Make sums right <b>\n# now",
        kind=GoalKind.FIX,
        base_commit=BASE,
        base_tree=BASE,
        tree=TREE,
        judgement=judgement,
        evidence=GoalGitEvidence(base_tree=BASE, tree=TREE, files=(file,)),
        gates=(a_gate(),),
        runs=(ran,),
        protected=(),
        unfinished=(),
        environment=ProvenEnvironment(python="3.11.4", platform="Linux", git="2.43", digest=""),
        spend=Spend(),
        workers=("recipe",),
        key_id=DIGEST,
        key_exposed=True,
        journal_seq=3,
        journal_head=DIGEST,
    ).changed(**{"page": 3, **changes})


@pytest.mark.parametrize("form", FORMS)
def test_a_proof_that_was_made_before_has_the_page_that_it_had(form):
    """The pages of bundles that people keep are compared byte for byte."""
    text = "Make sums right <b>\n# now" + (", see https://a.example @ada #1" if form > 1 else "")
    page = render_proof_page(a_proof(page=form, text=text), DIGEST)
    assert hashlib.sha256(page.encode()).hexdigest().startswith(FORMS[form]), page


def test_what_comes_from_outside_is_no_link_and_calls_nobody():
    page = render_proof_page(a_proof(text="see https://a.example/x_y|z, @ada: fix #1 now_"), DIGEST)
    assert "\n> see `https://a.example/x_y\\|z,` `@ada:` fix `#1` now\\_\n" in page


def test_what_came_later_is_left_out_of_what_was_there_before():
    said = render_statement(a_proof(page=1))
    for name in (
        b'"page"',
        b'"cause"',
        b'"supersedes"',
        b'"hunks"',
        b'"setup"',
        b'"recovered"',
        b'"protected_list"',
    ):
        assert name not in said
    assert parse_statement(said) == a_proof(page=1)


def test_a_stranger_reads_what_was_shown_and_how_to_run_it_again():
    page = render_proof_page(a_proof(supersedes="e" * 64, cause=ProofCause.VERIFIED), DIGEST)
    for words in (
        "**ready**: every required gate met its bar",
        "| Sums \\| \\`x\\` | flips | **verified** | it flips | gate tests |",
        "now: failed (1 failed, 1 passed)",
        "old::test failed before as well and still does",
        "no hunk was taken away on its own",
        "no sandbox",
        "an unsandboxed worker could have read the key",
        f"supersedes: `{'e' * 64}`",
        "python3 verify.py --run --repository CLONE",
    ):
        assert words in page, words
    assert "<b>" not in page.replace("\\<b\\>", "") and "\n# now" not in page


def test_each_thing_that_is_not_shown_is_said():
    word = Acceptance(criterion="docs", tree=TREE, decision=ME)
    page = render_proof_page(
        a_proof(
            waived=("lint",),
            acceptances=(word, word.changed(criterion="other", tree=BASE)),
            unfinished=("task two failed",),
            protected=("conftest.py",),
            hunks=(
                HunkTrial(hunk=Hunk(path="b.py", head=(4, 5)), standing=HunkStanding.CONSTRAINED),
                HunkTrial(
                    hunk=Hunk(path="a.py", head=(4, 9)),
                    standing=HunkStanding.UNPROVEN,
                    reason="nothing changes",
                ),
            ),
        ),
        DIGEST,
    )
    for words in (
        "gate lint counts for nothing here",
        "docs rests on the word of me: I looked at it",
        "unfinished: task two failed",
        "were changed: conftest.py",
        "1 constrained, 1 unproven",
        "| `a.py:5-9` | **unproven** | nothing changes |",
    ):
        assert words in page, words
    assert "other rests" not in page
    assert page.index("a.py:5-9") > page.index("## Each hunk, taken away")
