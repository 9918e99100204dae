"""What a stop says of itself, and a pause that waits for the step under way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from goal_engine.control import cancel_goal, pause_goal
from goal_engine.engine import Engine
from goal_engine.lifecycle import execute_goal, resume_goal
from goal_engine.progress import say_receipt
from goal_engine.runtime.door import Door
from goal_engine.state.events import ControlKind
from goal_engine.state.model import GoalState
from goal_engine.types import Decision, GoalStatus, TaskStatus
from tests.integration.projects import CRITERIA, GATE, a_plan, a_project, create

pytestmark = pytest.mark.one_python

S = GoalStatus
ME = Decision(actor="me", reason="lunch")
HOLD = "touch {at}/began-{name}; while [ -e {at}/hold-{name} ]; do sleep 0.01; done"
PATIENCE = 60.0


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = Engine.open(a_project(tmp_path / "project"))
    yield opened
    opened.close()


async def until(happened) -> None:
    async with asyncio.timeout(PATIENCE):
        while not happened():  # noqa: ASYNC110 - another process tells nobody
            await asyncio.sleep(0.01)


def held_step(folder: Path, name: str) -> str:
    """Return a step that lasts as long as the file `hold-NAME` is there."""
    (folder / f"hold-{name}").touch()
    return f"{{ run = ['sh', '-c', '{HOLD.format(at=folder, name=name)}'] }}"


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set once the runner knows that no further step is to begin."""
    told = asyncio.Event()
    close = Door.close

    def closing(door: Door) -> None:
        close(door)
        told.set()

    monkeypatch.setattr(Door, "close", closing)
    return told


async def begin(engine: Engine, folder: Path) -> tuple[GoalState, asyncio.Task[GoalState]]:
    """Start a goal of two tasks, one after the other, and return once the first is under way."""
    plan = a_plan(held_step(folder, "first"))
    second = plan.tasks[0].changed(id="second", deps=("fix",))
    state = await create(engine, plan.changed(tasks=(*plan.tasks, second)))
    job = asyncio.ensure_future(execute_goal(engine.ports, state.goal_id))
    await until((folder / "began-first").exists)
    return state, job


def let_go(folder: Path, name: str) -> None:
    (folder / f"hold-{name}").unlink()


async def test_a_pause_leaves_a_receipt(engine: Engine, tmp_path: Path) -> None:
    state, job = await begin(engine, tmp_path)
    paused = await pause_goal(engine.ports, state.goal_id, ME)
    await job
    receipt = paused.receipt
    assert receipt is not None
    assert (receipt.actor, receipt.reason, receipt.left) == ("me", "lunch", 0)
    assert receipt.tasks == ("fix",) and receipt.gates == ()
    assert receipt.ended >= 1  # the shell, and its `sleep` when there was one just then
    assert receipt.took_ms is not None and 0 <= receipt.took_ms < 60_000
    assert say_receipt(receipt).startswith("asked by me, dead ")
    assert say_receipt(receipt).endswith("under way: fix")
    let_go(tmp_path, "first")
    assert (await resume_goal(engine.ports, state.goal_id)).receipt is None


async def test_a_goal_that_nobody_runs_is_cancelled_with_a_receipt_of_nothing(
    engine: Engine,
) -> None:
    state = await create(engine, a_plan('{ write = "x", content = "" }'))
    receipt = (await cancel_goal(engine.ports, state.goal_id, ME)).receipt
    assert receipt is not None
    assert (receipt.actor, receipt.ended, receipt.took_ms) == ("me", 0, None)
    assert receipt.tasks == receipt.gates == ()


async def test_a_pause_after_the_step_lets_the_task_end_and_starts_no_other(
    engine: Engine, tmp_path: Path, heard: asyncio.Event
) -> None:
    state, job = await begin(engine, tmp_path)
    asked = asyncio.ensure_future(pause_goal(engine.ports, state.goal_id, ME, after_step=True))
    await asyncio.wait_for(heard.wait(), PATIENCE)
    let_go(tmp_path, "first")
    paused = await asked
    assert paused.status is S.PAUSED and (await job).status is S.PAUSED
    assert paused.tasks["fix"].status is TaskStatus.DONE
    assert paused.tasks["second"].attempts == 0
    assert paused.receipt is not None
    assert (paused.receipt.ended, paused.receipt.tasks) == (0, ())
    after = await resume_goal(engine.ports, state.goal_id)
    assert {name: task.attempts for name, task in after.tasks.items()} == {"fix": 1, "second": 1}


@pytest.mark.parametrize(("harder", "status"), [(pause_goal, S.PAUSED), (cancel_goal, S.CANCELLED)])
async def test_a_harder_request_does_not_wait_for_the_step(
    engine: Engine, tmp_path: Path, heard: asyncio.Event, harder, status: GoalStatus
) -> None:
    state, job = await begin(engine, tmp_path)
    asked = asyncio.ensure_future(pause_goal(engine.ports, state.goal_id, ME, after_step=True))
    await asyncio.wait_for(heard.wait(), PATIENCE)
    you = Decision(actor="you", reason="now")
    stopped = await harder(engine.ports, state.goal_id, you)
    assert stopped.status is status and (await job).status is status
    assert (await asked).status is status
    assert stopped.receipt is not None
    assert (stopped.receipt.actor, stopped.receipt.tasks) == ("you", ("fix",))
    assert stopped.receipt.ended >= 1


async def test_a_pause_after_the_step_lets_a_gate_end(
    engine: Engine, tmp_path: Path, heard: asyncio.Event
) -> None:
    (tmp_path / "hold-gate").touch()
    wait = HOLD.format(at=tmp_path, name="gate")
    gates = f"[[gate]]\nname = \"held\"\nreport = \"exit\"\nargv = ['sh', '-c', '{wait}']\n"
    gates = f"{gates}parallel = false\n{GATE}parallel = false\n"
    (engine.checkout / "goalproof.toml").write_text(gates, encoding="utf-8")
    state = await create(engine, a_plan('{ write = "x", content = "" }', criteria=CRITERIA))
    job = asyncio.ensure_future(execute_goal(engine.ports, state.goal_id))
    await until((tmp_path / "began-gate").exists)
    asked = asyncio.ensure_future(pause_goal(engine.ports, state.goal_id, ME, after_step=True))
    await asyncio.wait_for(heard.wait(), PATIENCE)
    let_go(tmp_path, "gate")
    paused = await asked
    assert (await job).status is S.PAUSED
    assert [key.rpartition(":")[2] for key in paused.gates_run] == ["held"]
    assert paused.receipt is not None and paused.receipt.gates == ()


async def test_what_is_asked_is_told_until_it_is_done(
    engine: Engine, tmp_path: Path, heard: asyncio.Event
) -> None:
    state, job = await begin(engine, tmp_path)
    asked = asyncio.ensure_future(pause_goal(engine.ports, state.goal_id, ME, after_step=True))
    await asyncio.wait_for(heard.wait(), PATIENCE)
    request = (await engine.ports.read(state.goal_id)).request
    assert request is not None and request.kind is ControlKind.PAUSE and request.after_step
    assert request.asked_at is not None
    let_go(tmp_path, "first")
    assert (await asked).request is None
    await job
