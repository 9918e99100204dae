"""What every Neovim plugin owes: help, health, completion, no maps, no surprises."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.editors.nvim.conftest import OpenEditor, newest
from tests.editors.nvim.driver import PLUGIN, Neovim
from tests.editors.nvim.test_goal import TRUST, open_calc, run_plan


def complete(editor: Neovim, line: str) -> list[str]:
    """Return what `<Tab>` offers after a line."""
    return list(editor.lua("return vim.fn.getcompletion(..., 'cmdline')", line) or [])


def health(editor: Neovim) -> str:
    """Return what `:checkhealth goalproof` says."""
    editor.ex("checkhealth goalproof")
    return "\n".join(editor.lines())


@newest
def test_verbs_goals_and_options_are_completed(start: OpenEditor, project: Path) -> None:
    editor = open_calc(start, project)
    goal = run_plan(editor, "ready")
    assert complete(editor, "Goal p") == ["plan", "pause", "proof"]
    assert complete(editor, "Goal apply ") == [goal, "latest"]
    assert complete(editor, "Goal pause ") == ["latest"]
    assert complete(editor, f"Goal open {goal} ") == ["plan", "proof", "task"]
    assert complete(editor, "Goal run wor") == ["worker="]
    assert complete(editor, "Goal plan planner=") == ["planner=agent", "planner=scaffold"]
    assert complete(editor, f"Goal revise {goal} p") == ["planner=", "plan="]
    assert complete(editor, f"Goal resume {goal} planner=") == []
    assert complete(editor, "Goal nonsense ") == []


def test_every_verb_has_a_help_tag(start: OpenEditor, project: Path, tmp_path: Path) -> None:
    docs = tmp_path / "docs" / "doc"
    shutil.copytree(PLUGIN / "doc", docs, ignore=shutil.ignore_patterns("tags"))
    editor = start(project)
    editor.lua("vim.opt.runtimepath:prepend(...)", str(docs.parent))
    editor.ex(f"helptags {docs}")
    for verb in editor.lua("return require('goalproof.verbs').order"):
        editor.ex(f"help :Goal-{verb}")
        assert editor.lua("return vim.fn.expand('%:p')") == str(docs / "goalproof.txt")
        assert f"*:Goal-{verb}*" in editor.lua("return vim.api.nvim_get_current_line()")
    editor.ex("help :Goal")
    assert "*:Goal*" in editor.lua("return vim.api.nvim_get_current_line()")


@newest
def test_every_verb_is_in_the_order_of_the_menu(start: OpenEditor, project: Path) -> None:
    editor = start(project)
    order, known = editor.lua(
        "local verbs = require('goalproof.verbs') return { verbs.order, vim.tbl_keys(verbs.verbs) }"
    )
    assert sorted(order) == sorted(known)


def test_health_says_what_is_there(start: OpenEditor, project: Path) -> None:
    editor = open_calc(start, project)
    told = health(editor)
    assert "goalproof 0." in told
    assert f"serves {project} (1 buffers)" in told
    assert "is not trusted: nothing of it is executed" in told
    assert "every setting is understood" in told
    assert "ERROR" not in told
    editor.answer(TRUST)
    editor.ex("Goal trust")
    editor.until_said("is trusted")
    assert f"{project} is trusted" in health(editor)


@newest
@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"colour": "red"}, "`colour` is no setting"),
        ({"settings": {"lense": "all"}}, "`settings.lense` is no setting"),
        ({"notify": "loud"}, '`notify` is not "all", "needed" or "off"'),
        ({"settings": {"maxAgents": 0}}, "`settings.maxAgents` is not a whole number"),
    ],
)
def test_health_warns_of_settings_that_are_not_understood(
    start: OpenEditor, project: Path, settings: dict[str, Any], told: str
) -> None:
    editor = start(project, **settings)
    assert told in health(editor)


@newest
def test_health_says_what_to_do_about_a_missing_program(start: OpenEditor, project: Path) -> None:
    editor = start(project, cmd=["no-such-goalproof", "lsp"])
    told = health(editor)
    assert "ERROR" in told
    assert "pipx install ." in told


@newest
def test_setup_is_not_needed_and_changes_the_defaults(start: OpenEditor, project: Path) -> None:
    editor = start(project, notify="needed")
    editor.lua("require('goalproof').setup({ border = 'single', settings = { lens = 'off' } })")
    found = editor.lua("return require('goalproof.config').get()")
    assert found["border"] == "single"
    assert found["settings"] == {"lens": "off"}
    assert found["notify"] == "needed"


@newest
def test_no_key_is_mapped_but_plugs(start: OpenEditor, project: Path) -> None:
    editor = open_calc(start, project)
    maps = editor.lua(
        "local found = {} for _, mode in ipairs({ 'n', 'x', 'i', 'o', 'c', 't' }) do"
        " for _, map in ipairs(vim.api.nvim_get_keymap(mode)) do"
        " if (map.desc or ''):find('^Goal') then table.insert(found, map.lhs) end end end"
        " return found"
    )
    assert maps
    assert all(lhs.startswith("<Plug>(goalproof-") for lhs in maps)


@newest
def test_starting_the_editor_loads_next_to_nothing(start: OpenEditor, project: Path) -> None:
    editor = start(project)
    loaded = editor.lua(
        "return vim.tbl_filter(function(name) return vim.startswith(name, 'goalproof') end,"
        " vim.tbl_keys(package.loaded))"
    )
    assert loaded == ["goalproof.attach"]


@newest
def test_a_statusline_takes_no_orders_from_a_goal(start: OpenEditor, project: Path) -> None:
    editor = open_calc(start, project)
    editor.lua("""
        local root = require('goalproof.client').find_here()
        require('goalproof.progress').take(root, {
          goalId = 'goal-x', rev = 1, text = 'x', status = 'blocked_on_human', phase = 'planning',
          done = 0, total = 1, percentage = 0, lines = {}, spend = {},
          blocker = '%{execute("let g:owned = 1")}\\n\\27[31m red',
        })
    """)
    line = editor.lua(
        "return vim.api.nvim_eval_statusline("
        "[[%{%v:lua.require'goalproof'.statusline()%}]], { maxwidth = 300 }).str"
    )
    assert editor.lua("return vim.g.owned") is None
    assert line.startswith("goal: blocked on human · ")
    assert "^[[31m red" in line


@newest
def test_an_older_snapshot_changes_nothing(start: OpenEditor, project: Path) -> None:
    editor = open_calc(start, project)
    take = """
        local rev, status = ...
        require('goalproof.progress').take(require('goalproof.client').find_here(), {
          goalId = 'goal-x', rev = rev, text = 'x', status = status, phase = 'execution',
          done = 1, total = 2, percentage = 50, lines = {}, spend = {}, blocker = '',
        })
    """
    editor.lua(take, 2, "paused")
    editor.lua(take, 1, "running")
    assert editor.statusline() == "goal: paused"
    editor.lua(take, 3, "running")
    assert editor.statusline() == "goal: execution 1/2"


@newest
def test_what_an_agent_asks_is_told_once_and_settled_by_its_key(
    start: OpenEditor, project: Path
) -> None:
    editor = open_calc(start, project)
    editor.answer("deny")
    editor.lua("""
        local ask = {
          key = '0123456789abcdef', task = 'fix', tool = 'Bash', action = 'execute',
          text = 'Bash: git push', detail = 'git push', paths = {}, choices = {}, ['until'] = '',
        }
        local running = { id = 'fix', title = 'Fix', status = 'running', worker = 'acp' }
        local goal = { text = 'x', status = 'running', blocker = '', asks = { ask }, tasks = { running } }
        sent = {}
        require('goalproof.operate').operate = function(_, operation, params)
          if operation ~= 'show' then
            sent[#sent + 1] = { operation, params }
          end
          return goal
        end
        local snapshot = {
          goalId = 'goal-x', rev = 1, text = 'x', status = 'running', phase = 'execution', done = 0,
          total = 1, percentage = 0, lines = {}, spend = {}, blocker = 'an agent asks you: git push',
          asks = { ask.key },
        }
        local progress = require('goalproof.progress')
        progress.take('/x', snapshot)
        progress.take('/x', vim.tbl_extend('force', snapshot, { rev = 2 }))
        local call = { root = '/x', goal = 'goal-x', words = { 'not', 'that' }, options = {} }
        local flow, asks = require('goalproof.flow'), require('goalproof.asks')
        flow.run(function() asks.deny(call) end)
        flow.run(function() asks.tell(call) end)
    """)
    editor.until("return #sent == 2")
    answered = {"goal": "goal-x", "question": "0123456789abcdef", "text": "deny not that"}
    told = {"goal": "goal-x", "task": "fix", "text": "not that"}
    assert sorted(editor.lua("return sent")) == [["answer", answered], ["tell", told]]
    said = [words for words in editor.said() if "an agent asks you" in words]
    assert len(said) == 1 and "`:Goal allow`" in said[0]


def test_an_edit_for_an_older_text_is_refused_as_a_whole(start: OpenEditor, project: Path) -> None:
    editor = open_calc(start, project)
    editor.lua("vim.api.nvim_buf_set_lines(0, 0, 0, true, { '# mine' })")
    editor.until("return vim.lsp.util.buf_versions[0 + vim.api.nvim_get_current_buf()] > 1")
    answer = editor.lua("""
        local function edit(path, version)
          local uri = vim.uri_from_fname(path)
          local at = { line = 0, character = 0 }
          local change = { range = { start = at, ['end'] = at }, newText = '# theirs\\n' }
          return { textDocument = { uri = uri, version = version }, edits = { change } }
        end
        local root = require('goalproof.client').find_here()
        local changes = { edit(root .. '/run_tests.py', vim.NIL), edit(root .. '/calc.py', 1) }
        local client = vim.lsp.get_clients({ name = 'goalproof' })[1]
        local handler = client.handlers['workspace/applyEdit']
        return handler(nil, { edit = { documentChanges = changes } }, { client_id = client.id })
    """)
    assert answer["applied"] is False
    assert "calc.py was edited meanwhile" in answer["failureReason"]
    assert "# theirs" not in editor.lines()
    editor.ex("edit run_tests.py")
    assert "# theirs" not in editor.lines()
