"""What was used, when, by whom, and who gave more: read from a goal's journal, pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from goal_engine.budget import Spend
from goal_engine.state import events as e
from goal_engine.state.evolve import fold
from goal_engine.state.model import GoalState, TaskState
from goal_engine.types import Frozen

MARKED: Mapping[type[Frozen], str] = {
    e.GoalPaused: "paused",
    e.GoalInterrupted: "interrupted",
    e.GoalBlocked: "blocked",
    e.GoalResumed: "resumed",
    e.GoalJudged: "judged",
    e.GoalCancelled: "cancelled",
    e.BudgetExtended: "extended",
}
"""Events that are checkpoints by themselves."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What was used by the time of a step."""

    seq: int
    at: datetime
    label: str
    spent: Spend


@dataclass(frozen=True, slots=True)
class Warned:
    """A warning as it was given."""

    at: datetime
    said: e.BudgetWarned


@dataclass(frozen=True, slots=True)
class Extended:
    """More of what is limited, as a person gave it."""

    at: datetime
    said: e.BudgetExtended


@dataclass(frozen=True, slots=True)
class Ledger:
    """The history of a goal's spend, oldest first."""

    checkpoints: tuple[Checkpoint, ...] = ()
    warnings: tuple[Warned, ...] = ()
    extensions: tuple[Extended, ...] = ()


def read_ledger(entries: Iterable[e.JournalEntry]) -> Ledger:
    """Return the history that `entries` tell, which begin with a goal's first one."""
    checkpoints: list[Checkpoint] = []
    warnings: list[Warned] = []
    extensions: list[Extended] = []
    state: GoalState | None = None
    for entry in entries:
        for event in entry.events:
            state = fold((event,), state)
            if isinstance(event, e.BudgetWarned):
                warnings.append(Warned(entry.at, event))
            if isinstance(event, e.BudgetExtended):
                extensions.append(Extended(entry.at, event))
            label, spent = _find_label(event), state.used
            if isinstance(event, e.BudgetChecked):
                spent = event.spent
            if label:
                checkpoints.append(Checkpoint(entry.seq, entry.at, label, spent))
    return Ledger(tuple(checkpoints), tuple(warnings), tuple(extensions))


def _find_label(event: e.GoalEvent) -> str:
    if isinstance(event, e.BudgetChecked):
        return f"{e.STEPS[event.step]} {event.task or ''}".strip()
    if isinstance(event, e.GoalBlocked) and event.on == "budget":
        return "used up"
    return MARKED.get(type(event), "")


@dataclass(frozen=True, slots=True)
class Share:
    """What one task used, all its attempts together."""

    task: str
    worker: str
    """With the agent, where there is one."""
    spent: Spend


def find_shares(state: GoalState) -> tuple[Share, ...]:
    """Return what each task used that was attempted, in the order of the plan."""
    return tuple(
        Share(task.id, name_worker(task.worker, task.agent, task.command), _count(stands))
        for task in state.graph
        if (stands := state.tasks[task.id]).attempts
    )


def _count(task: TaskState) -> Spend:
    """The lines are those of the attempt that ended well."""
    change = task.evidence
    lines = change.additions + change.deletions if change else 0
    return task.spend.changed(changed_lines=lines)


def name_worker(worker: str, agent: str, command: tuple[str, ...]) -> str:
    """Return who did something, as a person tells them apart."""
    return agent or (command[0] if command else worker)
