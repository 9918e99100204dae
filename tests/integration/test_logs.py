"""What a task or a gate printed, while it runs and afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from goal_engine.control import cancel_goal
from goal_engine.engine import Engine
from goal_engine.errors import GoalNotFound
from goal_engine.lifecycle import execute_goal
from goal_engine.logs import LIMIT, decode_part
from goal_engine.proof.gate import GateStage
from goal_engine.types import Decision, GoalId
from goal_server import operations as o
from goal_server import parameters as p
from goal_server.operations import Context
from tests.integration.projects import FIX, GATE, a_plan, a_project, create, run

pytestmark = pytest.mark.one_python

ME = Decision(actor="me", reason="enough")
PATIENCE = 30
TALK = "import pathlib, sys, time\nprint('first \\033[31mé', flush=True)\n"
WAIT = "while not pathlib.Path({path!r}).exists(): time.sleep(0.01)\nprint('last')\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return a_project(tmp_path / "project")


@pytest.fixture
def engine(project: Path) -> Iterator[Engine]:
    opened = Engine.open(project)
    yield opened
    opened.close()


@pytest.fixture
def context(engine: Engine) -> Context:
    return Context(engine, lambda _: None, trusted=True, actor="me", approve=lambda _: True)


def waiting_step(signal: Path) -> str:
    script = TALK + WAIT.format(path=str(signal))
    return f"{{ run = ['python3', '-c', '''{script}'''] }}"


async def read_all(context: Context, **more: object) -> str:
    text, offset = "", 0
    while True:
        view = await o.show_log(context, p.LogParams(offset=offset, **more))
        if not view.text:
            return text
        text, offset = text + view.text, view.offset


async def test_a_log_is_followed_from_the_running_task_into_the_store(
    context: Context, engine: Engine, tmp_path: Path
) -> None:
    signal = tmp_path / "go on"
    state = await create(engine, a_plan(f"{waiting_step(signal)}, {FIX}"))
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        started = asyncio.Event()
        engine.subscribe(lambda s, _: started.set() if s.tasks["fix"].attempts else None)
        group.create_task(execute_goal(engine.ports, state.goal_id))
        await started.wait()
        first = await o.show_log(context, p.LogParams(goal=state.goal_id, follow=True))
        assert (first.name, first.task, first.live) == ("fix", "fix", True)
        told, offset = first.text, first.offset
        while "é\n" not in told:
            params = p.LogParams(goal=state.goal_id, offset=offset, follow=True)
            part = await o.show_log(context, params)
            told, offset = told + part.text, part.offset
        assert told.endswith("first [31mé\n") and "\x1b" not in told
        signal.touch()
        more = p.LogParams(goal=state.goal_id, task="fix", offset=offset, follow=True)
        while (part := await o.show_log(context, more)).live or part.text:
            told, more = told + part.text, more.model_copy(update={"offset": part.offset})
    assert told.splitlines()[-1].startswith("replace") or "last" in told
    assert await read_all(context, goal=state.goal_id, task="fix") == told


async def test_a_gate_is_read_while_it_runs_and_afterwards(
    context: Context, engine: Engine, project: Path, tmp_path: Path
) -> None:
    signal = tmp_path / "go on"
    (project / "slow.py").write_text(TALK + WAIT.format(path=str(signal)), encoding="utf-8")
    slow = '[[gate]]\nname = "slow.one"\nargv = ["python3", "slow.py"]\n'
    (project / "goalproof.toml").write_text(GATE + slow, encoding="utf-8")
    await commit(project)
    state = await create(engine, a_plan(FIX))
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        job = group.create_task(execute_goal(engine.ports, state.goal_id))
        view = None
        while view is None or "é" not in view.text:
            try:
                view = await o.show_log(context, p.LogParams(goal=state.goal_id, gate="slow.one"))
            except GoalNotFound:
                await asyncio.sleep(0.01)
        assert (view.name, view.live) == ("baseline slow.one", True)
        assert not job.done()
        signal.touch()
    ended = await o.show_log(context, p.LogParams(goal=state.goal_id, gate="slow.one"))
    assert (ended.name, ended.live) == ("proving slow.one", False)
    assert ended.text.splitlines() == ["first [31mé", "last"]
    last = await o.show_log(context, p.LogParams(goal=state.goal_id))
    assert last.gate is not None and not last.live


async def commit(project: Path) -> None:
    arguments = ("commit", "--quiet", "--all", "--message", "more")
    for line in (("add", "--all"), arguments):
        done = await asyncio.create_subprocess_exec("git", *line, cwd=project)
        assert await done.wait() == 0


async def test_a_long_log_comes_in_parts_that_cut_no_letter(
    context: Context, engine: Engine
) -> None:
    script = f"print('é' * {LIMIT})"
    state = await run(engine, a_plan(f'{{ run = ["python3", "-c", "{script}"] }}'))
    first = await o.show_log(context, p.LogParams(goal=state.goal_id, task="fix"))
    assert len(first.text.encode()) <= LIMIT and not first.live
    text = await read_all(context, goal=state.goal_id, task="fix")
    assert text.count("é") == LIMIT and "\ufffd" not in text
    beyond = p.LogParams(goal=state.goal_id, task="fix", offset=10**9)
    assert (await o.show_log(context, beyond)).text == first.text


async def test_where_there_is_no_log_that_is_said(context: Context, engine: Engine) -> None:
    state = await create(engine, a_plan(FIX))
    for asked, told in (
        ({}, "nothing of it has run"),
        ({"task": "fix"}, "has not run"),
        ({"task": "nope"}, "it has fix"),
        ({"gate": "tests"}, "has not run"),
        ({"gate": "nope"}, "it has tests"),
    ):
        with pytest.raises(GoalNotFound, match=told):
            await o.show_log(context, p.LogParams(goal=state.goal_id, **asked))


async def test_a_goal_that_was_stopped_has_no_live_log(
    context: Context, engine: Engine, tmp_path: Path
) -> None:
    state = await create(engine, a_plan(waiting_step(tmp_path / "never")))
    started = asyncio.Event()
    engine.subscribe(lambda s, _: started.set() if s.tasks["fix"].attempts else None)
    job = asyncio.ensure_future(execute_goal(engine.ports, state.goal_id))
    await started.wait()
    await cancel_goal(engine.ports, GoalId(state.goal_id), ME)
    await job
    view = await o.show_log(context, p.LogParams(goal=state.goal_id, task="fix", follow=True))
    assert (view.text, view.live) == ("", False)


def test_half_a_letter_waits_for_the_rest():
    whole = "aé𝄞".encode()
    for cut in range(len(whole) + 1):
        text, used = decode_part(whole[:cut], final=False)
        assert text + decode_part(whole[used:], final=True)[0] == "aé𝄞"
    assert decode_part(b"a\xc3", final=True) == ("a\ufffd", 2)


async def test_a_gate_s_log_is_what_it_said_of_the_result(
    context: Context, engine: Engine, project: Path
) -> None:
    says = '[[gate]]\nname = "says"\nargv = ["cat", "calc.py"]\n'
    (project / "goalproof.toml").write_text(GATE + says, encoding="utf-8")
    await commit(project)
    state = await run(engine, a_plan(FIX))
    stages = {run.result.stage for run in state.gates_run.values() if run.result.gate == "tests"}
    assert GateStage.COUNTERFACTUAL in stages, "it ran without the change afterwards"
    for asked in ({"gate": "tests"}, {}):
        view = await o.show_log(context, p.LogParams(goal=state.goal_id, **asked))
        assert view.name.startswith("proving "), view.name
