"""Limits while agents work: stopped in the middle of a turn, raised while it runs, never overspent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import pytest

from goal_engine.budget import (
    SAYS_LIVE,
    BudgetAdd,
    GoalBudget,
    Reports,
    Spend,
    SpendSource,
    TaskBudget,
)
from goal_engine.control import cancel_goal, extend_budget
from goal_engine.document import GoalPlan
from goal_engine.engine import Engine
from goal_engine.errors import BadInput, NotPossibleNow
from goal_engine.lifecycle import execute_goal, resume_goal
from goal_engine.planner import CreateGoalOptions, create_goal
from goal_engine.ports import Ports, TurnResult, WorkerTurn
from goal_engine.proof.gate import GateSpec
from goal_engine.state import events as e
from goal_engine.state.model import GoalState
from goal_engine.task_graph.graph import GoalTask
from goal_engine.types import Decision, GoalId, GoalStatus, TaskStatus
from tests.integration.projects import a_project

pytestmark = pytest.mark.one_python
S = GoalStatus
ME = Decision(actor="me", reason="it is worth it")
Script = Callable[["Agent", WorkerTurn], Awaitable[None]]


@dataclass
class Agent:
    """A worker that says what it uses while it works; each charge is followed by a look around."""

    script: Script
    reports: Reports = SAYS_LIVE
    spent: dict[str, Spend] = field(default_factory=dict)
    killed: list[str] = field(default_factory=list)

    def find_reports(self, _: GoalTask) -> Reports:
        return self.reports

    async def charge(self, turn: WorkerTurn, tokens: int) -> None:
        before = self.spent.get(turn.task.id, Spend(source=SpendSource.VENDOR_REPORTED))
        cost = Spend(tokens=tokens, usd=Decimal(tokens) / 100, source=SpendSource.VENDOR_REPORTED)
        self.spent[turn.task.id] = before.plus(cost)
        turn.report(self.spent[turn.task.id])
        for _ in range(8):
            await asyncio.sleep(0)

    async def run(self, turn: WorkerTurn) -> TurnResult:
        try:
            await self.script(self, turn)
        except asyncio.CancelledError:
            self.killed.append(turn.task.id)
            raise
        return TurnResult(ended=True, spent=self.spent[turn.task.id].changed(turns=1))

    @property
    def tokens(self) -> int:
        return sum(spend.tokens or 0 for spend in self.spent.values())


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = Engine.open(a_project(tmp_path / "project"))
    yield opened
    opened.close()


def with_agent(engine: Engine, agent: Agent) -> Ports:
    return replace(engine.ports, workers={**engine.ports.workers, "cli": agent})


async def begin(ports: Ports, budget: GoalBudget, *tasks: GoalTask, gates: str = "true") -> GoalId:
    spec = GateSpec(name="tests", argv=("sh", "-c", gates))
    plan = GoalPlan(goal="Make sums right in calc.py", task=tasks)
    options = CreateGoalOptions(gates=(spec,), plan=plan, budget=budget)
    return (await create_goal(ports, plan.goal, options)).goal_id


def a_task(name: str, budget: TaskBudget | None = None) -> GoalTask:
    return GoalTask(
        id=name, title=name, worker="cli", command=("agent",), writes=(name,), budget=budget
    )


async def spend_for_ever(agent: Agent, turn: WorkerTurn) -> None:
    while True:
        await agent.charge(turn, 30)


async def spend_a_little(agent: Agent, turn: WorkerTurn) -> None:
    await agent.charge(turn, 40)
    (turn.workspace / turn.task.id).write_text("done\n", encoding="utf-8")


async def find_events(engine: Engine, goal: GoalId, kind: type) -> list[object]:
    entries = await engine.ports.store.entries(goal)
    return [event for entry in entries for event in entry.events if type(event) is kind]


async def test_a_turn_is_ended_with_the_charge_that_passes_the_limit(engine: Engine) -> None:
    agent = Agent(spend_for_ever)
    ports = with_agent(engine, agent)
    goal = await begin(ports, GoalBudget(tokens=100), a_task("one"))
    state = await execute_goal(ports, goal)
    assert state.status is S.NEEDS_MORE_BUDGET, state.blocked
    assert state.blocked is not None and state.blocked.limits == ("tokens",)
    assert state.blocked.reason == "tokens: 120 of 100, while task one ran"
    assert agent.tokens == 120 and agent.killed == ["one"]
    assert (state.spend.tokens, state.spend.source) == (120, SpendSource.VENDOR_REPORTED)
    assert state.tasks["one"].spend.tokens == 120
    assert state.tasks["one"].status is TaskStatus.PENDING
    warned = await find_events(engine, goal, e.BudgetWarned)
    assert [event.percent for event in warned] == sorted({event.percent for event in warned})


async def test_what_is_given_while_it_runs_counts_at_once(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def wait_for_more(agent: Agent, turn: WorkerTurn) -> None:
        await agent.charge(turn, 60)
        await extend_budget(ports, (await turn.read()).goal_id, BudgetAdd(tokens=200), ME)
        for _ in range(2):
            await looked.get()  # the runner's own look
        await agent.charge(turn, 100)
        (turn.workspace / "one").write_text("done\n", encoding="utf-8")

    agent = Agent(wait_for_more)
    ports = with_agent(engine, agent)
    looked, real = asyncio.Queue[None](), ports.store.head

    async def head(goal_id: GoalId) -> tuple[GoalState, str]:
        found = await real(goal_id)
        if found[0].budget.tokens == 300:
            looked.put_nowait(None)
        return found

    monkeypatch.setattr(ports.store, "head", head)
    goal = await begin(ports, GoalBudget(tokens=100), a_task("one"))
    state = await execute_goal(ports, goal)
    assert state.tasks["one"].status is TaskStatus.DONE, state.blocked
    assert state.spend.tokens == 160 and state.budget.tokens == 300


async def test_tasks_side_by_side_wait_for_what_is_held_back(engine: Engine) -> None:
    begun: list[str] = []
    two = asyncio.Event()

    async def use_some(agent: Agent, turn: WorkerTurn) -> None:
        begun.append(turn.task.id)
        if len(begun) == 2:
            two.set()
        await two.wait()
        assert len(begun) == 2 or more
        await spend_a_little(agent, turn)

    agent = Agent(use_some)
    ports = with_agent(engine, agent)
    more, own = False, TaskBudget(tokens=60)
    tasks = [a_task(name, own) for name in ("one", "two", "three")]
    goal = await begin(ports, GoalBudget(tokens=130), *tasks)
    state = await execute_goal(ports, goal)
    assert state.status is S.NEEDS_MORE_BUDGET and state.blocked is not None
    assert state.blocked.reason == "tokens: 80 of 130, and three may use 60"
    assert agent.tokens == 80
    with pytest.raises(BadInput, match="has no limit of US dollars"):
        await extend_budget(ports, goal, BudgetAdd(usd=Decimal(1)), ME)
    extended = await extend_budget(ports, goal, BudgetAdd(tokens=10), ME)
    assert extended.status is S.NEEDS_MORE_BUDGET, "it is `resume` that lets it go on"
    more = True
    state = await resume_goal(ports, goal)
    assert state.tasks["three"].status is TaskStatus.DONE
    assert state.integrated == ("one", "two", "three")


async def test_a_task_is_ended_by_its_own_limits_alone(engine: Engine) -> None:
    async def by_name(agent: Agent, turn: WorkerTurn) -> None:
        if turn.task.id == "late":
            await asyncio.Event().wait()
        await (spend_for_ever if turn.task.id == "greedy" else spend_a_little)(agent, turn)

    agent = Agent(by_name)
    ports = with_agent(engine, agent)
    late, greedy = a_task("late", TaskBudget(seconds=1)), a_task("greedy", TaskBudget(tokens=50))
    goal = await begin(ports, GoalBudget(repairs=0), late, greedy, a_task("modest"))
    state = await execute_goal(ports, goal)
    assert sorted(agent.killed) == ["greedy", "late"]
    assert "used up (seconds: 1 of 1)" in state.tasks["late"].reason
    assert "used up (tokens: 60 of 50)" in state.tasks["greedy"].reason
    assert state.tasks["greedy"].spend.tokens == 60
    assert state.tasks["modest"].status is TaskStatus.DONE
    assert state.spend.tokens is None, "what the late one used nobody knows"


async def test_a_task_that_comes_after_others_used_all_does_not_start(engine: Engine) -> None:
    """`max_agents` lets them run one after the other in one wave."""

    async def never_end_the_second(agent: Agent, turn: WorkerTurn) -> None:
        await spend_a_little(agent, turn)
        if turn.task.id == "two":
            await asyncio.Event().wait()

    agent = Agent(never_end_the_second)
    ports = with_agent(engine, agent)
    names = ("one", "two", "three")
    budget = GoalBudget(tokens=50, max_agents=1)
    goal = await begin(ports, budget, *map(a_task, names))
    state = await execute_goal(ports, goal)
    assert state.status is S.NEEDS_MORE_BUDGET
    assert state.spend.attempts == 1, "the second passed the limit and was stopped"
    assert agent.killed == ["two"] and "three" not in agent.spent
    assert agent.tokens == 80


async def test_a_limit_that_ends_a_gate_says_so(engine: Engine) -> None:
    ports = with_agent(engine, Agent(spend_a_little))
    goal = await begin(ports, GoalBudget(wall_seconds=2), a_task("one"), gates="sleep 600")
    state = await execute_goal(ports, goal)
    assert state.status is S.NEEDS_MORE_BUDGET and state.blocked is not None
    assert state.blocked.reason.startswith("wall_seconds: 2.")
    assert state.blocked.reason.endswith("while gate tests ran")


async def test_each_step_leaves_a_checkpoint(engine: Engine) -> None:
    ports = with_agent(engine, Agent(spend_a_little))
    goal = await begin(ports, GoalBudget(tokens=41), a_task("one"))
    state = await execute_goal(ports, goal)
    checked = await find_events(engine, goal, e.BudgetChecked)
    assert [(event.step, event.spent.tokens) for event in checked] == [
        ("wave", 0),
        ("task", 40),
        ("gates", 40),
        ("judging", 40),
    ]
    warned = await find_events(engine, goal, e.BudgetWarned)
    assert [(event.limit, event.percent, event.used, event.of) for event in warned] == [
        ("tokens", 95, "40", "41")
    ]
    assert state.tasks["one"].spend.wall_ms > 0
    await cancel_goal(ports, goal, ME)
    with pytest.raises(NotPossibleNow, match="`budget` is not possible now"):
        await extend_budget(ports, goal, BudgetAdd(tokens=1), ME)
