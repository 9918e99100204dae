"""A goal that asks is blocked by the entry that asks: no crash leaves one that goes on unasked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from goal_engine.control import answer_question
from goal_engine.decision import Question
from goal_engine.engine import Engine
from goal_engine.lifecycle import execute_goal, recover_goal, resume_goal
from goal_engine.state import events as e
from goal_engine.state.commands import Record, StartGoal
from goal_engine.types import Decision, GoalStatus
from tests.integration.projects import FIX, GATE, a_plan, a_project, create

pytestmark = pytest.mark.one_python
ME = Decision(actor="me", reason="I looked at it")
LINT = '\n[[gate]]\nname = "lint"\nargv = ["false"]\n'
"""Red on the base, by an exit code alone."""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = Engine.open(a_project(tmp_path / "project", **{"goalproof.toml": GATE + LINT}))
    yield opened
    opened.close()


async def test_what_is_asked_and_that_it_waits_are_one_entry(engine: Engine) -> None:
    goal = (await create(engine, a_plan(FIX))).goal_id
    state = await execute_goal(engine.ports, goal)
    assert state.status is GoalStatus.BLOCKED_ON_HUMAN
    (*_, last) = await engine.ports.store.entries(goal)
    assert [type(event) for event in last.events] == [e.QuestionsAsked, e.GoalBlocked]
    await answer_question(engine.ports, goal, "gate:lint", "optional", ME)
    assert (await resume_goal(engine.ports, goal)).status is GoalStatus.READY


async def test_a_goal_whose_runner_died_after_it_had_asked_waits_when_it_is_resumed(
    engine: Engine,
) -> None:
    """Releases before wrote two entries, and a journal may end between them."""
    ports, goal = engine.ports, (await create(engine, a_plan(FIX))).goal_id
    await ports.transact(goal, StartGoal())
    asked = e.QuestionsAsked(questions=(Question(id="gate:lint", text="Is it required?"),))
    await ports.transact(goal, Record((asked,)))
    assert (await recover_goal(ports, goal)).status is GoalStatus.PAUSED
    state = await resume_goal(ports, goal)
    assert state.status is GoalStatus.BLOCKED_ON_HUMAN
    assert [question.id for question in state.open_questions] == ["gate:lint"]
    assert state.tasks["fix"].attempts == 0
