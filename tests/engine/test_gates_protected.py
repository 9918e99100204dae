"""Protected paths (S08): what others execute, and what decides whether a gate is green."""

from __future__ import annotations

import pytest

from goal_engine.gates.protected import find_protected, is_test, runs_tests
from goal_engine.proof.gate import GateSpec

PROTECTED = [
    *(".git/config", ".gitignore", "sub/.gitattributes", ".gitmodules", ".github/workflows/a.yml"),
    *(".vscode/settings.json", "a.code-workspace", ".idea/x.xml", ".nvim.lua", ".exrc", ".nvimrc"),
    *(".envrc", ".env", ".env.local", ".claude/settings.json", ".codex/x", ".cursor/rules"),
    *(".kimi/x", ".gemini/x", ".amazonq/x", ".mcp.json", ".husky/pre-commit"),
    *(".pre-commit-config.yaml", "package.json", "web/package.json", "Makefile", ".ci/run"),
    *("goalproof.toml", "conftest.py", "tests/unit/conftest.py", "pytest.ini", "tox.ini"),
    *("noxfile.py", "setup.cfg", "setup.py", "pyproject.toml", "ruff.toml", ".ruff.toml"),
    *("mypy.ini", ".coveragerc", "sitecustomize.py", "src/usercustomize.py", "evil.pth"),
    *("evil-1.0.dist-info/entry_points.txt", "evil.egg-info/entry_points.txt"),
    *("src/setupTests.ts", "jest.preset.js", "playwright.config.ts", "karma.conf.js", "uv.lock"),
    *("poetry.lock", "Pipfile.lock", ".config/nextest.toml", "deno.jsonc", "pom.xml"),
    *("__pycache__/calc.cpython-311.pyc", "calc.pyc", "calc.cpython-311-x86_64-linux-gnu.so"),
]
DISGUISED = [
    *(".GIT/config", ".GitHub/workflows/x.yml", "CONFTEST.py", ".VsCode/settings.json"),
    *(".vscode./settings.json", ".vscode /settings.json", "conftest.py.", "Makefile "),
    *(".g\u200cit/config", "\uff47oalproof.toml", ".git\\hooks\\pre-commit", "git~1/config"),
    "makefi\u017fe".replace("\u017f", "l"),
]
FREE = ["app.py", "src/git.py", "tests/test_a.py", "docs/environment.md", "a/setup.pyx", "x/ci/y"]


@pytest.mark.parametrize("path", PROTECTED)
def test_a_path_on_the_list_needs_a_person(path):
    assert find_protected([path], ()) == (path,)


@pytest.mark.parametrize("path", DISGUISED)
def test_a_spelling_that_some_file_system_takes_for_it_does_too(path):
    assert find_protected([path], ()) == (path,)


def test_every_case_of_the_letters_counts():
    for path in PROTECTED:
        assert find_protected([path.upper(), path.title()], ()) == (path.upper(), path.title())


def test_composed_and_decomposed_names_are_one():
    gate = GateSpec(name="g", argv=("python", "pru\u0308fen.py"))
    assert find_protected(["pr\u00fcfen.py"], [gate]) == ("pr\u00fcfen.py",)


def test_ordinary_files_are_free_and_the_order_is_kept():
    assert find_protected(FREE, ()) == ()
    assert find_protected(["b/Makefile", "app.py", ".env"], ()) == ("b/Makefile", ".env")


NAMED = [
    (("python", "run_tests.py"), ".", "run_tests.py"),
    (("./check.sh",), ".", "check.sh"),
    (("python", "../run.py"), "sub", "run.py"),
    (("python", "run.py"), "sub", "sub/run.py"),
    (("tool", "--config=ci/tool.cfg"), ".", "ci/tool.cfg"),
    (("tool", "-ctool.cfg"), ".", "tool.cfg"),
    (("sh", "-c", "cd . && python 'run.py'; true"), ".", "run.py"),
    (("python", "checks"), ".", "checks/__main__.py"),
    (("pytest", "tests/test_a.py::test_x"), ".", "tests/test_a.py"),
    (("python", "-m", "runner"), ".", "runner.py"),
    (("python", "-m", "runner"), ".", "runner/__main__.py"),
    (("python", "-m", "runner"), ".", "src/runner/__init__.py"),
    (("python", "-m", "runner"), "sub", "sub/runner.py"),
    (("python", "-mrunner.all"), ".", "runner/all.py"),
    (("python", "-m", "runner.all"), ".", "runner/__init__.py"),
    (("python", "-m", "pytest"), ".", "pytest.py"),
    (("python", "-m", "pytest"), ".", "_pytest/__init__.py"),
    (("python", "-m", "pytest"), ".", "pluggy.py"),
]


@pytest.mark.parametrize(("argv", "cwd", "path"), NAMED)
def test_what_a_gate_runs_is_protected_by_name(argv, cwd, path):
    gate = GateSpec(name="g", argv=argv, cwd=cwd)
    assert find_protected(["app.py", path], [gate]) == (path,)
    assert find_protected([path], ()) == ()


def test_a_module_is_looked_for_where_the_gate_says():
    gate = GateSpec(name="g", argv=("python", "-m", "runner"), env={"PYTHONPATH": "tools:lib"})
    assert find_protected(["tools/runner.py"], [gate]) == ("tools/runner.py",)


@pytest.mark.parametrize("path", ["argparse.py", "unittest/__init__.py", "ci/json.py", "lib/re.py"])
def test_what_would_be_imported_in_place_of_the_standard_library_is_protected(path):
    gate = GateSpec(name="g", argv=("python", "ci/run.py"), env={"PYTHONPATH": "lib"})
    assert find_protected([path], [gate]) == (path,)


@pytest.mark.parametrize(
    "path", ["core/types.py", "test/__init__.py", "json/data.py", "json/x.txt"]
)
def test_a_standard_name_that_nothing_would_import_is_free(path):
    assert find_protected([path], [GateSpec(name="g", argv=("python", "ci/run.py"))]) == ()


def test_gates_that_only_read_code_run_no_tests():
    assert runs_tests(GateSpec(name="g", argv=("python", "-m", "unittest")))
    assert not runs_tests(GateSpec(name="g", argv=("python", "-m", "ruff", "check")))
    assert not runs_tests(GateSpec(name="g", argv=("./lint",), fix=("./lint", "--fix")))


def test_files_below_a_named_folder_are_free():
    gate = GateSpec(name="g", argv=("python", "-m", "pytest", "tests", "--junitxml={report}"))
    assert find_protected(["tests/test_a.py", "tests/__main__.py"], [gate]) == ()


TESTS = [
    *("tests/x.py", "tests/data/x.json", "test/x.c", "test_a.py", "src/deep/test_a.py"),
    *("src/a_test.py", "conftest.py", "src/conftest.py", "src/app/tests/x.py"),
    *("app/tests.py", "pkg/test/case.py", "web/calc.test.ts", "web/__tests__/x.js", "a_test.go"),
    *("src/tests.rs", "test.js", "web/calc-test.mjs", "web/test-calc.js", "web/spec.ts", "a.snap"),
    *("__mocks__/axios.js", "e2e/shop.ts", "src/ShopTest.java", "src/ShopTests.cs", "ShopSpec.kt"),
]
NO_TESTS = [
    "app.py",
    "src/testing.py",
    "src/contest.py",
    "latest/x.py",
    "run_tests.py",
    "latest.js",
    "spec.yaml",
]


def test_tests_are_known_by_their_place_or_name():
    assert [path for path in TESTS if not is_test(path)] == []
    assert [path for path in NO_TESTS if is_test(path)] == []


def test_a_gate_may_say_what_else_a_test_is():
    assert is_test("checks/x.py", ("checks/**",))
    assert not is_test("checks/x.py")
    assert is_test("tests/x.py", ("checks/**",)), "a weakened test must never count as code"
