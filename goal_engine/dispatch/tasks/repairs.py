"""Which task repairs a result that is not enough, and when none is tried any more; starts nothing.

A gate's own fix comes first: it is cheap and gives the same tree every time.  Then the agent that
worked on the goal.  What a person did is theirs: nobody repairs it unasked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from goal_engine.budget import Spend
from goal_engine.proof.gate import GateSpec
from goal_engine.stagnation import describe_stagnation, find_stagnation
from goal_engine.state.events import RepairPlanned, RepairsStopped
from goal_engine.state.model import GoalState
from goal_engine.task_graph.graph import FixStep, GoalTask
from goal_engine.types import TaskStatus

EVERYTHING = ("**",)
FAILED_IN_A_ROW = 2
"""Repairs that did not come to an end, one after the other, until no other one is tried."""


def find_repairs(state: GoalState) -> tuple[RepairPlanned, ...]:
    """Return the repairs of this run."""
    return state.repairs[state.repairs_before :]


def make_repair(state: GoalState, red: Iterable[GateSpec], what: str) -> GoalTask | None:
    """Return the task that repairs what the `red` gates found, `None` where nobody can.

    `what` says it in a few words.
    """
    worked = [task for task in state.plan if task.by_agent]
    if not worked and any(task.worker == "manual" for task in state.plan):
        return None
    whole = _make_whole(state, what)
    tried = _find_tried_fixes(state, with_plan=not worked)
    fixes = [gate.name for gate in red if gate.fix and gate.name not in tried]
    if fixes:
        steps = tuple(FixStep(fix=gate) for gate in fixes)
        return GoalTask.model_validate({**whole, "worker": "recipe", "steps": steps})
    return _give(worked[-1], whole) if worked else None


def make_rework(state: GoalState, task: GoalTask) -> GoalTask | None:
    """Return the task that does `task`, whose result did not merge, on what is there by now.

    `None` where no agent worked on the goal.
    """
    agents = [other for other in state.plan if other.by_agent]
    worker = task if task.by_agent else next(reversed(agents), None)
    if worker is None:
        return None
    return _give(worker, _make_whole(state, f"do {task.id} on what is there by now: {task.title}"))


def find_stop(state: GoalState, spent: Spend) -> RepairsStopped | None:
    """Return why no further repair is tried, `None` while there is room and hope."""
    found = find_stagnation(state.rounds)
    if found is not None:
        return RepairsStopped(reason=describe_stagnation(found), stagnation=found)
    repairs, limit = find_repairs(state), state.budget.repairs
    last = [state.tasks[repair.task.id] for repair in repairs[-FAILED_IN_A_ROW:]]
    ended = [task for task in last if task.status is not TaskStatus.FAILED or task.commit]
    if len(last) == FAILED_IN_A_ROW and not ended:
        return RepairsStopped(reason=f"the last {len(last)} did not end well: {last[-1].reason}")
    if len(repairs) >= limit:
        return RepairsStopped(reason=f"{len(repairs)} of {limit} repairs were tried")
    attempts = state.budget.attempts
    if attempts is not None and spent.attempts >= attempts:
        return RepairsStopped(reason=f"attempts: {spent.attempts} of {attempts} are used up")
    return None


def _make_whole(state: GoalState, what: str) -> dict[str, object]:
    """A repair may touch what any task of the goal may, and nothing else."""
    return {
        "id": _find_free_name(state),
        "title": f"Repair {_count(state)}: {what}",
        "reads": _union(task.reads for task in state.plan),
        "writes": _union(task.writes for task in state.plan),
    }


def _give(worker: GoalTask, whole: Mapping[str, object]) -> GoalTask:
    given = {name: getattr(worker, name) for name in ("worker", "agent", "command", "timeout")}
    return GoalTask.model_validate({**whole, **given})


def _count(state: GoalState) -> str:
    return f"{len(find_repairs(state)) + 1} of {state.budget.repairs}"


def _find_free_name(state: GoalState) -> str:
    """A plan may have a task of that name."""
    number = len(state.repairs) + 1
    while f"repair-{number}" in state.tasks:
        number += 1
    return f"repair-{number}"


def _union(globs: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(glob for some in globs for glob in some))
    return EVERYTHING if "**" in found else found


def _find_tried_fixes(state: GoalState, *, with_plan: bool) -> frozenset[str]:
    """Gates whose fix ran already: once in a run is enough, and never again after a recipe's own."""
    tasks = [repair.task for repair in find_repairs(state)]
    tasks += state.plan.tasks if with_plan else ()
    return frozenset(step.fix for task in tasks for step in task.steps if isinstance(step, FixStep))
