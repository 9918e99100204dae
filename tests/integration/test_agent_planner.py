"""An agent's plan: taken where it keeps every rule, told what is wrong once, and never in the way of the other plan."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from goal_engine.budget import GoalBudget
from goal_engine.control import cancel_goal, pause_goal
from goal_engine.engine import Engine
from goal_engine.errors import BadInput, NotPossibleNow, NotTrusted
from goal_engine.lifecycle import execute_goal, plan_by_agent, resume_goal
from goal_engine.planner import CreateGoalOptions, create_goal
from goal_engine.state.model import GoalState
from goal_engine.types import Decision, GoalStatus
from goal_server import operations as o
from goal_server import parameters as p
from goal_server.operations import Context
from goal_server.registry import find_operation
from tests.integration.agents import FIXES, HANGS, configure, wait_until
from tests.integration.projects import FIX, a_project, fingerprint, plan_text
from tests.integration.test_acp_worker import SPEAKS
from tests.personal import set_sandbox

pytestmark = pytest.mark.one_python

S = GoalStatus
ME = Decision(actor="me", reason="I looked at it")
GOAL = "Make sums right in calc.py"
TASK = {"id": "sums", "title": "Repair add()", "writes": ["calc.py", "tests/**"]}
CRITERION = {"id": "all-green", "text": "All tests pass", "evidence": "flips", "gate": "tests"}
A_PLAN = plan_text(FIX)
PLAN = {"tasks": [TASK], "criteria": [CRITERION]}


def an_agent(config: Path, *answers: Any, first: str = "", name: str = "mine") -> Path:
    """An agent that gives `answers` to one prompt for a plan after the other, and does the work else."""
    said = json.dumps(
        [one if isinstance(one, str) else f"```json\n{json.dumps(one)}\n```" for one in answers]
    )
    script = f"""
import pathlib, sys
prompt = sys.stdin.read()
if "You plan one goal" in prompt:
    {first or "pass"}
    asked = pathlib.Path(sys.argv[0] + ".asked")
    before = asked.read_text() if asked.exists() else ""
    asked.write_text(before + prompt + "\\0")
    print({said}[before.count("\\0")])
else:
    sys.argv.append(prompt)
    {"; ".join(line for line in FIXES.strip().splitlines()[2:] if "assert" not in line)}
"""
    return configure(config, name, script)


def asked(program: Path) -> list[str]:
    return Path(f"{program}.asked").read_text().split("\0")[:-1]


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


async def create(engine: Engine, **options: Any) -> GoalState:
    choice = await engine.choose_gates()
    return await create_goal(
        engine.ports, GOAL, CreateGoalOptions(gates=choice.specs, agent="mine", **options)
    )


async def planned(engine: Engine, **options: Any) -> GoalState:
    state = await create(engine, **options)
    return await plan_by_agent(engine.ports, state.goal_id, "cli", "mine", by="me")


async def test_an_agents_plan_is_shown_then_worked_on(engine: Engine, config: Path) -> None:
    before = fingerprint(engine.checkout)
    program = an_agent(config, PLAN)
    state = await planned(engine)
    assert state.status is S.PLANNED and state.planner == "agent", state.unplanned
    (task,) = state.graph
    assert (task.id, task.worker, task.agent, task.writes[0]) == ("sums", "cli", "mine", "calc.py")
    assert [c.id for c in state.criteria] == ["tests-holds", "accepted", "all-green"]
    assert state.planning is None and not state.has_begun
    assert state.spend.turns == 1 and state.spend.tokens is None  # nobody could tell: never zero
    (prompt,) = asked(program)
    assert GOAL in prompt and "tests/test_calc.py" in prompt and "run_tests.py --junit" in prompt
    assert fingerprint(engine.checkout) == before
    done = await execute_goal(engine.ports, state.goal_id)
    assert done.commit and done.tasks["sums"].attempts == 1
    assert done.judgement is not None
    states = {one.criterion.id: one.state for one in done.judgement.criteria}
    assert states["all-green"] == "verified"
    assert done.spend.turns == 2


async def test_a_plan_that_breaks_a_rule_is_told_and_asked_for_once_more(
    engine: Engine, config: Path
) -> None:
    program = an_agent(config, {"tasks": [{**TASK, "command": ["curl"]}]}, PLAN)
    state = await planned(engine)
    assert state.planner == "agent" and state.spend.turns == 2
    _, second = asked(program)
    assert "tasks[1].command: is not the plan's to say" in second and '"curl"' in second


async def test_after_two_refusals_the_plan_of_before_stays_and_the_goal_says_why(
    engine: Engine, config: Path
) -> None:
    an_agent(config, "I cannot do that.", {"tasks": [{**TASK, "writes": ["../x"]}]})
    state = await planned(engine)
    assert state.status is S.PLANNED and state.planner == "scaffold"
    assert [task.id for task in state.graph] == ["work"]
    assert state.unplanned.startswith("no plan of mine was taken: ") and "'../x'" in state.unplanned


async def test_an_agent_that_changes_a_file_while_it_plans_has_no_plan(
    engine: Engine, config: Path
) -> None:
    touch = "pathlib.Path('calc.py').write_text('x = 1')"
    program = an_agent(config, PLAN, PLAN, first=touch)
    state = await planned(engine)
    assert state.planner == "scaffold" and "it changed calc.py" in state.unplanned
    assert "it changed calc.py" in asked(program)[1]
    assert (engine.checkout / "calc.py").read_text() != "x = 1"


async def test_an_agent_that_fails_is_not_asked_again(engine: Engine, config: Path) -> None:
    program = an_agent(config, PLAN, first="print('log in first'); sys.exit(3)")
    state = await planned(engine)
    assert "ended with exit code 3: log in first" in state.unplanned
    assert not Path(f"{program}.asked").exists() and state.spend.turns == 1


async def test_a_limit_that_nobody_could_keep_asks_nobody(engine: Engine, config: Path) -> None:
    an_agent(config, PLAN)
    state = await planned(engine, budget=GoalBudget(tokens=1000))
    assert "limit of tokens could not be kept" in state.unplanned and state.spend.turns == 0


async def test_no_turn_is_left_for_a_second_answer(engine: Engine, config: Path) -> None:
    program = an_agent(config, "no", PLAN)
    state = await planned(engine, budget=GoalBudget(turns=1))
    assert "no limit leaves room for it (turns: 1 of 1)" in state.unplanned
    assert len(asked(program)) == 1


@pytest.mark.parametrize("stop", [pause_goal, cancel_goal])
async def test_planning_is_stopped_from_elsewhere_and_goes_on(
    engine: Engine, config: Path, stop: Any
) -> None:
    program = configure(config, "mine", HANGS)
    goal_id = (await create(engine)).goal_id
    run = asyncio.ensure_future(plan_by_agent(engine.ports, goal_id, "cli", "mine"))
    await asyncio.to_thread(wait_until, Path(f"{program}.ready").exists)
    stopped = await stop(engine.ports, goal_id, ME)
    assert (await run).status is stopped.status
    assert stopped.receipt is not None and stopped.receipt.ended >= 1
    assert stopped.consulting is None and stopped.consulted["plan"].problems == ("it was stopped",)
    assert stopped.spend.turns == 1
    if stop is cancel_goal:
        assert stopped.status is S.CANCELLED
        return
    config.joinpath("agents.toml").unlink()
    an_agent(config, PLAN)
    state = await resume_goal(engine.ports, goal_id)
    assert state.status is S.PLANNED and state.planner == "agent"


async def test_a_goal_that_was_worked_on_is_not_planned_again(engine: Engine, config: Path) -> None:
    an_agent(config, PLAN)
    state = await execute_goal(engine.ports, (await create(engine)).goal_id)
    with pytest.raises(NotPossibleNow, match="`revise` is not possible now"):
        await plan_by_agent(engine.ports, state.goal_id, "cli", "mine")


@pytest.fixture
def context(engine: Engine) -> Context:
    return Context(engine, lambda _: None, trusted=True, actor="me", approve=lambda _: True)


async def test_the_words_of_a_plan_ask_an_agent_and_show_what_it_said(
    context: Context, config: Path
) -> None:
    program = an_agent(config, PLAN, "no", "no")
    shown = await o.plan_goal(context, p.PlanParams(text=GOAL, agent="mine", planner="agent"))
    assert [task.id for task in shown.tasks] == ["sums"] and shown.status == S.PLANNED
    said = await o.show_log(context, p.LogParams(goal=shown.id))
    assert (said.name, said.live) == ("plan", False) and '"sums"' in said.text
    told = await o.replay_goal(context, p.ReplayParams(goal=shown.id))
    sentences = [moment.text for moment in told.moments]
    assert (
        "mine gave a plan" in sentences
        and "it got a plan: 1 task, 3 criteria, an agent's" in sentences
    )
    again = await o.revise_goal(context, p.ReviseParams(goal=shown.id, planner="agent"))
    assert [task.id for task in again.tasks] == ["sums"] and len(asked(program)) == 3
    assert any("planned without the agent that was asked: no plan" in n for n in again.notices)


async def test_settings_may_want_agents_plans_of_what_agents_do(
    context: Context, config: Path
) -> None:
    program = an_agent(config, PLAN)
    with (config / "settings.toml").open("a") as file:
        file.write('planner = "agent"\n')
    by_hand = await o.plan_goal(context, p.PlanParams(text=GOAL, worker="manual"))
    without = await o.plan_goal(context, p.PlanParams(text=GOAL, agent="mine", planner="scaffold"))
    assert not Path(f"{program}.asked").exists()
    assert [task.id for view in (by_hand, without) for task in view.tasks] == ["work", "work"]
    shown = await o.plan_goal(context, p.PlanParams(text=GOAL, agent="mine"))
    assert [task.id for task in shown.tasks] == ["sums"]


async def test_what_cannot_be_asked_of_an_agent_that_plans(context: Context, config: Path) -> None:
    an_agent(config, PLAN)
    with pytest.raises(BadInput, match="leave out one of the two"):
        await o.plan_goal(context, p.PlanParams(plan_text=A_PLAN, planner="agent", agent="mine"))
    with pytest.raises(BadInput, match="There is no agent 'other'"):
        await o.plan_goal(context, p.PlanParams(text=GOAL, planner="agent", agent="other"))
    assert await context.engine.ports.store.names() == []
    goal = (await o.plan_goal(context, p.PlanParams(text=GOAL, agent="mine"))).id
    with pytest.raises(BadInput, match="leave out one of the two"):
        await o.revise_goal(context, p.ReviseParams(goal=goal, plan="x.toml", planner="agent"))


async def test_no_agent_is_asked_where_the_workspace_is_not_trusted(
    context: Context, config: Path
) -> None:
    program = an_agent(config, PLAN)
    goal = (await o.plan_goal(context, p.PlanParams(text=GOAL, agent="mine"))).id
    revise = find_operation("revise")
    assert revise is not None
    untrusted = replace(context, trusted=False)
    with pytest.raises(NotTrusted):
        await o.dispatch(untrusted, revise, p.ReviseParams(goal=goal, planner="agent"))
    await o.dispatch(untrusted, revise, p.ReviseParams(goal=goal, plan_text=A_PLAN))
    assert not Path(f"{program}.asked").exists()


async def test_an_agent_that_is_talked_to_plans_and_may_read_and_nothing_else(
    context: Context, config: Path
) -> None:
    program = config / "talker.py"
    program.write_text(
        SPEAKS
        + f"""
name = begin()
told_so = [ask(kind=kind, title=kind)["result"]["outcome"] for kind in ("read", "execute", "edit", "other")]
open(sys.argv[0] + ".told", "w").write(json.dumps(told_so))
words("```json\\n" + {json.dumps(json.dumps(PLAN))} + "\\n```")
end(name)
sys.stdin.read()
"""
    )
    argv = json.dumps([sys.executable, "-I", str(program)])
    (config / "agents.toml").write_text(f"[agent.talker]\nacp = {argv}\n")
    shown = await o.plan_goal(context, p.PlanParams(text=GOAL, agent="talker", planner="agent"))
    assert [(task.id, task.worker) for task in shown.tasks] == [("sums", "acp")], shown.notices
    told = json.loads(Path(f"{program}.told").read_text())
    assert [one["optionId"] for one in told] == ["y", "n", "n", "n"]


@pytest.mark.usefixtures("bubblewrap")
@pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is Linux's")
async def test_who_plans_does_so_in_a_sandbox(context: Context, config: Path) -> None:
    set_sandbox(config, "required")
    said = f"```json\n{json.dumps(PLAN)}\n```"
    configure(config, "mine", f"print(open('calc.py').read())\nprint({said!r})\n")
    shown = await o.plan_goal(context, p.PlanParams(text=GOAL, agent="mine", planner="agent"))
    assert [task.id for task in shown.tasks] == ["sums"], shown.notices
    assert shown.sandbox[0].startswith("workers: bubblewrap")
