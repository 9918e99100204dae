"""Kimi CLI over its wire: as it was captured, and as an agent of that kind could misbehave."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from goal_engine.budget import LOST_TURN, Spend, SpendSource
from goal_engine.engine import SystemIds
from goal_engine.permission import Action, Answer, Ask, deny
from goal_engine.ports import TurnResult, WorkerTurn
from goal_engine.runtime.environment import Environment
from goal_engine.runtime.rerooting import Rerooting
from goal_engine.task_graph.graph import GoalTask
from goal_engine.types import Trouble
from goal_engine.workers import talking, wire_worker
from goal_engine.workers.peer import MOST_OPEN
from goal_engine.workers.presets import Agent, Speaks
from goal_engine.workers.telling import AGAIN, GO_ON, YOURS
from goal_engine.workers.wire_worker import WireWorker, WireWorkerAdapter, find_session

pytestmark = pytest.mark.one_python

FAKE = Path(__file__).with_name("wire_agent.py")
SESSION = "3b241101-e2bb-4255-8caf-4136c566a962"


class Person:
    """Answers what is asked, and remembers it."""

    def __init__(self, allows: Callable[[Ask], bool] = lambda _: True) -> None:
        self.asked: list[Ask] = []
        self._allows = allows

    async def ask(self, ask: Ask) -> Answer:
        self.asked.append(ask)
        allowed = self._allows(ask)
        if ask.action is Action.QUESTION:
            word = "Lint, tests" if "," in ask.detail else " postgres"
            return Answer(allowed=allowed, by="person" if allowed else "timeout", reason=word)
        return Answer(allowed=allowed, reason="" if allowed else "do not touch files")


def a_turn(tmp_path: Path, **more: Any) -> WorkerTurn:
    async def nothing(*_: Any) -> Any:
        raise AssertionError

    workspace = tmp_path / "workspace"
    workspace.mkdir(exist_ok=True)
    task = GoalTask(id="fix", title="Fix", worker="wire", agent="kimi", timeout=60)
    turn = WorkerTurn(
        task=task,
        workspace=workspace,
        environment=Environment(
            kind="none",
            python=None,
            version="",
            variables={},
            notes=(),
            key="",
            exclude=(),
            rerooting=Rerooting(tmp_path, workspace, tmp_path),
        ),
        gates=(),
        log=tmp_path / "turn.log",
        goal="Fix it",
        criteria=(),
        findings=(),
        read=nothing,
        record=nothing,
        ask=Person().ask,
    )
    return replace(turn, **more)


def a_worker(tmp_path: Path, scenario: str, argument: str = "", *more: str) -> WireWorker:
    argv = (sys.executable, "-I", str(FAKE), scenario, argument, *(more or ("--wire",)))
    kimi = Agent("kimi", "Kimi", wire=Speaks(argv))
    return WireWorker(lambda: {"kimi": kimi, "claude": Agent("claude", "Claude", ("claude",))}, tmp_path / "checkout", SystemIds())  # fmt: skip


async def play(tmp_path: Path, scenario: str, argument: str = "", **more: Any) -> TurnResult:
    return await a_worker(tmp_path, scenario, argument).run(a_turn(tmp_path, **more))


def kept(tmp_path: Path, name: str) -> list[Any]:
    path = tmp_path / "workspace" / name
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def log_of(tmp_path: Path) -> str:
    return (tmp_path / "turn.log").read_text()


async def test_a_turn_as_it_was_captured(tmp_path):
    person, reports = Person(), list[Spend]()
    result = await play(tmp_path, "play", "edit", ask=person.ask, report=reports.append)
    assert (result.ended, result.reason) == (True, "")
    assert result.said == "Done: hello.py written and checked."
    assert "hi" in (tmp_path / "workspace" / "hello.py").read_text()
    spent = Spend(tokens=3390, usd=None, source=SpendSource.VENDOR_REPORTED, turns=1)
    assert result.spent == spent
    told = [report.tokens for report in reports]
    assert list(dict.fromkeys(filter(None, told))) == [1040, 2170, 3390]
    assert [ask.action for ask in person.asked] == [Action.EDIT, Action.EXECUTE]
    assert find_session(result.session) == result.session != ""
    [argv] = kept(tmp_path, "argv.json")
    assert argv == [
        "--wire",
        "--work-dir",
        str(tmp_path / "workspace"),
        "--session",
        result.session,
    ]
    log = log_of(tmp_path)
    assert "I will write the file." in log and "git status --short" in log
    assert kept(tmp_path, "modes.jsonl") == [{"enabled": False}]


async def test_what_a_hook_was_told_is_not_asked_again(tmp_path):
    person = Person()
    result = await play(tmp_path, "play", "hooks", ask=person.ask)
    assert result.ended, result.reason
    assert [ask.tool for ask in person.asked] == ["WriteFile", "Shell"]
    assert len(kept(tmp_path, "answers.jsonl")) == 4


async def test_what_is_rejected_is_not_done_and_the_agent_hears_why(tmp_path):
    result = await play(tmp_path, "play", "reject", ask=Person(lambda _: False).ask)
    assert result.ended, result.reason
    answers = kept(tmp_path, "answers.jsonl")
    assert {answer["feedback"] for answer in answers} == {"Not allowed here: do not touch files"}
    assert not (tmp_path / "workspace" / "hello.py").exists()


async def test_each_tool_is_judged_by_itself(tmp_path):
    person = Person(lambda ask: "push" not in ask.detail)
    result = await play(tmp_path, "push", ask=person.ask)
    assert result.ended, result.reason
    assert [ask.detail for ask in person.asked] == ["git status", "git push"]
    assert not (tmp_path / "workspace" / "pushed").exists()
    said = [
        answer.get("response", answer.get("action")) for answer in kept(tmp_path, "answers.jsonl")
    ]
    assert said == ["allow", "approve", "block"]


async def test_an_approval_of_another_file_of_that_name_is_asked_anew(tmp_path):
    person = Person(lambda ask: not any("b/" in path for path in ask.paths))
    result = await play(tmp_path, "mistake", ask=person.ask)
    assert result.ended, result.reason
    workspace = tmp_path / "workspace"
    assert [ask.paths for ask in person.asked] == [
        ("a/x.py",),
        (str(workspace / "b" / "x.py"),),
        ("a/x.py",),
    ]
    said = [one.get("response", one.get("action")) for one in kept(tmp_path, "answers.jsonl")]
    assert said == ["allow", "reject", "allow", "approve"]


async def test_what_it_wants_to_know_a_person_answers_one_after_the_other(tmp_path):
    person = Person()
    result = await play(tmp_path, "play", "question", ask=person.ask, may_ask=True)
    assert (result.ended, result.said) == (True, "Done."), result.reason
    assert [(ask.action, ask.choices) for ask in person.asked] == [
        (Action.QUESTION, ("SQLite", "Postgres")),
        (Action.QUESTION, ()),
    ]
    assert kept(tmp_path, "answers.jsonl")[1]["answers"] == {
        "Which database?": "Postgres",
        "Which checks run?": "Lint, Tests",
    }
    assert "allowed by person: postgres" in log_of(tmp_path)


async def test_what_nobody_answers_is_not_answered_and_no_more_is_asked(tmp_path):
    person = Person(lambda _: False)
    result = await play(tmp_path, "want_to_know", ask=person.ask, may_ask=True)
    assert result.ended, result.reason
    assert [ask.detail for ask in person.asked] == ["Which DB?"]
    assert [one.get("answers", one.get("action")) for one in kept(tmp_path, "answers.jsonl")] == [
        "allow",
        {},
    ]


async def test_a_policys_yes_is_no_answer_to_a_question(tmp_path):
    async def allow(_: Ask) -> Answer:
        return Answer(allowed=True, reason="everything is allowed here")

    await play(tmp_path, "want_to_know", ask=allow, may_ask=True)
    assert kept(tmp_path, "answers.jsonl")[1]["answers"] == {}


@pytest.mark.parametrize("may_ask", [True, False])
async def test_who_may_ask_nobody_has_no_tool_for_it(tmp_path, may_ask):
    await play(tmp_path, "want_to_know", ask=deny, may_ask=may_ask)
    [told] = kept(tmp_path, "capabilities.jsonl")
    assert told == {"supports_question": may_ask, "supports_plan_mode": False}
    action = kept(tmp_path, "answers.jsonl")[0]["action"]
    assert action == ("allow" if may_ask else "block")


async def test_an_approval_of_something_else_is_asked_anew(tmp_path):
    person = Person(lambda ask: "push" not in ask.detail)
    await play(tmp_path, "swap", ask=person.ask)
    assert [ask.detail for ask in person.asked] == ["git status", "git push"]
    assert kept(tmp_path, "answers.jsonl")[-1]["response"] == "reject"


async def test_nobody_is_there_to_allow_anything(tmp_path):
    result = await play(tmp_path, "push", ask=deny)
    assert result.ended
    assert [answer["action"] for answer in kept(tmp_path, "answers.jsonl")] == ["block", "block"]


async def test_a_flood_of_asks_is_blocked_and_not_let_through(tmp_path, monkeypatch):
    refused, refuse = asyncio.Event(), WireWorkerAdapter._refuse

    async def ask(_: Ask) -> Answer:
        await refused.wait()
        return Answer(allowed=True)

    async def spy(self: WireWorkerAdapter, method: str, params: Any) -> Any:
        refused.set()
        return await refuse(self, method, params)

    monkeypatch.setattr(WireWorkerAdapter, "_refuse", spy)
    result = await play(tmp_path, "flood", str(MOST_OPEN + 20), ask=ask)
    assert result.ended, result.reason
    answers = kept(tmp_path, "answers.jsonl")
    assert len(answers) == MOST_OPEN + 20
    assert {answer["action"] for answer in answers} == {"allow", "block"}


async def test_a_session_is_gone_on_with_and_nothing_of_its_earlier_turns_is_this_ones(tmp_path):
    person, reports = Person(), list[Spend]()
    result = await play(
        tmp_path, "play", "resume", session=SESSION, ask=person.ask, report=reports.append
    )
    assert (result.ended, result.session) == (True, SESSION), result.reason
    assert kept(tmp_path, "argv.json")[0][-2:] == ["--session", SESSION]
    assert (result.spent.turns, result.spent.tokens) == (1, 10674)
    assert {report.tokens for report in reports} <= {None, 10674}
    assert result.said == "Hello from the stub." and person.asked == []
    assert not (tmp_path / "workspace" / "hello.py").exists()
    log = log_of(tmp_path)
    assert (
        "its session goes on: 1 turn and 2 calls of tools before; its last words: Done: hello.py"
        " written and checked.\n"
    ) in log
    assert "I will write the file" not in log and "0 calls of tools" in log
    [prompt] = kept(tmp_path, "prompts.jsonl")
    assert AGAIN.strip() in prompt


async def test_an_agent_that_has_forgotten_its_session_is_not_told_that_it_remembers(tmp_path):
    result = await play(tmp_path, "push", session=SESSION)
    assert (result.ended, result.session) == (True, SESSION), result.reason
    assert "its earlier session is gone: there is no turn in it\n" in log_of(tmp_path)
    [prompt] = kept(tmp_path, "prompts.jsonl")
    assert "Fix it" in prompt and AGAIN.strip() not in prompt


async def test_a_session_of_somebody_elses_name_is_begun_anew(tmp_path):
    result = await play(tmp_path, "push", session="../../x")
    assert result.ended and result.session != "../../x"
    assert "its earlier session is gone" in log_of(tmp_path)
    assert AGAIN.strip() not in kept(tmp_path, "prompts.jsonl")[0]


@pytest.mark.parametrize(
    ("scenario", "seconds", "said"),
    [
        ("refuse_to_look_back", 60, "it does not tell what went before: Unexpected method"),
        ("look_back_for_ever", 0.5, "it did not tell all of it in 0.5 s"),
        ("look_back_late", 0.5, "its session goes on: it did not tell all of it in 0.5 s"),
        ("ask_again", 60, "1 turn and 1 call of tools before; its last words: the old"),
    ],
)
async def test_a_session_that_is_not_seen_or_has_no_end_goes_on(
    tmp_path, monkeypatch, scenario, seconds, said
):
    monkeypatch.setattr(wire_worker, "REPLAY", seconds)
    person, reports = Person(), list[Spend]()
    result = await play(tmp_path, scenario, session=SESSION, ask=person.ask, report=reports.append)
    assert (result.ended, result.said) == (True, "the new"), result.reason
    assert (result.spent.turns, result.spent.tokens) == (1, 7)
    assert {report.tokens for report in reports} <= {None, 7} and person.asked == []
    log = log_of(tmp_path)
    assert said in log and "\n  the old" not in log and "(0 calls of tools" in log
    [prompt] = kept(tmp_path, "prompts.jsonl")
    assert AGAIN.strip() in prompt


async def test_a_second_process_is_counted_and_heard_by_itself(tmp_path):
    words, left = asyncio.Queue[str](), ["mind the tests"]

    def report(spent: Spend) -> None:
        if spent.turns == 2 and left:
            words.put_nowait(left.pop())

    result = await play(tmp_path, "break_off", words=words, report=report)
    assert result.ended, result.reason
    assert (result.spent.turns, result.spent.tokens) == (2, 9)
    first, second = kept(tmp_path, "prompts.jsonl")
    assert second == f"{YOURS}\n\n{first}"


@pytest.mark.parametrize("name", ["--yolo", "x", "", "../../x", SESSION.upper()])
async def test_what_is_no_session_of_ours_is_not_given_to_it(name):
    assert find_session(name) == ""


async def test_a_turn_that_only_reads_is_in_the_mode_for_that(tmp_path):
    await play(tmp_path, "play", "edit", reads_only=True)
    assert kept(tmp_path, "modes.jsonl")[0] == {"enabled": True}


@pytest.mark.parametrize(
    ("scenario", "argument", "said", "trouble"),
    [
        ("tire", "2", "kimi stopped at a limit of its own: 3 steps", None),
        ("play", "nollm", "kimi is not logged in: it has no model; `kimi login`", None),
        ("play", "dead", "kimi is not logged in: Error code: 401", None),
        (
            "give_up",
            "-32003 Error code: 429 - slow",
            "later: Error code: 429",
            Trouble.RATE_LIMITED,
        ),
        ("give_up", "-32003 Error code: 500", "an error of its vendor: Error code: 500", None),
        ("crash", "", "exit code 3: Traceback: out of luck", None),
        ("speak_two", "", "version 2.0 of the wire protocol, not 1.10", None),
        (
            "be_a_tombstone",
            "",
            "Kimi CLI from 1.52 on, which does nothing any more. Give the",
            None,
        ),
        ("be_kimi_code", "", 'no such option. Give the task `worker = "acp"`', None),
    ],
)
async def test_how_a_turn_fails(tmp_path, scenario, argument, said, trouble):
    result = await play(tmp_path, scenario, argument)
    assert not result.ended and said in result.reason
    assert result.trouble is trouble


async def test_who_stops_at_a_limit_is_told_once_to_go_on(tmp_path):
    result = await play(tmp_path, "tire", "1")
    assert (result.ended, result.said) == (True, "done"), result.reason
    assert kept(tmp_path, "prompts.jsonl")[1:] == [GO_ON]


async def test_a_turn_that_only_reads_changes_no_file(tmp_path):
    person = Person(lambda _: False)
    await play(tmp_path, "play", "reject", reads_only=True, ask=person.ask)
    answers = kept(tmp_path, "answers.jsonl")
    assert answers[0]["feedback"] == "Not allowed here: this turn changes nothing"
    assert [ask.action for ask in person.asked] == [Action.EXECUTE]


async def test_what_a_turn_used_that_was_cut_off_is_unknown(tmp_path):
    assert (await play(tmp_path, "crash")).spent == LOST_TURN.plus(LOST_TURN)


async def test_a_vendor_that_gave_nothing_is_paid_nothing(tmp_path):
    assert (await play(tmp_path, "play", "dead")).spent.tokens == 0


async def cancel_when(tmp_path: Path, scenario: str, fact: asyncio.Event, **more: Any) -> None:
    turning = asyncio.ensure_future(play(tmp_path, scenario, **more))
    waiting = asyncio.ensure_future(fact.wait())
    await asyncio.wait({turning, waiting}, return_when=asyncio.FIRST_COMPLETED)
    assert waiting.done(), await turning
    turning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turning


async def test_a_turn_that_is_cancelled_is_told_so(tmp_path):
    used = asyncio.Event()

    def report(spent: Spend) -> None:
        if spent.tokens == 120:
            used.set()

    await cancel_when(tmp_path, "obey", used, report=report)
    assert kept(tmp_path, "cancelled.jsonl") == [True]


async def test_what_was_asked_when_a_turn_is_cancelled_is_not_let_through(tmp_path):
    asked = asyncio.Event()

    async def ask(_: Ask) -> Answer:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    await cancel_when(tmp_path, "wait_for_leave", asked, ask=ask)
    assert [answer["action"] for answer in kept(tmp_path, "answers.jsonl")] == ["block"]
    assert kept(tmp_path, "cancelled.jsonl") == [True]


async def say_when_working(tmp_path: Path, scenario: str, word: str) -> TurnResult:
    words, left = asyncio.Queue[str](), [word]

    def report(_: Spend) -> None:
        while left:
            words.put_nowait(left.pop())

    return await play(tmp_path, scenario, words=words, report=report)


async def test_what_the_person_says_is_taken_in_while_it_works(tmp_path):
    result = await say_when_working(tmp_path, "listen", "mind the tests")
    assert result.ended, result.reason
    [heard] = kept(tmp_path, "heard.jsonl")
    assert "mind the tests" in heard and heard.startswith("## What the person says")
    assert "the person says: mind the tests" in log_of(tmp_path)
    assert result.spent.turns == 1


async def test_what_came_too_late_is_said_again(tmp_path):
    result = await say_when_working(tmp_path, "be_deaf", "/yolo")
    assert (result.ended, result.said) == (True, "the second"), result.reason
    _, again = kept(tmp_path, "prompts.jsonl")
    assert "/yolo" in again and not again.startswith("/")  # which it would obey
    assert (result.spent.turns, result.spent.tokens) == (2, 3)


async def test_what_is_said_when_it_is_gone_already_is_told_in_its_session(tmp_path):
    words, looks = asyncio.Queue[str](), list[int]()

    async def catch_up() -> None:
        looks.append(len(kept(tmp_path, "prompts.jsonl")))
        if looks == [0, 1, 1]:  # before the turn, after it, and when its process is gone
            words.put_nowait("mind the tests")

    result = await play(tmp_path, "serve", words=words, catch_up=catch_up)
    assert result.ended, result.reason
    assert (result.spent.turns, result.spent.tokens) == (2, 14)
    first, second = kept(tmp_path, "prompts.jsonl")
    assert "Fix it" in first and second.startswith("## What the person says")
    assert "mind the tests" in second and "Fix it" not in second
    before, again = kept(tmp_path, "argv.json")
    assert before == again
    assert "its session goes on: 1 turn and 0 calls of tools before\n" in log_of(tmp_path)


async def test_what_was_said_before_is_part_of_the_prompt(tmp_path):
    words = asyncio.Queue[str]()
    words.put_nowait("mind the tests")
    result = await play(tmp_path, "push", words=words)
    assert result.ended, result.reason
    [prompt] = kept(tmp_path, "prompts.jsonl")
    assert "mind the tests" in prompt and "Fix it" in prompt


async def test_a_silent_agent_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(talking, "CALM", 0.1)
    turn = a_turn(tmp_path)
    turn = replace(turn, task=turn.task.changed(timeout=1))
    result = await a_worker(tmp_path, "hang").run(turn)
    assert not result.ended and "it was not done after 1 s" in result.reason


async def test_nothing_that_it_started_is_left(tmp_path):
    result = await play(tmp_path, "leave_somebody")
    assert result.ended, result.reason
    assert not psutil.pid_exists(int((tmp_path / "workspace" / "child").read_text()))


async def test_what_nobody_understands_is_passed_over(tmp_path):
    result = await play(tmp_path, "babble")
    assert (result.ended, result.said) == (True, "\x1b[31mdone\x1b[0m"), result.reason
    assert result.spent.tokens == 2
    assert "  done\n" in log_of(tmp_path)


async def test_a_bare_kimi_is_never_started(tmp_path):
    result = await a_worker(tmp_path, "play", "edit", "--other").run(a_turn(tmp_path))
    assert not result.ended and '"--wire"' in result.reason
    assert not kept(tmp_path, "argv.json")


async def test_an_agent_that_does_not_speak_it_is_told_of(tmp_path):
    turn = a_turn(tmp_path)
    turn = replace(turn, task=turn.task.changed(agent="claude"))
    result = await a_worker(tmp_path, "play").run(turn)
    assert not result.ended and "not for the worker `wire`" in result.reason
