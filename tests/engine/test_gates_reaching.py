"""New Python that reaches for what judges it is found, and what only talks about it is not."""

from __future__ import annotations

import pytest

from goal_engine.gates.reaching import find_reaching


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("import unittest", "unittest"),
        ("import os, _pytest.runner", "_pytest.runner"),
        ("from unittest.mock import patch", "unittest.mock"),
        ("from os import _exit", "os._exit"),
        ("sys.modules['x']", "sys.modules"),
        ("anything()._exit(0)", "_exit"),
        ("sys._getframe(1)", "sys._getframe"),
        ("__import__('unit' + 'test')", "__import__"),
        ("importlib.import_module('pytest')", "importlib.import_module"),
        ("exec('x = 1')", "exec"),
        ("os.environ.get('PYTEST_CURRENT_TEST')", "PYTEST_CURRENT_TEST"),
        ("__builtins__", "__builtins__"),
        ("print 'old Python', unittest", "unittest"),
    ],
)
def test_code_that_reaches_for_its_judge_is_found(line: str, what: str) -> None:
    assert find_reaching("a.py", b"x = 1\n", f"x = 1\n{line}\n".encode()) == (f"a.py:2 {what}",)


@pytest.mark.parametrize(
    "text",
    [
        "# unittest and os._exit",
        "'''Run it with pytest; sys.modules is left alone.'''",
        "import os, sys, inspect, importlib",
        "importlib.import_module('json')",
        "sys.exit(0)",
        "print(sys.argv, os.environ.get('HOME'))",
        "pattern = re.compile('x')",
        "",
    ],
)
def test_code_that_only_talks_about_it_is_not(text: str) -> None:
    assert find_reaching("a.py", b"", text.encode()) == ()


def test_a_line_that_was_there_is_not_new_wherever_it_stands_now() -> None:
    assert find_reaching("a.py", b"import unittest\n", b"x = 1\n\nimport unittest\n") == ()


def test_only_python_is_read() -> None:
    assert find_reaching("a.md", b"", b"import unittest\n") == ()


@pytest.mark.parametrize("text", [b"\0", b"(" * 5000, b"\xff\xfe", b"x = " + b"-" * 100_000 + b"1"])
def test_what_cannot_be_parsed_is_no_crash(text: bytes) -> None:
    assert find_reaching("a.py", b"", text) == ()
