"""Runs a command of `goalproof` that kills itself around one event of a goal.

`python -m tests.integration.killed_command before|after EVENT ARGV…`: SIGKILL before the entry with the
event is written, when what it speaks of is done, or after it.
"""

from __future__ import annotations

import os
import signal
import sys

from goal_engine import engine as composition
from goal_engine.state.events import JournalEntry
from goal_engine.state.persistence import FileSystemGoalStateStore
from goal_engine.types import GoalId
from goal_server.cli import main


class DeadlyStore(FileSystemGoalStateStore):
    """The store itself, in a process that does not live beyond an event."""

    when, event = "after", ""

    async def append(self, goal_id: GoalId, entry: JournalEntry) -> None:
        self.die("before", entry)
        await super().append(goal_id, entry)
        self.die("after", entry)

    @classmethod
    def die(cls, when: str, entry: JournalEntry) -> None:
        if when == cls.when and cls.event in {event.type for event in entry.events}:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    DeadlyStore.when, DeadlyStore.event = sys.argv[1:3]
    composition.FileSystemGoalStateStore = DeadlyStore  # type: ignore[misc]
    sys.argv[1:] = sys.argv[3:]
    main()
