"""What a person says to a goal: each only appends; whoever runs the goal obeys."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from goal_engine.budget import BudgetAdd, Spend
from goal_engine.decision import Answer
from goal_engine.errors import BadInput, GoalAmbiguous, GoalBusy, GoalNotFound, NotPossibleNow
from goal_engine.permission import MOST_SAID, parse_leave
from goal_engine.planner import replan
from goal_engine.ports import Ports
from goal_engine.runtime.fingerprint import forget_fingerprint, restore_repository
from goal_engine.runtime.repository import has_stash
from goal_engine.runtime.running import Ended
from goal_engine.runtime.threads import in_thread
from goal_engine.state.commands import (
    AnswerAsk,
    AnswerQuestion,
    ArchiveGoal,
    ExtendBudget,
    RequestControl,
    SayWord,
    StopGoal,
    SubmitTask,
)
from goal_engine.state.decide import MOVED, STEERED, check_asked
from goal_engine.state.events import ControlKind
from goal_engine.state.model import GoalState
from goal_engine.state.possible import check_possible, refusal
from goal_engine.takeover import find_stopped_runner, forget_sessions, say_stopped, take_over
from goal_engine.types import Decision, GoalId, GoalStatus
from goal_engine.workers.installed import read_hands
from goal_engine.worktree import (
    find_folders,
    find_kept,
    remove_workspace,
    task_folder,
)

LOOK = 0.05
"""Seconds between two looks for the receipt."""
SHORTEST = 8
"""Characters of an ask's key that are enough where no other begins so: of fewer an agent can find another
ask that begins so, for when the one that was read is over."""
NOTHING_SPENT = Spend()
NOTHING_ENDED = Ended()
PATIENCE = 30.0
"""Seconds until a runner that does not answer is reported."""


async def pause_goal(
    ports: Ports, goal_id: GoalId, decision: Decision, *, after_step: bool = False
) -> GoalState:
    """Ask the runner to pause and return when its receipt is there: everything is dead.

    `after_step` lets the tasks and gates under way come to their end first, however long that is;
    a harder request does not wait for them.  Raises `GoalBusy` for a runner that does not answer.
    """
    return await _control(ports, goal_id, ControlKind.PAUSE, decision, after_step=after_step)


async def cancel_goal(ports: Ports, goal_id: GoalId, decision: Decision) -> GoalState:
    """End a goal for good, running or not, and return when everything is dead.

    Raises `GoalBusy` for a runner that does not answer.
    """
    return await _control(ports, goal_id, ControlKind.CANCEL, decision)


async def extend_budget(
    ports: Ports, goal_id: GoalId, add: BudgetAdd, decision: Decision
) -> GoalState:
    """Give a goal more of what is limited; whoever runs it obeys at once, and nobody is started.

    Raises `BadInput` where there is no such limit, `NotPossibleNow` once it is delivered or cancelled.
    """
    return await ports.transact(goal_id, ExtendBudget(add, decision))


async def archive_goal(
    ports: Ports, goal_id: GoalId, decision: Decision, *, back: bool = False
) -> GoalState:
    """Put a goal that stands still out of the lists, or `back` into them.

    Nothing of it goes but what agents remember.  Raises `NotPossibleNow` while it runs.
    """
    state = await ports.transact(goal_id, ArchiveGoal(decision, back))
    if not back:
        await in_thread(forget_sessions, ports.find_state_dir(), goal_id)
    return state


async def submit_task(
    ports: Ports, goal_id: GoalId, task: str | None, decision: Decision
) -> GoalState:
    """Say that the folder of a handed-over task, the only one if `None`, holds the result.

    Whoever runs the goal goes on with it.  Raises `NotPossibleNow` when none waits, naming what is
    possible, and for a folder with stashed changes; `GoalNotFound` and `GoalAmbiguous`.
    """
    state = await ports.read(goal_id)
    for name in (task,) if task else state.handed_over:
        if name in state.handed_over:
            folder = task_folder(ports.find_state_dir(), goal_id, name)
            await in_thread(_check_stash, name, folder)
    return await ports.transact(goal_id, SubmitTask(task, decision))


def _check_stash(task: str, folder: Path) -> None:
    """The folder goes once its files are taken, and a stash is in no file."""
    if has_stash(folder):
        raise NotPossibleNow(
            f"{folder} has stashed changes, which are in no file and would be lost: `git stash pop` "
            f"or `git stash drop` there, then submit {task} again."
        )


async def stop_goal(
    ports: Ports,
    state: GoalState,
    kind: ControlKind,
    reason: str,
    spent: Spend = NOTHING_SPENT,
    *,
    actor: str = "",
    stopped: Ended = NOTHING_ENDED,
) -> GoalState:
    """Write the receipt.  After a cancel a person's folder stays only where they worked in it."""
    command = StopGoal(
        kind, reason or str(kind), spent, actor=actor, ended=stopped.ended, left=stopped.left
    )
    folders = {} if kind is ControlKind.PAUSE else find_folders(ports.find_state_dir, state)
    if folders:
        repository = await in_thread(ports.open_repository)
        command = replace(command, kept=await in_thread(find_kept, repository, folders, state))
    after = await ports.transact(state.goal_id, command)
    for name in folders.keys() - set(command.kept):
        await in_thread(remove_workspace, repository, folders[name])
    if kind is ControlKind.CANCEL:
        await in_thread(forget_sessions, ports.find_state_dir(), state.goal_id)
    return after


async def _control(
    ports: Ports,
    goal_id: GoalId,
    kind: ControlKind,
    decision: Decision,
    *,
    after_step: bool = False,
) -> GoalState:
    """Ask whoever runs the goal; a goal that nobody runs is stopped here, and nobody starts it then."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + PATIENCE
    asked = False
    while after_step or loop.time() < give_up:
        state = await ports.read(goal_id)
        if state.is_newer:
            raise refusal(state, kind)
        runs = state.status is GoalStatus.RUNNING
        answered = asked and all(request.kind is not kind for request in state.requests)
        if answered and kind is ControlKind.PAUSE:
            return state
        if runs and (answered or not asked):  # a pause may have answered, and it goes on since
            with suppress(NotPossibleNow):  # it came to its end meanwhile
                await ports.transact(goal_id, RequestControl(kind, decision, after_step))
                asked = True
        elif not await ports.store.is_running(goal_id):
            with suppress(GoalBusy):  # somebody begins with it, or is not quite done
                return await _stop_here(ports, goal_id, kind, decision, asked=asked)
        if asked:
            await in_thread(_check_runner, ports, goal_id)
        await asyncio.sleep(LOOK)
    if not asked:
        raise GoalBusy(
            f"Another process works on {goal_id} without running it, as an agent's review does: end that,"
            f" or `{kind}` the goal when it is over. Nothing was asked of it."
        )
    raise GoalBusy(
        f"The runner of {goal_id} has not answered for {PATIENCE:g} s; what was asked of it stands"
        " in the journal and it will obey when it looks.  `goalproof show` tells how far it is."
    )


def _check_runner(ports: Ports, goal_id: GoalId) -> None:
    """Raise `GoalBusy` for a runner that was stopped: it holds its lock, so nobody takes over."""
    stopped = find_stopped_runner(ports.find_state_dir(), goal_id)
    if stopped is not None:
        raise GoalBusy(
            f"{say_stopped(goal_id, stopped)}  What was asked of it stands in the journal, and it "
            "will obey then."
        )


async def _stop_here(
    ports: Ports, goal_id: GoalId, kind: ControlKind, decision: Decision, *, asked: bool
) -> GoalState:
    """Record a stop where nobody runs the goal.  Raises `GoalBusy` when somebody does.

    One that was judged before its runner saw a cancel is cancelled all the same.
    """
    with ports.store.runner_lock(goal_id):
        ran = (await ports.read(goal_id)).status is GoalStatus.RUNNING
        state, ended = await take_over(ports, goal_id)
        done = kind is ControlKind.PAUSE or state.status is GoalStatus.CANCELLED
        if (asked or ran) and done:
            return state
        return await stop_goal(
            ports, state, kind, decision.reason, actor=decision.actor, stopped=ended
        )


async def tell_agent(
    ports: Ports, goal_id: GoalId, text: str, task: str | None, by: str
) -> GoalState:
    """Say something to the agent that works on a task, the only one if `None`, while it works.

    Raises `NotPossibleNow` when none works that can hear it, `GoalNotFound`, `GoalAmbiguous`, and
    `BadInput` for what is nothing or too much.
    """
    said = text.strip()
    if not 0 < len(said) <= MOST_SAID:
        raise BadInput(f"Say between 1 and {MOST_SAID} characters to an agent, not {len(said)}.")
    return await ports.transact(goal_id, SayWord(task, said, by))


async def _answer_ask(
    ports: Ports, state: GoalState, key: str, text: str, decision: Decision
) -> GoalState:
    """Answer what an agent asks; what is not asked any more cannot be answered."""
    meant = {one.key: one.ask for one in state.open_asks if one.key.startswith(key)}
    listed = ", ".join(one.key for one in state.open_asks)
    if len(key) < SHORTEST:
        raise BadInput(
            f"{key!r} is too short to name what an agent asks: give {SHORTEST} characters of its key or more."
            f" What is asked now: {listed}."
        )
    if not meant:
        raise GoalNotFound(
            f"No agent of {state.goal_id} asks {key[:80]!r} now: it was answered, taken back or changed since. What"
            f" is asked now: {listed}; `goalproof show` tells it in words, and {SHORTEST} characters of"
            " the key are enough."
        )
    if len(meant) > 1:
        raise GoalAmbiguous(
            f"Several asks begin with {key!r}: {', '.join(meant)}. Give more of it."
        )
    (found, ask), *_ = meant.items()
    try:
        answer = parse_leave(ask, text)
    except ValueError as error:
        raise BadInput(
            f"To what an agent asks, {error}: `answer {state.goal_id} {found} allow`."
        ) from None
    return await ports.transact(state.goal_id, AnswerAsk(found, answer, decision))


async def answer_question(
    ports: Ports, goal_id: GoalId, question: str, text: str, decision: Decision
) -> GoalState:
    """Record an answer; when it was the last one a goal without a plan is planned again.

    What an agent under way asks leave for is answered by its key, or the beginning of it.
    `restore`, about what changed in the person's repository, is done before it is recorded: killed
    between the two, it is asked and done again.  Raises `GoalNotFound` for a question that is not asked.
    """
    state = await ports.read(goal_id)
    check_possible(state, "answer")
    if state.open_asks:
        return await _answer_ask(ports, state, question, text, decision)
    check_asked(state, question)
    answer = Answer(question=question, text=text, decision=decision)
    hands = await in_thread(read_hands, ports.checkout, ports.workers)
    planned, blocked, questions = replan(state, answer, tuple(hands.installed))
    restored: tuple[str, ...] = ()
    if question.startswith(STEERED) and text.strip().casefold() == "restore":
        told = state.moved.changes if state.moved else ()
        restored = await in_thread(
            restore_repository, ports.find_state_dir(), goal_id, ports.checkout, told
        )
    command = AnswerQuestion(question, text, decision, planned, questions, blocked, restored)
    after = await ports.transact(goal_id, command)
    if question.startswith((STEERED, MOVED)):
        await in_thread(forget_fingerprint, ports.find_state_dir(), goal_id)
    return after
