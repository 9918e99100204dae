"""What a proof weighs, and what it costs to check it, to run it again and to take its hunks away."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from goal_engine.document import GoalPlan, parse_plan
from goal_engine.engine import Engine
from goal_engine.hunks import try_hunks
from goal_engine.lifecycle import execute_goal
from goal_engine.planner import CreateGoalOptions, create_goal
from goal_engine.proof.envelope import check_envelope
from goal_engine.queries import resolve_goal_proof
from goal_engine.reverify import ReverifyOutcome, verify_proof
from goal_engine.types import GoalStatus
from goal_engine.verifier.bundle import ENVELOPE, PUBLIC_KEY, read_bundle
from tests.bench.table import Row
from tests.integration.projects import CALC, CRITERIA, FIX, a_project

TASKS = 50
HUNKS = 12
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
        yield asyncio.run(measure_again(Path(name) / "project", bundle))
        marks = "".join(f"# {number}\nm{number} = 1\n" for number in range(HUNKS))
        other = a_project(Path(name) / "hunks", **{"calc.py": CALC + marks})
        yield asyncio.run(measure_hunks(other))


async def measure_again(project: Path, bundle: Path) -> Row:
    """Run a proof again and compare with what its gates took when it was made."""
    proof, _ = read_bundle(bundle)
    own = sum(run.duration_ms for run in proof.runs if not run.message.startswith("same tree"))
    began = perf_counter()
    found = await verify_proof(bundle, project)
    took = 1000 * (perf_counter() - began)
    if found.outcome is not ReverifyOutcome.REPRODUCED:
        raise RuntimeError(f"the proof is {found.outcome}: {found.differences or found.missing}")
    note = f"{took / 1000:.1f} s for gates of {own / 1000:.1f} s, one after the other"
    return Row("re-execution over the gates' own time", took / max(own, 1), None, "×", note)


async def measure_hunks(project: Path) -> Row:
    """Take each of many hunks away, the gates' own time in as many lanes as they had not counted."""
    engine = Engine.open(project)
    try:
        choice = await engine.choose_gates()
        options = CreateGoalOptions(gates=choice.specs, plan=parse_plan(many_hunks(), "plan.toml"))
        state = await create_goal(engine.ports, options.plan.goal if options.plan else "", options)
        state = await execute_goal(engine.ports, state.goal_id)
        gate = max(run.result.duration_ms for run in state.gates_run.values())
        began = perf_counter()
        state = await try_hunks(engine.ports, state.goal_id)
        took = 1000 * (perf_counter() - began)
    finally:
        engine.close()
    assert state.hunks is not None
    number = sum(state.hunks.count.values())
    lanes = max(2, os.cpu_count() or 1)
    over = took / number - gate / lanes
    note = f"{number} hunks in {took / 1000:.1f} s; the gate alone takes {gate} ms, {lanes} at once"
    return Row("a hunk taken away, over the gate's own time", over, None, "ms", note)


def many_hunks() -> str:
    """Return a plan whose change is the fix and `HUNKS` lines that nothing needs."""
    more = "".join(
        f', {{ replace = "calc.py", old = "# {number}\\n", new = "# {number} more\\n" }}'
        for number in range(HUNKS)
    )
    task = f'[[task]]\nid = "t"\ntitle = "Fix it"\nwrites = ["**"]\nsteps = [{FIX}{more}]\n'
    return f'goal = "Make sums right in calc.py"\nkind = "fix"\n{CRITERIA}\n{task}'


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
