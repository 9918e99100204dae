"""Goals that an agent works on over ACP, from the plan to the proof."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from goal_engine.budget import GoalBudget, SpendSource
from goal_engine.control import cancel_goal
from goal_engine.engine import Engine
from goal_engine.lifecycle import execute_goal
from goal_engine.planner import CreateGoalOptions, create_goal
from goal_engine.queries import resolve_goal_proof
from goal_engine.state.model import GoalState
from goal_engine.types import Decision, GoalStatus
from goal_engine.verifier.bundle import read_bundle
from tests.integration.projects import a_project, fingerprint
from tests.integration.test_acp_worker import SPEAKS
from tests.integration.test_cli_worker import a_plan
from tests.personal import set_sandbox

pytestmark = pytest.mark.one_python

S = GoalStatus
ME = Decision(actor="me", reason="enough")
PATIENCE = 120.0
FIXES = """
import pathlib
name = begin()
update("usage_update", cost={"amount": 0.25, "currency": "USD"})
path = pathlib.Path("calc.py")
path.write_text(path.read_text().replace("a - b", "a + b"))
end(name, usage={"totalTokens": 120})
"""
LIES = 'name = begin(); words("All tests pass now."); end(name)'
WAITS = """
name = begin()
update("usage_update", cost={"amount": 3, "currency": "USD"})
open(sys.argv[1], "w").close()
with open(sys.argv[1] + ".heard", "w") as file:
    file.write(told("session/cancel")["method"])
end(name, "cancelled")
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOALPROOF_CONFIG_DIR", str(tmp_path / "config"))
    set_sandbox(tmp_path / "config", "off")
    return tmp_path / "config"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = Engine.open(a_project(tmp_path / "project"))
    yield opened
    opened.close()


def configure(config: Path, script: str, *more: str) -> None:
    argv = json.dumps([sys.executable, "-I", "-c", SPEAKS + script, *more])
    (config / "agents.toml").write_text(f"[agent.mine]\nacp = {argv}\n", encoding="utf-8")


def install(folder: Path, script: str, *more: str) -> None:
    """Put a program on PATH that passes for OpenCode, which says what it costs as it goes."""
    folder.mkdir()
    code = f"#!{sys.executable} -I\nimport sys\nsys.argv = {['', *more]!r}\n{SPEAKS}{script}"
    (folder / "opencode").write_text(code, encoding="utf-8")
    (folder / "opencode").chmod(0o755)


async def create(engine: Engine, agent: str = "mine", **options) -> GoalState:
    choice = await engine.choose_gates()
    plan = a_plan(agent=f'"{agent}"')
    tasks = tuple(task.changed(worker="acp") for task in plan.tasks)
    made = CreateGoalOptions(gates=choice.specs, plan=plan.changed(tasks=tasks), **options)
    return await create_goal(engine.ports, "", made)


async def test_an_agent_that_is_talked_to_fixes_it_and_the_proof_names_it(
    engine: Engine, config: Path
) -> None:
    before = fingerprint(engine.checkout)
    configure(config, FIXES)
    state = await execute_goal(engine.ports, (await create(engine)).goal_id)
    assert state.status is S.READY, state.judgement
    assert state.spend.tokens == 120 and str(state.spend.usd) == "0.25" and state.spend.turns == 1
    assert state.spend.source is SpendSource.VENDOR_REPORTED
    proof, _ = read_bundle(await resolve_goal_proof(engine.ports, state.goal_id))
    assert proof.workers == ("acp (mine)",)
    assert fingerprint(engine.checkout) == before


async def test_an_agent_that_ends_its_turn_well_and_did_nothing_is_not_ready(
    engine: Engine, config: Path
) -> None:
    configure(config, LIES)
    state = await execute_goal(engine.ports, (await create(engine)).goal_id)
    assert state.status is S.NOT_READY


async def test_a_goal_that_is_cancelled_tells_its_agent_first(
    engine: Engine, config: Path, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    configure(config, WAITS, str(begun))
    state = await create(engine)
    job = asyncio.ensure_future(execute_goal(engine.ports, state.goal_id))
    async with asyncio.timeout(PATIENCE):
        while not begun.exists():  # noqa: ASYNC110 - another process tells nobody
            await asyncio.sleep(0.01)
        await cancel_goal(engine.ports, state.goal_id, ME)
        assert (await job).status is S.CANCELLED
    assert begun.with_name("begun.heard").read_text() == "session/cancel"


async def test_an_agent_that_used_the_budget_up_is_stopped_in_the_middle(
    engine: Engine, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = tmp_path / "begun"
    install(tmp_path / "bin", WAITS, str(begun))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    state = await create(engine, "opencode", budget=GoalBudget(usd=1))
    async with asyncio.timeout(PATIENCE):
        state = await execute_goal(engine.ports, state.goal_id)
    assert begun.with_name("begun.heard").read_text() == "session/cancel"
    assert state.status is not S.READY and state.used.usd == 3
