"""Every runner keeps every promise, and a runner that breaks one is found out."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from goal_engine.dispatch.tasks.team import LocalTeamRunner
from tests.contract import team_runner
from tests.contract.team_runner import PROMISES, free, some_tasks

RUNNERS = {"local": LocalTeamRunner}


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
@pytest.mark.parametrize("runner", RUNNERS)
async def test_a_runner_keeps_its_promises(runner, promise):
    await promise(RUNNERS[runner]())


async def test_sixty_four_are_given_out_at_once_and_no_more():
    """F06, without the processes."""
    watched = free()
    await LocalTeamRunner().run(some_tasks(300), watched, 64)
    assert watched.most == 64 and len(watched.ended) == 300


class DispatchesTwice(LocalTeamRunner):
    """A message that was delivered twice."""

    async def run(self, tasks, foreman, at_once):
        await super().run([*tasks, *tasks[:1]], foreman, at_once)


class SwallowsCancel(LocalTeamRunner):
    async def run(self, tasks, foreman, at_once):
        with suppress(asyncio.CancelledError):
            await super().run(tasks, foreman, at_once)


class ExceedsTheCap(LocalTeamRunner):
    async def run(self, tasks, foreman, at_once):
        await super().run(tasks, foreman, at_once + 1)


class LeavesThemDying(LocalTeamRunner):
    """Cancels what it started, and does not look."""

    async def run(self, tasks, foreman, at_once):
        inner = asyncio.ensure_future(super().run(tasks, foreman, at_once))
        try:
            await asyncio.shield(inner)
        except asyncio.CancelledError:
            inner.cancel()
            raise


class PilesUp(LocalTeamRunner):
    """Gives a place away before its result is recorded."""

    async def run(self, tasks, foreman, at_once):
        places = asyncio.Semaphore(at_once)

        async def one(task):
            async with places:
                attempt = await foreman.begin(task)
                outcome = await foreman.work(attempt) if attempt else None
            if attempt:
                await foreman.end(attempt, outcome)

        async with asyncio.TaskGroup() as group:
            for task in tasks:
                group.create_task(one(task))


@pytest.mark.parametrize(
    "broken", [DispatchesTwice, SwallowsCancel, ExceedsTheCap, LeavesThemDying, PilesUp]
)
async def test_a_runner_that_breaks_a_promise_is_found_out(broken, monkeypatch):
    monkeypatch.setattr(team_runner, "DEADLINE", 1.0)  # one that is stuck is stuck at once
    assert await find_broken(broken())


async def find_broken(runner):
    """Return the first promise that a runner breaks, empty where it keeps them all."""
    for promise in PROMISES:
        try:
            await promise(runner)
        except (AssertionError, TimeoutError):
            return promise.__name__
        finally:
            left = asyncio.all_tasks() - {asyncio.current_task()}
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
    return ""
