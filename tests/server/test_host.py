"""The engine's own thread: whatever is on its way, it ends, and so does all that it holds."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from goal_engine.engine import Engine
from goal_server.host import EngineHost


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
