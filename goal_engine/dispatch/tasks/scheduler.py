"""`next_wave` chooses what to run now; it starts nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from goal_engine.budget import (
    COSTS_NOTHING,
    NO_NEED,
    SAYS_NOTHING,
    Need,
    Reports,
    Spend,
    find_unfit,
    has_limits,
    make_need,
)
from goal_engine.state.model import GoalState
from goal_engine.task_graph.graph import GoalTask


@dataclass(frozen=True, slots=True)
class Wave:
    """Tasks that run together, or the limits that forbid any."""

    tasks: tuple[GoalTask, ...] = ()
    exceeded: tuple[str, ...] = ()


def next_wave(state: GoalState, spent: Spend, reports: Mapping[str, Reports] | None = None) -> Wave:
    """Return the ready tasks that fit the budget after `spent`; nothing at all means no more work.

    `reports` says of each worker what it says of what it uses.  What each task may use counts as
    spent for those after it; one that does not fit waits for the next wave.  A wave holds every
    task that fits: `max_agents` bounds how many of them run at once, not its size.
    """
    ready = state.graph.ready(state.statuses)
    if not has_limits(state.budget):
        return Wave(tasks=ready)
    chosen: list[GoalTask] = []
    held, first = NO_NEED, tuple[str, ...]()
    for task in ready:
        need = find_need(task, reports)
        unfit = find_unfit(state.budget, spent, held, need)
        if unfit:
            first = first or unfit
            continue
        chosen.append(task)
        held = held.plus(need)
    return Wave(tasks=tuple(chosen)) if chosen else Wave(exceeded=first)


def find_need(task: GoalTask, reports: Mapping[str, Reports] | None = None) -> Need:
    """Return what an attempt at a task may use before anybody looks again."""
    usual = COSTS_NOTHING if task.metered else SAYS_NOTHING
    return make_need(task.id, (reports or {}).get(task.worker, usual), task.budget)
