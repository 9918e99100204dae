"""What a status bar shows: one small snapshot, made from the state alone."""

from __future__ import annotations

from goal_engine.budget import UNIT, Spend
from goal_engine.forecast import Range, say_remaining
from goal_engine.permission import say_ask
from goal_engine.proof.gate import GateStage
from goal_engine.state.events import Receipt
from goal_engine.state.model import GoalState, TaskState
from goal_engine.types import Frozen, GoalId, GoalPhase, GoalStatus, TaskStatus

MARKS = {
    TaskStatus.PENDING: "·",
    TaskStatus.RUNNING: "▸",
    TaskStatus.DONE: "✓",
    TaskStatus.FAILED: "✗",
    TaskStatus.BLOCKED: "–",
    TaskStatus.CANCELLED: "–",
}


WAITING = "waiting for you"
ASKING = "an agent asks you"
TOUCHED = 5
"""Files that a notice names."""


class GoalProgressSnapshot(Frozen):
    """Point-in-time progress (seed: `GoalProgressSnapshot`).  A lower `rev` is an older one."""

    goal_id: GoalId
    rev: int
    text: str
    status: GoalStatus
    phase: GoalPhase
    done: int
    """Tasks and proving gates that are finished."""
    total: int
    lines: tuple[str, ...]
    spend: Spend
    blocker: str = ""
    """Why it does not go on, empty while it does."""
    asks: tuple[str, ...] = ()
    """Keys of what agents wait for a person to allow."""

    @property
    def percentage(self) -> int:
        """0 to 100, whole."""
        return 100 * self.done // self.total if self.total else 0


def render_progress(state: GoalState, remaining: Range | None = None) -> GoalProgressSnapshot:
    """Return the snapshot of a goal; `remaining` is the time of its tasks, where there is a basis."""
    proven = [
        run.result
        for run in state.gates_run.values()
        if run.result.stage is GateStage.PROVING and run.result.tree == state.tree
    ]
    over = (TaskStatus.DONE, TaskStatus.FAILED, TaskStatus.BLOCKED)
    tasks_over = sum(task.status in over for task in state.tasks.values())
    titles = {task.id: task.title for task in state.graph}
    lines = [
        f"{MARKS[task.status]} {titles[task_id]}{f' ({said})' if (said := _say(task)) else ''}"
        for task_id, task in state.tasks.items()
    ]
    lines += [f"{'✓' if result.green else '✗'} gate {result.gate}" for result in proven]
    lines += _find_running(state)
    lines += [f"? {asked.task}: {say_ask(asked.ask)}" for asked in state.open_asks]
    lines += [f"! {percent} % of {UNIT[name].words} used" for name, percent in state.warned.items()]
    lines += [f"~ {say_remaining(remaining)}"] if remaining else []
    return GoalProgressSnapshot(
        goal_id=state.goal_id,
        rev=state.seq,
        text=state.created.text,
        status=state.status,
        phase=state.phase,
        done=tasks_over + len(proven),
        total=len(state.tasks) + len(state.gates),
        lines=tuple(lines),
        spend=state.spend,
        blocker=find_blocker(state),
        asks=tuple(one.key for one in state.open_asks),
    )


def _find_running(state: GoalState) -> list[str]:
    """A line for each gate that runs, none in a goal without a runner, and for whom is asked."""
    mark = MARKS[TaskStatus.RUNNING]
    gates = state.gates_running if state.status is GoalStatus.RUNNING else ()
    named = (name.split(" ", 1) for name in gates)
    lines = [f"{mark} gate {gate} ({stage})" for stage, gate in named]
    if state.consulting is not None:
        who = state.consulting.agent or state.consulting.worker
        lines.append(f"{mark} {who} is asked for a {state.consulting.about}")
    return lines


def _say(task: TaskState) -> str:
    return f"{WAITING}: {task.folder}" if task.waits_for_person else task.reason


def say_receipt(receipt: Receipt) -> str:
    """Return what a stop came to, in a sentence of its own."""
    who = f"asked by {receipt.actor}" if receipt.actor else receipt.reason
    took = "" if receipt.took_ms is None else f", dead {receipt.took_ms} ms after that"
    ended = "1 process" if receipt.ended == 1 else f"{receipt.ended} processes"
    left = f", {receipt.left} could not be" if receipt.left else ""
    way = ", ".join((*receipt.tasks, *receipt.gates)) or "nothing"
    return f"{who}{took}: {ended} ended{left}; under way: {way}"


def say_request(state: GoalState) -> str:
    """Return what a runner was asked and has not done yet; empty when there is no such thing."""
    asked = state.request
    if asked is None:
        return ""
    when = " once the step under way has ended" if asked.after_step else ""
    return f"{asked.decision.actor} asked to {asked.kind} it{when}; it has not stopped yet"


def say_outgrown(state: GoalState) -> str:
    """Return how far the person's branch was ahead of the goal's base; empty where it was not.

    It stops nothing: a change merges with what does not touch it.
    """
    seen = state.outgrown
    if seen is None:
        return ""
    branch = seen.branch or "the checkout"
    after = f"once it is judged, `goalproof rebase {state.goal_id}` puts it there"
    if seen.rewritten:
        return (
            f"{branch} does not have the goal's base {state.created.base_commit[:12]} any more (it is"
            f" at {seen.head[:12]}): {after}"
        )
    commits = f"{seen.commits} commit{'s' if seen.commits != 1 else ''}"
    named = ", ".join(seen.touched[:TOUCHED])
    more = len(seen.touched) - TOUCHED + seen.more
    also = f" and {more} more" if more > 0 else ""
    touch = f" that change {named}{also}, which this goal may write" if named else ""
    return f"{branch} is {commits} ahead of the goal's base{touch}: {after}"


def _only_waits_to_go_on(state: GoalState) -> bool:
    return bool(state.answers) and not state.open_questions and state.judgement is None


def find_blocker(state: GoalState) -> str:
    """Return why a goal stands still, empty when it does not."""
    match state.status:
        case GoalStatus.PAUSED:
            return state.pause_reason or "paused"
        case GoalStatus.NOT_READY if state.judgement:
            return "; ".join(state.judgement.reasons)
        case GoalStatus.RUNNING if state.open_asks:
            return f"{ASKING}: {'; '.join(say_ask(one.ask) for one in state.open_asks)}"
        case GoalStatus.RUNNING if state.handed_over:
            folders = [state.tasks[task].folder or "" for task in state.handed_over]
            return f"{WAITING}: {', '.join(folders)}"
        case GoalStatus.BLOCKED_ON_HUMAN if _only_waits_to_go_on(state):
            return "what it asked is answered: `resume` goes on"
        case _ if state.blocked:
            return state.blocked.reason
        case _:
            return ""
