"""An agent proposes a task, a person says yes, and another turn does it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from goal_engine.control import answer_question
from goal_engine.document import GoalPlan, parse_plan
from goal_engine.engine import Engine
from goal_engine.lifecycle import execute_goal, resume_goal
from goal_engine.planner import CreateGoalOptions, create_goal
from goal_engine.replay import replay_goal
from goal_engine.types import Decision, GoalStatus, TaskStatus
from tests.integration.agents import configure
from tests.integration.projects import CRITERIA, a_project
from tests.personal import set_sandbox

pytestmark = pytest.mark.one_python

S = GoalStatus
ME = Decision(actor="me", reason="it is needed")
PROPOSES = """
import json, pathlib, sys
prompt = sys.argv[1] if len(sys.argv) > 1 else sys.stdin.read()
if "Write the notes" in prompt:
    assert "NOTES.md says how sums are made" in prompt, prompt
    pathlib.Path("NOTES.md").write_text("Sums are made by adding.\\n")
    sys.exit()
path = pathlib.Path("calc.py")
path.write_text(path.read_text().replace("a - b", "a + b"))
if ".goalproof/proposals/NAME.json" in prompt:
    folder = pathlib.Path(".goalproof/proposals")
    folder.mkdir(parents=True)
    more = {"title": "Write the notes", "description": "Say how it works.",
            "acceptance": ["NOTES.md says how sums are made"]}
    (folder / "1.json").write_text(json.dumps({"id": "notes", "write_set": ["NOTES.md"], **more}))
    (folder / "2.json").write_text(json.dumps({"id": "ci", "write_set": [".github/x.yml"], **more}))
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOALPROOF_CONFIG_DIR", str(tmp_path / "config"))
    set_sandbox(tmp_path / "config", "off")
    return tmp_path / "config"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return a_project(tmp_path / "project")


@pytest.fixture
def engine(project: Path) -> Iterator[Engine]:
    opened = Engine.open(project)
    yield opened
    opened.close()


def a_plan(*policy: str) -> GoalPlan:
    more = "\n".join(("[policy]", *policy))
    return parse_plan(
        f'goal = "Make sums right in calc.py"\nkind = "fix"\n{CRITERIA}\n[[task]]\nid = "fix"\n'
        'title = "Fix the sum"\nworker = "cli"\nagent = "clever"\nwrites = ["calc.py"]\n'
        f"{more}\n",
        "plan.toml",
    )


async def test_a_proposed_task_waits_for_a_word_is_done_and_stands_in_the_history(
    engine: Engine, config: Path
) -> None:
    configure(config, "clever", PROPOSES)
    choice = await engine.choose_gates()
    created = await create_goal(
        engine.ports, "", CreateGoalOptions(gates=choice.specs, plan=a_plan())
    )
    name = created.goal_id
    asked = await execute_goal(engine.ports, name)
    assert asked.status is S.BLOCKED_ON_HUMAN, {n: t.reason for n, t in asked.tasks.items()}
    (question,) = asked.open_questions
    assert question.id == "proposal:notes" and "what no task of the goal may" in question.text
    assert asked.evidence is not None and asked.evidence.paths == {"calc.py"}
    told = [event for entry in await engine.ports.store.entries(name) for event in entry.events]
    (refused,) = [event for event in told if event.type == "proposal.rejected"]
    assert (refused.name, refused.rule) == ("ci", "path")

    await answer_question(engine.ports, name, question.id, "accept", ME)
    ended = await resume_goal(engine.ports, name)
    assert ended.tasks["notes"].status is TaskStatus.DONE, ended.tasks["notes"].reason
    assert ended.evidence is not None and ended.evidence.paths == {"calc.py", "NOTES.md"}
    assert (await replay_goal(engine.ports, name)).state.tasks.keys() == {"fix", "notes"}


async def test_what_a_repository_brings_along_is_no_agents_proposal(
    tmp_path: Path, config: Path
) -> None:
    path = ".goalproof/proposals/0.json"
    engine = Engine.open(a_project(tmp_path / "trap", **{path: "{}"}))
    configure(config, "clever", PROPOSES)
    choice = await engine.choose_gates()
    plan = a_plan('proposals = "accept"')
    created = await create_goal(engine.ports, "", CreateGoalOptions(gates=choice.specs, plan=plan))
    ended = await execute_goal(engine.ports, created.goal_id)
    told = [entry.events for entry in await engine.ports.store.entries(created.goal_id)]
    kinds = {event.type for events in told for event in events}
    assert not kinds & {"task.proposed", "proposal.accepted", "proposal.rejected"}
    assert ended.tasks.keys() == {"fix"}
    assert ended.tasks["fix"].status is TaskStatus.DONE
    engine.close()
