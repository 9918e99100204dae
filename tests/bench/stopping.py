"""How long it takes until everything is dead, and until a goal goes on whose runner was killed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from goal_engine.engine import Engine
from goal_engine.lifecycle import recover_goal
from goal_engine.runtime.process import clean_environment, run_process
from goal_engine.runtime.running import Running
from goal_engine.state.events import TaskStarted
from goal_engine.state.store import Summary
from goal_engine.types import GoalId
from tests.bench.table import Row
from tests.integration.hostile import HOSTILE, find_survivors, is_ready, write_hostile
from tests.integration.projects import CRITERIA, a_project
from tests.personal import set_sandbox

RUNS = 50
TAKEOVERS = 5
PATIENCE = 60.0
"""Seconds that a goal may take to go on."""
ROOT = Path(__file__).parents[2]


def measure_stopping() -> Iterator[Row]:
    """Stop fifty hostile commands; take goals over from runners that were killed, and go on with others."""
    with TemporaryDirectory(prefix="goalproof-bench-") as name:
        folder = Path(name)
        names = [list(HOSTILE)[number % len(HOSTILE)] for number in range(RUNS)]
        times = sorted(asyncio.run(_time_stops(folder, names)))
        left = sum(len(find_survivors(folder / str(number))) for number in range(RUNS))
        note = f"{RUNS} runs of {len(HOSTILE)} kinds; {left} processes survived"
        yield Row("time to stop, hostile, p50", times[RUNS // 2], None, "ms", note)
        yield Row("time to stop, hostile, p99", times[-1], 2000, "ms", f"the longest of {RUNS}")
        os.environ["GOALPROOF_STATE_DIR"] = str(folder / "state")
        os.environ["GOALPROOF_CONFIG_DIR"] = str(folder / "config")
        set_sandbox(folder / "config", "off")  # a pid namespace would end it all by itself
        over = sorted(_time_takeover(folder / f"takeover{n}") for n in range(TAKEOVERS))
        note = f"from SIGKILL of the runner to `goal.interrupted`, everything dead; of {TAKEOVERS}"
        yield Row("take-over after SIGKILL, longest", over[-1], 5000, "ms", note)
        again = sorted(_time_resumption(folder / f"resumption{n}") for n in range(TAKEOVERS))
        note = f"from SIGKILL to the first task of a new process's `resume`; longest of {TAKEOVERS}"
        yield Row("goes on after SIGKILL, longest", again[-1], 5000, "ms", note)


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


@contextmanager
def _a_runner_at_work(folder: Path) -> Iterator[tuple[Engine, subprocess.Popen[bytes]]]:
    """Give a goal in another process whose agent is as hard to end as any; nothing may survive."""
    folder.mkdir()
    project = a_project(folder / "project")
    argv = str(write_hostile(folder / "hostile", "daemon")).replace("'", '"')
    (folder / "plan.toml").write_text(
        f'goal = "Make sums right in calc.py"\nkind = "fix"\n{CRITERIA}\n[[task]]\nid = "stay"\n'
        f'title = "Stay"\nworker = "cli"\nwrites = ["x"]\ncommand = {argv}\n',
        encoding="utf-8",
    )
    words = ("-m", "tests.integration.killed_runner", str(project), "after", "0")
    with _python(*words) as runner:
        while not is_ready(folder / "hostile", "daemon"):
            if runner.poll() is not None:
                raise RuntimeError("the goal ended before its agent was at work")
            os.sched_yield()
        engine = Engine.open(project)
        try:
            yield engine, runner
        finally:
            engine.close()
    if find_survivors(folder / "hostile"):
        raise RuntimeError("something survived its runner")


def _python(*words: str) -> subprocess.Popen[bytes]:
    path = os.pathsep.join((str(ROOT), str(ROOT / "server")))
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.Popen((sys.executable, *words), cwd=ROOT, env=environment, **quiet)


def _time_takeover(folder: Path) -> float:
    with _a_runner_at_work(folder) as (engine, runner):
        begun = perf_counter()
        runner.kill()
        asyncio.run(_take_over(engine))
        return 1000 * (perf_counter() - begun)


async def _take_over(engine: Engine) -> None:
    (known,) = await engine.ports.store.list()
    goal = GoalId(known.goal_id)
    while not (await recover_goal(engine.ports, goal)).interrupted:
        pass  # the lock is not free yet


def _time_resumption(folder: Path) -> float:
    """From the SIGKILL of a runner until another process, started then, begins with a task."""
    with _a_runner_at_work(folder) as (engine, runner):
        (known,) = asyncio.run(_list(engine))
        assert known.state is not None
        begun = perf_counter()
        runner.kill()
        words = ("--trust", "-C", str(engine.checkout), "resume", known.goal_id)
        with _python("-m", "goal_server", *words) as resumed:
            asyncio.run(_wait_for_task(engine, GoalId(known.goal_id), known.state.seq))
            taken = 1000 * (perf_counter() - begun)
            resumed.terminate()  # which pauses the goal, and ends all of it
        return taken


async def _list(engine: Engine) -> Sequence[Summary]:
    return await engine.ports.store.list()


async def _wait_for_task(engine: Engine, goal: GoalId, after: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while not any(  # noqa: ASYNC110 - another process tells nobody
            isinstance(event, TaskStarted)
            for entry in await engine.ports.store.entries(goal, after)
            for event in entry.events
        ):
            await asyncio.sleep(0.005)
