"""What happened to a goal, at any moment: folded from the bytes of its journal, and from nothing else.

Nothing is written, no cache is believed and no clock is read: the same journal tells the same story
everywhere, byte for byte.  What the caches say is compared with it, and a difference is reported; so
is a goal that ends in the middle of its work although nobody works on it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from goal_engine.errors import BadInput, GoalError, JournalDamaged
from goal_engine.history.differences import Difference, find_differences
from goal_engine.history.timeline import (
    Moment,
    Step,
    TimeSpent,
    find_gate,
    find_tasks,
    render_moment,
    sum_times,
    walk,
)
from goal_engine.ports import Ports
from goal_engine.state.events import JournalEntry
from goal_engine.state.evolve import fold_entries
from goal_engine.state.journal import CANONICAL, newer
from goal_engine.state.model import GoalState
from goal_engine.state.naming import find_named
from goal_engine.state.store import GoalStateStore, say_gone
from goal_engine.types import Frozen, GoalId

LAST = 200
"""Moments that are told unless more are asked for."""

DIFFERENCES = 500
"""Differences that are told."""


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """Which part of a history is told."""

    at: int | None = None
    """The goal as it was after this entry, and how it came there."""
    start: int | None = None
    end: int | None = None
    """What is different between the goal after entry `start` and after entry `end`."""
    task: str | None = None
    gate: str | None = None
    """Only moments that are about this task or this gate."""
    last: int = LAST
    """How many moments, the last ones."""


class GoalReplay(Frozen):
    """Reconstructable replay log of a goal's execution (seed: `GoalReplay`)."""

    goal_id: GoalId
    entries: int
    """How many the journal has, as far as it verifies."""
    after: int
    """The entry after which the story begins; 0 is the beginning of the goal."""
    last: int
    """The entry that it ends with."""
    begun_at: datetime
    until: datetime
    """When the entry `last` was written."""
    state: GoalState
    """The goal after the entry `last`."""
    digest: str
    """The sha256 of that state, as canonical JSON."""
    moments: tuple[Moment, ...]
    earlier: int
    """Moments before those that are told."""
    times: tuple[TimeSpent, ...]
    """Where the time went between the two entries."""
    differences: tuple[Difference, ...] | None = None
    """Between the goal at `after` and at `last`, where that was asked for."""
    more: int = 0
    """Differences that are left out, since there are so many."""
    damage: str = ""
    """Where the journal ends before its bytes do, and why; empty for a journal that is whole."""
    note: str = ""
    """What its end alone does not tell: that a newer release goes on with it, or its runner is gone."""
    defects: tuple[str, ...] = ()
    """Where what is shown elsewhere is not what the journal says."""


async def replay_goal(ports: Ports, name: str, options: ReplayOptions | None = None) -> GoalReplay:
    """Return what happened to a goal.

    Raises what `resolve_goal` raises but for damage, of which the verified beginning is told;
    `JournalDamaged` where there is none, and `BadInput` for entries, tasks and gates it does not have.
    """
    return await replay_goal_with_store(ports.store, name, options)


async def replay_goal_with_store(
    store: GoalStateStore, name: str, options: ReplayOptions | None = None
) -> GoalReplay:
    """`replay_goal` on a store."""
    goal_id = await find_named(store, name)
    listed = [summary.state for summary in await store.list((goal_id,))]
    shown, refused = await _ask_head(store, goal_id)
    entries, damage = await store.salvage(goal_id)
    if not entries:
        raise JournalDamaged(damage)
    told = tell_story(tuple(entries), options or ReplayOptions())
    defects = find_defects(entries, {"list": next(iter(listed), None), "show": shown})
    gone = await say_gone(store, told.state) if told.last == told.entries else ""
    return told.changed(damage=damage or refused, note=told.note or gone, defects=defects)


async def _ask_head(store: GoalStateStore, goal_id: GoalId) -> tuple[GoalState | None, str]:
    """Return the goal as everybody is shown it, or why nobody is."""
    try:
        return (await store.head(goal_id))[0], ""
    except GoalError as error:
        return None, error.paragraph


def find_defects(
    entries: Sequence[JournalEntry], shown: dict[str, GoalState | None]
) -> tuple[str, ...]:
    """Return a sentence for each goal that is shown and is not what its entries say.

    A goal that goes on meanwhile is compared as it was when it was shown.
    """
    return tuple(
        found
        for where, state in shown.items()
        if state and (found := _doubt(entries, where, state))
    )


def _doubt(entries: Sequence[JournalEntry], where: str, state: GoalState) -> str:
    if state.seq > len(entries):
        return f"`{where}` speaks of entry {state.seq}, and the journal ends with {len(entries)}"
    true = fold_entries(entries[: state.seq])
    if true == state:
        return ""
    found = find_differences(true, state)
    said = "; ".join(one.text for one in found[:3]) or "it is another one"
    return f"`{where}` does not show what the journal says at entry {state.seq}: {said}"


def tell_story(entries: tuple[JournalEntry, ...], options: ReplayOptions) -> GoalReplay:
    """Return what `entries` say, as far as it was asked for.  Raises `BadInput`."""
    after, last = choose_span(len(entries), options)
    until = entries[:last]
    steps = [step for step in walk(until) if step.entry.seq > after]
    state = fold_entries(until)
    check_names(steps, state, options)
    wanted = [step for step in steps if _is_wanted(step, options)]
    told = wanted[-options.last :]
    found = find_differences(fold_entries(entries[:after]), state) if after else None
    return GoalReplay(
        goal_id=state.goal_id,
        entries=len(entries),
        after=after,
        last=last,
        begun_at=entries[0].at,
        until=until[-1].at,
        state=state,
        digest=digest_state(state),
        moments=tuple(map(render_moment, told)),
        earlier=len(wanted) - len(told),
        times=sum_times(steps),
        note=newer(state.goal_id, state.format) if state.is_newer else "",
        differences=found and found[:DIFFERENCES],
        more=max(0, len(found or ()) - DIFFERENCES),
    )


def choose_span(entries: int, options: ReplayOptions) -> tuple[int, int]:
    """Return the entry after which the story begins, 0 for all of it, and the one that it ends with.

    Raises `BadInput`.
    """
    compares = options.start is not None or options.end is not None
    if options.at is not None and compares:
        raise BadInput(
            "Give `--at N` for one moment, or `--from N` and `--to M` for what is different between "
            "two; not both."
        )
    for option, number in (("at", options.at), ("from", options.start), ("to", options.end)):
        if number is not None and not 1 <= number <= entries:
            raise BadInput(
                f"There is no entry {number} for `--{option}`: the journal has the entries 1 to "
                f"{entries}, as `replay` without it numbers them."
            )
    last = options.at or options.end or entries
    after = (options.start or 1) if compares else 0
    if after > last:
        raise BadInput(f"`--from {after}` comes after `--to {last}`: give the earlier one first.")
    return after, last


def check_names(steps: Sequence[Step], state: GoalState, options: ReplayOptions) -> None:
    """Raise `BadInput` for a task or a gate that the story does not have."""
    tasks = {*state.tasks, *(task for step in steps for task in find_tasks(step.event))}
    gates = {*state.gate_names, *(find_gate(step.event) for step in steps)} - {""}
    for what, name, there in (("task", options.task, tasks), ("gate", options.gate, gates)):
        if name is not None and name not in there:
            known = ", ".join(sorted(there)) or "none"
            raise BadInput(f"{state.goal_id} has no {what} {name[:80]!r}; there are: {known}.")


def _is_wanted(step: Step, options: ReplayOptions) -> bool:
    if options.task is not None and options.task not in find_tasks(step.event):
        return False
    return options.gate is None or options.gate == find_gate(step.event)


def digest_state(state: GoalState) -> str:
    """Return the sha256 of a goal as canonical JSON: the same for the same history, everywhere."""
    return hashlib.sha256(CANONICAL.encode(state.model_dump(mode="json")).encode()).hexdigest()
