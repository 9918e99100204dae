"""The plan of a goal in a person's hands: opened, changed, given back, run; and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from goal_engine.document import parse_plan, plan_of, render_plan
from goal_engine.engine import Engine
from goal_engine.errors import BadInput, BadPlan, GoalNotFound, NotPossibleNow
from goal_engine.state.model import GoalState
from goal_engine.types import GoalStatus
from goal_server import operations as o
from goal_server import parameters as p
from goal_server.operations import Context
from tests.integration.projects import FIX, a_plan, a_project, create, run

pytestmark = pytest.mark.one_python

S = GoalStatus
NOTHING = '{ run = ["true"] }'


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


async def open_plan(context: Context, state: GoalState) -> Path:
    opened = await o.open_goal(context, p.OpenParams(goal=state.goal_id, what="plan"))
    assert opened.kind == "file"
    return Path(opened.path)


def replace(path: Path, old: str, new: str) -> str:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return text.replace(old, new)


async def test_a_plan_is_opened_changed_taken_and_run(context: Context, engine: Engine) -> None:
    state = await create(engine, a_plan(NOTHING))
    shown = await o.show_goal(context, p.GoalParams(goal=state.goal_id))
    assert shown.plan_path is None
    path = await open_plan(context, state)
    assert path.stat().st_mode & 0o777 == 0o600
    assert parse_plan(path.read_text(encoding="utf-8"), "plan") == plan_of(state)
    replace(path, NOTHING, FIX)
    assert await open_plan(context, state) == path
    assert FIX in path.read_text(encoding="utf-8")

    revised = await o.revise_goal(context, p.ReviseParams(goal=state.goal_id))
    assert revised.status == S.PLANNED and revised.plan_path == str(path)
    ended = await o.execute_goal(context, p.ExecuteParams(goal=state.goal_id))
    assert ended.status == S.READY


async def test_what_a_person_changed_is_not_run_past_them(context: Context, engine: Engine) -> None:
    state = await create(engine, a_plan(NOTHING))
    path = await open_plan(context, state)
    replace(path, NOTHING, FIX)
    with pytest.raises(NotPossibleNow, match="goalproof revise"):
        await o.execute_goal(context, p.ExecuteParams(goal=state.goal_id))
    path.write_text("no plan at all", encoding="utf-8")
    with pytest.raises(NotPossibleNow, match="goalproof revise"):
        await o.execute_goal(context, p.ExecuteParams(goal=state.goal_id))
    path.unlink()
    assert (await o.execute_goal(context, p.ExecuteParams(goal=state.goal_id))).status != S.PLANNED


async def test_execute_takes_a_text_first_if_it_says_anything_else(
    context: Context, engine: Engine
) -> None:
    state = await create(engine, a_plan(NOTHING))
    text = (
        render_plan(state).replace(NOTHING, FIX).replace("Make sums right", "Make all sums right")
    )
    ended = await o.execute_goal(context, p.ExecuteParams(goal=state.goal_id, plan_text=text))
    assert ended.status == S.READY and ended.text == "Make all sums right in calc.py"
    causes = [entry.cause for entry in await engine.ports.store.entries(state.goal_id)]
    assert causes.count("RevisePlan") == 1
    again = await o.execute_goal(context, p.ExecuteParams(goal=state.goal_id, plan_text=text))
    assert again.status == S.READY
    other = text.replace(FIX, NOTHING)
    with pytest.raises(NotPossibleNow, match="is ready, so `revise` is not possible now"):
        await o.execute_goal(context, p.ExecuteParams(goal=state.goal_id, plan_text=other))


async def test_the_same_plan_is_no_revision(context: Context, engine: Engine) -> None:
    state = await create(engine, a_plan(FIX))
    text = "# mine\n" + render_plan(state)
    same = await o.revise_goal(context, p.ReviseParams(goal=state.goal_id, plan_text=text))
    assert (await engine.ports.read(state.goal_id)).seq == state.seq
    assert same.status == S.PLANNED


async def test_the_file_follows_a_plan_that_came_from_elsewhere(
    context: Context, engine: Engine
) -> None:
    state = await create(engine, a_plan(NOTHING))
    path = await open_plan(context, state)
    text = render_plan(state).replace(NOTHING, FIX)
    await o.revise_goal(context, p.ReviseParams(goal=state.goal_id, plan_text=text))
    revised = await engine.ports.read(state.goal_id)
    assert parse_plan(path.read_text(encoding="utf-8"), "plan") == plan_of(revised)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('id = "fix"', 'id = "fix"\nnope = 1', "nope"),
        ('gate = "tests"', 'gate = "lint"', "names the gate 'lint'"),
        (NOTHING, '{ write = "../x", content = "" }', r"names the path '\.\./x'"),
        ("steps = [", "steps = ", "is not TOML"),
    ],
)
async def test_a_plan_with_a_mistake_is_refused_and_nothing_is_lost(
    context: Context, engine: Engine, old: str, new: str, told: str
) -> None:
    state = await create(engine, a_plan(NOTHING))
    path = await open_plan(context, state)
    text = replace(path, old, new)
    with pytest.raises(BadPlan, match=told) as refused:
        await o.revise_goal(context, p.ReviseParams(goal=state.goal_id))
    assert "\n" not in refused.value.paragraph
    assert path.read_text(encoding="utf-8") == text
    assert await engine.ports.read(state.goal_id) == state


async def test_a_goal_that_no_worker_can_do_gets_a_plan(context: Context, engine: Engine) -> None:
    made = await o.plan_goal(context, p.PlanParams(text="Make sums right in calc.py"))
    state = await engine.ports.read(made.id)
    if state.status is S.PLANNED:
        pytest.fail("the words alone were enough")
    path = await open_plan(context, state)
    assert "# [[task]]" in path.read_text(encoding="utf-8")
    with pytest.raises(BadPlan, match="no task"):
        await o.revise_goal(context, p.ReviseParams(goal=made.id))
    tasks = render_plan(await create(engine, a_plan(FIX))).partition("[[criterion]]")[2]
    path.write_text(f'goal = "Sums"\n[[criterion]]{tasks}', encoding="utf-8")
    revised = await o.revise_goal(context, p.ReviseParams(goal=made.id))
    assert revised.status == S.PLANNED and revised.blocker == "" and revised.text == "Sums"
    assert (await o.execute_goal(context, p.ExecuteParams(goal=made.id))).status == S.READY


async def test_limits_stay_unless_the_plan_sets_its_own(context: Context, engine: Engine) -> None:
    text = render_plan(await create(engine, a_plan(FIX)))
    made = await o.plan_goal(context, p.PlanParams(plan_text=text, attempts=7))
    without = text.partition("# limits")[0].replace("Fix the sum", "Fix it")
    assert (
        await o.revise_goal(context, p.ReviseParams(goal=made.id, plan_text=without))
    ).budget.attempts == 7
    limited = without + "[budget]\nattempts = 3\n"
    assert (
        await o.revise_goal(context, p.ReviseParams(goal=made.id, plan_text=limited))
    ).budget.attempts == 3


async def test_once_work_has_begun_the_file_shows_what_is_followed(
    context: Context, engine: Engine
) -> None:
    state = await create(engine, a_plan(FIX))
    path = await open_plan(context, state)
    await o.execute_goal(context, p.ExecuteParams(goal=state.goal_id))
    mine = replace(path, "Fix the sum", "Mine")
    assert await open_plan(context, state) == path
    assert "work on it has begun" in path.read_text(encoding="utf-8")
    assert path.with_name("plan.edited.toml").read_text(encoding="utf-8") == mine


async def test_comments_in_a_plan_are_a_person_s_work(context: Context, engine: Engine) -> None:
    state = await create(engine, a_plan(NOTHING))
    path = await open_plan(context, state)
    mine = replace(path, NOTHING, f"# I wonder\n  {NOTHING}")
    assert (await open_plan(context, state)).read_text(encoding="utf-8") == mine
    text = render_plan(state).replace(NOTHING, FIX)
    await o.execute_goal(context, p.ExecuteParams(goal=state.goal_id, plan_text=text))
    aside = path.with_name("plan.edited.toml")
    assert aside.read_text(encoding="utf-8") == mine
    path.write_text(f"{text}# again", encoding="utf-8")
    await open_plan(context, state)
    assert aside.read_text(encoding="utf-8") == mine
    assert path.with_name("plan.edited-2.toml").read_text(encoding="utf-8").endswith("# again")


async def test_a_plan_that_nobody_changed_leaves_nothing_beside_it(
    context: Context, engine: Engine
) -> None:
    state = await create(engine, a_plan(FIX))
    path = await open_plan(context, state)
    await o.execute_goal(context, p.ExecuteParams(goal=state.goal_id))
    await open_plan(context, state)
    assert not list(path.parent.glob("plan.edited*"))


async def test_a_proof_is_opened_as_its_page(context: Context, engine: Engine) -> None:
    state = await run(engine, a_plan(FIX))
    opened = await o.open_goal(context, p.OpenParams(goal=state.goal_id, what="proof"))
    assert Path(opened.path).read_text(encoding="utf-8").startswith("#")
    planned = await create(engine, a_plan(FIX))
    wanted: dict[str, Any] = {"proof": "no proof yet", "task": "waits for you"}
    for what, told in wanted.items():
        with pytest.raises(GoalNotFound, match=told):
            await o.open_goal(context, p.OpenParams(goal=planned.goal_id, what=what))


async def test_a_plan_that_was_never_opened_says_how(context: Context, engine: Engine) -> None:
    state = await create(engine, a_plan(FIX))
    with pytest.raises(BadPlan, match=f"goalproof open {state.goal_id} plan"):
        await o.revise_goal(context, p.ReviseParams(goal=state.goal_id))
    with pytest.raises(BadPlan, match="cannot be read"):
        await o.revise_goal(context, p.ReviseParams(goal=state.goal_id, plan="gone.toml"))


async def test_the_folder_of_a_task_that_a_person_does_is_opened(
    context: Context, engine: Engine
) -> None:
    made = await o.plan_goal(
        context, p.PlanParams(text="Make the sums of calc.py right", worker="manual")
    )
    handed = asyncio.Event()
    engine.subscribe(lambda s, _: handed.set() if s.handed_over else None)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(o.execute_goal(context, p.ExecuteParams(goal=made.id)))
        await handed.wait()
        opened = await o.open_goal(context, p.OpenParams(goal=made.id, what="task"))
        assert (opened.kind, opened.what) == ("folder", "task")
        assert (Path(opened.path) / "calc.py").is_file()
        named = p.OpenParams(goal=made.id, what="task", task="work")
        assert (await o.open_goal(context, named)).path == opened.path
        with pytest.raises(GoalNotFound, match="waiting: work"):
            await o.open_goal(context, p.OpenParams(goal=made.id, what="task", task="nope"))
        log = await o.show_log(context, p.LogParams(goal=made.id))
        assert (log.task, log.live, log.text) == ("work", True, "")
        await o.cancel_goal(context, p.StopParams(goal=made.id))


async def test_a_plan_in_other_words_keeps_to_the_workers_there_are(
    context: Context, engine: Engine
) -> None:
    made = await o.plan_goal(
        context, p.PlanParams(text="Make the sums of calc.py right", worker="manual")
    )
    text = render_plan(await engine.ports.read(made.id))
    assert 'worker = "manual"' in text
    without = text.replace('worker = "manual"\n', "")
    same = await o.revise_goal(context, p.ReviseParams(goal=made.id, plan_text=without))
    assert [task.worker for task in same.tasks] == ["manual"]
    agent = text.replace('"manual"\n', '"cli"\nagent = "nobody"\n', 1)
    with pytest.raises(BadInput, match="nobody"):
        await o.revise_goal(context, p.ReviseParams(goal=made.id, plan_text=agent))
