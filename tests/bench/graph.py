"""What a plan of ten thousand tasks costs to check, to order and to schedule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from graphlib import TopologicalSorter
from time import perf_counter

from goal_engine.budget import GoalBudget, Spend
from goal_engine.dispatch.tasks.scheduler import next_wave
from goal_engine.state.model import TaskState
from goal_engine.task_graph.graph import GoalTask, GoalTaskGraph
from goal_engine.types import GoalStatus, TaskStatus
from tests.bench.table import Row
from tests.builders import NOW, a_goal, a_task

TASKS = 10_000
WIDTH = 100


def a_wide_graph() -> GoalTaskGraph:
    """Return layers of `WIDTH` tasks; each task waits for two of the layer before."""
    return GoalTaskGraph(tasks=tuple(one(number) for number in range(TASKS)))


def one(number: int) -> GoalTask:
    """Return one task, which writes a file of its own."""
    layer, place = divmod(number, WIDTH)
    before = (layer - 1) * WIDTH
    deps = [f"t{before + place}", f"t{before + (place + 1) % WIDTH}"] if layer else []
    return a_task(f"t{number}", *deps, writes=(f"src/m{number}.py",))


def plan_waves(graph: GoalTaskGraph) -> int:
    """Return the number of waves when each takes everything that is ready."""
    sorter = TopologicalSorter({task.id: task.deps for task in graph})
    sorter.prepare()
    waves = 0
    while ready := sorter.get_ready():
        sorter.done(*ready)
        waves += 1
    return waves


def measure_graph() -> Iterator[Row]:
    """Time the checks with the waves, and the ready set half way."""
    graph = a_wide_graph()
    assert graph.validate() == ()

    def check() -> None:
        graph.validate()
        plan_waves(graph)

    half = {
        task.id: TaskStatus.DONE if place < TASKS // 2 else TaskStatus.PENDING
        for place, task in enumerate(graph)
    }
    yield Row("10k tasks: validate and waves", least_ms(check), 150, "ms", "least of 5")
    yield Row("10k tasks: ready set", least_ms(lambda: graph.ready(half)), 30, "ms", "least of 5")
    limits = GoalBudget(attempts=10**6, wall_seconds=10**6, turns=10**6)
    flat = GoalTaskGraph(tasks=tuple(one(number).changed(deps=()) for number in range(TASKS)))
    pending = {task.id: TaskState() for task in flat}
    state = a_goal(GoalStatus.RUNNING).changed(graph=flat, tasks=pending)
    limited = state.changed(budget=limits)
    assert len(next_wave(limited, Spend(), NOW).tasks) == TASKS
    for words, goal in (("", state), (", with limits", limited)):
        took = least_ms(lambda goal=goal: next_wave(goal, Spend(), NOW))
        yield Row(f"10k tasks: a wave of all{words}", took, 150, "ms", "least of 5")


def least_ms(work: Callable[[], object]) -> float:
    """Return the shortest of five times, in ms."""
    times = []
    for _ in range(5):
        begun = perf_counter()
        work()
        times.append(perf_counter() - begun)
    return 1000 * min(times)
