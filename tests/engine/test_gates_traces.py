"""A failing test is shown where it failed, in files of the workspace and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from goal_engine.gates import junit
from goal_engine.gates.formats import told
from goal_engine.gates.junit import parse_report
from goal_engine.gates.reports import read_report
from goal_engine.gates.traces import find_failures
from goal_engine.proof.gate import TestFailure as Failure
from tests.engine.test_gates_reports import real

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


# The other kinds of report

FILES = {
    "sum.test.js": "x\n" * 12,
    "sum.test.mjs": "x\n" * 12,
    "cart/cart_test.go": "package cart\n" + "\n" * 40,
    "cart_test.go": "another\n" * 20,
    "panics/p_test.go": "x\n" * 12,
    "src/lib.rs": "//\n" * 60,
    "tests/it.rs": "#[test]\nfn adds() {}\n\n#[test]\nfn other() {}\n",
    "tests/test_all.py": "x\n" * 80,
}
PLACES = {
    "jest-29.json": {
        "sum.test.js::sum > is wrong": ("sum.test.js", 4, "Error: expect(received).toBe"),
        "sum.test.js::sum > deep > throws": ("sum.test.js", 8, "TypeError: Cannot read"),
    },
    "vitest-3.json": {
        "sum.test.mjs::sum > is wrong": ("sum.test.mjs", 5, "AssertionError: expected 3 to be 4"),
        "broken.test.mjs": (None, None, "Cannot find module './gone.mjs'"),
    },
    "node-20.xml": {"test::is wrong": ("sum.test.mjs", 4, "3 == 4")},
    "go-1.19.txt": {
        "example.com/shop/cart::TestBad": (
            "cart/cart_test.go",
            15,
            "cart_test.go:15: got 3, want 4",
        ),
        "example.com/shop/panics::TestPanics": ("panics/p_test.go", 9, "panic: runtime error"),
    },
    "cargo-1.95.txt": {
        "shop src/lib.rs::tests::bad": ("src/lib.rs", 36, "assertion `left == right` failed"),
        "tests/it.rs::other": ("tests/it.rs", 5, 'Error: "no"'),
    },
    "unittest-3.11.txt": {
        "tests.test_all.Some::test_bad": ("tests/test_all.py", 11, "AssertionError: 1 != 2"),
        "tests.test_all.Broken": ("tests/test_all.py", 59, "RuntimeError: set-up"),
    },
}


@pytest.mark.parametrize("name", PLACES)
def test_a_failure_of_any_kind_of_report_is_shown_where_it_is(name: str, tmp_path: Path) -> None:
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    kind, data = real(name)
    here = str(tmp_path).encode()
    told = read_report(kind, data.replace(b"/ws", here), str(tmp_path)).failures
    found = {one.test: one for one in find_failures(told, tmp_path, ".")}
    for test, (path, line, words) in PLACES[name].items():
        assert (found[test].path, found[test].line) == (path, line), told
        assert words in found[test].message
        assert str(tmp_path) not in found[test].message
