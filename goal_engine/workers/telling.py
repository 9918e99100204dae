"""What a worker that takes prompts is told in one turn."""

from __future__ import annotations

from goal_engine.ports import WorkerTurn
from goal_engine.workers.prompt import render_prompt

GO_ON = "You stopped at a limit of yours. Go on where you were, and end your turn when it is done."
"""The one prompt more that an agent gets which stopped so."""

AGAIN = """You may remember work on this task from before: it was cut off, and nothing of it is kept. The folder is
as it was before you began.
"""


YOURS = (
    "You were at work on this when your process ended. What you had changed by then is still there: "
    "look at it, and go on."
)
ANOTHERS = (
    "Another agent was at work on this when its process ended. What it had changed by then is still "
    "there: look at it, and go on."
)
"""What comes before what was told at first where a process broke off: to who remembers, and who does not."""


def render_turn(turn: WorkerTurn, *, remembers: bool = False, broke_off: bool = False) -> str:
    """Return the prompt of a turn: its own, or the task's.

    `remembers` is whether the agent is in the session that it had in an earlier process, and
    `broke_off` whether that process worked in this turn.
    """
    text = turn.prompt or _render_task(turn)
    if broke_off:
        return f"{YOURS if remembers else ANOTHERS}\n\n{text}"
    return f"{text}\n{AGAIN}" if remembers and not turn.prompt else text


def _render_task(turn: WorkerTurn) -> str:
    return render_prompt(
        turn.goal,
        turn.task,
        turn.criteria,
        turn.gates,
        turn.findings,
        turn.failures,
        turn.tried,
        may_propose=turn.may_propose,
    )
