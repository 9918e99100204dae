"""What tasks are likely to take, from what comparable ones took here; no number without a basis.

Pure: the goals are handed in.  Unknown spend is no sample, and how many of those there are is told.
"""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from goal_engine.ledger import name_worker
from goal_engine.state.model import GoalState
from goal_engine.types import GoalStatus, TaskStatus

NEWEST = 200
"""Goals that are looked at: what happened long ago says little."""
ENOUGH = 5
"""Comparable tasks without which there is no number."""
HIGH = 90
"""Per cent of comparable tasks that stayed below the high figure."""
OVER = (GoalStatus.READY, GoalStatus.NOT_READY, GoalStatus.DELIVERED)
FIGURES = ("wall_ms", "tokens", "usd")

Group = tuple[str, str]
"""Who did it, and the kind of the goal; an empty kind is any."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one finished task took."""

    goal: str
    """Sorts by time."""
    worker: str
    kind: str
    wall_ms: int
    tokens: int | None
    usd: Decimal | None


@dataclass(frozen=True, slots=True)
class Range:
    """The middle of what comparable tasks took, and what most of them stayed below."""

    median: int | Decimal
    high: int | Decimal
    count: int
    unknown: int = 0
    """Comparable tasks that did not tell."""


@dataclass(frozen=True, slots=True)
class TaskForecast:
    """What one task is likely to take."""

    task: str
    worker: str
    basis: str
    """What it is compared with, or how many more are needed."""
    figures: Mapping[str, Range]
    """By `wall_ms`, `tokens`, `usd`; what has no basis is not there."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """How earlier forecasts held: each made of what was known before it."""

    tried: int
    below_median: int
    below_high: int


@dataclass(frozen=True, slots=True)
class GoalForecast:
    """What is left of a goal."""

    tasks: tuple[TaskForecast, ...]
    wall_ms: Range | None
    """Of all tasks that are left, side by side as far as they may be; without gates."""
    calibration: Calibration | None
    """Of times; `None` while fewer than `ENOUGH` could be tried."""


def find_samples(states: Iterable[GoalState]) -> tuple[Sample, ...]:
    """Return what the finished tasks of finished goals took, oldest first."""
    found = [sample for state in states for sample in _sample(state)]
    return tuple(sorted(found, key=lambda sample: sample.goal))


def _sample(state: GoalState) -> Iterator[Sample]:
    """People take the time that they take, and journals of before have no times."""
    if state.status not in OVER:
        return
    for task in state.plan:
        stands = state.tasks[task.id]
        spend = stands.spend
        if stands.status is not TaskStatus.DONE or not spend.wall_ms:
            continue
        yield Sample(
            goal=state.goal_id,
            worker=name_worker(task.worker, task.agent, task.command),
            kind=state.created.kind,
            wall_ms=spend.wall_ms,
            tokens=spend.tokens,
            usd=spend.usd,
        )


def forecast(state: GoalState, samples: Sequence[Sample]) -> GoalForecast | None:
    """Return what is left of a goal, `None` where nothing is; `samples` oldest first."""
    tasks = _forecast_tasks(state, samples)
    if not tasks:
        return None
    return GoalForecast(
        tasks=tasks,
        wall_ms=_add_up(state, tasks),
        calibration=calibrate(samples, {task.worker for task in tasks}),
    )


def find_remaining(state: GoalState, samples: Sequence[Sample]) -> Range | None:
    """Return the time of the tasks that are left, `None` without a basis for each of them.

    One that runs counts as a whole: how far it is nobody knows.
    """
    if state.status is not GoalStatus.RUNNING or not samples:
        return None
    tasks = _forecast_tasks(state, samples)
    return _add_up(state, tasks) if tasks else None


def say_remaining(found: Range) -> str:
    """Return that time in words."""
    low, high = (_say_ms(int(ms)) for ms in (found.median, found.high))
    span = low if low == high else f"{low} to {high}"
    return f"about {span} of tasks left, by {found.count} like them; gates not counted"


def _say_ms(ms: int) -> str:
    return f"{ms / 1000:.0f} s" if ms < 2 * 60_000 else f"{ms / 60_000:.0f} min"


def _forecast_tasks(state: GoalState, samples: Sequence[Sample]) -> tuple[TaskForecast, ...]:
    """What one worker is likely to take is found once, however many tasks it has."""
    left = {
        task.id: name_worker(task.worker, task.agent, task.command)
        for task in state.graph
        if state.is_open(task.id) and task.worker != "manual"
    }
    groups = _group(sample for sample in samples if sample.goal != state.goal_id) if left else {}
    kind = state.created.kind
    found = {worker: _forecast(worker, kind, groups) for worker in set(left.values())}
    return tuple(replace(found[worker], task=task) for task, worker in left.items())


def _group(samples: Iterable[Sample]) -> dict[Group, list[Sample]]:
    groups: dict[Group, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample.worker, sample.kind].append(sample)
        groups[sample.worker, ""].append(sample)
    return groups


def _forecast(worker: str, kind: str, groups: Mapping[Group, list[Sample]]) -> TaskForecast:
    alike, any_kind = groups.get((worker, kind), []), groups.get((worker, ""), [])
    used = alike if len(alike) >= ENOUGH else any_kind
    of_kind = f" of kind {kind}" if used is alike else ""
    basis = f"{len(used)} {'task' if len(used) == 1 else 'tasks'} of {worker}{of_kind}"
    if len(used) < ENOUGH:
        missing = ENOUGH - len(used)
        basis += f"; {missing} more {'is' if missing == 1 else 'are'} needed"
    ranges = {name: _find_range(used, name) for name in FIGURES}
    known = {name: found for name, found in ranges.items() if found is not None}
    return TaskForecast(task="", worker=worker, basis=basis, figures=known)


def _find_range(samples: Sequence[Sample], figure: str) -> Range | None:
    told = sorted(value for sample in samples if (value := getattr(sample, figure)) is not None)
    if len(told) < ENOUGH:
        return None
    return Range(find_rank(told, 50), find_rank(told, HIGH), len(told), len(samples) - len(told))


def find_rank(ordered: Sequence[int | Decimal], percent: int) -> int | Decimal:
    """Return the value that `percent` of `ordered` do not exceed (nearest rank)."""
    return ordered[max(1, -(-len(ordered) * percent // 100)) - 1]


def _add_up(state: GoalState, tasks: Sequence[TaskForecast]) -> Range | None:
    """As long as the longest chain of tasks, and not shorter than what `max_agents` can share."""
    found = {task.task: task.figures.get("wall_ms") for task in tasks}
    known = {name: times for name, times in found.items() if times is not None}
    if len(known) != len(found):
        return None
    sums = []
    for figure in ("median", "high"):
        times = {name: int(getattr(range_, figure)) for name, range_ in known.items()}
        chains: dict[str, int] = {}
        deps = {task.id: task.deps for task in state.graph}
        for name in state.graph.order():
            before = max((chains[dep] for dep in deps[name]), default=0)
            chains[name] = before + times.get(name, 0)
        sums.append(max(max(chains.values()), sum(times.values()) // state.budget.max_agents))
    return Range(sums[0], sums[1], min(range_.count for range_ in known.values()))


def calibrate(samples: Sequence[Sample], workers: Iterable[str]) -> Calibration | None:
    """Return how forecasts of times would have held, each made of what earlier goals took."""
    wanted = set(workers)
    times: dict[Group, list[int]] = defaultdict(list)
    tried = below_median = below_high = 0
    waiting: list[Sample] = []
    for sample in samples:
        if sample.worker not in wanted:
            continue
        if waiting and waiting[0].goal != sample.goal:
            _learn(times, waiting)
            waiting = []
        waiting.append(sample)
        alike = times[sample.worker, sample.kind]
        before = alike if len(alike) >= ENOUGH else times[sample.worker, ""]
        if len(before) >= ENOUGH:
            tried += 1
            below_median += sample.wall_ms <= find_rank(before, 50)
            below_high += sample.wall_ms <= find_rank(before, HIGH)
    return Calibration(tried, below_median, below_high) if tried >= ENOUGH else None


def _learn(times: dict[Group, list[int]], samples: Iterable[Sample]) -> None:
    for sample in samples:
        insort(times[sample.worker, sample.kind], sample.wall_ms)
        insort(times[sample.worker, ""], sample.wall_ms)
