"""What every gate believes is seen by a look at the change; honest work is not asked about (S08)."""

from __future__ import annotations

from pathlib import Path

import pytest

from goal_engine.proof.review import Severity
from goal_engine.review import sections
from goal_engine.review.rules import RULES
from tests.cheats.cases import Case, play, reasons
from tests.cheats.reviews import BLIND, HONEST, LIES, READY


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


def test_every_pass_that_can_block_has_a_lie() -> None:
    can = {rule.section for rule in RULES.values() if rule.severity is Severity.BLOCKS}
    assert len(can) == 4 and len(BLIND) == 6
    assert not {case.name for case in LIES if case.status is READY}
