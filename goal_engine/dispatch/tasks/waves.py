"""Carries out a wave: each attempt is recorded before its process starts and judged by its tree."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from goal_engine.budget import Spend
from goal_engine.dispatch.tasks.retries import retry_or_fail
from goal_engine.dispatch.tasks.scheduler import Wave, find_need
from goal_engine.dispatch.tasks.turns import run_turn
from goal_engine.errors import GoalError
from goal_engine.evidence import GoalGitEvidence
from goal_engine.metering import Meter
from goal_engine.ports import Ports, WorkerTurn
from goal_engine.proof.confinement import BY_HAND
from goal_engine.proof.verdict import say_rejection
from goal_engine.runtime.sandbox import AGENT
from goal_engine.runtime.threads import in_thread
from goal_engine.state import events as e
from goal_engine.state.commands import Record, RecordStep
from goal_engine.state.model import GoalState
from goal_engine.task_graph.globs import match_glob
from goal_engine.task_graph.graph import GoalTask
from goal_engine.types import TaskStatus, Trouble
from goal_engine.worktree import Workbench

ONE_ATTEMPT = Spend(attempts=1)


async def run_wave(
    ports: Ports, bench: Workbench, state: GoalState, wave: Wave, meter: Meter
) -> GoalState:
    """Run the tasks of `wave`, at most `max_agents` at once, and return the goal afterwards.

    A task for which the limits have no room when its turn comes stays pending.  Cancelled, it
    returns only when every process is dead; what was under way is not recorded, but for what it
    had reported of what it used.
    """
    slots = asyncio.Semaphore(state.budget.max_agents)
    async with asyncio.TaskGroup() as group:
        for task in wave.tasks:
            group.create_task(_attempt(ports, bench, state, task, slots, meter))
    after = await ports.read(state.goal_id)
    facts = tuple(
        e.TasksBlocked(tasks=blocked, by=task.id)
        for task in wave.tasks
        if after.tasks[task.id].status is TaskStatus.FAILED
        and (blocked := after.find_waiting(task.id))
    )
    return await ports.transact(state.goal_id, Record(facts)) if facts else after


async def _attempt(
    ports: Ports,
    bench: Workbench,
    state: GoalState,
    task: GoalTask,
    slots: asyncio.Semaphore,
    meter: Meter,
) -> None:
    by_hand = task.worker == "manual"
    reports = {name: worker.reports for name, worker in ports.workers.items()}
    async with (
        nullcontext() if by_hand else slots,  # a person takes no agent's place
        bench.door.step(counted=not by_hand),  # and nobody waits for them to pause
    ):
        if meter.hold(await ports.read(state.goal_id), find_need(task, reports)):
            return  # what ran before it used more than was thought
        try:
            await _carry_out(ports, bench, state, task, meter)
        finally:
            meter.release(task.id)


async def _carry_out(
    ports: Ports, bench: Workbench, state: GoalState, task: GoalTask, meter: Meter
) -> None:
    by_hand, before = task.worker == "manual", state.tasks[task.id]
    base = state.commit or state.created.base_commit
    if before.folder is not None and before.base is not None:
        base = before.base
    attempt = before.attempts + 1
    sandbox = BY_HAND if by_hand else bench.sandbox.said
    begun = e.TaskStarted(task=task.id, attempt=attempt, base_commit=base, sandbox=sandbox)
    await ports.transact(state.goal_id, Record((begun,)))
    place = (
        bench.desk(task.id, base, again=before.folder is not None)
        if by_hand
        else bench.workspace(task.id, base)
    )
    since = meter.spent.wall_ms
    try:
        async with place as workspace:
            ended, trouble = await _work(ports, bench, state, task, attempt, base, workspace, meter)
    except asyncio.CancelledError:
        reported = meter.find_reported(task.id)
        if reported is not None:
            used = e.SpendReported(task=task.id, attempt=attempt, spent=reported)
            await asyncio.shield(ports.transact(state.goal_id, Record((used,))))
        raise
    ended = ended.changed(wall_ms=0 if by_hand else meter.spent.wall_ms - since)
    fact: e.AttemptEnded = ended
    if isinstance(ended, e.TaskFailed):
        chance = ports.ids.entropy()
        fact = retry_or_fail(state, ended, trouble, ports.clock.now(), chance)
    step = RecordStep("task", meter.in_flight, (fact,), task.id)
    await ports.transact(state.goal_id, step)


async def _work(
    ports: Ports,
    bench: Workbench,
    state: GoalState,
    task: GoalTask,
    attempt: int,
    base: str,
    workspace: Path,
    meter: Meter,
) -> tuple[e.TaskFinished | e.TaskFailed, Trouble | None]:
    """Return how an attempt ended, and what kept it from being one."""
    log = bench.log_path(task.id)
    environment = await bench.environment(workspace, base, state.tasks[task.id].exclude)
    repair = state.find_repair(task.id)
    said = await ports.store.read_object(repair.failures) if repair and repair.failures else b""
    turn = WorkerTurn(
        task=task,
        workspace=workspace,
        environment=environment,
        gates=state.gates,
        log=log,
        goal=state.created.text,
        criteria=state.asked,
        findings=find_findings(state, repair),
        failures=said.decode("utf-8", "replace"),
        tried=repair.tried if repair else (),
        running=bench.running,
        confine=partial(bench.confine, AGENT, workspace),
        read=lambda: ports.read(state.goal_id),
        record=lambda event: ports.transact(state.goal_id, Record((event,))),
    )
    result = await run_turn(ports.workers[task.worker], turn, meter)
    kept = await bench.keep_log(ports.store, log)
    spent = ONE_ATTEMPT.plus(result.spent)

    def failed(reason: str) -> e.TaskFailed:
        return e.TaskFailed(
            task=task.id,
            attempt=attempt,
            reason=reason,
            spent=spent,
            log=kept,
            seeding=environment.seeding,
        )

    if not result.ended:
        return failed(result.reason), result.trouble
    try:
        commit, evidence = await in_thread(bench.take_result, workspace, task.id, base, environment)
    except GoalError as error:
        return failed(error.paragraph), None
    outside = find_outside(evidence, task)
    if outside:
        return failed(f"it changed what its write set leaves out: {', '.join(outside[:5])}"), None
    left = find_left_undone(state, evidence, repair)
    if left:
        return failed(left), None
    finished = e.TaskFinished(
        task=task.id,
        attempt=attempt,
        commit=commit,
        evidence=evidence,
        spent=spent,
        log=kept,
        seeding=environment.seeding,
    )
    return finished, None


def find_findings(state: GoalState, repair: e.RepairPlanned | None) -> tuple[str, ...]:
    """Return why the results so far were not enough; what a person said no to counts to the end."""
    judged = state.judgement.reasons if state.judgement else ()
    told = repair.reasons if repair else judged
    said = [say_rejection(rejection.decision) for rejection in state.rejections]
    new = (words for words in said if not any(words in reason for reason in told))
    return (*told, *(f"an earlier result was {words}" for words in dict.fromkeys(new)))


def find_left_undone(
    state: GoalState, evidence: GoalGitEvidence, repair: e.RepairPlanned | None
) -> str:
    """Return why a task that was to do another one's work did nothing of it; empty if it did."""
    if repair is None or repair.resolves is None:
        return ""
    other = state.tasks[repair.resolves].evidence
    if other is None or evidence.paths & other.paths:
        return ""
    return f"it did nothing of what {repair.resolves} was to do"


def find_outside(evidence: GoalGitEvidence, task: GoalTask) -> tuple[str, ...]:
    """Return the changed paths that no glob of the task's write set names."""
    return tuple(
        path
        for path in sorted(evidence.paths)
        if not any(match_glob(path, pattern) for pattern in task.writes)
    )
