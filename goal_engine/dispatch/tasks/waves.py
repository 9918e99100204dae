"""Carries out a wave: each attempt is recorded before its process starts and judged by its tree."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from goal_engine.agent import (
    FOLDER,
    MOST_AT_ONCE,
    MOST_BYTES,
    Left,
    Unreadable,
    parse_proposal,
)
from goal_engine.budget import Spend
from goal_engine.dispatch.tasks.asking import Beside, find_ground
from goal_engine.dispatch.tasks.retries import retry_or_fail
from goal_engine.dispatch.tasks.scheduler import Wave, find_need
from goal_engine.dispatch.tasks.turns import run_turn
from goal_engine.errors import GoalError
from goal_engine.evidence import GoalGitEvidence
from goal_engine.metering import Meter
from goal_engine.ports import Attempt, Outcome, Ports, WorkerTurn
from goal_engine.proof.confinement import BY_HAND
from goal_engine.proof.verdict import say_rejection
from goal_engine.runtime.dropped import read_dropped
from goal_engine.runtime.sandbox import AGENT
from goal_engine.runtime.threads import in_thread
from goal_engine.state import events as e
from goal_engine.state.commands import Record, RecordStep
from goal_engine.state.model import GoalState
from goal_engine.task_graph.globs import match_glob
from goal_engine.task_graph.graph import GoalTask
from goal_engine.types import SESSION, TaskStatus
from goal_engine.worktree import Workbench

OWN = FOLDER.split("/")[0]
ONE_ATTEMPT = Spend(attempts=1)


async def run_wave(
    ports: Ports, bench: Workbench, state: GoalState, wave: Wave, meter: Meter, at_once: int
) -> GoalState:
    """Let the team run the tasks of `wave`, so many of them `at_once`, and return the goal afterwards.

    A task for which the limits have no room when its turn comes stays pending.  Cancelled, it
    returns only when every process is dead; what was under way is not recorded, but for what it
    had reported of what it used.
    """
    await ports.team.run(wave.tasks, WaveForeman(ports, bench, state, meter), at_once)
    after = await ports.read(state.goal_id)
    facts = tuple(
        e.TasksBlocked(tasks=blocked, by=task.id)
        for task in wave.tasks
        if after.tasks[task.id].status is TaskStatus.FAILED
        and (blocked := after.find_waiting(task.id))
    )
    return await ports.transact(state.goal_id, Record(facts)) if facts else after


class WaveForeman:
    """The `Foreman` of one wave of a goal that stood at `state` when the wave began."""

    def __init__(self, ports: Ports, bench: Workbench, state: GoalState, meter: Meter) -> None:
        self._ports, self._bench, self._state, self._meter = ports, bench, state, meter
        self._inside: dict[str, AsyncExitStack] = {}
        """What each task that is under way has to give back."""

    async def begin(self, task: GoalTask) -> Attempt | None:
        """Go in, hold back what the attempt may use, and record that it begins."""
        state, before = self._state, self._state.tasks[task.id]
        base = state.commit or state.created.base_commit
        if before.folder is not None and before.base is not None:
            base = before.base
        async with AsyncExitStack() as stack:
            # nobody waits for a person to pause
            await stack.enter_async_context(self._bench.door.step(counted=not task.by_hand))
            now = await self._ports.read(state.goal_id)
            if self._meter.hold(now, find_need(task, self._ports.find_reports)):
                return None  # what ran before it used more than was thought
            stack.callback(self._meter.release, task.id)
            attempt = Attempt(task, before.attempts + 1, base)
            sandbox = BY_HAND if task.by_hand else self._bench.sandbox.said
            begun = e.TaskStarted(
                task=task.id, attempt=attempt.number, base_commit=base, sandbox=sandbox
            )
            await self._ports.transact(state.goal_id, Record((begun,)))
            self._inside[task.id] = stack.pop_all()
        return attempt

    async def work(self, attempt: Attempt) -> Outcome:
        """Give the attempt its place, and let its worker work there."""
        task, bench, meter = attempt.task, self._bench, self._meter
        again = self._state.tasks[task.id].folder is not None
        place = (
            bench.desk(task.id, attempt.base, again=again)
            if task.by_hand
            else bench.workspace(task.id, attempt.base)
        )
        since = meter.spent.wall_ms
        try:
            async with place as workspace:
                outcome = await _work(self._ports, bench, self._state, attempt, workspace, meter)
        except BaseException as error:
            reported = meter.find_reported(task.id)
            if reported is not None and isinstance(error, asyncio.CancelledError):
                used = e.SpendReported(task=task.id, attempt=attempt.number, spent=reported)
                record = self._ports.transact(self._state.goal_id, Record((used,)))
                await asyncio.shield(record)
            await self._inside.pop(task.id).aclose()
            raise
        took = 0 if task.by_hand else meter.spent.wall_ms - since
        return replace(outcome, ended=outcome.ended.changed(wall_ms=took))

    async def end(self, attempt: Attempt, outcome: Outcome) -> None:
        """Record how it ended, or that it is made again later, and give back what it held."""
        ports, ended = self._ports, outcome.ended
        fact: e.AttemptEnded = ended
        if isinstance(ended, e.TaskFailed):
            chance = ports.ids.entropy()
            fact = retry_or_fail(self._state, ended, outcome.trouble, ports.clock.now(), chance)
        async with self._inside.pop(attempt.task.id):
            left = outcome.proposals
            step = RecordStep("task", self._meter.in_flight, (fact,), attempt.task.id, left)
            await ports.transact(self._state.goal_id, step)
        if isinstance(ended, e.TaskFinished):  # nobody goes on with what is done
            await in_thread(self._bench.forget_sessions, attempt.task.id)


async def _work(
    ports: Ports,
    bench: Workbench,
    state: GoalState,
    attempt: Attempt,
    workspace: Path,
    meter: Meter,
) -> Outcome:
    task, base = attempt.task, attempt.base
    log = bench.log_path(task.id)
    environment = await bench.environment(workspace, base, state.tasks[task.id].exclude)
    repair = state.find_repair(task.id)
    said = await ports.store.read_object(repair.failures) if repair and repair.failures else b""
    ground = await in_thread(find_ground, task, workspace, environment.variables)
    beside = Beside(
        ports,
        state.goal_id,
        task,
        attempt.number,
        bench.permissions,
        ground,
        bench.redactor,
        bench.presence,
    )

    async def keep_session(name: str) -> None:
        if SESSION.fullmatch(name):
            opened = e.SessionOpened(task=task.id, attempt=attempt.number, session=name)
            await ports.transact(state.goal_id, Record((opened,)))

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
        redactor=bench.redactor,
        ask=beside.ask,
        may_ask=bench.permissions.asks,
        words=beside.words,
        catch_up=beside.catch_up,
        session=state.tasks[task.id].session,
        sessions=bench.sessions_path(task.id),
        keep_session=keep_session,
        read=lambda: ports.read(state.goal_id),
        record=lambda event: ports.transact(state.goal_id, Record((event,))),
    )
    may_propose = await in_thread(_may_propose, state, task, workspace)
    turn = replace(turn, may_propose=may_propose)
    async with beside.listening():
        result = await run_turn(ports.workers[task.worker], turn, meter)
    kept = await bench.keep_log(ports.store, log)
    spent = ONE_ATTEMPT.plus(result.spent)

    def failed(reason: str) -> e.TaskFailed:
        return e.TaskFailed(
            task=task.id,
            attempt=attempt.number,
            reason=reason,
            spent=spent,
            log=kept,
            seeding=environment.seeding,
        )

    if not result.ended:
        return Outcome(failed(result.reason), trouble=result.trouble)
    try:
        left = await in_thread(_read_proposals, workspace) if may_propose else ()
        without = (OWN,) if may_propose else ()
        take = partial(bench.take_result, without=without)
        commit, evidence = await in_thread(take, workspace, task.id, base, environment)
    except GoalError as error:
        return Outcome(failed(error.paragraph))
    outside = find_outside(evidence, task)
    if outside:
        beyond = f"it changed what its write set leaves out: {', '.join(outside[:5])}"
        return Outcome(failed(beyond))
    leaks = await in_thread(bench.find_leaks, evidence)
    if leaks:
        told = f"it wrote a secret of your environment into {', '.join(leaks[:5])}"
        return Outcome(failed(told))
    undone = find_left_undone(state, evidence, repair)
    if undone:
        return Outcome(failed(undone))
    finished = e.TaskFinished(
        task=task.id,
        attempt=attempt.number,
        commit=commit,
        evidence=evidence,
        spent=spent,
        log=kept,
        seeding=environment.seeding,
    )
    return Outcome(finished, left)


def _may_propose(state: GoalState, task: GoalTask, workspace: Path) -> bool:
    """Whether an agent may propose further tasks: not for a repair, and not where the repository
    itself has our folder, or what it brought along would be taken for an agent's; blocking."""
    open_ = task.by_agent and state.policy.proposals != "refuse"
    return open_ and state.find_repair(task.id) is None and not os.path.lexists(workspace / OWN)


def _read_proposals(workspace: Path) -> tuple[Left, ...]:
    """Return what an agent left as further tasks, one more than are looked at; blocking."""
    found = read_dropped(workspace, FOLDER, ".json", MOST_AT_ONCE + 1, MOST_BYTES)
    return tuple(
        Unreadable(one.name, one.problem) if one.problem else parse_proposal(one.name, one.data)
        for one in found
    )


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
