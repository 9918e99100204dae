"""What a proof weighs, and what it costs to check its signature."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from goal_engine.document import GoalPlan, parse_plan
from goal_engine.engine import Engine
from goal_engine.lifecycle import execute_goal
from goal_engine.planner import CreateGoalOptions, create_goal
from goal_engine.proof.envelope import check_envelope
from goal_engine.queries import resolve_goal_proof
from goal_engine.types import GoalStatus
from goal_engine.verifier.bundle import ENVELOPE, PUBLIC_KEY, read_bundle
from tests.bench.table import Row
from tests.integration.projects import CRITERIA, FIX, a_project

TASKS = 50
CHECKS = 200


def measure_proof() -> Iterator[Row]:
    """Prove a goal of fifty tasks, weigh its bundle and check its signature often."""
    with TemporaryDirectory(prefix="goalproof-bench-") as name:
        os.environ["GOALPROOF_STATE_DIR"] = str(Path(name) / "state")
        bundle = asyncio.run(prove(a_project(Path(name) / "project")))
        sizes = {path: path.stat().st_size for path in bundle.rglob("*") if path.is_file()}
        kept = {path.name: size for path, size in sizes.items() if path.parent == bundle}
        biggest = sorted(kept.items(), key=lambda item: -item[1])[:3]
        note = ", ".join(f"{file} {size / 1024:.1f}" for file, size in biggest)
        yield Row(f"proof of {TASKS} tasks, no logs", sum(kept.values()) / 1024, None, "KiB", note)
        envelope, key = (bundle / ENVELOPE).read_bytes(), (bundle / PUBLIC_KEY).read_bytes()
        check_envelope(envelope, key)  # imports
        began = perf_counter()
        for _ in range(CHECKS):
            check_envelope(envelope, key)
        took = 1000 * (perf_counter() - began) / CHECKS
        began = perf_counter()
        read_bundle(bundle)
        whole = 1000 * (perf_counter() - began)
        yield Row("signature check", took, None, "ms", f"of {whole:.1f} ms for the whole bundle")


async def prove(project: Path) -> Path:
    """Return the bundle of a ready goal."""
    engine = Engine.open(project)
    try:
        plan = a_plan()
        choice = await engine.choose_gates()
        options = CreateGoalOptions(gates=choice.specs, plan=plan)
        state = await create_goal(engine.ports, plan.goal, options)
        state = await execute_goal(engine.ports, state.goal_id)
        if state.status is not GoalStatus.READY:
            raise RuntimeError(f"the goal is {state.status}: {state.judgement}")
        return await resolve_goal_proof(engine.ports, state.goal_id)
    finally:
        engine.close()


def a_plan() -> GoalPlan:
    """Return a plan of independent tasks, a file each."""
    tasks = [f'[[task]]\nid = "t0"\ntitle = "Fix it"\nwrites = ["calc.py"]\nsteps = [{FIX}]\n']
    tasks += (
        f'[[task]]\nid = "t{number}"\ntitle = "Write {number}"\nwrites = ["new{number}.py"]\n'
        f'steps = [{{ write = "new{number}.py", content = "x = {number}\\n" }}]\n'
        for number in range(1, TASKS)
    )
    text = f'goal = "Make sums right in calc.py"\nkind = "fix"\n{CRITERIA}\n{"".join(tasks)}'
    return parse_plan(text, "plan.toml")
