"""A plan as people write it: one `GoalPlan`, TOML on disk, every problem reported at once."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

from pydantic import Field, ValidationError

from goal_engine.budget import GoalBudget
from goal_engine.decision import Criterion, EvidenceKind
from goal_engine.errors import BadPlan
from goal_engine.task_graph.graph import FixStep, GoalTask, GoalTaskGraph
from goal_engine.types import Frozen, GoalKind, WorkerName


class GoalPlan(Frozen):
    """A goal, what it must show and the tasks that get there."""

    goal: str = Field(min_length=1, max_length=4000)
    kind: GoalKind | None = None
    criteria: tuple[Criterion, ...] = Field(default=(), alias="criterion")
    tasks: tuple[GoalTask, ...] = Field(default=(), alias="task")
    budget: GoalBudget = GoalBudget()

    @property
    def graph(self) -> GoalTaskGraph:
        """The tasks as a graph."""
        return GoalTaskGraph(tasks=self.tasks)


def parse_plan(text: str, name: str, worker: WorkerName | None = None, agent: str = "") -> GoalPlan:
    """Return the plan in `text`, a TOML document called `name` in messages.

    `worker` and `agent` are for the tasks that it gives to nobody: see `assign_workers`.
    Raises `BadPlan` with every problem and its ids.
    """
    try:
        plan = GoalPlan.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise BadPlan(f"{name} is not TOML: {error}. Correct that place and try again.") from error
    except ValidationError as error:
        problems = "; ".join(_say(item["loc"], item["msg"]) for item in error.errors())
        raise BadPlan(f"{name} is no plan: {problems}.") from error
    plan = assign_workers(plan, worker, agent)
    check_graph(plan.graph, name)
    return plan


def assign_workers(plan: GoalPlan, worker: WorkerName | None, agent: str = "") -> GoalPlan:
    """Return `plan` with `worker` for each task that names none and has no steps.

    `agent` is for the tasks of the worker `cli` that name neither an agent nor a command, and
    alone it means that worker.
    """
    worker = worker or ("cli" if agent else None)

    def assigned(task: GoalTask) -> GoalTask:
        if worker and not task.steps and "worker" not in task.model_fields_set:
            changes: dict[str, object] = {"worker": "cli" if task.command else worker}
            task = task.changed(**changes)
        if agent and task.worker == "cli" and not task.agent and not task.command:
            task = task.changed(agent=agent)
        return task

    return plan.changed(tasks=tuple(map(assigned, plan.tasks)))


def check_graph(graph: GoalTaskGraph, name: str) -> None:
    """Raise `BadPlan` naming every rule that `graph` breaks."""
    problems = graph.validate()
    if problems:
        found = "; ".join(f"task {problem.ids[0]} {problem.message}" for problem in problems)
        raise BadPlan(f"{name} cannot be run: {found}.")


def check_against_gates(plan: GoalPlan, gates: tuple[str, ...], fixes: tuple[str, ...]) -> None:
    """Raise `BadPlan` where the plan speaks of gates that do not exist or cannot fix."""
    problems = [*_find_bad_criteria(plan, gates), *_find_bad_fixes(plan, fixes)]
    if problems:
        known = ", ".join(gates) or "none"
        raise BadPlan(f"The plan does not fit the gates ({known}): {'; '.join(problems)}.")


def _find_bad_criteria(plan: GoalPlan, gates: tuple[str, ...]) -> Iterator[str]:
    seen: set[str] = set()
    for criterion in plan.criteria:
        if criterion.id in seen:
            yield f"criterion {criterion.id} is there more than once"
        seen.add(criterion.id)
        if criterion.evidence is EvidenceKind.ACCEPTED:
            continue
        if criterion.gate is None:
            yield f"criterion {criterion.id} {criterion.evidence} but names no gate"
        elif criterion.gate not in gates:
            yield f"criterion {criterion.id} names the gate {criterion.gate!r}, which there is not"


def _find_bad_fixes(plan: GoalPlan, fixes: tuple[str, ...]) -> Iterator[str]:
    for task in plan.tasks:
        for step in task.steps:
            if isinstance(step, FixStep) and step.fix not in fixes:
                yield f"task {task.id} asks for the fix of {step.fix!r}, which has none"


def _say(location: tuple[int | str, ...], message: str) -> str:
    where = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in location)
    return f"{where.lstrip('.') or 'the document'}: {message}"
