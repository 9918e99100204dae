"""A goal done by an agent that is talked to: what it may is settled, what it uses counts, it goes on in its session."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from goal_engine.dispatch.tasks import retries
from goal_engine.dispatch.tasks.retries import Pause
from goal_engine.document import parse_plan
from goal_engine.engine import Engine
from goal_engine.state import events as e
from goal_engine.types import GoalStatus, Trouble
from goal_engine.workers.wire_worker import find_session
from tests.integration.projects import CRITERIA, a_project, run
from tests.personal import set_sandbox

pytestmark = pytest.mark.one_python
FAKE = Path(__file__).with_name("wire_agent.py")


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    config, keeps = tmp_path / "config", tmp_path / "keeps"
    config.mkdir()
    keeps.mkdir()
    argv = [sys.executable, "-I", str(FAKE), "mend", str(keeps), "--wire"]
    (config / "agents.toml").write_text(f"[agent.mine]\nwire = {json.dumps(argv)}\n")
    set_sandbox(config, "off")
    monkeypatch.setenv("GOALPROOF_CONFIG_DIR", str(config))
    opened = Engine.open(a_project(tmp_path / "project"))
    yield opened
    opened.close()


async def test_an_agent_that_was_put_off_goes_on_in_its_session(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "PAUSES", dict.fromkeys(Trouble, Pause(first=0, most=0)))
    plan = parse_plan(
        f'goal = "Make sums right"\nkind = "fix"\n{CRITERIA}\n[[task]]\nid = "fix"\ntitle = "Fix"\n'
        'worker = "wire"\nagent = "mine"\nwrites = ["calc.py"]\n',
        "plan.toml",
    )
    state = await run(engine, plan)
    assert state.status is GoalStatus.READY, state.judgement
    assert state.tasks["fix"].attempts == 2
    assert (state.spend.tokens, state.spend.turns) == (1234, 2)

    def kept(name: str) -> list[dict[str, str]]:
        lines = (tmp_path / "keeps" / name).read_text().splitlines()
        return [json.loads(line) for line in lines]

    said = [answer.get("response", answer.get("action")) for answer in kept("answers.jsonl")]
    assert said == ["allow", "approve", "block", "block"]
    first, second = kept("argv.json")
    assert first == second and find_session(first[-1])
    before, again = kept("prompts.jsonl")
    assert "You may remember" in again and "You may remember" not in before
    told = [
        event for entry in await engine.ports.store.entries(state.goal_id) for event in entry.events
    ]
    assert [event.session for event in told if isinstance(event, e.SessionOpened)] == [first[-1]]
