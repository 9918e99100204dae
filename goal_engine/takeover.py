"""What becomes of a goal whose runner is gone: its processes are ended, then it is said to be interrupted.

Nothing is adopted.  Whoever takes a goal's runner lock begins here.
"""

from __future__ import annotations

from pathlib import Path

from goal_engine.ports import Ports
from goal_engine.runtime.running import Ended, end_recorded, find_runner, is_stopped
from goal_engine.runtime.threads import in_thread
from goal_engine.state.commands import NoticeInterruption
from goal_engine.state.model import GoalState
from goal_engine.types import GoalId, GoalStatus

RUNNING = "running"
"""The folder of the records of what runs, in the state directory of a workspace."""


def running_folder(state_dir: Path, goal_id: GoalId) -> Path:
    """Return where it is recorded what runs for a goal, out of the reach of its workspaces."""
    return state_dir / RUNNING / goal_id


async def take_over(ports: Ports, goal_id: GoalId) -> tuple[GoalState, Ended]:
    """End what a runner that is gone left, record that it is, and return the goal and how many.

    Only for whoever holds the runner lock: of one that lives nothing is left.
    """
    ended = await in_thread(end_recorded, running_folder(ports.find_state_dir(), goal_id))
    state = await ports.read(goal_id)
    if state.status is GoalStatus.RUNNING:
        state = await ports.transact(goal_id, NoticeInterruption(ended.ended, ended.left))
    return state, ended


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
