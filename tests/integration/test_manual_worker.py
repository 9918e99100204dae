"""A person as the worker: their folder is handed over, kept through everything, and taken once."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from goal_engine.control import answer_question, cancel_goal, pause_goal, submit_task
from goal_engine.document import parse_plan
from goal_engine.engine import Engine
from goal_engine.errors import GoalAmbiguous, GoalBusy, GoalNotFound, NotPossibleNow
from goal_engine.integration import accept_criterion
from goal_engine.lifecycle import execute_goal, resume_goal
from goal_engine.planner import CreateGoalOptions, create_goal
from goal_engine.progress import find_blocker, render_progress
from goal_engine.queries import resolve_goal_proof
from goal_engine.state.commands import Record
from goal_engine.state.events import TaskHandedOver
from goal_engine.state.model import GoalState
from goal_engine.types import Decision, GoalId, GoalStatus
from goal_engine.worktree import task_folder
from tests.integration.projects import CRITERIA, GATE, a_project, fingerprint

pytestmark = pytest.mark.one_python

S = GoalStatus
ME = Decision(actor="me", reason="I looked at it")
GOAL = "Make sums right in calc.py"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return a_project(tmp_path / "project")


@pytest.fixture
def engine(project: Path) -> Iterator[Engine]:
    opened = Engine.open(project)
    yield opened
    opened.close()


def a_plan(*tasks: str):
    rows = "".join(f'[[task]]\nid = "{name}"\ntitle = "{name}"\n{more}\n' for name, more in tasks)
    return parse_plan(f'goal = "{GOAL}"\n{CRITERIA}\n{rows}', "plan.toml", "manual")


async def create(engine: Engine, plan=None) -> GoalState:
    choice = await engine.choose_gates()
    options = CreateGoalOptions(gates=choice.specs, worker="manual", plan=plan)
    return await create_goal(engine.ports, "" if plan else GOAL, options)


class Desk:
    """A person at work: waits for the folder, edits, submits."""

    def __init__(self, engine: Engine, goal: GoalId) -> None:
        self.engine, self.goal, self.handed = engine, goal, asyncio.Queue[GoalState]()
        engine.subscribe(self._see)

    def _see(self, state: GoalState, entry) -> None:
        for event in entry.events:
            if event.type == "task.handed_over":
                self.handed.put_nowait(state)

    async def folder(self, task: str = "work") -> Path:
        """Return the folder of a task once it is handed over (again)."""
        async with asyncio.timeout(60):
            state = await self.handed.get()
        assert task in state.handed_over
        path = task_folder(self.engine.state_dir, self.goal, task)
        assert state.tasks[task].folder == str(path) and path.is_dir()
        return path

    def fix(self, folder: Path) -> None:
        path = folder / "calc.py"
        path.write_text(path.read_text().replace("a - b", "a + b"))

    async def submit(self, task: str | None = None) -> GoalState:
        return await submit_task(self.engine.ports, self.goal, task, ME)

    def start(self, work=execute_goal) -> asyncio.Task[GoalState]:
        return asyncio.ensure_future(work(self.engine.ports, self.goal))


async def open_desk(engine: Engine, plan=None) -> Desk:
    state = await create(engine, plan)
    assert state.status is S.PLANNED, state.blocked
    return Desk(engine, state.goal_id)


async def test_edit_submit_and_accept_is_ready(engine: Engine, project: Path) -> None:
    before = fingerprint(project)
    desk = await open_desk(engine)
    job = desk.start()
    folder = await desk.folder()
    state = await engine.ports.read(desk.goal)
    assert state.status is S.RUNNING
    assert render_progress(state).blocker == f"waiting for you: {folder}"
    assert f"waiting for you: {folder}" in "".join(render_progress(state).lines)
    desk.fix(folder)
    await desk.submit()
    state = await job
    assert state.status is S.BLOCKED_ON_HUMAN, state.judgement
    assert not folder.exists(), "its tree was taken"
    assert state.spend.tokens == 0
    state = await accept_criterion(engine.ports, desk.goal, "accepted", ME)
    assert state.status is S.READY
    assert state.evidence is not None and state.evidence.paths == {"calc.py"}
    assert fingerprint(project) == before


async def test_a_gate_that_was_waived_keeps_no_goal_from_being_ready(tmp_path: Path) -> None:
    lint = '\n[[gate]]\nname = "lint"\nargv = ["false"]\n'
    engine = Engine.open(a_project(tmp_path / "waived", **{"goalproof.toml": GATE + lint}))
    desk = await open_desk(engine)
    state = await desk.start()
    assert state.status is S.BLOCKED_ON_HUMAN and "gate lint is red" in find_blocker(state)
    state = await answer_question(engine.ports, desk.goal, "gate:lint", "optional", ME)
    assert "`resume` goes on" in find_blocker(state)
    job = desk.start(resume_goal)
    desk.fix(await desk.folder())
    await desk.submit()
    state = await job
    assert state.status is S.BLOCKED_ON_HUMAN, state.judgement
    state = await accept_criterion(engine.ports, desk.goal, "accepted", ME)
    assert state.status is S.READY, state.judgement
    assert state.judgement is not None
    assert [v.criterion.id for v in state.judgement.criteria] == ["tests-holds", "accepted"]
    assert [v.met for v in state.judgement.gates if v.gate == "lint"] == [False]
    page = await resolve_goal_proof(engine.ports, desk.goal) / "proof.md"
    assert "| lint | **no**, waived by a person |" in page.read_text(encoding="utf-8")
    engine.close()


async def test_a_pause_keeps_the_edits_and_resume_goes_on_in_the_same_folder(
    engine: Engine,
) -> None:
    desk = await open_desk(engine, a_plan(("work", "")))
    job = desk.start()
    folder = await desk.folder()
    desk.fix(folder)
    (folder / "untracked").write_text("mine")
    paused = await pause_goal(engine.ports, desk.goal, ME)
    assert (await job).status is paused.status is S.PAUSED
    assert paused.tasks["work"].folder == str(folder)
    with pytest.raises(NotPossibleNow, match="`resume` it, then `submit`"):
        await desk.submit()
    assert (folder / "untracked").read_text() == "mine"

    job = desk.start(resume_goal)
    assert await desk.folder() == folder
    assert (folder / "untracked").read_text() == "mine"
    await desk.submit()
    state = await job
    assert state.status is S.READY, state.judgement
    assert state.evidence is not None and state.evidence.paths == {"calc.py", "untracked"}


async def test_a_server_that_shuts_down_keeps_the_edits(engine: Engine) -> None:
    desk = await open_desk(engine)
    job = desk.start()
    folder = await desk.folder()
    desk.fix(folder)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert (await engine.ports.read(desk.goal)).status is S.PAUSED
    assert "a + b" in (folder / "calc.py").read_text()


async def test_a_red_gate_gives_the_task_back_on_what_was_done(engine: Engine) -> None:
    desk = await open_desk(engine, a_plan(("work", "")))
    job = desk.start()
    folder = await desk.folder()
    (folder / "notes").write_text("half of it")
    await desk.submit()
    assert (await job).status is S.NOT_READY
    job = desk.start()
    folder = await desk.folder()
    assert (folder / "notes").read_text() == "half of it"
    desk.fix(folder)
    await desk.submit()
    state = await job
    assert state.status is S.READY, state.judgement
    assert state.evidence is not None and state.evidence.paths == {"calc.py", "notes"}


async def test_work_that_cannot_be_taken_is_not_lost(engine: Engine) -> None:
    desk = await open_desk(engine, a_plan(("work", 'writes = ["calc.py"]')))
    job = desk.start()
    folder = await desk.folder()
    desk.fix(folder)
    (folder / "other.py").write_text("x = 1\n")
    await desk.submit()
    state = await job
    assert state.status is S.NOT_READY
    assert "other.py" in state.tasks["work"].reason
    job = desk.start()
    assert await desk.folder() == folder
    (folder / "other.py").unlink()
    await desk.submit()
    assert (await job).status is S.READY
    assert not folder.exists()


async def test_a_cancel_keeps_a_folder_that_was_worked_in_and_names_it(engine: Engine) -> None:
    desk = await open_desk(engine)
    job = desk.start()
    folder = await desk.folder()
    desk.fix(folder)
    state = await cancel_goal(engine.ports, desk.goal, ME)
    await job
    assert state.status is S.CANCELLED
    assert state.tasks["work"].folder == str(folder)
    assert "a + b" in (folder / "calc.py").read_text()


@pytest.mark.parametrize("paused", [False, True])
async def test_a_cancel_removes_a_folder_that_nobody_touched(engine: Engine, paused: bool) -> None:
    desk = await open_desk(engine)
    job = desk.start()
    folder = await desk.folder()
    if paused:
        await pause_goal(engine.ports, desk.goal, ME)
    state = await cancel_goal(engine.ports, desk.goal, ME)
    await job
    assert state.status is S.CANCELLED
    assert state.tasks["work"].folder is None and not folder.exists()


@pytest.mark.parametrize("words", [["stash"], ["commit", "-am", "half of it"]])
async def test_a_cancel_keeps_a_folder_whose_own_git_holds_work(
    engine: Engine, words: list[str]
) -> None:
    desk = await open_desk(engine)
    job = desk.start()
    folder = await desk.folder()
    desk.fix(folder)
    git(folder, *words)
    if words != ["stash"]:
        git(folder, "checkout", "-q", "HEAD~1", "--", ".")
    state = await cancel_goal(engine.ports, desk.goal, ME)
    await job
    assert state.tasks["work"].folder == str(folder) and folder.is_dir()


async def test_stashed_changes_are_not_lost_by_submitting(engine: Engine) -> None:
    desk = await open_desk(engine, a_plan(("work", "")))
    job = desk.start()
    folder = await desk.folder()
    desk.fix(folder)
    git(folder, "stash")
    with pytest.raises(NotPossibleNow, match="has stashed changes"):
        await desk.submit()
    git(folder, "stash", "pop")
    await desk.submit()
    assert (await job).status is S.READY


def git(folder: Path, *words: str) -> None:
    me = ["-c", "user.name=me", "-c", "user.email=me@localhost"]
    subprocess.run(["git", *me, "-C", str(folder), *words], check=True, capture_output=True)


async def test_work_that_does_not_merge_is_not_lost(engine: Engine) -> None:
    plan = a_plan(("one", 'writes = ["calc.py", "notes"]'), ("two", 'writes = ["notes/more"]'))
    desk = await open_desk(engine, plan)
    job = desk.start()
    async with asyncio.timeout(60):
        await desk.handed.get()
        await desk.handed.get()
    one, two = (task_folder(engine.state_dir, desk.goal, name) for name in ("one", "two"))
    desk.fix(one)
    (one / "notes").write_text("a file where the other has a folder")
    (two / "notes").mkdir()
    (two / "notes/more").write_text("hours of work")
    await desk.submit("one")
    await desk.submit("two")
    state = await job
    assert state.status is S.NOT_READY and not one.exists()
    assert "does not merge" in state.tasks["two"].reason
    assert state.tasks["two"].folder == str(two)
    assert (two / "notes/more").read_text() == "hours of work"


async def test_a_cancel_waits_for_whoever_begins_with_the_goal(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the goal was cancelled and its folder removed while another process handed it over."""
    desk = await open_desk(engine)
    job = desk.start()
    folder = await desk.folder()
    await pause_goal(engine.ports, desk.goal, ME)
    await job
    monkeypatch.setattr("goal_engine.control.PATIENCE", 0.5)
    busy = pytest.raises(GoalBusy, match="`cancel` the goal when it is over. Nothing was asked")
    with engine.ports.store.runner_lock(desk.goal), busy:
        await cancel_goal(engine.ports, desk.goal, ME)
    assert (await engine.ports.read(desk.goal)).status is S.PAUSED and folder.is_dir()
    assert (await cancel_goal(engine.ports, desk.goal, ME)).status is S.CANCELLED


async def test_what_was_copied_for_the_gates_is_nobodys_work(tmp_path: Path) -> None:
    copies = f'{GATE}\n[workspace]\ncopy = ["local.*"]\n'
    project = a_project(tmp_path / "copies", **{"goalproof.toml": copies})
    (project / "local.ini").write_text("mine = 1\n")
    engine = Engine.open(project)
    choice = await engine.choose_gates()
    options = CreateGoalOptions(
        gates=choice.specs, copies=choice.copies, plan=a_plan(("work", "")), worker="manual"
    )
    state = await create_goal(engine.ports, "", options)
    desk = Desk(engine, state.goal_id)
    job = desk.start()
    folder = await desk.folder()
    assert (folder / "local.ini").read_text() == "mine = 1\n"
    await pause_goal(engine.ports, desk.goal, ME)
    await job
    job = desk.start(resume_goal)
    await desk.folder()
    desk.fix(folder)
    await desk.submit()
    state = await job
    assert state.status is S.READY, state.judgement
    assert state.evidence is not None and state.evidence.paths == {"calc.py"}
    engine.close()


async def test_the_time_that_a_person_takes_is_not_the_goals(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = a_plan(("work", ""))
    desk = await open_desk(engine, plan.changed(budget=plan.budget.changed(wall_seconds=600)))
    loop, store = asyncio.get_running_loop(), engine.ports.store
    real_time, real_head = loop.time, store.head
    hours, looks = [0.0], asyncio.Queue[None]()

    async def head(goal: GoalId):
        found = await real_head(goal)
        looks.put_nowait(None)
        return found

    monkeypatch.setattr(loop, "time", lambda: real_time() + hours[0] * 3600)
    monkeypatch.setattr(store, "head", head)
    job = desk.start()
    folder = await desk.folder()
    for _ in range(6):
        hours[0] += 0.1
        for _ in range(looks.qsize() + 8):
            await looks.get()
    desk.fix(folder)
    await desk.submit()
    state = await job
    assert state.status is S.READY, state.blocked
    assert state.spend.wall_ms < 600_000


async def test_several_people_s_tasks_are_submitted_by_name(engine: Engine) -> None:
    plan = a_plan(("one", 'writes = ["calc.py"]'), ("two", 'writes = ["notes"]'))
    desk = await open_desk(engine, plan.changed(budget=plan.budget.changed(max_agents=1)))
    job = desk.start()
    async with asyncio.timeout(60):
        await desk.handed.get()
        both = await desk.handed.get()
    assert both.handed_over == ("one", "two"), "a person takes no agent's place"
    with pytest.raises(GoalAmbiguous, match="one, two"):
        await desk.submit()
    with pytest.raises(GoalNotFound, match="three"):
        await desk.submit("three")
    desk.fix(task_folder(engine.state_dir, desk.goal, "one"))
    await desk.submit("one")
    with pytest.raises(NotPossibleNow, match="task one does not wait"):
        await desk.submit("one")
    await desk.submit()
    assert (await job).status is S.READY


async def test_submit_is_refused_where_nothing_waits(engine: Engine) -> None:
    desk = await open_desk(engine)
    with pytest.raises(
        NotPossibleNow, match=r"is planned.* no task waits for you\. Possible: exec"
    ):
        await desk.submit()


async def test_a_folder_that_a_journal_invents_is_never_looked_at(
    engine: Engine, tmp_path: Path
) -> None:
    """A journal lies in the repository's reach; where work is taken and removed is computed."""
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "secret").write_text("mine")
    desk = await open_desk(engine)
    job = desk.start()
    folder = await desk.folder()
    lie = TaskHandedOver(task="work", attempt=1, folder=str(victim))
    await engine.ports.transact(desk.goal, Record((lie,)))
    await desk.submit()
    state = await job
    assert (victim / "secret").read_text() == "mine"
    assert not folder.exists()
    assert state.evidence is not None and "secret" not in state.evidence.paths


def goalproof(project: Path, *words: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-m", "goal_server", "--trust", "--json", *words, "-C", str(project)],
        capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    shown: dict[str, object] = json.loads(done.stdout)
    return shown


def test_a_runner_that_is_killed_keeps_the_edits(project: Path) -> None:
    command = [sys.executable, "-m", "goal_server", "--trust"]
    run = [*command, "run", GOAL, "--worker", "manual", "-C", str(project)]
    with subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as runner:
        assert runner.stderr is not None
        line = next(line for line in runner.stderr if b"waiting for you" in line).decode()
        folder = Path(line.partition("files in ")[2].partition(",")[0])
        assert "goalproof submit goal-" in line
        (folder / "calc.py").write_text(
            "def add(a, b):\n    return a + b\n\n\ndef double(a):\n    return 2 * a\n"
        )
        shown = goalproof(project, "show", "latest")
        assert shown["tasks"][0]["folder"] == str(folder)  # type: ignore[index]
        assert str(shown["next"][0]).startswith("goalproof")  # type: ignore[index]
        assert " submit " in str(shown["next"][0])  # type: ignore[index]
        runner.send_signal(signal.SIGKILL)
    shown = goalproof(project, "submit", "latest")
    assert "resume" in str(shown["error"]["message"])  # type: ignore[index]
    resumed = [*command, "resume", "latest", "-C", str(project)]
    with subprocess.Popen(resumed, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as runner:
        assert runner.stderr is not None
        line = next(line for line in runner.stderr if b"waiting for you" in line).decode()
        assert str(folder) in line
        assert "a + b" in (folder / "calc.py").read_text()
        assert goalproof(project, "submit", "latest")["status"] == "running"
        assert runner.wait(60) == 3, "it waits for the person's acceptance"
    accepted = goalproof(project, "accept", "latest", "accepted", "--reason", "I did it")
    assert accepted["status"] == "ready", accepted
