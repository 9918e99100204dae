"""Small real repositories for tests, and one call that takes a plan to its end."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from goal_engine.document import GoalPlan, parse_plan
from goal_engine.engine import Engine
from goal_engine.lifecycle import execute_goal
from goal_engine.planner import CreateGoalOptions, create_goal
from goal_engine.runtime.repository import create_sample_repository
from goal_engine.state.model import GoalState
from goal_server.demo.content import write_application

CALC = """
def add(a, b):
    return a - b


def double(a):
    return 2 * a
"""
TESTS = """
import unittest

import calc


class CalcTest(unittest.TestCase):
    def test_add(self):
        self.assertEqual(calc.add(2, 3), 5)

    def test_double(self):
        self.assertEqual(calc.double(2), 4)
"""
ADD, DOUBLE = "tests.test_calc.CalcTest::test_add", "tests.test_calc.CalcTest::test_double"
FIX = '{ replace = "calc.py", old = "a - b", new = "a + b" }'
CRITERIA = f"""
[[criterion]]
id = "adds"
text = "Sums are right"
evidence = "flips"
gate = "tests"
tests = ["{ADD}"]
"""
GATE = """
[[gate]]
name = "tests"
argv = ["python3", "run_tests.py", "--junit", "{report}"]
report = "junit"
timeout = 60
"""


def closing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close every engine that is opened meanwhile."""
    opened: list[Engine] = []
    begin = Engine.__init__

    def note(engine: Engine, *args: Any, **options: Any) -> None:
        opened.append(engine)
        begin(engine, *args, **options)

    monkeypatch.setattr(Engine, "__init__", note)
    yield
    for engine in opened:
        engine.close()


@cache
def read_runner() -> str:
    """Return the program that runs the demo's tests."""
    with tempfile.TemporaryDirectory() as folder:
        write_application(Path(folder) / "sample")
        return (Path(folder) / "sample" / "run_tests.py").read_text(encoding="utf-8")


def a_project(path: Path, **files: str) -> Path:
    """Make a committed project whose one bug is that `calc.add` subtracts."""
    path.mkdir()
    content = {
        "calc.py": CALC,
        "tests/__init__.py": "",
        "tests/test_calc.py": TESTS,
        "run_tests.py": read_runner(),
        "goalproof.toml": GATE,
        ".gitignore": "__pycache__/\n",
        **files,
    }
    for name, text in content.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text, encoding="utf-8")
    create_sample_repository(path, "a project")
    return path


def commit_all(checkout: Path, message: str, files: Mapping[str, str | None] = {}) -> str:
    """Write `files`, `None` deletes one, commit everything as a person does; return the commit."""
    for name, text in files.items():
        target = checkout / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True) if text is None else target.write_text(text, "utf-8")
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    for words in (("add", "--all"), (*who, "commit", "--quiet", "-m", message)):
        subprocess.run(("git", *words), cwd=checkout, check=True, capture_output=True)
    told = subprocess.run(
        ("git", "rev-parse", "HEAD"), cwd=checkout, check=True, capture_output=True, text=True
    )
    return told.stdout.strip()


def plan_text(steps: str, *, writes: str = '"calc.py"', criteria: str = CRITERIA) -> str:
    """Return the text of a plan of one task with `steps`, TOML tables separated by commas."""
    return f"""
goal = "Make sums right in calc.py"
kind = "fix"
{criteria}
[[task]]
id = "fix"
title = "Fix the sum"
writes = [{writes}]
steps = [{steps}]
"""


def a_plan(steps: str, *, writes: str = '"**"', criteria: str = CRITERIA) -> GoalPlan:
    """Return that plan."""
    return parse_plan(plan_text(steps, writes=writes, criteria=criteria), "plan.toml")


async def create(engine: Engine, plan: GoalPlan) -> GoalState:
    """Create a goal with the project's own gates and set-up commands."""
    choice = await engine.choose_gates()
    options = CreateGoalOptions(
        gates=choice.specs, plan=plan, review=choice.review, setup=choice.setup
    )
    return await create_goal(engine.ports, plan.goal, options)


async def run(engine: Engine, plan: GoalPlan) -> GoalState:
    """Create a goal and take it to its end."""
    state = await create(engine, plan)
    return await execute_goal(engine.ports, state.goal_id)


def fingerprint(path: Path) -> dict[str, str]:
    """Return a digest of every file of a repository, its `.git` too, but not our own folder."""
    found = {}
    for folder, folders, files in os.walk(path):
        folders[:] = [name for name in folders if name not in (".goalproof", "__pycache__")]
        for name in files:
            file = Path(folder) / name
            found[str(file.relative_to(path))] = hashlib.sha256(file.read_bytes()).hexdigest()
    return found
