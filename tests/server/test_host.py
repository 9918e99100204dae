"""The engine's own thread: whatever is on its way, it ends, and so does all that it holds."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from goal_engine.engine import Engine
from goal_engine.errors import GoalNotFound
from goal_engine.runtime import filesystems
from goal_engine.types import GoalStatus
from goal_server import lsp_jobs
from goal_server.host import EngineHost
from goal_server.lsp import make_server
from goal_server.lsp_desk import Desk
from goal_server.lsp_jobs import Jobs
from goal_server.parameters import GoalParams
from goal_server.registry import OPERATIONS

OPERATIONS_BY_NAME = {operation.name: operation for operation in OPERATIONS}


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


async def test_a_folder_on_a_network_is_warned_of_once_and_only_by_what_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mountinfo"
    told: list[str] = []
    mounts.write_text(f"1 0 0:1 / / rw - ext4 it rw\n2 1 0:2 / {tmp_path} rw - nfs it rw\n")
    monkeypatch.setattr(filesystems, "MOUNTS", mounts)
    server = make_server()
    monkeypatch.setattr(server, "window_show_message", lambda shown: told.append(shown.message))
    desk = Desk(lambda _: None, lambda: False, server)
    one, other = (a_repository(tmp_path / name) for name in ("one", "other"))
    await desk.run(OPERATIONS_BY_NAME["list"], {}, one)
    assert told == []
    for place in (one, one, other):
        await desk.run(OPERATIONS_BY_NAME["adopt"], {}, place)
    await desk.close()
    assert [message.split(" is on ")[0] for message in told] == [str(one), str(other)]
    assert "NFS" in told[0]


async def test_a_goal_that_has_told_how_it_ended_is_put_away_before_it_is_worked_on_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    ended = SimpleNamespace(goal_id="goal", status=GoalStatus.READY)
    engine = Engine.open(a_repository(tmp_path / "one"))
    host = EngineHost(lambda _: None)
    jobs = Jobs(host)

    async def answer(ports: object, named: str) -> object:
        assert named == "latest"
        return ended

    async def put_away() -> None:
        await asyncio.sleep(0)
        order.append("put away")

    async def refuse(context: object, operation: object, params: object) -> None:
        order.append("worked on")
        raise GoalNotFound("It is enough to get here.")

    monkeypatch.setattr(lsp_jobs, "resolve_goal", answer)
    monkeypatch.setattr(lsp_jobs, "dispatch", refuse)

    async def work() -> None:
        jobs._jobs[ended.goal_id] = engine, host.start_job(engine, put_away())
        context: Any = SimpleNamespace(engine=engine)
        operation: Any = None
        with pytest.raises(GoalNotFound):
            await jobs.start(context, operation, GoalParams(goal="latest"))

    await host.call(work())
    await host.close()
    engine.close()
    assert order == ["put away", "worked on"]
