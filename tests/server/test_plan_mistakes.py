"""A plan that is being written is told what is wrong with it, at the line."""

from __future__ import annotations

import pytest

from goal_engine.document import parse_plan
from goal_engine.errors import BadPlan
from goal_engine.gates.config import find_mistakes
from goal_server.plan_mistakes import find_plan_mistakes

PLAN = """\
goal = "Make it so"

[[criterion]]
id = "so"
text = "It is so"
evidence = "flips"
gate = "tests"

[[task]]
id = "do"
title = "Do it"
writes = ["a.py"]
steps = [
  { write = "a.py", content = "x" },
]
"""


def told(text: str, *gates: str) -> list[tuple[int, str]]:
    found = find_plan_mistakes(text, gates or None)
    return [(mistake.line, mistake.text) for mistake in found]


def test_a_good_plan_has_no_mistakes() -> None:
    assert told(PLAN) == []
    assert told(PLAN, "tests", "lint") == []
    assert told("\ufeff" + PLAN.replace("\n", "\r\n")) == []


BAD = {
    "no toml": (PLAN.replace("[[task]]", "[[task"), 9, "not TOML"),
    "cut off": (PLAN[:-3], 13, "not TOML"),
    "an unknown key": (PLAN.replace("title =", "titel ="), 11, "`titel`"),
    "a missing key": (PLAN.replace('title = "Do it"\n', ""), 9, "`title`"),
    "a word that is none": (PLAN.replace('"flips"', '"flops"'), 6, "`evidence`"),
    "a bad id": (PLAN.replace('id = "do"', 'id = "Do it"'), 10, "`id`"),
    "a bad step": (PLAN.replace("write =", "wriet ="), 13, "a step has one of the keys"),
    "a bad field of a step": (PLAN.replace("content =", "contents ="), 13, "`content"),
    "no such dependency": (PLAN.replace('id = "do"', 'id = "do"\ndeps = ["x"]'), 10, "depends on"),
    "a check that there is not": (
        PLAN.replace('gate = "tests"', "check = { gome = 1 }"),
        7,
        "a check has one of the keys gone",
    ),
    "a bad field of a check": (
        PLAN.replace('gate = "tests"', 'check = { gone = "x", path = ["a"] }'),
        7,
        "`path`",
    ),
    "a pattern that is none": (
        PLAN.replace('gate = "tests"', 'check = { gone_pattern = "(" }'),
        7,
        "is no pattern",
    ),
    "a path that leads out": (
        PLAN.replace('gate = "tests"', 'check = { same_output = ["x"], cwd = "../y" }'),
        7,
        "no plain path",
    ),
    "evidence that a check cannot give": (
        PLAN.replace('gate = "tests"', 'check = { links = ["*.md"] }'),
        6,
        "its evidence is `holds`",
    ),
    "a check that no gate does": (
        PLAN.replace('"tests"', '"tests"\ncheck = { gone = "x" }'),
        7,
        "names none",
    ),
    "a check of a gate without one": (
        PLAN.replace('gate = "tests"', "check = { runs = 9 }"),
        7,
        "names no `gate`",
    ),
    "a ratio that nobody named": (
        PLAN.replace('gate = "tests"', 'check = { faster = ["x"] }'),
        7,
        "names no `ratio`",
    ),
    "trust in nothing": (
        PLAN.replace('"tests"', '"tests"\nnew_tests = "trust"'),
        8,
        "says nothing without",
    ),
    "no goal": (PLAN.replace('goal = "Make it so"', ""), 1, "`goal`"),
    "an unsafe path": (PLAN.replace('["a.py"]', '["../a.py"]'), 10, "'../a.py'"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_mistake_is_told_at_its_line(name: str) -> None:
    text, line, words = BAD[name]
    assert any(at == line and words in said for at, said in told(text)), told(text)


def test_a_gate_that_the_goal_has_not_is_a_mistake() -> None:
    assert told(PLAN, "lint") == [(7, "there is no gate 'tests' (known: lint)")]


def test_two_criteria_of_one_name_are_a_mistake() -> None:
    twice = PLAN + '[[criterion]]\nid = "so"\ntext = "t"\nevidence = "accepted"\n'
    assert told(twice) == [(17, "criterion so is there more than once")]


def test_a_criterion_may_not_pass_for_one_of_the_engine_s() -> None:
    mine = PLAN + '[[criterion]]\nid = "protected-paths"\ntext = "t"\nevidence = "accepted"\n'
    [(line, words)] = told(mine)
    assert line == 17 and "a name that is kept" in words


@pytest.mark.parametrize("text", ["", "=", "\0", "goal = 1", "[" * 5000, '"""', "a.b.c = 1\n" * 3])
def test_whatever_is_written_is_answered(text: str) -> None:
    assert all(mistake.line >= 1 for mistake in find_plan_mistakes(text))
    assert all(mistake.line >= 1 for mistake in find_mistakes(text))


def test_a_configuration_is_told_every_mistake_at_its_line() -> None:
    text = '[[gate]]\nname = "A"\nargv = []\n[[gate]]\nname = "b"\nargv = ["x"]\ntimeout = -1\n'
    assert [mistake.line for mistake in find_mistakes(text)] == [2, 3, 7]
    (cut,) = find_mistakes('[[gate]]\nname = "a\n')
    assert cut.line == 2 and "not TOML" in cut.text
    assert find_mistakes('[[gate]]\nname = "a"\nargv = ["x"]\n') == ()


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ('wall_seconds = "5 minutes"', "`wall_seconds`: has to be whole seconds, or like 90s, 10m"),
        ("tokens = -1", "`tokens`: input should be greater than 0"),
        ("usd = nan", "`usd`: input should be a finite number"),
        ('usd = "cheap"', "`usd`: has to be US dollars, like 2.50 or $2.50"),
        ("tokens = 9999999999999", "`tokens`: is 1,000,000,000,000 at most"),
        ("turn = 1", "`turn`: extra inputs are not permitted"),
    ],
)
def test_a_limit_that_makes_no_sense_is_told_at_its_line(limit: str, said: str) -> None:
    lines = PLAN.count("\n")
    ((line, text),) = told(f"{PLAN}[budget]\n{limit}\n")
    assert line == lines + 2 and text.startswith(said)
    with pytest.raises(BadPlan, match="budget"):
        parse_plan(f"{PLAN}[budget]\n{limit}\n", "plan.toml")


def test_limits_are_read_as_people_write_them() -> None:
    own = PLAN + 'budget = { seconds = "10m", usd = "$0.50" }\n'
    text = own + '[budget]\nwall_seconds = "2h"\nusd = "$2.50"\n'
    assert told(text) == []
    plan = parse_plan(text, "plan.toml")
    assert (plan.budget.wall_seconds, str(plan.budget.usd)) == (7200, "2.50")
    task = plan.tasks[0].budget
    assert task is not None and (task.seconds, str(task.usd)) == (600, "0.50")
