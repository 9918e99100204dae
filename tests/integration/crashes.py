"""A goal with everything in it, killed at one journal entry and taken up again (P13)."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from goal_engine.engine import Engine
from goal_engine.proof.verdict import Verdict
from goal_engine.runtime.repository import PIN
from goal_engine.state import events as e
from goal_engine.state.events import GoalEvent
from goal_engine.state.model import GoalState
from goal_engine.types import GoalStatus
from tests.integration.projects import ADD, a_project

ROOT = Path(__file__).parents[2]
DEADLINE = 200.0
AGENT = """
import pathlib, sys
prompt = sys.stdin.read()
calc = pathlib.Path("calc.py")
if "is not enough" not in prompt:
    calc.write_text(calc.read_text().replace("a - b", "b - a"))
else:
    calc.write_text(calc.read_text().replace("b - a", "a + b"))
"""
EFFECTS = {
    "goal.created": 1,
    "task.finished fix": 1,
    "task.finished news": 1,
    "task.finished repair-1": 1,
    "tree.integrated fix": 1,
    "tree.integrated news": 1,
    "tree.integrated repair-1": 1,
    "round.weighed": 1,
    "repair.planned repair-1": 1,
    "goal.judged": 1,
    "hunks.tried": 1,
    "change.applied": 1,
    "delivery.intended": 1,
    "goal.delivered": 1,
}
"""What is recorded of the scripted goal, each once, however often its runner dies."""


def name_effects(event: GoalEvent) -> list[str]:
    """Return what an event is about, as `EFFECTS` has it; two tasks may be integrated one by one."""
    match event:
        case e.RepairPlanned():
            about: tuple[str, ...] = (event.task.id,)
        case e.TreeIntegrated():
            about = event.tasks
        case e.TaskFinished():
            about = (event.task,)
        case _:
            return [event.type]
    return [f"{event.type} {name}" for name in about]


def a_scripted_project(folder: Path) -> Path:
    """A goal with two tasks at once, a repair, its gates, a judgement, a hunk, and its delivery."""
    project = a_project(folder / "project")
    agent = folder / "agent.py"
    agent.write_text(AGENT, encoding="utf-8")
    command = json.dumps([sys.executable, "-IS", str(agent)])
    (folder / "plan.toml").write_text(
        'goal = "Make sums right in calc.py"\nkind = "fix"\n'
        f'[[criterion]]\nid = "adds"\ntext = "Sums"\nevidence = "flips"\ngate = "tests"\n'
        f'tests = ["{ADD}"]\n'
        '[[task]]\nid = "fix"\ntitle = "Fix the sum"\nwrites = ["calc.py"]\nworker = "cli"\n'
        f"command = {command}\n"
        '[[task]]\nid = "news"\ntitle = "Say so"\nwrites = ["NEWS"]\n'
        'steps = [{ write = "NEWS", content = "sums are right" }]\n',
        encoding="utf-8",
    )
    return project


def run(project: Path, mode: str = "after", number: int = 0) -> subprocess.CompletedProcess[str]:
    """Take the goal on until its end, or until this process dies."""
    argv = [
        sys.executable,
        "-m",
        "tests.integration.killed_runner",
        str(project),
        mode,
        str(number),
    ]
    path = os.pathsep.join((str(ROOT), str(ROOT / "server")))
    return subprocess.run(
        argv,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )


def read_end(project: Path) -> tuple[GoalState, Counter[str]]:
    """Return the goal and how often each effect was recorded."""

    async def read() -> tuple[GoalState, Counter[str]]:
        engine = Engine.open(project)
        try:
            (known,) = await engine.ports.store.list()
            assert known.state is not None, known.damage
            entries = await engine.ports.store.entries(known.state.goal_id)
            told = (event for entry in entries for event in entry.events)
            named = (name for event in told for name in name_effects(event))
            return known.state, Counter(name for name in named if name in EFFECTS)
        finally:
            engine.close()

    return asyncio.run(read())


def find_leftovers(project: Path) -> list[Path]:
    """Return what should have gone with those who made it."""
    engine = Engine.open(project)
    state_dir = engine.state_dir
    engine.close()
    kinds = ("workspaces/*", "desks/*", "running/*", "evidence/scratch-*")
    left = [path for kind in kinds for path in state_dir.glob(kind)]
    locks = [path for path in state_dir.rglob("evidence/**/*.lock") if path.name != PIN]
    kept = (project / ".goalproof").rglob
    return [*left, *locks, *kept(".tmp-*"), *kept(".new-*")]


def check_end(project: Path) -> None:
    """It was proven, applied and delivered, with the right files; nothing was done twice or is left."""
    assert find_leftovers(project) == []
    state, effects = read_end(project)
    assert state.status is GoalStatus.DELIVERED, state.blocked
    assert effects == EFFECTS, effects
    assert state.judgement is not None and state.judgement.verdict is Verdict.READY
    assert [criterion.state for criterion in state.judgement.criteria] == ["verified"]
    assert (project / "NEWS").read_text(encoding="utf-8") == "sums are right"
    assert "return a + b" in (project / "calc.py").read_text(encoding="utf-8")
    tree = f"{state.delivery_branch}^{{tree}}"
    argv = ["git", "-C", str(project), "rev-parse", tree]
    assert subprocess.check_output(argv, text=True).strip() == state.tree


def crash(folder: Path, mode: str, number: int) -> bool:
    """Kill a goal at one point and take it up again; false when it was done before that."""
    project = a_scripted_project(folder)
    killed = run(project, mode, number)
    if killed.returncode != 0:
        assert killed.returncode == -9, killed.stderr
        again = run(project)
        assert again.returncode == 0, f"{mode} entry {number}: {again.stderr}"
    check_end(project)
    return killed.returncode != 0
