"""A real agent does what is typed; its model is scripted, as in `tests/agents`."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from tests.agents.endpoint import serve
from tests.agents.known import configure_kimi
from tests.editors.agents import FOUND, TEXT, WORD, have_one_agent, hears, works
from tests.editors.nvim.conftest import OpenEditor, newest
from tests.editors.nvim.driver import Neovim
from tests.editors.nvim.test_goal import APPROVE, TRUST, open_calc
from tests.editors.nvim.test_manners import complete

ASKS = "`:Goal allow`"


@pytest.fixture(autouse=True)
def _one_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    have_one_agent(tmp_path / "config", monkeypatch)


def allow(editor: Neovim) -> None:
    """Allow what the agent asks."""
    editor.until_said(ASKS)
    editor.answer("allow")
    editor.ex("Goal allow")


@newest
def test_it_does_a_goal_of_words_and_is_told_a_word_from_its_log(
    start: OpenEditor, project: Path, tmp_path: Path
) -> None:
    told = Event()
    with serve(hears(told, "python3 run_tests.py"), TEXT) as model:
        configure_kimi(tmp_path / "home", model.url)
        editor = open_calc(start, project)
        editor.answer(TRUST, APPROVE)
        editor.ex(f"Goal run {TEXT}")
        allow(editor)
        model.wait_for(2)
        editor.ex("Goal log")
        editor.until("return vim.fn.search('run_tests.py', 'nw') > 0")
        assert "t tell the agent" in editor.lua("return vim.wo.winbar")
        editor.answer(WORD)
        editor.keys("t")
        editor.until_said("is told")
        told.set()
        editor.until("return vim.fn.search('the person says: Use plus', 'nw') > 0")
        editor.until_status("ready")
        editor.keys("q")
    assert model.problems == []
    assert "+1 −1" in editor.until_lens("Apply")


@newest
def test_it_makes_the_plan_does_it_and_reviews_the_result(
    start: OpenEditor, project: Path, tmp_path: Path
) -> None:
    with serve(works, TEXT) as model:
        configure_kimi(tmp_path / "home", model.url)
        editor = open_calc(start, project)
        assert complete(editor, "Goal plan ag") == ["agent="]
        editor.until("return #vim.fn.getcompletion('Goal plan agent=', 'cmdline') > 0")
        assert complete(editor, "Goal plan agent=") == ["agent=kimi"]
        editor.answer(TRUST, APPROVE)
        editor.ex(f"Goal plan {TEXT}")
        editor.until("return vim.api.nvim_buf_get_name(0):match('/plan%.toml$')")
        assert "all-green" not in "\n".join(editor.lines())
        editor.ex("Goal revise latest planner=agent")
        editor.until("return vim.fn.search('all-green', 'nw') > 0")
        editor.until_lens("Run this plan")
        editor.ex("Goal execute")
        allow(editor)
        editor.until_status("ready")
        editor.ex("Goal review latest reviewer=kimi")
        editor.until("return vim.api.nvim_buf_get_name(0):match('/review$') ~= nil")
        assert FOUND in "\n".join(editor.lines())
    assert model.problems == []
