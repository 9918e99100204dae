"""What the protocol costs: a command that does nothing, a loop beside busy workers, progress."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from time import perf_counter

import psutil

from tests.bench.journal import write_goals
from tests.bench.start import STOCK
from tests.bench.table import Row
from tests.e2e.wire import Wire, running
from tests.integration.projects import a_project

ROUND, ROUNDS = 200, 8
WORKERS = 4
GOALS = 10_000
FLOOD = "i=0; while [ $i -lt 60 ]; do head -c 1000000 /dev/zero | tr '\\0' x; i=$((i+1)); done"
"""60 MB of output from each worker."""
PLAN = """
goal = "Four workers that talk"
kind = "chore"
[[criterion]]
id = "kept"
text = "Nothing else breaks"
evidence = "holds"
gate = "tests"
"""
RUN = {"plan": "plan.toml", "maxAgents": WORKERS}


def measure_commands() -> Iterator[Row]:
    """Compare a command that does nothing with the same of stock pygls, in turns."""
    ours: list[float] = []
    stock: list[float] = []
    with ExitStack() as stack:
        served = stack.enter_context(running((sys.executable, "-m", "tests.bench.noop_server")))
        compared = stack.enter_context(running(STOCK))
        for wire in (served, compared):
            wire.open()
            time_commands(wire, ROUND)
        for _ in range(ROUNDS):
            ours += time_commands(served, ROUND)
            stock += time_commands(compared, ROUND)
    for percent, budget in ((50, 1.5), (99, 1.5)):
        mine, theirs = percentile(ours, percent), percentile(stock, percent)
        note = f"{mine:.2f} ms against {theirs:.2f} ms, {len(ours)} each in turns"
        yield Row(f"no-op command p{percent} / stock pygls", mine / theirs, budget, "×", note)


def time_commands(wire: Wire, number: int) -> list[float]:
    """Return the ms that each of some commands took."""
    taken = []
    for _ in range(number):
        begun = perf_counter()
        wire.command("bench.noop")
        taken.append((perf_counter() - begun) * 1000)
    return taken


def measure_stalls() -> Iterator[Row]:
    """Measure how long the loop is away while four workers flood their output, and progress."""
    with a_client(FLOOD) as wire:
        goal = wire.command("goal.run", RUN)["result"]["id"]
        waiting = wire.ask("goal/wait", {"goal": goal})
        stalls: list[float] = []
        while not wire.answers(waiting):
            begun = perf_counter()
            wire.call("textDocument/codeLens", {"textDocument": {"uri": "untitled:x"}})
            stalls.append((perf_counter() - begun) * 1000)
    note = (
        f"{len(stalls)} round trips while {WORKERS} workers wrote 60 MB each, "
        f"p50 {percentile(stalls, 50):.2f}, worst {max(stalls):.0f} ms"
    )
    yield Row("loop stall p99 beside a flood", percentile(stalls, 99), 50, "ms", note)


def measure_coalescing() -> Iterator[Row]:
    """Count the snapshots of a goal with many small tasks: those there were and those sent."""
    with a_client("true", tasks=24) as wire:
        goal = wire.command("goal.run", RUN)["result"]["id"]
        wire.call("goal/wait", {"goal": goal})
        wire.call("shutdown")
        told = [params for params in wire.said("goal/progress") if params["goalId"] == goal]
    offered, note = (
        told[-1]["rev"],
        f"{told[-1]['rev']} changes, {len(told)} sent, the last one too",
    )
    yield Row("progress sent / offered", len(told) / offered, 1, "×", note)


def measure_shutdown() -> Iterator[Row]:
    """Measure how soon `shutdown` is answered while a goal with four workers runs."""
    with a_client("exec sleep 600") as wire:
        assert "result" in wire.command("goal.run", RUN)
        while count_sleepers(wire) < WORKERS:
            wire.command("goal.agents")
        begun = perf_counter()
        wire.call("shutdown")
        answered = (perf_counter() - begun) * 1000
        wire.send("exit")
        wire.leave()
        gone = (perf_counter() - begun) * 1000
    note = f"{WORKERS} workers at work; all is paused and the process gone after {gone:.0f} ms"
    yield Row("shutdown answered", answered, 500, "ms", note)


def measure_memory() -> Iterator[Row]:
    """Measure what a server has in memory that was asked for a list of many goals."""
    with TemporaryDirectory(prefix="goalproof-bench-", dir=Path.cwd()) as folder:
        project = a_project(Path(folder) / "project")
        environment = os.environ | {"GOALPROOF_STATE_DIR": str(Path(folder) / "state")}
        with running(environment=environment) as wire:
            wire.open(project)
            before = read_rss(wire)
            write_goals(project / ".goalproof", GOALS)
            listed = wire.done("goal.list")["goals"]
            listed_once = read_rss(wire)
            for _ in range(3):
                wire.done("goal.list")
            rss = read_rss(wire)
    if len(listed) != GOALS:
        raise RuntimeError(f"{len(listed)} of {GOALS} goals were listed")
    note = f"listed four times; {before:.0f} MB without goals, {listed_once:.0f} MB after the first"
    yield Row(f"RSS of a server with {GOALS // 1000}k goals", rss, 120, "MB", note)


def read_rss(wire: Wire) -> float:
    """Return what a server has in memory, in MB."""
    rss: int = psutil.Process(wire.process.pid).memory_info().rss
    return rss / 1e6


@contextmanager
def a_client(script: str, tasks: int = WORKERS) -> Iterator[Wire]:
    """Open a project with a plan in which workers run a shell script, side by side."""
    with TemporaryDirectory() as folder:
        project = a_project(Path(folder) / "project")
        plan = PLAN + "".join(render_task(number, script) for number in range(tasks))
        (project / "plan.toml").write_text(plan)
        environment = os.environ | {"GOALPROOF_STATE_DIR": str(Path(folder) / "state")}
        with running(environment=environment) as wire:
            wire.open(project)
            wire.approve()
            yield wire


def render_task(number: int, script: str) -> str:
    """Return a task whose worker runs a shell script."""
    return f"""
[[task]]
id = "task-{number}"
title = "Talk"
writes = ["out-{number}.txt"]
steps = [
  {{ run = {json.dumps(["sh", "-c", script])} }},
  {{ write = "out-{number}.txt", content = "done" }},
]
"""


def count_sleepers(wire: Wire) -> int:
    """Return how many processes of the server's sleep."""
    count = 0
    for process in psutil.Process(wire.process.pid).children(recursive=True):
        with suppress(psutil.Error):
            count += process.name() == "sleep"
    return count


def percentile(figures: list[float], percent: int) -> float:
    """Return a percentile of some figures."""
    return quantiles(figures, n=100)[percent - 1]
