"""A gate that uses more than it may is ended as a whole, and the limit is named; runs are bounded."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from goal_engine.engine import Engine
from goal_engine.proof.gate import LIMITS, OUTPUT, GateOutcome, GateStage
from goal_engine.runtime import guardian
from goal_engine.runtime.process import Finished, clean_environment, run_process
from goal_engine.state import events as e
from goal_engine.types import GoalStatus
from goal_engine.verifier.run import find_broken_limit, quote_last
from tests.builders import a_gate
from tests.integration.projects import FIX, GATE, a_plan, a_project, run

GREEDY = {
    "memory": "waste = bytearray(400 << 20); import signal; signal.pause()",
    "cpu": "while True: pass",
    "processes": "import os, signal\nfor _ in range(9): os.fork() or signal.pause()\nsignal.pause()",
    "output": "while True: print('x' * 1000)",
}
MOST = {"memory": 100, "cpu": 1, "processes": 4, "output": 1}
SHARED = {
    "cpu": "import os\nfor _ in range(4): os.fork()\nwhile True: pass",
    "memory": "import os, signal\nfor _ in range(4): os.fork() or [bytearray(60 << 20), signal.pause()]\nsignal.pause()",
}
"""Each process alone stays below the limit for a while; together they do not."""


async def ended(folder: Path, code: str, **limits: int) -> Finished:
    return await run_process(
        [sys.executable, "-c", code],
        cwd=folder,
        env=clean_environment(),
        log=folder / "log",
        timeout=60,
        limits=limits,
    )


@pytest.mark.parametrize("name", GREEDY)
async def test_what_uses_too_much_is_ended_and_the_limit_named(name: str, tmp_path: Path) -> None:
    done = await ended(tmp_path, GREEDY[name], **{name: MOST[name]})
    assert (done.exceeded, done.exit_code, done.timed_out) == (name, None, False)


@pytest.mark.parametrize("name", SHARED)
async def test_what_a_tree_of_processes_uses_is_added_up(name: str, tmp_path: Path) -> None:
    done = await ended(tmp_path, SHARED[name], **{name: MOST[name]})
    assert done.exceeded == name and done.killed >= 3


async def test_who_stays_below_every_limit_ends_by_itself(tmp_path: Path) -> None:
    limits = {"memory": 2000, "cpu": 60, "processes": 50, "files": 64, "output": 10}
    done = await ended(tmp_path, "print('well')", **limits)
    assert (done.exit_code, done.exceeded) == (0, "")
    assert (tmp_path / "log").read_text() == "well\n"


async def test_files_and_core_dumps_are_held_by_the_system(tmp_path: Path) -> None:
    code = (
        "import resource as r; print(r.getrlimit(r.RLIMIT_NOFILE), r.getrlimit(r.RLIMIT_CORE))\n"
        "opened = [open('/dev/null') for _ in range(100)]"
    )
    done = await ended(tmp_path, code, files=32)
    log = (tmp_path / "log").read_bytes()
    assert b"(32, 32) (0, 0)\n" in log and done.exit_code == 1
    spec = a_gate(files=32)
    assert find_broken_limit(spec, done, log) == "it ran into `files = 32`"
    assert find_broken_limit(a_gate(), done, log) == ""


def test_every_limit_of_a_gate_is_known_to_the_guardian() -> None:
    assert {*GREEDY, "files"} == set(LIMITS)
    assert a_gate(cpu=3).limits == {"output": OUTPUT, "cpu": 3}
    done = Finished(None, False, 1, 1, False, 0, "memory")
    assert find_broken_limit(a_gate(memory=5), done, b"") == (
        "it was killed: it used more than `memory = 5` (MiB)"
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0:01.50", 1.5), ("12:00", 720), ("01:00:02", 3602), ("2-00:00:01", 172801)],
)
def test_the_time_that_ps_prints_is_read(text: str, seconds: float) -> None:
    assert guardian.parse_time(text) == seconds


def test_ps_and_proc_see_the_same_processes() -> None:
    proc, ps = guardian.read_proc_usage(), guardian.read_ps_usage()
    mine = guardian.os.getpid()
    assert proc[mine][0] == ps[mine][0] and abs(proc[mine][1] - ps[mine][1]) < (50 << 20)


def test_the_last_line_says_what_it_was_at() -> None:
    assert quote_last(b"one\n\ntest_slow ... \n\n") == "it last said: test_slow ..."
    assert quote_last(b"") == "it had said nothing"


STUCK = """
[[gate]]
name = "stuck"
argv = ["python3", "-u", "-c", "import signal; print('test_network ...'); signal.pause()"]
timeout = 0.5
required = false
"""
HUNGRY = """
[[gate]]
name = "hungry"
argv = ["python3", "-u", "-c", "print('loading'); waste = bytearray(300 << 20); import signal; signal.pause()"]
memory = 100
required = false
"""


async def test_a_gate_that_is_ended_says_why_and_what_it_was_at(tmp_path: Path) -> None:
    project = a_project(tmp_path / "project", **{"goalproof.toml": GATE + STUCK + HUNGRY})
    engine = Engine.open(project)
    try:
        state = await run(engine, a_plan(FIX))
        said = {
            name: state.find_run(GateStage.PROVING, state.tree or "", name)
            for name in ("stuck", "hungry")
        }
        logs = {
            name: await engine.ports.store.read_object(one.result.log or "")
            for name, one in said.items()
            if one
        }
    finally:
        engine.close()
    assert state.status is GoalStatus.READY
    stuck, hungry = (one.result for one in said.values() if one)
    assert stuck.outcome is GateOutcome.TIMEOUT
    assert stuck.message == "it was killed after 0.5 s; it last said: test_network ..."
    assert hungry.outcome is GateOutcome.ERROR
    assert hungry.message == (
        "it was killed: it used more than `memory = 100` (MiB); it last said: loading"
    )
    assert logs == {"stuck": b"test_network ...\n", "hungry": b"loading\n"}


def a_user_of(database: Path, name: str, more: str) -> str:
    code = (
        f"import os; os.mkdir({str(database)!r}); [sum(range(10**6)) for _ in range(5)];"
        f" os.rmdir({str(database)!r})"
    )
    return f'[[gate]]\nname = "{name}"\nargv = ["python3", "-c", "{code}"]\n{more}\n'


@pytest.mark.parametrize("more", ['group = "db"', "parallel = false"])
async def test_gates_of_a_group_never_run_at_the_same_time(more: str, tmp_path: Path) -> None:
    """Each makes the same folder, which fails for whoever is not alone."""
    gates = GATE + "".join(a_user_of(tmp_path / "db", f"g{n}", more) for n in range(4))
    project = a_project(tmp_path / "project", **{"goalproof.toml": gates})
    engine = Engine.open(project)
    begun: list[str] = []
    engine.subscribe(
        lambda state, entry: begun.extend(
            one.gate for one in entry.events if isinstance(one, e.GateStarted)
        )
    )
    try:
        state = await run(engine, a_plan(FIX))
    finally:
        engine.close()
    assert state.status is GoalStatus.READY, state.judgement and state.judgement.reasons
    assert {f"g{n}" for n in range(4)} < set(begun)
    assert state.gates_running == ()
