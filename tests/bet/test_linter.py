"""`goalproof run "Make the linter pass"` on a real project as its developer has it, without an agent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.bet.projects import Checkout, Project, install, run
from tests.integration.projects import fingerprint

pytestmark = [pytest.mark.bet, pytest.mark.timeout(180), pytest.mark.usefixtures("confined")]

HUMANIZE = Project(  # its own ruff configuration says `fix = true`: the gate must not repair
    "humanize==4.12.0", ("freezegun", "ruff", "pytest-cov"), "tests", "src/humanize/lists.py", "", "",
)  # fmt: skip
FIXABLE = "\n\nimport json\nimport decimal\n"
UNFIXABLE = "\n\ndef undocumented(x):\n    lambda_ = lambda y: undefined_name\n    return lambda_\n"


@pytest.fixture(scope="module")
def linted(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return install(HUMANIZE, tmp_path_factory.mktemp("humanize").resolve())


def lint(checkout: Checkout, findings: str) -> tuple[int, dict[str, Any]]:
    """Commit `findings`, run the goal, and see that the checkout is as it was."""
    file = checkout.root / checkout.project.source
    sound = file.read_text(encoding="utf-8")
    file.write_text(sound + findings, encoding="utf-8")
    run("git", "commit", "--quiet", "--all", "--message=findings", cwd=checkout.root)
    file.write_text(sound + findings + "# not committed\n", encoding="utf-8")
    run("git", "stash", "--quiet", cwd=checkout.root)
    before = fingerprint(checkout.root)
    state = checkout.root.parent / "state"  # both goals are of one person on one machine
    done = subprocess.run(
        [sys.executable, "-m", "goal_server", "--json", "--trust", "run", "Make the linter pass"],
        cwd=checkout.root,
        env=os.environ
        | {"VIRTUAL_ENV": "", "PATH": find_path(), "GOALPROOF_STATE_DIR": str(state)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert fingerprint(checkout.root) == before, "tree, index, configuration, refs and stash"
    run("git", "stash", "drop", "--quiet", cwd=checkout.root)
    run("git", "reset", "--quiet", "--hard", "HEAD~1", cwd=checkout.root)
    shown: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, shown


def find_path() -> str:
    """Return PATH without the tools that these tests were installed with."""
    own = str(Path(sys.prefix) / "bin")
    return os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if p != own)


def test_what_can_be_fixed_is_fixed_and_the_goal_is_ready(linted: Checkout, tmp_path: Path) -> None:
    code, goal = lint(linted, FIXABLE)
    assert (code, goal["status"]) == (0, "ready"), (
        goal["reasons"],
        goal["questions"],
        goal["blocker"],
    )
    assert {item["id"]: item["state"] for item in goal["criteria"]} == {
        "ruff-passes": "verified",
        "pytest-holds": "verified",
    }
    assert goal["change"]["files"] == ["src/humanize/lists.py"]


def test_what_remains_is_named_and_the_goal_is_not_ready(linted: Checkout) -> None:
    code, goal = lint(linted, FIXABLE + UNFIXABLE)
    assert (code, goal["status"]) == (1, "not_ready")
    reasons = " ".join(goal["reasons"])
    assert "gate ruff" in reasons
    assert "undefined_name" in reasons or "F821" in reasons, reasons
