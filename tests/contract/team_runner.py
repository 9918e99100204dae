"""What every `TeamRunner` is held to: one function for each promise, over a foreman that watches.

A runner for other machines joins `RUNNERS` in `test_team_runner.py` and has to pass them all.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from goal_engine.budget import Spend
from goal_engine.ports import Attempt, Outcome, TeamRunner
from goal_engine.state.events import TaskFailed
from goal_engine.task_graph.graph import GoalTask

DEADLINE = 30.0
"""Seconds after which what was promised has not come."""
DYING = 25
"""Turns of the loop that it takes until a process is dead that was told to end."""


def a_task(name: str, worker: str = "cli") -> GoalTask:
    return GoalTask.model_validate(
        {"id": name, "title": name, "worker": worker, "agent": "x" if worker == "cli" else ""}
    )


def some_tasks(count: int) -> list[GoalTask]:
    return [a_task(f"t{number}") for number in range(count)]


@dataclass
class Watched:
    """A foreman whose workers do what they are told, and which counts."""

    hold: asyncio.Event = field(default_factory=asyncio.Event)
    """What work waits for; a person's work waits for nothing."""
    record: asyncio.Event = field(default_factory=asyncio.Event)
    """What writing an end down waits for."""
    no_room: tuple[str, ...] = ()
    breaks: str = ""
    """The task whose work raises."""
    begun: list[str] = field(default_factory=list)
    worked: list[str] = field(default_factory=list)
    ended: list[tuple[str, str]] = field(default_factory=list)
    """Each attempt that was ended, and of whom the outcome spoke."""
    alive: int = 0
    busy: set[str] = field(default_factory=set)
    """Agents' tasks that have begun and whose end is not written down."""
    most: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def until(self, true: Callable[[], bool]) -> None:
        """Return as soon as `true` says so."""
        async with asyncio.timeout(DEADLINE), self.changed:
            await self.changed.wait_for(true)

    async def begin(self, task: GoalTask) -> Attempt | None:
        await asyncio.sleep(0)
        if task.id in self.no_room:
            return None
        self.begun.append(task.id)
        if not task.by_hand:
            self.busy.add(task.id)
            self.most = max(self.most, len(self.busy))
        await self._tell()
        return Attempt(task, 1, "a" * 40)

    async def work(self, attempt: Attempt) -> Outcome:
        name = attempt.task.id
        self.worked.append(name)
        self.alive += 1
        await self._tell()
        try:
            if not attempt.task.by_hand:
                await self.hold.wait()
            if name == self.breaks:
                raise OSError("the disk is gone")
        finally:
            await _slowly(self._die)
            await self._tell()
        failed = TaskFailed(task=name, attempt=1, reason="no", spent=Spend())
        return Outcome(failed)

    def _die(self) -> None:
        self.alive -= 1

    async def end(self, attempt: Attempt, outcome: Outcome) -> None:
        await self.record.wait()
        self.ended.append((attempt.task.id, outcome.ended.task))
        self.busy.discard(attempt.task.id)
        await self._tell()


async def _slowly(do: Callable[[], None]) -> None:
    """As a process group dies: not at once, and whatever is cancelled meanwhile."""

    async def die() -> None:
        for _ in range(DYING):
            await asyncio.sleep(0)
        do()

    dying = asyncio.ensure_future(die())
    while not dying.done():
        with suppress(asyncio.CancelledError):
            await asyncio.shield(dying)


def free(**more: object) -> Watched:
    """Return a foreman that holds nothing up."""
    watched = Watched(**more)  # type: ignore[arg-type]
    watched.hold.set()
    watched.record.set()
    return watched


async def run(
    runner: TeamRunner, tasks: Iterable[GoalTask], watched: Watched, at_once: int
) -> None:
    async with asyncio.timeout(DEADLINE):
        await runner.run(list(tasks), watched, at_once)


async def stop(job: asyncio.Task[None]) -> BaseException | None:
    """Cancel, and return what it ended with."""
    job.cancel()
    (found,) = await asyncio.gather(job, return_exceptions=True)
    return found


async def each_task_is_begun_worked_on_and_ended_once(runner: TeamRunner) -> None:
    watched = free()
    await run(runner, some_tasks(20), watched, 3)
    names = [task.id for task in some_tasks(20)]
    assert Counter(watched.begun) == Counter(watched.worked) == Counter(names)
    assert sorted(watched.ended) == sorted((name, name) for name in names)
    assert watched.alive == 0


async def no_more_are_under_way_than_may_be(runner: TeamRunner) -> None:
    watched = Watched()
    watched.record.set()
    job = asyncio.ensure_future(run(runner, some_tasks(9), watched, 3))
    await watched.until(lambda: watched.alive >= 3)
    watched.hold.set()
    await job
    assert watched.most == 3 and len(watched.ended) == 9


async def the_first_in_the_order_goes_first(runner: TeamRunner) -> None:
    watched = free()
    await run(runner, some_tasks(5), watched, 1)
    assert watched.begun == ["t0", "t1", "t2", "t3", "t4"]


async def a_person_takes_no_place(runner: TeamRunner) -> None:
    watched = Watched()
    watched.record.set()
    tasks = [*some_tasks(2), a_task("mine", "manual")]
    job = asyncio.ensure_future(run(runner, tasks, watched, 1))
    await watched.until(lambda: ("mine", "mine") in watched.ended)
    assert watched.most <= 1
    watched.hold.set()
    await job


async def what_cannot_begin_is_left_alone(runner: TeamRunner) -> None:
    watched = free(no_room=("t0", "t2"))
    await run(runner, some_tasks(4), watched, 2)
    assert sorted(watched.worked) == sorted(name for name, _ in watched.ended) == ["t1", "t3"]


async def a_result_keeps_its_place_until_it_is_written_down(runner: TeamRunner) -> None:
    """A slow disk makes work wait: results do not pile up."""
    watched = Watched()
    watched.hold.set()
    job = asyncio.ensure_future(run(runner, some_tasks(8), watched, 2))
    await watched.until(lambda: len(watched.worked) >= 2 and watched.alive == 0)
    for _ in range(200):
        await asyncio.sleep(0)
    assert len(watched.begun) == 2 and watched.ended == []
    watched.record.set()
    await job
    assert watched.most == 2 and len(watched.ended) == 8


async def a_cancel_begins_nothing_more_and_leaves_nothing_alive(runner: TeamRunner) -> None:
    watched = Watched()
    watched.record.set()
    job = asyncio.ensure_future(run(runner, some_tasks(6), watched, 2))
    await watched.until(lambda: watched.alive >= 2)
    found = await stop(job)
    assert isinstance(found, asyncio.CancelledError), f"it ended with {found!r}"
    assert watched.alive == 0, "something is alive"
    watched.hold.set()
    for _ in range(200):
        await asyncio.sleep(0)
    assert len(watched.begun) == 2 and watched.ended == [] and watched.alive == 0


async def what_is_raised_comes_through_when_all_is_dead(runner: TeamRunner) -> None:
    watched = Watched(breaks="t1")
    watched.record.set()
    job = asyncio.ensure_future(run(runner, some_tasks(6), watched, 2))
    await watched.until(lambda: watched.alive >= 2)
    watched.hold.set()
    (found,) = await asyncio.gather(job, return_exceptions=True)
    assert isinstance(found, OSError | BaseExceptionGroup), f"it ended with {found!r}"
    assert watched.alive == 0
    assert len(watched.begun) < 6


async def nothing_to_do_is_done_at_once(runner: TeamRunner) -> None:
    await run(runner, [], free(), 2)


PROMISES: tuple[Callable[[TeamRunner], Awaitable[None]], ...] = (
    each_task_is_begun_worked_on_and_ended_once,
    no_more_are_under_way_than_may_be,
    the_first_in_the_order_goes_first,
    a_person_takes_no_place,
    what_cannot_begin_is_left_alone,
    a_result_keeps_its_place_until_it_is_written_down,
    a_cancel_begins_nothing_more_and_leaves_nothing_alive,
    what_is_raised_comes_through_when_all_is_dead,
    nothing_to_do_is_done_at_once,
)
