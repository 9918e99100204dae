"""A person's limit holds: work waits for room, or less of it runs at once, and both are said."""

from __future__ import annotations

from pathlib import Path

import pytest

from goal_engine.document import parse_plan
from goal_engine.engine import Engine
from goal_engine.lifecycle import resume_goal
from goal_engine.state import events as e
from goal_engine.types import GoalStatus
from tests.integration.projects import CRITERIA, FIX, a_project, run

pytestmark = pytest.mark.one_python

PLAN = f"""
goal = "Make sums right in calc.py"
kind = "fix"
{CRITERIA}
[[task]]
id = "fix"
title = "Fix the sum"
writes = ["calc.py"]
steps = [{FIX}]
[[task]]
id = "news"
title = "Say so"
writes = ["NEWS"]
steps = [{{ write = "NEWS", content = "sums are right" }}]
"""


def allow(folder: Path, mib: int) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "storage.toml").write_text(f"limit_mib = {mib}\n", encoding="utf-8")


async def test_work_waits_for_room_and_then_runs_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("STATE", "CONFIG"):
        monkeypatch.setenv(f"GOALPROOF_{name}_DIR", str(tmp_path / name))
    allow(tmp_path / "CONFIG", 1)
    engine = Engine.open(a_project(tmp_path / "project", data="x" * (1 << 20)))
    try:
        state = await run(engine, parse_plan(PLAN, "plan.toml"))
        assert state.status is GoalStatus.FAILED_INFRA and state.blocked is not None
        assert "limit_mib" in state.blocked.reason and "`gc`" in state.blocked.next
        assert not any(task.attempts for task in state.tasks.values())

        allow(tmp_path / "CONFIG", 2)
        state = await resume_goal(engine.ports, state.goal_id)
        assert state.status is GoalStatus.READY, state.blocked
        entries = await engine.ports.store.entries(state.goal_id)
        events = [event for entry in entries for event in entry.events]
        (narrowed,) = (event for event in events if isinstance(event, e.WaveNarrowed))
        assert narrowed.at_once == 1 and "1 of 2" in narrowed.reason
        steps = [type(one) for one in events if isinstance(one, e.TaskStarted | e.TaskFinished)]
        assert steps == [e.TaskStarted, e.TaskFinished] * 2
    finally:
        engine.close()
