"""Every rule that a task graph may break, and the order that follows from one that breaks none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goal_engine.task_graph.graph import GoalTask, GoalTaskGraph, ReplaceStep
from goal_engine.types import TaskStatus
from tests.builders import a_task


def one(task_id, *deps, **changes):
    return a_task(task_id, *deps, writes=(f"{task_id}.py",)).changed(**changes)


@pytest.mark.parametrize(
    ("tasks", "rule", "ids"),
    [
        ([one("a", title=" ")], "empty", ("a",)),
        ([one("a", steps=())], "empty", ("a",)),
        ([one("a", writes=(), steps=())], "empty", ("a",)),
        ([one("a"), one("a")], "duplicate", ("a",)),
        ([one("a", "a")], "self", ("a",)),
        ([one("a", "b")], "missing", ("a", "b")),
        ([one("a", "b"), one("b", "a")], "cycle", ("a", "b")),
        ([one("a", "c"), one("b", "a"), one("c", "b")], "cycle", ("a", "b", "c")),
        ([one("a", reads=("../x",))], "unsafe path", ("a",)),
        ([one("a", writes=("a.py", "/etc/*"))], "unsafe path", ("a",)),
        ([one("a", writes=("a.py", ".git/hooks/*"))], "unsafe path", ("a",)),
        ([one("a", writes=("a.py", "sub/.GIT/config"))], "unsafe path", ("a",)),
        ([one("a", writes=("a.py", ".goalproof/id"))], "unsafe path", ("a",)),
        ([one("a", writes=("a.py", "~/x"))], "unsafe path", ("a",)),
        ([one("a", writes=("a.py", "x\\y"))], "unsafe path", ("a",)),
        ([one("a", writes=("b.py",))], "write set", ("a",)),
        ([one("a", steps=(ReplaceStep(replace="b.py", old="x", new="y"),))], "write set", ("a",)),
        ([a_task("a"), one("b")], "write conflict", ("a", "b")),
        ([a_task("a"), a_task("b")], "write conflict", ("a", "b")),
        ([one("a"), one("b", writes=("b.py", "a.py"))], "write conflict", ("a", "b")),
    ],
)  # fmt: skip
def test_a_broken_rule_is_named_with_the_ids_concerned(tasks, rule, ids):
    problems = GoalTaskGraph(tasks=tuple(tasks)).validate()
    assert rule in {problem.rule for problem in problems}
    problem = next(problem for problem in problems if problem.rule == rule)
    assert set(problem.ids) == set(ids) and problem.message


def test_all_problems_of_a_kind_are_reported_at_once():
    problems = GoalTaskGraph(tasks=(one("a", "x"), one("b", "y"), one("c", title=""))).validate()
    assert {problem.ids for problem in problems} == {("a", "x"), ("b", "y"), ("c",)}


def test_tasks_that_wait_for_each_other_may_write_the_same():
    chain = (a_task("a"), one("b", "a"), a_task("c", "b"))
    assert GoalTaskGraph(tasks=chain).validate() == ()


def test_dependents_are_found_through_others():
    graph = GoalTaskGraph(tasks=(one("c", "b"), one("b", "a"), one("a"), one("d")))
    assert graph.dependents("a") == ("c", "b")
    assert graph.dependents("d") == ()


@st.composite
def graphs(draw):
    """A graph without a cycle, written in any order."""
    count = draw(st.integers(1, 8))
    tasks = []
    for number in range(count):
        before = st.integers(0, number - 1) if number else st.nothing()
        deps = draw(st.lists(before, unique=True, max_size=4)) if number else []
        tasks.append(one(f"t{number}", *(f"t{dep}" for dep in deps)))
    return GoalTaskGraph(tasks=tuple(draw(st.permutations(tasks))))


@given(graphs())
def test_the_order_has_every_task_once_and_after_its_dependencies(graph):
    assert graph.validate() == ()
    order = graph.order()
    assert sorted(order) == sorted(task.id for task in graph)
    for task in graph:
        assert all(order.index(dep) < order.index(task.id) for dep in task.deps)


@given(graphs(), st.data())
def test_a_task_is_never_ready_before_its_dependencies_are_done(graph, data):
    statuses = {task.id: data.draw(st.sampled_from(list(TaskStatus))) for task in graph}
    ready = {task.id for task in graph.ready(statuses)}
    for task in graph:
        done = all(statuses[dep] is TaskStatus.DONE for dep in task.deps)
        assert (task.id in ready) == (done and statuses[task.id] is TaskStatus.PENDING)


@given(graphs())
def test_doing_what_is_ready_does_everything(graph):
    statuses: dict[str, TaskStatus] = {task.id: TaskStatus.PENDING for task in graph}
    while ready := graph.ready(statuses):
        statuses |= {task.id: TaskStatus.DONE for task in ready}
    assert set(statuses.values()) == {TaskStatus.DONE}


def test_ten_thousand_tasks_are_checked_and_ordered():
    count, width = 10_000, 100
    tasks = [
        one(f"t{n}", *(f"t{n - width - m}" for m in (0, 1) if n - width - m >= 0))
        for n in range(count)
    ]
    graph = GoalTaskGraph(tasks=tuple(reversed(tasks)))
    assert graph.validate() == ()
    place = {task_id: number for number, task_id in enumerate(graph.order())}
    assert len(place) == count
    assert all(place[dep] < place[task.id] for task in tasks for dep in task.deps)
    broken = GoalTaskGraph(tasks=(*tasks[1:], one("t0", f"t{width}"), one("x", "gone")))
    assert {problem.rule for problem in broken.validate()} == {"missing"}
    cyclic = GoalTaskGraph(tasks=(*tasks[1:], one("t0", f"t{width}")))
    (problem,) = cyclic.validate()
    assert problem.rule == "cycle" and set(problem.ids) == {"t0", f"t{width}"}


def test_a_task_id_is_a_word():
    with pytest.raises(ValueError, match="id"):
        GoalTask(id="../x", title="x")
