"""A journal as moments that a person can read: when, what, by whom and why, and what it changed.

Pure: a function of the entries alone.  Clocks may go back between two of them; no time is negative.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from goal_engine.budget import Spend
from goal_engine.history.sentences import name_gate, tell_event
from goal_engine.state import events as e
from goal_engine.state.evolve import evolve
from goal_engine.state.model import GoalState
from goal_engine.types import Decision, Frozen, GoalPhase, GoalStatus, TaskStatus

OBJECTS = ("log", "report", "failures", "digest", "commit", "tree")
"""Fields of an event that name something which is kept elsewhere."""

RUNS = "runs of gates"
"""Stands for all of them among what began."""


class NamedObject(Frozen):
    """Something that an event names: an object of the store, a proof, or one of git's."""

    what: str
    name: str


class TaskMove(Frozen):
    """A task's status changed."""

    task: str
    before: TaskStatus | None
    """`None` for a task that is new."""
    after: TaskStatus


class Moment(Frozen):
    """One event, as it is told."""

    seq: int
    """The number of its entry; several events of one entry happened at once."""
    at: datetime
    cause: str
    """The command that caused it."""
    kind: str
    """`task.finished`."""
    text: str
    by: str = ""
    """Who decided it; empty for what the engine saw or did."""
    reason: str = ""
    """Why, in that person's words."""
    status: GoalStatus
    """Of the goal, afterwards."""
    was: GoalStatus | None
    """The goal's status before; `None` for a goal that was not there."""
    phase: GoalPhase
    tasks: tuple[str, ...] = ()
    """The tasks that it is about."""
    gate: str = ""
    moves: tuple[TaskMove, ...] = ()
    gap_ms: int = 0
    """Since the entry before; only with the first event of an entry."""
    took_ms: int | None = None
    """How long what ended here had taken."""
    spent: Spend | None = None
    """In all, where it changed."""
    objects: tuple[NamedObject, ...] = ()


class TimeSpent(Frozen):
    """Where the time went."""

    what: str
    """`status running`, `task fix`, `gate tests on the result`."""
    times: int
    ms: int


@dataclass(frozen=True, slots=True)
class Step:
    """One event between the goal as it was before it and as it was after."""

    entry: e.JournalEntry
    event: e.GoalEvent
    before: GoalState | None
    after: GoalState
    gap_ms: int
    took_ms: int | None


def walk(entries: Iterable[e.JournalEntry]) -> Iterator[Step]:
    """Yield each event with the goal around it.  Raises `ImpossibleEvent`, as folding does."""
    state: GoalState | None = None
    last: datetime | None = None
    began: dict[str, datetime] = {}
    for entry in entries:
        gap = _between(last, entry.at)
        for event in entry.events:
            after = evolve(state, event)
            took = _find_took(event, entry.at, began)
            yield Step(
                entry=entry, event=event, before=state, after=after, gap_ms=gap, took_ms=took
            )
            state, gap = after, 0
        assert state is not None
        state, last = state.changed(seq=entry.seq, updated_at=entry.at), entry.at


def _between(before: datetime | None, after: datetime) -> int:
    if before is None:
        return 0
    return max(0, (after - before) // timedelta(milliseconds=1))


def _find_took(event: e.GoalEvent, at: datetime, began: dict[str, datetime]) -> int | None:
    """A gate tells how long it ran, a receipt how long a stop took; an attempt began some time ago.

    An answer that was taken over from elsewhere took no time: it was remembered, or its run never
    began, in a journal that says when runs begin.
    """
    match event:
        case e.GateStarted():
            began[RUNS] = began[f"{event.stage} {event.gate}"] = at
        case e.GateFinished():
            ran = began.pop(f"{event.result.stage} {event.result.gate}", None) or RUNS not in began
            return event.result.duration_ms if ran and not event.result.cached else 0
        case e.TaskStarted():
            began[event.task] = at
        case e.TaskFinished() | e.TaskFailed():
            return _between(began.pop(event.task, at), at)
        case e.GoalPaused() | e.GoalCancelled() | e.GoalInterrupted():
            return event.receipt.took_ms if event.receipt else None
        case _:
            pass
    return None


def render_moment(step: Step) -> Moment:
    """Return how a step is told."""
    entry, event, before, after = step.entry, step.event, step.before, step.after
    decision = find_decision(event)
    spent = after.spend if before is None or before.spend != after.spend else None
    return Moment(
        seq=entry.seq,
        at=entry.at,
        cause=entry.cause,
        kind=event.type,
        text=tell_event(event),
        by=decision.actor if decision else _find_author(event),
        reason=decision.reason if decision else "",
        status=after.status,
        was=before.status if before else None,
        phase=after.phase,
        tasks=find_tasks(event),
        gate=find_gate(event),
        moves=_find_moves(before, after),
        gap_ms=step.gap_ms,
        took_ms=step.took_ms,
        spent=spent,
        objects=tuple(_find_objects(event)),
    )


def _find_author(event: e.GoalEvent) -> str:
    """Who asked for what is no decision of its own."""
    by: str = getattr(event, "by", "")
    return event.author.name if isinstance(event, e.GoalCreated) else by


def find_decision(event: Frozen) -> Decision | None:
    """Return the decision that an event records, be it within an answer or an acceptance."""
    values: list[Any] = [getattr(event, name) for name in type(event).model_fields]
    found = next((value for value in values if isinstance(value, Decision)), None)
    if isinstance(event, e.Receipt) and event.actor:
        return Decision(actor=event.actor, reason=event.reason)
    nested = (value for value in values if isinstance(value, Frozen))
    return found or next(filter(None, map(find_decision, nested)), None)


def find_tasks(event: e.GoalEvent) -> tuple[str, ...]:
    """Return the ids of the tasks that an event is about."""
    one = getattr(event, "task", None)
    named = () if one is None else (one if isinstance(one, str) else one.id,)
    return (*named, *getattr(event, "tasks", ()))


def find_gate(event: e.GoalEvent) -> str:
    """Return the gate that an event is about, or nothing."""
    name: str = getattr(event, "gate", "") or getattr(getattr(event, "result", None), "gate", "")
    return name


def _find_moves(before: GoalState | None, after: GoalState) -> tuple[TaskMove, ...]:
    old = before.statuses if before else {}
    if before is not None and before.tasks is after.tasks:
        return ()
    return tuple(
        TaskMove(task=task, before=old.get(task), after=status)
        for task, status in after.statuses.items()
        if old.get(task) is not status
    )


def _find_objects(event: Frozen) -> Iterator[NamedObject]:
    for holder in (event, getattr(event, "result", None)):
        for what in OBJECTS:
            name = getattr(holder, what, None)
            if isinstance(name, str):
                yield NamedObject(what=what, name=name)


def sum_times(steps: Sequence[Step]) -> tuple[TimeSpent, ...]:
    """Return where the time went: in each status, by each task and each gate; the longest first."""
    found: dict[str, list[int]] = {}
    for step in steps:
        if step.before is not None and step.gap_ms:
            found.setdefault(f"status {step.before.status}", []).append(step.gap_ms)
        if step.took_ms:
            found.setdefault(_name_worker(step.event), []).append(step.took_ms)
    times = [
        TimeSpent(what=what, times=len(all_ms), ms=sum(all_ms)) for what, all_ms in found.items()
    ]
    return tuple(sorted(times, key=lambda one: (-one.ms, one.what)))


def _name_worker(event: e.GoalEvent) -> str:
    if isinstance(event, e.GateFinished):
        return name_gate(event.result.gate, event.result.stage)
    return f"task {name}" if (name := ", ".join(find_tasks(event))) else "stopping"
