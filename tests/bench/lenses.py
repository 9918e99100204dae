"""What the lenses of a much changed file cost, once they were asked for before."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import perf_counter
from types import SimpleNamespace
from typing import Any

from goal_engine.evidence import ChangedFile, GoalGitEvidence
from goal_engine.state.store import Summary
from goal_engine.types import GoalStatus
from goal_server.lsp_lenses import find_lenses
from goal_server.marks import Marks
from tests.bench.table import Row
from tests.builders import BASE, NOTHING, TREE, a_goal

SIZES = (1, 100, 1000)
RUNS = 200
APART = 20
"""Lines from one change to the next."""
BUDGET = 20
"""Milliseconds for a thousand changes."""


def measure_lenses() -> Iterator[Row]:
    """Time lenses of files with few and many changes, as they stand and while a person types."""
    for size in SIZES:
        for name, times in asyncio.run(_measure(size)).items():
            row = f"lenses, {size} changes, {name}, p99"
            note = f"p50 {median(times):.2f} ms, {len(times)} times"
            budget = BUDGET if size == max(SIZES) and name == "warm" else None
            yield Row(row, quantiles(times, n=100)[98], budget, "ms", note)


async def _measure(size: int) -> dict[str, list[float]]:
    lines = [f"    line {number}" for number in range(size * APART)]
    changed = [f"changed {at}" if at % APART == 9 else line for at, line in enumerate(lines)]
    base, head = ("\n".join(text) + "\n" for text in (lines, changed))
    with TemporaryDirectory() as folder:
        engine, marks = an_engine(Path(folder), base, head), Marks()
        path = engine.checkout / "a.py"

        async def ask(buffer: str) -> float:
            begun = perf_counter()
            found = await marks.find(engine, path, buffer)
            assert await find_lenses(engine, marks, found, "all")
            return 1000 * (perf_counter() - begun)

        gc.freeze()
        await ask(base)
        return {
            "warm": [await ask(base) for _ in range(RUNS)],
            "typing": [await ask(f"# {number}\n{head}") for number in range(RUNS // 4)],
        }


def an_engine(checkout: Path, base: str, head: str) -> Any:
    """Return an engine with one ready goal, which changed `a.py` from `base` to `head`."""
    file = ChangedFile(path="a.py", status="M", old_mode="100644", mode="100644")
    evidence: GoalGitEvidence = NOTHING.changed(files=(file,))
    state = a_goal(GoalStatus.READY).changed(evidence=evidence, tree=TREE)
    blobs = {BASE: base.encode(), TREE: head.encode()}

    async def listed() -> tuple[Summary, ...]:
        return (Summary(state.goal_id, state),)

    ports = SimpleNamespace(
        store=SimpleNamespace(list=listed),
        open_repository=lambda: SimpleNamespace(read_blob=lambda tree, name: blobs[tree]),
    )
    return SimpleNamespace(checkout=checkout, ports=ports)
