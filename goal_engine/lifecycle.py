"""One goal from where it stands to a judgement: baseline, waves, integration, repairs, proof.

Whoever runs a goal holds its runner lock.  Each step reads the journal, so a goal that was
interrupted anywhere goes on at the last step that was recorded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime

from goal_engine.budget import GoalBudget, Reporting, Spend, find_exceeded, name_limits
from goal_engine.control import stop_goal
from goal_engine.decision import WAIVE, EvidenceKind, Question
from goal_engine.dispatch.merge import integrate
from goal_engine.dispatch.tasks.scheduler import FindReports, next_wave
from goal_engine.dispatch.tasks.waves import run_wave
from goal_engine.errors import GoalError, NotPossibleNow
from goal_engine.left_behind import describe_left_behind
from goal_engine.metering import Meter
from goal_engine.planning import make_plan
from goal_engine.ports import Ports
from goal_engine.proof.gate import GateOutcome, GateStage
from goal_engine.proof.statement import ProofCause
from goal_engine.proof.verdict import judge
from goal_engine.rebase import note_news, plan_move
from goal_engine.repair import repair_merge, repair_result
from goal_engine.reviewing import ask_reviewer, wants_review
from goal_engine.runtime.room import Fit
from goal_engine.runtime.sandbox import REMEDY
from goal_engine.runtime.threads import in_thread
from goal_engine.state import events as e
from goal_engine.state.commands import (
    JudgeGoal,
    MoveBase,
    Record,
    RecordStep,
    ReopenVerification,
    ResumeGoal,
    StartGoal,
    StartPlanning,
    WarnOfBudget,
)
from goal_engine.state.decide import UNMETERED, find_unmetered_limits
from goal_engine.state.evolve import evolve
from goal_engine.state.model import GateRun, GoalState
from goal_engine.state.possible import check_possible, refusal
from goal_engine.state.proposals import find_questions
from goal_engine.takeover import sweep_sessions, sweep_workspaces, take_over
from goal_engine.tamper import Vigil, is_out_of_reach
from goal_engine.types import Decision, GoalId, GoalStatus, TaskStatus, WorkerName
from goal_engine.undone import find_undone_work
from goal_engine.verifier.bench import open_bench
from goal_engine.verifier.bundle import write_bundle
from goal_engine.verifier.checks import run_checks
from goal_engine.verifier.observe import find_reaching_change, observe
from goal_engine.verifier.review import review_seen
from goal_engine.verifier.stages import run_counterfactual, run_original, run_stage
from goal_engine.worktree import Workbench

WATCH = 0.05
"""Seconds between two looks at the journal for requests to stop."""
LOOK_AGAIN = 5.0
"""Seconds between two looks at the clock."""


ASKED = {
    StartGoal: "execute",
    ResumeGoal: "resume",
    ReopenVerification: "verify",
    StartPlanning: "revise",
}
"""What each command that takes a goal up is called by who asks for it."""


async def execute_goal(ports: Ports, goal_id: GoalId, *, by: str = "") -> GoalState:
    """Run a planned or judged goal until it is judged, stopped or blocked, and return it.

    Raises `NotPossibleNow`, `GoalBusy` when another process runs it, and what its tools raise
    before anything has started.  Cancelled, it kills what it started and records a pause.  `by` is
    who asks, for the journal.
    """
    return await _run(ports, goal_id, StartGoal(by=by))


async def resume_goal(
    ports: Ports, goal_id: GoalId, limits: GoalBudget | None = None, *, by: str = ""
) -> GoalState:
    """Let a waiting goal go on, with those limits that are set in `limits`; else like `execute_goal`."""
    return await _run(ports, goal_id, ResumeGoal(limits, by))


async def verify_goal(ports: Ports, goal_id: GoalId, *, by: str = "") -> GoalState:
    """Run the gates again on the tree that was judged, judge anew and return the goal.

    No worker starts, nothing that a gate said before counts, and no limit applies: a person asked
    for just this.  Raises as `execute_goal` does.
    """
    return await _run(ports, goal_id, ReopenVerification(by=by))


async def plan_by_agent(
    ports: Ports, goal_id: GoalId, worker: WorkerName, agent: str = "", *, by: str = ""
) -> GoalState:
    """Let an agent make the plan of a planned goal, and return the goal, planned anew or as before.

    It is as a run is: it can be paused, cancelled and resumed, and is within the goal's limits.
    Raises as `execute_goal` does.
    """
    return await _run(ports, goal_id, StartPlanning(worker, agent, by))


async def rebase_goal(ports: Ports, goal_id: GoalId, decision: Decision) -> GoalState:
    """Put a goal onto the newest commit of its branch, run all gates there, judge it anew, return it.

    What does not merge is done again as after any other conflict.  Of a goal that has not begun the
    base alone moves.  Raises as `execute_goal` does, and `NotPossibleNow` where nothing is newer.
    """
    with ports.store.runner_lock(goal_id):
        if (state := await ports.read(goal_id)).is_newer:
            raise refusal(state, "rebase")
        state, _ = await take_over(ports, goal_id)
        check_possible(state, "rebase")
        await sweep_workspaces(ports, but=(goal_id,))
        await ports.store.check_room()
        command = await plan_move(ports, state, decision)
        if state.status is GoalStatus.PLANNED:
            return await ports.transact(goal_id, command)
        return await _run_locked(ports, evolve(state, command.moved), command)


async def recover_goal(ports: Ports, goal_id: GoalId) -> GoalState:
    """Record that a running goal, or one that an agent reviews, has no runner any more, if that is so,
    and return the goal.

    What that runner left alive is ended first.  What a newer release works on is left to it.
    """
    state = await ports.read(goal_id)
    is_under_way = state.status is GoalStatus.RUNNING or state.consulting is not None
    if not is_under_way or state.is_newer:
        return state
    if await ports.store.is_running(goal_id):
        return state
    with ports.store.runner_lock(goal_id):
        state, _ = await take_over(ports, goal_id)
        return state


async def _run(
    ports: Ports,
    goal_id: GoalId,
    command: StartGoal | ResumeGoal | ReopenVerification | StartPlanning,
) -> GoalState:
    with ports.store.runner_lock(goal_id):
        if (state := await ports.read(goal_id)).is_newer:
            raise refusal(state, ASKED[type(command)])
        state, _ = await take_over(ports, goal_id)
        if isinstance(command, StartGoal | StartPlanning):
            check_possible(state, ASKED[type(command)])
        await sweep_workspaces(ports, but=(goal_id,))
        await sweep_sessions(ports)
        await ports.store.check_room()
        return await _run_locked(ports, state, command)


async def _run_locked(
    ports: Ports,
    state: GoalState,
    command: StartGoal | ResumeGoal | ReopenVerification | StartPlanning | MoveBase,
) -> GoalState:
    """Run a goal that nobody else runs; `state` has the base that it will be worked on."""
    goal_id, bench = state.goal_id, await in_thread(open_bench, ports, state)
    with bench.as_runner():
        await ports.transact(goal_id, command)
        meter = Meter(asyncio.get_running_loop().time)
        try:
            await _run_watched(ports, bench, goal_id, meter)
        except asyncio.CancelledError:
            kind = e.ControlKind.PAUSE
            await asyncio.shield(_stop(ports, bench, goal_id, kind, "stopped", meter))
            raise
        finally:
            await asyncio.shield(in_thread(bench.clear))
    return await ports.read(goal_id)


async def _run_watched(ports: Ports, bench: Workbench, goal_id: GoalId, meter: Meter) -> None:
    """Work, and stop when the journal asks for it or a limit is used up."""
    asked: list[e.ControlRequested] = []
    over: list[str] = []
    try:
        async with asyncio.TaskGroup() as group:
            work = group.create_task(_work(ports, bench, goal_id, meter))
            watch = group.create_task(_watch(ports, bench, goal_id, work, asked, over, meter))
            work.add_done_callback(lambda _: watch.cancel())
    except* (GoalError, OSError) as group:
        reasons = "; ".join(dict.fromkeys(_paragraphs(group)))
        await _block(ports, goal_id, "infra", reasons, "repair that, then `resume`", meter)
    if asked:
        request = asked[0]
        await _stop(ports, bench, goal_id, request.kind, request.decision.reason, meter)
    elif over and (state := await ports.read(goal_id)).status is GoalStatus.RUNNING:
        during = "a run that a limit ended"
        await open_vigil(ports, bench, meter).tell(state, during, ends=False)
        await _exhaust(ports, goal_id, over, meter)


def _paragraphs(group: BaseExceptionGroup[GoalError | OSError]) -> list[str]:
    found: list[str] = []
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            found += _paragraphs(error)
        else:
            found.append(error.paragraph if isinstance(error, GoalError) else str(error))
    return found


async def _watch(
    ports: Ports,
    bench: Workbench,
    goal_id: GoalId,
    work: asyncio.Task[None],
    asked: list[e.ControlRequested],
    over: list[str],
    meter: Meter,
) -> None:
    """Look for requests to stop and at the limits, which may be other ones each time.

    The time that a person takes is not the goal's.  A request that may wait for the steps under way
    only closes the door, until they have come to their end or a harder one has come.
    """
    clock = asyncio.get_running_loop().time
    looked, state = clock(), await ports.read(goal_id)

    def look() -> None:
        over[:] = [f"{phrase}{_say_during(state)}" for phrase in meter.find_over(state)] or over
        if (asked or over) and not work.cancelling():
            work.cancel()

    meter.listen(look)
    while not asked and not over:
        await meter.wait(WATCH)
        state = await ports.read(goal_id)
        now = clock()
        if state.only_waits_for_person:
            meter.leave_out(now - looked)
        looked = now
        request = state.request
        if request is not None and request.after_step:
            bench.door.close()
        if request is not None and not (request.after_step and bench.door.inside):
            asked.append(request)
        look()
        if meter.has_warnings(state):
            with suppress(NotPossibleNow):  # it came to its end, or a step has told of it
                await ports.transact(goal_id, WarnOfBudget(meter.in_flight))


def _say_during(state: GoalState) -> str:
    """What a limit ends in the middle."""
    running = [f"task {name}" for name, at in state.statuses.items() if at is TaskStatus.RUNNING]
    running += [f"gate {name.split(' ', 1)[1]}" for name in state.gates_running]
    return f", while {', '.join(running)} ran" if running else ""


async def _exhaust(
    ports: Ports, goal_id: GoalId, phrases: Iterable[str], meter: Meter
) -> GoalState:
    """Record that the goal goes on only with more of what the phrases name."""
    phrases = tuple(phrases)
    fact = e.GoalBlocked(
        on="budget",
        reason="; ".join(phrases),
        next="`budget` with more, then `resume`",
        spent=meter.spent,
        limits=name_limits(phrases),
    )
    return await ports.transact(goal_id, Record((fact,)))


async def _stop(
    ports: Ports,
    bench: Workbench,
    goal_id: GoalId,
    kind: e.ControlKind,
    reason: str,
    meter: Meter,
) -> None:
    """Write the receipt, unless the work came to its end first."""
    state = await ports.read(goal_id)
    if state.status is GoalStatus.RUNNING:
        stopped = bench.stopped
        ends = kind is e.ControlKind.CANCEL
        during = f"a run that was {'cancelled' if ends else 'paused'}"
        await open_vigil(ports, bench, meter).tell(state, during, ends=ends)
        await stop_goal(ports, state, kind, reason, meter.spent, stopped=stopped)


def open_vigil(ports: Ports, bench: Workbench, meter: Meter) -> Vigil:
    """Return who looks after the person's repository while something runs on this bench."""
    confined = is_out_of_reach(bench.sandbox, bench.checkout)
    return Vigil(ports, bench.state_dir, meter, confined)


async def _block(
    ports: Ports,
    goal_id: GoalId,
    on: e.BlockedOn,
    reason: str,
    after: str,
    meter: Meter,
    before: tuple[e.GoalEvent, ...] = (),
) -> None:
    """Record `before` and that the goal is blocked in one entry: no crash comes between."""
    fact = e.GoalBlocked(on=on, reason=reason, next=after, spent=meter.spent)
    await ports.transact(goal_id, Record((*before, fact)))


async def _ask(
    ports: Ports, goal_id: GoalId, questions: tuple[Question, ...], meter: Meter
) -> None:
    asked = e.QuestionsAsked(questions=questions)
    await _wait_for_answers(ports, goal_id, questions, (asked,), meter)


async def _wait_for_answers(
    ports: Ports,
    goal_id: GoalId,
    questions: tuple[Question, ...],
    asked: tuple[e.GoalEvent, ...],
    meter: Meter,
) -> None:
    names = ", ".join(question.id for question in questions)
    text = "; ".join(question.text for question in questions)
    await _block(ports, goal_id, "human", text, f"`answer` {names}, then `resume`", meter, asked)


async def _work(ports: Ports, bench: Workbench, goal_id: GoalId, meter: Meter) -> None:
    if problem := bench.sandbox.problem:
        await _block(ports, goal_id, "external", problem, f"{REMEDY}, then `resume`", meter)
        return
    begun = state = await note_news(ports, bench, await ports.read(goal_id))
    vigil = open_vigil(ports, bench, meter)
    if await vigil.finds_left(state):
        return
    await vigil.begin(state)
    if state.planning is not None:
        ended = await make_plan(ports, bench, state, meter)
        if not await vigil.ends_badly(begun, "the agent that plans"):
            ended = ended.changed(spent=meter.spent)
            await ports.transact(goal_id, Record((ended,)))
        return
    base = state.created.base_commit
    if not await _has_room(ports, bench, state, meter):
        return
    state = await run_stage(ports, bench, state, GateStage.BASELINE, base, state.gates)
    if await vigil.ends_badly(begun, "gates"):
        return
    if state.reopened:
        questions = find_gate_questions(state) if state.rebased else ()
        if questions:
            await _ask(ports, goal_id, questions, meter)
            return
        again = await _prove(ports, bench, vigil, state, meter)
        if again is not None:
            await _judge(ports, bench, vigil, again, meter)
        return
    if state.open_questions:  # its runner died after it had asked, in a release before this one
        await _wait_for_answers(ports, goal_id, state.open_questions, (), meter)
        return
    questions = (*find_gate_questions(state), *find_budget_questions(state, ports.find_reports))
    if questions:
        await _ask(ports, goal_id, questions, meter)
        return
    state = await integrate(ports, bench, state)
    while True:
        worked = await _run_waves(ports, bench, vigil, state, meter)
        if worked is None:
            return
        proven = await _prove(ports, bench, vigil, worked, meter)
        if proven is None:
            return
        state = await repair_result(ports, bench, proven, meter.find_total(proven))
        if not state.graph.ready(state.statuses):
            break
    await _judge(ports, bench, vigil, state, meter)


async def _has_room(ports: Ports, bench: Workbench, state: GoalState, meter: Meter) -> bool:
    """Whether a gate's workspace has room; blocks the goal where there is none."""
    if not state.gates:
        return True
    fit = await in_thread(bench.find_fit, state.tree or state.created.base_tree, 1)
    if not fit.at_once:
        await _wait_for_room(ports, state.goal_id, fit, meter)
    return bool(fit.at_once)


async def _wait_for_room(ports: Ports, goal_id: GoalId, fit: Fit, meter: Meter) -> None:
    after = "`gc`, free room or raise the limit, then `resume`"
    await _block(ports, goal_id, "infra", f"no room for work: {fit.reason}", after, meter)


async def _run_waves(
    ports: Ports, bench: Workbench, vigil: Vigil, state: GoalState, meter: Meter
) -> GoalState | None:
    """Run what there is to do, repairs too; `None` when the goal is blocked instead."""
    goal_id = state.goal_id
    while True:
        state = await ports.read(goal_id)  # whose limits a person may have raised meanwhile
        spent = meter.find_total(state)
        wave = next_wave(state, spent, ports.clock.now(), ports.find_reports)
        if wave.until is not None:
            await _wait(ports, wave.until, meter)
            continue
        if wave.exceeded:
            await _exhaust(ports, goal_id, wave.exceeded, meter)
            return None
        if wave.tasks:
            await ports.store.check_room()
            await note_news(ports, bench, state)
            wanted = min(len(wave.tasks), state.budget.max_agents)
            fit = await in_thread(bench.find_fit, state.created.base_tree, wanted)
            if not fit.at_once:
                await _wait_for_room(ports, goal_id, fit, meter)
                return None
            step = RecordStep("wave", meter.in_flight, _find_narrowing(fit))
            state = await ports.transact(goal_id, step)
            await vigil.begin(state)
            ran = await run_wave(ports, bench, state, wave, meter, fit.at_once)
            names = ", ".join(task.id for task in wave.tasks)
            by_hand = all(task.worker == "manual" for task in wave.tasks)
            if await vigil.ends_badly(state, f"task {names}", by_hand=by_hand):
                return None
            state = await integrate(ports, bench, ran)
            continue
        state, conflict = await repair_merge(ports, bench, state, spent)
        if conflict:
            after = "`resume` does that task again on what is there by now, or `cancel`"
            await _block(ports, goal_id, "human", conflict, after, meter)
            return None
        if state.graph.ready(state.statuses):
            continue
        questions = find_questions(state)
        if questions:
            await _ask(ports, goal_id, questions, meter)
            return None
        return state


def _find_narrowing(fit: Fit) -> tuple[e.WaveNarrowed, ...]:
    return (e.WaveNarrowed(at_once=fit.at_once, reason=fit.reason),) if fit.reason else ()


async def _wait(ports: Ports, until: datetime, meter: Meter) -> None:
    """Wait for a time, which is none of the goal's; look again soon, for a clock may be put."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    try:
        await asyncio.sleep(min(LOOK_AGAIN, (until - ports.clock.now()).total_seconds()))
    finally:
        meter.leave_out(loop.time() - begun)


async def _prove(
    ports: Ports, bench: Workbench, vigil: Vigil, state: GoalState, meter: Meter
) -> GoalState | None:
    """Run the gates on the integrated tree; `None` when the goal is blocked instead."""
    goal_id, created = state.goal_id, state.created
    state = await ports.read(goal_id)
    exceeded = find_exceeded(state.budget, Spend(changed_lines=_count_lines(state)))
    if exceeded and not state.reopened:
        await _exhaust(ports, goal_id, exceeded, meter)
        return None
    if not await _has_room(ports, bench, state, meter):
        return None
    begun = e.VerificationStarted(tree=state.tree or created.base_tree)
    state = await ports.transact(goal_id, RecordStep("gates", meter.in_flight, (begun,)))
    commit = state.commit or created.base_commit
    await vigil.begin(state)
    await run_stage(ports, bench, state, GateStage.PROVING, commit, state.gates)
    if await vigil.ends_badly(state, "gates"):
        return None
    return await ports.transact(goal_id, RecordStep("judging", meter.in_flight))


def _count_lines(state: GoalState) -> int:
    return state.evidence.additions + state.evidence.deletions if state.evidence else 0


async def _judge(
    ports: Ports, bench: Workbench, vigil: Vigil, state: GoalState, meter: Meter
) -> None:
    """Look closer at the tree that is kept, weigh all that was seen, and prove it."""
    goal_id, lines, before = state.goal_id, _count_lines(state), state
    await vigil.begin(state)
    state, without = await run_counterfactual(ports, bench, state)
    state, original = await run_original(ports, bench, state)
    state = await run_checks(ports, bench, state)
    if await vigil.ends_badly(before, "gates and checks"):
        return
    read = bench.repository.read_blob
    reaching = await in_thread(find_reaching_change, read, state.evidence, state.gates)
    undone = await in_thread(find_undone_work, bench.repository, state)
    seen = await observe(ports, state, without, original, reaching, undone)
    if wants_review(state, seen):
        await vigil.begin(state)
        state = await ask_reviewer(ports, bench, state, meter)
        if await vigil.ends_badly(before, "the agent that reviews"):
            return
    seen = await review_seen(ports, bench.repository, state, seen)
    judgement = await in_thread(judge, state.gates, state.asked, state.acceptances, seen)
    spent = meter.spent.changed(changed_lines=lines - state.spend.changed_lines)
    proven = state.changed(spend=state.spend.plus(spent))
    again = ProofCause.VERIFIED if state.reopened else ProofCause.JUDGED
    cause = ProofCause.REBASED if state.rebased else again
    digest = await write_bundle(ports, bench, proven, seen, judgement, cause)
    await ports.transact(goal_id, JudgeGoal(judgement, digest, spent, cause))


def find_gate_questions(state: GoalState) -> tuple[Question, ...]:
    """Return what a person must say about gates that are red on the base and cannot be compared.

    An exit code alone does not tell old failures from new ones, unless the goal is to flip it.
    """
    flips = {c.gate for c in state.criteria if c.evidence is EvidenceKind.FLIPS}
    asked = {question.id for question in state.questions}
    questions = []
    for gate in state.gates:
        run = state.find_run(GateStage.BASELINE, state.created.base_tree, gate.name)
        comparable = run is None or run.result.green or run.report is not None
        if comparable or not gate.required or gate.name in flips or WAIVE + gate.name in asked:
            continue
        assert run is not None
        said = "is red" if run.result.outcome is GateOutcome.FAILED else f"is {run.result.outcome}"
        questions.append(
            Question(
                id=WAIVE + gate.name,
                text=f"gate {gate.name} {said} on the base already and does not tell its tests"
                f" apart ({run.result.message}){_say_missed(run)}: answer `optional` to go on without requiring it,"
                f" or cancel and make that the goal: `Make {gate.name} pass`",
            )
        )
    return tuple(questions)


def _say_missed(run: GateRun) -> str:
    return f"; {describe_left_behind(run.left_behind)}" if run.left_behind else ""


def find_budget_questions(state: GoalState, find_reports: FindReports) -> tuple[Question, ...]:
    """Return what a person must say about limits against which a worker cannot report.

    Asked before anything is spent: afterwards there would be nothing to hold it against.
    """
    limits = find_unmetered_limits(state)
    waiting = [
        task
        for task in state.graph
        if state.tasks[task.id].status is not TaskStatus.DONE
        and any(getattr(find_reports(task), name) is Reporting.NEVER for name in limits)
    ]
    if not waiting:
        return ()
    asked = sum(question.id.startswith(UNMETERED) for question in state.questions)
    who = ", ".join(dict.fromkeys(task.agent or task.command[0] for task in waiting))
    said = " and ".join(f"{name} ({getattr(state.budget, name)})" for name in limits)
    return (
        Question(
            id=f"{UNMETERED}-{asked + 1}" if asked else UNMETERED,
            text=f"the limit of {said} cannot be kept: {who} does not report what it uses; answer"
            " `unlimited` to go on without that limit (`wall_seconds` and `attempts` do count), or"
            " cancel",
        ),
    )
