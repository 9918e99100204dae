"""`goalproof run` killed with SIGKILL: nothing survives it, and resumed it ends where it would have."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.integration.projects import ADD, a_project

COMMAND = [sys.executable, "-m", "goal_server", "--trust"]
DEADLINE = 60.0
"""Seconds that a condition may take to come true."""


def often(name: str, one: str) -> object:
    """One point is tried with every change, the others in the long form: `test_crashes` has each entry."""
    return pytest.param(name, marks=[] if name == one else [pytest.mark.long])


def a_held_project(tmp_path: Path) -> Path:
    """A project whose gate waits while the file `hold-gate` is there, beside it."""
    wait = f"while [ -e {tmp_path}/hold-gate ]; do sleep 0.02; done"
    gate = (
        '[[gate]]\nname = "tests"\nreport = "junit"\n'
        f"argv = ['sh', '-c', '{wait}; exec python3 run_tests.py --junit $0', '{{report}}']\n"
    )
    project = a_project(tmp_path / "project")
    (project / "goalproof.toml").write_text(gate, encoding="utf-8")  # not committed: trees agree
    first, second = (
        f"while [ -e {tmp_path}/hold-{name} ]; do sleep 0.02; done" for name in ("first", "second")
    )
    (project / "plan.toml").write_text(
        f"""
goal = "Make sums right in calc.py"
[[criterion]]
id = "adds"
text = "Sums are right"
evidence = "flips"
gate = "tests"
tests = ["{ADD}"]
[[task]]
id = "first"
title = "Fix the sum"
writes = ["calc.py"]
steps = [{{ run = ['sh', '-c', '{first}'] }},
         {{ replace = "calc.py", old = "a - b", new = "a + b" }}]
[[task]]
id = "second"
title = "Say so"
deps = ["first"]
writes = ["NEWS"]
steps = [{{ run = ['sh', '-c', '{second}'] }}, {{ write = "NEWS", content = "sums are right" }}]
""",
        encoding="utf-8",
    )
    return project


def wait_until(true: Callable[[], bool]) -> None:
    """Return as soon as `true` says so; the condition is what is waited for, not the time."""
    give_up = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < give_up, "it never came true"
        os.sched_yield()


def journal(project: Path) -> str:
    files = list(project.glob(".goalproof/goals/*/events.jsonl"))
    return files[0].read_text(encoding="utf-8") if files else ""


def start(project: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, "run", "--plan", str(project / "plan.toml"), "-C", str(project)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def finish(project: Path, verb: str) -> dict[str, object]:
    done = subprocess.run(
        [*COMMAND, "--json", verb, "latest", "-C", str(project)],
        capture_output=True,
        check=False,
        timeout=DEADLINE,
    )
    shown: dict[str, object] = json.loads(done.stdout)
    return shown


def survivors(tmp_path: Path) -> list[int]:
    """Processes that work in this test's workspaces, or wait for its files."""
    state = os.environ["GOALPROOF_STATE_DIR"]
    found = []
    for process in psutil.process_iter(["cwd", "cmdline"]):
        words = " ".join(process.info["cmdline"] or [])
        if str(tmp_path) in words or (process.info["cwd"] or "").startswith(state):
            found.append(process.pid)
    return found


def in_first_task(project: Path) -> bool:
    return '"task.started"' in journal(project)


def in_second_task(project: Path) -> bool:
    return journal(project).count('"task.started"') == 2


def in_proving_gate(project: Path) -> bool:
    return '"verification.started"' in journal(project)


POINTS = {
    "first": (("hold-first",), in_first_task, {"first": 2, "second": 1}),
    "second": (("hold-second",), in_second_task, {"first": 1, "second": 2}),
    "gate": (("hold-second", "hold-gate"), in_proving_gate, {"first": 1, "second": 1}),
}


@pytest.mark.parametrize("point", [often(name, "second") for name in POINTS])
def test_killed_and_resumed_it_ends_with_the_same_tree_and_verdict(
    tmp_path: Path, point: str
) -> None:
    reference = tmp_path / "reference"
    reference.mkdir()
    whole = a_held_project(reference)
    assert start(whole).wait(DEADLINE) == 0
    expected = finish(whole, "show")

    held, reached, attempts = POINTS[point]
    project = a_held_project(tmp_path)
    (tmp_path / held[0]).touch()
    runner = start(project)
    if len(held) > 1:
        # the gate may only be held once the baseline is through it
        wait_until(lambda: in_second_task(project))
        (tmp_path / held[1]).touch()
        (tmp_path / held[0]).unlink()
    wait_until(lambda: reached(project))
    runner.send_signal(signal.SIGKILL)
    runner.wait(DEADLINE)
    wait_until(lambda: survivors(tmp_path) == [])
    for name in held:
        (tmp_path / name).unlink(missing_ok=True)

    seen = finish(project, "show")
    assert seen["status"] == "paused"
    resumed = finish(project, "resume")
    assert resumed["status"] == expected["status"] == "ready"
    assert resumed["tree"] == expected["tree"]
    states = [[c["state"] for c in goal["criteria"]] for goal in (resumed, expected)]  # type: ignore[attr-defined]
    assert states[0] == states[1]
    assert {t["id"]: t["attempts"] for t in resumed["tasks"]} == attempts  # type: ignore[attr-defined]


AGENT = """
import pathlib, sys, time
folder = pathlib.Path({folder!r})
prompt = sys.stdin.read()
calc = pathlib.Path("calc.py")
if "is not enough" not in prompt:
    calc.write_text(calc.read_text().replace("a - b", "b - a"))
else:
    while (folder / "hold-repair").exists():
        time.sleep(0.02)
    calc.write_text(calc.read_text().replace("b - a", "a + b"))
"""


def a_project_to_repair(tmp_path: Path) -> Path:
    """The held project, worked on by an agent whose first result is red."""
    project = a_held_project(tmp_path)
    (tmp_path / "agent.py").write_text(AGENT.format(folder=str(tmp_path)), encoding="utf-8")
    command = json.dumps([sys.executable, "-IS", str(tmp_path / "agent.py")])
    (project / "plan.toml").write_text(
        'goal = "Make sums right in calc.py"\n'
        f'[[criterion]]\nid = "adds"\ntext = "Sums"\nevidence = "flips"\ngate = "tests"\ntests = ["{ADD}"]\n'
        '[[task]]\nid = "fix"\ntitle = "Fix the sum"\nwrites = ["calc.py"]\nworker = "cli"\n'
        f"command = {command}\n",
        encoding="utf-8",
    )
    return project


def in_repair(project: Path) -> bool:
    return journal(project).count('"task.started"') == 2


def in_gate_of_repair(project: Path) -> bool:
    return journal(project).count('"verification.started"') == 2


REPAIRS = {
    "repair": (("hold-repair",), in_repair, {"fix": 1, "repair-1": 2}),
    "gate of the repair": (
        ("hold-repair", "hold-gate"),
        in_gate_of_repair,
        {"fix": 1, "repair-1": 1},
    ),
}


@pytest.mark.parametrize("point", [often(name, "gate of the repair") for name in REPAIRS])
def test_killed_while_it_is_repaired_it_repeats_nothing(tmp_path: Path, point: str) -> None:
    held, reached, attempts = REPAIRS[point]
    project = a_project_to_repair(tmp_path)
    (tmp_path / held[0]).touch()
    runner = start(project)
    wait_until(lambda: in_repair(project))
    if len(held) > 1:
        (tmp_path / held[1]).touch()
        (tmp_path / held[0]).unlink()
    wait_until(lambda: reached(project))
    runner.send_signal(signal.SIGKILL)
    runner.wait(DEADLINE)
    wait_until(lambda: survivors(tmp_path) == [])
    for name in held:
        (tmp_path / name).unlink(missing_ok=True)
    why = finish(project, "diagnose")
    assert why["status"] == "paused" and "went away without a word" in str(why["why"])
    resumed = finish(project, "resume")
    assert resumed["status"] == "ready", resumed["reasons"]
    assert {t["id"]: t["attempts"] for t in resumed["tasks"]} == attempts  # type: ignore[attr-defined]
    assert journal(project).count('"repair.planned"') == 1
    assert journal(project).count('"round.weighed"') == 1
