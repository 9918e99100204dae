"""What a sandbox adds to each command."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from goal_engine.runtime.personal import PersonalSettings
from goal_engine.runtime.process import clean_environment, run_process
from goal_engine.runtime.sandbox import GATE, Ground, confine, find_own, find_sandbox
from tests.bench.table import Row

RUNS = 30


def measure_sandbox() -> Iterator[Row]:
    """Run nothing, again and again, in turns with a sandbox and without."""
    box = find_sandbox(PersonalSettings(sandbox="required"))
    if box.problem:
        raise RuntimeError(box.problem)
    with TemporaryDirectory(prefix="goalproof-bench-") as name:
        folder = Path(name)
        ground = Ground(
            home=Path.home(),
            checkout=folder,
            hidden=(),
            readable=(Path(sys.prefix),),
            logins=(),
            writable=(folder,),
            own=find_own(),
            go_cache=folder,
        )
        bare, boxed = asyncio.run(_time(folder, lambda: confine(box, GATE, ground)))
    added = sorted(boxed)[RUNS // 2] - sorted(bare)[RUNS // 2]
    note = f"{box.said}; {sorted(bare)[RUNS // 2]:.0f} ms without it, p50 of {RUNS}"
    yield Row("sandbox per spawn", added, 50, "ms", note)


async def _time(folder: Path, make) -> tuple[list[float], list[float]]:
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(2 * RUNS):
        begun = perf_counter()
        await run_process(
            ["true"], cwd=folder, env=clean_environment(), log=folder / "log", timeout=60,
            sandbox=make() if number % 2 else (),
        )  # fmt: skip
        times[number % 2].append((perf_counter() - begun) * 1000)
    return times
