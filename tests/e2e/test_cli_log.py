"""Two terminals on one goal: one runs it, the other follows what its tasks and gates print."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.integration.projects import CRITERIA, FIX, a_project

pytestmark = pytest.mark.one_python

PATIENCE = 60
PLAN = """
goal = "Make sums right in calc.py"
{criteria}
[[task]]
id = "fix"
title = "Fix the sum"
steps = [{{ run = ["python3", "-c", '''{script}'''] }}, {fix}]
"""
SCRIPT = """
import pathlib, time
print("begun", flush=True)
while not pathlib.Path("{path}").exists(): time.sleep(0.01)
print("ended")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    made = a_project(tmp_path / "project")
    script = SCRIPT.format(path=tmp_path / "signal")
    text = PLAN.format(criteria=CRITERIA, script=script, fix=FIX)
    (tmp_path / "plan.toml").write_text(text, encoding="utf-8")
    return made


@asynccontextmanager
async def goalproof(project: Path, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process of the command line; it is dead afterwards."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "goal_server", "-C", str(project), *words,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def until_started(runner: asyncio.subprocess.Process) -> None:
    assert runner.stderr is not None
    async for line in runner.stderr:
        if b"task fix started" in line:
            return
    pytest.fail("the task never started")


async def test_a_log_is_followed_from_another_terminal(project: Path, tmp_path: Path) -> None:
    plan = str(tmp_path / "plan.toml")
    async with (
        asyncio.timeout(PATIENCE),
        goalproof(project, "run", "--plan", plan, "--trust") as run,
    ):
        await until_started(run)
        async with goalproof(project, "log", "latest", "--follow") as follow:
            assert follow.stdout is not None
            assert await follow.stdout.readuntil(b"begun\n")
            (tmp_path / "signal").touch()
            out, err = await follow.communicate()
            assert out.splitlines()[0] == b"ended"
            assert b"fix" in err.splitlines()[0]
            assert follow.returncode == 0
        await run.communicate()
        assert run.returncode == 0
    async with goalproof(project, "log", "latest", "--task", "fix") as read:
        out, err = await read.communicate()
    assert (read.returncode, err) == (0, b"")
    assert b"begun\nended\n" in out
    async with goalproof(project, "log", "latest", "--task", "fix", "--json") as read:
        told, _ = await read.communicate()
    assert json.loads(told)["text"].encode() == out, "one document, with all of it"


async def test_a_follower_that_is_interrupted_leaves_the_goal_alone(
    project: Path, tmp_path: Path
) -> None:
    plan = str(tmp_path / "plan.toml")
    async with (
        asyncio.timeout(PATIENCE),
        goalproof(project, "run", "--plan", plan, "--trust") as run,
    ):
        await until_started(run)
        async with goalproof(project, "log", "latest", "--task", "fix", "--follow") as follow:
            assert follow.stdout is not None
            assert await follow.stdout.readuntil(b"begun\n")
            follow.send_signal(signal.SIGINT)
            _, err = await follow.communicate()
            assert follow.returncode == 130 and b"Traceback" not in err
        assert run.returncode is None
        (tmp_path / "signal").touch()
        await run.communicate()
        assert run.returncode == 0


async def test_what_was_stopped_before_its_end_has_no_log_and_that_is_said(
    project: Path, tmp_path: Path
) -> None:
    plan = str(tmp_path / "plan.toml")
    async with (
        asyncio.timeout(PATIENCE),
        goalproof(project, "run", "--plan", plan, "--trust") as run,
    ):
        await until_started(run)
        run.send_signal(signal.SIGINT)
        await run.communicate()
        assert run.returncode == 130
    async with goalproof(project, "log", "latest", "--task", "fix") as read:
        out, err = await read.communicate()
    assert (read.returncode, out) == (0, b"")
    assert b"fix has no log: it printed nothing, or was stopped before its end" in err
