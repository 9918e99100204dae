"""The repositories that people have open in the editor tests."""

from __future__ import annotations

from pathlib import Path

from goal_engine.engine import create_sample_repository
from goal_server.demo import content
from tests.integration.projects import GATE, a_project

LINT = '''
"""Finds lines that end in blanks; `--fix` removes the blanks."""

import sys
from pathlib import Path

wrong = 0
for path in sorted(Path().glob("*.py")):
    lines = path.read_text().split("\\n")
    clean = [line.rstrip() for line in lines]
    if "--fix" in sys.argv:
        path.write_text("\\n".join(clean))
    for number, (line, good) in enumerate(zip(lines, clean), 1):
        if line != good and "--fix" not in sys.argv:
            print(f"{path}:{number}: blanks at the end of the line")
            wrong = 1
sys.exit(wrong)
'''
LINT_GATE = """
[[gate]]
name = "lint"
argv = ["python3", "tools/lint.py"]
fix = ["python3", "tools/lint.py", "--fix"]
"""
UNTIDY = "def greet(name):  \n    return f'Hello, {name}'\n"
TIDY = "def greet(name):\n    return f'Hello, {name}'\n"

HOLD = """
import sys, time
from pathlib import Path

print("waiting for a word", flush=True)
deadline = time.monotonic() + 120
while not Path(sys.argv[1]).exists() and time.monotonic() < deadline:
    time.sleep(0.05)
"""


def a_shop(path: Path) -> Path:
    """Make the demo's shop, four bugs in it, with the demo's plan as `plan.toml`."""
    content.write_application(path)
    (path / "plan.toml").write_text(content.PLAN, encoding="utf-8")
    create_sample_repository(path, "A shop with four bugs")
    return path


def an_untidy_project(path: Path) -> Path:
    """Make a project with a linter that can fix what it finds, in `greeting.py`."""
    return a_project(
        path,
        **{"greeting.py": UNTIDY, "tools/lint.py": LINT, "goalproof.toml": LINT_GATE},
    )


def a_held_project(path: Path, release: Path) -> Path:
    """Make a project whose plan `plan.toml` works until the file `release` is there."""
    return a_project(
        path, **{"hold.py": HOLD, "goalproof.toml": GATE, "plan.toml": held_plan(release)}
    )


def held_plan(release: Path) -> str:
    """Return a plan of two tasks; the second fixes the sum, the first waits for a file."""
    return f"""
goal = "Make sums right in calc.py"
kind = "fix"
[[criterion]]
id = "adds"
text = "Sums are right"
evidence = "flips"
gate = "tests"
tests = ["tests.test_calc.CalcTest::test_add"]
[[task]]
id = "wait"
title = "Wait for a word"
writes = ["calc.py"]
steps = [
  {{ run = ["python3", "hold.py", "{release}"] }},
  {{ replace = "calc.py", old = "2 * a", new = "a * 2" }},
]
[[task]]
id = "fix"
title = "Fix the sum"
deps = ["wait"]
writes = ["calc.py"]
steps = [{{ replace = "calc.py", old = "a - b", new = "a + b" }}]
"""
