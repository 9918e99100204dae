"""The same promise in each ecosystem, with its real tools: a mended test is evidence, and a lie is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from goal_engine.document import parse_plan
from goal_engine.engine import Engine
from goal_engine.proof.gate import TestOutcome
from goal_engine.queries import resolve_goal_proof
from goal_engine.reverify import inspect_bundle
from goal_engine.state.model import GoalState
from goal_engine.types import GoalStatus
from tests.ecosystems.projects import ECOSYSTEMS, Ecosystem, a_project, plan_text
from tests.ecosystems.tools import Toolchains, install_toolchains
from tests.integration.projects import run

pytestmark = pytest.mark.timeout(400)  # compilers and package folders, on a machine that is busy


@pytest.fixture(scope="session")
def toolchains() -> Toolchains:
    return install_toolchains()


@pytest.fixture(params=ECOSYSTEMS)
def ecosystem(request: pytest.FixtureRequest) -> Ecosystem:
    return ECOSYSTEMS[request.param]


@pytest.fixture
def project(
    ecosystem: Ecosystem, toolchains: Toolchains, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    for name, value in toolchains.environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    return a_project(tmp_path.resolve() / "shop", ecosystem, toolchains)


async def pursue(engine: Engine, ecosystem: Ecosystem, new: str) -> GoalState:
    return await run(engine, parse_plan(plan_text(ecosystem, new), "plan.toml"))


async def test_a_change_that_mends_the_test_is_proven_and_reproduced(
    ecosystem: Ecosystem, project: Path, tmp_path: Path
) -> None:
    engine = Engine.open(project)
    try:
        state = await pursue(engine, ecosystem, ecosystem.right)
        bundle = await resolve_goal_proof(engine.ports, "latest")
    finally:
        engine.close()
    proof, _ = inspect_bundle(bundle)
    said = {(run.stage.value, run.tests.get(ecosystem.test)) for run in proof.runs}
    assert state.status is GoalStatus.READY, (said, state.judgement, proof.runs)
    red = TestOutcome.FAILED
    assert said == {
        ("baseline", red),
        ("counterfactual", red),
        ("proving", TestOutcome.PASSED),
    }
    assert all(str(tmp_path) not in test for run in proof.runs for test in run.tests)
    assert {len(run.tests) for run in proof.runs} == {2}
    reproduce(bundle, project)


def reproduce(bundle: Path, project: Path) -> None:
    """Run a bundle's script as a stranger would."""
    alone = [sys.executable, "-I", "-S", str(bundle / "verify.py"), "--run"]
    done = subprocess.run(
        [*alone, "--repository", str(project)], cwd=bundle, env=dict(os.environ),
        capture_output=True, text=True, timeout=100, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout.splitlines()[-1].startswith("REPRODUCED")


async def test_a_change_that_only_prints_that_it_does_is_not(
    ecosystem: Ecosystem, project: Path
) -> None:
    engine = Engine.open(project)
    try:
        state = await pursue(engine, ecosystem, ecosystem.forged)
    finally:
        engine.close()
    assert state.status is GoalStatus.NOT_READY
    assert state.judgement is not None and not state.judgement.gates[0].met
