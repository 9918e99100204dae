"""What a worker that takes prompts is told in one turn."""

from __future__ import annotations

from goal_engine.ports import WorkerTurn
from goal_engine.workers.prompt import render_prompt

GO_ON = "You stopped at a limit of yours. Go on where you were, and end your turn when it is done."
"""The one prompt more that an agent gets which stopped so."""

AGAIN = """You may remember work on this task from before: it was cut off, and nothing of it is kept. The folder is
as it was before you began.
"""


def render_turn(turn: WorkerTurn) -> str:
    """Return the prompt of a turn: its own, or the task's."""
    if turn.prompt:
        return turn.prompt
    text = render_prompt(
        turn.goal,
        turn.task,
        turn.criteria,
        turn.gates,
        turn.findings,
        turn.failures,
        turn.tried,
        may_propose=turn.may_propose,
    )
    return f"{text}\n{AGAIN}" if turn.session else text
