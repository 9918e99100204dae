"""What a worker that takes prompts is told in one turn."""

from __future__ import annotations

from goal_engine.ports import WorkerTurn
from goal_engine.workers.prompt import render_prompt

GO_ON = "You stopped at a limit of yours. Go on where you were, and end your turn when it is done."
"""The one prompt more that an agent gets which stopped so."""


def render_turn(turn: WorkerTurn) -> str:
    """Return the prompt of a turn: its own, or the task's."""
    return turn.prompt or render_prompt(
        turn.goal,
        turn.task,
        turn.criteria,
        turn.gates,
        turn.findings,
        turn.failures,
        turn.tried,
        may_propose=turn.may_propose,
    )
