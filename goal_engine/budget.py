"""Limits and what was used against them.  What nobody measured is unknown, never zero.

Every unit that can be limited is one row of `UNITS`: what is checked, warned of, extended and shown
goes through that table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from goal_engine.types import Frozen, later

IN_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
DURATION = re.compile(r"([0-9]{1,18})\s*([smhd]?)")


def read_seconds(value: Any) -> Any:
    """Return a duration as people write it, `90`, `90s`, `10m`, `2h` or `1d`, in seconds."""
    if not isinstance(value, str):
        return value
    found = DURATION.fullmatch(value.strip().casefold())
    if found is None:
        raise PydanticCustomError("duration", "has to be whole seconds, or like 90s, 10m, 2h, 1d")
    return int(found[1]) * IN_SECONDS[found[2]]


def read_usd(value: Any) -> Any:
    """Return money as people write it, `2.50`, `$2.50` or `2.50 USD`, as a number."""
    if not isinstance(value, str):
        return value
    text = value.strip().removeprefix("$").casefold().removesuffix("usd").strip()
    try:
        return Decimal(text)
    except InvalidOperation:
        raise PydanticCustomError("money", "has to be US dollars, like 2.50 or $2.50") from None


Seconds = Annotated[int, BeforeValidator(read_seconds), Field(gt=0)]
Count = Annotated[int, Field(gt=0)]
Dollars = Annotated[Decimal, BeforeValidator(read_usd), Field(gt=0)]

UnitName = Literal["wall_seconds", "attempts", "changed_lines", "tokens", "usd", "turns"]
Figure = int | Decimal


class GoalBudget(Frozen):
    """Limits of one goal; `None` is no limit (seed: `GoalBudget`)."""

    wall_seconds: Seconds | None = None
    """Active wall time, in seconds: time spent paused does not count."""
    attempts: Count | None = None
    """Task attempts in all."""
    changed_lines: Count | None = None
    """Lines added plus lines deleted in the integrated change."""
    tokens: Count | None = None
    """Tokens of all workers; a recipe uses none."""
    usd: Dollars | None = None
    """What workers may cost, in US dollars."""
    max_agents: int = Field(default=4, gt=0, le=64)
    """Tasks that run at the same time."""
    repairs: Annotated[int, Field(ge=0, le=20)] = later(2)
    """Tasks that the engine adds in one run to repair what the gates said no to."""
    turns: Count | None = later(None)
    """Turns of agents in all: a command that takes a prompt is one."""


class TaskBudget(Frozen):
    """What one attempt at a task may use; as much is held back from the goal's limits meanwhile."""

    seconds: Seconds | None = None
    tokens: Count | None = None
    usd: Dollars | None = None
    turns: Count | None = None


class BudgetAdd(Frozen):
    """What is added to limits; `None` leaves one as it is."""

    wall_seconds: int | None = None
    attempts: int | None = None
    changed_lines: int | None = None
    tokens: int | None = None
    usd: Decimal | None = None
    turns: int | None = None
    max_agents: int | None = None
    """Not added: how many tasks may run at the same time from here on."""


class SpendSource(StrEnum):
    """Where a figure comes from."""

    MEASURED = "measured"
    VENDOR_REPORTED = "vendor_reported"
    ESTIMATED = "estimated"
    UNKNOWN = "unknown"


class Reporting(StrEnum):
    """When a worker says what it used of a unit."""

    NOTHING = "nothing"
    """It uses none of it, for certain."""
    LIVE = "live"
    """While a turn runs: a limit stops the turn."""
    TURN = "turn"
    """When a turn is over: a limit is checked between turns."""
    NEVER = "never"
    """Not at all: such a limit cannot be kept."""


class Reports(Frozen):
    """What a worker says of what it uses."""

    tokens: Reporting
    usd: Reporting

    @property
    def costs(self) -> bool:
        """Whether it uses anything that has to be paid for."""
        return (self.tokens, self.usd) != (Reporting.NOTHING, Reporting.NOTHING)


COSTS_NOTHING = Reports(tokens=Reporting.NOTHING, usd=Reporting.NOTHING)
"""Of steps and of people."""
SAYS_NOTHING = Reports(tokens=Reporting.NEVER, usd=Reporting.NEVER)
"""Of a command that takes a prompt: it prints what it likes."""
SAYS_LIVE = Reports(tokens=Reporting.LIVE, usd=Reporting.LIVE)


class Spend(Frozen):
    """What was used.  `tokens` and `usd` are `None` when nobody could tell."""

    wall_ms: int = 0
    attempts: int = 0
    changed_lines: int = 0
    tokens: int | None = 0
    usd: Decimal | None = Decimal(0)
    source: SpendSource = SpendSource.MEASURED
    turns: int = later(0)
    priced: str = later("")
    """Whose list prices `usd` is an estimate by, for all or a part of it; empty where it is none."""

    def plus(self, other: Spend) -> Spend:
        """Return the sum; a figure that is unknown on either side stays unknown."""
        tokens, usd = (self.tokens, other.tokens), (self.usd, other.usd)
        return self.changed(
            wall_ms=self.wall_ms + other.wall_ms,
            attempts=self.attempts + other.attempts,
            changed_lines=self.changed_lines + other.changed_lines,
            tokens=None if tokens[0] is None or tokens[1] is None else tokens[0] + tokens[1],
            usd=None if usd[0] is None or usd[1] is None else usd[0] + usd[1],
            source=_join_sources(self, other),
            turns=self.turns + other.turns,
            priced=self._join_prices(other),
        )

    def _join_prices(self, other: Spend) -> str:
        if not self.priced or not other.priced:
            return self.priced or other.priced
        return "; ".join(sorted({*self.priced.split("; "), *other.priced.split("; ")}))

    @property
    def is_free(self) -> bool:
        """Whether nothing that has to be paid for was used, for certain."""
        return self.tokens == 0 and self.usd == 0


def _join_sources(one: Spend, other: Spend) -> SpendSource:
    """What cost nothing says nothing about where the other's figures come from."""
    if one.source == other.source or other.is_free:
        return one.source
    return other.source if one.is_free else SpendSource.UNKNOWN


UNKNOWN = Spend(tokens=None, usd=None, source=SpendSource.UNKNOWN)
"""What somebody spent who cannot tell."""
LOST_TURN = UNKNOWN.changed(turns=1)
"""A turn of somebody who cannot tell."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One thing that is limited."""

    name: UnitName
    """As the limit is called."""
    words: str
    used: str
    """The figure of a `Spend`."""
    scale: int = 1
    """How many of that figure are one of the limit."""
    most: int = 10**9
    """More than that a person cannot mean."""

    def find_limit(self, budget: GoalBudget) -> Figure | None:
        """Return the limit in the figure's own scale, `None` where there is none."""
        limit: Figure | None = getattr(budget, self.name)
        return None if limit is None else limit * self.scale

    def find_used(self, spend: Spend) -> Figure | None:
        """Return the figure, `None` where nobody could tell."""
        used: Figure | None = getattr(spend, self.used)
        return used

    def say(self, figure: Figure | None) -> str:
        """Return a figure as the limit is written."""
        if figure is None:
            return "unknown"
        if isinstance(figure, Decimal):
            return f"{figure:f}"
        whole, rest = divmod(figure, self.scale)
        return f"{whole}.{rest:03d}".rstrip("0") if rest else str(whole)


UNITS: tuple[Unit, ...] = (
    Unit("wall_seconds", "seconds of work", "wall_ms", scale=1000),
    Unit("attempts", "attempts in all", "attempts", most=10**6),
    Unit("changed_lines", "changed lines", "changed_lines"),
    Unit("tokens", "tokens", "tokens", most=10**12),
    Unit("usd", "US dollars", "usd"),
    Unit("turns", "turns of agents", "turns", most=10**6),
)
UNIT: Mapping[str, Unit] = {unit.name: unit for unit in UNITS}
WHILE_RUNNING = frozenset({"tokens", "usd", "turns"})
"""Limits that end a turn that reports live; gates use none of them."""
WARN_AT = (50, 80, 95)
"""Per cent of a limit at which a person is warned, once each."""


def find_exceeded(budget: GoalBudget, spend: Spend, full: Collection[str] = ()) -> tuple[str, ...]:
    """Return a phrase for each limit that is used up, none when there is room.

    Where nobody could tell what was used, a limit counts as used up: unknown is never zero.  Of the
    limits named in `full`, what is used to the last counts as used up, too.
    """
    return tuple(
        f"{unit.name}: {unit.say(used)} of {unit.say(limit)}"
        for unit in UNITS
        if (limit := unit.find_limit(budget)) is not None
        and (
            (used := unit.find_used(spend)) is None
            or used > limit
            or (used == limit and unit.name in full)
        )
    )


def name_limits(phrases: Iterable[str]) -> tuple[UnitName, ...]:
    """Return the names of the limits that `find_exceeded` speaks of."""
    names = {phrase.partition(":")[0] for phrase in phrases}
    return tuple(unit.name for unit in UNITS if unit.name in names)


def find_left(budget: GoalBudget, spend: Spend) -> dict[str, Figure | None]:
    """Return what is left of each limit there is, `None` where nobody can tell, never below zero."""
    left: dict[str, Figure | None] = {}
    for unit in UNITS:
        limit, used = unit.find_limit(budget), unit.find_used(spend)
        if limit is not None:
            left[unit.name] = None if used is None else max(limit - used, 0 * limit)
    return left


def find_percent(unit: Unit, budget: GoalBudget, spend: Spend) -> int | None:
    """Return how much of a limit is used, in whole per cent; `None` without a limit or a figure."""
    limit, used = unit.find_limit(budget), unit.find_used(spend)
    return None if limit is None or used is None else int(used * 100 // limit)


def find_warnings(
    budget: GoalBudget, spend: Spend, warned: Mapping[str, int]
) -> dict[UnitName, int]:
    """Return the per cent of each limit that is to be warned of now.

    `warned` says which were, by limit: where several are passed at once, the highest alone counts.
    """
    found: dict[UnitName, int] = {}
    for unit in UNITS:
        percent = find_percent(unit, budget, spend)
        passed = [at for at in WARN_AT if percent is not None and percent >= at]
        if passed and passed[-1] > warned.get(unit.name, 0):
            found[unit.name] = passed[-1]
    return found


def extend(budget: GoalBudget, spend: Spend, add: BudgetAdd) -> GoalBudget:
    """Return the limits with `add` on top: of a limit that was exceeded, on top of what was used."""
    changes: dict[str, Figure] = {}
    for unit in UNITS:
        more, limit = getattr(add, unit.name), getattr(budget, unit.name)
        if more is None or limit is None:
            continue
        used = unit.find_used(spend)
        over = 0 if used is None else -(-used // unit.scale) if unit.scale > 1 else used
        changes[unit.name] = max(limit, over) + more
    if add.max_agents is not None:
        changes["max_agents"] = add.max_agents
    return budget.changed(**changes)


def find_unlimited(budget: GoalBudget, add: BudgetAdd) -> tuple[UnitName, ...]:
    """Return what `add` speaks of and has no limit, so that there is nothing to add to."""
    return tuple(
        unit.name
        for unit in UNITS
        if getattr(add, unit.name) is not None and getattr(budget, unit.name) is None
    )


def find_nonsense(budget: GoalBudget) -> tuple[tuple[UnitName, str], ...]:
    """Return the limits that nobody can mean, each with what is wrong."""
    return tuple(
        (unit.name, f"is {unit.most:,} at most; leave it out for no limit")
        for unit in UNITS
        if (limit := getattr(budget, unit.name)) is not None and limit > unit.most
    )


# What runs, and what is held back for it


@dataclass(frozen=True, slots=True)
class InFlight:
    """What a run of a goal used that no event says yet."""

    wall_ms: int = 0
    reported: Mapping[str, Spend] = field(default_factory=dict)
    """What each attempt reported that may still be under way, by task."""

    def total(self, is_open: Callable[[str], bool]) -> Spend:
        """Return all of it; of reports, those of attempts that no event has ended."""
        spend = Spend(wall_ms=self.wall_ms)
        for name, reported in self.reported.items():
            spend = spend.plus(reported) if is_open(name) else spend
        return spend


@dataclass(frozen=True, slots=True)
class Need:
    """What an attempt may use before anybody looks again: held back from the goal's limits."""

    name: str
    """Whose it is."""
    costs: bool = False
    """Whether it uses what has to be paid for: then something has to be left of it."""
    attempts: int = 1
    turns: int = 0
    tokens: int = 0
    usd: Decimal = Decimal(0)
    wall_ms: int = 0

    def plus(self, other: Need) -> Need:
        """Return what both need together; time passes for both at once."""
        return Need(
            name=self.name,
            costs=self.costs or other.costs,
            attempts=self.attempts + other.attempts,
            turns=self.turns + other.turns,
            tokens=self.tokens + other.tokens,
            usd=self.usd + other.usd,
        )

    def without(self, spend: Spend) -> Need:
        """Return what is still held back once `spend` was reported, never below nothing."""
        return Need(
            name=self.name,
            costs=self.costs,
            attempts=self.attempts,
            turns=max(0, self.turns - spend.turns),
            tokens=max(0, self.tokens - (spend.tokens or 0)),
            usd=max(Decimal(0), self.usd - (spend.usd or Decimal(0))),
        )


NO_NEED = Need(name="", attempts=0)
LEAST_NEED = Need(name="")
"""Every attempt is one."""


def make_need(name: str, reports: Reports, own: TaskBudget | None) -> Need:
    """Return what an attempt at a task needs that may use `own` by itself."""
    own = own or TaskBudget()
    return Need(
        name=name,
        costs=reports.costs,
        turns=own.turns or int(reports.costs),
        tokens=own.tokens or 0,
        usd=own.usd or Decimal(0),
        wall_ms=(own.seconds or 0) * 1000,
    )


class Room:
    """What the limits leave, and what is held back of it for attempts that run."""

    def __init__(self, budget: GoalBudget, spend: Spend, held: Need = NO_NEED) -> None:
        self.held = held
        self._exceeded = find_exceeded(budget, spend)
        self._limits = [
            (unit, limit, used)
            for unit in UNITS
            if (limit := unit.find_limit(budget)) is not None
            and (used := unit.find_used(spend)) is not None
            and unit.name != "changed_lines"
        ]

    def find_unfit(self, need: Need) -> tuple[str, ...]:
        """Return a phrase for each limit that leaves no room for `need`, none when it fits.

        What is held back counts as spent, so that attempts cannot overspend together.
        """
        if self._exceeded:
            return self._exceeded
        found = []
        for unit, limit, used in self._limits:
            own, others = getattr(need, unit.used), getattr(self.held, unit.used)
            paid = need.costs and unit.name in ("tokens", "usd")
            if used + others + own <= limit and not (paid and used + others >= limit):
                continue
            said = f"{unit.name}: {unit.say(used)} of {unit.say(limit)}"
            said += f", {unit.say(others)} held back for what runs" if others else ""
            named = own and unit.name not in ("attempts", "turns")
            found.append(said + (f", and {need.name} may use {unit.say(own)}" if named else ""))
        return tuple(found)

    def take(self, need: Need) -> tuple[str, ...]:
        """Hold back `need` as well, or return why it does not fit."""
        unfit = () if self.is_endless else self.find_unfit(need)
        if not unfit and not self.is_endless:
            self.held = self.held.plus(need)
        return unfit

    @property
    def is_endless(self) -> bool:
        """Whether everything fits."""
        return not self._limits and not self._exceeded

    @property
    def is_full(self) -> bool:
        """Whether nothing fits any more, however little it needs."""
        return bool(self.find_unfit(LEAST_NEED))


def find_overrun(own: TaskBudget, spend: Spend) -> tuple[str, ...]:
    """Return a phrase for each of a task's own limits that one attempt has passed."""
    figures = ("tokens", "usd", "turns")
    limits = GoalBudget(**{name: getattr(own, name) for name in figures})
    known = spend.changed(tokens=spend.tokens or 0, usd=spend.usd or Decimal(0))
    return find_exceeded(limits, known)
