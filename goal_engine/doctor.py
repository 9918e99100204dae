"""What goals need on this machine, each with how it stands and what to do next; nothing is changed.

No agent is started, no model is called and nothing of the repository runs: what cannot be told
without that is not said.  `CHECKS` has every check, in the order in which a person meets them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from goal_engine.errors import GoalError, StoreUnwritable
from goal_engine.runtime.config import state_dir
from goal_engine.runtime.filesystems import read_warning
from goal_engine.runtime.git import require_git
from goal_engine.runtime.personal import PersonalSettings, read_personal_settings
from goal_engine.runtime.repository import find_start
from goal_engine.runtime.room import check_room
from goal_engine.runtime.sandbox import REMEDY, find_sandbox
from goal_engine.workers.agents import find_login, find_program, read_agents
from goal_engine.workers.installed import Hands, find_package, find_ways, read_hands
from goal_engine.workers.presets import PRESETS, Agent
from goal_engine.workers.prices import has_prices, read_prices


class Standing(StrEnum):
    """How something stands."""

    GOOD = "good"
    NOTE = "note"
    """Goals can be worked on; a person may want to know."""
    BAD = "bad"
    """No goal can be worked on before it is put right."""


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found."""

    name: str
    standing: Standing
    said: str
    next: str = ""
    """What to do; empty where nothing has to be done."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where goals are to be worked on."""

    checkout: Path
    is_repository: bool
    problem: str = ""
    """Why its goals can only be looked at."""


def examine(place: Place) -> tuple[Check, ...]:
    """Return every check; one that is hindered says what hinders it, once in full.  Blocking."""
    found: dict[str, str] = {}
    checks = [check for name, look in CHECKS for check in _run(name, look, place)]
    for index, check in enumerate(checks):
        first = found.setdefault(check.said, check.name)
        if check.standing is Standing.BAD and first != check.name:
            said = f"not known before that is put right: {first}"
            checks[index] = replace(check, said=said, next=f"see {first}, above")
    return tuple(checks)


def _run(name: str, look: Callable[[Place], Iterator[Check]], place: Place) -> Iterator[Check]:
    try:
        yield from look(place)
    except GoalError as error:
        yield Check(name, Standing.BAD, error.paragraph, AGAIN)


AGAIN = "put that right, then `goalproof doctor` again"


def _look_at_git(_: Place) -> Iterator[Check]:
    yield Check("Git", Standing.GOOD, f"version {'.'.join(map(str, require_git()))}")


def _look_at_repository(place: Place) -> Iterator[Check]:
    if not place.is_repository:
        said = f"{place.checkout} is not in a git repository, and goals are worked on in one"
        yield Check("repository", Standing.NOTE, said, "`git init` and commit, or give one with -C")
        return
    if place.problem:
        adopt = "`goalproof adopt` if its goals are yours to go on with"
        yield Check("repository", Standing.BAD, place.problem, adopt)
        return
    find_start(place.checkout)
    if warning := read_warning(place.checkout):
        yield Check("repository", Standing.NOTE, warning, "work in a checkout on a local disk")
    else:
        yield Check("repository", Standing.GOOD, str(place.checkout), "`goalproof gates`")


def _look_at_room(_: Place) -> Iterator[Check]:
    try:
        check_room(state_dir())
    except StoreUnwritable as error:
        yield Check("room", Standing.BAD, error.paragraph, "`goalproof gc`")
        return
    yield Check("room", Standing.GOOD, f"enough on the disk of {state_dir()}")


def _look_at_settings(_: Place) -> Iterator[Check]:
    settings = read_personal_settings()
    read_agents()
    changed = sorted(settings.model_fields_set)
    said = f"settings.toml sets {', '.join(changed)}" if changed else "nothing is set: the defaults"
    yield Check("settings", Standing.GOOD, said)
    yield from _find_unknown_agents(settings)


def _find_unknown_agents(settings: PersonalSettings) -> Iterator[Check]:
    known = read_agents()
    for key, name in (("agent", settings.agent), ("reviewer", settings.reviewer)):
        if name and name not in known:
            said = f"settings.toml names the {key} {name}, and there are {', '.join(known)}"
            yield Check("settings", Standing.NOTE, said, f"correct `{key}` in settings.toml")


def _look_at_sandbox(_: Place) -> Iterator[Check]:
    sandbox = find_sandbox(read_personal_settings())
    if sandbox.problem:
        yield Check("sandbox", Standing.BAD, sandbox.problem, REMEDY)
    elif sandbox.program is None:
        said = f"{sandbox.said}: agents and gates run as you, and proofs say so"
        yield Check("sandbox", Standing.NOTE, said)
    else:
        yield Check("sandbox", Standing.GOOD, sandbox.said)


def _look_at_agents(place: Place) -> Iterator[Check]:
    hands = read_hands(place.checkout)
    yield from _look_for_ended(place)
    if not hands.installed:
        said = "none that is known is here: goals are for plans with steps, fixes of gates, and you"
        some = f"`{PRESETS[0].install}`, say; `goalproof agents` shows them all"
        yield Check("agents", Standing.NOTE, said, some)
    for name in hands.installed:
        yield _look_at_agent(hands.agents[name], hands, place)


def _look_at_agent(agent: Agent, hands: Hands, place: Place) -> Check:
    way = next(
        way
        for way in find_ways(agent, place.checkout)
        if way.worker == hands.installed[agent.name][0]
    )
    package = f"{way.package.name} {way.package.version}" if way.package else str(way.path)
    said = f"{package}, by the worker `{way.worker}`"
    if login := find_login(agent):
        return Check(f"agent {agent.name}", Standing.GOOD, f"{said}, login: {login}")
    if not agent.log_in:
        return Check(f"agent {agent.name}", Standing.GOOD, said)
    return Check(f"agent {agent.name}", Standing.NOTE, f"{said}; no login was seen", agent.log_in)


def _look_for_ended(place: Place) -> Iterator[Check]:
    """A program may be there that is no agent any more."""
    for agent in read_agents().values():
        path = find_program(agent.programs[0], place.checkout)
        names = [edition.package for edition in agent.editions]
        package = find_package(path, names) if path and names else None
        if package and not find_ways(agent, place.checkout):
            said = f"{path} is {package.name} {package.version}, which is no agent any more"
            yield Check(f"agent {agent.name}", Standing.NOTE, said, agent.install)


def _look_at_prices(_: Place) -> Iterator[Check]:
    read_prices()
    if has_prices():
        yield Check("prices", Standing.GOOD, "tokens that nobody priced are estimated in dollars")
    else:
        said = "tokens are not estimated in dollars"
        yield Check("prices", Standing.NOTE, said, 'for that, `pip install ".[prices]"` in a clone')


CHECKS: tuple[tuple[str, Callable[[Place], Iterator[Check]]], ...] = (
    ("Git", _look_at_git),
    ("repository", _look_at_repository),
    ("room", _look_at_room),
    ("settings", _look_at_settings),
    ("sandbox", _look_at_sandbox),
    ("agents", _look_at_agents),
    ("prices", _look_at_prices),
)
