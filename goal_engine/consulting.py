"""Asks an agent for something in words, in a workspace that it has to leave as it found it.

It begins afresh, sees one tree and is told nothing that another turn said.  An answer beside which a
file was changed is none, whatever it says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from goal_engine.budget import LOST_TURN, Reporting, Spend, TaskBudget, find_left
from goal_engine.dispatch.tasks.asking import find_ground
from goal_engine.dispatch.tasks.scheduler import find_need
from goal_engine.dispatch.tasks.turns import run_turn
from goal_engine.errors import GoalError
from goal_engine.last_block import NotTaken
from goal_engine.metering import Meter
from goal_engine.permission import Action, Answer, Ask, Ground, Permissions, find_answer
from goal_engine.ports import Ports, TurnResult, WorkerTurn
from goal_engine.runtime.sandbox import AGENT
from goal_engine.runtime.threads import in_thread
from goal_engine.state import events as e
from goal_engine.state.commands import Record
from goal_engine.state.decide import find_unmetered_limits
from goal_engine.state.model import GoalState
from goal_engine.task_graph.graph import GoalTask
from goal_engine.types import WorkerName
from goal_engine.worktree import Workbench, name_consultation

T = TypeVar("T")
READS = "this turn only reads: nothing is changed or run"
NOBODY = "nobody answers: decide what is sensible"
NAMED = 5
"""Changed files that are named."""
SECONDS = 1200
"""That an answer may take where the goal has no limit of its own."""


@dataclass(frozen=True, slots=True)
class Consultation(Generic[T]):
    """What is asked, of whom, about which tree."""

    about: e.Consulted
    attempt: int
    worker: WorkerName
    agent: str
    commit: str
    tree: str
    prompt: str
    read: Callable[[str], T]
    """Makes something of what was said.  Raises `NotTaken` where it is not that; blocking."""
    pack: Callable[[T], bytes] | None = None
    """Makes an object of that, for the store."""


@dataclass(frozen=True, slots=True)
class Consulted(Generic[T]):
    """What came of it."""

    taken: T | None
    said: str = ""
    problems: tuple[str, ...] = ()
    """Why nothing was taken."""
    ended: bool = False
    """Whether the agent came to its own end, so that it could be told what was wrong."""


async def consult(
    ports: Ports, bench: Workbench, state: GoalState, wanted: Consultation[T], meter: Meter
) -> Consulted[T]:
    """Ask an agent, within the goal's limits, and record that before and afterwards.

    Cancelled, it returns when all of it is dead, and what it had used is recorded.
    """
    task = GoalTask(
        id=wanted.about, title=f"A {wanted.about}", worker=wanted.worker, agent=wanted.agent
    )
    task = task.changed(budget=find_share(state, meter.find_total(state)))
    why = find_unaffordable(ports, state, task)
    held = () if why else meter.hold(state, find_need(task, ports.find_reports))
    if why or held:
        return Consulted(
            None, problems=(why or f"no limit leaves room for it ({'; '.join(held)})",)
        )
    begun = e.ConsultationStarted(
        about=wanted.about,
        attempt=wanted.attempt,
        tree=wanted.tree,
        worker=wanted.worker,
        agent=wanted.agent,
        sandbox=bench.sandbox.said,
    )
    try:
        state = await ports.transact(state.goal_id, Record((begun,)))
        return await _ask(ports, bench, state, wanted, task, meter)
    finally:
        meter.release(task.id)


async def _ask(
    ports: Ports,
    bench: Workbench,
    state: GoalState,
    wanted: Consultation[T],
    task: GoalTask,
    meter: Meter,
) -> Consulted[T]:
    since = meter.spent.wall_ms
    log = bench.log_path(name_consultation(wanted.about))
    answer: Consulted[T] = Consulted(None, problems=("it was stopped",))
    spent: Spend | None = None
    report: str | None = None

    async def record() -> None:
        kept = await bench.keep_log(ports.store, log)
        lost = LOST_TURN if ports.find_reports(task).costs else Spend()
        fact = e.ConsultationFinished(
            about=wanted.about,
            attempt=wanted.attempt,
            tree=wanted.tree,
            agent=wanted.agent,
            problems=answer.problems,
            spent=spent or meter.find_reported(task.id) or lost,
            log=kept,
            report=report,
            wall_ms=meter.spent.wall_ms - since,
        )
        await ports.transact(state.goal_id, Record((fact,)))

    try:
        result, changed = await _take_turn(ports, bench, state, wanted, task, meter)
        spent = result.spent
        answer = await in_thread(_weigh, wanted, result, changed)
        if answer.taken is not None and wanted.pack is not None:
            report = await ports.store.write_object(wanted.pack(answer.taken))
    except GoalError as error:
        answer = Consulted(None, problems=(error.paragraph,))
    finally:
        await asyncio.shield(record())
    return answer


async def _take_turn(
    ports: Ports,
    bench: Workbench,
    state: GoalState,
    wanted: Consultation[T],
    task: GoalTask,
    meter: Meter,
) -> tuple[TurnResult, str]:
    """Return how the turn ended, and what it changed, empty for nothing."""
    name = name_consultation(wanted.about)
    async with bench.door.step(), bench.workspace(name, wanted.commit) as workspace:
        environment = await bench.environment(workspace, wanted.commit)
        ground = await in_thread(find_ground, task, workspace, environment.variables)
        turn = WorkerTurn(
            task=task,
            workspace=workspace,
            environment=environment,
            gates=state.gates,
            log=bench.log_path(name),
            goal=state.created.text,
            criteria=state.asked,
            findings=(),
            read=lambda: ports.read(state.goal_id),
            record=lambda event: ports.transact(state.goal_id, Record((event,))),
            running=bench.running,
            confine=partial(bench.confine, AGENT, workspace),
            redactor=bench.redactor,
            ask=partial(answer_reader, bench.permissions, ground),
            prompt=wanted.prompt,
            reads_only=True,
        )
        result = await run_turn(ports.workers[wanted.worker], turn, meter)
        changed = await in_thread(_find_changed, bench, workspace, wanted, environment.exclude)
    return result, changed


def _find_changed(
    bench: Workbench, workspace: Path, wanted: Consultation[T], exclude: tuple[str, ...]
) -> str:
    tree = bench.repository.snapshot(workspace, wanted.commit, exclude)
    if tree == wanted.tree:
        return ""
    found = bench.repository.evidence(wanted.tree, tree)
    return ", ".join(sorted(found.paths)[:NAMED]) or "the files"


def _weigh(wanted: Consultation[T], result: TurnResult, changed: str) -> Consulted[T]:
    if not result.ended:
        return Consulted(None, result.said, (result.reason,))
    if changed:
        why = f"it changed {changed}, and was to change nothing"
        return Consulted(None, result.said, (why,), ended=True)
    try:
        return Consulted(wanted.read(result.said), result.said, ended=True)
    except NotTaken as error:
        return Consulted(None, result.said, error.problems, ended=True)


def find_share(state: GoalState, spent: Spend) -> TaskBudget:
    """Return what an answer may use: what the goal's limits leave."""
    left = find_left(state.budget, spent)
    seconds, tokens, usd = left.get("wall_seconds"), left.get("tokens"), left.get("usd")
    return TaskBudget(
        seconds=max(1, min(SECONDS, int(seconds) // 1000)) if seconds is not None else SECONDS,
        tokens=int(tokens) if tokens else None,
        usd=Decimal(usd) if usd else None,
    )


def find_unaffordable(ports: Ports, state: GoalState, task: GoalTask) -> str:
    """Return why nobody could tell whether an answer keeps to a limit; empty where somebody can."""
    reports = ports.find_reports(task)
    limits = [
        name for name in find_unmetered_limits(state) if getattr(reports, name) is Reporting.NEVER
    ]
    if not limits:
        return ""
    return f"the limit of {' and '.join(limits)} could not be kept: it does not say what it uses"


async def answer_reader(permissions: Permissions, ground: Ground, ask: Ask) -> Answer:
    """Answer an agent that only reads, by the same policy as one that works; no person is asked."""
    if ask.action is Action.QUESTION:
        return Answer(allowed=False, reason=NOBODY)
    if ask.action is not Action.READ:
        return Answer(allowed=False, reason=READS)
    answer = await in_thread(find_answer, ask, permissions, ground)
    return answer or Answer(allowed=False, reason=NOBODY)
