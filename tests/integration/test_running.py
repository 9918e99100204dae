"""Records of what runs: who comes after a crash ends what they name, and never a stranger (D14)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import psutil
import pytest

from goal_engine.errors import StoreUnwritable
from goal_engine.runtime import running
from goal_engine.runtime.owner import Identity, identify
from goal_engine.runtime.running import (
    MARK,
    Ended,
    Running,
    end_recorded,
    find_runner,
    is_stopped,
)

ROOT = Path(__file__).parents[2]
SLEEP = ["sleep", "600"]
ANOTHER = "b" * 32


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that no record may end."""
    with subprocess.Popen(SLEEP) as process:
        yield process
        process.kill()


def write_record(folder: Path, identity: Identity, mark: str = ANOTHER) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{mark}.json").write_text(json.dumps(asdict(identity)), encoding="ascii")


def identity_of(process: subprocess.Popen[bytes]) -> Identity:
    found = identify(process.pid)
    assert found is not None
    return found


def test_a_process_is_identified_while_it_lives(stranger: subprocess.Popen[bytes]) -> None:
    assert identity_of(stranger) == identity_of(stranger)
    assert identity_of(stranger) != identify(os.getpid())
    stranger.kill()
    stranger.wait()
    assert identify(stranger.pid) is None


def test_a_recorded_process_is_ended_with_all_below_it(tmp_path: Path) -> None:
    with subprocess.Popen(["sh", "-c", "sleep 600 & wait"], start_new_session=True) as leader:
        below = psutil.Process(leader.pid)
        while not below.children():
            os.sched_yield()
        write_record(tmp_path / "records", identity_of(leader))
        assert end_recorded(tmp_path / "records").ended == 2
        assert leader.wait() != 0
    assert not (tmp_path / "records").exists()


@pytest.mark.parametrize("other", [{"boot": "another"}, {"start": 1}])
def test_a_number_that_was_used_again_is_nobody(
    tmp_path: Path, stranger: subprocess.Popen[bytes], other: dict[str, object]
) -> None:
    write_record(tmp_path / "records", replace(identity_of(stranger), **other))
    assert end_recorded(tmp_path / "records") == Ended()
    assert stranger.poll() is None
    assert not (tmp_path / "records").exists()


@pytest.mark.parametrize("text", ["", "{", '{"pid": 1}', "[]", "1"])
def test_a_record_that_was_not_written_to_its_end_names_nobody(tmp_path: Path, text: str) -> None:
    (tmp_path / f"{ANOTHER}.json").write_text(text)
    assert end_recorded(tmp_path) == Ended()


def test_what_carries_the_mark_is_ended_and_nobody_else(
    tmp_path: Path, stranger: subprocess.Popen[bytes]
) -> None:
    marks = ["c" * 32, "d" * 32]
    marked = [subprocess.Popen(SLEEP, env={**os.environ, MARK: mark}) for mark in marks]
    dead = Identity("another", stranger.pid, 1)
    write_record(tmp_path / "records", dead, marks[0])
    try:
        assert end_recorded(tmp_path / "records") == Ended(1, 0)
        assert marked[0].wait() == -9
        assert marked[1].poll() is None and stranger.poll() is None
    finally:
        for process in marked:
            process.kill()
            process.wait()


def test_a_record_stands_as_long_as_its_process_is_watched(tmp_path: Path) -> None:
    folder = tmp_path / "goal"
    with Running(folder).recorded(os.getpid(), ANOTHER):
        assert json.loads((folder / f"{ANOTHER}.json").read_text())["pid"] == os.getpid()
    assert not folder.exists()


def test_nothing_runs_that_cannot_be_recorded(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnwritable), Running(tmp_path / "file").recorded(os.getpid(), ANOTHER):
        raise AssertionError("it was let in")


def test_the_runner_is_named_while_it_lives_and_never_ended(tmp_path: Path) -> None:
    with Running(tmp_path / "goal").as_runner():
        assert find_runner(tmp_path / "goal") == identify(os.getpid())
        assert end_recorded(tmp_path / "goal") == Ended()
    assert find_runner(tmp_path / "goal") is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_stopped_process_is_told_from_one_that_works(stranger: subprocess.Popen[bytes]) -> None:
    who = identity_of(stranger)
    assert not is_stopped(who)
    psutil.Process(stranger.pid).suspend()
    while not is_stopped(who):
        os.sched_yield()
    assert not is_stopped(replace(who, start=1))


REUSED = """
import json, os, subprocess, sys, time
from dataclasses import asdict
from pathlib import Path
from goal_engine.runtime.owner import identify
from goal_engine.runtime.running import end_recorded

first = subprocess.Popen(["sleep", "600"])
who = identify(first.pid)
folder = Path(sys.argv[1])
(folder / ("e" * 32 + ".json")).write_text(json.dumps(asdict(who)))
first.kill()
first.wait()
tick = os.sysconf("SC_CLK_TCK")
while time.clock_gettime(time.CLOCK_BOOTTIME) * tick < who.start + 2:
    os.sched_yield()  # nobody uses up all numbers within the unit that starts are told in
Path("/proc/sys/kernel/ns_last_pid").write_text(str(first.pid - 1))
second = subprocess.Popen(["sleep", "600"])
same = [first.pid == second.pid, who == identify(second.pid)]
print(json.dumps([*same, end_recorded(folder).ended, second.poll()]))
second.kill()
"""


@pytest.mark.one_python
@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root may choose the next number"
)
def test_a_number_that_the_system_really_used_again_is_nobody(tmp_path: Path) -> None:
    done = subprocess.run(
        ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", REUSED, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == [True, False, 0, None]


MUTANTS = {
    "the number is enough": lambda a, b: a is not None and b is not None and a.pid == b.pid,
    "the boot does not matter": lambda a, b: (a.pid, a.start) == (b.pid, b.start) if b else False,
}


@pytest.mark.parametrize(
    ("mutant", "other"),
    [("the number is enough", {"start": 1}), ("the boot does not matter", {"boot": "another"})],
)
def test_an_identity_with_a_mistake_ends_a_stranger(
    tmp_path: Path,
    stranger: subprocess.Popen[bytes],
    mutant: str,
    other: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorded = replace(identity_of(stranger), **other)
    same = MUTANTS[mutant]

    class Mistaken(Identity):
        def __eq__(self, with_: object) -> bool:
            return bool(same(self, with_))

        def __hash__(self) -> int:
            return self.pid

    monkeypatch.setattr(running, "Identity", Mistaken)
    write_record(tmp_path / "records", recorded)
    assert end_recorded(tmp_path / "records").ended == 1
    assert stranger.wait() == -9
