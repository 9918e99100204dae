"""What an agent asks while it works is answered from somewhere else, by the journal alone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from goal_engine.budget import COSTS_NOTHING, Reports
from goal_engine.control import answer_question, tell_agent
from goal_engine.document import parse_plan
from goal_engine.engine import Engine
from goal_engine.errors import BadConfiguration, BadInput, BadPlan
from goal_engine.lifecycle import execute_goal
from goal_engine.permission import Action, Answer, Ask
from goal_engine.planner import CreateGoalOptions, create_goal
from goal_engine.ports import TurnResult, WorkerTurn
from goal_engine.proof.gate import GateSpec
from goal_engine.runtime.config import config_dir
from goal_engine.runtime.personal import read_personal_settings
from goal_engine.state import events as e
from goal_engine.state.model import GoalState
from goal_engine.task_graph.graph import GoalTask
from goal_engine.types import Decision, GoalId
from tests.integration.projects import a_project

pytestmark = pytest.mark.one_python

ME = Decision(actor="me", reason="I looked at it")
PATIENCE = 60.0
ASKS = (
    Ask(tool="Write", action=Action.EDIT, paths=("calc.py",)),
    Ask(tool="Write", action=Action.EDIT, paths=("README.md",)),
    Ask(tool="Bash", action=Action.EXECUTE, detail="cat /etc/../root/x"),
    Ask(tool="Bash", action=Action.EXECUTE, detail="make all"),
    Ask(tool="Fetch", action=Action.FETCH, detail="https://example.org/"),
    Ask(tool="db", action=Action.OTHER, detail="drop it"),
)
PLAN = """
goal = "Make sums right in calc.py"
[policy]
permissions = "all"
permissions_deny = ["fetch: *"]
[[task]]
id = "fix"
title = "Fix"
writes = ["calc.py"]
worker = "acp"
agent = "mine"
"""


@dataclass
class Agent:
    """Asks for one thing after the other, waits for a word, and does it."""

    answers: list[Answer] = field(default_factory=list)
    heard: str = ""

    def find_reports(self, _: GoalTask) -> Reports:
        return COSTS_NOTHING

    async def run(self, turn: WorkerTurn) -> TurnResult:
        self.answers = [await turn.ask(ask) for ask in ASKS]
        self.heard = await turn.words.get()
        (turn.workspace / "calc.py").write_text("fixed = True\n", encoding="utf-8")
        return TurnResult(ended=True)


async def be_the_person(checkout: Path) -> list[str]:
    """Answer what is asked, with a store of one's own, and say something then."""
    elsewhere, asked = Engine.open(checkout), list[str]()
    ports = elsewhere.ports
    try:
        async with asyncio.timeout(PATIENCE):
            while not (names := await ports.store.names()):  # noqa: ASYNC110 - another process tells nobody
                await asyncio.sleep(0.05)
            while "db" not in asked:
                for one in (await read(elsewhere, names[0])).open_asks:
                    asked.append(one.ask.tool)
                    with pytest.raises(BadInput, match=f"too short .* {one.key}"):
                        await answer_question(ports, names[0], one.key[:3], "allow", ME)
                    await answer_question(ports, names[0], one.key, "deny not that", ME)
                await asyncio.sleep(0.05)
            await tell_agent(ports, names[0], "mind the tests", None, "me")
    finally:
        elsewhere.close()
    return asked


async def read(engine: Engine, goal: GoalId) -> GoalState:
    return await engine.ports.read(goal)


@pytest.fixture(autouse=True)
def _own_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOALPROOF_CONFIG_DIR", str(tmp_path / "config"))


async def test_a_person_elsewhere_is_asked_only_what_no_policy_says(tmp_path: Path) -> None:
    (config_dir() / "settings.toml").parent.mkdir(parents=True, exist_ok=True)
    (config_dir() / "settings.toml").write_text(
        'sandbox = "off"\npermissions_deny = ["make *"]\npermissions_timeout = 600\n',
        encoding="utf-8",
    )
    (config_dir() / "agents.toml").write_text('[agent.mine]\nacp = ["git"]\n', encoding="utf-8")
    engine, agent = Engine.open(a_project(tmp_path / "project")), Agent()
    ports = replace(engine.ports, workers={**engine.ports.workers, "acp": agent})
    gate = GateSpec(name="tests", argv=("true",))
    plan = parse_plan(PLAN, "plan")

    async def run() -> GoalState:
        options = CreateGoalOptions(gates=(gate,), plan=plan)
        goal = await create_goal(ports, plan.goal, options)
        return await execute_goal(ports, goal.goal_id)

    try:
        asked, state = await asyncio.gather(be_the_person(engine.checkout), run())
        entries = await ports.store.entries(state.goal_id)
    finally:
        engine.close()
    told = [(answer.allowed, answer.by) for answer in agent.answers]
    assert told == [(True, "policy"), *[(False, "policy")] * 4, (False, "person")]
    assert agent.answers[-1].reason == "not that" and agent.heard == "mind the tests"
    assert asked == ["db"]
    kinds = [type(event) for entry in entries for event in entry.events]
    assert kinds.count(e.PermissionAsked) == kinds.count(e.PermissionAnswered) == 1
    assert state.tasks["fix"].words == ("mind the tests",)
    assert [one.verb for one in state.decisions] == ["deny"]


def test_settings_that_could_never_hold_are_refused() -> None:
    path = config_dir() / "settings.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    for text in (
        'permissions = "some"',
        'permissions_allow = ["run: x"]',
        'permissions_allow = ["read: "]',
        'permissions_deny = ["git push*", ""]',
        "permissions_timeout = -1",
    ):
        path.write_text(f"{text}\n", encoding="utf-8")
        with pytest.raises(BadConfiguration, match="permissions"):
            read_personal_settings()
    with pytest.raises(BadPlan, match="permissions_deny"):
        parse_plan('goal = "x"\n[policy]\npermissions_deny = ["run: x"]\n', "plan")
