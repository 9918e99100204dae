"""What making a workspace ready costs, part by part, as goals themselves record it."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from goal_engine.engine import Engine
from goal_engine.lifecycle import execute_goal
from goal_engine.planner import CreateGoalOptions, create_goal
from goal_engine.runtime.port_ranges import lease_ports
from goal_engine.seeding import say_bytes
from goal_engine.state.model import GoalState
from goal_engine.types import GoalStatus
from tests.bench.table import Row
from tests.integration.projects import FIX, GATE, a_plan, a_project

FILES, SIZE, PER_FOLDER = 4_000, 5_000, 50
"""Of `node_modules`, and of what is set up."""
INSTALL = f"""
import hashlib
from pathlib import Path

for number in range({FILES}):
    folder = Path("installed") / str(number // {PER_FOLDER})
    folder.mkdir(parents=True, exist_ok=True)
    data = hashlib.pbkdf2_hmac("sha256", str(number).encode(), b"", 1000) * {SIZE // 32}
    (folder / str(number)).write_bytes(data)
"""
"""Stands for an installer: it reckons for each file about as long as one takes to unpack."""
SETUP = '[workspace]\nsetup = [["python3", "install.py"]]\n'


def measure_seeding() -> Iterator[Row]:
    """Take a goal to its end in a project with packages that are copied, and others that are set up."""
    with TemporaryDirectory(prefix="goalproof-bench-") as name:
        os.environ["GOALPROOF_STATE_DIR"] = str(Path(name) / "state")
        files = {"install.py": INSTALL, "goalproof.toml": GATE + SETUP, "package.json": "{}"}
        ignored = {".gitignore": "node_modules\ninstalled\n"}
        project = a_project(Path(name) / "project", **files, **ignored)
        for number in range(FILES):
            folder = project / "node_modules" / str(number // PER_FOLDER)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number}.js").write_bytes(os.urandom(SIZE))
        state = asyncio.run(pursue(project))
        found = collect(state)
        copied = f"{FILES} files, {say_bytes(FILES * SIZE)}"
        yield Row("workspace: its files", median(found["files", ""]), 150, "ms")
        yield Row("workspace: view of Python", median(found["python", ""]), 250, "ms")
        how = "shared" if found["node_modules", "shared"] else ""
        yield Row("workspace: node_modules", median(found["node_modules", how]), None, "ms", copied)
        ran, kept = (median(found["set-up", how]) for how in ("ran", "kept"))
        said = f"{kept:.0f} ms instead of {ran:.0f}; {copied}, each held against its digest"
        yield Row("set-up that was kept, beside one that ran", kept / ran, 0.5, "x", said)
        yield Row("ports for a workspace", time_lease(Path(name) / "ports"), 5, "ms")


async def pursue(project: Path) -> GoalState:
    """Return the goal at its end."""
    engine = Engine.open(project)
    try:
        choice, plan = await engine.choose_gates(), a_plan(FIX)
        options = CreateGoalOptions(gates=choice.specs, plan=plan, setup=choice.setup)
        state = await create_goal(engine.ports, plan.goal, options)
        state = await execute_goal(engine.ports, state.goal_id)
    finally:
        engine.close()
    if state.status is not GoalStatus.READY:
        raise RuntimeError(f"the goal ended {state.status}: {state.blocked or state.judgement}")
    return state


def collect(state: GoalState) -> dict[tuple[str, str], list[int]]:
    """Return the milliseconds of each part, by how it was made."""
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    costs = [run.seeding for run in state.gates_run.values()]
    costs += [task.seeding for task in state.tasks.values()]
    for part in (part for seeding in costs for part in seeding):
        found[part.part, part.how].append(part.ms)
    return found


def time_lease(folder: Path) -> float:
    """Return the median ms to set a range of ports aside."""
    took = []
    for number in range(20):
        begun = perf_counter()
        with lease_ports(folder, str(number)):
            took.append((perf_counter() - begun) * 1000)
    return median(took)
