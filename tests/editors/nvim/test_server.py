"""A language server that is missing, ends or hangs: one clear message, no loop, and a way on."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from tests.editors.nvim.conftest import OpenEditor, newest
from tests.editors.nvim.driver import Neovim
from tests.editors.nvim.test_goal import TRUST, open_calc, run_plan


def warnings(editor: Neovim) -> list[str]:
    """Return what was told as a warning or an error."""
    found = editor.lua(
        "return vim.iter(said):filter(function(item)"
        " return item.level >= vim.log.levels.WARN end)"
        ":map(function(item) return item.words end):totable()"
    )
    return list(found or [])


def server_pid(project: Path) -> int:
    """Return the process of the server that serves a project's editor."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                home = (Path("/proc") / parent / "cwd").readlink()
            except OSError:
                continue
            if words[1:4] == [b"-m", b"goal_server", b"lsp"] and home == project:
                return int(entry.name)
    raise AssertionError("no server runs")


@newest
def test_a_missing_program_is_told_once_with_what_to_do(start: OpenEditor, project: Path) -> None:
    editor = start(project, "calc.py", cmd=["no-such-goalproof", "lsp"])
    assert "pipx install ." in editor.until_said("no-such-goalproof")
    editor.ex("edit tests/test_calc.py")
    editor.ex("edit run_tests.py")
    assert len(warnings(editor)) == 1
    assert "vim.g.goalproof" in warnings(editor)[0]


def test_a_server_that_ends_at_once_is_told_once_and_is_not_started_again(
    start: OpenEditor, project: Path, tmp_path: Path
) -> None:
    starts = tmp_path / "starts"
    script = f"open({str(starts)!r}, 'a').write('x'); raise SystemExit(3)"
    editor = start(project, "calc.py", cmd=[sys.executable, "-c", script])
    told = editor.until_said("ended by itself")
    assert "code 3" in told
    assert ":Goal restart" in told
    editor.ex("edit tests/test_calc.py")
    editor.ex("edit calc.py")
    assert warnings(editor) == [told]
    assert starts.read_text() == "x"


def test_a_server_that_is_killed_is_told_and_restarted(start: OpenEditor, project: Path) -> None:
    editor = open_calc(start, project)
    run_plan(editor, "ready")
    assert editor.statusline() == "goal: ready"
    os.kill(server_pid(project), signal.SIGKILL)
    assert "signal 9" in editor.until_said("ended by itself")
    assert editor.statusline() == ""
    editor.ex("Goal restart")
    editor.until_said("the language server runs")
    assert len(warnings(editor)) == 1
    editor.until("return #vim.lsp.get_clients({ name = 'goalproof', bufnr = 0 }) == 1")
    editor.until_lens("Apply")
    editor.ex("Goal apply")
    editor.until_said("applied")


def test_a_restart_ends_the_old_process_and_keeps_the_buffers(
    start: OpenEditor, project: Path
) -> None:
    editor = open_calc(start, project)
    before = server_pid(project)
    editor.ex("Goal restart")
    editor.until_said("the language server runs")
    editor.until("return #vim.lsp.get_clients({ name = 'goalproof', bufnr = 0 }) == 1")
    assert server_pid(project) != before
    assert not Path(f"/proc/{before}").exists()
    assert warnings(editor) == []


@newest
def test_leaving_the_editor_ends_the_server(start: OpenEditor, project: Path) -> None:
    editor = open_calc(start, project)
    server = server_pid(project)
    editor.quit()
    gone = os.pidfd_open(server) if Path(f"/proc/{server}").exists() else None
    if gone is not None:
        import select

        assert select.select([gone], [], [], 10)[0], "the server outlived its editor"
        os.close(gone)


@newest
def test_the_server_never_has_the_repository_on_its_path(start: OpenEditor, project: Path) -> None:
    (project / "goal_server").mkdir()
    (project / "goal_server" / "__init__.py").write_text("raise SystemExit('taken over')")
    editor = open_calc(start, project)
    assert warnings(editor) == []


def test_special_buffers_and_files_outside_git_have_no_server(
    start: OpenEditor, project: Path, tmp_path: Path
) -> None:
    (tmp_path / "note.txt").write_text("x")
    editor = start(project, str(tmp_path / "note.txt"))
    editor.ex("help")
    editor.ex("enew | set buftype=nofile")
    assert editor.lua("return #vim.lsp.get_clients()") == 0
    editor.ex("edit goalproof.toml")
    editor.until("return #vim.lsp.get_clients({ name = 'goalproof', bufnr = 0 }) == 1")


def test_a_file_without_a_filetype_is_served_as_well(start: OpenEditor, project: Path) -> None:
    (project / "unknown.zzz").write_text("x\n")
    editor = start(project, "unknown.zzz")
    assert editor.lua("return vim.bo.filetype") == ""
    editor.until("return #vim.lsp.get_clients({ name = 'goalproof', bufnr = 0 }) == 1")


def test_a_command_starts_the_server_where_no_file_is_open(
    start: OpenEditor, project: Path
) -> None:
    editor = start(project)
    editor.answer(TRUST)
    editor.ex("Goal trust")
    editor.until_said("is trusted")
    editor.ex("Goal gates")
    editor.until("return vim.fn.search('run_tests', 'nw') > 0")
    editor.ex("Goal doctor")
    editor.until("return vim.fn.search('good  Git', 'nw') > 0")
    assert editor.lua("return #vim.lsp.get_clients({ name = 'goalproof' })") == 1


@newest
def test_a_server_that_is_well_logs_no_fault(start: OpenEditor, project: Path) -> None:
    editor = open_calc(start, project)
    run_plan(editor, "ready")
    editor.ex("Goal restart")
    editor.until_said("the language server runs")
    log = editor.home / "state" / "nvim" / "lsp.log"
    assert not log.is_file() or "Traceback" not in log.read_text(encoding="utf-8")
