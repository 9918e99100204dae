"""A person's word and the judgement that follows from it: of several at once, none is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from goal_engine import integration
from goal_engine.engine import Engine
from goal_engine.errors import NotPossibleNow
from goal_engine.integration import accept_criterion
from goal_engine.lifecycle import execute_goal
from goal_engine.state.model import GoalState
from goal_engine.types import Decision, GoalStatus
from tests.integration.projects import CRITERIA, FIX, GATE, a_plan, a_project, run

pytestmark = pytest.mark.one_python

S = GoalStatus
ME = Decision(actor="me", reason="I looked at it")
TWO = "".join(
    f'[[criterion]]\nid = "{name}"\ntext = "A person sees {name}"\nevidence = "accepted"\n'
    for name in ("one", "two")
)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = Engine.open(a_project(tmp_path / "project"))
    yield opened
    opened.close()


async def wait_for_person(engine: Engine) -> GoalState:
    state = await run(engine, a_plan(FIX, criteria=CRITERIA + TWO))
    assert state.status is S.BLOCKED_ON_HUMAN, state.judgement
    return state


async def test_two_criteria_that_are_accepted_at_once_are_both_verified(engine: Engine) -> None:
    state = await wait_for_person(engine)
    accepts = (accept_criterion(engine.ports, state.goal_id, name, ME) for name in ("one", "two"))
    await asyncio.gather(*accepts)
    assert (await engine.ports.read(state.goal_id)).status is S.READY


async def test_a_judgement_of_gates_that_ran_anew_meanwhile_is_not_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same tree was proved again while the proof was written, and was not green this time."""
    flag = tmp_path / "flag"
    flag.touch()
    gate = f'[[gate]]\nname = "flag"\nargv = ["test", "-e", "{flag}"]\n'
    engine = Engine.open(a_project(tmp_path / "flagged", **{"goalproof.toml": GATE + gate}))
    goal = (await wait_for_person(engine)).goal_id
    await accept_criterion(engine.ports, goal, "one", ME)
    real = integration.write_bundle

    async def slow(*given: Any) -> str:
        digest = await real(*given)
        monkeypatch.setattr(integration, "write_bundle", real)
        ready = await accept_criterion(engine.ports, goal, "two", ME)
        assert ready.status is S.READY
        flag.unlink()
        assert (await execute_goal(engine.ports, goal)).status is S.NOT_READY
        return digest

    monkeypatch.setattr(integration, "write_bundle", slow)
    with pytest.raises(NotPossibleNow, match="Criterion two of .* is verified"):
        await accept_criterion(engine.ports, goal, "two", ME)
    assert (await engine.ports.read(goal)).status is S.NOT_READY
    engine.close()
