"""When an attempt is tried again that failed for reasons which say nothing of its task; starts nothing.

Work that was not good enough is never tried again by itself: the same would come of it, at a price.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from goal_engine.state.events import TaskDeferred, TaskFailed
from goal_engine.state.model import GoalState
from goal_engine.types import Trouble

CHANCES = 2**32
"""As many values chance has: 32 bits."""


@dataclass(frozen=True, slots=True)
class Pause:
    """How long to wait: `first` seconds, twice as long each time, `most` at most."""

    first: float
    most: float

    def find_delay(self, number: int, entropy: int) -> timedelta:
        """Return the time before retry `number` (1 is the first), from half of it on by chance, so
        that what failed together does not come back together."""
        seconds = min(self.most, self.first * 2 ** (number - 1))
        return timedelta(seconds=seconds * (1 + entropy % CHANCES / CHANCES) / 2)


PAUSES: Mapping[Trouble, Pause] = {
    Trouble.DID_NOT_RUN: Pause(first=2, most=60),
    Trouble.KILLED: Pause(first=5, most=120),
    Trouble.RATE_LIMITED: Pause(first=30, most=600),
}
"""A machine recovers soon; who limits how often they are asked does not."""
LONGEST = timedelta(seconds=max(pause.most for pause in PAUSES.values()))


def retry_or_fail(
    state: GoalState, failed: TaskFailed, trouble: Trouble | None, now: datetime, entropy: int
) -> TaskFailed | TaskDeferred:
    """Return what becomes of a failed attempt: a later one, or its failure.

    `entropy` are 32 bits of chance.
    """
    number, limit = state.tasks[failed.task].retries + 1, state.policy.retries
    if trouble is None or number > limit:
        return failed
    return TaskDeferred(
        task=failed.task,
        attempt=failed.attempt,
        trouble=trouble,
        reason=failed.reason,
        number=number,
        limit=limit,
        not_before=now + PAUSES[trouble].find_delay(number, entropy),
        spent=failed.spent,
        log=failed.log,
        wall_ms=failed.wall_ms,
        seeding=failed.seeding,
    )


def is_due(at: datetime | None, now: datetime) -> bool:
    """Whether what is not to start before `at` may start.

    A clock that was put back makes nobody wait longer than the longest pause.
    """
    return at is None or not now < at <= now + LONGEST
