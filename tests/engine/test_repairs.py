"""Who repairs what the gates said no to, and when nobody does any more: chosen purely."""

from __future__ import annotations

import pytest

from goal_engine.budget import GoalBudget, Spend
from goal_engine.dispatch.tasks.repairs import find_stop, make_repair, make_rework
from goal_engine.document import plan_of
from goal_engine.stagnation import Round
from goal_engine.state import events as e
from goal_engine.state.evolve import fold
from goal_engine.state.model import GoalState
from goal_engine.task_graph.graph import FixStep, GoalTask
from goal_engine.types import GoalStatus, TaskStatus
from tests.builders import BASE, OTHER, TREE, a_gate, a_goal_created, a_task, planned

FIXABLE = a_gate(name="lint", fix=("ruff", "--fix"))
AGENT = GoalTask(
    id="agent", title="a", worker="cli", command=("x", "{prompt}"), timeout=9, writes=("a/**",)
)
NAMED = GoalTask(id="named", title="n", worker="cli", agent="claude", writes=("n.txt",))
MINE = GoalTask(id="mine", title="m", worker="manual", writes=("m.txt",))
STEPS = a_task("steps", writes=("s.txt",))


def a_run(*tasks: GoalTask, repairs: int = 2) -> GoalState:
    """Return a running goal with these tasks."""
    created = a_goal_created(budget=GoalBudget(repairs=repairs))
    return fold((created, planned(*tasks), e.GoalStarted()))


def planned_repair(state: GoalState, task: GoalTask, **more) -> e.RepairPlanned:
    number = len(state.repairs) - state.repairs_before + 1
    return e.RepairPlanned(task=task, number=number, limit=2, reasons=("red",), **more)


def failed(task: str) -> tuple[e.GoalEvent, ...]:
    begun = e.TaskStarted(task=task, attempt=1, base_commit=BASE)
    return begun, e.TaskFailed(task=task, attempt=1, reason="no luck", spent=Spend(attempts=1))


def repaired(state: GoalState, *, times: int = 1, ended: bool = True) -> GoalState:
    """Return the goal after repairs, each of which made another tree or none at all."""
    for _ in range(times):
        task = make_repair(state, (), "x")
        assert task is not None
        after = () if ended else failed(task.id)
        state = fold((planned_repair(state, task), *after), state)
    return state


def test_the_agent_that_worked_repairs_with_the_goals_whole_write_set() -> None:
    task = make_repair(a_run(STEPS, AGENT), (a_gate(),), "gate tests")
    assert task is not None
    assert (task.id, task.title) == ("repair-1", "Repair 1 of 2: gate tests")
    assert (task.worker, task.command, task.timeout) == ("cli", AGENT.command, 9)
    assert task.writes == ("s.txt", "a/**") and task.deps == ()
    last = make_repair(a_run(AGENT, NAMED), (a_gate(),), "x")
    assert last is not None and last.agent == "claude"
    wide = make_repair(a_run(AGENT, AGENT.changed(id="all", writes=("**",))), (), "x")
    assert wide is not None and wide.writes == ("**",)


@pytest.mark.parametrize(
    ("tasks", "red", "worker"),
    [
        ((STEPS,), a_gate(), None),
        ((STEPS,), FIXABLE, "recipe"),
        ((MINE,), a_gate(), None),
        ((MINE,), FIXABLE, None),
        ((MINE, STEPS), FIXABLE, None),
        ((MINE, AGENT), a_gate(), "cli"),
        ((AGENT,), FIXABLE, "recipe"),
        ((STEPS.changed(steps=(FixStep(fix="lint"),)),), FIXABLE, None),
    ],
)
def test_who_can_repair(tasks, red, worker: str | None) -> None:
    task = make_repair(a_run(*tasks), (red,), "x")
    assert (task and task.worker) == worker


def test_a_fix_is_tried_once_and_then_the_agent() -> None:
    state = a_run(AGENT)
    first = make_repair(state, (FIXABLE, a_gate()), "x")
    assert first is not None and first.steps == (FixStep(fix="lint"),)
    state = fold([planned_repair(state, first)], state)
    second = make_repair(state, (FIXABLE, a_gate()), "x")
    assert second is not None and second.worker == "cli" and second.id == "repair-2"


def test_a_plan_may_have_a_task_of_that_name() -> None:
    state = a_run(AGENT.changed(id="repair-1"))
    task = make_repair(state, (), "x")
    assert task is not None and task.id == "repair-2"


def test_what_did_not_merge_is_its_own_agents_again() -> None:
    state = a_run(AGENT, NAMED)
    task = make_rework(state, AGENT)
    assert task is not None and task.command == AGENT.command
    assert "do agent on what is there by now: a" in task.title
    assert make_rework(a_run(STEPS), STEPS) is None


def test_there_is_room_until_the_limit() -> None:
    state = a_run(AGENT)
    assert find_stop(state, Spend()) is None
    assert find_stop(repaired(state), Spend()) is None
    stop = find_stop(repaired(state, times=2), Spend())
    assert stop is not None and stop.reason == "2 of 2 repairs were tried"


def test_two_bad_ends_in_a_row_are_enough() -> None:
    state = repaired(a_run(AGENT, repairs=9), ended=False)
    assert find_stop(state, Spend()) is None
    stop = find_stop(repaired(state, ended=False), Spend())
    assert stop is not None and stop.reason == "the last 2 did not end well: no luck"
    assert find_stop(repaired(state), Spend()) is None


def test_no_attempts_left_is_no_repair() -> None:
    state = a_run(AGENT)
    state = state.changed(budget=state.budget.changed(attempts=3))
    assert find_stop(state, Spend(attempts=2)) is None
    stop = find_stop(state, Spend(attempts=3))
    assert stop is not None and "attempts: 3 of 3" in stop.reason


def test_a_diagnosis_comes_before_every_other_reason() -> None:
    state = repaired(a_run(AGENT))
    once = Round(tree=TREE, unmet=1, failures=1, failing=("t",))
    for one in (once, once.changed(task="repair-1")):
        state = fold([e.RoundWeighed(round=one)], state)
    stop = find_stop(state, Spend())
    assert stop is not None and stop.stagnation is not None
    assert "repair-1 changed nothing" in stop.reason


def test_another_run_has_its_repairs_anew_and_keeps_the_old_ones() -> None:
    state = repaired(a_run(AGENT), ended=False)
    state = fold([e.RoundWeighed(round=Round(tree=TREE)), e.RepairsStopped(reason="x")], state)
    state = state.changed(status=GoalStatus.NOT_READY)
    again = fold([e.GoalStarted()], state)
    assert again.tasks["repair-1"].status is TaskStatus.FAILED, "it is not given out again"
    assert again.tasks["agent"].status is TaskStatus.PENDING
    assert (again.rounds, again.stopped, again.repairs_before) == ((), None, 1)
    assert make_repair(again, (), "x").id == "repair-2"
    assert [task.id for task in plan_of(again).tasks] == ["agent"], "the plan is the person's"


def test_a_repair_that_is_not_kept_leaves_the_tree_from_before() -> None:
    state = repaired(a_run(AGENT))
    state = state.changed(tree=OTHER, commit=OTHER)
    dropped = e.RepairDropped(
        task="repair-1", reason="worse", commit=BASE, tree=TREE, evidence=None
    )
    after = fold([dropped], state)
    assert (after.tree, after.commit) == (TREE, BASE)
    assert after.tasks["repair-1"].status is TaskStatus.FAILED
