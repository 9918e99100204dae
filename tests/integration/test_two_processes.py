"""Two processes and one goal: one runs it, the other follows, is refused, or takes over (P14, D13)."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from goal_engine.control import pause_goal
from goal_engine.engine import Engine
from goal_engine.errors import GoalBusy
from goal_engine.lifecycle import recover_goal, resume_goal
from goal_engine.state.model import GoalState
from goal_engine.types import Decision, GoalId, GoalStatus
from tests.integration.hostile import find_survivors, is_ready, write_hostile
from tests.integration.projects import CRITERIA, a_project

pytestmark = pytest.mark.one_python

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
ME = Decision(actor="me", reason="enough")
S = GoalStatus


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    project = a_project(tmp_path / "project")
    argv = json.dumps(write_hostile(tmp_path / "hostile", "daemon"))
    (tmp_path / "plan.toml").write_text(
        f'goal = "Make sums right in calc.py"\nkind = "fix"\n{CRITERIA}\n[[task]]\nid = "stay"\n'
        f'title = "Stay"\nworker = "cli"\nwrites = ["x"]\ncommand = {argv}\n',
        encoding="utf-8",
    )
    opened = Engine.open(project)
    yield opened
    opened.close()


@pytest.fixture
def runner(engine: Engine, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that runs the goal; its worker never ends by itself."""
    path = os.pathsep.join((str(ROOT), str(ROOT / "server")))
    argv = [sys.executable, "-m", "tests.integration.killed_runner", str(engine.checkout)]
    with subprocess.Popen(
        [*argv, "after", "0"], cwd=ROOT, env={**os.environ, "PYTHONPATH": path}
    ) as process:
        try:
            yield process
        finally:
            process.kill()
    for left in find_survivors(tmp_path / "hostile"):
        left.kill()


async def until(happened) -> None:
    async with asyncio.timeout(PATIENCE):
        while not happened():  # noqa: ASYNC110 - another process tells nobody
            await asyncio.sleep(0.01)


async def find_goal(engine: Engine, tmp_path: Path) -> GoalId:
    """Return the other's goal once its worker works."""
    await until(lambda: is_ready(tmp_path / "hostile", "daemon"))
    (known,) = await engine.ports.store.list()
    return GoalId(known.goal_id)


def count_attempts(state: GoalState) -> int:
    return state.tasks["stay"].attempts


async def test_what_one_process_runs_no_other_runs_as_well(
    engine: Engine, runner: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    goal = await find_goal(engine, tmp_path)
    with pytest.raises(GoalBusy, match="run by another process"):
        await resume_goal(engine.ports, goal)
    assert (await recover_goal(engine.ports, goal)).status is S.RUNNING
    paused = await pause_goal(engine.ports, goal, ME)
    assert paused.status is S.PAUSED and count_attempts(paused) == 1
    assert paused.receipt is not None and paused.receipt.ended == 2
    assert find_survivors(tmp_path / "hostile") == []


@pytest.mark.parametrize("guardians", ["live", "die as well"])
async def test_who_takes_over_ends_what_was_left_and_goes_on(
    engine: Engine, runner: subprocess.Popen[bytes], tmp_path: Path, guardians: str
) -> None:
    goal = await find_goal(engine, tmp_path)
    below = psutil.Process(runner.pid).children(recursive=True)
    if guardians == "die as well":
        runner.send_signal(signal.SIGSTOP)  # or it would notice, and clean up itself
        living = [one for one in below if one.status() != psutil.STATUS_ZOMBIE]
        guards = [one for one in living if any("guardian.py" in word for word in one.cmdline())]
        assert len(guards) == 2
        for guard in guards:
            guard.kill()
    runner.kill()
    runner.wait()
    state = await recover_goal(engine.ports, goal)
    assert find_survivors(tmp_path / "hostile") == []
    assert state.status is S.PAUSED and state.interrupted
    assert state.receipt is not None and state.receipt.tasks == ("stay",)
    assert (state.receipt.actor, state.receipt.left) == ("", 0)
    if guardians == "die as well":
        assert state.receipt.ended == 2
    (tmp_path / "hostile" / "daemon.py").write_text("", encoding="utf-8")  # it ends by itself now
    after = await resume_goal(engine.ports, goal)
    assert count_attempts(after) == 2 and after.status is S.NOT_READY
    assert after.receipt is None and not (engine.state_dir / "running" / goal).exists()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_a_runner_that_is_stopped_keeps_the_goal_and_obeys_when_it_goes_on(
    engine: Engine, runner: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    goal = await find_goal(engine, tmp_path)
    runner.send_signal(signal.SIGSTOP)
    with pytest.raises(GoalBusy, match="run by another process"):
        await resume_goal(engine.ports, goal)
    with pytest.raises(GoalBusy, match=rf"\({runner.pid}\) was stopped.*kill -CONT {runner.pid}"):
        await pause_goal(engine.ports, goal, ME)
    shown = await asyncio.to_thread(show, engine, goal)
    assert f"({runner.pid}) was stopped" in shown and "me asked to pause it" in shown
    runner.send_signal(signal.SIGCONT)
    assert (await pause_goal(engine.ports, goal, ME)).status is S.PAUSED
    await asyncio.to_thread(runner.wait)
    state = await engine.ports.read(goal)
    assert state.status is S.PAUSED and not state.interrupted and count_attempts(state) == 1
    assert find_survivors(tmp_path / "hostile") == []


def show(engine: Engine, goal: GoalId) -> str:
    argv = [sys.executable, "-m", "goal_server", "show", goal, "-C", str(engine.checkout)]
    told = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
    return " ".join(told.stdout.split())
