"""A real agent does a goal from the palette; its model is scripted, as in `tests/agents`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.agents.endpoint import serve
from tests.agents.known import configure_kimi
from tests.agents.scripts import FIXES
from tests.agents.tools import install_agents
from tests.editors.conftest import OpenFolder
from tests.editors.test_vscode_workbench import approve_gates, await_ready
from tests.editors.workbench import LATER
from tests.integration.projects import a_project

TEXT = "Make all tests pass"


def test_the_agent_that_is_picked_does_the_goal(
    vscode: OpenFolder, cradle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = install_agents()
    path = (programs.agents["kimi-code"], programs.node, os.environ["PATH"])
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, path)))
    project = a_project(tmp_path / "project")
    with serve(FIXES, TEXT) as model:
        window = vscode(project)
        configure_kimi(cradle / "profile" / "home", model.url)
        window.command("Goalproof: New Goal…")
        window.type_in(TEXT, "What is to be true afterwards?")
        window.pick("Kimi Code")
        window.pick("Run now")
        approve_gates(window)
        await_ready(window)
        window.shot("agent")
    assert len(model.asked) == 3 and model.problems == []
    window.open_file("calc.py")
    expect(window.lens("Apply")).to_be_visible(timeout=LATER)
