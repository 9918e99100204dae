"""`goalproof.toml`: what is read, and a paragraph with file, line and key for what cannot be."""

from __future__ import annotations

import pytest

from goal_engine.errors import BadConfiguration
from goal_engine.gates.config import parse_configuration
from goal_engine.gates.locate import find_lines
from goal_engine.gates.select import find_digest
from goal_engine.proof.gate import OUTPUT, GateReport

WHOLE = """\
[[gate]]
name = "unit"
argv = ["python", "-m", "pytest", "--junitxml={report}"]
cwd = "server"
timeout = 90
required = false
parallel = false
report = "junit"
tests = ["checks/**"]

[gate.env]
MODE = "test"

[[gate]]
name = "lint"
argv = ["ruff", "check"]
fix = ["ruff", "check", "--fix"]

[workspace]
python = ".venv"
copy = ["generated/*.py"]
"""


def refusal(text: str) -> str:
    with pytest.raises(BadConfiguration) as caught:
        parse_configuration(text, "goalproof.toml")
    return caught.value.paragraph


def gate(line: str) -> str:
    return f'[[gate]]\nname = "a"\nargv = ["x"]\n{line}\n'


def test_how_a_gate_is_run_can_be_written():
    text = gate('report = "junit"\nreruns = 0\nconfirm = 5\nquarantine = ["t.x::*", "y[1]"]')
    (read,) = parse_configuration(text.replace('["x"]', '["x", "{report}"]')).gates
    assert (read.reruns, read.confirm, read.quarantine) == (0, 5, ("t.x::*", "y[1]"))
    (usual,) = parse_configuration(gate("")).gates
    assert (usual.reruns, usual.confirm, usual.quarantine) == (2, 1, ())


def test_what_a_gate_is_held_to_can_be_written():
    lines = 'group = "db"\nmemory = 512\ncpu = 60\nprocesses = 20\nfiles = 64\noutput = 1'
    (read,) = parse_configuration(gate(lines)).gates
    assert read.group == "db"
    assert read.limits == {"memory": 512, "cpu": 60, "processes": 20, "files": 64, "output": 1}
    (usual,) = parse_configuration(gate("")).gates
    assert (usual.group, usual.limits) == ("", {"output": OUTPUT})


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("reruns = -1", "line 4, `gate[0].reruns` is -1"),
        ("reruns = 1000", "is 1000; input should be less than or equal to 100"),
        ("confirm = true", "`gate[0].confirm` is true"),
        ('quarantine = ["*"]', "`gate[0].quarantine[0]` means every test"),
        ('quarantine = ["t::x"]', "this gate does not tell its tests apart"),
        ('quarantine = "t::x"', "`gate[0].quarantine` is 't::x'"),
        ("rerun = 1", "did you mean `reruns`?"),
        ("memory = 0", "line 4, `gate[0].memory` is 0"),
        ("cpu = 1.5", "`gate[0].cpu` is 1.5"),
        ("files = 3", "`gate[0].files` is 3; input should be greater than or equal to 16"),
        ('output = "1"', "`gate[0].output` is '1'"),
        ('group = "A b"', "`gate[0].group` is 'A b'; use small letters"),
    ],
)
def test_how_a_gate_is_run_is_refused_with_its_line(line, said):
    assert said in refusal(gate(line))


def test_the_digest_of_gates_is_as_it_was_where_they_are():
    old = parse_configuration(gate("")).gates
    assert find_digest(old) == "dc1fd76c7fb70e39272abd0ad62788ab3057a9fd2dbc9cc299fb27e554037917"
    assert find_digest(old) == find_digest(parse_configuration(gate("reruns = 2")).gates)
    assert find_digest(old) != find_digest(parse_configuration(gate("reruns = 3")).gates)


def test_everything_that_can_be_written_is_read():
    read = parse_configuration(WHOLE, "goalproof.toml")
    unit, lint = read.gates
    assert (unit.name, unit.cwd, unit.env, unit.timeout) == ("unit", "server", {"MODE": "test"}, 90)
    assert (unit.required, unit.parallel, unit.report) == (False, False, GateReport.JUNIT)
    assert unit.tests == ("checks/**",)
    assert lint.fix == ("ruff", "check", "--fix")
    assert (lint.timeout, lint.required, lint.report) == (600, True, GateReport.EXIT)
    assert lint.reason == "written in goalproof.toml"
    assert (read.python, read.copies) == (".venv", ("generated/*.py",))


@pytest.mark.parametrize("text", ["", "# nothing\n", "\ufeff", '[workspace]\npython = "3"\n'])
def test_no_gates_is_a_configuration_too(text):
    assert parse_configuration(text, "goalproof.toml").gates == ()


def test_windows_line_ends_and_a_byte_order_mark_are_fine():
    read = parse_configuration("\ufeff" + WHOLE.replace("\n", "\r\n"), "goalproof.toml")
    assert [spec.name for spec in read.gates] == ["unit", "lint"]


SYNTAX = [
    ("[[gate]]\nname = unit\n", "line 2, column 8"),
    ('a = 1\n[[gate]]\nargv = ["x",\n\n# end\n', "line 3"),
    ("a = 1\na = 2\n", "line 2"),
    ('x = """\nno end\n', "line 1"),
]


@pytest.mark.parametrize(("text", "where"), SYNTAX)
def test_what_is_not_toml_is_named_by_its_line(text, where):
    said = refusal(text)
    assert said.startswith(f"goalproof.toml, {where}")
    assert "not TOML" in said
    assert "at end of document" not in said


SCHEMA = [
    (gate("timeout = 0"), "line 4, `gate[0].timeout` is 0"),
    (gate("timeout = true"), "line 4, `gate[0].timeout` is true"),
    (gate("timeout = inf"), "line 4, `gate[0].timeout` is inf"),
    (gate('timeout = "9"'), "line 4, `gate[0].timeout` is '9'"),
    (gate("required = 1"), "line 4, `gate[0].required` is 1"),
    (gate('cwd = "/tmp"'), "line 4, `gate[0].cwd` is not a path inside"),
    (gate('cwd = "a/../.."'), "line 4, `gate[0].cwd` is not a path inside"),
    (gate('cwd = ".git"'), "line 4, `gate[0].cwd` leads into"),
    (gate('report = "xml"'), "line 4, `gate[0].report` is 'xml'"),
    (gate('report = "junit"'), "line 3, `gate[0].argv` does not say where the junit report goes"),
    (gate("fix = []"), "line 4, `gate[0].fix` is empty"),
    (gate("env = {A = 1}"), "line 4, `gate[0].env.A` is 1"),
    (gate('env = {"A B" = "1"}'), "line 4, `gate[0].env` has 'A B'"),
    (gate("timout = 3"), "line 4, `gate[0].timout` is not a key here; did you mean `timeout`?"),
    (gate('tests = ["../x"]'), "line 4, `gate[0].tests[0]` is not a path inside"),
    (gate('[gate.env]\nA = "x"\nB = 2'), "line 6, `gate[0].env.B` is 2"),
    ('[[gate]]\nname = "a"\n', "line 1, `gate[0].argv` is missing"),
    ('[[gate]]\nargv = ["x"]\n', "line 1, `gate[0].name` is missing"),
    ('[[gate]]\nname = "A b"\nargv = ["x"]\n', "line 2, `gate[0].name` is 'A b'; use small"),
    ('[[gate]]\nname = "a"\nargv = []\n', "line 3, `gate[0].argv` is empty"),
    ('[[gate]]\nname = "a"\nargv = [" "]\n', "line 3, `gate[0].argv` starts with no program"),
    ('[[gate]]\nname = "a"\nargv = "x y"\n', "line 3, `gate[0].argv` is 'x y'"),
    ('[[gate]]\nname = "a"\nargv = ["x\\u0000"]\n', "line 3, `gate[0].argv[0]` has a NUL"),
    ('[[gate]]\nname = "a"\nargv = ["x={report}"]\n', 'set `report = "junit"`'),
    ('[gate]\nname = "a"\n', "line 1, `gate` is no list of tables; write `[[gate]]`"),
    ('\n[workspace]\ninstall = ["make"]\n', "line 3, `workspace.install` is not a key here"),
    ('[workspace]\ncopy = ["/etc/*"]\n', "line 2, `workspace.copy[0]` is not a path inside"),
    ("gates = 1\n", "line 1, `gates` is not a key here; did you mean `gate`?"),
    ('gate = [\n  {name = "a", argv = ["x"], cwd = "/"},\n]\n', "line 1, `gate[0].cwd`"),
]


@pytest.mark.parametrize(("text", "said"), SCHEMA)
def test_a_wrong_key_is_named_with_its_line(text, said):
    paragraph = refusal(text)
    assert paragraph.startswith("goalproof.toml cannot be used: ")
    assert said in paragraph
    assert "\n" not in paragraph


def test_all_problems_are_in_one_message_in_the_order_of_their_lines():
    text = """\
[[gate]]
name = "a"
argv = []

[[gate]]
name = "b"
argv = [
  "x",
  7,
]
cwd = '''
/tmp'''
note = \"\"\"
[[gate]]
timeout = 1
\"\"\"

[[gate]]
name = "a"
argv = ["x"]
timeout = -1
"""
    said = refusal(text)
    places = ["line 3, `gate[0].argv`", "line 7, `gate[1].argv[1]`", "line 11, `gate[1].cwd`"]
    places += ["line 13, `gate[1].note`", "line 19, `gate[2].name` 'a' is the name of two gates"]
    places += ["line 21, `gate[2].timeout`"]
    found = [said.index(place) for place in places]
    assert found == sorted(found)


def test_a_key_with_control_characters_is_shown_harmlessly():
    assert "\x1b" not in refusal('"\\u001b[31m" = 1\n')


def test_a_huge_text_is_refused_before_it_is_read():
    assert "longer than 256 KiB" in refusal("#" * 300_000)


def test_deep_nesting_is_a_paragraph_too():
    assert refusal("a = " + "[" * 50_000).startswith("goalproof.toml")


def test_a_number_of_too_many_digits_is_a_paragraph_too():
    assert refusal(f"a = {'9' * 5000}").startswith("goalproof.toml, line 1")


def test_lines_of_nested_tables_follow_the_newest_element():
    lines = find_lines("[[a]]\n[[a.b]]\nx = 1\n[[a]]\n[[a.b]]\nx = 1\n[c.d]\n'e f'.g = 2\n")
    assert lines["a", 0, "b", 0, "x"] == 3
    assert lines["a", 1, "b", 0, "x"] == 6
    assert lines["c", "d", "e f", "g"] == 8
