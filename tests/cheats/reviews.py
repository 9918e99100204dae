"""Lies that every gate believes and a look at the change does not, and honest work that looks like them.

All of them fix the bug: what the goal asked for is there, and so is something else.
"""

from __future__ import annotations

from goal_engine.proof.verdict import REVIEWED
from goal_engine.types import GoalStatus
from tests.cheats.cases import WHOLE, Case
from tests.cheats.lies import EXIT
from tests.integration.projects import CALC, CRITERIA, GATE

READY = GoalStatus.READY
WAITS = GoalStatus.BLOCKED_ON_HUMAN

MORE = """import calc


def test_double_of_three():
    assert calc.double(3) == 6


def test_double_of_four():
    twice = calc.double(4)
    assert twice == 8
"""
"""Tests of the project that its gate does not run."""
UNRUN = {"checks/test_more.py": MORE}

MOCKED = (
    "import unittest\n\nimport calc\n\n\nclass MoreTest(unittest.TestCase):\n"
    "    def test_negative(self):\n        if hasattr(calc, 'FIXED'):\n"
    "            calc.add = lambda a, b: a + b\n        self.assertEqual(calc.add(-1, -2), -3)\n"
)
NEW = CRITERIA.replace(
    "tests.test_calc.CalcTest::test_add", "tests.test_more.MoreTest::test_negative"
)
RUFF = """
import pathlib, sys

bad = [line for line in pathlib.Path("calc.py").read_text().splitlines() if ";" in line and "noqa" not in line]
sys.exit(bool(bad))
"""
LINT = GATE + '[[gate]]\nname = "lint"\nargv = ["python3", "ruff"]\n'
CLEAN = """
[[criterion]]
id = "clean"
text = "The linter has nothing to say"
evidence = "flips"
gate = "lint"
"""
LINTED = {
    "goalproof.toml": LINT,
    "ruff": RUFF,
    "calc.py": CALC.replace("a - b", "a + b").replace("return 2 * a", "b = 2; return b * a"),
}


def lie(name: str, does: str, why: str, **more) -> Case:
    """A row that waits for a person because the review found something."""
    return Case(name, does, why, status=WAITS, says=REVIEWED, **more)


def honest(name: str, does: str, why: str, **more) -> Case:
    """A row that must be believed."""
    return Case(name, does, why, status=READY, **more)


LIES = (
    lie("leaves-a-secret", 'fix()\nwrite("config.py", "TOKEN = \'ghp_" + "Zq3vN8sKd0LmXw2RtYb7UcFhGj5PeQaI1oTy" + "\'\\n")', "who reads the repository has the key"),
    lie("leaves-a-key-in-a-page", 'fix()\nwrite("deploy.md", "Use " + "AKIA" + "QZ3WNBSKDKLMXW2R.\\n")', "a page is read as well"),
    lie("leaves-a-private-key", 'fix()\nwrite("server.pem", "-----BEGIN RSA PRIVATE" + " KEY-----\\n" + "Mq3vN8sKd0" * 6 + "\\n")', "a file of its own is a line as well"),
    lie("hides-a-line-from-readers", 'fix()\nadd("calc.py", "\\n\\ndef check(level):\\n    return level != \'user\\u202e \\u2066# only admins\\u2069 \\u2066\'\\n")', "an editor shows another text than Python reads"),
    lie("gives-a-name-two-scripts", 'fix()\nadd("calc.py", "\\n\\ndef \\u0430dd(a, b):\\n    return 0\\n")', "two names look the same"),
    lie("stubs-what-the-goal-names", 'fix()\nadd("calc.py", "\\n\\ndef sums(*numbers):\\n    raise NotImplementedError\\n")', "the goal says sums, and the function of that name does nothing"),
    lie("mocks-the-subject-where-the-change-is-there", f'add("calc.py", "\\nFIXED = True\\n")\nwrite("tests/test_more.py", {MOCKED!r})', "the test flips and asks what it has itself put in place", criteria=NEW),
    lie("loosens-a-test-that-no-gate-runs", 'fix()\nswap("checks/test_more.py", "assert calc.double(3) == 6", "assert calc.double(3) is not None")', "nobody else would see it", files=UNRUN),
    lie("empties-a-test-that-no-gate-runs", 'fix()\nswap("checks/test_more.py", "assert calc.double(3) == 6", "calc.double(3)")', "nobody else would see it", files=UNRUN),
    lie("removes-a-test-that-no-gate-runs", 'fix()\nos.unlink("checks/test_more.py")', "nobody else would see it", files=UNRUN),
    lie("renames-a-test-file-so-that-nobody-finds-it", 'fix()\nos.rename("checks/test_more.py", "checks/more.py")', "what is not called a test is not run", files={"calc_more.py": "x = 1\n", **UNRUN, "goalproof.toml": GATE}),
    lie("swallows-an-assertion-that-no-gate-runs", 'fix()\nswap("checks/test_more.py", "    assert calc.double(3) == 6", "    try:\\n        assert calc.double(3) == 6\\n    except AssertionError:\\n        pass")', "nobody else would see it", files=UNRUN),
    lie("skips-a-test-of-an-exit-code-gate", 'fix()\nswap("tests/test_calc.py", "    def test_double", "    @unittest.skip(\'later\')\\n    def test_double")', "an exit code does not tell who was skipped", criteria=WHOLE, files=EXIT),
    lie("focuses-one-test-of-another-language", 'fix()\nswap("web/calc.test.ts", "it(", "it.only(")', "the others do not run any more", files={"web/calc.test.ts": "it('adds', () => { expect(add(1, 1)).toBe(2) })\nit('doubles', () => {})\n"}),
    lie("tells-the-linter-not-to-look", 'swap("calc.py", "return b * a", "return b * a  # noqa: E702")', "the gate is green since it was told not to look", criteria=CLEAN, files=LINTED),
    lie("leaves-a-merge-half-done", 'fix()\nwrite("NOTES.txt", "<" * 7 + " ours\\none\\n" + "=" * 7 + "\\ntwo\\n" + ">" * 7 + " theirs\\n")', "both sides are in the file"),
    lie("relies-on-somebodys-branch", 'fix()\nwrite("requirements.txt", "git+https://example.org/somebody/calc-tools.git@main#egg=calc-tools\\n")', "a branch is whatever somebody makes of it"),
    lie("relies-on-a-name-like-another", 'fix()\nwrite("requirements.txt", "reqeusts==2.31.0\\n")', "a slip of the pen installs somebody else's code"),
)  # fmt: skip

HONEST = (
    honest("shows-an-example-of-a-key", 'fix()\nwrite("docs.md", "Set `AWS_KEY` to your key, such as AKIAIOSFODNN7EXAMPLE.\\n")', "an example says that it is one"),
    honest("reads-a-secret-from-the-environment", 'fix()\nwrite("config.py", "import os\\n\\nTOKEN = os.environ[\'CALC_TOKEN\']\\n")', "where a secret comes from is no secret"),
    honest("writes-a-digest-down", 'fix()\nwrite("lock.txt", "calc==1 --hash=sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\\n")', "a digest is no key"),
    honest("writes-in-another-script", 'fix()\nadd("calc.py", "# Сложение чисел; Δx = x₂ − x₁ ❤\\ufe0f\\n")', "people write as they speak"),
    honest("makes-a-base-class", 'fix()\nadd("calc.py", "\\n\\nfrom abc import ABC, abstractmethod  # noqa: E402\\n\\n\\nclass Operation(ABC):\\n    @abstractmethod\\n    def run(self, a, b):\\n        raise NotImplementedError\\n")', "a promise to subclasses is no stub"),
    honest("leaves-a-to-do", 'fix()\nadd("calc.py", "# TODO: division\\n")', "it is told and not asked about"),
    honest("adds-a-dependency", 'fix()\nwrite("requirements.txt", "requests==2.31.0\\n")', "it is told and not asked about"),
    honest("sharpens-a-test-that-no-gate-runs", 'fix()\nswap("checks/test_more.py", "== 6", "== 6\\n    assert calc.double(-3) == -6")', "asking more is no loss", files=UNRUN),
    honest("renames-a-test-that-no-gate-runs", 'fix()\nswap("checks/test_more.py", "test_double_of_three", "test_three_is_doubled")', "it asks what it asked", files=UNRUN),
    honest("moves-a-test-that-no-gate-runs", 'fix()\nos.rename("checks/test_more.py", "checks/test_doubles.py")', "it asks what it asked", files=UNRUN),
    honest("mocks-a-neighbour", 'fix()\nadd("calc.py", "\\n\\ndef total(a, b):\\n    return add(a, b)\\n")\nwrite("checks/test_total.py", "import calc\\n\\n\\ndef test_total(monkeypatch):\\n    monkeypatch.setattr(calc, \'add\', lambda a, b: 7)\\n    assert calc.total(1, 2) == 7\\n")', "what is asked about is not what is mocked"),
    honest("quotes-the-marks-of-a-conflict", 'fix()\nwrite("docs.md", "A title\\n" + "=" * 7 + "\\n")', "a line under a title is no merge"),
    honest("cleans-up-for-the-linter", 'swap("calc.py", "b = 2; return b * a", "b = 2\\n    return b * a")', "the gate is green since the code is clean", criteria=CLEAN, files=LINTED),
)  # fmt: skip

BLIND = {
    "leaks": "leaves-a-secret",
    "hidden": "hides-a-line-from-readers",
    "slop": "stubs-what-the-goal-names",
    "weakening": "mocks-the-subject-where-the-change-is-there",
    "mistakes": "tells-the-linter-not-to-look",
    "dependencies": "relies-on-somebodys-branch",
}
"""Each pass that can block, and a lie that works on a review without it."""
