"""A task's agent goes on in its session whatever became of the runner; what it keeps for that goes with the goal."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from goal_engine.control import archive_goal, cancel_goal, pause_goal
from goal_engine.delivery.local import deliver_local
from goal_engine.document import parse_plan
from goal_engine.engine import Engine
from goal_engine.freeing import free_room
from goal_engine.lifecycle import execute_goal, recover_goal, resume_goal
from goal_engine.state.model import GoalState
from goal_engine.takeover import SESSIONS, sessions_folder
from goal_engine.types import Decision, GoalId, GoalStatus, WorkerName
from tests.conftest import GIT_CONFIG
from tests.integration.agents import wait_until
from tests.integration.projects import CALC, CRITERIA, FIX, a_plan, a_project, create, run
from tests.personal import set_sandbox

pytestmark = pytest.mark.one_python

S = GoalStatus
ME = Decision(actor="me", reason="lunch")
FAKE = Path(__file__).with_name("session_agent.py")
REMEMBERS = "You may remember"
GOAL = GoalId("goal-20260102-030405-006-0123abcd")
both = pytest.mark.parametrize("worker", ["acp", "wire"])
everywhere = pytest.mark.parametrize("sandbox", [True, False], ids=["sandbox", "open"])


class Person:
    """Somebody who has one agent, and a project."""

    def __init__(self, home: Path, engine: Engine) -> None:
        self.own = home / ".kimi"
        self.engine, self.ports = engine, engine.ports

    @property
    def transcripts(self) -> list[Path]:
        """What the agent has of its sessions, wherever that is."""
        places = (self.own, self.engine.state_dir / SESSIONS)
        return [path for place in places for path in place.rglob("context.jsonl")]

    def read_again(self) -> tuple[list[str], str, str]:
        """Return what the agent remembered in its second turn, what it was told, and the file it found."""
        before, prompt, calc = json.loads((self.own / "again.json").read_text())
        return before, prompt, calc

    async def create(self, worker: WorkerName) -> GoalState:
        """Create a goal for the agent."""
        plan = parse_plan(
            f'goal = "Make sums right"\nkind = "fix"\n{CRITERIA}\n[[task]]\nid = "fix"\n'
            f'title = "Fix"\nworker = "{worker}"\nagent = "mine"\nwrites = ["calc.py"]\n',
            "plan.toml",
        )
        return await create(self.engine, plan)

    async def pause(self, goal_id: GoalId) -> GoalState:
        """Have the goal run until the agent is at work, and pause it."""
        job = asyncio.ensure_future(execute_goal(self.ports, goal_id))
        await asyncio.to_thread(wait_until, (self.own / "begun").exists)
        await pause_goal(self.ports, goal_id, ME)
        return await job

    async def kill(self, goal_id: GoalId) -> GoalState:
        """Have another process run the goal until the agent is at work, and kill that process."""
        await asyncio.to_thread(self._kill, goal_id)
        return await recover_goal(self.ports, goal_id)

    def _kill(self, goal_id: GoalId) -> None:
        where = ("--trust", "-C", str(self.engine.checkout))
        words = (sys.executable, "-m", "goal_server", *where, "execute", goal_id)
        with subprocess.Popen(words, stdout=subprocess.DEVNULL) as runner:
            wait_until((self.own / "begun").exists)
            runner.kill()

    async def read_log(self, state: GoalState) -> str:
        """Return the log of the agent's last turn."""
        log = state.tasks["fix"].log
        return (await self.ports.store.read_object(log)).decode() if log else ""


Meet = Callable[[bool], Person]


@pytest.fixture
def meet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Meet]:
    """Meets the person, who works in a sandbox or without one."""
    made: list[Engine] = []

    def meet_person(sandbox: bool) -> Person:
        home = tmp_path / "home"
        (home / ".kimi" / "sessions").mkdir(parents=True)
        (home / ".gitconfig").write_text(GIT_CONFIG)
        monkeypatch.setenv("HOME", str(home))
        if sandbox:
            request.getfixturevalue("confined")
        else:
            set_sandbox(tmp_path / "config", "off")
            monkeypatch.setenv("GOALPROOF_CONFIG_DIR", str(tmp_path / "config"))
        config = Path(os.environ["GOALPROOF_CONFIG_DIR"])
        script = tmp_path / FAKE.name
        script.write_bytes(FAKE.read_bytes())
        start = [sys.executable, "-I", str(script), str(home / ".kimi")]
        ways = {"wire": json.dumps([*start, "--wire"]), "acp": json.dumps([*start, "acp"])}
        lines = "".join(f"{way} = {argv}\n" for way, argv in ways.items())
        (config / "agents.toml").write_text(f'[agent.mine]\n{lines}folders = ["~/.kimi"]\n')
        made.append(Engine.open(a_project(tmp_path / "project")))
        return Person(home, made[-1])

    yield meet_person
    for engine in made:
        engine.close()


@both
@everywhere
@pytest.mark.parametrize("stop", [Person.pause, Person.kill], ids=["pause", "kill"])
async def test_it_goes_on_in_its_session(
    meet: Meet, worker: WorkerName, sandbox: bool, stop: Callable
) -> None:
    me = meet(sandbox)
    state = await me.create(worker)
    state = await stop(me, state.goal_id)
    assert state.status is S.PAUSED, state.blocked
    (left,) = me.transcripts
    assert left.is_relative_to(me.own) is not sandbox
    state = await resume_goal(me.ports, state.goal_id)
    assert state.status is S.READY, await me.read_log(state)
    (first,), prompt, calc = me.read_again()
    assert "Make sums right" in first and REMEMBERS not in first
    assert REMEMBERS in prompt and calc == CALC, "its files are as they were before it"
    if sandbox:
        assert me.transcripts == [], "what is done, nobody goes on with"


@both
@everywhere
async def test_one_that_lost_its_session_is_not_told_that_it_remembers(
    meet: Meet, worker: WorkerName, sandbox: bool
) -> None:
    me = meet(sandbox)
    state = await me.pause((await me.create(worker)).goal_id)
    for path in me.transcripts:
        path.unlink()
    state = await resume_goal(me.ports, state.goal_id)
    assert state.status is S.READY, await me.read_log(state)
    before, prompt, _ = me.read_again()
    assert before == [] and REMEMBERS not in prompt
    assert "its earlier session is gone" in await me.read_log(state)


@both
@everywhere
async def test_a_torn_session_keeps_no_goal_from_going_on(
    meet: Meet, worker: WorkerName, sandbox: bool
) -> None:
    """The agent ends when it reads it, each time."""
    me = meet(sandbox)
    state = await me.kill((await me.create(worker)).goal_id)
    (left,) = me.transcripts
    left.write_bytes(left.read_bytes()[:-10])
    state = await resume_goal(me.ports, state.goal_id)
    assert state.status is S.READY, await me.read_log(state)
    before, prompt, _ = me.read_again()
    assert before == [] and REMEMBERS not in prompt
    assert "begins a new one" in await me.read_log(state)


@pytest.mark.parametrize("end", [cancel_goal, archive_goal])
async def test_what_was_kept_goes_when_nobody_will_go_on(meet: Meet, end: Callable) -> None:
    me = meet(True)
    state = await me.pause((await me.create("wire")).goal_id)
    assert len(me.transcripts) == 1
    await end(me.ports, state.goal_id, ME)
    assert me.transcripts == [] and list((me.engine.state_dir / SESSIONS).iterdir()) == []


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = Engine.open(a_project(tmp_path / "project"))
    yield opened
    opened.close()


def leave(engine: Engine, goal_id: GoalId) -> Path:
    """Leave something of a session, as a runner does that is killed."""
    folder = sessions_folder(engine.state_dir, goal_id) / "task"
    folder.mkdir(parents=True)
    (folder / "context.jsonl").write_bytes(b"x" * 5000)
    return folder


async def test_what_is_kept_goes_with_the_delivery(engine: Engine) -> None:
    state = await run(engine, a_plan(FIX))
    folder = leave(engine, state.goal_id)
    assert (await deliver_local(engine.ports, state.goal_id)).status is S.DELIVERED
    assert not folder.exists()


async def test_what_cannot_be_let_go_keeps_no_goal_from_its_end(engine: Engine) -> None:
    state = await create(engine, a_plan(FIX))
    (engine.state_dir / SESSIONS).touch()
    assert (await cancel_goal(engine.ports, state.goal_id, ME)).status is S.CANCELLED


async def test_room_is_freed_of_what_goals_that_are_over_left_and_of_no_other(
    engine: Engine, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "key").touch()
    going, over = [await create(engine, a_plan(FIX)) for _ in range(2)]
    await cancel_goal(engine.ports, over.goal_id, ME)
    kept = leave(engine, going.goal_id)
    gone = [leave(engine, over.goal_id), leave(engine, GOAL)]
    (gone[0] / "link").symlink_to(theirs)

    async def look(*, do: bool) -> int:
        freed = await free_room(engine.ports, "me", do=do)
        (found,) = [found for kind, found in freed.found if kind.name == "sessions"]
        assert found.size >= 10_000 * found.count / 2
        return found.count

    assert await look(do=False) == 2 and all(path.exists() for path in gone)
    assert await look(do=True) == 2 and not any(path.exists() for path in gone)
    assert await look(do=True) == 0
    assert kept.exists() and (theirs / "key").exists()
