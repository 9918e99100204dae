"""What a person sees: Neovim's own prompts, the statusline and the lens, read from the screen."""

from __future__ import annotations

from pathlib import Path

from tests.editors.nvim.conftest import SHOTS
from tests.editors.nvim.terminal import open_terminal

STATUSLINE = "set laststatus=2 statusline=%f%=%{v:lua.require'goalproof'.statusline()}"


def test_a_goal_is_seen_on_the_screen_from_prompt_to_lens(
    new_program: Path, project: Path, tmp_path: Path
) -> None:
    opened = open_terminal(
        *(new_program, project, "-c", STATUSLINE, "calc.py"),
        home=tmp_path / "home",
        settings={"notify": "needed"},
    )
    with opened as terminal:
        terminal.until("return a - b")
        terminal.type(":Goal run plan.toml", "Enter")
        assert str(project) in terminal.until("Trust it?").replace("\n", "")
        terminal.type("1", "Enter")
        assert "tests: python3 run_tests.py --junit {report}" in terminal.until("Run them?")
        terminal.type("1", "Enter")
        terminal.until("goal: ready")
        terminal.type("Enter")
        screen = terminal.until("| Apply")
        (lens,) = (line for line in screen.splitlines() if "| Apply" in line)
        assert "+1 −1" in lens
        SHOTS.mkdir(parents=True, exist_ok=True)
        (SHOTS / "nvim-lens.txt").write_text(screen, encoding="utf-8")
        terminal.type(":Goal show", "Enter")
        shown = terminal.until("✓ Sums are right")
        (SHOTS / "nvim-show.txt").write_text(shown, encoding="utf-8")
