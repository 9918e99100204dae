"""What a goal used of its limits, as a view: figures are texts, and what is unknown says so."""

from __future__ import annotations

from goal_engine.budget import UNIT, UNITS, Figure, Unit, find_left, find_percent
from goal_engine.forecast import ENOUGH, GoalForecast, Range, TaskForecast
from goal_engine.ledger import Ledger, find_shares
from goal_engine.state.model import GoalState
from goal_engine.types import GoalStatus
from goal_server import goal_views as g
from goal_server import pictures
from goal_server import results as r
from goal_server.plain import plain_line

LOUD = 80
"""Per cent of a limit from which on a person is told unasked."""
SHOWN = 80
"""Letters of a goal's words that a message repeats."""
NEWEST = 100
"""Checkpoints that are told; there is one for each step."""


def render_spending(
    state: GoalState, ledger: Ledger, likely: GoalForecast | None
) -> r.SpendingView:
    """Return the view of a goal's limits, its history and what is likely still to come."""
    return r.SpendingView(
        goal=state.goal_id,
        text=state.created.text,
        status=state.status,
        limits=_render_limits(state),
        max_agents=state.budget.max_agents,
        spend=pictures.render_spend(state.used),
        tasks=tuple(
            r.ShareView(
                task=share.task, worker=share.worker, spend=pictures.render_spend(share.spent)
            )
            for share in find_shares(state)
        ),
        checkpoints=tuple(
            r.CheckpointView(
                seq=one.seq, at=one.at, label=one.label, spend=pictures.render_spend(one.spent)
            )
            for one in ledger.checkpoints[-NEWEST:]
        ),
        earlier=max(0, len(ledger.checkpoints) - NEWEST),
        warnings=tuple(
            r.WarningView(
                at=one.at,
                limit=one.said.limit,
                percent=one.said.percent,
                used=one.said.used,
                of=one.said.of,
            )
            for one in ledger.warnings
        ),
        extensions=tuple(
            r.ExtensionView(
                at=one.at,
                actor=one.said.decision.actor,
                reason=one.said.decision.reason,
                added={
                    name: str(value)
                    for name, value in one.said.added.model_dump(exclude_none=True).items()
                },
            )
            for one in ledger.extensions
        ),
        forecast=render_forecast(likely),
        next=_find_next(state),
    )


def _render_limits(state: GoalState) -> tuple[r.LimitView, ...]:
    spend, left = state.used, find_left(state.budget, state.used)
    return tuple(
        r.LimitView(
            name=unit.name,
            words=unit.words,
            limit=_say(unit, unit.find_limit(state.budget)),
            used=unit.say(unit.find_used(spend)),
            left=unit.say(left[unit.name]) if unit.name in left else None,
            percent=find_percent(unit, state.budget, spend),
        )
        for unit in UNITS
    )


def _say(unit: Unit, figure: Figure | None) -> str | None:
    return None if figure is None else unit.say(figure)


def _find_next(state: GoalState) -> tuple[str, ...]:
    goal = state.goal_id
    if state.status is GoalStatus.NEEDS_MORE_BUDGET:
        names = state.blocked.limits if state.blocked else ()
        more = " ".join(f"{OPTIONS[name]} N" for name in names if name in OPTIONS)
        add = (f"goalproof budget {goal} {more}",) if more else ()
        return (*add, f"goalproof resume {goal}")
    return (f"goalproof show {goal}",)


OPTIONS = {
    "wall_seconds": "--add-seconds",
    "attempts": "--add-attempts",
    "changed_lines": "--add-lines",
    "tokens": "--add-tokens",
    "usd": "--add-usd",
    "turns": "--add-turns",
}
"""How more of a limit is asked for."""


def render_forecast(likely: GoalForecast | None) -> g.ForecastView | None:
    """Return what is likely still to come, `None` where nothing is left to do."""
    if likely is None:
        return None
    known = likely.calibration
    return g.ForecastView(
        tasks=tuple(map(_render_task, likely.tasks)),
        seconds=_render_range("wall_seconds", likely.wall_ms),
        calibration=(
            f"of {known.tried} earlier tasks {known.below_median} took no longer than the median"
            f" before them, and {known.below_high} no longer than the high figure"
            if known
            else f"how well such forecasts hold is not known yet: fewer than {ENOUGH} could be tried"
        ),
    )


def _render_task(task: TaskForecast) -> g.TaskForecastView:
    return g.TaskForecastView(
        task=task.task,
        worker=task.worker,
        basis=task.basis,
        seconds=_render_range("wall_seconds", task.figures.get("wall_ms")),
        tokens=_render_range("tokens", task.figures.get("tokens")),
        usd=_render_range("usd", task.figures.get("usd")),
    )


def _render_range(name: str, found: Range | None) -> g.RangeView | None:
    if found is None:
        return None
    unit = UNIT[name]
    return g.RangeView(
        median=unit.say(found.median),
        high=unit.say(found.high),
        count=found.count,
        unknown=found.unknown,
    )


class Warnings:
    """What a person is told unasked: each limit that is nearly used up, once for each time it is."""

    def __init__(self) -> None:
        self._told: dict[str, dict[str, int]] = {}

    def find_new(self, state: GoalState) -> tuple[str, ...]:
        """Return a message for each limit that a goal was warned of since it was seen last.

        A goal that is seen for the first time was warned of in somebody else's time.
        """
        before = self._told.get(state.goal_id, state.warned)
        self._told[state.goal_id] = state.warned
        return tuple(
            f"“{plain_line(state.created.text)[:SHOWN]}” has used {percent} % of its limit of"
            f" {UNIT[name].words} ({UNIT[name].say(UNIT[name].find_limit(state.budget))})."
            for name, percent in state.warned.items()
            if percent >= LOUD and percent > before.get(name, 0)
        )
