"""An agent's review of a result: after the gates, beside the engine's own, once for each tree, and without a say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from psutil import process_iter

from goal_engine.agent_review import OPINION
from goal_engine.budget import GoalBudget
from goal_engine.delivery.local import deliver_local
from goal_engine.engine import Engine
from goal_engine.errors import BadInput, GoalBusy, NotPossibleNow, RepositoryUnusable
from goal_engine.lifecycle import execute_goal, recover_goal, verify_goal
from goal_engine.planner import CreateGoalOptions, create_goal
from goal_engine.proof.review import ReviewPass, ReviewSection, ReviewStatus
from goal_engine.proof.statement import ProofCause
from goal_engine.queries import resolve_goal_proof
from goal_engine.reverify import verify_proof
from goal_engine.reviewing import review_by_agent
from goal_engine.state.commands import Record
from goal_engine.state.events import ConsultationStarted
from goal_engine.state.model import GoalState
from goal_engine.types import GoalId, GoalStatus
from goal_engine.verifier.review import review_goal
from tests.integration.agents import HANGS, configure, wait_until
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


# On demand


async def ask(
    engine: Engine, goal: str, agent: str = "critic"
) -> tuple[GoalState, tuple[str, ...]]:
    return await review_by_agent(engine.ports, GoalId(goal), "cli", agent)


@pytest.mark.parametrize(
    "steps", [FIX, '{ write = "calc.py", content = "" }'], ids=["ready", "red"]
)
async def test_a_review_on_demand_is_as_that_of_a_run_and_leaves_the_status(
    engine: Engine, config: Path, steps: str
) -> None:
    program = a_reviewer(config, {"findings": [ONE | {"line": None}]})
    before = await run(engine, steps, reviewer=None)
    assert asked(program) == []
    state, problems = await ask(engine, before.goal_id)
    assert problems == () and state.status is before.status and len(asked(program)) == 1
    (found,) = [one for one in code(state).findings if one.rule == OPINION]
    assert found.message == "critic: Large sums are not looked at." and found.path == "calc.py"
    assert state.spend.turns == 1 and state.reviewed is not None and state.consulting is None
    assert state.proof is not None and before.proof is not None
    assert state.proof.cause is ProofCause.REVIEWED and state.proof.digest != before.proof.digest
    assert state.judgement is not None and before.judgement is not None
    assert state.judgement.changed(reviews=before.judgement.reviews) == before.judgement
    bundle = await resolve_goal_proof(engine.ports, state.goal_id)
    assert "Large sums are not looked at" in (bundle / "proof.md").read_text()
    if state.status is S.READY:
        found_again = await verify_proof(bundle, engine.checkout, say=lambda _: None)
        assert found_again.outcome == "REPRODUCED"
        assert (await deliver_local(engine.ports, state.goal_id)).status is S.DELIVERED


async def test_a_refused_review_on_demand_says_why_and_keeps_the_one_before(
    engine: Engine, config: Path
) -> None:
    a_reviewer(config, {"findings": [ONE]})
    state = await run(engine, reviewer=None)
    reviewed, _ = await ask(engine, state.goal_id)
    (config / "critic.py").write_text("print('It is fine.')")
    again, problems = await ask(engine, state.goal_id)
    assert "there is no block of JSON" in problems[0] and again.spend.turns == 2
    assert again.judgement == reviewed.judgement and again.proof == reviewed.proof
    reviews = await review_goal(engine.ports, again)
    assert [one.rule for section in reviews for one in section.findings] == [OPINION]


async def test_a_review_on_demand_keeps_to_the_limits_of_the_goal(
    engine: Engine, config: Path
) -> None:
    program = a_reviewer(config, {"findings": [ONE]})
    state = await run(engine, reviewer=None, budget=GoalBudget(tokens=10))
    again, (why,) = await ask(engine, state.goal_id)
    assert "limit of tokens could not be kept" in why and asked(program) == []
    assert again.judgement == state.judgement and again.seq == state.seq


async def test_a_review_on_demand_that_is_stopped_is_dead_and_what_it_cost_is_known_to_be_unknown(
    engine: Engine, config: Path
) -> None:
    program = configure(config, "critic", HANGS)
    state = await run(engine, reviewer=None)
    work = asyncio.ensure_future(ask(engine, state.goal_id))
    await asyncio.to_thread(wait_until, Path(f"{program}.ready").exists)
    assert (await engine.ports.read(state.goal_id)).is_open("review")
    with pytest.raises(GoalBusy):
        await ask(engine, state.goal_id)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    after = await engine.ports.read(state.goal_id)
    assert (after.status, after.consulting, after.spend.turns) == (S.READY, None, 1)
    assert after.spend.tokens is None and after.consulted["review"].problems == ("it was stopped",)
    assert not any(
        str(program) in " ".join(one.info["cmdline"] or ()) for one in process_iter(["cmdline"])
    )


async def test_a_review_whose_asker_was_killed_is_over_for_whoever_comes_next(
    engine: Engine, config: Path
) -> None:
    a_reviewer(config, {"findings": [ONE]})
    state = await run(engine, reviewer=None)
    assert state.tree is not None
    begun = ConsultationStarted(
        about="review", attempt=1, tree=state.tree, worker="cli", agent="critic"
    )
    await engine.ports.transact(state.goal_id, Record((begun,)))
    after = await recover_goal(engine.ports, state.goal_id)
    assert (after.status, after.consulting) == (S.READY, None) and after.spend.tokens is None
    assert after.consulted["review"].problems == ("whoever asked it went away",)


async def test_only_what_was_judged_is_reviewed_by_an_agent(engine: Engine, config: Path) -> None:
    program = a_reviewer(config, {"findings": [ONE]})
    choice = await engine.choose_gates()
    options = CreateGoalOptions(gates=choice.specs, plan=a_plan(FIX))
    planned = await create_goal(engine.ports, "", options)
    with pytest.raises(NotPossibleNow, match="is planned, so `agent-review` is not possible now"):
        await ask(engine, planned.goal_id)
    assert asked(program) == []


async def test_an_agent_that_changes_the_persons_repository_while_it_reviews_is_no_reviewer(
    engine: Engine, config: Path
) -> None:
    steers = engine.checkout / ".git" / "config"
    first = f"open({str(steers)!r}, 'a').write('[core]\\n\\tfsmonitor = mine\\n')"
    a_reviewer(config, {"findings": [ONE]}, first)
    state = await run(engine, reviewer=None)
    with pytest.raises(RepositoryUnusable, match="While critic reviewed"):
        await ask(engine, state.goal_id)
    after = await engine.ports.read(state.goal_id)
    assert after.judgement == state.judgement and after.status is S.READY
