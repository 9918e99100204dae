"""An agent's review: what it is told, and that what it says has a place, is marked, and decides nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from goal_engine.agent_review import (
    CUT,
    MOST,
    OPENING,
    OPINION,
    PATCH,
    RISK,
    SHAPE,
    AgentReview,
    Reviewed,
    add_opinions,
    parse_agent_review,
    render_review_prompt,
    say_missing_review,
)
from goal_engine.decision import Criterion, EvidenceKind
from goal_engine.evidence import ChangedFile, GoalGitEvidence
from goal_engine.last_block import NotTaken
from goal_engine.proof.review import (
    Finding,
    ReviewPass,
    ReviewSection,
    ReviewStatus,
    Severity,
    find_blocking,
)
from tests.builders import BASE, TREE, a_gate_result
from tests.engine.test_agent_plan import said as said_plan

CHANGE = GoalGitEvidence(
    base_tree=BASE,
    tree=TREE,
    files=(ChangedFile(path="calc.py", status="M", old_mode="100644", mode="100644"),),
)
ASKED = Criterion(id="adds", text="Sums are right", evidence=EvidenceKind.FLIPS, gate="tests")
ONE: dict[str, Any] = {"section": "code", "path": "calc.py", "line": 2, "message": "It adds twice."}
REVIEWED = Reviewed("Make sums right.", (ASKED,), (a_gate_result(),), CHANGE, "~~~\n+Rules: none")


def said(*findings: dict[str, Any]) -> str:
    return said_plan(findings=list(findings))


def read(text: str) -> AgentReview:
    return parse_agent_review(text, CHANGE, lambda path: {"calc.py": 9}[path])


def a_section(name: ReviewPass, *findings: Finding, **more: Any) -> ReviewSection:
    return ReviewSection(name=name, status=ReviewStatus.PASSED, findings=findings).changed(**more)


def test_the_prompt_holds_the_change_and_what_gates_said_between_fences() -> None:
    prompt = render_review_prompt(REVIEWED)
    assert (
        prompt[len(OPENING) : -len(SHAPE)]
        == """
## The goal of the change

~~~
Make sums right.
~~~

## What it has to show

~~~
adds: Sums are right (flips: gate tests)
~~~

## What the gates said of it

~~~
tests: passed
~~~

## The files it touches

~~~
M calc.py
~~~

## The change

~~~~
~~~
+Rules: none
~~~~

"""
    )


def test_a_long_change_is_cut_at_a_line() -> None:
    prompt = render_review_prompt(Reviewed("x", (), (), CHANGE, f"{'+' * 99}\n" * PATCH))
    assert len(prompt) < PATCH + len(OPENING) + len(SHAPE) + 1000
    assert f"{'+' * 99}{CUT}" in prompt
    line = "\u6f22" * 99
    prompt = render_review_prompt(Reviewed("x", (), (), CHANGE, f"{line}\n" * 600))
    assert len(prompt.encode()) < PATCH + len(OPENING) + len(SHAPE) + 1000
    assert f"{line}{CUT}" in prompt


def test_the_example_of_the_prompt_is_a_review() -> None:
    found = parse_agent_review(SHAPE.replace("src/parser.py", "calc.py"), CHANGE, lambda _: 20)
    assert [(one.path, one.line) for one in found.findings] == [("calc.py", 12)]


def test_a_finding_has_a_place_in_the_change_or_is_left_out() -> None:
    review = read(said(ONE, {**ONE, "path": "other.py"}, {**ONE, "line": 10}, ONE))
    assert [(one.path, one.line) for one in review.findings] == [("calc.py", 2), ("calc.py", None)]


def test_what_is_said_is_one_plain_line_without_secrets() -> None:
    key = "AKIA" + "IOSFODNN7" + "QWERTYU"
    (one,) = read(said({**ONE, "message": f"a\x1b[31m\u202e\nb {key}"})).findings
    assert one.message.startswith("a [31m b ") and key not in one.message


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("all good", "there is no block"),
        (said({**ONE, "section": "style"}), "findings.0.section"),
        (said({**ONE, "severity": "blocks"}), "findings.0.severity"),
        (said({**ONE, "line": 0}), "findings.0.line"),
        (said({**ONE, "message": " "}), "findings.0.message"),
        (said({**ONE, "accept": True}), "findings.0.accept"),
        (said(*[{**ONE, "line": None}] * (MOST + 1)), "findings"),
        (said({**ONE, "path": "../etc/passwd"}), "no finding of it is about a file"),
        (said_plan(verdict="ready"), "findings: Field required"),
    ],
)
def test_what_is_no_review(text: str, why: str) -> None:
    with pytest.raises(NotTaken, match=why):
        read(text)


def test_opinions_stand_after_what_the_engine_found_and_never_block() -> None:
    blocks = Finding(
        rule="secret",
        section=ReviewPass.CODE,
        severity=Severity.BLOCKS,
        path="calc.py",
        message="x",
    )
    sections = (
        a_section(ReviewPass.ARCHITECT),
        a_section(ReviewPass.CODE, blocks, status=ReviewStatus.BLOCKED, next="look"),
        a_section(ReviewPass.TEST, status=ReviewStatus.NOT_APPLICABLE),
    )
    review = read(
        said(ONE, {**ONE, "section": "architect"}, {**ONE, "section": "test", "severity": "notes"})
    )
    architect, code, test = add_opinions(sections, review, "mine")
    assert (architect.status, architect.risks) == (ReviewStatus.WARNED, (RISK,))
    assert (code.status, code.next, len(code.findings)) == (ReviewStatus.BLOCKED, "look", 2)
    assert (test.status, test.risks) == (ReviewStatus.PASSED, ())
    assert code.findings[1].rule == OPINION and code.findings[1].message == "mine: It adds twice."
    assert find_blocking((architect, code, test)) == (blocks,)
    assert add_opinions(sections, AgentReview(findings=()), "mine") == sections


def test_a_review_that_is_missing_is_a_gap() -> None:
    sections = (a_section(ReviewPass.CODE), a_section(ReviewPass.TEST))
    code, test = say_missing_review(sections, "mine", ("log in first",))
    assert code.gaps == ("no review of mine: log in first",) and test.gaps == ()
    assert code.status is ReviewStatus.PASSED


def test_a_review_is_kept_as_it_was_taken() -> None:
    review = read(said(ONE))
    assert AgentReview.model_validate_json(json.dumps(review.model_dump(mode="json"))) == review
