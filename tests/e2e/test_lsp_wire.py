"""One response for each request, and a true exit code: the server as bytes on its two pipes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

import psutil
import pytest

from goal_engine.engine import Engine
from goal_engine.queries import resolve_goal
from tests.e2e.wire import Wire, running
from tests.integration.projects import FIX, GATE, a_project, plan_text

SLEEP = '{ run = ["sleep", "600"] }'


@pytest.fixture
def wire() -> Iterator[Wire]:
    with running() as client:
        yield client


@pytest.fixture
def project(tmp_path: Path) -> Path:
    made = a_project(tmp_path / "project")
    write_plan(made, FIX)
    return made


def write_plan(project: Path, steps: str) -> None:
    (project / "plan.toml").write_text(plan_text(steps), encoding="utf-8")


def begin(wire: Wire, project: Path, steps: str = SLEEP) -> str:
    """Start a goal and return its id; one that sleeps runs by then."""
    write_plan(project, steps)
    wire.open(project)
    wire.approve()
    begun = wire.command("goal.run", {"plan": "plan.toml"})
    assert "result" in begun, begun
    goal: str = begun["result"]["id"]
    if steps == SLEEP:
        wire.until(lambda m: m.get("method") == "goal/progress" and is_running(m["params"]))
    return goal


def is_running(snapshot: dict[str, Any]) -> bool:
    return bool(snapshot["status"] == "running")


def status_of(project: Path, goal: str) -> str:
    engine = Engine.open(project)
    try:
        return asyncio.run(resolve_goal(engine.ports, goal)).status
    finally:
        engine.close()


def test_a_bar_is_begun_once_moved_with_a_percentage_and_ended_once(
    wire: Wire, project: Path
) -> None:
    goal = begin(wire, project, FIX)
    wire.call("goal/wait", {"goal": goal})
    assert "result" in wire.call("shutdown")
    assert wire.said("workspace/codeLens/refresh")
    bar = [params["value"] for params in wire.said("$/progress")]
    assert [value["kind"] for value in bar].count("begin") == 1
    assert (bar[0]["kind"], bar[0]["cancellable"], bar[-1]["kind"]) == ("begin", True, "end")
    assert [value["kind"] for value in bar].count("end") == 1
    assert all("percentage" in value for value in bar[:-1])
    tokens = {params["token"] for params in wire.said("$/progress")}
    assert all(isinstance(token, str) for token in tokens) and len(tokens) == 1
    last = wire.said("goal/progress")[-1]
    assert (last["status"], last["percentage"], last["goalId"]) == ("ready", 100, goal)
    assert bar[0]["title"] == last["text"] == "Make sums right in calc.py"


def test_cancelling_a_wait_leaves_the_goal_running(wire: Wire, project: Path) -> None:
    goal = begin(wire, project)
    number = wire.ask("goal/wait", {"goal": goal})
    wire.send("$/cancelRequest", {"id": number})
    assert wire.answer(number)["error"]["code"] == -32800
    assert wire.command("goal.show", {"goal": goal})["result"]["status"] == "running"
    assert wire.command("goal.pause", {"goal": goal})["result"]["status"] == "paused"


def test_a_second_start_of_a_running_goal_is_refused_not_taken_for_the_first(
    wire: Wire, project: Path
) -> None:
    goal = begin(wire, project)
    refused = wire.command("goal.execute", {"goal": goal})["error"]
    assert (refused["code"], refused["data"]["class"]) == (-32803, "GoalBusy")
    assert wire.command("goal.cancel", {"goal": goal})["result"]["status"] == "cancelled"


def test_a_wait_in_flight_does_not_hold_up_the_end(wire: Wire, project: Path) -> None:
    goal = begin(wire, project)
    waiting, leaving = wire.ask("goal/wait", {"goal": goal}), wire.ask("shutdown")
    answered = [wire.until(lambda m: "method" not in m) for _ in range(2)]
    assert {message["id"] for message in answered} == {waiting, leaving}
    assert next(m for m in answered if m["id"] == leaving)["result"] is None
    assert wire.call("goal/wait", {"goal": goal})["error"]["code"] == -32600
    wire.send("exit")
    assert wire.leave() == 0
    assert status_of(project, goal) == "paused"


def test_when_standard_input_ends_the_goal_is_paused_and_the_code_is_1(
    wire: Wire, project: Path
) -> None:
    goal = begin(wire, project)
    assert wire.process.stdin
    wire.process.stdin.close()
    assert wire.leave() == 1
    assert status_of(project, goal) == "paused"


def test_exit_without_shutdown_is_code_1(wire: Wire, project: Path) -> None:
    wire.open(project)
    wire.send("exit")
    assert wire.leave() == 1


def test_nothing_is_served_before_initialize_nor_initialized_twice(
    wire: Wire, project: Path
) -> None:
    assert wire.command("goal.list")["error"]["code"] == -32002
    wire.open(project)
    again = wire.call("initialize", {"processId": None, "capabilities": {}, "rootUri": None})
    assert again["error"]["code"] == -32600


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"[]", -32600),
        (b"{", -32700),
        (b"\xff", -32700),
        (b'{"jsonrpc":"2.0","id":true,"method":"shutdown"}', -32600),
    ],
)
def test_what_is_no_message_is_answered_and_survived(
    wire: Wire, project: Path, body: bytes, code: int
) -> None:
    wire.open(project)
    wire.write(body)
    assert wire.answer(None)["error"]["code"] == code
    assert wire.command("goal.list")["result"]["goals"] == []


@pytest.mark.parametrize(
    ("command", "arguments", "word"),
    [
        ("goal.unheardOf", [], "no command"),
        ("run", [{"text": "x"}], "no command"),
        ("goal.show", [], "goal"),
        ("goal.show", ["latest"], "one object"),
        ("goal.list", [{"root": 5}], "root"),
        ("goal.list", [{"root": "http://example.org"}], "file:"),
        ("goal.list", [{}, {}], "one object"),
    ],
)
def test_a_command_that_does_not_fit_is_told_what_is_wrong(
    wire: Wire, project: Path, command: str, arguments: list[Any], word: str
) -> None:
    wire.open(project)
    error = wire.command(command, *arguments)["error"]
    assert error["code"] == -32602 and word in error["message"]
    assert not wire.said("window/showMessage")


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("answer", {"question": "../No question", "text": "yes"}),
        ("verifyProof", {"proof": "x" * 5000}),
        ("plan", {"plan": "\0"}),
        ("plan", {"plan": "\ud800"}),
    ],
)
def test_what_nothing_can_be_called_is_refused_and_is_no_fault(
    wire: Wire, project: Path, name: str, given: dict[str, str]
) -> None:
    wire.open(project)
    wire.approve()
    goal = wire.done("goal.plan", plan="plan.toml")["id"]
    known = {"goal": goal} if name == "answer" else {}
    assert wire.refused(f"goal.{name}", **known, **given)["code"] == -32803


def test_a_request_whose_params_do_not_fit_is_answered(wire: Wire, project: Path) -> None:
    wire.open(project)
    assert wire.call("textDocument/codeLens", {"textDocument": 5})["error"]["code"] == -32602
    assert wire.call("goal/wait")["error"]["code"] == -32602
    assert wire.call("goal/wait", {"goal": "goal-2001"})["error"]["data"]["class"] == "GoalNotFound"


@pytest.mark.parametrize("answer", [{"error": {"code": -32601, "message": "no"}}, None])
def test_a_client_that_takes_no_progress_bar_gets_none_and_its_goal_is_done(
    wire: Wire, project: Path, answer: dict[str, Any] | None
) -> None:
    wire.reply = lambda message: answer
    goal = begin(wire, project, FIX)
    assert wire.call("goal/wait", {"goal": goal})["result"]["status"] == "ready"
    assert wire.said("window/workDoneProgress/create")
    assert not wire.said("$/progress")
    assert wire.call("shutdown")["result"] is None
    wire.send("exit")
    assert wire.leave() == 0


SLOW = """
[[gate]]
name = "slow"
argv = ["sh", "-c", "test ! -e \\"$HOME/slow\\" || exec sleep 600"]
timeout = 900
"""


def test_cancelling_a_command_ends_what_the_engine_does_for_it(wire: Wire, tmp_path: Path) -> None:
    project = a_project(tmp_path / "project", **{"goalproof.toml": GATE + SLOW})
    goal = begin(wire, project, FIX)
    assert wire.call("goal/wait", {"goal": goal})["result"]["status"] == "ready"
    mark = Path.home() / "slow"
    mark.touch()
    try:
        number = wire.ask_command("goal.verifyProof", {"proof": goal, "run": True})
        until(wire, lambda: find_sleeper(wire) is not None)
        wire.send("$/cancelRequest", {"id": number})
        assert wire.answer(number)["error"]["code"] == -32800
        until(wire, lambda: find_sleeper(wire) is None)
    finally:
        mark.unlink()


def find_sleeper(wire: Wire) -> psutil.Process | None:
    """Return the process of ours that sleeps."""
    for process in psutil.Process(wire.process.pid).children(recursive=True):
        with suppress(psutil.Error):
            if process.name() == "sleep":
                return process
    return None


def until(wire: Wire, reached: Callable[[], bool]) -> None:
    """Keep the server busy with nothing until a condition holds."""
    since = monotonic()
    while not reached():
        assert monotonic() - since < wire.patience
        wire.command("goal.agents")


def test_an_editor_that_answers_with_an_error_did_not_take_the_change(
    wire: Wire, project: Path
) -> None:
    write_plan(project, FIX)
    wire.open(project, capabilities={"workspace": {"applyEdit": True}})
    wire.approve()
    goal = wire.command("goal.run", {"plan": "plan.toml"})["result"]["id"]
    assert wire.call("goal/wait", {"goal": goal})["result"]["status"] == "ready"
    wire.reply = lambda message: {"error": {"code": -32603, "message": "the person said no"}}
    refused = wire.command("goal.apply", {"goal": goal})["error"]
    assert (refused["code"], refused["data"]["class"]) == (-32803, "ChangeDoesNotFit")
    assert "did not take the change: the person said no" in refused["message"]
    assert wire.command("goal.show", {"goal": goal})["result"]["applied"] == []
