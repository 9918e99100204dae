"""What is to be done, in which order: a graph that is checked whole, on load and on save."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from graphlib import CycleError, TopologicalSorter
from operator import or_
from typing import Annotated, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag
from pydantic.dataclasses import dataclass

from goal_engine.budget import TaskBudget
from goal_engine.task_graph.claims import Claims, is_glob
from goal_engine.task_graph.globs import match_glob
from goal_engine.task_graph.policy import Priority
from goal_engine.types import (
    AGENT_WORKERS,
    AgentName,
    Frozen,
    TaskId,
    TaskStatus,
    WorkerName,
    later,
    tell_by_key,
)


class RunStep(Frozen):
    """Run a command in the workspace; anything but exit code 0 fails the task."""

    run: tuple[str, ...] = Field(min_length=1)
    timeout: float = Field(default=600, gt=0, allow_inf_nan=False)
    """Seconds."""


class ReplaceStep(Frozen):
    """Put `new` in the place of `old`, which must stand in the file exactly `count` times."""

    replace: str
    old: str = Field(min_length=1)
    new: str
    count: int = Field(default=1, gt=0)


class WriteStep(Frozen):
    """Write a whole file."""

    write: str
    content: str


class FixStep(Frozen):
    """Run the fix that a gate brings along."""

    fix: str


STEPS: Mapping[str, type[Frozen]] = {
    "run": RunStep,
    "replace": ReplaceStep,
    "write": WriteStep,
    "fix": FixStep,
}


Step = Annotated[
    Annotated[RunStep, Tag("run")]
    | Annotated[ReplaceStep, Tag("replace")]
    | Annotated[WriteStep, Tag("write")]
    | Annotated[FixStep, Tag("fix")],
    Discriminator(
        tell_by_key(STEPS),
        custom_error_type="step",
        custom_error_message="a step has one of the keys run, replace, write, fix",
    ),
]


class GoalTask(Frozen):
    """One piece of work: who does it, after what, and what it may change."""

    id: TaskId
    title: str
    description: str = later("")
    """What the title leaves out."""
    acceptance: tuple[str, ...] = later(())
    """What is true when it is done, a sentence each: told to whoever does it, judged by nobody."""
    deps: tuple[TaskId, ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = Field(default=("**",))
    """Globs of the paths it may change; the engine checks them on the resulting tree."""
    worker: WorkerName = "recipe"
    agent: AgentName | Literal[""] = ""
    """Which agent does it, by one of the workers `acp`, `wire` and `cli`."""
    command: tuple[str, ...] = ()
    """What the worker `cli` starts in place of an agent; `{prompt}` and `{workspace}` are filled in,
    and where no word has `{prompt}` the command reads it from its standard input."""
    timeout: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Seconds that a turn of an agent may take; `None` is the worker's own limit."""
    steps: tuple[Step, ...] = ()
    budget: TaskBudget | None = later(None)
    """What one attempt may use; held back from the goal's limits while it runs."""
    priority: Priority = later(0)
    """Of tasks that could run, those with a higher one go first; else the plan's order."""

    @property
    def by_hand(self) -> bool:
        """Whether a person does it, who takes no agent's place and as long as they take."""
        return self.worker == "manual"

    @property
    def by_agent(self) -> bool:
        """Whether an agent does it."""
        return self.worker in AGENT_WORKERS

    @property
    def hears(self) -> bool:
        """Whether who does it can be told something meanwhile."""
        return self.by_agent and self.worker != "cli"

    @property
    def metered(self) -> bool:
        """Whether it costs nothing that has to be paid for, so that nothing of it can be unknown."""
        return not self.by_agent


class GraphProblem(Frozen):
    """One rule that a graph breaks, with the ids concerned."""

    rule: str
    ids: tuple[str, ...]
    message: str


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class GoalTaskGraph:
    """Tasks and their dependencies (seed: `GoalTaskGraph`)."""

    tasks: tuple[GoalTask, ...] = ()

    def __iter__(self) -> Iterator[GoalTask]:
        return iter(self.tasks)

    def validate(self, *, sequential: bool = False) -> tuple[GraphProblem, ...]:
        """Return every problem there is, none for a graph that can be run.

        Where tasks run one after the other, none can be in another one's way.
        """
        problems = [*_find_bad_fields(self.tasks), *_find_bad_dependencies(self.tasks)]
        if not problems:
            problems += _find_cycle(self.tasks)
        if not problems and not sequential:
            problems += _find_write_conflicts(self.tasks)
        return tuple(problems)

    def order(self) -> tuple[str, ...]:
        """Return the ids so that each comes after its dependencies; ties in the order written."""
        sorter = TopologicalSorter({task.id: task.deps for task in self.tasks})
        return tuple(sorter.static_order())

    def ready(self, statuses: Mapping[str, TaskStatus]) -> tuple[GoalTask, ...]:
        """Return the pending tasks whose dependencies are all done, in the order written."""
        return tuple(
            task
            for task in self.tasks
            if statuses[task.id] is TaskStatus.PENDING
            and all(statuses[dep] is TaskStatus.DONE for dep in task.deps)
        )

    def dependents(self, task_id: str) -> tuple[str, ...]:
        """Return the ids that depend on `task_id`, directly or not."""
        found = {task_id}
        for candidate in self.order():
            if found.intersection(self._by_id[candidate].deps):
                found.add(candidate)
        return tuple(task.id for task in self.tasks if task.id in found - {task_id})

    @property
    def _by_id(self) -> dict[str, GoalTask]:
        return {task.id: task for task in self.tasks}


def is_safe_path(path: str) -> bool:
    """Whether `path` stays inside the tree and out of git's and our own folders."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return (
        bool(parts)
        and "\0" not in path
        and "\\" not in path
        and not path.startswith(("/", "~"))
        and ".." not in parts
        and parts[0].casefold() not in (".git", ".goalproof")
        and not any(part.casefold() == ".git" for part in parts)
    )


def _find_bad_fields(tasks: Iterable[GoalTask]) -> Iterator[GraphProblem]:
    for task in tasks:
        if not task.title.strip():
            yield GraphProblem(rule="empty", ids=(task.id,), message="has no title")
        yield from _find_bad_workers(task)
        if not task.writes:
            yield GraphProblem(rule="empty", ids=(task.id,), message="may write nothing")
        named = [
            getattr(step, "replace", None) or getattr(step, "write", None) for step in task.steps
        ]
        for path in (*task.reads, *task.writes, *filter(None, named)):
            if not is_safe_path(path):
                yield GraphProblem(
                    rule="unsafe path", ids=(task.id,), message=f"names the path {path!r}"
                )
        for path in filter(None, named):
            if not any(match_glob(path, pattern) for pattern in task.writes):
                yield GraphProblem(
                    rule="write set",
                    ids=(task.id,),
                    message=f"has a step that changes {path!r}, which its write set leaves out",
                )


def _find_bad_workers(task: GoalTask) -> Iterator[GraphProblem]:
    """Each worker takes what it can use, and nothing that it would leave undone."""
    found: list[tuple[str, str]] = []
    if task.worker == "recipe" and not task.steps:
        found.append(("empty", "has no steps, and names no other worker than `recipe`"))
    if task.worker != "recipe" and task.steps:
        found.append(("worker", f"has steps, which the worker `{task.worker}` does not carry out"))
    given = [name for name in ("agent", "command", "timeout") if getattr(task, name)]
    if not task.by_agent and given:
        listed = " and ".join(f"`{name}`" for name in given)
        found.append(("worker", f"gives {listed}, for an agent, but has `{task.worker}`"))
    if task.worker in ("acp", "wire") and task.command:
        found.append(("worker", f"gives a command, for the worker `cli`, but has `{task.worker}`"))
    if task.by_agent and not task.agent and not task.command:
        found.append(
            (
                "empty",
                f"has the worker `{task.worker}` but names no agent (`agent`, or `--agent`)"
                + (" and no command" if task.worker == "cli" else ""),
            )
        )
    if task.agent and task.command:
        found.append(("worker", "names an agent and a command; one of them can work on it"))
    if task.command and not task.command[0].strip():
        found.append(("empty", "has a command that begins with no program"))
    if any("\0" in word for word in task.command):
        found.append(("worker", "has a command with a NUL character, which none can take"))
    for rule, message in found:
        yield GraphProblem(rule=rule, ids=(task.id,), message=message)


def _find_bad_dependencies(tasks: tuple[GoalTask, ...]) -> Iterator[GraphProblem]:
    seen: set[str] = set()
    for task in tasks:
        if task.id in seen:
            yield GraphProblem(rule="duplicate", ids=(task.id,), message="is there more than once")
        seen.add(task.id)
    for task in tasks:
        for dep in task.deps:
            if dep == task.id:
                yield GraphProblem(rule="self", ids=(task.id,), message="depends on itself")
            elif dep not in seen:
                yield GraphProblem(
                    rule="missing",
                    ids=(task.id, dep),
                    message=f"depends on {dep!r}, which is not in the plan",
                )


def _find_cycle(tasks: tuple[GoalTask, ...]) -> Iterator[GraphProblem]:
    try:
        TopologicalSorter({task.id: task.deps for task in tasks}).prepare()
    except CycleError as error:
        cycle = tuple(error.args[1][:-1])
        yield GraphProblem(
            rule="cycle", ids=cycle, message=f"wait for each other: {' → '.join(cycle)}"
        )


def _find_write_conflicts(tasks: tuple[GoalTask, ...]) -> Iterator[GraphProblem]:
    """Two tasks that may run at once must not be allowed to change the same path.

    Sets of tasks are bits of one number each: ten thousand tasks in a chain stay affordable.
    """
    bits = {task.id: 1 << place for place, task in enumerate(tasks)}
    overlaps = _find_overlaps(tasks, bits)
    deps = {task.id: task.deps for task in tasks}
    writes = {task.id: task.writes for task in tasks}
    before: dict[str, int] = {}
    seen = 0
    for task_id in TopologicalSorter(deps).static_order():
        before[task_id] = reduce(or_, (before[dep] | bits[dep] for dep in deps[task_id]), 0)
        rivals = reduce(or_, (overlaps[path] for path in writes[task_id]), 0)
        unordered = rivals & seen & ~before[task_id]
        seen |= bits[task_id]
        while unordered:
            place = unordered.bit_length() - 1
            unordered &= ~(1 << place)
            first, second = sorted((tasks[place].id, task_id))
            yield GraphProblem(
                rule="write conflict",
                ids=(first, second),
                message=f"and {second} may change the same files and neither waits for the other; "
                "add a dependency, narrow their `writes`, or say `sequential = true` in `[policy]`",
            )


def _find_overlaps(tasks: tuple[GoalTask, ...], bits: Mapping[str, int]) -> dict[str, int]:
    """Return, for each glob of a write set, the tasks that may change a path it names."""
    claims: dict[str, int] = {}
    for task in tasks:
        for path in task.writes:
            claims[path] = claims.get(path, 0) | bits[task.id]
    if not any(map(is_glob, claims)):
        return claims
    index = Claims(claims)
    by_name = {path.removeprefix("./"): path for path in claims}
    return {
        path: reduce(or_, (claims[by_name[other]] for other in index.find(path)), mask)
        for path, mask in claims.items()
    }
