"""A person asks an agent for a review of a result, on the command line and in an editor."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.wire import Wire, running
from tests.integration.agents import HANGS, configure
from tests.integration.projects import FIX, a_project, plan_text
from tests.personal import set_sandbox

pytestmark = pytest.mark.one_python

PATIENCE = 120
ONE = {"section": "code", "path": "calc.py", "line": 3, "message": "Large sums are not looked at."}
SAYS = f"print({json.dumps(json.dumps({'findings': [ONE]}))})"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOALPROOF_CONFIG_DIR", str(tmp_path / "config"))
    set_sandbox(tmp_path / "config", "off")
    configure(tmp_path / "config", "critic", SAYS)
    return tmp_path / "config"


@pytest.fixture
def project(tmp_path: Path, config: Path) -> Path:
    made = a_project(tmp_path / "project")
    (made / "plan.toml").write_text(plan_text(FIX), encoding="utf-8")
    return made


@pytest.fixture
def run(project: Path) -> Run:
    def type_line(*words: str) -> tuple[int, str, str]:
        argv = [sys.executable, "-m", "goal_server", "-C", str(project), *words]
        ended = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE, check=False)
        return ended.returncode, ended.stdout, ended.stderr

    assert type_line("run", "--plan", str(project / "plan.toml"), "--trust")[0] == 0
    return type_line


@pytest.fixture
def client(project: Path) -> Iterator[Wire]:
    with running() as made:
        made.open(project)
        made.approve()
        yield made


def test_an_agent_is_asked_on_the_command_line(run: Run, config: Path) -> None:
    code, out, err = run("review", "latest", "--reviewer", "critic", "--trust")
    assert (code, "critic: Large sums are not looked at." in out) == (0, True), err
    assert "critic is asked for a review" in err
    assert out.startswith("warned")
    assert "opinion in calc.py:3" in run("show", "latest")[1]
    told = json.loads(run("show", "latest", "--json")[1])
    assert (told["status"], told["spend"]["turns"]) == ("ready", 1)
    (config / "critic.py").write_text("print('It is fine.')")
    code, out, _ = run("review", "latest", "--reviewer", "critic", "--trust", "--json")
    gaps = [gap for section in json.loads(out)["sections"] for gap in section["gaps"]]
    assert code == 0 and any("no review of critic: there is no block" in gap for gap in gaps)
    assert "critic: Large sums" in out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--reviewer", "nobody", "--trust"), 2, "There is no agent 'nobody'"),
        (("--reviewer", "critic", "--worker", "acp", "--trust"), 6, "acp"),
        (("--worker", "cli"), 2, "--reviewer NAME"),
        (("--reviewer", "critic"), 7, "is not trusted"),
    ],
    ids=["unknown", "no such way", "nobody named", "not trusted"],
)
def test_what_cannot_be_asked_is_refused_in_a_paragraph(
    run: Run, words: tuple[str, ...], code: int, said: str
) -> None:
    ended, out, err = run("review", "latest", *words)
    assert (ended, out) == (code, "") and said in err and "Traceback" not in err
    assert run("review", "latest")[0] == 0  # without a model it needs no trust


def judged(client: Wire) -> str:
    goal: str = client.done("goal.run", plan="plan.toml")["id"]
    assert client.call("goal/wait", {"goal": goal})["result"]["status"] == "ready"
    return goal


def findings(view: Any) -> list[str]:
    return [one["message"] for section in view for one in section["findings"]]


def is_progress(message: Any) -> bool:
    return message.get("method") == "goal/progress"


def asks(message: Any, agent: str) -> bool:
    """Whether it tells that an agent reviews."""
    asked = f"{agent} is asked for a review"
    return is_progress(message) and any(asked in line for line in message["params"]["lines"])


def test_an_editor_asks_an_agent_and_has_its_findings(client: Wire) -> None:
    goal = judged(client)
    found = client.done("goal.review", goal=goal, reviewer="critic", worker="cli")
    assert findings(found["sections"]) == ["critic: Large sums are not looked at."]
    assert findings(client.done("goal.show", goal=goal)["reviews"]) == findings(found["sections"])
    assert any(asks(message, "critic") for message in client.seen)


def test_an_editor_can_stop_a_review_and_the_goal_is_as_before(client: Wire, config: Path) -> None:
    configure(config, "slow", HANGS)
    goal = judged(client)
    number = client.ask_command("goal.review", {"goal": goal, "reviewer": "slow"})
    client.until(lambda message: asks(message, "slow"))
    client.send("$/cancelRequest", {"id": number})
    client.until(lambda message: is_progress(message) and not asks(message, "slow"))
    (said,) = client.answers(number) or [client.answer(number)]
    assert "error" in said
    shown = client.done("goal.show", goal=goal)
    assert (shown["status"], shown["spend"]["turns"]) == ("ready", 1)
    assert findings(client.done("goal.review", goal=goal, reviewer="critic")["sections"])
