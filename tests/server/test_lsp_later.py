"""What is asked for often is done once; what was stopped is not done any more."""

from __future__ import annotations

import asyncio

import pytest

from goal_server.lsp_later import Later


async def test_many_reasons_are_one_piece_of_work() -> None:
    done = asyncio.Queue[int]()
    gate = asyncio.Event()
    count = 0

    async def work() -> None:
        nonlocal count
        count += 1
        done.put_nowait(count)
        await gate.wait()

    later = Later(0, work)
    for _ in range(10):
        later.ask()
    async with asyncio.timeout(30):
        assert await done.get() == 1
        later.ask()
        later.ask()
        gate.set()
        assert await done.get() == 2
    later.stop()


async def test_work_that_fails_is_done_again_when_asked(caplog: pytest.LogCaptureFixture) -> None:
    tried = asyncio.Queue[None]()

    async def work() -> None:
        tried.put_nowait(None)
        raise ValueError("no")

    later = Later(0, work)
    async with asyncio.timeout(30):
        for _ in range(2):
            later.ask()
            await tried.get()
    later.stop()
    assert "could not be renewed" in caplog.text


async def test_what_was_stopped_does_nothing_whoever_asks() -> None:
    done: list[str] = []
    over = asyncio.Event()

    async def work() -> None:
        done.append("stopped")

    async def other() -> None:
        over.set()

    later = Later(0, work)
    later.ask()
    later.stop()
    later.ask()
    Later(0, other).ask()
    await over.wait()
    assert done == []
