"""What an editor says of its workspace: settings, folders and trust."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from goal_engine.engine import Engine
from goal_engine.queries import resolve_goal
from goal_engine.state.model import GoalState
from tests.e2e.wire import Wire, running
from tests.integration.projects import FIX, GATE, a_project, plan_text

pytestmark = pytest.mark.one_python

SLEEP = '{ run = ["sleep", "600"] }'
PULLS = {"configuration": True}


@pytest.fixture
def client() -> Iterator[Wire]:
    with running() as made:
        yield made


def project_at(path: Path, steps: str = FIX, **files: str) -> Path:
    return a_project(path, **{"plan.toml": plan_text(steps), **files})


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return project_at(tmp_path / "project")


def root_of(place: Path) -> str:
    return place.as_uri()


def read_goal(project: Path, goal: str) -> GoalState:
    engine = Engine.open(project)
    try:
        return asyncio.run(resolve_goal(engine.ports, goal))
    finally:
        engine.close()


def start_sleeping(client: Wire, project: Path) -> str:
    """Start a goal that works until it is stopped, and return its id."""
    client.approve(root=root_of(project))
    goal: str = client.done("goal.run", plan="plan.toml", root=root_of(project))["id"]
    client.told("goal/progress", goalId=goal, status="running")
    return goal


# Settings


def test_settings_are_pulled_and_supply_what_a_new_goal_is_not_given(
    client: Wire, project: Path
) -> None:
    client.settings = {None: {"maxAgents": 2, "wallSeconds": 900}}
    client.open(project, workspace=PULLS)
    client.approve()
    budget = client.done("goal.plan", plan="plan.toml")["budget"]
    assert (budget["maxAgents"], budget["wallSeconds"]) == (2, 900)
    budget = client.done("goal.plan", plan="plan.toml", maxAgents=3)["budget"]
    assert (budget["maxAgents"], budget["wallSeconds"]) == (3, 900)


def test_who_works_on_a_new_goal_may_be_set(client: Wire, project: Path) -> None:
    client.open(project, settings={"worker": "manual", "agent": "claude"})
    client.approve()
    made = client.done("goal.plan", text="Add a way to multiply to calc.py")
    assert [task["worker"] for task in made["tasks"]] == ["manual"]
    planned = client.done("goal.plan", plan="plan.toml")
    assert [task["worker"] for task in planned["tasks"]] == ["recipe"]


def test_each_folder_has_its_own_settings(client: Wire, tmp_path: Path) -> None:
    one, two = project_at(tmp_path / "one"), project_at(tmp_path / "two")
    client.settings = {None: {"maxAgents": 2}, two.as_uri(): {"maxAgents": 3}}
    client.open(one, two, workspace=PULLS)
    for place, wanted in ((one, 2), (two, 3)):
        client.approve(root=root_of(place))
        made = client.done("goal.plan", plan="plan.toml", root=root_of(place))
        assert made["budget"]["maxAgents"] == wanted


def test_pushed_settings_count_and_so_do_those_of_the_start(client: Wire, project: Path) -> None:
    client.open(project, settings={"maxAgents": 2})
    client.approve()
    assert client.done("goal.plan", plan="plan.toml")["budget"]["maxAgents"] == 2
    pushed = {"settings": {"goalproof": {"maxAgents": 3}, "other": {}}}
    client.send("workspace/didChangeConfiguration", pushed)
    assert client.done("goal.plan", plan="plan.toml")["budget"]["maxAgents"] == 3


def test_a_change_is_pulled_and_a_silent_answer_falls_back(client: Wire, project: Path) -> None:
    client.settings = {None: {"maxAgents": 2}}
    client.open(project, settings={"maxAgents": 7}, workspace=PULLS)
    client.approve()
    client.settings = {}
    client.send("workspace/didChangeConfiguration", {"settings": None})
    assert client.done("goal.plan", plan="plan.toml")["budget"]["maxAgents"] == 7


def test_the_server_registers_for_changes_where_the_client_has_that(
    client: Wire, project: Path
) -> None:
    client.open(project, workspace={"didChangeConfiguration": {"dynamicRegistration": True}})
    asked = client.until(lambda m: m.get("method") == "client/registerCapability")
    (registration,) = asked["params"]["registrations"]
    assert registration["method"] == "workspace/didChangeConfiguration"
    assert registration["registerOptions"] == {"section": "goalproof"}


def test_a_bad_setting_is_told_once_until_it_changes(client: Wire, project: Path) -> None:
    client.open(project, settings={"lens": "sometimes", "trusted": True}, trusted=False)
    client.told("window/logMessage")
    again = {"settings": {"goalproof": {"lens": "sometimes", "lense": 1}}}
    for _ in range(2):
        client.send("workspace/didChangeConfiguration", again)
    assert client.done("goal.list")["goals"] == []
    told = client.warnings()
    assert [word for word in ("goalproof.lens is", "trusted is no setting", "lense is no setting")
            if sum(word in text for text in told) != 1] == []  # fmt: skip
    client.send("workspace/didChangeConfiguration", {"settings": {"goalproof": {"lens": "off"}}})
    client.send("workspace/didChangeConfiguration", again)
    client.done("goal.list")
    assert sum("goalproof.lens is" in text for text in client.warnings()) == 2
    assert client.refused("goal.gates")["data"]["class"] == "NotTrusted"


# Folders


def test_a_client_is_told_that_folders_may_come_and_go(client: Wire, project: Path) -> None:
    offered = client.open(project)["result"]["capabilities"]["workspace"]["workspaceFolders"]
    assert offered == {"supported": True, "changeNotifications": True}


def test_each_folder_has_its_own_goals(client: Wire, tmp_path: Path) -> None:
    one, two = project_at(tmp_path / "one"), project_at(tmp_path / "two")
    client.open(one, two)
    client.approve(root=root_of(two))
    goal = client.done("goal.plan", plan="plan.toml", root=root_of(two))["id"]
    assert client.done("goal.list")["goals"] == []
    assert [g["id"] for g in client.done("goal.list", root=root_of(two))["goals"]] == [goal]


def test_a_place_outside_of_every_folder_is_refused(client: Wire, tmp_path: Path) -> None:
    one, two = project_at(tmp_path / "one"), project_at(tmp_path / "two")
    client.open(one / "tests")
    error = client.refused("goal.list", root=root_of(two))
    assert error["code"] == -32602 and "no folder that is open" in error["message"]
    link = tmp_path / "link"
    link.symlink_to(two)
    assert client.refused("goal.list", root=root_of(link))["code"] == -32602
    inside = tmp_path / "inside"
    inside.symlink_to(one / "tests")
    for place in (one, one / "tests", inside):
        assert client.done("goal.list", root=root_of(place))["goals"] == []
    client.change_folders(added=(two,))
    assert client.done("goal.list", root=root_of(link))["goals"] == []


def test_without_folders_a_client_says_where(client: Wire, project: Path) -> None:
    client.open()
    assert "No workspace is open" in client.refused("goal.list")["message"]
    assert client.done("goal.list", root=root_of(project))["goals"] == []
    assert client.done("goal.agents")["workers"]


def test_a_file_outside_of_every_folder_has_no_lens(client: Wire, tmp_path: Path) -> None:
    client.open(project_at(tmp_path / "one"))
    stranger = project_at(tmp_path / "two") / "calc.py"
    for uri in (stranger.as_uri(), "untitled:Untitled-1"):
        asked = client.call("textDocument/codeLens", {"textDocument": {"uri": uri}})
        assert asked["result"] == []


def test_what_runs_in_a_folder_is_paused_when_the_folder_is_closed(
    client: Wire, tmp_path: Path
) -> None:
    one, two = project_at(tmp_path / "one", SLEEP), project_at(tmp_path / "two", SLEEP)
    client.open(one, two)
    staying, leaving = start_sleeping(client, one), start_sleeping(client, two)
    client.change_folders(removed=(two,))
    client.told("goal/progress", goalId=leaving, status="paused")
    assert read_goal(two, leaving).status == "paused"
    assert client.done("goal.show", goal=staying)["status"] == "running"
    assert client.refused("goal.show", goal=leaving, root=root_of(two))["code"] == -32602
    client.change_folders(added=(two,))
    shown = client.done("goal.show", goal=leaving, root=root_of(two))
    assert shown["status"] == "paused"
    assert client.done("goal.cancel", goal=staying)["status"] == "cancelled"


def test_what_is_wrong_in_a_folder_is_taken_back_when_the_folder_is_closed(
    client: Wire, tmp_path: Path
) -> None:
    project = project_at(tmp_path / "project", **{"goalproof.toml": "[["})

    def told(message: dict[str, Any], place: Path = project) -> int | None:
        about = message.get("params", {}) if "method" in message else {}
        uri = (place / "goalproof.toml").as_uri()
        return len(about["diagnostics"]) if about.get("uri") == uri else None

    client.open(project)
    client.open_document(project / "goalproof.toml", "[[")
    client.until(lambda message: told(message) == 1)
    client.change_folders(removed=(project,))
    client.until(lambda message: told(message) == 0)
    client.change_folders(added=(project,))
    client.until(lambda message: told(message) == 1)
    other = project_at(tmp_path / "other")
    client.change_folders(added=(other,), removed=(project,))
    client.until(lambda message: told(message) == 0)
    client.change_folders(removed=(other,))
    client.open_document(other / "goalproof.toml", "[[")
    client.until(lambda message: told(message, other) is not None)
    assert [told(message) for message in client.seen if told(message) is not None] == [1, 0, 1, 0]


def test_what_is_asked_of_a_folder_that_is_being_closed_is_no_fault(
    client: Wire, tmp_path: Path
) -> None:
    one, two = project_at(tmp_path / "one"), project_at(tmp_path / "two")
    client.open(one, two)
    client.approve(root=root_of(two))
    goal = client.done("goal.plan", plan="plan.toml", root=root_of(two))["id"]
    asked = []
    for name in ("goal.show", "goal.diff", "goal.list", "goal.gates") * 3:
        given = {"root": root_of(two)} | (
            {"goal": goal} if name in ("goal.show", "goal.diff") else {}
        )
        params = {"command": name, "arguments": [given]}
        asked.append(client.ask("workspace/executeCommand", params))
    client.change_folders(removed=(two,))
    client.done("goal.list")
    while len(answers := [m for m in client.seen if m.get("id") in asked]) < len(asked):
        client.read()
    assert {m["error"]["code"] for m in answers if "error" in m} <= {-32602, -32803}


@pytest.mark.parametrize("name", ["x" * 300, "\ud800", "circle"])
def test_a_root_that_cannot_be_is_refused(client: Wire, tmp_path: Path, name: str) -> None:
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    client.open(tmp_path)
    error = client.refused("goal.list", root=f"{tmp_path.as_uri()}/{name}")
    assert error["code"] in (-32602, -32803)
    assert client.call("textDocument/codeLens", {"textDocument": {"uri": f"file:///{name}"}})


# Trust


def test_gates_are_shown_and_asked_for_once_and_again_when_they_change(
    client: Wire, project: Path
) -> None:
    client.open(project)
    error = client.refused("goal.plan", plan="plan.toml")
    assert (error["code"], error["data"]["class"]) == (-32803, "GatesNotApproved")
    (gate,) = error["data"]["gates"]
    assert (gate["name"], gate["argv"][:2]) == ("tests", ["python3", "run_tests.py"])
    assert gate["reason"] and len(gate["digest"]) == 64
    assert gate["command"] == "python3 run_tests.py --junit '{report}'"
    shown = client.done("goal.trustGate", digests=[gate["digest"]])
    assert [(g["digest"], g["trusted"]) for g in shown["gates"]] == [(gate["digest"], True)]
    goal = client.done("goal.plan", plan="plan.toml")["id"]

    (project / "goalproof.toml").write_text(GATE.replace('"--junit"', '"-v", "--junit"'))
    error = client.refused("goal.plan", plan="plan.toml")
    (changed,) = error["data"]["gates"]
    assert changed["digest"] != gate["digest"] and "-v" in changed["argv"]
    stale = client.refused("goal.trustGate", digests=["0" * 64])
    assert stale["data"]["class"] == "BadInput"
    assert client.refused("goal.plan", plan="plan.toml")["data"]["class"] == "GatesNotApproved"
    assert (
        client.done("goal.execute", goal=goal)["id"] == goal
    )  # its gates were locked, and approved
    client.call("goal/wait", {"goal": goal})


def test_gates_that_were_detected_are_asked_for_too(client: Wire, tmp_path: Path) -> None:
    client.open(project_at(tmp_path / "project", **{"goalproof.toml": ""}))
    error = client.refused("goal.plan", text="Make the tests pass")
    assert error["data"]["class"] == "GatesNotApproved"
    assert [gate["name"] for gate in error["data"]["gates"]] != []
    client.approve()
    assert client.done("goal.plan", text="Make the tests pass")["gates"]


def test_an_untrusted_workspace_approves_no_gate(client: Wire, project: Path) -> None:
    client.open(project, trusted=False)
    error = client.refused("goal.trustGate", all=True)
    assert error["data"]["class"] == "NotTrusted"


def test_a_malformed_word_on_trust_is_a_no_that_is_told(client: Wire, project: Path) -> None:
    client.open(project, trusted="yes")
    assert 'trusted is "yes"' in client.told("window/logMessage", type=2)["message"]
    client.send("goal/didChangeTrust", {"trusted": 1})
    assert client.refused("goal.gates")["data"]["class"] == "NotTrusted"
    assert any("trusted is 1" in text for text in client.warnings())


@pytest.mark.parametrize("said", [{"trusted": False}, {"trusted": "no"}, {}, None])
def test_trust_that_is_taken_back_pauses_what_runs(client: Wire, tmp_path: Path, said: Any) -> None:
    project = project_at(tmp_path / "project", SLEEP)
    client.open(project)
    goal = start_sleeping(client, project)
    client.send("goal/didChangeTrust", said)
    paused = client.told("goal/progress", goalId=goal, status="paused")
    assert paused["blocker"] == "the workspace is not trusted any more"
    assert client.refused("goal.resume", goal=goal)["data"]["class"] == "NotTrusted"
    client.send("goal/didChangeTrust", {"trusted": True})
    assert client.done("goal.cancel", goal=goal)["status"] == "cancelled"


# Progress


def prove(client: Wire, project: Path) -> str:
    """Take the project's goal to its proof and return where that is."""
    client.approve()
    goal = client.done("goal.run", plan="plan.toml")["id"]
    assert client.call("goal/wait", {"goal": goal})["result"]["status"] == "ready"
    path: str = client.done("goal.proof", goal=goal)["proof"]["path"]
    return path


def bar_of(client: Wire, token: object) -> list[Any]:
    return [
        message["params"]["value"]
        for message in client.seen
        if message.get("method") == "$/progress" and message["params"]["token"] == token
    ]


def verify(client: Wire, proof: str, **more: object) -> int:
    arguments = [{"proof": proof, "run": True}]
    return client.ask(
        "workspace/executeCommand", {"command": "goal.verifyProof", "arguments": arguments, **more}
    )


def test_a_proof_that_is_run_again_moves_the_bar_that_came_with_the_request(
    client: Wire, project: Path
) -> None:
    client.open(project)
    proof = prove(client, project)
    said = client.answer(verify(client, proof, workDoneToken="mine"))
    assert said["result"]["outcome"] == "REPRODUCED"
    begin, *reports, end = bar_of(client, "mine")
    assert (begin["kind"], begin["cancellable"], "percentage" in begin) == ("begin", True, False)
    assert {report["kind"] for report in reports} == {"report"}
    assert any(" · tests: " in report["message"] for report in reports)
    assert end == {"kind": "end", "message": "completed"}
    inspected = client.done("goal.verifyProof", proof=proof)
    assert inspected["outcome"] == "INSPECTED"


SLOW = """
import os
if os.path.exists(PIPE):
    with open(PIPE, "w") as pipe:
        pipe.write(str(os.getpid()))
    import time
    time.sleep(600)
"""


def test_cancelling_the_bar_of_a_proof_kills_what_it_runs(client: Wire, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    slow = SLOW.replace("PIPE", repr(str(pipe)))
    project = project_at(tmp_path / "project", **{"tests/__init__.py": slow})
    client.open(project)
    proof = prove(client, project)
    os.mkfifo(pipe)
    number = verify(client, proof)
    token = client.until(is_a_new_bar)["params"]["token"]
    client.told("$/progress", token=token)
    gate = psutil.Process(int(pipe.read_text()))
    client.send("window/workDoneProgress/cancel", {"token": token})
    assert client.answer(number)["error"]["code"] == -32800
    assert bar_of(client, token)[-1] == {"kind": "end", "message": "cancelled"}
    gate.wait(60)
    assert client.done("goal.list")["goals"]


def test_cancelling_the_request_of_a_proof_ends_its_bar(client: Wire, project: Path) -> None:
    client.open(project)
    proof = prove(client, project)
    number = verify(client, proof, workDoneToken=7)
    client.told("$/progress", token=7)
    client.send("$/cancelRequest", {"id": number})
    assert client.answer(number)["error"]["code"] == -32800
    client.done("goal.list")
    assert [value["kind"] for value in bar_of(client, 7)].count("end") == 1
    assert bar_of(client, 7)[-1] == {"kind": "end", "message": "cancelled"}


def test_trust_that_is_taken_back_ends_a_proof_that_is_run(client: Wire, project: Path) -> None:
    client.open(project)
    proof = prove(client, project)
    number = verify(client, proof, workDoneToken="mine")
    client.told("$/progress", token="mine")
    client.send("goal/didChangeTrust", {"trusted": False})
    assert client.answer(number)["error"]["code"] == -32800


def is_a_new_bar(message: dict[str, Any]) -> bool:
    """Whether the server asks for the bar of a request."""
    create = message.get("method") == "window/workDoneProgress/create"
    return create and message["params"]["token"].startswith("run/")


# Other processes


def test_a_goal_that_a_terminal_runs_moves_the_editor(client: Wire, tmp_path: Path) -> None:
    project = project_at(tmp_path / "project", SLEEP)
    client.open(project)
    with subprocess.Popen(
        [sys.executable, "-m", "goal_server", "-C", str(project), "--trust", "run", "--plan",
         str(project / "plan.toml")],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as terminal:  # fmt: skip
        running = client.told("goal/progress", status="running", phase="execution")
        goal = running["goalId"]
        client.told("$/progress")
        terminal.terminate()
        assert client.told("goal/progress", goalId=goal, status="paused")["rev"] > running["rev"]


def test_a_goal_whose_terminal_died_is_shown_as_paused(client: Wire, tmp_path: Path) -> None:
    project = project_at(tmp_path / "project", SLEEP)
    client.open(project)
    with subprocess.Popen(
        [sys.executable, "-m", "goal_server", "-C", str(project), "--trust", "run", "--plan",
         str(project / "plan.toml")],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as terminal:  # fmt: skip
        goal = client.told("goal/progress", status="running", phase="execution")["goalId"]
        terminal.kill()
        client.told("goal/progress", goalId=goal, status="paused")


def test_what_ran_before_the_editor_came_is_told_and_what_is_over_is_not(
    client: Wire, tmp_path: Path
) -> None:
    project = project_at(tmp_path / "project", SLEEP)
    with running() as other:
        other.open(project)
        other.approve()
        done = other.done("goal.plan", plan="plan.toml")["id"]
        goal = start_sleeping(other, project)
        client.open(project)
        client.told("goal/progress", goalId=goal, status="running")
        other.done("goal.cancel", goal=done)
        client.told("goal/progress", goalId=done, status="cancelled")
        assert client.done("goal.cancel", goal=goal)["status"] == "cancelled"
        other.told("goal/progress", goalId=goal, status="cancelled")
