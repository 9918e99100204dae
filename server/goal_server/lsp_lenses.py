"""Code lenses on files that a goal changes: what it proposes there, or what stands there now."""

from __future__ import annotations

import asyncio
from pathlib import Path

from lsprotocol import types

from goal_engine.engine import Engine
from goal_engine.queries import list_goals
from goal_engine.state.model import GoalState
from goal_engine.types import GoalStatus
from goal_server.anchor import Anchor, AnchorMode, find_anchor
from goal_server.plain import plain_line

SHOWN = (GoalStatus.READY, GoalStatus.DELIVERED)
TITLE = 60
"""Characters of a goal's text in a lens."""


async def find_lenses(engine: Engine, path: Path, buffer: str) -> list[types.CodeLens]:
    """Return the lenses of the newest goal whose change fits the buffer of `path`."""
    if not path.is_relative_to(engine.checkout):
        return []
    name = path.relative_to(engine.checkout).as_posix()
    for summary in reversed(await list_goals(engine.ports)):
        state = summary.state
        if state is None or state.status not in SHOWN or state.evidence is None:
            continue
        if name in state.evidence.paths:
            anchor = await asyncio.to_thread(_anchor, engine, state, name, buffer)
            if anchor is not None:
                return render_lenses(state, name, anchor, engine.checkout.as_uri())
    return []


def _anchor(engine: Engine, state: GoalState, name: str, buffer: str) -> Anchor | None:
    assert state.evidence is not None
    repository = engine.ports.open_repository()
    base, head = (
        repository.read_blob(tree, name) for tree in (state.evidence.base_tree, state.evidence.tree)
    )
    return find_anchor(_text(base), _text(head), buffer)


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode("utf-8", "replace")


def render_lenses(state: GoalState, name: str, anchor: Anchor, root: str) -> list[types.CodeLens]:
    """Return the lenses of an anchor: a proposal can be shown and applied, a change explained."""
    arguments = {"goal": state.goal_id, "root": root}
    text = plain_line(state.created.text)[:TITLE]
    if anchor.mode is AnchorMode.PROPOSED:
        size = f"+{anchor.additions} −{anchor.deletions}"
        told = [(f"{text} · {size} · Show diff", "goal.diff"), ("Apply", "goal.apply")]
    else:
        told = [(f"✓ {_chain(state, name) or text}", "goal.show")]
    place = types.Position(line=anchor.line, character=0)
    return [
        types.CodeLens(
            range=types.Range(start=place, end=place),
            command=types.Command(title=title, command=command, arguments=[arguments]),
        )
        for title, command in told
    ]


def _chain(state: GoalState, name: str) -> str:
    """Return task → criterion → gate for a file that a task of the goal changed."""
    tasks = [
        task
        for task in state.graph
        if (done := state.tasks[task.id].evidence) is not None and name in done.paths
    ]
    if not tasks:
        return ""
    by_id = {criterion.id: criterion for criterion in state.criteria}
    criterion = by_id.get(tasks[0].id) or next(iter(state.criteria), None)
    parts = [tasks[0].title]
    if criterion is not None:
        parts += [criterion.text, f"gate {criterion.gate}" if criterion.gate else "accepted"]
    return " → ".join(plain_line(part)[:TITLE] for part in parts)
