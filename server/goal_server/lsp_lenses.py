"""Code lenses: what goals propose in a file or did there, and what to do with a plan.

Few, eager and at line starts: a summary at the top of the file, one place for each region.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from lsprotocol import types

from goal_engine.decision import Criterion, CriterionState, EvidenceKind
from goal_engine.engine import Engine
from goal_engine.proof.hunk import HunkStanding
from goal_engine.state.model import GoalState
from goal_engine.task_graph.graph import GoalTask
from goal_engine.types import GoalStatus
from goal_server.anchor import Anchor, AnchorMode
from goal_server.marks import Mark, Marks, find_criterion, find_standing, find_tasks
from goal_server.plain import plain_line
from goal_server.preferences import LensMode

MOST = 200
"""Lenses in one file."""
TITLE = 40
"""Characters of a goal's, task's or criterion's text in a lens."""
APPLICABLE = (GoalStatus.READY, GoalStatus.DELIVERED)
"""The statuses in which a change may be applied."""
RUNNABLE = (GoalStatus.PLANNED, GoalStatus.BLOCKED_ON_HUMAN, GoalStatus.BLOCKED_ON_EXTERNAL)
"""The statuses in which a plan may not have begun."""

WORDS = {
    AnchorMode.PROPOSED: "proposed",
    AnchorMode.PRESENT: "present",
    AnchorMode.MOVED: "present",
    AnchorMode.STALE: "edited since",
}


async def find_lenses(
    engine: Engine, marks: Marks, found: tuple[Mark, ...], mode: LensMode
) -> list[types.CodeLens]:
    """Return the lenses of a file in which `found` stands, as many as `mode` allows."""
    root = engine.checkout.as_uri()
    if mode == "off":
        return []
    lenses = [_render_summary(mark, root) for mark in found]
    if mode == "all":
        places = sorted(
            (
                (anchor.line, number, mark, anchor)
                for number, mark in enumerate(found)
                for anchor in mark.anchors
            ),
            key=lambda item: item[:2],
        )
        for _, _, mark, anchor in places[:MOST]:
            needs_task = anchor.mode in (AnchorMode.PRESENT, AnchorMode.MOVED)
            task = await marks.find_task(engine, mark, anchor) if needs_task else None
            trial = await marks.find_trial(engine, mark, anchor)
            unproven = trial is not None and trial.standing is HunkStanding.UNPROVEN
            lenses += render_region(mark, anchor, task, root, unproven=unproven)
    return lenses[:MOST]


def render_region(
    mark: Mark, anchor: Anchor, task: GoalTask | None, root: str, *, unproven: bool = False
) -> Iterator[types.CodeLens]:
    """Yield the lenses of a region: a proposal can be shown and applied, a change explained.

    `unproven` is a region that no gate missed when it was taken away.
    """
    state = mark.state
    doubt = " · unproven" if unproven else ""
    goal = {"goal": state.goal_id, "root": root}
    match anchor.mode:
        case AnchorMode.PROPOSED:
            region = anchor.region
            said = f"{name_goal(state)} · +{region.additions} −{region.deletions}{doubt}"
            yield _lens(anchor.line, said, "goal.diff", {**goal, "path": mark.name})
            if state.status in APPLICABLE:
                yield _lens(anchor.line, "Apply", "goal.apply", goal)
        case AnchorMode.PRESENT | AnchorMode.MOVED:
            yield _lens(anchor.line, render_chain(state, task) + doubt, "goal.show", goal)
        case AnchorMode.STALE:
            proved = "was proved" if state.proof else "worked on it"
            said = f"changed since {shorten(state.created.text)} {proved}"
            yield _lens(anchor.line, said, "goal.diff", {**goal, "path": mark.name})


def render_chain(state: GoalState, task: GoalTask | None) -> str:
    """Return task → criterion → gate, with a tick only where that is shown."""
    criterion = find_criterion(state, task)
    parts = [shorten(task.title if task else state.created.text)]
    shown = False
    if criterion is not None:
        parts.append(shorten(criterion.text))
        parts.append(_say_who(criterion))
        shown = find_standing(state, criterion)[0] is CriterionState.VERIFIED
    done = shown and state.status in APPLICABLE
    chain = " → ".join(parts)
    return f"✓ {chain}" if done else f"· {chain} · {render_status(state)}"


def _say_who(criterion: Criterion) -> str:
    """Who or what speaks for a criterion."""
    if criterion.gate:
        return f"gate {criterion.gate}"
    if criterion.evidence is EvidenceKind.ACCEPTED:
        return "accepted by a person"
    return "any test" if criterion.some_test else "looked at"


def _render_summary(mark: Mark, root: str) -> types.CodeLens:
    """How the whole file stands, at its top."""
    state = mark.state
    count = Counter(WORDS[anchor.mode] for anchor in mark.anchors)
    total = len(mark.anchors)
    told = [
        f"{number} {word}" if number < total else _all(total, word)
        for word, number in count.items()
    ]
    tasks = len(find_tasks(mark))
    by = [f"{tasks} tasks"] if tasks > 1 else []
    title = " · ".join((shorten(state.created.text), render_status(state), *told, *by))
    return _lens(0, title, "goal.show", {"goal": state.goal_id, "root": root})


def _all(total: int, word: str) -> str:
    return f"1 change {word}" if total == 1 else f"all {total} changes {word}"


def find_plan_lenses(state: GoalState | None, root: str, uri: str) -> list[types.CodeLens]:
    """Return the lenses of a goal's plan: it can be run as long as nothing of it has begun."""
    if state is None:
        return []
    goal = {"goal": state.goal_id, "root": root}
    if is_unstarted(state):
        return [
            _lens(0, "▸ Run this plan", "goal.execute", {**goal, "document": uri}),
            _lens(0, "Discard", "goal.cancel", goal),
        ]
    return [_lens(0, f"This plan is {render_status(state)}", "goal.show", goal)]


def is_unstarted(state: GoalState) -> bool:
    """Whether nobody worked on the goal yet."""
    begun = any(task.attempts for task in state.tasks.values()) or state.gates_run
    return state.status in RUNNABLE and not begun


def name_goal(state: GoalState) -> str:
    """Return a goal's text for a lens, with its status where it is not ready."""
    name = shorten(state.created.text)
    return name if state.status in APPLICABLE else f"{name} ({render_status(state)})"


def render_status(state: GoalState) -> str:
    """Return a status in words."""
    return state.status.value.replace("_", " ")


def shorten(text: str) -> str:
    """Return a text from outside as a few plain words."""
    line = plain_line(text)
    return line if len(line) <= TITLE else f"{line[: TITLE - 1].rstrip()}…"


def _lens(line: int, title: str, command: str, arguments: dict[str, Any]) -> types.CodeLens:
    place = types.Position(line=line, character=0)
    return types.CodeLens(
        range=types.Range(start=place, end=place),
        command=types.Command(title=title, command=command, arguments=[arguments]),
    )
