"""What models say in more than one place."""

from __future__ import annotations

from tests.agents.scripted import Read, Reply, Run, Write, in_turn
from tests.integration.projects import CALC

RIGHT, WRONG = CALC.replace("a - b", "a + b"), CALC.replace("a - b", "a * b")
FIXES = in_turn(
    Reply("I read the file.", (Read("calc.py"),)),
    Reply("I write the file.", (Write("calc.py", RIGHT),)),
    Reply("I run the tests.", (Run("python3 run_tests.py"),)),
    Reply("Sums are right."),
)
SLEEPS = "time.sleep(86399)"
WAITS = in_turn(Reply("I wait.", (Run(f"python3 -c 'import time; {SLEEPS}'"),)))
"""Runs a command that does not end; what its command line has is `SLEEPS`."""
PLAN = {
    "tasks": [{"id": "sums", "title": "Repair add()", "writes": ["calc.py", "tests/**"]}],
    "criteria": [
        {"id": "all-green", "text": "All tests pass", "evidence": "flips", "gate": "tests"}
    ],
}
