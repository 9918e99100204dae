"""Neovim as a person sees it: in a terminal, its screen read back as text."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.editors.nvim.driver import PATIENCE, EditorFault, make_command, make_environment, rest

SIZE = ("-x", "110", "-y", "28")


@dataclass(frozen=True, slots=True)
class Terminal:
    """A terminal of its own in a tmux of its own."""

    tmux: tuple[str, ...]
    environment: Mapping[str, str]

    def type(self, *keys: str) -> None:
        """Press keys: text, or names that tmux knows, such as `Enter`."""
        self._run("send-keys", "-t", "t", *keys)

    def screen(self) -> str:
        """Return what is on the screen, one line per row."""
        return self._run("capture-pane", "-p", "-t", "t")

    def until(self, words: str, patience: float = PATIENCE) -> str:
        """Return the screen once it has these words."""
        end = time.monotonic() + patience
        while words not in (screen := self.screen()):
            if time.monotonic() > end:
                raise EditorFault(f"{words!r} never came up on the screen:\n{screen}")
            rest()
        return screen

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            (*self.tmux, *arguments),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            check=True,
            timeout=PATIENCE,
        )
        return done.stdout


@contextmanager
def open_terminal(
    program: Path, project: Path, *arguments: str, home: Path, settings: Mapping[str, Any]
) -> Iterator[Terminal]:
    """Show a Neovim in a terminal; the terminal ends with all that runs in it."""
    found = shutil.which("tmux")
    if found is None:
        raise EditorFault("tmux is not installed; the terminal check needs it.")
    sockets = Path(tempfile.mkdtemp(prefix="gp-tmux-"))
    tmux = (found, "-S", str(sockets / "s"), "-f", "/dev/null")
    environment = make_environment(home)
    command = shlex.join((*make_command(program, settings), *arguments))
    terminal = Terminal(tmux, environment)
    try:
        terminal._run("new-session", "-d", "-s", "t", *SIZE, "-c", str(project), command)
        yield terminal
    finally:
        subprocess.run((*tmux, "kill-server"), env=environment, capture_output=True, check=False)
        shutil.rmtree(sockets, ignore_errors=True)
