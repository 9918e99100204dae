"""A plan is written for people to change, and read back to the very same plan."""

from __future__ import annotations

import tomllib
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goal_engine.budget import GoalBudget
from goal_engine.check import (
    Faster,
    Gone,
    GonePattern,
    Links,
    OnlyTests,
    Repeats,
    SameOutput,
)
from goal_engine.decision import Criterion, EvidenceKind
from goal_engine.document import (
    check_against_gates,
    parse_plan,
    plan_of,
    render_document,
    render_plan,
)
from goal_engine.errors import BadPlan
from goal_engine.state import events as e
from goal_engine.state.evolve import fold
from goal_engine.state.model import GoalState
from goal_engine.task_graph.graph import (
    FixStep,
    GoalTask,
    GoalTaskGraph,
    ReplaceStep,
    RunStep,
    WriteStep,
)
from goal_engine.toml import render_value
from goal_engine.types import GoalKind
from tests.builders import TREE, a_block, a_goal_created, a_task, planned

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
WORDS = TEXT.filter(lambda text: bool(text.strip()))
STEPS = st.one_of(
    st.builds(RunStep, run=st.lists(TEXT, min_size=1, max_size=4).map(tuple),
              timeout=st.floats(0.1, 1e9)),
    st.builds(ReplaceStep, replace=st.just("a.py"), old=TEXT.filter(bool), new=TEXT,
              count=st.integers(1, 9)),
    st.builds(WriteStep, write=st.sampled_from(["a.py", "b c/ü.txt"]), content=TEXT),
    st.builds(FixStep, fix=st.just("lint")),
)  # fmt: skip
WHO = st.one_of(
    st.fixed_dictionaries({"steps": st.lists(STEPS, min_size=1, max_size=3).map(tuple)}),
    st.just({"worker": "manual"}),
    st.just({"worker": "cli", "agent": "claude", "timeout": 60.5}),
    st.just({"worker": "cli", "command": ("sh", "-c", 'x "{prompt}"')}),
)
COMMANDS = st.lists(TEXT, min_size=1, max_size=3).map(tuple)
CHECKS = st.one_of(
    st.builds(Gone, gone=TEXT.filter(bool), paths=st.just(("src/**",)), instead=TEXT),
    st.builds(GonePattern, gone_pattern=st.sampled_from(["a+", r"\bx\b", '"']), but=COMMANDS),
    st.builds(Links, links=COMMANDS),
    st.builds(OnlyTests, only_tests=st.just(True)),
    st.builds(Repeats, runs=st.integers(2, 1000)),
    st.builds(SameOutput, same_output=COMMANDS, files=st.sampled_from([(), ("a b.txt", "out/ü")])),
    st.builds(
        Faster, faster=COMMANDS, rounds=st.integers(1, 100),
        ratio=st.none() | st.floats(1, 1e6, exclude_min=True),
    ),
)  # fmt: skip
CRITERIA = st.builds(
    Criterion,
    id=st.sampled_from(["one", "two:b"]),
    text=WORDS,
    evidence=st.sampled_from(EvidenceKind),
    gate=st.none() | st.just("tests"),
    tests=st.lists(TEXT, max_size=3).map(tuple),
    some_test=st.booleans(),
    new_tests=st.sampled_from(["show", "trust"]),
    why=TEXT,
    check=st.none() | CHECKS,
)
BUDGETS = st.builds(
    GoalBudget,
    wall_seconds=st.none() | st.integers(1, 10**6),
    usd=st.none() | st.decimals("0.000001", "1e9", allow_nan=False),
    max_agents=st.integers(1, 64),
)


@st.composite
def goals(draw: st.DrawFn) -> GoalState:
    """A goal with a chain of tasks, so that they may all change everything."""
    names = [f"task-{number}" for number in range(draw(st.integers(0, 3)))]
    tasks = tuple(
        GoalTask(
            id=name,
            title=draw(WORDS),
            deps=(names[at - 1],) if at else (),
            reads=draw(st.sampled_from([(), ("docs/**",)])),
            **draw(WHO),
        )
        for at, name in enumerate(names)
    )
    created = a_goal_created(
        text=draw(WORDS), kind=draw(st.sampled_from(GoalKind)), budget=draw(BUDGETS)
    )
    criteria = tuple(draw(st.lists(CRITERIA, max_size=2)))
    graph = GoalTaskGraph(tasks=tasks)
    return fold((created, e.GoalPlanned(planner="plan", criteria=criteria, graph=graph)))


@settings(max_examples=200, deadline=None)
@given(goals())
def test_a_plan_that_was_written_is_read_back_as_it_was(goal):
    text = render_plan(goal)
    assert parse_plan(text, "plan.toml") == plan_of(goal)
    assert parse_plan(text, "plan.toml", "manual", "gemini") == plan_of(goal)


VALUES = st.recursive(
    TEXT | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_what_is_written_as_toml_is_read_back_as_it_was(value):
    assert tomllib.loads(f"it = {render_value(value)}")["it"] == value


@pytest.mark.parametrize("text", ['"""', '""""', 'a"', '\\"""\\', '""\n"', "\t\\t\n", "x\r\ny\n"])
def test_quotes_and_escapes_stay_what_they_are(text):
    for value in (text, text + "\n", "\n" + text):
        assert tomllib.loads(f"it = {render_value(value)}")["it"] == value


def test_what_a_reader_would_not_see_is_spelled_out():
    assert render_value("a\u202eb\u200b\x1b") == '"a\\u202Eb\\u200B\\u001B"'


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Decimal("2.50"), "2.50"),
        (Decimal("1E+3"), "1000"),
        (Decimal("0.1234567890123456789"), None),
    ],
)
def test_money_is_a_number_where_that_is_exact(value, written):
    said = render_value(value)
    assert said == (written or f'"{value}"')
    budget = tomllib.loads(f"usd = {said}")
    assert GoalBudget.model_validate(budget).usd == value


def test_a_plan_says_what_to_do_with_it():
    goal = fold((a_goal_created(), planned()))
    text = render_plan(goal)
    assert f"goalproof execute {goal.goal_id}" in text
    assert "# gates: tests" in text
    begun = fold((e.GoalStarted(), e.TaskStarted(task="fix", attempt=1, base_commit=TREE)), goal)
    assert "work on it has begun" in render_plan(begun)


def test_a_goal_without_tasks_shows_how_one_is_written():
    blocked = fold((a_goal_created(), a_block("external")))
    text = render_plan(blocked)
    example = text[text.index("# [[criterion]]") : text.index("# how tasks are given out")]
    table = "\n".join(line.removeprefix("# ") for line in example.splitlines())
    plan = parse_plan('goal = "x"\n' + table, "example")
    assert [task.id for task in plan.tasks] == ["first"]


def test_limits_that_a_plan_does_not_name_are_told_from_no_limits():
    tasks = '[[task]]\nid = "a"\ntitle = "a"\nsteps = [{ run = ["true"] }]\n'
    assert not parse_plan('goal = "x"\n' + tasks, "p").has_budget
    assert parse_plan('goal = "x"\n' + tasks + "[budget]\n", "p").has_budget


def test_a_task_shows_what_it_may_change_even_if_that_is_everything():
    goal = fold((a_goal_created(), planned(a_task("fix"))))
    assert 'writes = ["**"]' in render_plan(goal)


def test_a_plan_that_is_wrong_says_where():
    with pytest.raises(BadPlan, match=r"task\[1\]\.titel"):
        parse_plan('goal = "x"\n[[task]]\nid = "a"\ntitel = "a"\n', "plan.toml")


@pytest.mark.parametrize("text", ["a = " + "[" * 50_000, f"a = {'9' * 5000}", "a ="])
def test_what_cannot_be_read_is_one_paragraph(text: str) -> None:
    with pytest.raises(BadPlan, match="^plan is not TOML: ") as refused:
        parse_plan(text, "plan")
    assert "\n" not in refused.value.paragraph


def test_a_step_that_may_take_for_ever_is_refused() -> None:
    task = '[[task]]\nid = "a"\ntitle = "a"\nsteps = [{ run = ["x"], timeout = inf }]\n'
    with pytest.raises(BadPlan, match="finite"):
        parse_plan(f'goal = "x"\n{task}', "plan")


@pytest.mark.parametrize(
    "name", ["protected-paths", "removed-tests", "rewritten-tests", "reaches-its-judge"]
)
def test_a_criterion_may_not_pass_for_one_of_the_engine_s(name: str) -> None:
    """One word of a person for the plan's would stand for the engine's as well."""
    said = f'[[criterion]]\nid = "{name}"\ntext = "It is small"\nevidence = "accepted"\n'
    plan = parse_plan(f'goal = "x"\n{said}', "plan")
    with pytest.raises(BadPlan, match=f"criterion {name} has a name that is kept"):
        check_against_gates(plan, ("tests",), ())


def test_a_key_that_no_plan_has_is_named():
    text = 'goal = "Fix it"\n[[task]]\nid = "a"\ntitle = "A"\nworker = "manual"\nfoo = 1\n'
    with pytest.raises(BadPlan, match=r"task\[1\]\.foo: there is no such key"):
        parse_plan(text, "plan.toml")


def test_how_tasks_are_given_out_is_read_and_written():
    text = (
        'goal = "x"\n[[task]]\nid = "a"\ntitle = "a"\npriority = 3\nsteps = [{ run = ["true"] }]\n'
    )
    plan = parse_plan(f"{text}[policy]\nsequential = true\nretries = 0\n", "p")
    assert (plan.policy.sequential, plan.policy.retries, plan.tasks[0].priority) == (True, 0, 3)
    assert parse_plan(render_document(plan, ("tests",)), "p") == plan
    with pytest.raises(BadPlan, match=r"policy\.retries"):
        parse_plan(f"{text}[policy]\nretries = 99\n", "p")
