"""What is asked of a workspace that is closed meanwhile is refused, and readably so."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from goal_engine.engine import Engine, find_root
from goal_engine.errors import NotPossibleNow, RepositoryUnusable
from goal_engine.queries import list_goals
from goal_engine.state.model import GoalState
from goal_server.host import EngineHost
from tests.integration.projects import a_project


async def test_a_closed_workspace_says_so(tmp_path: Path) -> None:
    engine = Engine.open(a_project(tmp_path / "project"))
    await list_goals(engine.ports)
    engine.close()
    with pytest.raises(NotPossibleNow, match="was closed while"):
        await list_goals(engine.ports)
    with pytest.raises(NotPossibleNow, match="was closed while"):
        engine.ports.open_repository()


async def test_workspaces_are_closed_at_once_and_the_others_stay(tmp_path: Path) -> None:
    roots = [a_project(tmp_path / name) for name in ("one", "two", "three")]

    def ignore(state: GoalState) -> None:
        pass

    host = EngineHost(ignore)

    async def work() -> tuple[list[Path], list[bool]]:
        one, two, three = map(host.open, roots)
        begun = asyncio.Event()
        ends = asyncio.Event()

        async def stubborn() -> None:
            try:
                begun.set()
                await asyncio.Event().wait()
            finally:
                await ends.wait()

        jobs = [host.start_job(engine, stubborn()) for engine in (one, three)]
        await begun.wait()
        closing = asyncio.ensure_future(host.close_engines(lambda root: root != three.checkout))
        await asyncio.sleep(0)
        left = [engine.checkout for engine in host.engines]
        ends.set()
        await closing
        return left, [job.done() for job in jobs]

    left, ended = await host.call(work())
    assert left == [roots[2].resolve()]
    assert ended == [True, False]
    await host.close()
    assert host.engines == ()


@pytest.mark.parametrize("name", ["a" * 300, "circle/x"])
def test_a_place_that_cannot_be_looked_at_is_no_repository(tmp_path: Path, name: str) -> None:
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    with pytest.raises(RepositoryUnusable):
        find_root(tmp_path / name)
