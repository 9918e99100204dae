"""`next_wave` chooses what to run now; it starts nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from goal_engine.budget import (
    COSTS_NOTHING,
    SAYS_NOTHING,
    Need,
    Reports,
    Room,
    Spend,
    make_need,
)
from goal_engine.dispatch.tasks.retries import is_due
from goal_engine.state.model import GoalState
from goal_engine.task_graph.claims import Claims
from goal_engine.task_graph.graph import GoalTask

FindReports = Callable[[GoalTask], Reports]
"""Says what the worker of a task says of what it uses."""


@dataclass(frozen=True, slots=True)
class Wave:
    """Tasks that run together, or the limits that forbid any."""

    tasks: tuple[GoalTask, ...] = ()
    """None of them changes what another one changes or reads; the first goes first."""
    exceeded: tuple[str, ...] = ()
    until: datetime | None = None
    """When there is work again, where all of it is to be tried later."""


def next_wave(
    state: GoalState, spent: Spend, now: datetime, find_reports: FindReports | None = None
) -> Wave:
    """Return the ready tasks that fit the budget after `spent`; nothing at all means no more work.

    Those of a higher priority come first, else the plan's order counts.  What is in the way of one
    before it waits for the next wave, which starts from what this one left; so does one that does
    not fit: what each task may use counts as spent for those after it, and `find_reports` says what
    its worker says of that.  A wave holds every task that fits: `max_agents` bounds how many
    of them run at once, not its size.  Of a sequential plan it holds one.  What is to be tried later is in none before its time.
    """
    ready = sorted(state.graph.ready(state.statuses), key=lambda task: -task.priority)
    due = [task for task in ready if is_due(state.tasks[task.id].not_before, now)]
    if not due:
        later = (state.tasks[task.id].not_before for task in ready)
        return Wave(until=min((at for at in later if at is not None), default=None))
    room, claimed = Room(state.budget, spent), _Claimed()
    find_reports = _remember(find_reports) if find_reports else None
    chosen: list[GoalTask] = []
    first: tuple[str, ...] = ()
    for task in due:
        if claimed.bars(task):
            continue
        unfit = room.take(find_need(task, find_reports))
        if not unfit:
            chosen.append(task)
            claimed.add(task)
            if state.policy.sequential:
                break
            continue
        first = first or unfit
        if room.is_full:
            break
    return Wave(tasks=tuple(chosen)) if chosen else Wave(exceeded=first)


def _remember(find_reports: FindReports) -> FindReports:
    """What is said of an agent is read from files: once is enough for all of its tasks."""
    known: dict[tuple[str, str], Reports] = {}

    def find(task: GoalTask) -> Reports:
        who = (task.worker, task.agent)
        if who not in known:
            known[who] = find_reports(task)
        return known[who]

    return find


class _Claimed:
    """What the tasks of a wave change and read."""

    def __init__(self) -> None:
        self._writes, self._reads = Claims(), Claims()

    def add(self, task: GoalTask) -> None:
        for claims, paths in ((self._writes, task.writes), (self._reads, task.reads)):
            for path in paths:
                claims.add(path)

    def bars(self, task: GoalTask) -> bool:
        """Whether a task changes what one of the wave changes or reads, or reads what it changes."""
        written = self._writes.has(task.writes) or self._writes.has(task.reads)
        return written or self._reads.has(task.writes)


def find_need(task: GoalTask, find_reports: FindReports | None = None) -> Need:
    """Return what an attempt at a task may use before anybody looks again."""
    usual = COSTS_NOTHING if task.metered else SAYS_NOTHING
    return make_need(task.id, find_reports(task) if find_reports else usual, task.budget)
