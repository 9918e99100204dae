"""A person beside a turn: what its agent asks of them, and what they say to it; time is the loop's own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest

from goal_engine.budget import COSTS_NOTHING, Reports, TaskBudget
from goal_engine.consulting import answer_reader
from goal_engine.control import answer_question, tell_agent
from goal_engine.dispatch.tasks.asking import (
    LATE,
    LONG,
    LOOK,
    OVER,
    TOO_LONG,
    Beside,
    find_ground,
    hide_secrets,
)
from goal_engine.dispatch.tasks.turns import run_turn
from goal_engine.errors import BadInput, GoalAmbiguous, GoalNotFound, NotPossibleNow
from goal_engine.history.sentences import tell_event
from goal_engine.metering import Meter
from goal_engine.permission import (
    BRIEF,
    MOST_ASKS,
    MOST_WORDS,
    SHOWN,
    Action,
    Answer,
    Ask,
    Ground,
    Permissions,
    Presence,
    find_answer,
    say_ask,
    shorten_ask,
)
from goal_engine.ports import TurnResult, WorkerTurn
from goal_engine.progress import render_progress
from goal_engine.redaction import Redactor
from goal_engine.state import commands as c
from goal_engine.state import events as e
from goal_engine.state.memory import InMemoryGoalStateStore
from goal_engine.state.model import GoalState
from goal_engine.state.store import transact
from goal_engine.task_graph.graph import GoalTask
from tests.builders import BASE, GOAL, ME, StoppedClock, a_goal_created, planned
from tests.simulation.loop import SimLoop

PUSH = Ask(tool="Bash", action=Action.EXECUTE, detail="git push origin 'x'")
WHICH = Ask(tool="Ask", action=Action.QUESTION, detail="Which?", choices=("Postgres", "SQLite"))
FIX = GoalTask(id="fix", title="Fix", worker="acp", agent="kimi")
STARTED = e.TaskStarted(task="fix", attempt=1, base_commit=BASE)


@dataclass
class Room:
    """One goal that runs, in memory, with a person beside its one attempt."""

    loop: SimLoop
    permissions: Permissions = Permissions(level="ask", timeout=60)
    redactor: Redactor = Redactor()
    store: InMemoryGoalStateStore = field(default_factory=InMemoryGoalStateStore)
    clock: StoppedClock = StoppedClock()
    task: GoalTask = FIX
    presence: Presence = field(default_factory=Presence)

    def __post_init__(self) -> None:
        self.do(self.transact(GOAL, c.CreateGoal(a_goal_created(), planned(self.task))))
        self.do(self.transact(GOAL, c.StartGoal()))
        self.do(self.transact(GOAL, c.Record((STARTED,))))
        self.sit_down(1)

    def sit_down(self, attempt: int) -> None:
        self.beside = Beside(
            self,  # type: ignore[arg-type]  # what it needs of the ports
            GOAL,
            self.task,
            attempt,
            self.permissions,
            Ground("/ws"),
            self.redactor,
            self.presence,
        )

    def do(self, work: Awaitable[Any]) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(work, 1000))

    async def transact(self, goal: Any, command: c.Command) -> GoalState:
        return await transact(self.store, goal, command, self.clock)

    async def read(self, goal: Any) -> GoalState:
        return (await self.store.head(goal))[0]

    @property
    def state(self) -> GoalState:
        return self.do(self.read(GOAL))

    async def until_asked(self, number: int = 1) -> GoalState:
        while len((state := await self.read(GOAL)).open_asks) < number:  # noqa: ASYNC110 - as an editor would
            await asyncio.sleep(0.1)
        return state

    async def say(self, text: str) -> None:
        """Answer what is asked first."""
        state = await self.until_asked()
        await self.answer(state.open_asks[0].key, text)

    async def answer(self, key: str, text: str = "allow") -> None:
        ports: Any = self
        await answer_question(ports, GOAL, key, text, ME)

    async def tell(self, text: str = "hello", task: str | None = None) -> None:
        ports: Any = self
        await tell_agent(ports, GOAL, text, task, "me")

    async def ask_and(self, ask: Ask, then: Awaitable[object]) -> Answer:
        answer, _ = await asyncio.gather(self.beside.ask(ask), then)
        return answer

    @property
    def events(self) -> list[str]:
        entries = self.do(self.store.entries(GOAL))
        return [event.type for entry in entries[3:] for event in entry.events]


@pytest.fixture
def open_room() -> Any:
    rooms: list[Room] = []

    def make(**changes: Any) -> Room:
        rooms.append(Room(SimLoop(Random(7)), **changes))
        return rooms[-1]

    yield make
    for room in rooms:
        room.loop.bury()


Make = Callable[..., Room]


def test_what_the_policy_decides_is_no_event(open_room: Make) -> None:
    room = open_room(permissions=Permissions())
    assert room.do(room.beside.ask(Ask(tool="Bash", action="execute", detail="pytest"))).allowed
    assert not room.do(room.beside.ask(PUSH)).allowed
    assert room.events == []


@pytest.mark.parametrize(
    ("ask", "said", "answer"),
    [
        (PUSH, "allow", Answer(allowed=True, by="person")),
        (PUSH, "Yes", Answer(allowed=True, by="person")),
        (PUSH, "deny: open a branch", Answer(allowed=False, by="person", reason="open a branch")),
        (WHICH, "SQLite", Answer(allowed=True, by="person", reason="SQLite")),
        (WHICH, "allow", Answer(allowed=True, by="person", reason="allow")),
    ],
)
def test_a_person_answers_by_the_journal(
    open_room: Make, ask: Ask, said: str, answer: Answer
) -> None:
    room = open_room()
    assert room.do(room.ask_and(ask, room.say(said))) == answer
    assert room.events == ["permission.asked", "permission.answered"]
    assert room.state.open_asks == ()
    (decided,) = room.state.decisions
    assert decided.verb == ("allow" if answer.allowed else "deny") and decided.decision == ME


def test_while_it_is_asked_everybody_is_told_what(open_room: Make) -> None:
    room = open_room()

    async def look() -> None:
        state = await room.until_asked()
        shown = render_progress(state)
        assert shown.blocker == "an agent asks you: Bash: git push origin 'x'"
        assert "? fix: Bash: git push origin 'x'" in shown.lines
        assert state.only_waits_for_person
        await room.say("allow")

    room.do(room.ask_and(PUSH, look()))
    assert render_progress(room.state).blocker == ""
    assert not room.state.only_waits_for_person


def test_nobody_answers_in_time(open_room: Make) -> None:
    room = open_room()
    before = room.loop.time()
    assert room.do(room.beside.ask(PUSH)) == LATE
    assert 60 <= room.loop.time() - before < 61
    assert room.do(room.beside.ask(PUSH)) == LATE, "asked again nobody has to wait again"
    assert room.loop.time() - before < 62
    assert room.events == ["permission.asked", "permission.answered"]
    assert room.state.decisions == ()
    with pytest.raises(NotPossibleNow, match="no agent asks leave"):
        room.do(room.answer(PUSH.key))


def test_an_answer_is_to_what_was_asked_and_to_nothing_else(open_room: Make) -> None:
    room = open_room()
    other = PUSH.changed(detail="git push --force origin 'x'")

    async def misunderstand() -> None:
        await room.until_asked()
        with pytest.raises(GoalNotFound, match=PUSH.key):
            await room.answer(other.key)
        for key in ("", PUSH.key[:7]):
            with pytest.raises(BadInput, match=f"too short .*{PUSH.key}"):
                await room.answer(key)
        with pytest.raises(BadInput, match="allow"):
            await room.answer(PUSH.key, "maybe")
        await room.answer(PUSH.key[:8])
        with pytest.raises(NotPossibleNow):
            await room.answer(PUSH.key)

    assert room.do(room.ask_and(PUSH, misunderstand())).allowed


def test_two_wait_at_once_and_the_same_ask_is_put_once(open_room: Make) -> None:
    room = open_room()

    async def answer_both() -> None:
        await room.until_asked(2)
        await room.answer(WHICH.key, "SQLite")
        await room.answer(PUSH.key)

    async def ask() -> list[Answer]:
        asks = (room.beside.ask(one) for one in (PUSH, WHICH, PUSH))
        answers = await asyncio.gather(*asks, answer_both())
        return list(answers[:3])

    first, second, third = room.do(ask())
    assert first.allowed and third == first and second.reason == "SQLite"
    assert room.events.count("permission.asked") == 2


def test_an_attempt_that_is_over_waits_for_nobody(open_room: Make) -> None:
    room = open_room()

    async def pause() -> None:
        await room.until_asked()
        await room.transact(GOAL, c.StopGoal(e.ControlKind.PAUSE, "lunch"))

    assert room.do(room.ask_and(PUSH, pause())) == OVER
    assert room.state.open_asks == ()
    with pytest.raises(NotPossibleNow):
        room.do(room.answer(PUSH.key))


def test_what_its_agent_takes_back_is_asked_no_more(open_room: Make) -> None:
    room = open_room()

    async def take_back() -> None:
        asking = [asyncio.ensure_future(room.beside.ask(one)) for one in (PUSH, PUSH, WHICH)]
        await room.until_asked(2)
        for first in (0, 2):
            asking[first].cancel()
        await asyncio.wait(asking[2:])
        assert [one.key for one in (await room.read(GOAL)).open_asks] == [PUSH.key]
        with pytest.raises(GoalNotFound, match="taken back"):
            await room.answer(WHICH.key, "SQLite")
        asking[1].cancel()
        await asyncio.wait(asking)
        assert all(one.cancelled() for one in asking)

    room.do(take_back())
    assert room.state.open_asks == () and room.state.decisions == ()
    with pytest.raises(NotPossibleNow, match="no agent asks leave"):
        room.do(room.answer(PUSH.key))
    last = room.do(room.store.entries(GOAL))[-1].events[-1]
    assert tell_event(last) == "the agent of task fix waited no more for what it had asked"
    assert room.do(room.ask_and(PUSH, room.say("allow"))).allowed, "it may be asked again"


def test_who_is_not_there_is_waited_for_once(open_room: Make) -> None:
    """Each different ask of a tool that no policy knows waited as long as the first."""
    room = open_room(permissions=Permissions(timeout=300))
    tool = Ask(tool="mcp__db__query", action=Action.OTHER, detail="select 1")
    asks = [tool.changed(detail=f"select {number}") for number in range(5)]
    begun = room.loop.time()
    answers = [room.do(room.beside.ask(ask)) for ask in (*asks, *asks)]
    assert {(one.allowed, one.by) for one in answers} == {(False, "timeout")}
    assert 300 + 4 * BRIEF <= room.loop.time() - begun < 300 + 5 * BRIEF
    assert room.events.count("permission.asked") == len(asks)
    assert not any("settings.toml" in one.reason for one in answers), "its agent is not told"
    last = tell_event(room.do(room.store.entries(GOAL))[-1].events[-1])
    assert '`permissions_allow = ["other: mcp__db__query"]` allows it from now on' in last
    room.do(room.ask_and(tool.changed(detail="select 9"), room.say("allow")))
    begun = room.loop.time()
    room.do(room.beside.ask(tool.changed(detail="select 10")))
    assert room.loop.time() - begun >= 300, "a person was there since"


def test_what_nobody_answered_is_asked_in_no_other_attempt_of_the_run(open_room: Make) -> None:
    room = open_room()
    assert room.do(room.beside.ask(PUSH)).by == "timeout"
    other = open_room(presence=room.presence)
    assert other.do(other.beside.ask(PUSH)).by == "timeout" and other.events == []


def test_where_nobody_is_to_be_waited_for_the_answer_is_no_at_once(open_room: Make) -> None:
    room = open_room(permissions=Permissions(level="ask", timeout=0))
    begun = room.loop.time()
    assert room.do(room.beside.ask(PUSH)).by == "timeout"
    assert room.loop.time() - begun < 1 and room.events[0] == "permission.asked"


def test_a_secret_is_no_pattern(open_room: Make) -> None:
    room = open_room(redactor=Redactor.of(["hunter2-hunter2"]))
    room.do(room.beside.ask(PUSH.changed(detail="curl -u hunter2-hunter2 x")))
    last = tell_event(room.do(room.store.entries(GOAL))[-1].events[-1])
    assert "it is not asked again" in last and "permissions_allow" not in last


def test_there_is_an_end_to_asking(open_room: Make) -> None:
    room = open_room(permissions=Permissions(level="ask", timeout=0.01))
    asks = [PUSH.changed(detail=f"git push {number}") for number in range(MOST_ASKS + 1)]
    answers = [room.do(room.beside.ask(ask)) for ask in asks]
    assert {answer.by for answer in answers[:-1]} == {"timeout"} and answers[-1].by == "policy"
    assert room.events.count("permission.asked") == MOST_ASKS
    assert len(room.state.asks) <= MOST_ASKS
    assert room.do(room.beside.ask(PUSH.changed(detail="x" * LONG))) == TOO_LONG


def test_a_secret_and_what_hides_is_not_shown(open_room: Make) -> None:
    room = open_room(redactor=Redactor.of(["hunter2-hunter2"]))
    ask = PUSH.changed(
        detail="curl -u hunter2-hunter2 \x1b[2Jx\u202e\nls", paths=("hunter2-hunter2",)
    )
    room.do(room.ask_and(ask, room.say("allow")))
    journal = room.store.journals[GOAL].decode()
    assert "hunter2" not in journal
    shown = hide_secrets(ask, room.redactor)
    assert "\x1b" not in shown.detail and "\u202e" not in shown.detail
    assert " ⏎ ls" in say_ask(shown), "a second command does not look like a word of the first"


def test_what_is_long_is_shown_from_both_ends() -> None:
    ask = PUSH.changed(detail="a" * SHOWN + "rm -rf x", choices=("c",) * 99, paths=("p" * 999,))
    shown = shorten_ask(ask)
    assert shown.detail.endswith("rm -rf x") and " … 8 characters … " in shown.detail
    assert len(shown.detail) < SHOWN + 50 and len(shown.paths[0]) < 999 and len(shown.choices) < 99
    assert shorten_ask(PUSH) == PUSH


def test_what_is_said_reaches_the_agent_once_and_the_next_one_too(open_room: Make) -> None:
    room = open_room()

    async def hear() -> list[str]:
        async with room.beside.listening():
            for text in ("mind the tests", "and the docs"):
                await room.tell(text)
            return [await room.beside.words.get() for _ in range(2)]

    assert room.do(hear()) == ["mind the tests", "and the docs"]
    assert room.events == ["word.said", "word.said"]
    room.do(room.transact(GOAL, c.StopGoal(e.ControlKind.PAUSE, "lunch")))
    room.do(room.transact(GOAL, c.ResumeGoal()))
    room.do(room.transact(GOAL, c.Record((STARTED.changed(attempt=2),))))
    room.sit_down(2)
    assert room.do(hear()) == ["mind the tests", "and the docs"]
    assert room.beside.words.qsize() == 2


def test_who_catches_up_has_what_was_said_by_then_and_has_it_once(open_room: Make) -> None:
    room = open_room()

    async def catch_up() -> list[str]:
        found = []
        async with room.beside.listening():
            for text in ("mind the tests", "and the docs"):
                await room.tell(text)
                await asyncio.gather(*(room.beside.catch_up() for _ in range(3)))
                found.append(room.beside.words.get_nowait())
            await asyncio.sleep(10 * LOOK)  # of the simulated clock
        return found

    assert room.do(catch_up()) == ["mind the tests", "and the docs"]
    assert room.beside.words.empty()


def test_who_cannot_hear_catches_up_with_nothing(open_room: Make) -> None:
    room = open_room(task=GoalTask(id="fix", title="Fix", worker="cli", agent="kimi"))
    room.do(room.transact(GOAL, c.Record((e.WordSaid(task="fix", attempt=1, text="hello"),))))
    room.do(room.beside.catch_up())
    assert room.beside.words.empty()


def test_who_cannot_hear_is_told_nothing(open_room: Make) -> None:
    room = open_room(task=GoalTask(id="fix", title="Fix", worker="cli", agent="kimi"))

    with pytest.raises(NotPossibleNow, match="no agent works that can hear it"):
        room.do(room.tell())
    room = open_room()
    with pytest.raises(GoalNotFound, match="there are: fix"):
        room.do(room.tell(task="other"))
    with pytest.raises(BadInput):
        room.do(room.tell(text=" "))
    for _ in range(MOST_WORDS):
        room.do(room.tell(task="fix"))
    with pytest.raises(NotPossibleNow, match="already"):
        room.do(room.tell())


def test_of_several_agents_it_is_said_whom_is_meant(open_room: Make) -> None:
    room = open_room()
    more = e.ProposalAccepted(task=FIX.changed(id="more"), by="fix", attempt=1)
    room.do(room.transact(GOAL, c.Record((more, STARTED.changed(task="more")))))
    with pytest.raises(GoalAmbiguous, match="fix, more"):
        room.do(room.tell())
    room.do(room.tell(task="more"))
    assert room.state.tasks["more"].words == ("hello",) and room.state.tasks["fix"].words == ()


@dataclass
class Slow:
    """A worker that asks, and then goes on for some time."""

    after: float

    def find_reports(self, _: GoalTask) -> Reports:
        return COSTS_NOTHING

    async def run(self, turn: WorkerTurn) -> TurnResult:
        await asyncio.gather(turn.ask(PUSH), turn.ask(WHICH))
        await asyncio.sleep(self.after)
        return TurnResult(ended=True)


@pytest.mark.parametrize(("after", "ended"), [(4, True), (6, False)])
def test_the_time_of_a_person_is_not_the_turns(open_room: Make, after: float, ended: bool) -> None:
    room = open_room(task=FIX.changed(budget=TaskBudget(seconds=5)))
    turn: Any = WorkerTurn(
        **{
            **dict.fromkeys(["workspace", "environment", "log", "read", "record"]),  # type: ignore[arg-type]
            "task": room.task,
            "gates": (),
            "goal": "",
            "criteria": (),
            "findings": (),
            "ask": room.beside.ask,
        }
    )
    meter = Meter(room.loop.time)
    result = room.do(run_turn(Slow(after), turn, meter))
    assert room.loop.time() > 60 and result.ended is ended


def test_the_ground_of_a_task_follows_links(tmp_path: Path) -> None:
    (tmp_path / "ws").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "ws" / "link").symlink_to(tmp_path / "out")
    tools = tmp_path / "tools" / "bin"
    task = FIX.changed(writes=("src/**",))
    ground = find_ground(task, tmp_path / "ws", {"PATH": f"{tools}:relative:{Path.home() / 'bin'}"})
    assert ground.find_inside("src/a") == "src/a" and ground.find_inside("link/x") is None
    assert ground.find_inside("a\0b") is not None
    assert ground.may_write("src/a") and not ground.may_write("a")
    assert set(ground.reads) == {str(tools), str(tools.parent), str(Path.home() / "bin")}
    assert "tmp" in ground.tops


def test_a_path_is_where_it_leads_with_every_link_before_what_follows_it(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    outside = tmp_path / "elsewhere" / "deep"
    workspace.mkdir()
    outside.mkdir(parents=True)
    (workspace / "link").symlink_to(outside)
    (workspace / "loop").symlink_to("loop")
    ground = find_ground(FIX, workspace, {})
    assert ground.find("link/../secret") == str(tmp_path / "elsewhere" / "secret")
    assert ground.find_inside("link/../secret") is None
    assert ground.find_inside("none/../file") == "file"
    for path in ("loop", "a" * 5000, "a\0b", "a/" * 3000):
        assert ground.find_inside(path)


def test_a_link_that_may_not_be_read_leads_nowhere_and_stops_no_goal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `/proc/1/root` is one."""

    def refuse(*_: object, **__: object) -> str:
        raise PermissionError

    (tmp_path / "link").symlink_to("x")
    ground = find_ground(FIX, tmp_path, {})
    monkeypatch.setattr(os, "readlink", refuse)
    read = Ask(tool="Read", action=Action.READ, paths=("link/.ssh",))
    answer = find_answer(read, Permissions(), ground)
    assert answer is not None and not answer.allowed


@pytest.mark.parametrize(
    ("ask", "allowed"),
    [
        (Ask(tool="Read", action=Action.READ, paths=("a.py",)), True),
        (Ask(tool="Read", action=Action.READ, paths=("/people/me/notes",)), False),
        (Ask(tool="Read", action=Action.READ, paths=("private/a",)), False),
        (Ask(tool="Write", action=Action.EDIT, paths=("a.py",)), False),
        (PUSH, False),
        (WHICH, False),
    ],
)
def test_who_only_reads_is_held_to_what_the_person_forbade(ask: Ask, allowed: bool) -> None:
    forbidden = Permissions(deny=("read: private/*",))
    answer = asyncio.run(answer_reader(forbidden, Ground("/ws"), ask))
    assert answer.allowed is allowed
