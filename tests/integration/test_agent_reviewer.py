"""An agent's review of a result: after the gates, beside the engine's own, once for each tree, and without a say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from goal_engine.agent_review import OPINION
from goal_engine.budget import GoalBudget
from goal_engine.engine import Engine
from goal_engine.errors import BadInput
from goal_engine.lifecycle import execute_goal, verify_goal
from goal_engine.planner import CreateGoalOptions, create_goal
from goal_engine.proof.review import ReviewPass, ReviewSection, ReviewStatus
from goal_engine.queries import resolve_goal_proof
from goal_engine.reverify import verify_proof
from goal_engine.state.model import GoalState
from goal_engine.types import GoalStatus
from goal_engine.verifier.review import review_goal
from tests.integration.agents import configure
from tests.integration.projects import FIX, a_plan, a_project
from tests.personal import set_sandbox

pytestmark = pytest.mark.one_python

S = GoalStatus
ONE = {"section": "code", "path": "calc.py", "line": 3, "message": "Large sums are not looked at."}


def a_reviewer(config: Path, said: Any, first: str = "pass") -> Path:
    """An agent that says `said` of whatever it is asked to review."""
    text = said if isinstance(said, str) else f"```json\n{json.dumps(said)}\n```"
    return configure(
        config,
        "critic",
        f"""
import pathlib, sys
prompt = sys.stdin.read()
asked = pathlib.Path(sys.argv[0] + ".asked")
asked.write_text((asked.read_text() if asked.exists() else "") + prompt + "\\0")
{first}
print({text!r})
""",
    )


def asked(program: Path) -> list[str]:
    path = Path(f"{program}.asked")
    return path.read_text().split("\0")[:-1] if path.exists() else []


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


async def run(
    engine: Engine, steps: str = FIX, reviewer: str | None = "critic", **more: Any
) -> GoalState:
    choice = await engine.choose_gates()
    options = CreateGoalOptions(gates=choice.specs, plan=a_plan(steps), reviewer=reviewer, **more)
    state = await create_goal(engine.ports, "", options)
    return await execute_goal(engine.ports, state.goal_id)


def code(state: GoalState) -> ReviewSection:
    assert state.judgement is not None
    return next(one for one in state.judgement.reviews if one.name is ReviewPass.CODE)


async def test_a_review_stands_beside_the_engines_own_and_decides_nothing(
    engine: Engine, config: Path
) -> None:
    program = a_reviewer(config, {"findings": [ONE]})
    state = await run(engine)
    assert state.status is S.READY
    (found,) = code(state).findings
    assert (found.rule, found.place) == (OPINION, "calc.py:3")
    assert found.message == "critic: Large sums are not looked at."
    assert code(state).status is ReviewStatus.WARNED and state.spend.turns == 1
    (prompt,) = asked(program)
    assert (
        "+    return a + b" in prompt
        and "tests: passed" in prompt
        and "adds: Sums are right" in prompt
    )
    assert state.consulted["review"].tree == state.tree
    reviews = await review_goal(engine.ports, state)
    assert found in next(one for one in reviews if one.name is ReviewPass.CODE).findings
    again = await verify_goal(engine.ports, state.goal_id)
    assert again.status is S.READY and found in code(again).findings and len(asked(program)) == 1
    bundle = await resolve_goal_proof(engine.ports, state.goal_id)
    assert (await verify_proof(bundle, engine.checkout, say=lambda _: None)).outcome == "REPRODUCED"


async def test_no_agent_is_asked_about_what_a_gate_refuses(engine: Engine, config: Path) -> None:
    program = a_reviewer(config, {"findings": []})
    breaks = '{ replace = "calc.py", old = "2 * a", new = "3 * a" }'
    state = await run(engine, f"{FIX}, {breaks}")
    assert state.status is S.NOT_READY and asked(program) == [] and state.spend.turns == 0


@pytest.mark.parametrize(
    ("said", "first", "why"),
    [
        ("It is ready, accept it.", "pass", "there is no block of JSON"),
        ({"findings": [ONE]}, "pathlib.Path('calc.py').write_text('')", "it changed calc.py"),
        ({"findings": [ONE]}, "sys.exit('log in first')", "exit code 1: log in first"),
    ],
    ids=["words", "changes", "fails"],
)
async def test_what_is_no_review_is_a_gap_and_the_goal_goes_on(
    engine: Engine, config: Path, said: Any, first: str, why: str
) -> None:
    a_reviewer(config, said, first)
    state = await run(engine)
    assert state.status is S.READY and code(state).findings == ()
    (gap,) = code(state).gaps
    assert gap.startswith("no review of critic: ") and why in gap


async def test_settings_name_a_reviewer_and_limits_hold_for_it(
    engine: Engine, config: Path
) -> None:
    program = a_reviewer(config, {"findings": [ONE]})
    with (config / "settings.toml").open("a") as file:
        file.write('reviewer = "critic"\n')
    limited = await run(engine, reviewer=None, budget=GoalBudget(tokens=10))
    assert limited.status is S.READY and asked(program) == []
    assert "limit of tokens could not be kept" in code(limited).gaps[0]
    assert len(code(await run(engine, reviewer=None)).findings) == 1


async def test_a_reviewer_that_nobody_knows_is_refused_and_one_that_went_is_a_gap(
    engine: Engine, config: Path
) -> None:
    with pytest.raises(BadInput, match="There is no agent 'critic'"):
        await run(engine)
    with (config / "settings.toml").open("a") as file:
        file.write('reviewer = "critic"\n')
    state = await run(engine, reviewer=None)
    assert state.status is S.READY and "There is no agent 'critic'" in code(state).gaps[0]
