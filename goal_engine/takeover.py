"""What becomes of a goal whose runner is gone: its processes are ended, then it is said to be interrupted.

Nothing is adopted.  Whoever takes a goal's runner lock begins here.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from goal_engine.budget import LOST_TURN
from goal_engine.errors import GoalBusy, GoalError, GoalNotFound
from goal_engine.ports import Ports
from goal_engine.runtime.leftovers import forget, is_owned, remove_aside, remove_gone, set_aside
from goal_engine.runtime.repository import UNDONE
from goal_engine.runtime.running import Ended, end_recorded, find_runner, is_stopped
from goal_engine.runtime.threads import in_thread
from goal_engine.state.commands import NoticeInterruption, Record
from goal_engine.state.events import ConsultationFinished, ConsultationStarted
from goal_engine.state.model import GoalState
from goal_engine.types import GOAL_ID, GoalId, GoalStatus

SESSIONS = "sessions"
"""The folder there of what agents leave of their sessions."""
ENDED = frozenset({GoalStatus.DELIVERED, GoalStatus.CANCELLED})
"""Where nobody works on a goal any more."""
RUNNING = "running"
"""The folder of the records of what runs, in the state directory of a workspace."""
WORKSPACES = "workspaces"
"""The folder of the goals' workspaces there."""
DESKS = "desks"
"""The folder of persons' folders there, which no clean-up knows once they are whole."""


def running_folder(state_dir: Path, goal_id: GoalId) -> Path:
    """Return where it is recorded what runs for a goal, out of the reach of its workspaces."""
    return state_dir / RUNNING / goal_id


def workspaces_folder(state_dir: Path, goal_id: GoalId) -> Path:
    """Return where the workspaces of a goal are; whoever holds its runner lock has it alone."""
    return state_dir / WORKSPACES / goal_id


def sessions_folder(state_dir: Path, goal_id: GoalId) -> Path:
    """Return where it is kept what agents leave of their sessions, a folder for each task."""
    return state_dir / SESSIONS / goal_id


def forget_sessions(state_dir: Path, goal_id: GoalId) -> int:
    """Let go of what agents left of their sessions for a goal, and return how many bytes it had; blocking."""
    folder = sessions_folder(state_dir, goal_id)
    return 0 if folder.parent.is_symlink() else forget(folder)


async def take_over(ports: Ports, goal_id: GoalId) -> tuple[GoalState, Ended]:
    """End what a runner that is gone left, record that it is, and return the goal and how many.

    Its workspaces go.  Only for whoever holds the runner lock: of one that lives nothing is left.
    """
    state_dir = ports.find_state_dir()
    ended = await in_thread(end_recorded, running_folder(state_dir, goal_id))
    await in_thread(_clear, state_dir, goal_id)
    state = await ports.read(goal_id)
    if state.status is GoalStatus.RUNNING:
        state = await ports.transact(goal_id, NoticeInterruption(ended.ended, ended.left))
    elif state.consulting is not None:
        state = await ports.transact(goal_id, Record((_break_off(state.consulting),)))
    return state, ended


def _break_off(begun: ConsultationStarted) -> ConsultationFinished:
    """What an agent used that was asked beside a run is lost with whoever asked it."""
    return ConsultationFinished(
        about=begun.about,
        attempt=begun.attempt,
        tree=begun.tree,
        agent=begun.agent,
        problems=("whoever asked it went away",),
        spent=LOST_TURN,
    )


def _clear(state_dir: Path, goal_id: GoalId) -> None:
    remove_aside(set_aside(workspaces_folder(state_dir, goal_id)))
    for half in (state_dir / DESKS / goal_id).glob(f"{UNDONE}*"):
        remove_aside(set_aside(half))


async def sweep_workspaces(ports: Ports, but: Iterable[GoalId] = ()) -> int:
    """Remove every workspace that nobody works in, and return how many bytes they had.

    Goals whose runner is gone are taken over.  A goal that is gone has no lock: there the record of
    who made the folder counts.
    """
    parent = ports.find_state_dir() / WORKSPACES
    freed = await in_thread(remove_gone, parent)
    for goal_id in await in_thread(_list_goals, parent):
        if goal_id not in but:
            with suppress(GoalBusy):  # somebody began with it just now
                freed += await _sweep(ports, goal_id)
    return freed


async def find_forgotten(ports: Ports) -> list[GoalId]:
    """Return the goals of which agents' sessions are kept and nobody will go on with one."""
    parent = ports.find_state_dir() / SESSIONS
    return [
        goal_id
        for goal_id in await in_thread(_list_goals, parent)
        if await _is_over(ports, goal_id)
    ]


async def _is_over(ports: Ports, goal_id: GoalId) -> bool:
    try:
        state = await ports.read(goal_id)
    except GoalNotFound:
        return True
    except GoalError:  # its journal cannot be read: it may be mended
        return False
    return state.archived or state.status in ENDED


async def sweep_sessions(ports: Ports) -> int:
    """Remove what agents left of their sessions for goals that are over, and return how many bytes it had."""
    state_dir = ports.find_state_dir()
    freed = await in_thread(remove_gone, state_dir / SESSIONS)
    for goal_id in await find_forgotten(ports):
        freed += await in_thread(forget_sessions, state_dir, goal_id)
    return freed


def _list_goals(parent: Path) -> list[GoalId]:
    names = sorted(path.name for path in parent.iterdir()) if parent.is_dir() else []
    return [GoalId(name) for name in names if GOAL_ID.fullmatch(name)]


async def _sweep(ports: Ports, goal_id: GoalId) -> int:
    folder = workspaces_folder(ports.find_state_dir(), goal_id)
    try:
        if await ports.store.is_running(goal_id):
            return 0
        with ports.store.runner_lock(goal_id):
            gone = await in_thread(set_aside, folder)
            try:
                await take_over(ports, goal_id)
            except GoalBusy:
                raise
            except GoalError:  # its journal cannot be read, and nobody runs it
                await in_thread(end_recorded, running_folder(ports.find_state_dir(), goal_id))
    except GoalNotFound:
        if await in_thread(is_owned, folder):
            return 0
        gone = await in_thread(set_aside, folder)
    return await in_thread(remove_aside, gone)


def find_stopped_runner(state_dir: Path, goal_id: GoalId) -> int | None:
    """Return the process that runs a goal if it was stopped (Ctrl-Z, a debugger); blocking."""
    runner = find_runner(running_folder(state_dir, goal_id))
    return runner.pid if runner and is_stopped(runner) else None


def say_stopped(goal_id: GoalId, pid: int) -> str:
    """Return what to do about a runner that cannot answer: it holds its lock, so nobody takes over."""
    return (
        f"The process that runs {goal_id} ({pid}) was stopped: continue it (`kill -CONT {pid}`, or "
        f"`fg` where it was started), or end it (`kill -KILL {pid}`) and `resume` the goal."
    )
