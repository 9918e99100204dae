"""The plan of a goal as a file that a person opens, changes and gives back.

`.goalproof/goals/<id>/plan.toml` is a copy: the journal has the plan that counts.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from goal_engine.document import parse_plan, plan_of, render_plan
from goal_engine.errors import BadInput, BadPlan, NotPossibleNow
from goal_engine.planner import plan_revision
from goal_engine.runtime.atomic import make_dirs, write_atomic, writing
from goal_engine.runtime.regular import open_regular
from goal_engine.state.model import GoalState
from goal_engine.types import GoalId

NAME = "plan.toml"
ASIDE = "plan.edited.toml"
"""Where a change goes that came after work had begun."""
MANY = 100
"""Changes that are kept beside a plan."""
LIMIT = 4 * 1024 * 1024
"""Bytes of a plan that are read."""


def plan_path(checkout: Path, goal_id: GoalId) -> Path:
    """Return where the plan of a goal stands once it was opened."""
    return checkout / ".goalproof" / "goals" / goal_id / NAME


def read_plan_text(path: Path) -> str:
    """Return the text of a plan.  Raises `BadPlan` when there is none."""
    try:
        with open_regular(path) as file:
            data = file.read(LIMIT + 1)
        if len(data) > LIMIT:
            raise BadPlan(f"The plan {path} is too large: {LIMIT} bytes are read at most.")
        return data.decode("utf-8").replace("\r\n", "\n")
    except OSError as error:
        raise _unreadable(path, error.strerror) from error
    except UnicodeDecodeError as error:
        raise _unreadable(path, "it is not UTF-8 text") from error
    except ValueError as error:
        raise _unreadable(path, "no file has such a name") from error


def _unreadable(path: Path, why: str | None) -> BadPlan:
    return BadPlan(f"The plan {path} cannot be read: {why}. Name a TOML file.")


def write_plan(checkout: Path, state: GoalState) -> Path:
    """Write the plan of a goal to its file and return that; what a person changed is kept.

    Once work has begun, the file shows the plan that is followed and a change stands beside it.
    """
    path = plan_path(checkout, state.goal_id)
    if path.exists():
        if not state.has_begun:
            return path
        _put_aside(path, state)
    make_dirs(path.parent)
    write_atomic(path, render_plan(state).encode(), 0o600)
    return path


def is_writable(checkout: Path, state: GoalState) -> bool:
    """Whether the plan of a goal can be put where it is changed and taken from."""
    folder = plan_path(checkout, state.goal_id).parent
    return not folder.exists() or os.access(folder, os.W_OK)


def copy_plan(state: GoalState) -> Path:
    """Write the plan of a goal that can only be looked at to a place of its own, to be read there."""
    with writing(Path(tempfile.gettempdir())):
        path = Path(tempfile.mkdtemp(prefix="goalproof-plan-")) / NAME
    write_atomic(path, render_plan(state).encode(), 0o400)
    return path


def refresh_plan(checkout: Path, before: GoalState, after: GoalState) -> None:
    """Let the file follow a plan that was revised, unless a person changed the file.

    One that said the same in words of their own, comments among them, stands beside it then.
    """
    path = plan_path(checkout, after.goal_id)
    if path.exists() and after != before and not is_edited(checkout, before):
        _put_aside(path, before)
        write_atomic(path, render_plan(after).encode(), 0o600)


def _put_aside(path: Path, state: GoalState) -> None:
    """Move the file of a plan to a name that is free, unless it is what we wrote of `state`."""
    with suppress(BadPlan):
        if read_plan_text(path) in (render_plan(state), render_plan(state, begun=False)):
            return
    names = (ASIDE, *(f"plan.edited-{number}.toml" for number in range(2, MANY)))
    free = (path.with_name(name) for name in names)
    path.replace(next((aside for aside in free if not aside.exists()), path.with_name(ASIDE)))


def is_edited(checkout: Path, state: GoalState) -> bool:
    """Whether the file of a goal's plan says anything else than its plan."""
    path = plan_path(checkout, state.goal_id)
    try:
        created = state.created
        plan = parse_plan(read_plan_text(path), NAME, created.worker, created.agent)
        return plan != plan_of(state) and plan_revision(state, plan) is not None
    except BadInput:
        return True


def check_unedited(checkout: Path, state: GoalState) -> None:
    """Raise `NotPossibleNow` where a person changed the plan and the change was not taken.

    Without this, what they see would not be what runs.
    """
    path = plan_path(checkout, state.goal_id)
    if not state.has_begun and path.exists() and is_edited(checkout, state):
        raise NotPossibleNow(
            f"{path} was changed and is not the plan that {state.goal_id} would run: take it with "
            f"`goalproof revise {state.goal_id}`, or remove the file to run the plan as it is."
        )
