"""What is written about the code is what the code is."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Mapping

import pytest

from goal_engine import errors
from tests.architecture.diagram import DRAWN, PAGE, draw, find_drawn
from tests.architecture.source import ENGINE, ROOT, SERVER

BRANCH = re.compile(r"^(?P<indent>(?:[│ ] {3})*)(?:[├└]── )?(?P<name>[A-Z]\w+)$")
MODULE_LINE = re.compile(r"^\s*[-*] `(?P<path>[\w/]+\.py)`: \S", re.MULTILINE)
TEST_NAME = re.compile(r"`(?P<file>tests/[\w/]+\.py)(?:::(?P<test>\w+))?`")


def parse_tree(text: str) -> dict[str, str]:
    """Return class → parent of a tree drawn with box characters."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in text.splitlines():
        found = BRANCH.match(line.rstrip())
        if not found or not (path or found["name"].endswith("Error")):
            continue
        name = found["name"]
        drawn = line.strip() != name
        depth = len(found["indent"]) // 4 + 1 if drawn else 0
        del path[depth:]
        parents[name] = path[-1] if path else "Exception"
        path.append(name)
    return parents


def find_classes(module: object) -> dict[str, str]:
    """Return class → parent of the exceptions that a module defines."""
    return {
        name: kind.__bases__[0].__name__
        for name, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Exception) and kind.__module__ == getattr(module, "__name__", "")
    }


def find_code_map_problems(page: str, modules: Iterable[str]) -> list[str]:
    """Return the modules without a line in the code map, and the lines without a module."""
    listed = [found["path"] for found in MODULE_LINE.finditer(page)]
    there = set(modules)
    return (
        [f"{path} has no line in the code map" for path in sorted(there - set(listed))]
        + [f"{path} has a line but is not there" for path in sorted(set(listed) - there)]
        + [f"{path} has several lines" for path in sorted(set(listed)) if listed.count(path) > 1]
    )


def read_module_paths() -> set[str]:
    """Return the paths of the engine's modules; an `__init__.py` counts when there is code in it."""
    return {
        path.relative_to(ENGINE).as_posix()
        for path in ENGINE.rglob("*.py")
        if path.name != "__init__.py" or _has_code(path.read_text())
    }


def _has_code(text: str) -> bool:
    return any(
        not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in ast.parse(text).body
    )


def find_missing_tests(page: str, files: Mapping[str, str]) -> list[str]:
    """Return the tests that the page names and that are not there."""
    return [
        found[0]
        for found in TEST_NAME.finditer(page)
        if found["file"] not in files
        or (found["test"] and f"def {found['test']}(" not in files[found["file"]])
    ]


def find_unnamed_tests(page: str, files: Mapping[str, str]) -> list[str]:
    """Return the architecture tests that the page does not name: rules nobody wrote down."""
    return [
        f"{file}::{test}"
        for file, text in files.items()
        if file.startswith("tests/architecture/")
        for test in re.findall(r"^def (test_\w+)\(", text, re.MULTILINE)
        if not re.search(r"planted|_is_found|let_be|skeleton|every_contract_has", test)
        if f"{file}::{test}" not in page
    ]


def read_tests() -> dict[str, str]:
    """Return path → text of every test file."""
    return {
        path.relative_to(ROOT).as_posix(): path.read_text()
        for path in (ROOT / "tests").rglob("test_*.py")
    }


def test_the_tree_of_errors_is_drawn_as_it_is():
    assert parse_tree(errors.__doc__ or "") == find_classes(errors)


def test_an_error_drawn_in_the_wrong_place_is_found():
    drawn = "Rule.\n\nGoalError\n├── BadInput\n│   └── BadPlan\n└── ToolMissing\n\nMore.\n"
    assert parse_tree(drawn) == {
        "GoalError": "Exception",
        "BadInput": "GoalError",
        "BadPlan": "BadInput",
        "ToolMissing": "GoalError",
    }
    assert parse_tree(drawn.replace("│   └── ", "├── ")) != parse_tree(drawn)


def test_the_code_map_names_every_module():
    assert find_code_map_problems(PAGE.read_text(), read_module_paths()) == []


def test_a_module_missing_from_the_code_map_is_found():
    page = "- `types.py`: values\n  - `state/model.py`: state\n"
    assert not find_code_map_problems(page, ["types.py", "state/model.py"])
    assert find_code_map_problems(page, ["types.py", "state/model.py", "new.py"])
    assert find_code_map_problems(page, ["types.py"])
    assert find_code_map_problems(page + "- `types.py`: again\n", ["types.py", "state/model.py"])


def find_unnamed_server_modules(page: str, modules: Iterable[str]) -> list[str]:
    """Return the modules of the server that the page's section on it does not name, and the other way."""
    _, _, after = page.partition("## The language server\n")
    rows = [line for line in after.partition("\n## ")[0].splitlines() if line.startswith("| `")]
    named = {word for row in rows for word in re.findall(r"`(\w+)`", row)}
    return sorted(named ^ set(modules))


def test_the_modules_of_the_server_are_named():
    there = [*SERVER.glob("*.py"), *SERVER.glob("*/__init__.py")]
    modules = [path.stem if path.parent == SERVER else path.parent.name for path in there]
    named = [name for name in modules if not name.startswith("__")]
    assert find_unnamed_server_modules(PAGE.read_text(), named) == []


def test_a_module_of_the_server_that_nobody_named_is_found():
    page = "## The language server\n\n| `lsp` | the server; `host` its engines |\n\n## More\n"
    assert find_unnamed_server_modules(page, ["lsp", "host"]) == []
    assert find_unnamed_server_modules(page, ["lsp", "host", "new"]) == ["new"]
    assert find_unnamed_server_modules(page, ["lsp"]) == ["host"]


@pytest.mark.parametrize("name", DRAWN)
def test_what_is_drawn_is_drawn_from_its_table(name):
    assert find_drawn(PAGE.read_text(), name) == DRAWN[name](), "`nox -s diagram` draws it anew"


@pytest.mark.parametrize("name", DRAWN)
def test_a_stale_drawing_is_found(name):
    page = PAGE.read_text().replace(DRAWN[name](), f"{DRAWN[name]()}by hand\n")
    assert find_drawn(page, name) != DRAWN[name]()
    assert draw(page) == PAGE.read_text()


def test_every_invariant_names_a_test_that_is_there():
    assert find_missing_tests(PAGE.read_text(), read_tests()) == []


def test_every_rule_that_is_tested_is_written_down():
    assert find_unnamed_tests(PAGE.read_text(), read_tests()) == []


def test_an_invariant_whose_test_is_gone_is_found():
    files = {"tests/architecture/test_x.py": "def test_y():\n    pass\n"}
    named = "`tests/architecture/test_x.py::test_y`"
    assert not find_missing_tests(named, files)
    assert not find_unnamed_tests(named, files)
    assert find_missing_tests("`tests/architecture/test_x.py::test_z`", files)
    assert find_missing_tests("`tests/architecture/test_gone.py`", files)
    assert find_unnamed_tests("", files)
