"""A person's own `prices.toml`, from the command line: what it says is what a goal is told to cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from goal_engine.runtime.config import config_dir
from tests.integration.projects import CRITERIA, a_project
from tests.integration.test_acp_worker import SPEAKS
from tests.personal import set_sandbox

pytestmark = pytest.mark.one_python

PATIENCE = 120.0
PRICES = """\
[model."stub-1"]
input = 10
output = 100
cache_read = 1
"""
COSTS = "24.000000"
"""Of what `USED` says, in dollars, by these prices: 13 for input, 2 for what was cached, 9 for output."""
USED = {
    "inputTokens": 1_300_000,
    "cachedInputTokens": 2_000_000,
    "outputTokens": 90_000,
    "totalTokens": 3_390_000,
}
FIXES = f"""
name = begin()
with open("calc.py") as file:
    text = file.read().replace("a - b", "a + b")
with open("calc.py", "w") as file:
    file.write(text)
usage = {{"model": "stub-1", "token_count": {USED!r}}}
end(name, _meta={{"quota": {{"model_usage": [usage]}}}})
told("nothing more")
"""
PLAN = f"""
goal = "Make sums right in calc.py"
kind = "fix"
{CRITERIA}
[[task]]
id = "fix"
title = "Fix the sum"
agent = "codex"
writes = ["calc.py"]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of a person who has Codex, which names its models and tells no dollars."""
    monkeypatch.setenv("GOALPROOF_CONFIG_DIR", str(tmp_path / "config"))
    set_sandbox(tmp_path / "config", "off")
    program = tmp_path / "bin" / "codex-acp"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable} -I\n{SPEAKS}{FIXES}", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    return a_project(tmp_path / "project", **{"plan.toml": PLAN})


def set_prices(text: str) -> None:
    (config_dir() / "prices.toml").write_text(text, encoding="utf-8")


def type_line(project: Path, *words: str) -> tuple[int, str]:
    """Return how a command ended and all that it printed."""
    done = subprocess.run(
        (sys.executable, "-m", "goal_server", "--trust", "-C", str(project), *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout


def run(project: Path, *more: str) -> tuple[int, str]:
    return type_line(project, "run", "--plan", str(project / "plan.toml"), *more)


def test_a_goal_costs_what_the_persons_own_prices_say(project: Path) -> None:
    set_prices(PRICES)
    code, said = run(project)
    assert code == 0, said
    told = f"3390000 tokens, {COSTS} USD (vendor_reported; dollars estimated by prices.toml)"
    for printed in (said, type_line(project, "show", "latest")[1]):
        assert told in " ".join(printed.split())
    spend = json.loads(type_line(project, "show", "latest", "--json")[1])["spend"]
    assert (spend["usd"], spend["priced"]) == (COSTS, "prices.toml")


def test_a_limit_of_dollars_is_kept_by_these_prices(project: Path) -> None:
    set_prices(PRICES)
    code, said = run(project, "--usd", "23")
    assert code == 4 and "needs_more_budget" in said and f"{COSTS} USD" in said, said
    (step,) = [line for line in said.splitlines() if " resume goal-" in line]
    assert step.endswith(" --usd N"), "the limit that is used up is the one to raise"


def test_a_model_that_is_not_in_it_costs_what_nobody_knows(project: Path) -> None:
    set_prices(PRICES.replace("stub-1", "stub-2"))
    code, said = run(project)
    assert code == 0 and "3390000 tokens, unknown USD" in " ".join(said.split()), said


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('[model."stub-1"\n', "line 1"),
        ('[model."stub-1"]\ninput = -1\noutput = 1\n', "`model.stub-1.input`"),
        ('[model."stub-1"]\ninput = 1\n', "`model.stub-1.output`"),
        ('[models."stub-1"]\ninput = 1\noutput = 1\n', "`models`"),
    ],
    ids=["toml", "negative", "missing", "unknown"],
)
def test_prices_that_are_broken_are_one_paragraph_that_says_where(
    project: Path, text: str, why: str
) -> None:
    set_prices(text)
    code, said = run(project, "--repairs", "0")
    path = config_dir() / "prices.toml"
    lines = [line for line in said.splitlines() if f"{path} cannot be used" in line]
    assert code == 1 and lines and all(why in line and "Correct it" in line for line in lines), said
    assert "Traceback" not in said
