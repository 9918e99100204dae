"""Killed at any command of git while it puts a goal on newer commits, nothing has moved, and it goes again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from goal_engine.engine import Engine
from goal_engine.rebase import plan_move
from goal_engine.runtime import git
from goal_engine.state.commands import MoveBase
from goal_engine.types import Decision, GoalId, GoalStatus
from tests.integration.projects import CALC, FIX, a_plan, a_project, commit_all, run

pytestmark = pytest.mark.one_python

ROOT = Path(__file__).parents[2]
ME = Decision(actor="me", reason="main went on")
HALF = "\n\ndef half(a):\n    return a / 2\n"
MOST = 100
"""Commands of git that a move needs at most."""
KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from goal_engine.runtime import git
from tests.integration.test_rebase_killed import plan

checkout, goal, command, number = sys.argv[1:]
left, start = int(number), git._start

def start_or_die(words, *args, **options):
    global left
    here = command in ("any", words[0])
    left -= here
    process = start(words, *args, **options)
    if here and not left:
        os.kill(os.getpid(), signal.SIGKILL)
    return process

git._start = start_or_die
asyncio.run(plan(Path(checkout), goal))
"""


async def plan(checkout: Path, goal: str) -> MoveBase:
    """Return what would become of a goal on the newest commit, from what there is on the disk."""
    engine = Engine.open(checkout)
    try:
        state = await engine.ports.read(GoalId(goal))
        return await plan_move(engine.ports, state, ME)
    finally:
        engine.close()


@pytest.mark.parametrize(
    "points",
    [
        [("update-ref", 1), ("commit-tree", 3)],
        pytest.param(
            [("any", number) for number in range(1, MOST)],
            marks=[pytest.mark.long, pytest.mark.timeout(900)],
        ),
    ],
    ids=["some", "all"],
)
async def test_killed_while_it_moves_a_goal_moves_the_same_way_afterwards(
    points, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout, clean = tmp_path / "project", tmp_path / "clean"
    monkeypatch.setenv("GOALPROOF_STATE_DIR", str(clean))
    engine = Engine.open(a_project(checkout))
    state = await run(engine, a_plan(FIX))
    engine.close()
    assert state.status is GoalStatus.READY
    commit_all(checkout, "half", {"calc.py": CALC + HALF})
    for command, number in points:
        point = f"{command}-{number}"
        place = tmp_path / f"state-{point}"
        shutil.copytree(clean, place, symlinks=True)
        monkeypatch.setenv("GOALPROOF_STATE_DIR", str(place))
        argv = (sys.executable, "-c", KILLED, str(checkout), state.goal_id, command, str(number))
        ended = subprocess.run(  # noqa: ASYNC221 nothing else runs
            argv, cwd=ROOT, env={**os.environ, "PYTHONPATH": "."}, capture_output=True, check=False
        )
        if ended.returncode == 0:
            assert command == "any" and number > 12, "it was over before anybody was killed"
            break
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        moved = await plan(checkout, state.goal_id)
        shutil.copytree(clean, tmp_path / f"other-{point}", symlinks=True)
        monkeypatch.setenv("GOALPROOF_STATE_DIR", str(tmp_path / f"other-{point}"))
        assert moved == await plan(checkout, state.goal_id), point
        (evidence,) = {
            head.parent for head in place.rglob("HEAD") if (head.parent / "refs").is_dir()
        }
        git.safe_git(["fsck", "--connectivity-only"], git_dir=evidence)
        for used in (place, tmp_path / f"other-{point}"):
            shutil.rmtree(used)
