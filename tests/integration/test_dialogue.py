"""A command that is talked to: every line goes through, and nothing of it outlives the talk."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from functools import partial

import psutil
import pytest

from goal_engine.errors import StoreUnwritable, ToolMissing
from goal_engine.runtime import dialogue as dialogues
from goal_engine.runtime.dialogue import Lines, talk
from goal_engine.runtime.process import clean_environment
from goal_engine.runtime.running import Running
from tests.integration.test_process import ROOT, TREE, survivors, until

PATIENCE = 60.0
OWNER = """
import asyncio, sys
from pathlib import Path
from goal_engine.runtime.dialogue import talk
from goal_engine.runtime.process import clean_environment

async def main(here):
    async with talk([sys.executable, "tree.py", "stay"], cwd=here, env=clean_environment(),
                    log=here / "log") as dialogue:
        await dialogue.read()

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "place"
    folder.mkdir()
    (folder / "tree.py").write_text(TREE, encoding="utf-8")
    return folder


def begin(place, *argv, **more):
    return talk(argv, cwd=place, env=clean_environment(), log=place.parent / "log", **more)


def read_log(place):
    return (place.parent / "log").read_bytes()


async def leave_with(error, talking, happened=lambda: True):
    async with talking:
        await until(happened)
        raise error


# Lines


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_lines_are_the_same_however_the_pieces_fall(size):
    data, lines, found = b"one\r\n\n  \ntwo\nthree", Lines(), []
    for at in range(0, len(data), size):
        lines.feed(data[at : at + size])
        while line := lines.take():
            found.append(line)
    assert [*found, lines.close()] == [b"one", b"two", b"three"]


@pytest.mark.parametrize("size", [1, 4, 7, 11])
def test_a_line_that_is_too_long_is_left_out_and_those_around_it_are_not(size):
    data, lines, found = b"before\n" + b"x" * 50 + b"\nafter\n", Lines(most=10), []
    for at in range(0, len(data), size):
        lines.feed(data[at : at + size])
        while line := lines.take():
            found.append(line)
    assert found == [b"before", b"after"] and lines.dropped == 1
    lines.feed(b"y" * 20)
    assert lines.close() == b"" and lines.dropped == 2


# Talking


async def test_lines_go_both_ways_and_the_end_of_the_input_ends_it(place):
    async with begin(place, "cat") as dialogue:
        for said in (b"one", b"two", b"x" * 5_000_000):
            writing = asyncio.ensure_future(dialogue.write(said))
            assert await dialogue.read() == said
            await writing
    assert (dialogue.ended.exit_code, dialogue.ended.killed) == (0, 0)


async def test_errors_and_notes_are_the_log_and_output_is_not(place):
    async with begin(place, "sh", "-c", "echo out; echo err >&2; read _; exit 3") as dialogue:
        assert await dialogue.read() == b"out"
        dialogue.note(b"noted\n")
    assert dialogue.ended.exit_code == 3
    assert sorted(read_log(place).splitlines()) == [b"err", b"noted"]


async def test_the_last_line_needs_no_end(place):
    async with begin(place, "sh", "-c", "printf 'a\\nb'") as dialogue:
        assert [await dialogue.read() for _ in range(4)] == [b"a", b"b", b"", b""]


async def test_a_line_that_is_too_long_leaves_a_note(place, monkeypatch):
    monkeypatch.setattr(dialogues, "Lines", partial(Lines, most=1000))
    flood = "head -c 300000 /dev/zero; echo; echo after"
    async with begin(place, "sh", "-c", flood) as dialogue:
        assert await dialogue.read() == b"after"
    assert b"was left out" in read_log(place)


async def test_what_is_left_behind_and_holds_the_pipe_keeps_nobody_waiting(place):
    async with (
        asyncio.timeout(PATIENCE),
        begin(place, "sh", "-c", "setsid sleep 600 & echo said") as d,
    ):
        assert await d.read() == b"said"
        assert await d.read() == b""
    assert d.ended.exit_code == 0 and d.ended.killed == 1
    assert survivors(place) == []


async def test_a_command_that_floods_starves_nobody_and_fills_nothing(place):
    async with begin(place, "sh", "-c", "yes", grace=0.0) as dialogue:
        turns = 0

        async def others():
            nonlocal turns
            while turns < 100:
                turns += 1
                await asyncio.sleep(0)

        other = asyncio.ensure_future(others())
        while turns < 100:
            assert await dialogue.read() == b"y"
        await other
    assert survivors(place) == []


async def test_a_command_that_does_not_listen_is_ended_all_the_same(place):
    async with begin(place, "sleep", "600", grace=0.0) as dialogue:
        writing = asyncio.ensure_future(dialogue.write(b"x" * 1_000_000))
        await asyncio.wait({writing}, timeout=0.1)
        assert not writing.done()
        dialogue.kill()
        assert await dialogue.read() == b""
        with pytest.raises(BrokenPipeError):
            await writing
    assert dialogue.ended.exit_code is None


async def test_a_line_whose_writing_was_cancelled_does_not_mix_with_the_next(place):
    slow = (
        "import os, sys, time\n"
        "while not os.path.exists('go'): time.sleep(0.01)\n"
        "for line in sys.stdin: print(len(line) - 1, flush=True)\n"
    )
    async with begin(place, sys.executable, "-c", slow) as dialogue:
        writing = asyncio.ensure_future(dialogue.write(b"x" * 1_000_000))
        await asyncio.wait({writing}, timeout=0.1)
        writing.cancel()
        await asyncio.wait({writing})
        (place / "go").touch()
        await dialogue.write(b"next")
        assert [await dialogue.read(), await dialogue.read()] == [b"1000000", b"4"]


async def test_a_command_that_is_gone_hears_nothing(place):
    async with begin(place, "true") as dialogue:
        assert await dialogue.read() == b""
        with pytest.raises(BrokenPipeError):
            await dialogue.write(b"x" * 1_000_000)


async def test_a_program_that_is_not_there_is_said_before_and_one_that_cannot_start_after(place):
    with pytest.raises(ToolMissing, match="nobody was not found"):
        async with begin(place, "nobody"):
            pass
    (place / "broken").write_text("#!/nowhere/at/all\n")
    (place / "broken").chmod(0o755)
    with pytest.raises(ToolMissing, match="could not be started"):
        await leave_with(BrokenPipeError, begin(place, "./broken"))
    with pytest.raises(StoreUnwritable):
        async with talk(["true"], cwd=place, env={}, log=place / "tree.py" / "log"):
            pass


# Nothing survives


async def test_nothing_survives_the_end_of_a_talk(place):
    async with begin(place, sys.executable, "tree.py", "stay", grace=0.1):
        await until((place / "ready").exists)
        assert len(survivors(place)) == 4
    assert survivors(place) == []


async def test_nothing_survives_a_failure_and_no_grace_is_given(place):
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(ZeroDivisionError):
            await leave_with(
                ZeroDivisionError,
                begin(place, sys.executable, "tree.py", "stay", grace=PATIENCE * 10),
                (place / "ready").exists,
            )
    assert survivors(place) == []


@pytest.mark.parametrize("times", [1, 3])
async def test_nothing_survives_a_cancellation_and_it_is_counted(place, times):
    running = Running(place.parent / "running")

    async def listen():
        async with begin(place, sys.executable, "tree.py", "stay", running=running) as dialogue:
            await dialogue.read()

    job = asyncio.ensure_future(listen())
    await until((place / "ready").exists)
    assert [path.suffix for path in running.folder.iterdir()] == [".json"]
    for _ in range(times):
        job.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await job
    assert survivors(place) == [] and not running.folder.exists()
    assert running.stopped.ended == 4


async def test_nothing_survives_the_death_of_the_owner(place):
    owner = subprocess.Popen(  # noqa: ASYNC220 - killed below, and nothing else is to do meanwhile
        [sys.executable, "-c", OWNER, str(place)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    await until((place / "ready").exists)
    guardians = psutil.Process(owner.pid).children()
    owner.kill()
    owner.wait()
    await until(lambda: survivors(place) == [])
    await until(lambda: not any(guardian.is_running() for guardian in guardians))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_a_command_has_its_three_pipes_and_no_other_file(place):
    async with begin(place, "/bin/sh", "-c", "ls /proc/self/fd | tr '\\n' ' '; echo") as dialogue:
        assert (await dialogue.read()).split() == [b"0", b"1", b"2", b"3"]  # 3 is the listing's own


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_no_file_stays_open(place):
    async with begin(place, "cat"):
        pass
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        async with begin(place, "cat"):
            pass
    assert len(os.listdir("/proc/self/fd")) == before
