"""Choosing gates in a real checkout: what is read, what is asked, and which Python it is."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import sys
import venv
from pathlib import Path

import psutil
import pytest

from goal_engine.engine import Engine
from goal_engine.errors import BadConfiguration
from goal_engine.gates.choose import LARGEST, choose_gates
from goal_engine.gates.look import look_in
from goal_engine.planner import CreateGoalOptions, create_goal
from goal_engine.proof.gate import GateSpec
from goal_engine.proof.review import ReviewPolicy
from goal_engine.runtime import user_tools
from goal_engine.runtime.interpreter import NO_PYTHON
from goal_engine.runtime.user_tools import ask_tool
from tests.integration.projects import FIX, a_plan, a_project

pytestmark = pytest.mark.one_python

SCRIPTS = json.dumps({"scripts": {"test": "node --test"}})


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    folder = tmp_path / "checkout"
    folder.mkdir()
    return folder


def write(folder: Path, **files: str) -> tuple[str, ...]:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return tuple(files)


def a_program(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program


def test_a_link_that_leads_out_of_the_checkout_is_not_followed(checkout):
    outside = checkout.parent / "package.json"
    outside.write_text(SCRIPTS)
    (checkout / "package.json").symlink_to(outside)
    choice = choose_gates(checkout, ["package.json"])
    assert choice.specs == ()
    assert [one.reason for one in choice.passed_over] == ["it holds no JSON object"]


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to(path.name)])
def test_what_is_no_file_is_as_good_as_empty(checkout, make):
    make(checkout / "package.json")
    assert choose_gates(checkout, ["package.json"]).specs == ()


def test_a_file_that_is_too_large_is_as_good_as_empty(checkout):
    files = write(checkout, **{"package.json": SCRIPTS + " " * LARGEST})
    assert choose_gates(checkout, files).specs == ()


def test_a_file_that_is_gone_from_the_checkout_is_as_good_as_empty(checkout):
    assert choose_gates(checkout, ["package.json", "a/Makefile"]).specs == ()


def test_the_one_environment_in_a_project_s_folder_is_the_one_that_gates_run_in(checkout):
    files = write(checkout, **{"api/pyproject.toml": "", "web/pyproject.toml": ""})
    venv.create(checkout / "api/.venv", symlinks=True)
    assert choose_gates(checkout, files).python == "api/.venv"
    venv.create(checkout / "web/venv", symlinks=True)
    choice = choose_gates(checkout, files)
    assert choice.python == "api/.venv"
    assert [one.what for one in choice.passed_over] == ["web/venv"]
    venv.create(checkout / ".venv", symlinks=True)
    assert choose_gates(checkout, files).python is None


def test_what_is_configured_or_active_is_not_looked_for_elsewhere(checkout, monkeypatch):
    files = write(checkout, **{"api/pyproject.toml": ""})
    venv.create(checkout / "api/.venv", symlinks=True)
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    assert choose_gates(checkout, files).python is None
    write(checkout, **{"goalproof.toml": f'[workspace]\npython = "{sys.executable}"\n'})
    assert choose_gates(checkout, files).python == sys.executable


def test_a_manager_is_asked_where_it_keeps_the_project_s_environment(checkout, monkeypatch):
    files = write(checkout, **{"poetry.lock": "", "pyproject.toml": ""})
    elsewhere = checkout.parent / "elsewhere"
    venv.create(elsewhere, symlinks=True)
    programs = checkout.parent / "bin"
    a_program(
        programs,
        "poetry",
        f'test "$*" = "--no-plugins --no-interaction env info --path" && echo {elsewhere}',
    )
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    assert choose_gates(checkout, files).python == str(elsewhere)
    a_program(programs, "poetry", "echo nowhere")
    assert choose_gates(checkout, files).python is None


def test_a_python_of_whatever_name_is_python_to_a_gate(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    user = dataclasses.replace(NO_PYTHON, python=Path(sys.executable), scripts=tmp_path)
    assert look_in(user, tmp_path)("python")
    assert not look_in(NO_PYTHON, tmp_path)("python")


def test_a_tool_that_fails_says_nothing(tmp_path):
    failing = a_program(tmp_path, "tool", "echo told; exit 3")
    assert ask_tool((str(failing),), tmp_path, {}) is None
    assert ask_tool(("no-such-tool",), tmp_path, {"PATH": str(tmp_path)}) is None


def test_what_a_tool_leaves_running_is_ended_and_not_waited_for(tmp_path):
    left = tmp_path / "left"
    asked = a_program(tmp_path, "tool", f"sleep 1000 & echo $! > {left}; echo said")
    assert ask_tool((str(asked),), tmp_path, {"PATH": os.defpath}) == b"said\n"
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(int(left.read_text())).wait(10)


def test_a_tool_that_does_not_end_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(user_tools, "ANSWER_SECONDS", 0.2)
    asked = a_program(tmp_path, "tool", "echo said; exec sleep 1000")
    assert ask_tool((str(asked),), tmp_path, {"PATH": os.defpath}) is None


def test_a_tool_is_asked_without_the_network(tmp_path):
    asked = a_program(tmp_path, "tool", 'echo "$GOPROXY $CARGO_NET_OFFLINE"')
    assert ask_tool((str(asked),), tmp_path, {}) == b"off true\n"


async def test_a_goal_says_which_tools_are_configured_and_not_there(tmp_path):
    project = a_project(tmp_path / "project", **{"goalproof.toml": "", "go.mod": ""})
    engine = Engine.open(project)
    try:
        plan = a_plan(FIX)
        options = CreateGoalOptions(gates=(), plan=plan, notices=("go is no gate: it is absent.",))
        with pytest.raises(BadConfiguration, match="go is no gate: it is absent"):
            await create_goal(engine.ports, plan.goal, options)
        options = dataclasses.replace(options, gates=(GateSpec(name="tests", argv=("make",)),))
        state = await create_goal(engine.ports, plan.goal, options)
    finally:
        engine.close()
    assert state.created is not None and state.created.notices[-1:] == options.notices


async def test_a_goal_says_what_its_review_leaves_out(tmp_path):
    engine = Engine.open(a_project(tmp_path / "project"))
    try:
        plan, gate = a_plan(FIX), GateSpec(name="tests", argv=("make",))
        options = CreateGoalOptions(
            gates=(gate,), plan=plan, review=ReviewPolicy(ignore=("hidden-text",))
        )
        state = await create_goal(engine.ports, plan.goal, options)
    finally:
        engine.close()
    assert state.created is not None
    assert "says to ignore: hidden-text" in state.created.notices[-1]
