"""A failing test is shown where it failed, in files of the workspace and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from goal_engine.gates import junit
from goal_engine.gates.formats import told
from goal_engine.gates.junit import parse_report
from goal_engine.gates.traces import find_failures
from goal_engine.proof.gate import TestFailure as Failure

TEST = "import app\n\n\ndef test_adds():\n    helper(1)\n\n\nasync def test_waits():\n    pass\n"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = tmp_path / "ws"
    for name, text in {
        "tests/test_app.py": TEST,
        "app/core.py": "def add():\n    raise ValueError\n",
        "web/src/sum.test.js": "test('adds', () => {\n  expect(1).toBe(2)\n})\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    (root / "tests" / "outside.py").symlink_to("/etc/hostname")
    return root


def find(workspace: Path, case: str, cwd: str = ".") -> Failure:
    data = f"<testsuite>{case.replace('WS', str(workspace))}</testsuite>".encode()
    (found,) = find_failures(parse_report(data).failures, workspace, cwd)
    return found


def a_case(
    text: str, name: str = "test_adds", classname: str = "tests.test_app", **more: str
) -> str:
    extra = "".join(f' {key}="{value}"' for key, value in more.items())
    return (
        f'<testcase classname="{classname}" name="{name}"{extra}>'
        f'<failure message="assert 1 == 2">{text}</failure></testcase>'
    )


CASES = {
    "pytest": (a_case("tests/test_app.py:5: \n_ _ _\napp/core.py:2: ValueError"), "tests/test_app.py", 5),
    "unittest": (
        a_case('File "WS/tests/test_app.py", line 5, in test_adds\n File "WS/app/core.py", line 2'),
        "tests/test_app.py", 5,
    ),
    "a class": (a_case("", classname="tests.test_app.Some.Inner"), "tests/test_app.py", 4),
    "no traceback": (a_case("no words", name="test_waits[a-1]"), "tests/test_app.py", 8),
    "no such test": (a_case("no words", name="test_gone"), "tests/test_app.py", 1),
    "an attribute": (a_case("", file="tests/test_app.py", line="8"), "tests/test_app.py", 8),
    "a library alone": (a_case("/usr/lib/python3/x.py:9: E", classname="other"), None, None),
    "the code alone": (a_case("app/core.py:2: E", classname="other"), "app/core.py", 2),
    "no such line": (a_case("app/core.py:200: E", classname="other"), None, None),
    "outside": (a_case("../../secret.py:1: E tests/../../x.py:1:", classname="x"), None, None),
    "through a link": (a_case("tests/outside.py:1: E", classname="other"), None, None),
    "no path at all": (a_case(":1: ::2: a:b:3:", classname="other"), None, None),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_failure_has_its_place(workspace: Path, name: str) -> None:
    case, path, line = CASES[name]
    found = find(workspace, case)
    assert (found.path, found.line) == (path, line)


def test_paths_start_where_the_gate_ran(workspace: Path) -> None:
    case = a_case("at Object (src/sum.test.js:2:13)", classname="adds", name="adds")
    found = find(workspace, case, cwd="web")
    assert (found.path, found.line) == ("web/src/sum.test.js", 2)


def test_the_workspace_is_not_named_in_a_message(workspace: Path) -> None:
    case = '<testcase name="t"><error message="no WS/app/core.py, no"/></testcase>'
    assert find(workspace, case).message == "no app/core.py, no"


def test_the_last_line_of_a_traceback_speaks_where_there_is_no_message(workspace: Path) -> None:
    case = '<testcase name="t"><error>Traceback\n  x\nValueError: no\n</error></testcase>'
    assert find(workspace, case).message == "ValueError: no"


def test_a_flood_of_failures_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(junit, "TOLD", 3)
    case = f'<testcase name="t"><failure>{"x" * 100_000}END</failure></testcase>'
    report = parse_report(f"<testsuite>{case * 9}</testsuite>".encode())
    assert len(report.outcomes) == 9
    assert [failure.test for failure in report.failures] == ["t", "t#2", "t#3"]
    assert all(len(failure.text) <= told.WORDS + 1 for failure in report.failures)
    assert report.failures[0].text.endswith("END")


def test_words_without_a_place_are_read_in_time(workspace: Path) -> None:
    assert find(workspace, a_case("a" * 20_000, classname="other")).path is None
