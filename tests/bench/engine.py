"""What the engine itself costs for one task: everything but the gates and the work."""

from __future__ import annotations

import asyncio
import os
import venv
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from goal_engine.budget import GoalBudget
from goal_engine.document import GoalPlan, parse_plan
from goal_engine.engine import Engine
from goal_engine.lifecycle import execute_goal
from goal_engine.planner import CreateGoalOptions, create_goal
from goal_engine.state import events as e
from goal_engine.state.model import GoalState
from tests.bench.table import Row
from tests.integration.projects import CRITERIA, FIX, a_project

TASKS = 12
FILES = 1000


def a_chain() -> GoalPlan:
    """Return a plan whose tasks wait for one another: a wave and a merge for each."""
    tasks = [f'[[task]]\nid = "t0"\ntitle = "Fix it"\nwrites = ["**"]\nsteps = [{FIX}]\n']
    tasks += (
        f'[[task]]\nid = "t{number}"\ntitle = "Write {number}"\ndeps = ["t{number - 1}"]\n'
        f'writes = ["new{number}.py"]\n'
        f'steps = [{{ write = "new{number}.py", content = "x = {number}\\n" }}]\n'
        for number in range(1, TASKS)
    )
    text = f'goal = "Make sums right in calc.py"\nkind = "fix"\n{CRITERIA}\n{"".join(tasks)}'
    return parse_plan(text, "plan.toml")


def measure_engine() -> Iterator[Row]:
    """Time twelve tasks one after the other on a repository of a thousand files."""
    with TemporaryDirectory(prefix="goalproof-bench-") as name:
        os.environ["GOALPROOF_STATE_DIR"] = str(Path(name) / "state")
        files = {f"pkg{n % 40}/module{n}.py": f"value = {n}\n" * 30 for n in range(FILES)}
        ignored = {".gitignore": "__pycache__/\n.venv/\n"}
        project = a_project(Path(name) / "project", **files, **ignored)
        venv.create(project / ".venv", symlinks=True)
        times = asyncio.run(time_tasks(project))
    third = TASKS // 3
    first, last = (sum(part) / third for part in (times[:third], times[-third:]))
    note = f"mean of {TASKS} in a chain; the first {third} took {first:.0f}, the last {last:.0f} ms"
    yield Row("engine per task, 1k files", sum(times) / TASKS, 250, "ms", note)


async def time_tasks(project: Path) -> list[float]:
    """Return the ms from each task's start to the next one's; the last ends with the merge."""
    kinds = e.TaskStarted | e.VerificationStarted
    marks = [at for at, event in await run_plan(project, a_chain(), 1) if isinstance(event, kinds)]
    if len(marks) != TASKS + 1:
        raise RuntimeError(f"{len(marks) - 1} of {TASKS} tasks were run")
    return [1000 * (after - before) for before, after in zip(marks, marks[1:], strict=False)]


async def run_plan(project: Path, plan: GoalPlan, at_once: int) -> list[tuple[float, e.GoalEvent]]:
    """Run a plan to its end; return each event of it with the seconds at which it was told."""
    told: list[tuple[float, e.GoalEvent]] = []

    def hear(_: GoalState, entry: e.JournalEntry) -> None:
        told.extend((perf_counter(), event) for event in entry.events)

    engine = Engine.open(project)
    try:
        choice = await engine.choose_gates()
        budget = GoalBudget(max_agents=at_once)
        options = CreateGoalOptions(gates=choice.specs, plan=plan, budget=budget)
        state = await create_goal(engine.ports, plan.goal, options)
        engine.subscribe(hear)
        await execute_goal(engine.ports, state.goal_id)
    finally:
        engine.close()
    return told
