"""What every gate believes is seen by a look at the change; honest work is not asked about (S08)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from goal_engine.engine import Engine
from goal_engine.integration import accept_criterion
from goal_engine.proof.review import Severity
from goal_engine.proof.rules import RULES
from goal_engine.proof.verdict import REVIEWED
from goal_engine.reverify import ReverifyOutcome, verify_proof
from goal_engine.review import sections
from goal_engine.types import Decision
from goal_engine.verifier.bundle import proofs_folder
from goal_engine.verifier.review import review_goal
from tests.cheats.cases import Case, play, reasons
from tests.cheats.reviews import BLIND, HONEST, LIES, READY
from tests.integration.projects import GATE

pytestmark = pytest.mark.usefixtures("confined")


@pytest.mark.parametrize("case", LIES, ids=str)
async def test_a_lie_that_every_gate_believes_waits_for_a_person(
    case: Case, tmp_path: Path
) -> None:
    state, page, _ = await play(case, tmp_path)
    assert state.status is case.status, (state.status, reasons(state))
    assert reasons(state) == f"{case.says}: a person has to accept it", "and for nothing else"
    assert "| blocks |" in page


@pytest.mark.parametrize("case", HONEST, ids=str)
async def test_an_honest_worker_is_not_asked(case: Case, tmp_path: Path) -> None:
    state, page, _ = await play(case, tmp_path)
    assert state.status is READY, reasons(state)
    assert "## Review" in page and "| blocks |" not in page


@pytest.mark.parametrize("look", BLIND)
async def test_the_lie_would_work_on_a_review_without_that_look(
    look: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sections.PASSES, look)
    state, _, _ = await play(next(case for case in LIES if case.name == BLIND[look]), tmp_path)
    assert state.status is READY, reasons(state)


async def test_a_proof_that_leaves_a_finding_out_is_not_reproduced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = next(case for case in LIES if case.name == BLIND["leaks"])
    look = sections.PASSES["leaks"]
    monkeypatch.delitem(sections.PASSES, "leaks")
    state, _, _ = await play(case, tmp_path)
    assert state.status is READY and state.proof is not None
    folder = proofs_folder(tmp_path / "project", state.goal_id) / state.proof.digest
    again = await verify_proof(folder, tmp_path / "project")
    assert again.outcome is ReverifyOutcome.REPRODUCED, again.differences
    monkeypatch.setitem(sections.PASSES, "leaks", look)
    again = await verify_proof(folder, tmp_path / "project")
    assert again.outcome is ReverifyOutcome.NOT_REPRODUCED
    assert "verdict: ready there, needs_person here" in again.differences


async def test_what_the_person_wants_of_reviews_is_locked_and_proven(tmp_path: Path) -> None:
    case = next(case for case in HONEST if case.name == "leaves-a-to-do")
    files = {"goalproof.toml": GATE + '[review]\nblock = ["to-do-left"]\n'}
    does = case.does + '\nswap("goalproof.toml", "block", "ignore")\n'
    state, _, _ = await play(replace(case, files=files, does=does), tmp_path)
    assert "review-findings" in reasons(state) and "protected-paths" in reasons(state)
    assert state.proof is not None
    folder = proofs_folder(tmp_path / "project", state.goal_id) / state.proof.digest
    again = await verify_proof(folder, tmp_path / "project")
    assert again.outcome is ReverifyOutcome.REPRODUCED, again.differences


async def test_a_finding_that_a_person_accepted_is_reproduced(tmp_path: Path) -> None:
    case = next(case for case in LIES if case.name == BLIND["leaks"])
    state, _, _ = await play(case, tmp_path)
    engine = Engine.open(tmp_path / "project")
    try:
        decision = Decision(actor="me", reason="revoked")
        accepted = await accept_criterion(engine.ports, state.goal_id, REVIEWED, decision)
        looked = await review_goal(engine.ports, accepted)
    finally:
        engine.close()
    assert accepted.status is READY and accepted.proof is not None
    assert accepted.judgement is not None and looked == accepted.judgement.reviews
    folder = proofs_folder(tmp_path / "project", state.goal_id) / accepted.proof.digest
    again = await verify_proof(folder, tmp_path / "project")
    assert again.outcome is ReverifyOutcome.REPRODUCED, again.differences


def test_every_pass_that_can_block_has_a_lie() -> None:
    can = {rule.section for rule in RULES.values() if rule.severity is Severity.BLOCKS}
    assert len(can) == 4 and len(BLIND) == 6
    assert not {case.name for case in LIES if case.status is READY}
