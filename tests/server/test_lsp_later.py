"""What is asked for often is done once; what was stopped is not done any more."""

from __future__ import annotations

import asyncio

from goal_server.lsp_later import Later


async def test_what_is_asked_for_meanwhile_is_done_once_more() -> None:
    done: list[int] = []
    begun, go_on, over = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await go_on.wait()
        done.append(len(done))
        if len(done) == 2:
            over.set()

    later = Later(0, work)
    for _ in range(3):
        later.ask()
    await begun.wait()
    for _ in range(3):
        later.ask()
    go_on.set()
    await over.wait()
    assert done == [0, 1]


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
