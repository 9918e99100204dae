"""`next_wave` chooses what to run now; it starts nothing."""

from __future__ import annotations

from dataclasses import dataclass

from goal_engine.budget import GoalBudget, Spend, find_exceeded
from goal_engine.state.model import GoalState
from goal_engine.task_graph.graph import GoalTask


@dataclass(frozen=True, slots=True)
class Wave:
    """Tasks that run together, or the limits that forbid any."""

    tasks: tuple[GoalTask, ...] = ()
    exceeded: tuple[str, ...] = ()


def next_wave(state: GoalState, spent: Spend) -> Wave:
    """Return the ready tasks that fit the budget after `spent`; nothing at all means no more work.

    A wave holds every ready task: `max_agents` bounds how many of them run at once, not its size.
    """
    ready = state.graph.ready(state.statuses)
    if not ready:
        return Wave()
    exceeded = find_exceeded(state.budget, spent)
    room = _room(state.budget, spent)
    if exceeded or room == 0:
        attempts = f"attempts: {spent.attempts} of {state.budget.attempts}"
        return Wave(exceeded=exceeded or (attempts,))
    return Wave(tasks=ready[:room])


def _room(budget: GoalBudget, spend: Spend) -> int | None:
    return None if budget.attempts is None else max(0, budget.attempts - spend.attempts)
