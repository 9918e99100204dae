"""What it costs to be sure of a gate: reruns where it is green, and a baseline that is remembered."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from goal_engine.engine import Engine
from goal_engine.proof.gate import GateStage
from goal_engine.state import events as e
from goal_engine.state.model import GoalState
from tests.bench.table import Row
from tests.integration.projects import FIX, GATE, a_plan, a_project, run

SLOW = """
[[gate]]
name = "slow"
argv = ["python3", "-c", "import threading; threading.Event().wait(2)"]
"""


def measure_gates() -> Iterator[Row]:
    """Take the same goal to its end twice, with a gate of two seconds that is always green."""
    with TemporaryDirectory(prefix="goalproof-bench-") as name:
        os.environ["GOALPROOF_STATE_DIR"] = str(Path(name) / "state")
        project = a_project(Path(name) / "project", **{"goalproof.toml": GATE + SLOW})
        (first, state), (second, again) = asyncio.run(time_baselines(project))
    note = (
        f"the first goal on this base waited {first:.0f} ms, {2000} of them for a gate that sleeps"
    )
    yield Row("baseline of the next goal on a base", second / first, 0.5, "x", note)
    green = [run.result for run in state.gates_run.values() if run.result.gate == "slow"]
    runs = sum(result.runs for result in green) / len(green)
    yield Row("runs of a gate that is green and flips nothing", runs, 1, "runs")
    bound = state.find_run(GateStage.PROVING, state.tree or "", "tests")
    said = "one to confirm what flips; `confirm` in goalproof.toml"
    yield Row(
        "proving runs of a gate that flips", bound.result.runs if bound else 0, 2, "runs", said
    )
    if not all(
        run.result.cached for run in again.gates_run.values() if is_baseline(run.result.stage)
    ):
        raise RuntimeError("the second goal did not remember what the first one saw")


def is_baseline(stage: GateStage) -> bool:
    """Whether a run was made before any work."""
    return stage is GateStage.BASELINE


async def time_baselines(project: Path) -> list[tuple[float, GoalState]]:
    """Return the ms from the start of each of two goals to its first task, and the goals."""
    marks: list[float] = []

    def hear(_: GoalState, entry: e.JournalEntry) -> None:
        if isinstance(entry.events[0], e.GoalStarted | e.TaskStarted):
            marks.append(perf_counter())

    engine = Engine.open(project)
    engine.subscribe(hear)
    try:
        goals = [await run(engine, a_plan(FIX)) for _ in range(2)]
    finally:
        engine.close()
    return [(1000 * (marks[2 * n + 1] - marks[2 * n]), goal) for n, goal in enumerate(goals)]
