"""What there is to read of a goal, as pages for an editor; nothing here changes anything."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path, PurePosixPath

from goal_engine.delivery.local import find_evidence, find_names, read_diff
from goal_engine.document import render_plan
from goal_engine.engine import Engine
from goal_engine.errors import BadInput, GoalNotFound
from goal_engine.queries import diagnose_goal, resolve_goal, resolve_goal_proof
from goal_engine.replay import ReplayOptions, replay_goal
from goal_engine.state.model import GoalState
from goal_engine.verifier.bundle import PAGE, read_page
from goal_engine.verifier.review import review_goal
from goal_server import pictures
from goal_server import results as r
from goal_server.goal_page import (
    render_diagnosis_page,
    render_goal_page,
    render_replay_page,
    render_review_page,
)
from goal_server.marks import is_binary, read_sides
from goal_server.parameters import RenderParams
from goal_server.plain import plain_line, plain_text

LARGEST = 8 * 1024 * 1024
"""Bytes of a file that is shown; a larger one counts as binary."""


async def render_named(engine: Engine, params: RenderParams) -> r.PageView:
    """Return a page of the goal that is named.  Raises what `resolve_goal` and `render` raise."""
    if params.page == "replay":  # which a damaged goal has as well
        return await _render_replay(engine, params)
    return await render(engine, await resolve_goal(engine.ports, params.goal), params)


async def render(engine: Engine, state: GoalState, params: RenderParams) -> r.PageView:
    """Return the page that is asked for, of a goal that can be read.

    Raises `BadInput` where a path is missing, and `GoalNotFound` for what the goal does not have.
    """
    return await PAGES[params.page](engine, state, params)


async def _render_goal(engine: Engine, state: GoalState, params: RenderParams) -> r.PageView:
    proof = await _find_proof(engine, state)
    view = pictures.render_goal(state, proof)
    return _page(f"Goal: {view.text}", render_goal_page(view), "markdown")


async def _render_diagnosis(engine: Engine, state: GoalState, params: RenderParams) -> r.PageView:
    view = pictures.render_diagnosis(await diagnose_goal(engine.ports, state.goal_id))
    return _page(f"Why: {view.text}", render_diagnosis_page(view), "markdown")


async def _render_replay(engine: Engine, params: RenderParams) -> r.PageView:
    told = await replay_goal(engine.ports, params.goal, ReplayOptions(task=params.task))
    view = pictures.render_replay(told, shows_state=False)
    return _page(f"What happened: {view.text}", render_replay_page(view), "markdown")


async def _render_review(engine: Engine, state: GoalState, params: RenderParams) -> r.PageView:
    view = pictures.render_review(state, await review_goal(engine.ports, state))
    text = render_review_page(state.created.text, view)
    return _page(f"Review: {state.created.text}", text, "markdown")


async def _render_plan(engine: Engine, state: GoalState, params: RenderParams) -> r.PageView:
    return _page(f"Plan: {state.created.text}", render_plan(state), "toml")


async def _render_proof(engine: Engine, state: GoalState, params: RenderParams) -> r.PageView:
    bundle = await resolve_goal_proof(engine.ports, state.goal_id)
    data = await asyncio.to_thread(read_page, bundle)
    if data is None:
        raise GoalNotFound(
            f"The page {bundle / PAGE} is gone: put it back from a copy, or `execute` "
            f"{state.goal_id} again to make another proof."
        )
    text = plain_text(data.decode("utf-8", "replace"))
    return _page(f"Proof: {state.created.text}", text, "markdown")


async def _render_diff(engine: Engine, state: GoalState, params: RenderParams) -> r.PageView:
    raw = await read_diff(engine.ports, state.goal_id, params.task, params.path)
    title = f"Change: {params.path or params.task or state.created.text}"
    return _page(title, raw.decode("utf-8", "backslashreplace"), "diff", exists=bool(raw))


async def _render_side(engine: Engine, state: GoalState, params: RenderParams) -> r.PageView:
    """A file before or after, byte for byte where it is text: an editor compares it."""
    if not params.path:
        raise BadInput(f"The page {params.page!r} needs a `path` of the goal's change.")
    evidence = find_evidence(state, params.task)
    if evidence is None:
        raise GoalNotFound(f"{params.task or state.goal_id} has no change yet.")
    find_names(state, evidence, params.path)
    base, head = await asyncio.to_thread(read_sides, engine.ports, evidence, params.path)
    data = base if params.page == "base" else head
    title = f"{PurePosixPath(params.path).name} ({'before' if params.page == 'base' else 'after'})"
    text = _decode(data or b"")
    shown = _page(title, text or "", "", exists=data is not None)
    return shown.model_copy(update={"binary": text is None})


def _decode(data: bytes) -> str | None:
    """Return a file's text, `None` for what is none or is too much."""
    if len(data) > LARGEST or is_binary(data):
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


async def _find_proof(engine: Engine, state: GoalState) -> Path | None:
    try:
        return await resolve_goal_proof(engine.ports, state.goal_id)
    except GoalNotFound:
        return None


def _page(title: str, text: str, language: str, *, exists: bool = True) -> r.PageView:
    return r.PageView(
        title=plain_line(title)[:120], text=text, language_id=language, exists=exists, binary=False
    )


PAGES: dict[str, Callable[[Engine, GoalState, RenderParams], Awaitable[r.PageView]]] = {
    "goal": _render_goal,
    "diagnosis": _render_diagnosis,
    "review": _render_review,
    "plan": _render_plan,
    "proof": _render_proof,
    "diff": _render_diff,
    "base": _render_side,
    "head": _render_side,
}
