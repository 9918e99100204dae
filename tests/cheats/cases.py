"""What a row of the corpus is, and how it is run: a real engine, git and gates, one lie or one fix.

A row's worker is Python in a process of its own, with a few words that `PRELUDE` gives it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet

from goal_engine.document import GoalPlan, parse_plan
from goal_engine.engine import Engine
from goal_engine.runtime.config import config_dir
from goal_engine.state.model import GoalState
from goal_engine.types import GoalStatus
from goal_engine.verifier.bundle import PAGE, proofs_folder
from tests.integration.projects import CRITERIA, a_project, plan_text, run
from tests.personal import set_sandbox

PRELUDE = """
import os, pathlib, subprocess, sys
CHECKOUT = pathlib.Path(sys.argv[1])

def read(path):
    return pathlib.Path(path).read_text()

def write(path, text):
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    pathlib.Path(path).write_text(text)

def swap(path, old, new):
    assert old in read(path), (path, old)
    write(path, read(path).replace(old, new))

def add(path, text):
    write(path, read(path) + text)

def git(*words):
    who = ("-c", "user.name=x", "-c", "user.email=x", "-c", "protocol.file.allow=always")
    subprocess.run(["git", *who, *words], check=True, stdout=subprocess.DEVNULL)

def fix():
    swap("calc.py", "a - b", "a + b")

def break_double():
    swap("calc.py", "2 * a", "3 * a")
"""
WHOLE = CRITERIA.replace("tests = [", "# tests = [")
"""The same criterion, spoken for by the whole gate."""


@dataclass(frozen=True)
class Case:
    """One worker, what the goal must come to, and why."""

    name: str
    does: str
    """What the worker runs in its workspace."""
    why: str
    status: GoalStatus = GoalStatus.NOT_READY
    says: str = ""
    """Words of the judgement's reasons; for what is only shown, of the proof's page or the change."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Files of the project that differ from the usual ones."""
    criteria: str = CRITERIA
    """None, and the goal's words ask."""
    goal: str = ""
    """Words in the place of the usual ones."""
    writes: str = '"**"'
    worker: str = "recipe"
    outside: bool = False
    """Whether it needs what a sandbox keeps from it: it is played without one."""
    by_design: bool = False
    """Of an honest worker: that it waits for a person is what the design says."""

    def __str__(self) -> str:
        return self.name


async def play(case: Case, folder: Path) -> tuple[GoalState, str, str]:
    """Run a row to its end and return the goal, the page of its proof and the change."""
    if case.outside:
        set_sandbox(config_dir(), "off")
    project = a_project(folder / "project", **case.files)
    script = folder / "worker.py"
    script.write_text(PRELUDE + case.does, encoding="utf-8")
    engine = Engine.open(project)
    try:
        state = await run(engine, _plan(case, [sys.executable, "-IS", str(script), str(project)]))
        page, change = "", ""
        if state.proof is not None:
            folder = proofs_folder(project, state.goal_id) / state.proof.digest
            page = (folder / PAGE).read_text(encoding="utf-8")
        if state.tree is not None:
            repository = engine.ports.open_repository()
            change = repository.patch(state.created.base_tree, state.tree).decode()
    finally:
        engine.close()
    return state, page, change


def _plan(case: Case, argv: list[str]) -> GoalPlan:
    command = json.dumps(argv)
    steps = f"{{ run = {command} }}" if case.worker == "recipe" else ""
    text = plan_text(steps, writes=case.writes, criteria=case.criteria)
    if case.goal:
        usual = 'goal = "Make sums right in calc.py"\nkind = "fix"'
        assert usual in text
        text = text.replace(usual, f"goal = {json.dumps(case.goal)}")
    if case.worker == "cli":
        text = text.replace("steps = []", f'worker = "cli"\ncommand = {command}')
    return parse_plan(text, "plan.toml")


def often(cases: Iterable[Case]) -> list[ParameterSet]:
    """Return parameters: of cases that are so for the same reason one is played with every change."""
    told: set[str] = set()
    rows = []
    for case in cases:
        rows.append(pytest.param(case, marks=[pytest.mark.long] if case.why in told else []))
        told.add(case.why)
    return rows


def reasons(state: GoalState) -> str:
    """Return why a goal is not ready, in one line."""
    assert state.judgement is not None, (state.status, state.blocked)
    return "; ".join(state.judgement.reasons)
