"""Nothing of a repository runs until a person said yes, once, and can take it back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.editors.nvim.conftest import OpenEditor, newest
from tests.editors.nvim.driver import Neovim
from tests.editors.nvim.test_goal import APPROVE, TRUST, open_calc, run_plan
from tests.integration.projects import a_project


def goals(editor: Neovim) -> int:
    """Return how many goals the server knows."""
    editor.lua("""
        _G.counted = nil
        local root = require('goalproof.client').find_here()
        require('goalproof.flow').run(function()
          counted = #require('goalproof.client').try(root, 'list').goals
        end)
    """)
    editor.until("return counted ~= nil")
    return int(editor.lua("return counted"))


def is_trusted(editor: Neovim) -> bool:
    return bool(
        editor.lua(
            "return require('goalproof.trust').is_trusted(require('goalproof.client').find_here())"
        )
    )


@newest
def test_opening_a_file_asks_nothing(start: OpenEditor, project: Path) -> None:
    editor = open_calc(start, project)
    assert editor.asked() == []
    assert not is_trusted(editor)


@newest
def test_without_a_yes_nothing_is_run_and_the_next_time_it_asks_again(
    start: OpenEditor, project: Path
) -> None:
    editor = open_calc(start, project)
    editor.answer("Not now")
    editor.ex("Goal run plan.toml")
    editor.until("return #asked == 1")
    assert goals(editor) == 0
    editor.ex("Goal run plan.toml")
    editor.until("return #asked == 2")
    assert goals(editor) == 0


def test_never_is_remembered_and_only_a_word_changes_it(start: OpenEditor, project: Path) -> None:
    editor = open_calc(start, project)
    editor.answer("Never trust it")
    editor.ex("Goal run plan.toml")
    editor.until("return #asked == 1")
    editor.ex("Goal run plan.toml")
    editor.until_said("You said never")
    assert len(editor.asked()) == 1
    editor.answer(TRUST)
    editor.ex("Goal trust")
    editor.until_said("is trusted")
    assert is_trusted(editor)


def test_a_yes_is_remembered_by_the_next_editor(start: OpenEditor, project: Path) -> None:
    editor = open_calc(start, project)
    run_plan(editor, "ready")
    editor.quit()
    again = open_calc(start, project)
    assert is_trusted(again)
    again.ex("Goal run plan.toml")
    again.until_status("ready")
    assert again.asked() == []  # the gates are as they were when they were approved


@newest
def test_a_yes_can_be_taken_back(start: OpenEditor, project: Path) -> None:
    editor = open_calc(start, project)
    editor.answer(TRUST)
    editor.ex("Goal trust")
    editor.until_said("is trusted")
    editor.ex("Goal untrust")
    editor.until_said("not trusted any more")
    editor.ex("Goal run plan.toml")
    editor.until("return #asked == 2")
    assert goals(editor) == 0


@newest
@pytest.mark.parametrize(
    "database", ["", "no words\n", "! {root}\n", "0123abcd {root}\n", "directory {root}/..\n"]
)
def test_anything_but_a_clear_yes_in_the_trust_database_is_a_no(
    start: OpenEditor, project: Path, tmp_path: Path, database: str
) -> None:
    folder = tmp_path / "home" / "state" / "nvim"
    folder.mkdir(parents=True)
    (folder / "trust").write_text(database.format(root=project), encoding="utf-8")
    assert not is_trusted(open_calc(start, project))


@newest
def test_gates_run_only_after_the_exact_commands_were_approved(
    start: OpenEditor, project: Path
) -> None:
    editor = open_calc(start, project)
    editor.answer(TRUST, "No")
    editor.ex("Goal run plan.toml")
    editor.until("return #asked == 2")
    assert goals(editor) == 0
    editor.answer(APPROVE)
    editor.ex("Goal run plan.toml")
    editor.until_status("ready")
    gates = project / "goalproof.toml"
    gates.write_text(gates.read_text().replace("60", "61").replace('"--junit"', '"-j"'))
    editor.answer("No")
    editor.ex("Goal run plan.toml")
    editor.until("return #asked == 4")
    assert "run_tests.py -j {report}" in editor.asked()[-1]["prompt"]
    assert goals(editor) == 1


@newest
def test_what_hides_in_a_command_is_shown(start: OpenEditor, project: Path) -> None:
    editor = open_calc(start, project)
    shown = editor.lua(
        "return require('goalproof.plain').command({ 'rm', '-rf', 'a b', '\\27[8mx', '‮y' })"
    )
    assert shown == "rm -rf 'a b' '^[[8mx' '<202e>y'"


def test_two_repositories_in_one_editor_are_two_servers_and_two_questions(
    start: OpenEditor, project: Path, tmp_path: Path
) -> None:
    other = a_project(tmp_path / "other")
    editor = open_calc(start, project)
    editor.answer(TRUST)
    editor.ex("Goal trust")
    editor.until_said("is trusted")
    editor.ex(f"edit {other / 'calc.py'}")
    editor.until("return #vim.lsp.get_clients({ name = 'goalproof', bufnr = 0 }) == 1")
    assert editor.lua("return #vim.lsp.get_clients({ name = 'goalproof' })") == 2
    assert not is_trusted(editor)
    editor.ex("Goal gates")
    editor.until("return #asked == 2")
    assert str(other) in editor.asked()[-1]["prompt"]
