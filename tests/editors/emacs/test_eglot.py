"""The configuration that `editors/emacs.md` prints, in a real Emacs: connect, trust, run, apply."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.editors.nvim_tools import find_cache, install_emacs
from tests.integration.projects import CALC, FIX, a_project

CACHE = find_cache()
DOCUMENT = Path(__file__).parents[3] / "editors" / "emacs.md"
CHECK = Path(__file__).parent / "check.el"
PLAN = f"""\
goal = "Make sums right in calc.py"
[[criterion]]
id = "adds"
text = "Sums are right"
evidence = "flips"
gate = "tests"
[[task]]
id = "fix"
title = "Fix the sum"
writes = ["calc.py"]
steps = [{FIX}]
"""


@pytest.fixture
def seen(tmp_path: Path) -> dict[str, Any]:
    """What Emacs saw while it took a plan from trust to an applied change."""
    (configuration := tmp_path / "goalproof.el").write_text(read_configuration(), encoding="utf-8")
    project = a_project(tmp_path / "project")
    (project / "plan.toml").write_text(PLAN, encoding="utf-8")
    home = tmp_path / "home"
    (home / ".emacs.d").mkdir(parents=True)
    server = json.dumps([sys.executable, "-m", "goal_server", "lsp"])
    done = subprocess.run(
        (
            *(str(install_emacs(CACHE)), "--batch", "-Q", "--load", str(CHECK)),
            *("--", str(configuration), server, str(project / "plan.toml")),
        ),
        cwd=project,
        env={**os.environ, "HOME": str(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=110,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = {}
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            found |= json.loads(line)
    return found


def read_configuration() -> str:
    """Return the one block of Lisp that the document has."""
    (block,) = re.findall(r"```elisp\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    return str(block)


def test_emacs_takes_a_plan_from_trust_to_an_applied_change(seen: dict[str, Any]) -> None:
    assert seen["server"] == "goalproof"
    assert "not trusted" in seen["refused"]
    assert "run_tests.py" in seen["asked"]
    assert seen["goal"] in ("planned", "running")
    statuses = [told["status"] for told in seen["told"]]
    assert "running" in statuses
    assert statuses[-1] == "ready"
    assert seen["told"][-1]["line"] == " goal: ready 2/2"
    assert seen["text"] == CALC.replace("a - b", "a + b")
