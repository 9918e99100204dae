"""A small engine for the front ends: goals are real states, the work on them is a script."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from goal_engine.budget import GoalBudget, Spend
from goal_engine.decision import Criterion, EvidenceKind, Question
from goal_engine.diagnosis import GoalDiagnosis, diagnose
from goal_engine.errors import GoalNotFound
from goal_engine.evidence import GoalGitEvidence
from goal_engine.forecast import GoalForecast, find_samples, forecast
from goal_engine.gates.choose import GateChoice
from goal_engine.gates.detection.project import PassedOver
from goal_engine.proof.gate import GateSpec
from goal_engine.proof.verdict import Judgement, Verdict
from goal_engine.state import events as e
from goal_engine.state.evolve import fold_entries
from goal_engine.state.model import GoalState
from goal_engine.state.store import Summary
from goal_engine.task_graph.graph import GoalTask, GoalTaskGraph, RunStep
from goal_engine.types import GoalId, GoalKind, Person
from goal_server import operations

BASE, TREE = "a" * 40, "b" * 40
NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
TESTS = GateSpec(name="tests", argv=("python", "-m", "pytest"), reason="pytest is installed")


def goal_id(number: int = 1) -> GoalId:
    return GoalId.made_of(NOW, number)


def created(number: int = 1, text: str = "Fix the login", **more: Any) -> e.GoalCreated:
    values: dict[str, Any] = {
        "goal_id": goal_id(number), "text": text, "kind": GoalKind.FIX, "kind_reason": "it says fix",
        "base_commit": BASE, "base_tree": BASE, "branch": "main",
        "author": Person(name="Ann", email="ann@example.org"), "gates": (TESTS,),
        "gates_digest": "0" * 64, "budget": GoalBudget(),
    }  # fmt: skip
    return e.GoalCreated(**values | more)


def planned() -> e.GoalPlanned:
    task = GoalTask(id="login", title="Repair the login", steps=(RunStep(run=("true",)),))
    criterion = Criterion(
        id="login-works", text="Login works", evidence=EvidenceKind.FLIPS, gate="tests"
    )
    graph = GoalTaskGraph(tasks=(task,))
    return e.GoalPlanned(planner="plan", criteria=(criterion,), graph=graph)


INTEGRATED = e.TreeIntegrated(
    tasks=(), commit=TREE, tree=TREE, evidence=GoalGitEvidence(base_tree=BASE, tree=TREE)
)


def judged(verdict: Verdict, *reasons: str) -> tuple[e.GoalEvent, ...]:
    judgement = Judgement(tree=TREE, verdict=verdict, gates=(), criteria=(), reasons=reasons)
    ends: dict[Verdict, e.GoalEvent] = {
        Verdict.READY: e.GoalReady(),
        Verdict.NOT_READY: e.GoalNotReady(),
        Verdict.NEEDS_PERSON: e.GoalBlocked(on="human", reason="; ".join(reasons), next="accept"),
    }
    spent = Spend(wall_ms=1500, attempts=1, tokens=None, usd=Decimal(0))
    return (
        INTEGRATED,
        e.GoalJudged(judgement=judgement, spent=spent),
        e.ProofRecorded(digest="d" * 64, tree=TREE),
        ends[verdict],
    )


def asked(*ids: str) -> e.QuestionsAsked:
    return e.QuestionsAsked(questions=tuple(Question(id=i, text=f"What of {i}?") for i in ids))


def entry(seq: int, *events: e.GoalEvent) -> e.JournalEntry:
    return e.JournalEntry(seq=seq, prev="0" * 64, at=NOW, cause="test", events=events)


def state_of(*events: e.GoalEvent) -> GoalState:
    return fold_entries([entry(number, event) for number, event in enumerate(events, 1)])


class FakeTrust:
    """Remembers what was approved, for as long as it lives."""

    def __init__(self) -> None:
        self.approved: list[GateSpec] = []
        self.workspace = False

    def is_trusted(self, spec: GateSpec) -> bool:
        return spec in self.approved

    def approve(self, specs: tuple[GateSpec, ...]) -> None:
        self.approved += specs

    def is_workspace_trusted(self) -> bool:
        return self.workspace

    def trust_workspace(self) -> None:
        self.workspace = True


@dataclass
class FakeEngine:
    """`work` are the events that executing a goal causes."""

    checkout: Path
    work: Sequence[e.GoalEvent] = (e.GoalStarted(), *judged(Verdict.READY))
    goals: dict[str, GoalState] = field(default_factory=dict)
    damaged: tuple[str, ...] = ()
    gates: tuple[GateSpec, ...] = (TESTS,)
    passed_over: tuple[PassedOver, ...] = ()
    subscribers: list[Callable[[GoalState, e.JournalEntry], None]] = field(default_factory=list)
    calls: list[tuple[str, Any]] = field(default_factory=list)
    execute: Callable[[], Any] | None = None
    """Awaited instead of doing `work`, when given."""

    def __post_init__(self) -> None:
        self.trust = FakeTrust()
        self.place_warning = ""
        self.home = SimpleNamespace(problem="", find_made_here=lambda: lambda goal: True)
        self.ports: Any = self
        self.store: Any = self
        self.workers = {"recipe": object()}
        self.closed = False

    async def choose_gates(self) -> GateChoice:
        return GateChoice(
            specs=self.gates, path=None, python=None, copies=(), passed_over=self.passed_over
        )

    def subscribe(self, callback: Callable[[GoalState, e.JournalEntry], None]) -> Any:
        self.subscribers.append(callback)
        return lambda: self.subscribers.remove(callback)

    def close(self) -> None:
        self.closed = True

    def add(self, *events: e.GoalEvent) -> GoalState:
        state = None
        for number, event in enumerate(events, 1):
            state = self._append(state, entry(number, event))
        assert state is not None
        return state

    def _append(self, state: GoalState | None, line: e.JournalEntry) -> GoalState:
        after = fold_entries((line,), state)
        self.goals[after.goal_id] = after
        for subscriber in tuple(self.subscribers):
            subscriber(after, line)
        return after

    async def create_goal(self, ports: Any, text: str, options: Any) -> GoalState:
        self.calls.append(("create", options))
        return self.add(created(text=text), planned())

    async def execute_goal(self, ports: Any, goal: GoalId, *more: Any, by: str) -> GoalState:
        assert by, "the front ends say who asks"
        self.calls.append(("execute", more))
        state = self.goals[goal]
        if self.execute is not None:
            await self.execute()
        for event in self.work:
            state = self._append(state, entry(state.seq + 1, event))
        return state

    async def is_running(self, goal: GoalId) -> bool:
        return True

    async def recover_goal(self, ports: Any, goal: GoalId) -> GoalState:
        return self.goals[goal]

    async def resolve_goal(self, ports: Any, reference: str) -> GoalState:
        for name, state in self.goals.items():
            if name.startswith(reference):
                return state
        raise GoalNotFound(f"No goal is called {reference}; `goalproof list` shows them.")

    async def diagnose_goal(self, ports: Any, reference: str) -> GoalDiagnosis:
        return diagnose(await self.resolve_goal(ports, reference), {})

    async def forecast_goal(self, ports: Any, state: GoalState) -> GoalForecast | None:
        return forecast(state, find_samples(self.goals.values()))

    async def resolve_goal_proof(self, ports: Any, reference: str) -> Path:
        return self.checkout

    async def list_goals(self, ports: Any) -> tuple[Summary, ...]:
        damaged = tuple(Summary(name, None, "line 3 does not verify") for name in self.damaged)
        return (*(Summary(name, state) for name, state in self.goals.items()), *damaged)

    async def stop_goal(self, ports: Any, goal: GoalId, decision: Any) -> GoalState:
        self.calls.append(("stop", decision))
        state = self.goals[goal]
        return self._append(state, entry(state.seq + 1, e.GoalCancelled(reason=decision.reason)))

    async def read_diff(
        self, ports: Any, goal: GoalId, task: str | None, path: str | None
    ) -> bytes:
        return b"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-caf\xe9\n+\x1b[31mred\n"


def install(monkeypatch: pytest.MonkeyPatch, engine: FakeEngine) -> FakeEngine:
    """Let the operations call `engine` instead of the engine's functions."""
    fakes: dict[str, dict[str, Any]] = {
        "planner": {
            "create_goal": engine.create_goal,
            "plan_goal": engine.create_goal,
            "is_planned_by_agent": lambda _: False,
            "CreateGoalOptions": lambda **values: SimpleNamespace(**values),
        },
        "lifecycle": {
            "execute_goal": engine.execute_goal,
            "resume_goal": engine.execute_goal,
            "recover_goal": engine.recover_goal,
        },
        "queries": {
            "resolve_goal": engine.resolve_goal,
            "list_goals": engine.list_goals,
            "diagnose_goal": engine.diagnose_goal,
            "forecast_goal": engine.forecast_goal,
            "resolve_goal_proof": engine.resolve_goal_proof,
        },
        "control": {"cancel_goal": engine.stop_goal, "pause_goal": engine.stop_goal},
        "local": {"read_diff": engine.read_diff},
    }
    for module, functions in fakes.items():
        monkeypatch.setattr(operations, module, SimpleNamespace(**functions))
    return engine
