"""Nothing that a command started outlives it, and no output of it fills the disk."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from goal_engine.errors import BadConfiguration, StoreUnwritable, ToolMissing
from goal_engine.runtime import guardian, process
from goal_engine.runtime.guardian import Status
from goal_engine.runtime.process import (
    GUARDIAN,
    LOG_CAP,
    ask_process,
    clean_environment,
    find_passed,
    run_process,
)

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0
SOME_TIME = (2.0, 10.0, 60.0)
"""Seconds in which a command does all that it does before it waits: more where not all was done."""
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


async def run(place, *argv, timeout=None, grace=0.1, stdin=None):
    return await run_process(
        argv,
        cwd=place,
        env=clean_environment(),
        log=place.parent / "logs" / "log",
        timeout=timeout,
        grace=grace,
        stdin=stdin,
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


async def test_a_command_reads_the_file_it_is_given(place):
    given = place.parent / "given"
    given.write_bytes(b"x" * 200_000 + b"\n")
    ended = await run(place, "sh", "-c", "cat | wc -c", stdin=given)
    assert ended.exit_code == 0
    assert (place.parent / "logs" / "log").read_text().split() == ["200001"]
    with pytest.raises(ToolMissing, match="No such file"):
        await run(place, "cat", stdin=place / "absent")


async def test_nothing_survives_a_timeout(place):
    for seconds in SOME_TIME:
        ended = await run(place, sys.executable, "tree.py", "stay", timeout=seconds)
        if (place / "ready").exists():
            break
        for begun in place.glob("*.pid"):
            begun.unlink()
    assert ended.timed_out and ended.exit_code is None and ended.killed == 3
    assert survivors(place) == []


async def test_a_timeout_may_be_longer_than_the_system_can_wait(place):
    ended = await run(place, "sh", "-c", "sleep 0.2; echo said", timeout=1e300)
    assert ended.exit_code == 0 and not ended.timed_out


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
    for _ in range(3):
        job.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await job
    assert survivors(place) == []


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


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_nothing_survives_whose_first_thread_has_ended(place):
    hidden = """
import ctypes, os, threading, time
threading.Thread(target=lambda: time.sleep(600)).start()
open("ready", "w").close()
ctypes.CDLL(None).pthread_exit(None)
"""
    (place / "hidden.py").write_text(hidden, encoding="utf-8")
    begin = f"{sys.executable} hidden.py & echo $! > pid; until [ -e ready ]; do sleep 0.01; done"
    await run(place, "sh", "-c", begin)
    assert not psutil.pid_exists(int((place / "pid").read_text()))


async def test_nothing_survives_a_disk_that_is_full(place):
    flood = "sleep 600 & head -c 20000000 /dev/zero; touch ready; sleep 600"
    job = asyncio.ensure_future(
        run_process(
            ["sh", "-c", flood],
            cwd=place,
            env=clean_environment(),
            log=Path("/dev/full"),
            timeout=None,
        )
    )
    await until((place / "ready").exists)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert survivors(place) == []


async def test_output_that_the_disk_did_not_take_is_said_to_be_missing(place):
    ended = await run_process(
        ["echo", "x"], cwd=place, env=clean_environment(), log=Path("/dev/full"), timeout=None
    )
    assert ended.exit_code == 0 and ended.truncated and ended.log_bytes == 2


async def test_a_log_that_cannot_be_made_is_refused_before_anything_runs(place):
    with pytest.raises(StoreUnwritable, match="tree.py/log"):
        await run_process(
            ["touch", "ran"], cwd=place, env={}, log=place / "tree.py" / "log", timeout=None
        )
    assert not (place / "ran").exists()


async def test_a_daemon_that_keeps_the_output_open_holds_nobody_up(place):
    ended = await run(place, "sh", "-c", "setsid sleep 600 & echo said", timeout=PATIENCE)
    assert ended.exit_code == 0 and not ended.timed_out and ended.killed == 1
    assert survivors(place) == []


async def test_a_command_that_listens_is_asked_before_it_is_killed(place):
    polite = "trap 'echo bye; exit' TERM; touch ready; while :; do sleep 0.01; done"
    job = asyncio.ensure_future(run(place, "sh", "-c", polite, grace=PATIENCE))
    await until((place / "ready").exists)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert b"bye\n" in (place.parent / "logs" / "log").read_bytes()  # a shell tells of its sleep


C_LIBRARY = 0b11 << 31
"""Signals 32 and 33 as /proc shows them: glibc's own, which `posix_spawn` ignores in what it starts
and no program can set."""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_a_command_inherits_nothing_but_what_it_was_given(place):
    env = {"PATH": os.environ["PATH"], "A": "1"}
    state = "grep SigIgn /proc/self/status; ls /proc/self/fd; env"
    await run_process(
        ["/bin/sh", "-c", state], cwd=place, env=env, log=place / "log", timeout=PATIENCE
    )
    said = (place / "log").read_text(encoding="utf-8").split()
    assert said[0] == "SigIgn:" and int(said[1], 16) & ~C_LIBRARY == 0
    assert said[2:6] == ["0", "1", "2", "3"]  # 3 is the listing itself
    assert {line.partition("=")[0] for line in said[6:]} <= {
        "PATH",
        "A",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
        "GOALPROOF_RUN",
    }


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_the_guardian_shows_nobody_what_it_was_told(place):
    job = asyncio.ensure_future(
        run_process(
            ["sh", "-c", "touch ready; sleep 600"],
            cwd=place,
            env={**clean_environment(), "KEY": "hidden-word"},
            log=place / "log",
            timeout=None,
        )
    )
    await until((place / "ready").exists)
    below = psutil.Process().children(recursive=True)
    alive = [one for one in below if one.status() != psutil.STATUS_ZOMBIE]  # `touch` may be one
    guardians = [one for one in alive if str(GUARDIAN) in one.cmdline()]
    assert guardians
    shown = [(one.cmdline(), one.environ()) for one in guardians]
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert "hidden-word" not in str(shown)


async def test_a_large_environment_reaches_the_command(place):
    env = {**clean_environment(), **{f"LONG{number}": "x" * 100_000 for number in range(4)}}
    ended = await run_process(
        ["sh", "-c", "test ${#LONG3} = 100000"], cwd=place, env=env, log=place / "log", timeout=None
    )
    assert ended.exit_code == 0


async def test_an_owner_that_ignores_its_children_still_hears_how_they_ended(place):
    owner = OWNER.replace('"tree.py", "stay"', '"-c", "raise SystemExit(3)"')
    script = f"import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n{owner}"
    script = script.replace("asyncio.run(", "print(asyncio.run(").rstrip() + ")"
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", script, str(place)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert "exit_code=3" in done.stdout


async def test_commands_that_wait_leave_the_threads_of_the_loop_to_others(place):
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    job = asyncio.ensure_future(
        run(place, "sh", "-c", "touch ready; until [ -e go ]; do sleep 0.01; done")
    )
    await until((place / "ready").exists)
    async with asyncio.timeout(PATIENCE):
        await asyncio.to_thread((place / "go").touch)
        assert (await job).exit_code == 0


async def test_commands_run_in_a_loop_of_another_thread(place):
    ended = await asyncio.to_thread(lambda: asyncio.run(run(place, "sh", "-c", "exit 4")))
    assert ended.exit_code == 4


async def test_fifty_commands_leave_no_file_open_and_no_zombie(place):
    await run(place, "true")
    files, children = psutil.Process().num_fds(), len(psutil.Process().children())
    for number in range(50):
        job = asyncio.ensure_future(run(place, "true" if number % 3 else "sleep", "600"))
        if number % 3 == 0:
            await asyncio.sleep(0)
            job.cancel()
        await asyncio.gather(job, return_exceptions=True)
    with pytest.raises(ToolMissing):
        await run(place, "no-such-tool")
    assert psutil.Process().num_fds() == files
    assert len(psutil.Process().children()) == children


async def test_a_guardian_that_was_killed_is_no_result(place):
    with pytest.raises(ToolMissing, match="killed from outside"):
        await run(place, "sh", "-c", "kill -9 $PPID")


async def test_a_flood_of_output_leaves_its_beginning_and_its_end(place):
    flood = "import sys; w = sys.stdout.write; w('first\\n'); [w('x' * 2**20) for _ in range(200)]; w('last')"
    ended = await run(place, sys.executable, "-c", flood)
    log = (place.parent / "logs" / "log").read_bytes()
    assert ended.exit_code == 0 and ended.truncated
    assert ended.log_bytes == 200 * 2**20 + len("first\nlast")
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
    with pytest.raises(ToolMissing, match="could not be started: Exec format error"):
        await run(place, "./script")


async def test_a_program_is_found_on_the_path_that_the_command_has(place):
    (place / "bin").mkdir()
    (place / "bin" / "own-tool").write_text("#!/bin/sh\nexit 7\n", encoding="utf-8")
    (place / "bin" / "own-tool").chmod(0o755)
    for name, path in (("own-tool", place / "bin"), ("bin/own-tool", "/nowhere")):
        ended = await run_process(
            [name], cwd=place, env={"PATH": str(path)}, log=place / "log", timeout=None
        )
        assert ended.exit_code == 7


def test_the_environment_holds_no_git_variable_and_no_token(monkeypatch):
    secret = {"GIT_DIR": "/x", "GIT_CONFIG_COUNT": "1", "GITHUB_TOKEN": "t", "AWS_SECRET_KEY": "t"}
    secret |= {"XDG_RUNTIME_DIR": "/run/x", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/x"}
    secret |= {"SSH_AUTH_SOCK": "s", "PYTHONPATH": "/x", "LD_PRELOAD": "x", "PYTHONSTARTUP": "x"}
    for name, value in {**secret, "LC_TIME": "C", "TZ": "UTC"}.items():
        monkeypatch.setenv(name, value)
    kept = clean_environment({"ADDED": "1"})
    assert not set(secret) & set(kept)
    assert kept["PATH"] == os.environ["PATH"] and kept["LC_TIME"] == "C" and kept["TZ"] == "UTC"
    assert kept["ADDED"] == "1"


def test_a_variable_goes_through_if_the_person_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("GOALPROOF_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", "sqlite://")
    assert "DATABASE_URL" not in clean_environment()
    settings = tmp_path / "settings.toml"
    settings.write_text('variables = ["DATABASE_URL", "NOT_SET"]\n')
    assert clean_environment()["DATABASE_URL"] == "sqlite://"
    assert "NOT_SET" not in clean_environment() and find_passed() == ("DATABASE_URL",)
    for name in ("GIT_DIR", "git_dir", "A=B", ""):
        settings.write_text(f"variables = [{json.dumps(name)}]\n")
        with pytest.raises(BadConfiguration, match="no variable that may be let through"):
            clean_environment()


async def test_a_command_sees_the_environment_it_was_given_and_no_other(place, monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    await run(place, "env")
    assert b"secret" not in (place.parent / "logs" / "log").read_bytes()


ANSWERS = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.close(1), os.close(2)
        open(sys.argv[1], "w").write(str(os.getpid()))
        time.sleep(600)
    os._exit(0)
os.wait()
while not (os.path.exists(sys.argv[1]) and open(sys.argv[1]).read()):
    pass
print("an answer", flush=True)
print("a warning", file=sys.stderr)
time.sleep(float(sys.argv[2]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="orphans come back only on Linux")
@pytest.mark.parametrize(("lasts", "code"), [(0, 0), (600, None)])
def test_who_only_answers_leaves_nothing_behind(tmp_path: Path, lasts: int, code: int) -> None:
    left = tmp_path / "left"
    argv = (sys.executable, "-I", "-c", ANSWERS, str(left), str(lasts))
    env = clean_environment()
    for seconds in SOME_TIME:
        left.unlink(missing_ok=True)
        ended, said = ask_process(argv, cwd=tmp_path, env=env, timeout=seconds, errors=False)
        if said:
            break
    assert (ended, said) == (code, b"an answer\n")
    assert not psutil.pid_exists(int(left.read_text()))


def test_a_sandbox_that_is_about_to_say_something_has_not_said_it_yet() -> None:
    told, tell = os.pipe()
    try:
        status = Status(told)
        os.write(tell, b'{ "child-pid": 7 }\n{ "exit-c')
        assert status.read() == {"child-pid": 7} and status.first == {7}
        os.write(tell, b'ode": 0 }\n')
        assert status.read() == {"child-pid": 7, "exit-code": 0}
    finally:
        os.close(told)
        os.close(tell)


async def test_a_guardian_leaves_its_bytecode_only_where_its_owner_would(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = place.parent / "guardian.py"
    copy.write_text(GUARDIAN.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(process, "GUARDIAN", copy)
    for withheld in (True, False):
        monkeypatch.setattr(sys, "dont_write_bytecode", withheld)
        assert (await run(place, "true")).exit_code == 0
        assert (place.parent / "__pycache__").exists() is not withheld


@pytest.mark.parametrize(
    "told",
    [
        {"exit_code": None, "timed_out": True, "killed": 0, "left": 1, "exceeded": ""},
        {"exit_code": -9, "timed_out": False, "exceeded": "memory", "log_bytes": 1 << 40},
        {"error": "No such file or directory"},
    ],
)
def test_an_answer_is_read_as_it_was_told(told: dict[str, object]) -> None:
    assert json.loads(guardian.render(told)) == told


def test_an_answer_is_whole_whatever_the_system_says() -> None:
    told = {"last": 'a "\\ \n é \x1b \U0001f600 \udc80'}
    assert json.loads(guardian.render(told).encode()) == told
