"""Whatever a command does to stay alive, nothing of it is alive once it was stopped (P01, P02)."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from goal_engine.control import cancel_goal, pause_goal
from goal_engine.document import parse_plan
from goal_engine.engine import Engine
from goal_engine.errors import ToolMissing
from goal_engine.lifecycle import execute_goal
from goal_engine.runtime import process
from goal_engine.runtime.process import clean_environment, run_process
from goal_engine.runtime.running import Running, end_recorded
from goal_engine.state.model import GoalState
from goal_engine.types import Decision, GoalStatus
from tests.integration.hostile import HOSTILE, KILLERS, find_survivors, is_ready, write_hostile
from tests.integration.projects import CRITERIA, GATE, a_project, create

pytestmark = [
    pytest.mark.one_python,
    pytest.mark.skipif(sys.platform != "linux", reason="orphans come back only on Linux"),
]

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
ME = Decision(actor="me", reason="enough")
S = GoalStatus
OWNER = """
import asyncio, sys
from pathlib import Path
from goal_engine.runtime.process import clean_environment, run_process
from goal_engine.runtime.running import Running

here, records = Path(sys.argv[1]), Path(sys.argv[2])
asyncio.run(run_process(sys.argv[3:], cwd=here, env=clean_environment(), log=here / "log",
                        timeout=None, running=Running(records)))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The folder of the commands; what survived is ended after it was seen."""
    place = tmp_path / "hostile"
    place.mkdir()
    yield place
    for left in find_survivors(place):
        with suppress(psutil.NoSuchProcess):
            left.kill()


async def until(happened) -> None:
    async with asyncio.timeout(PATIENCE):
        while not happened():  # noqa: ASYNC110 - another process tells nobody
            await asyncio.sleep(0.01)


async def run(folder: Path, name: str, running: Running | None = None) -> process.Finished:
    return await run_process(
        write_hostile(folder, name),
        cwd=folder,
        env=clean_environment(),
        log=folder / f"{name}.log",
        timeout=None,
        running=running,
    )


async def stop(folder: Path, name: str) -> Running:
    """Run a command until it is ready, and stop it."""
    running = Running(folder / "records")
    job = asyncio.ensure_future(run(folder, name, running))
    await until(lambda: is_ready(folder, name) or job.done())
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    return running


@pytest.mark.parametrize("name", HOSTILE)
async def test_nothing_of_it_survives_a_stop(folder: Path, name: str) -> None:
    running = await stop(folder, name)
    assert find_survivors(folder) == []
    assert running.stopped.ended >= 1 and running.stopped.left == 0
    assert not running.folder.exists()


@pytest.mark.parametrize("name", KILLERS)
async def test_nothing_of_it_survives_that_killed_what_it_ran_under(
    folder: Path, name: str
) -> None:
    with pytest.raises(ToolMissing, match=r"Of its processes \d+ were ended.*nothing is left"):
        await run(folder, name)
    assert find_survivors(folder) == []


@pytest.mark.parametrize("name", ["daemon", "stops-guardian"])
@pytest.mark.parametrize("also", ["owner", "owner and guardians"])
async def test_nothing_of_it_survives_its_owner_and_who_comes_next(
    folder: Path, name: str, also: str
) -> None:
    records = folder / "records"
    argv = write_hostile(folder, name)
    owner = subprocess.Popen(  # noqa: ASYNC220 - killed below, and nothing else is to do meanwhile
        [sys.executable, "-c", OWNER, str(folder), str(records), *argv],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    await until(lambda: is_ready(folder, name))
    (record,) = records.glob("*.json")
    keeper = psutil.Process(json.loads(record.read_text())["pid"])
    guards = [keeper, *keeper.children()] if also != "owner" else []
    owner.kill()
    owner.wait()
    for guard in guards:
        guard.kill()
    ended = await asyncio.to_thread(end_recorded, records)
    assert ended.left == 0
    if name == "daemon":  # the other's daemon has no mark, and nobody is left to say whose it is
        assert find_survivors(folder) == []
    assert not records.exists()


MUTANTS = {
    "whoever has an orphan is alone": (
        "        return True\n    return False",
        "        pass\n    return True",
        "daemon",
    ),
    "orphans go to the system": (
        "PR_SET_CHILD_SUBREAPER, 1",
        "PR_SET_CHILD_SUBREAPER, 0",
        "daemon",
    ),
    "only the group is ended": (
        "    alive = set() if is_alone() else find_below(me)\n    around =",
        "    os.killpg(leader, signal.SIGKILL)\n    alive = set()\n    around =",
        "session",
    ),
    "only asked, not killed": ("LAST = 3.0", "LAST = -1.0", "deaf"),
    "the keeper does not look": (
        "ended, left = end_everything(None, 0.0, Output(None, 0))",
        "ended, left = 0, 0",
        "kills-guardian",
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS)
async def test_a_guardian_with_a_mistake_lets_something_live(
    folder: Path, mutant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new, name = MUTANTS[mutant]
    text = process.GUARDIAN.read_text(encoding="utf-8")
    assert text.count(old) == 1
    guardian = folder.parent / "guardian.py"
    guardian.write_text(text.replace(old, new), encoding="utf-8")
    monkeypatch.setattr(process, "GUARDIAN", guardian)
    if name in KILLERS:
        with pytest.raises(ToolMissing):
            await run(folder, name)
    else:
        await stop(folder, name)
    assert find_survivors(folder)


# As worker and as gate of a goal


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = Engine.open(a_project(tmp_path / "project"))
    yield opened
    opened.close()


def a_plan_of_workers(folder: Path) -> str:
    tasks = (
        f'[[task]]\nid = "{name}"\ntitle = "Stay"\nworker = "cli"\nwrites = ["{name}"]\n'
        f"command = {json.dumps(write_hostile(folder, name))}\n"
        for name in (*HOSTILE, *KILLERS)
    )
    return f'goal = "Make sums right in calc.py"\nkind = "fix"\n{CRITERIA}\n{"".join(tasks)}'


def configure_gates(project: Path, folder: Path) -> None:
    gates = (
        f'[[gate]]\nname = "{name}"\nreport = "exit"\nparallel = true\n'
        f"argv = {json.dumps(write_hostile(folder, name))}\n"
        for name in HOSTILE
    )
    (project / "goalproof.toml").write_text(GATE + "".join(gates), encoding="utf-8")


STEPS = '[[task]]\nid = "fix"\ntitle = "Fix"\nwrites = ["**"]\nsteps = [{ write = "a", content = "" }]\n'


async def stop_all(engine: Engine, plan: str, folder: Path, names, stop_goal) -> GoalState:
    """Run a goal until all the commands `names` are ready, stop it and return it."""
    state = await create(engine, parse_plan(plan, "plan.toml"))
    job = asyncio.ensure_future(execute_goal(engine.ports, state.goal_id))
    await until(lambda: all(is_ready(folder, name) for name in names) or job.done())
    stopped = await stop_goal(engine.ports, state.goal_id, ME)
    assert (await job).status is stopped.status
    return stopped


@pytest.mark.parametrize("stop_goal", [pause_goal, cancel_goal])
async def test_as_workers_nothing_of_them_survives(engine: Engine, folder: Path, stop_goal) -> None:
    plan = a_plan_of_workers(folder) + "[budget]\nmax_agents = 20\n"
    names = (*HOSTILE, *KILLERS)
    stopped = await stop_all(engine, plan, folder, names, stop_goal)
    assert find_survivors(folder) == []
    receipt = stopped.receipt
    assert receipt is not None and receipt.actor == "me" and receipt.reason == "enough"
    assert receipt.took_ms is not None and receipt.left == 0
    assert receipt.ended >= len(HOSTILE) and set(HOSTILE) <= set(receipt.tasks)


@pytest.mark.parametrize("stop_goal", [pause_goal, cancel_goal])
async def test_as_gates_nothing_of_them_survives(
    engine: Engine, folder: Path, stop_goal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 20)  # so many gates run at once
    configure_gates(engine.checkout, folder)
    plan = f'goal = "Make sums right in calc.py"\nkind = "fix"\n{CRITERIA}\n{STEPS}'
    stopped = await stop_all(engine, plan, folder, HOSTILE, stop_goal)
    assert find_survivors(folder) == []
    receipt = stopped.receipt
    assert receipt is not None and receipt.left == 0 and receipt.ended >= len(HOSTILE)
    assert {f"baseline {name}" for name in HOSTILE} <= set(receipt.gates)


async def test_a_gate_that_kills_what_it_runs_under_is_no_result(
    engine: Engine, folder: Path
) -> None:
    argv = json.dumps(write_hostile(folder, "kills-both"))
    gate = f'{GATE}[[gate]]\nname = "killer"\nreport = "exit"\nargv = {argv}\n'
    (engine.checkout / "goalproof.toml").write_text(gate, encoding="utf-8")
    plan = f'goal = "Make sums right in calc.py"\nkind = "fix"\n{CRITERIA}\n{STEPS}'
    state = await create(engine, parse_plan(plan, "plan.toml"))
    ended = await execute_goal(engine.ports, state.goal_id)
    assert ended.status is S.FAILED_INFRA
    assert ended.blocked is not None and "nothing is left" in ended.blocked.reason
    assert find_survivors(folder) == []
