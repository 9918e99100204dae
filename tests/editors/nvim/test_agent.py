"""A real agent does what is typed; its model is scripted, as in `tests/agents`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.agents.endpoint import serve
from tests.agents.known import configure_kimi
from tests.agents.scripts import FIXES
from tests.agents.tools import install_agents
from tests.editors.nvim.conftest import OpenEditor, newest
from tests.editors.nvim.test_goal import APPROVE, TRUST, open_calc

TEXT = "Make all tests pass"


@newest
def test_the_one_agent_of_a_machine_does_a_goal_of_words(
    start: OpenEditor, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = install_agents()
    path = (programs.agents["kimi-code"], programs.node, os.environ["PATH"])
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, path)))
    with serve(FIXES, TEXT) as model:
        configure_kimi(tmp_path / "home", model.url)
        editor = open_calc(start, project)
        editor.answer(TRUST, APPROVE)
        editor.ex(f"Goal run {TEXT}")
        editor.until_status("ready")
    assert len(model.asked) == 3 and model.problems == []
    assert "+1 −1" in editor.until_lens("Apply")
