"""The engine's own thread: whatever is on its way, it ends, and so does all that it holds."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from goal_engine.engine import Engine
from goal_server.host import EngineHost
from goal_server.lsp import make_server
from goal_server.lsp_desk import Desk
from goal_server.lsp_jobs import Jobs


def a_repository(path: Path) -> Path:
    (path / ".git").mkdir(parents=True)
    return path


async def test_a_workspace_that_is_opened_while_the_host_closes_is_closed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = EngineHost(lambda _: None)
    late = [a_repository(tmp_path / "late")]
    closed: list[str] = []
    real = Engine.close

    def close(engine: Engine) -> None:
        closed.append(engine.checkout.name)
        if late:
            host.open(late.pop())
        real(engine)

    async def work() -> None:
        for name in ("one", "two"):
            host.open(a_repository(tmp_path / name))

    monkeypatch.setattr(Engine, "close", close)
    await host.call(work())
    await host.close()
    assert sorted(closed) == ["late", "one", "two"]
    assert "goal-engine" not in {thread.name for thread in threading.enumerate()}


async def test_what_is_asked_for_while_everything_stops_is_not_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later: list[asyncio.Task[str]] = []

    async def forever() -> None:
        await asyncio.Event().wait()

    async def answer() -> str:
        return "refused for a reason of its own"

    async def pause_and_be_asked(jobs: Jobs, decision: object) -> None:
        later.append(jobs._host.start_job(engine, answer()))

    monkeypatch.setattr(Jobs, "pause", pause_and_be_asked)
    desk = Desk(lambda _: None, lambda: False, make_server())

    async def begin() -> tuple[Engine, asyncio.Task[None]]:
        engine = desk._host.open(a_repository(tmp_path / "one"))
        return engine, desk._host.start_job(engine, forever())

    engine, early = await desk._host.call(begin())
    await desk.stop("the workspace is not trusted any more")
    await desk.close()
    assert early.cancelled()
    assert later[0].result() == "refused for a reason of its own"
