"""What a real agent costs with the engine around it, how soon it is dead, and what it keeps in memory.

The agents are those of `tests/agents`, with its scripted model: they think for no time at all.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TypeVar

from goal_engine.control import cancel_goal
from goal_engine.lifecycle import execute_goal
from goal_engine.state import events as e
from goal_engine.types import Decision, GoalId
from goal_engine.workers.presets import PRESETS, fill_argv, takes_argument
from tests.agents.endpoint import serve
from tests.agents.known import CLAUDE_CLI, KIMI_ACP, KIMI_CLI, KIMI_WIRE, Known
from tests.agents.scripted import Script
from tests.agents.scripts import FIXES, SLEEPS, WAITS
from tests.agents.stage import GOAL, Stage, find_agents, find_running, set_home, set_stage
from tests.agents.tools import Programs, install_agents
from tests.bench.table import Row
from tests.integration.agents import wait_until

TURNS, STOPS = 3, 10
MEASURED = (KIMI_CLI, KIMI_ACP, KIMI_WIRE, CLAUDE_CLI)
ME = Decision(actor="me", reason="measured")
MIB = 1 << 20


def measure_agents() -> Iterator[Row]:
    """Measure agents, one after the other."""
    programs = install_agents()
    for known in MEASURED:
        yield from _measure(known, programs)


def _measure(known: Known, programs: Programs) -> Iterator[Row]:
    whole = median(_on_stage(known, programs, FIXES, _time_turn) for _ in range(TURNS))
    yield Row(f"{known}, a turn", whole, None, "ms", "four answers; from task.started to its end")
    if known.worker == "cli":
        with _a_person(known, programs) as folder:
            alone = median(_time_alone(known, folder / f"alone{n}") for n in range(TURNS))
        note = f"of that; the agent alone takes {alone:.0f} ms"
        yield Row(f"{known}, the engine around it", whole - alone, None, "ms", note)
    stopped = [_on_stage(known, programs, WAITS, _time_stop) for _ in range(STOPS)]
    stops = sorted(took for took, _ in stopped)
    yield Row(
        f"{known}, cancelled, p50", stops[STOPS // 2], None, "ms", "in a command that it runs"
    )
    yield Row(f"{known}, cancelled, p99", stops[-1], 2000, "ms", f"the longest of {STOPS}")
    memory = median(used for _, used in stopped)
    yield Row(f"{known}, in memory", memory, None, "MiB", "resident, its whole tree, at work")


@contextmanager
def _a_person(known: Known, programs: Programs) -> Iterator[Path]:
    """Be somebody in a new folder who has this agent."""
    before = dict(os.environ)
    with TemporaryDirectory(prefix="goalproof-bench-") as name:
        folder = Path(name).resolve() / "one"
        os.environ.update(set_home(folder, programs, known))
        os.environ["GOALPROOF_STATE_DIR"] = str(folder / "state")
        try:
            yield folder
        finally:
            os.environ.clear()
            os.environ.update(before)


T = TypeVar("T")


def _on_stage(known: Known, programs: Programs, script: Script, measure: Callable[[Stage], T]) -> T:
    with _a_person(known, programs) as folder, set_stage(folder, known, script) as stage:
        return measure(stage)


def _time_alone(known: Known, folder: Path) -> float:
    """Run the agent as a person would, on a prompt of one line."""
    agent = next(agent for agent in PRESETS if agent.name == known.agent)
    folder.mkdir()
    (folder / "run_tests.py").write_text("print('Ran')\n")
    with serve(FIXES, GOAL) as model:
        known.configure(Path.home(), model.url)
        argv = fill_argv(agent.argv, GOAL, str(folder))
        given = None if takes_argument(agent.argv) else GOAL.encode()
        begun = perf_counter()
        subprocess.run(argv, cwd=folder, input=given, capture_output=True, check=True)
        return 1000 * (perf_counter() - begun)


def _time_turn(stage: Stage) -> float:
    times: dict[type, float] = {}

    def note(_: GoalId, entry: e.JournalEntry) -> None:
        for event in entry.events:
            times.setdefault(type(event), perf_counter())

    stage.engine.subscribe(note)

    async def play() -> None:
        state = await stage.create()
        await execute_goal(stage.engine.ports, state.goal_id)

    asyncio.run(play())
    return 1000 * (times[e.TaskFinished] - times[e.TaskStarted])


def _time_stop(stage: Stage) -> tuple[float, float]:
    """Return how long a cancellation takes, and how much memory was in use before it."""
    return asyncio.run(_stop(stage))


async def _stop(stage: Stage) -> tuple[float, float]:
    ports = stage.engine.ports
    state = await stage.create()
    job = asyncio.ensure_future(execute_goal(ports, state.goal_id))
    await asyncio.to_thread(wait_until, lambda: find_running(stage.around, SLEEPS))
    memory = sum(process.memory_info().rss for process in find_agents(stage.around)) / MIB
    begun = perf_counter()
    await cancel_goal(ports, state.goal_id, ME)
    took = 1000 * (perf_counter() - begun)
    await job
    if find_agents(stage.around):
        raise RuntimeError("something survived its goal")
    return took, memory
