"""What a person says to a goal: each only appends; whoever runs the goal obeys."""

from __future__ import annotations

import asyncio

from goal_engine.decision import Answer
from goal_engine.errors import GoalBusy
from goal_engine.planner import replan
from goal_engine.ports import Ports
from goal_engine.state.commands import AnswerQuestion, NoticeInterruption, RequestControl, StopGoal
from goal_engine.state.events import ControlKind
from goal_engine.state.model import GoalState
from goal_engine.types import Decision, GoalId, GoalStatus

LOOK = 0.05
"""Seconds between two looks for the receipt."""
PATIENCE = 30.0
"""Seconds until a runner that does not answer is reported."""


async def pause_goal(ports: Ports, goal_id: GoalId, decision: Decision) -> GoalState:
    """Ask the runner to pause and return when its receipt is there: everything is dead."""
    return await _control(ports, goal_id, ControlKind.PAUSE, decision)


async def cancel_goal(ports: Ports, goal_id: GoalId, decision: Decision) -> GoalState:
    """End a goal for good, running or not, and return when everything is dead."""
    return await _control(ports, goal_id, ControlKind.CANCEL, decision)


async def _control(
    ports: Ports, goal_id: GoalId, kind: ControlKind, decision: Decision
) -> GoalState:
    state = await ports.read(goal_id)
    if state.status is not GoalStatus.RUNNING:
        return await ports.transact(goal_id, StopGoal(kind, decision.reason or str(kind)))
    await ports.transact(goal_id, RequestControl(kind, decision))
    loop = asyncio.get_running_loop()
    give_up = loop.time() + PATIENCE
    while loop.time() < give_up:
        state = await ports.read(goal_id)
        if state.status is not GoalStatus.RUNNING:
            return await _settle(ports, state, kind, decision)
        if not await ports.store.is_running(goal_id):
            return await _stop_orphan(ports, goal_id, kind, decision)
        await asyncio.sleep(LOOK)
    raise GoalBusy(
        f"The runner of {goal_id} has not answered for {PATIENCE:g} s; the request stands in the "
        "journal and it will obey when it looks.  `goalproof show` tells how far it is."
    )


async def _settle(
    ports: Ports, state: GoalState, kind: ControlKind, decision: Decision
) -> GoalState:
    """A goal that was judged before its runner saw a cancel is cancelled all the same."""
    if kind is ControlKind.CANCEL and state.status is not GoalStatus.CANCELLED:
        stop = StopGoal(kind, decision.reason or str(kind))
        return await ports.transact(state.goal_id, stop)
    return state


async def _stop_orphan(
    ports: Ports, goal_id: GoalId, kind: ControlKind, decision: Decision
) -> GoalState:
    """Nobody runs it: what was asked can be recorded here."""
    with ports.store.runner_lock(goal_id):
        state = await ports.read(goal_id)
        if state.status is not GoalStatus.RUNNING:
            return await _settle(ports, state, kind, decision)
        state = await ports.transact(goal_id, NoticeInterruption())
        if kind is ControlKind.CANCEL:
            stop = StopGoal(kind, decision.reason or str(kind))
            state = await ports.transact(goal_id, stop)
        return state


async def answer_question(
    ports: Ports, goal_id: GoalId, question: str, text: str, decision: Decision
) -> GoalState:
    """Record an answer; when it was the last one a goal without a plan is planned again."""
    state = await ports.read(goal_id)
    answer = Answer(question=question, text=text, decision=decision)
    planned, blocked, questions = replan(state, answer)
    command = AnswerQuestion(question, text, decision, planned, questions, blocked)
    return await ports.transact(goal_id, command)
