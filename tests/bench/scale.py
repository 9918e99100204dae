"""What the engine costs for a task in larger repositories and in wider waves; and one look at many files."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from goal_engine.document import GoalPlan, parse_plan
from goal_engine.runtime.repository import EvidenceRepository, read_checkout
from goal_engine.state import events as e
from tests.bench.engine import run_plan
from tests.bench.table import Row
from tests.builders import GOAL
from tests.integration.projects import CRITERIA, FIX, a_project

WIDTHS = (1, 8, 32)
TASKS = 32
LOOKS = 5


def measure_scale() -> Iterator[Row]:
    """Time tasks that wait for nobody, so many at once, in repositories of 1k and of 10k files."""
    with TemporaryDirectory(prefix="goalproof-bench-") as name:
        for label, count in (("1k", 1_000), ("10k", 10_000)):
            os.environ["GOALPROOF_STATE_DIR"] = str(Path(name) / f"state-{label}")
            project = a_large_project(Path(name) / f"project-{label}", count)
            for width in WIDTHS:
                tasks = TASKS if count < 10_000 or width > 1 else TASKS // 4
                took = asyncio.run(time_wave(project, tasks, width))
                note = f"{tasks} tasks of one wave, from the first start to the merged tree"
                yield Row(f"engine per task, {label} files, {width} at once", took, 250, "ms", note)
        yield time_snapshots(project)


def a_large_project(path: Path, count: int) -> Path:
    """Make a committed project of so many files beside the usual ones."""
    files = {f"pkg{n % 40}/module{n}.py": f"value = {n}\n" * 30 for n in range(count)}
    return a_project(path, **files)


def a_wide_plan(tasks: int) -> GoalPlan:
    """Return a plan of tasks that wait for nobody."""
    parts = [f'[[task]]\nid = "t0"\ntitle = "Fix it"\nwrites = ["calc.py"]\nsteps = [{FIX}]\n']
    parts += (
        f'[[task]]\nid = "t{number}"\ntitle = "Write {number}"\nwrites = ["new{number}.py"]\n'
        f'steps = [{{ write = "new{number}.py", content = "x = {number}\\n" }}]\n'
        for number in range(1, tasks)
    )
    text = f'goal = "Make sums right in calc.py"\nkind = "fix"\n{CRITERIA}\n{"".join(parts)}'
    return parse_plan(text, "plan.toml")


async def time_wave(project: Path, tasks: int, width: int) -> float:
    """Return the ms that each of `tasks` took, with `width` of them at once."""
    told = await run_plan(project, a_wide_plan(tasks), width)
    begun = [at for at, event in told if isinstance(event, e.TaskStarted)]
    merged = [at for at, event in told if isinstance(event, e.TreeIntegrated)]
    if len(begun) != tasks or not merged:
        raise RuntimeError(f"{len(begun)} of {tasks} tasks were run")
    return 1000 * (merged[-1] - begun[0]) / tasks


def time_snapshots(project: Path) -> Row:
    """Time the tree of a workspace in which one of 10k files was changed."""
    status = read_checkout(project)
    repository = EvidenceRepository.open(project.parent / "evidence", status.git_dir)
    repository.pin(status.commit, GOAL)
    workspace, took = project.parent / "workspace", []
    repository.make_workspace(workspace, status.commit)
    for number in range(LOOKS):
        (workspace / "calc.py").write_text(f"x = {number}\n", encoding="utf-8")
        began = perf_counter()
        repository.snapshot(workspace, status.commit)
        took.append(1000 * (perf_counter() - began))
    repository.close()
    return Row("snapshot of a workspace, 10k files", median(took), None, "ms", f"median of {LOOKS}")
