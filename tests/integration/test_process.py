"""Nothing that a command started outlives it, and no output of it fills the disk."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from goal_engine.errors import ToolMissing
from goal_engine.runtime.process import LOG_CAP, clean_environment, run_process

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0
TREE = """
import os, signal, sys, time

signal.signal(signal.SIGTERM, signal.SIG_IGN)


def live():
    open(f"{os.getpid()}.pid", "w").close()
    while True:
        time.sleep(60)


if os.fork() == 0:  # a child
    live()
if os.fork() == 0:  # a child with a session of its own
    os.setsid()
    live()
if os.fork() == 0:  # a daemon: session, second fork, output closed
    os.setsid()
    if os.fork():
        os._exit(0)
    for descriptor in range(3):
        os.close(descriptor)
    live()
while len([name for name in os.listdir() if name.endswith(".pid")]) < 3:
    time.sleep(0.01)
open("ready", "w").close()
if sys.argv[1] == "stay":
    live()
"""
OWNER = """
import asyncio, sys
from pathlib import Path
from goal_engine.runtime.process import clean_environment, run_process

here = Path(sys.argv[1])
asyncio.run(run_process([sys.executable, "tree.py", "stay"], cwd=here, env=clean_environment(),
                        log=here / "log", timeout=None))
"""


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "place"
    folder.mkdir()
    (folder / "tree.py").write_text(TREE, encoding="utf-8")
    return folder


def survivors(place):
    """Return the living processes that work in a folder."""
    return [
        process
        for process in psutil.process_iter(["cwd", "status"])
        if process.info["status"] != psutil.STATUS_ZOMBIE and process.info["cwd"] == str(place)
    ]


async def run(place, *argv, timeout=None, grace=0.1):
    return await run_process(
        argv,
        cwd=place,
        env=clean_environment(),
        log=place.parent / "logs" / "log",
        timeout=timeout,
        grace=grace,
    )


async def until(happened):
    async with asyncio.timeout(PATIENCE):
        while not happened():  # noqa: ASYNC110 - another process tells nobody
            await asyncio.sleep(0.01)


async def test_a_command_says_how_it_ended_and_what_it_wrote(place):
    ended = await run(place, "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (ended.exit_code, ended.timed_out, ended.killed) == (3, False, 0)
    assert (place.parent / "logs" / "log").read_bytes() == b"out\nerr\n"
    assert ended.log_bytes == 8 and not ended.truncated


async def test_a_command_that_kills_itself_has_the_signal_as_code(place):
    assert (await run(place, "sh", "-c", "kill -9 $$")).exit_code == -signal.SIGKILL


async def test_a_command_has_no_input_and_ends_by_itself(place):
    assert (await run(place, "cat")).exit_code == 0


async def test_nothing_survives_a_timeout(place):
    ended = await run(place, sys.executable, "tree.py", "stay", timeout=5)
    assert (place / "ready").exists()
    assert ended.timed_out and ended.exit_code is None and ended.killed == 3
    assert survivors(place) == []


async def test_nothing_survives_a_cancellation(place):
    job = asyncio.ensure_future(run(place, sys.executable, "tree.py", "stay"))
    await until((place / "ready").exists)
    assert len(survivors(place)) == 4
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert survivors(place) == []


async def test_nothing_survives_a_second_cancellation(place):
    job = asyncio.ensure_future(run(place, sys.executable, "tree.py", "stay", grace=0.3))
    await until((place / "ready").exists)
    job.cancel()
    await asyncio.sleep(0)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    await until(lambda: survivors(place) == [])


async def test_nothing_survives_a_command_that_ends_well(place):
    ended = await run(place, sys.executable, "tree.py", "leave")
    assert ended.exit_code == 0 and not ended.timed_out and ended.killed == 3
    assert survivors(place) == []


async def test_nothing_survives_the_death_of_the_owner(place):
    owner = subprocess.Popen(  # noqa: ASYNC220 - killed below, and nothing else is to do meanwhile
        [sys.executable, "-c", OWNER, str(place)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    await until((place / "ready").exists)
    assert len(survivors(place)) == 4
    guardians = psutil.Process(owner.pid).children()
    owner.kill()
    owner.wait()
    await until(lambda: survivors(place) == [])
    await until(lambda: not any(guardian.is_running() for guardian in guardians))


async def test_a_flood_of_output_leaves_its_beginning_and_its_end(place):
    flood = "import sys; w = sys.stdout.write; w('first\\n'); [w('x' * 2**20) for _ in range(50)]; w('last')"
    ended = await run(place, sys.executable, "-c", flood)
    log = (place.parent / "logs" / "log").read_bytes()
    assert ended.exit_code == 0 and ended.truncated
    assert ended.log_bytes == 50 * 2**20 + len("first\nlast")
    assert len(log) < LOG_CAP + 100
    assert log.startswith(b"first\n") and log.endswith(b"last") and b"bytes left out" in log


@pytest.mark.parametrize("name", ["no-such-tool", "./no-such-script", "./tree.py"])
async def test_a_program_that_is_not_there_is_named(place, name):
    with pytest.raises(ToolMissing, match=name):
        await run(place, name)


async def test_a_folder_that_is_not_there_is_refused(place):
    with pytest.raises(ToolMissing):
        await run(place / "nowhere", "true")


async def test_a_file_that_is_no_program_is_a_refusal(place):
    (place / "script").write_bytes(b"\x00nothing")
    (place / "script").chmod(0o700)
    with pytest.raises(ToolMissing):
        await run(place, "./script")


def test_the_environment_holds_no_git_variable_and_no_token(monkeypatch):
    secret = {"GIT_DIR": "/x", "GIT_CONFIG_COUNT": "1", "GITHUB_TOKEN": "t", "AWS_SECRET_KEY": "t"}
    secret |= {"SSH_AUTH_SOCK": "s", "PYTHONPATH": "/x", "LD_PRELOAD": "x", "PYTHONSTARTUP": "x"}
    for name, value in {**secret, "LC_TIME": "C", "TZ": "UTC"}.items():
        monkeypatch.setenv(name, value)
    kept = clean_environment({"ADDED": "1"})
    assert not set(secret) & set(kept)
    assert kept["PATH"] == os.environ["PATH"] and kept["LC_TIME"] == "C" and kept["TZ"] == "UTC"
    assert kept["ADDED"] == "1"


async def test_a_command_sees_the_environment_it_was_given_and_no_other(place, monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    await run(place, "env")
    assert b"secret" not in (place.parent / "logs" / "log").read_bytes()
