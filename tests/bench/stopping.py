"""How long it takes until everything is dead, and until a goal goes on whose runner was killed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from goal_engine.engine import Engine
from goal_engine.lifecycle import recover_goal
from goal_engine.runtime.process import clean_environment, run_process
from goal_engine.runtime.running import Running
from goal_engine.types import GoalId
from tests.bench.table import Row
from tests.integration.hostile import HOSTILE, find_survivors, is_ready, write_hostile
from tests.integration.projects import CRITERIA, a_project

RUNS = 50
TAKEOVERS = 5
ROOT = Path(__file__).parents[2]


def measure_stopping() -> Iterator[Row]:
    """Stop fifty hostile commands, and take five goals over from runners that were killed."""
    with TemporaryDirectory(prefix="goalproof-bench-") as name:
        folder = Path(name)
        names = [list(HOSTILE)[number % len(HOSTILE)] for number in range(RUNS)]
        times = sorted(asyncio.run(_time_stops(folder, names)))
        left = sum(len(find_survivors(folder / str(number))) for number in range(RUNS))
        note = f"{RUNS} runs of {len(HOSTILE)} kinds; {left} processes survived"
        yield Row("time to stop, hostile, p50", times[RUNS // 2], None, "ms", note)
        yield Row("time to stop, hostile, p99", times[-1], 2000, "ms", f"the longest of {RUNS}")
        os.environ["GOALPROOF_STATE_DIR"] = str(folder / "state")
        over = sorted(_time_takeover(folder / f"takeover{n}") for n in range(TAKEOVERS))
        note = f"from SIGKILL of the runner to `goal.interrupted`, everything dead; of {TAKEOVERS}"
        yield Row("take-over after SIGKILL, longest", over[-1], 5000, "ms", note)


async def _time_stops(folder: Path, names: list[str]) -> list[float]:
    times = []
    for number, name in enumerate(names):
        place = folder / str(number)
        argv = write_hostile(place, name)
        job = asyncio.ensure_future(
            run_process(
                argv,
                cwd=place,
                env=clean_environment(),
                log=place / "log",
                timeout=None,
                running=Running(place / "records"),
            )
        )
        while not is_ready(place, name):  # noqa: ASYNC110 - another process tells nobody
            await asyncio.sleep(0.01)
        begun = perf_counter()
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
        times.append(1000 * (perf_counter() - begun))
    return times


def _time_takeover(folder: Path) -> float:
    folder.mkdir()
    project = a_project(folder / "project")
    argv = str(write_hostile(folder / "hostile", "daemon")).replace("'", '"')
    (folder / "plan.toml").write_text(
        f'goal = "Make sums right in calc.py"\nkind = "fix"\n{CRITERIA}\n[[task]]\nid = "stay"\n'
        f'title = "Stay"\nworker = "cli"\nwrites = ["x"]\ncommand = {argv}\n',
        encoding="utf-8",
    )
    path = os.pathsep.join((str(ROOT), str(ROOT / "server")))
    words = [sys.executable, "-m", "tests.integration.killed_runner", str(project), "after", "0"]
    with subprocess.Popen(words, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}) as runner:
        while not is_ready(folder / "hostile", "daemon"):
            os.sched_yield()
        engine = Engine.open(project)
        try:
            begun = perf_counter()
            runner.kill()
            asyncio.run(_take_over(engine))
            taken = 1000 * (perf_counter() - begun)
        finally:
            engine.close()
    if find_survivors(folder / "hostile"):
        raise RuntimeError("something survived its runner")
    return taken


async def _take_over(engine: Engine) -> None:
    (known,) = await engine.ports.store.list()
    goal = GoalId(known.goal_id)
    while not (await recover_goal(engine.ports, goal)).interrupted:
        pass  # the lock is not free yet
