"""A project with a flaky test, end to end: the goal is ready, the proof says so and runs again."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from goal_engine.engine import Engine
from goal_engine.proof.gate import GateStage
from goal_engine.reverify import ReverifyOutcome, verify_proof
from goal_engine.types import GoalStatus
from goal_engine.verifier.bundle import proofs_folder, read_bundle
from tests.cheats.flakes import IN_QUARANTINE, KNOWN, NETWORK
from tests.integration.projects import FIX, a_plan, a_project, run

pytestmark = pytest.mark.one_python


@pytest.mark.parametrize("files", [KNOWN, IN_QUARANTINE], ids=["known", "quarantined"])
async def test_a_flaky_test_is_listed_and_its_proof_runs_again(
    files: dict[str, str], tmp_path: Path
) -> None:
    project = a_project(tmp_path / "project", **files)
    engine = Engine.open(project)
    try:
        state = await run(engine, a_plan(FIX))
        assert state.status is GoalStatus.READY, state.judgement and state.judgement.reasons
        assert state.proof is not None and state.judgement is not None
        bundle = proofs_folder(project, state.goal_id) / state.proof.digest
    finally:
        engine.close()
    proof, _ = read_bundle(bundle)
    page = (bundle / "proof.md").read_text(encoding="utf-8")
    (gate,) = state.judgement.gates
    (proving,) = (one for one in proof.runs if one.stage is GateStage.PROVING)
    if files is KNOWN:
        assert gate.flaky and NETWORK in gate.flaky[0] and proving.runs > 1
        assert "flaky, so it backs nothing" in page
    else:
        assert gate.quarantined and NETWORK in gate.quarantined[0]
        assert "quarantined, so it backs nothing" in page
    again = await verify_proof(bundle, project)
    assert again.outcome is ReverifyOutcome.REPRODUCED, again.differences
    code, said = await asyncio.to_thread(run_alone, bundle, project)
    assert code == 0, said


def run_alone(bundle: Path, project: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-I", bundle / "verify.py", "--run", "--repository", project],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr
