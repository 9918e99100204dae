"""Takes the one goal of a project to its end, delivery included, and kills itself on the way.

`python -m tests.integration.killed_runner PROJECT MODE N`: SIGKILL `after` the Nth journal entry of
this process, or `before` it, when what it speaks of is done and nothing of that is recorded.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from goal_engine import engine as composition
from goal_engine.delivery.local import apply_change, deliver_local
from goal_engine.document import parse_plan
from goal_engine.engine import Engine
from goal_engine.hunks import try_hunks
from goal_engine.lifecycle import execute_goal, recover_goal, resume_goal
from goal_engine.planner import CreateGoalOptions, create_goal
from goal_engine.state.events import JournalEntry
from goal_engine.state.model import GoalState
from goal_engine.state.persistence import FileSystemGoalStateStore
from goal_engine.types import GoalId, GoalStatus


class DeadlyStore(FileSystemGoalStateStore):
    """The store itself, in a process that does not live beyond its Nth entry."""

    mode, left = "after", 1 << 30

    async def create(self, goal_id: GoalId, entry: JournalEntry) -> None:
        self.die("before")
        await super().create(goal_id, entry)
        self.die("after")

    async def append(self, goal_id: GoalId, entry: JournalEntry) -> None:
        self.die("before")
        await super().append(goal_id, entry)
        self.die("after")

    @classmethod
    def die(cls, when: str) -> None:
        if when == cls.mode:
            cls.left -= 1
            if cls.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


async def go_on(engine: Engine, plan: Path) -> None:
    """Do what is left to do, whatever was done before."""
    known = await engine.ports.store.list()
    if not known:
        choice = await engine.choose_gates()
        wanted = parse_plan(plan.read_text(encoding="utf-8"), "plan.toml")
        options = CreateGoalOptions(gates=choice.specs, plan=wanted)
        state = await create_goal(engine.ports, wanted.goal, options)
    else:
        assert known[0].state is not None, known[0].damage
        state = await recover_goal(engine.ports, known[0].state.goal_id)
    goal, ports = state.goal_id, engine.ports
    if state.status is GoalStatus.PLANNED:
        state = await execute_goal(ports, goal)
    elif state.status is GoalStatus.PAUSED:
        state = await resume_goal(ports, goal)
    await hand_over(engine, state)


async def hand_over(engine: Engine, state: GoalState) -> None:
    ports, goal = engine.ports, state.goal_id
    if state.status is GoalStatus.READY and state.hunks is None:
        state = await try_hunks(ports, goal, limit=1)
    if state.status is GoalStatus.READY and not state.applied:
        state = await apply_change(ports, goal)
    if state.status is GoalStatus.READY:
        await deliver_local(ports, goal)


def main(project: str, mode: str, left: str) -> None:
    DeadlyStore.mode, DeadlyStore.left = mode, int(left)
    composition.FileSystemGoalStateStore = DeadlyStore  # type: ignore[misc]
    engine = Engine.open(Path(project))
    try:
        asyncio.run(go_on(engine, Path(project).parent / "plan.toml"))
    finally:
        engine.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
