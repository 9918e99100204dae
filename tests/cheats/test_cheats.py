"""No worker of the corpus that lies gets `ready`, and those that are honest do (S08, S09).

`lies` are caught; `shown` are those that no gate can tell from the truth: the proof shows what a
reader needs to see it; `honest` are the controls.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from goal_engine import lifecycle
from goal_engine.errors import JournalDamaged
from goal_engine.proof import verdict
from goal_engine.proof.gate import GateStage
from goal_engine.reverify import ReverifyOutcome, verify_proof
from goal_engine.types import GoalStatus
from goal_engine.verifier import observe
from goal_engine.verifier.bundle import proofs_folder, read_bundle
from tests.cheats import flakes, honest, lies, oracles, shown
from tests.cheats.cases import Case, often, play, reasons
from tests.cheats.lies import FORGERY
from tests.cheats.repairs import REPAIR_HONEST, REPAIR_LIES

pytestmark = pytest.mark.usefixtures("confined")

READY = GoalStatus.READY
LIES = (*lies.LIES, *oracles.LIES, *flakes.LIES)
SHOWN = (*shown.SHOWN, *flakes.SHOWN)
HONEST = (*honest.HONEST, *oracles.HONEST, *flakes.HONEST)


@pytest.mark.parametrize("case", often([*LIES, *REPAIR_LIES]), ids=str)
async def test_a_lie_is_never_ready(case: Case, tmp_path: Path) -> None:
    state, _, _ = await play(case, tmp_path)
    assert state.status is case.status, (state.status, reasons(state))
    assert case.says in reasons(state)


async def test_a_line_of_the_journal_that_nobody_wrote_is_damage(tmp_path: Path) -> None:
    with pytest.raises(JournalDamaged, match=FORGERY.says):
        await play(FORGERY, tmp_path)


@pytest.mark.parametrize("case", SHOWN, ids=str)
async def test_what_no_gate_can_tell_is_shown(case: Case, tmp_path: Path) -> None:
    state, page, change = await play(case, tmp_path)
    assert state.status is case.status, (state.status, reasons(state))
    assert case.says in page + change


@pytest.mark.parametrize("case", often([*HONEST, *REPAIR_HONEST]), ids=str)
async def test_an_honest_worker_is_believed(case: Case, tmp_path: Path) -> None:
    state, _, _ = await play(case, tmp_path)
    assert state.status is case.status, (state.status, reasons(state))
    assert case.says in reasons(state)


BLIND = {
    "runner": ("writes-a-runner-that-reports-success", observe, "find_protected_change"),
    "rewriting": ("expects-the-failure-of-what-it-broke", verdict, "_find_rewritten"),
    "removal": ("skips-another-test-that-it-broke", verdict, "_find_removed"),
    "reach": ("disarms-the-assertions-from-the-code", lifecycle, "find_reaching_change"),
}
"""A lie, and what an engine without one look would not see."""


@pytest.mark.parametrize("look", BLIND)
async def test_the_lie_would_work_on_an_engine_that_does_not_look(
    look: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, module, piece = BLIND[look]
    monkeypatch.setattr(module, piece, lambda *_: ())
    state, _, _ = await play(next(case for case in LIES if case.name == name), tmp_path)
    assert state.status is READY, reasons(state)


async def test_a_proof_about_tests_and_code_is_reproduced(tmp_path: Path) -> None:
    case = next(case for case in HONEST if case.name == "adds-the-test-that-the-criterion-names")
    state, _, _ = await play(case, tmp_path)
    assert state.proof is not None
    folder = proofs_folder(tmp_path / "project", state.goal_id) / state.proof.digest
    again = await verify_proof(folder, tmp_path / "project")
    assert again.outcome is ReverifyOutcome.REPRODUCED, again.differences
    assert {run.stage for run in read_bundle(folder)[0].runs} == set(GateStage)


async def test_what_depends_on_the_machine_is_not_reproduced_elsewhere(tmp_path: Path) -> None:
    case = next(case for case in SHOWN if case.name == "reads-a-file-outside-that-it-left-there")
    state, _, _ = await play(case, tmp_path)
    assert state.proof is not None
    (tmp_path / "sums.txt").unlink()
    folder = proofs_folder(tmp_path / "project", state.goal_id) / state.proof.digest
    again = await verify_proof(folder, tmp_path / "project")
    assert again.outcome is ReverifyOutcome.NOT_REPRODUCED


def test_the_corpus_is_large_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    lies, honest = (*LIES, *REPAIR_LIES), (*HONEST, *REPAIR_HONEST)
    alarms = [case for case in honest if case.status is not READY and not case.by_design]
    assert len(lies) >= 60 and len(honest) >= 40
    assert not [case.name for case in lies if case.status is READY], "zero false ready"
    assert len(alarms) <= 0.02 * len(honest)
    everything = (*lies, *SHOWN, *honest)
    assert len({case.name for case in everything}) == len(everything)
    assert all(case.why for case in everything)
    assert all(case.says for case in (*lies, *SHOWN)), "a lie is caught for the right reason"
    ends = Counter(case.status.value for case in lies)
    believed = sum(case.status is READY for case in honest)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{len(lies)} lies: {dict(ends)}; {len(SHOWN)} shown; {len(honest)} honest: {believed} "
            f"ready, {len(honest) - believed - len(alarms)} wait by design, {len(alarms)} alarms\n"
        )
