"""What `next_wave` gives out at once, and what it leaves for later."""

from __future__ import annotations

from datetime import timedelta
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goal_engine.budget import GoalBudget, Spend
from goal_engine.dispatch.tasks.scheduler import Wave, next_wave
from goal_engine.task_graph.claims import Claims, find_literal, is_glob
from goal_engine.task_graph.globs import match_glob
from goal_engine.task_graph.graph import GoalTask, GoalTaskGraph
from goal_engine.task_graph.policy import DEFAULT_POLICY, WorkPolicy
from goal_engine.types import GoalStatus, TaskStatus
from tests.builders import NOW, a_goal

ONE_BY_ONE = WorkPolicy(sequential=True)
NO_LIMITS, NOTHING = GoalBudget(), Spend()


def a_task(name, *deps, writes=None, **more):
    """Return a task of an agent; it writes a file of its own where nothing else is said."""
    paths = (f"{name}.py",) if writes is None else writes
    return GoalTask(id=name, title=name, deps=deps, writes=paths, worker="cli", agent="x", **more)


def a_state(*tasks, done=(), budget=NO_LIMITS, policy=DEFAULT_POLICY):
    """Return a running goal whose plan is not checked: the wave must be safe by itself."""
    goal = a_goal(GoalStatus.RUNNING)
    fresh = next(iter(goal.tasks.values()))
    stands = {
        task.id: fresh.changed(status=TaskStatus.DONE if task.id in done else TaskStatus.PENDING)
        for task in tasks
    }
    graph = GoalTaskGraph(tasks=tuple(tasks))
    return goal.changed(graph=graph, tasks=stands, budget=budget, policy=policy)


def give(*tasks, spent=NOTHING, **more):
    return [task.id for task in next_wave(a_state(*tasks, **more), spent, NOW).tasks]


def test_a_higher_priority_goes_first_and_ties_go_in_the_order_of_the_plan():
    tasks = [a_task("a"), a_task("b", priority=1), a_task("c"), a_task("d", priority=1)]
    assert give(*tasks, a_task("e", priority=-1)) == ["b", "d", "a", "c", "e"]


def test_what_has_to_be_done_before_comes_before_whatever_its_priority():
    assert give(a_task("a", priority=-9), a_task("b", "a", priority=9)) == ["a"]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"writes": ("x.py",)}, {"writes": ("x.py",)}),
        ({"writes": ("src/**",)}, {"writes": ("src/deep/x.py",)}),
        ({"writes": ("src/",)}, {"writes": ("src/x.py",)}),
        ({"writes": ("x.py",)}, {"reads": ("x.py",)}),
        ({"reads": ("src/*.py",)}, {"writes": ("src/x.py",)}),
        ({"writes": ("**",)}, {"writes": ("./x.py",)}),
        ({"writes": ("src/a*",)}, {"writes": ("src/ab/**",)}),
    ],
)
def test_tasks_in_each_others_way_are_never_in_one_wave(one, two):
    first, second = a_task("a", **one), a_task("b", **two)
    assert give(first, second) == ["a"]
    assert give(first, second.changed(priority=1)) == ["b"]
    assert give(first, second, done=("a",)) == ["b"]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"reads": ("x.py",)}, {"reads": ("x.py",)}),
        ({"writes": ("src/x.py",)}, {"writes": ("src2/x.py",)}),
        ({"writes": ("src/*.py",)}, {"writes": ("src/deep/x.py",)}),
    ],
)
def test_tasks_that_only_look_or_touch_other_files_run_together(one, two):
    assert give(a_task("a", **one), a_task("b", **two)) == ["a", "b"]


def test_a_sequential_plan_gives_out_one_task_at_a_time():
    tasks = [a_task("a"), a_task("b", priority=5), a_task("c")]
    assert give(*tasks, policy=ONE_BY_ONE) == ["b"]
    assert give(*tasks, policy=ONE_BY_ONE, done=("b",)) == ["a"]


def test_what_does_not_fit_the_limits_waits_and_the_more_important_is_given_out_first():
    tasks = [a_task("a"), a_task("b", priority=1), a_task("c")]
    assert give(*tasks, budget=GoalBudget(attempts=2)) == ["b", "a"]
    assert give(*tasks, budget=GoalBudget(attempts=2), spent=Spend(attempts=1)) == ["b"]
    full = a_state(*tasks, budget=GoalBudget(attempts=2))
    assert next_wave(full, Spend(attempts=2), NOW).exceeded == ("attempts: 2 of 2",)


def test_what_is_to_be_tried_later_is_given_out_when_it_is_time():
    state = a_state(a_task("a"), a_task("b"))
    soon, later = NOW + timedelta(seconds=5), NOW + timedelta(seconds=9)
    waits = state.tasks["a"].changed(not_before=later)
    one = state.changed(tasks={**state.tasks, "a": waits})
    assert [task.id for task in next_wave(one, NOTHING, NOW).tasks] == ["b"]
    both = one.changed(tasks={"a": waits, "b": waits.changed(not_before=soon)})
    assert next_wave(both, NOTHING, NOW) == Wave(until=soon)
    assert [task.id for task in next_wave(both, NOTHING, soon).tasks] == ["b"]
    assert [task.id for task in next_wave(both, NOTHING, later).tasks] == ["a", "b"]


def test_a_clock_that_was_put_back_makes_nobody_wait_for_days():
    state = a_state(a_task("a"))
    waits = state.tasks["a"].changed(not_before=NOW + timedelta(days=2))
    wave = next_wave(state.changed(tasks={"a": waits}), NOTHING, NOW)
    assert [task.id for task in wave.tasks] == ["a"]


PARTS = st.sampled_from(("a", "b", "ab", "*", "a*", "**", "[ab]"))
PATHS = st.lists(PARTS, min_size=1, max_size=3).map("/".join)
SETS = st.lists(PATHS, max_size=3).map(tuple)


def may_overlap(one, two):
    """The same said of two alone, without an index."""
    if not is_glob(one) and not is_glob(two):
        return one == two
    if not is_glob(one):
        return match_glob(one, two)
    if not is_glob(two):
        return match_glob(two, one)
    first, second = find_literal(one), find_literal(two)
    return first.startswith(second) or second.startswith(first)


@given(SETS, PATHS)
def test_claims_are_found_as_if_each_was_looked_at(claimed, path):
    assert sorted(Claims(claimed).find(path)) == sorted(
        {one for one in claimed if may_overlap(one, path)}
    )


TASKS = st.lists(st.tuples(SETS, SETS, st.integers(-1, 1)), min_size=1, max_size=7)


@given(TASKS)
def test_no_wave_holds_a_conflict_and_all_of_them_hold_everything(drawn):
    tasks = [
        a_task(f"t{number}", writes=writes, reads=reads, priority=priority)
        for number, (writes, reads, priority) in enumerate(drawn)
    ]
    done: list[str] = []
    while wave := next_wave(a_state(*tasks, done=done), Spend(), NOW).tasks:
        for one, two in combinations(wave, 2):
            pairs = [(w, p) for w in one.writes for p in (*two.writes, *two.reads)]
            pairs += [(w, p) for w in two.writes for p in one.reads]
            assert not any(may_overlap(*pair) for pair in pairs)
        done += [task.id for task in wave]
    assert sorted(done) == sorted(task.id for task in tasks)


def test_a_plan_that_is_sequential_may_let_two_tasks_change_the_same():
    graph = GoalTaskGraph(tasks=(a_task("a", writes=("x",)), a_task("b", writes=("x",))))
    assert [problem.rule for problem in graph.validate()] == ["write conflict"]
    assert graph.validate(sequential=True) == ()


def test_ten_thousand_tasks_with_globs_of_their_own_are_no_trouble():
    """Each glob was compared with each other one, which took minutes."""
    tasks = [
        a_task(f"t{n}", writes=(f"src/m{n}/**",), reads=(f"doc/m{n}/*",)) for n in range(10_000)
    ]
    assert GoalTaskGraph(tasks=tuple(tasks)).validate() == ()
    state = a_state(*tasks, budget=GoalBudget(attempts=20_000))
    assert len(next_wave(state, Spend(), NOW).tasks) == 10_000
