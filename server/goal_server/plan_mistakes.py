"""What is wrong with a plan that a person is writing, line by line; pure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator

from pydantic import ValidationError

from goal_engine.budget import find_nonsense
from goal_engine.document import RESERVED, GoalPlan, find_misfits
from goal_engine.gates.config import LIMIT, Mistake
from goal_engine.gates.locate import Location, find_lines, find_unfinished
from goal_engine.proof.verdict import EXTRA_CRITERIA
from goal_engine.toml import UNREADABLE

AT_LINE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
LONGEST = 8 * LIMIT
"""Characters of a plan that are looked at."""


def find_plan_mistakes(text: str, gates: Iterable[str] | None = None) -> tuple[Mistake, ...]:
    """Return everything that is wrong with the plan in `text`, from top to bottom.

    `gates` are the names of the gates that its goal has, where that is known.
    """
    if len(text) > LONGEST:
        return (Mistake(1, f"a plan is {LONGEST >> 20} MiB of text at most"),)
    text = text.removeprefix("\ufeff")
    try:
        raw = tomllib.loads(text)
    except UNREADABLE as error:
        said = str(error) or "it is nested too deeply"
        at = AT_LINE.search(said)
        line = int(at.group(1)) if at and at.group(1) else find_unfinished(text)
        return (Mistake(line, f"this is not TOML: {AT_LINE.sub('', said)}"),)
    lines = find_lines(text)
    try:
        plan = GoalPlan.model_validate(raw)
    except ValidationError as error:
        found = [
            Mistake(_line_of(_clean(item["loc"]), lines), _say(item["loc"], item["msg"]))
            for item in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        return tuple(sorted(set(found)))
    found = [*_find_in_graph(plan, lines), *_find_in_criteria(plan, lines)]
    found += [
        Mistake(_line_of(("budget", key), lines), f"`{key}`: {said}")
        for key, said in find_nonsense(plan.budget)
    ]
    if gates is not None:
        found += _find_in_gates(plan, lines, frozenset(gates))
    return tuple(sorted(set(found)))


def _find_in_graph(plan: GoalPlan, lines: dict[Location, int]) -> Iterator[Mistake]:
    numbers = {task.id: number for number, task in enumerate(plan.tasks)}
    for problem in plan.graph.validate(sequential=plan.policy.sequential):
        where = _line_of(("task", numbers.get(problem.ids[0], 0), "id"), lines)
        yield Mistake(where, f"task {problem.ids[0]} {problem.message}")


def _find_in_criteria(plan: GoalPlan, lines: dict[Location, int]) -> Iterator[Mistake]:
    seen: set[str] = set()
    for number, criterion in enumerate(plan.criteria):
        where = _line_of(("criterion", number, "id"), lines)
        if criterion.id in seen:
            yield Mistake(where, f"criterion {criterion.id} is there more than once")
        if criterion.id in EXTRA_CRITERIA:
            yield Mistake(where, f"criterion {criterion.id} {RESERVED}")
        for key, said in find_misfits(criterion):
            at = _line_of(("criterion", number, key), lines)
            yield Mistake(at, f"criterion {criterion.id} {said}")
        seen.add(criterion.id)


def _find_in_gates(
    plan: GoalPlan, lines: dict[Location, int], gates: frozenset[str]
) -> Iterator[Mistake]:
    known = ", ".join(sorted(gates)) or "none"
    for number, criterion in enumerate(plan.criteria):
        if criterion.gate is not None and criterion.gate not in gates:
            where = _line_of(("criterion", number, "gate"), lines)
            yield Mistake(where, f"there is no gate {criterion.gate!r} (known: {known})")


def _say(location: tuple[int | str, ...], message: str) -> str:
    """The last name in a location says enough beside the line it stands on."""
    names = [part for part in _clean(location) if isinstance(part, str)]
    return f"`{names[-1] if names else 'the document'}`: {message[:1].lower()}{message[1:]}"


def _clean(location: tuple[int | str, ...]) -> Location:
    """The location without the names that pydantic gives to members of a union."""
    for union, names in (("steps", 2), ("check", 1)):  # `steps` is a list, so its number stays
        if union in location:
            cut = location.index(union) + names
            return (*location[:cut], *location[cut + 1 :])
    return location


def _line_of(location: Location, lines: dict[Location, int]) -> int:
    """The line of a key, or of the nearest table around it."""
    for length in range(len(location), 0, -1):
        if location[:length] in lines:
            return lines[location[:length]]
    return 1
