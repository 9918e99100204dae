"""Detection: only tools that exist, each with the reason; configuration wins wholly."""

from __future__ import annotations

import pytest

from goal_engine.errors import ToolMissing
from goal_engine.gates.config import parse_configuration
from goal_engine.gates.detection.detect import Detection, detect
from goal_engine.gates.detection.project import Tools
from goal_engine.gates.select import (
    check_tools,
    find_digest,
    find_unknown_tools,
    select_gates,
)
from goal_engine.proof.gate import GateReport, GateSpec

ALL = frozenset({"python", "-m pytest", "-m ruff", "-m mypy"})
PYTEST = ("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml={report}")


def look(files: dict[str, str], tools: frozenset[str] = ALL) -> Detection:
    content = {name: text.encode() for name, text in files.items()}
    return detect(content, Tools(tools.__contains__))


def found(files: dict[str, str], tools: frozenset[str] = ALL) -> dict[str, GateSpec]:
    return {spec.name: spec for spec in look(files, tools).gates}


PYTEST_MARKERS = [
    ({"pyproject.toml": "[tool.pytest.ini_options]\n"}, "[tool.pytest] in pyproject.toml"),
    ({"pyproject.toml": "[tool.pytest]\n"}, "[tool.pytest] in pyproject.toml"),
    ({"pytest.ini": ""}, "pytest.ini"),
    ({".pytest.toml": ""}, ".pytest.toml"),
    ({"tox.ini": "[pytest]\n"}, "[pytest] in tox.ini"),
    ({"setup.cfg": "[tool:pytest]\n"}, "[tool:pytest] in setup.cfg"),
    ({"tests/test_a.py": ""}, "tests/test_a.py is a test"),
    ({"src/deep/a_test.py": ""}, "src/deep/a_test.py is a test"),
]


@pytest.mark.parametrize(("files", "reason"), PYTEST_MARKERS)
def test_pytest_is_a_gate_with_a_result_per_test(files, reason):
    spec = found(files)["pytest"]
    assert spec.argv == PYTEST
    assert spec.report is GateReport.JUNIT
    assert reason in spec.reason


@pytest.mark.parametrize("setting", ["cache_dir = '.c'", 'addopts = "--ff"'])
def test_pytest_keeps_its_cache_where_the_project_configures_it(setting):
    spec = found({"pyproject.toml": f"[tool.pytest.ini_options]\n{setting}\n"})["pytest"]
    assert "no:cacheprovider" not in spec.argv


def test_a_project_without_tests_or_settings_has_no_gates():
    assert found({"app.py": "", "pyproject.toml": "[project]\n", "tests/data.txt": ""}) == {}


UNITTEST = [
    ({"test_a.py": ""}, ()),
    ({"tests/__init__.py": "", "tests/test_a.py": ""}, ()),
    ({"tests/test_a.py": ""}, ("-s", "tests")),
]


@pytest.mark.parametrize(("files", "start"), UNITTEST)
def test_without_pytest_unittest_discovers_where_it_can_find_something(files, start):
    spec = found(files, frozenset({"python"}))["unittest"]
    assert spec.argv == ("python", "-m", "unittest", "discover", "-v", *start)
    assert spec.report is GateReport.UNITTEST


@pytest.mark.parametrize(
    "files",
    [{"a/b/test_a.py": ""}, {"a_test.py": ""}, {"pytest.ini": "", "test_a.py": ""}],
)
def test_unittest_is_no_gate_where_it_would_find_nothing_or_the_wrong_thing(files):
    assert found(files, frozenset({"python"})) == {}


def test_ruff_brings_its_fix():
    spec = found({"pyproject.toml": "[tool.ruff.lint]\n"})["ruff"]
    assert spec.argv == (
        "python",
        "-m",
        "ruff",
        "check",
        "--no-fix",
        "--no-cache",
        "--output-format=concise",
        ".",
    )
    assert spec.fix == ("python", "-m", "ruff", "check", "--no-cache", "--fix", ".")
    assert spec.reason == "[tool.ruff] in pyproject.toml"


def test_a_program_serves_where_the_module_is_absent():
    assert found({"ruff.toml": ""}, frozenset({"ruff"}))["ruff"].argv[0] == "ruff"


FORMAT = [
    ({"pyproject.toml": "[tool.ruff.format]\n"}, True),
    ({"pyproject.toml": "[tool.ruff]\n"}, False),
    ({".ruff.toml": "[format]\n"}, True),
    ({"ruff.toml": "", "pyproject.toml": "[tool.ruff.format]\n"}, False),
]


@pytest.mark.parametrize(("files", "expected"), FORMAT)
def test_formatting_is_a_gate_only_where_it_is_configured(files, expected):
    assert ("ruff-format" in found(files)) is expected


MYPY = [
    ({"pyproject.toml": "[tool.mypy]\nstrict = true\n"}, (".",)),
    ({"pyproject.toml": '[tool.mypy]\nfiles = ["a"]\n'}, ()),
    ({"mypy.ini": "[mypy]\npackages = a\n"}, ()),
    ({"mypy.ini": "[mypy]\n", "pyproject.toml": '[tool.mypy]\nfiles = ["a"]\n'}, (".",)),
    ({"setup.cfg": "[mypy]\n"}, (".",)),
]


@pytest.mark.parametrize(("files", "places"), MYPY)
def test_mypy_checks_what_its_settings_say(files, places):
    assert found(files)["mypy"].argv == ("python", "-m", "mypy", "--no-incremental", *places)


def test_no_tool_that_is_not_installed_becomes_a_gate_and_that_is_said():
    files = {"pyproject.toml": "[tool.pytest]\n[tool.ruff.format]\n[tool.mypy]\n"}
    assert found(files, frozenset({"python"})) == {}
    said = look(files, frozenset({"python", "-m mypy"})).passed_over
    assert [(one.what, one.absent) for one in said] == [("pytest", True), ("ruff", True)]
    assert "[tool.pytest] in pyproject.toml" in said[0].reason


@pytest.mark.parametrize("text", ["[tool", "tool = 1", "\x00", "[[tool]]", "[tool]\nruff = 1"])
def test_settings_that_cannot_be_read_are_as_good_as_none_for_tests(text):
    assert "pytest" in found({"pyproject.toml": text, "setup.cfg": text, "test_a.py": ""})


def test_configured_gates_win_wholly_and_a_configuration_without_gates_leaves_detection():
    detected = tuple(found({"test_a.py": "", "ruff.toml": ""}).values())
    wrote = parse_configuration('[[gate]]\nname = "all"\nargv = ["make", "check"]\n')
    assert [spec.name for spec in select_gates(wrote, detected)] == ["all"]
    assert select_gates(parse_configuration('[workspace]\npython = "x"\n'), detected) == detected
    assert select_gates(None, detected) == detected


def spec(*argv: str, **changes) -> GateSpec:
    return GateSpec(name="g", argv=argv, **changes)


KNOWN = [
    (spec("make"), False),
    (spec("python", "-m", "pytest"), True),
    (spec("python", "-m", "nox"), False),
    (spec("python", "-m", "runner"), True),
    (spec("./check.sh"), True),
    (spec("python3.99", "x.py"), False),
]


@pytest.mark.parametrize(("gate", "known"), KNOWN)
def test_a_gate_whose_tool_does_not_exist_is_named(gate, known):
    said = find_unknown_tools([gate], ALL.__contains__)
    assert (not said) is known
    if not known:
        with pytest.raises(ToolMissing, match="gate g runs `") as caught:
            check_tools([gate], ALL.__contains__)
        assert "goalproof.toml" in caught.value.paragraph


SAME = [{"reason": "another"}, {"env": {"TOKEN": "other"}}]
DIFFERENT = [
    {"argv": ("pytest", "-k", "nothing")},
    {"cwd": "sub"},
    {"env": {"OTHER": "secret"}},
    {"timeout": 1},
    {"required": False},
    {"report": GateReport.JUNIT},
    {"tests": ("**",)},
]


def test_the_digest_is_of_what_gates_do_and_not_of_secrets_or_reasons():
    gate = spec("pytest", env={"TOKEN": "secret"})
    assert all(find_digest([gate.changed(**same)]) == find_digest([gate]) for same in SAME)
    digests = {find_digest([gate.changed(**other)]) for other in DIFFERENT}
    assert len(digests | {find_digest([gate])}) == len(DIFFERENT) + 1
