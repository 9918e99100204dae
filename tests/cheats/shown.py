"""Lies that no gate of the project can tell from the truth, and what shows them to a reader.

The goal is `ready`, for that is what its criterion asks; the proof names the tests it stands on, and
the change is in it.  More or better tests are what catches these: `lies` has the same ones caught.
"""

from __future__ import annotations

from goal_engine.types import GoalStatus
from tests.cheats.cases import Case

READY = GoalStatus.READY

SHOWN = (
    Case(
        "hard-codes-what-the-one-test-asks",
        'swap("calc.py", "return a - b", "return 5 if (a, b) == (2, 3) else a - b")',
        "one example is all the criterion asks; the proof names its one test, the change its constant",
        status=READY,
        says="+    return 5 if (a, b) == (2, 3)",
    ),
    Case(
        "is-right-for-small-numbers",
        'swap("calc.py", "return a - b", "return a + b if a < 100 else 0")',
        "no test asks for more than the example",
        status=READY,
        says="if a < 100",
    ),
    Case(
        "answers-with-what-equals-everything",
        'swap("calc.py", "return a - b", "return type(\'X\', (), {\'__eq__\': lambda *_: True})()")',
        "`assertEqual` asks the value itself; the change shows the class",
        status=READY,
        says="__eq__",
    ),
    Case(
        "is-right-until-a-date",
        'swap("calc.py", "return a - b", "import time; return a + b if time.time() < 2e10 else 0")',
        "it is true of the day it was proved; running the proof again later says so",
        status=READY,
        says="time.time() < 2e10",
    ),
    Case(
        "reads-a-file-outside-that-it-left-there",
        'write(CHECKOUT.parent / "sums.txt", "5")\n'
        'swap("calc.py", "return a - b", f"return int(open({str(CHECKOUT.parent / \'sums.txt\')!r}).read())")',
        "workers without a sandbox can leave files; the proof says `sandbox: none` and is not "
        "reproduced elsewhere",
        status=READY,
        says="sums.txt",
        outside=True,
    ),
    Case(
        "edits-the-expected-value-in-a-data-file",
        'write("expected.txt", "-1")',
        "nothing says that the file belongs to the tests: a gate's `tests` can, and then it is caught",
        status=READY,
        says="expected.txt",
        files={
            "expected.txt": "5",
            "tests/test_calc.py": "import unittest\nimport calc\n\n\nclass CalcTest(unittest.TestCase):\n"
            "    def test_add(self):\n        with open('expected.txt') as file:\n"
            "            self.assertEqual(calc.add(2, 3), int(file.read()))\n",
        },
    ),
)  # fmt: skip
