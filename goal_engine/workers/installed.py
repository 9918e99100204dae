"""What of the agents is on this machine, and in which ways it can be talked to.

Nothing is started to find out: a program may do anything when it is asked for its version, and `kimi`
without a word installs another one.  Versions are read where package managers leave them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from goal_engine.errors import ToolMissing
from goal_engine.runtime.personal import read_personal_settings
from goal_engine.types import AGENT_WORKERS, AgentWorker, Installed
from goal_engine.workers.agents import find_program, read_agents, say_missing
from goal_engine.workers.presets import Agent, Package, Speaks, find_speaks

LIMIT = 1 << 20
"""Bytes of a package's own description that are read."""
VERSION = re.compile(r"[0-9][0-9A-Za-z.+-]{0,39}")
SHEBANG = re.compile(rb"#!(?:/bin/sh\n'''exec' )?[^\n]*python")
"""Of what pip and uv install; the longer form is for paths that are long or may be moved."""
HEAD = 256
"""Bytes of a program in which it says what runs it."""


@dataclass(frozen=True, slots=True)
class Way:
    """How an agent that is here is started for a worker."""

    worker: AgentWorker
    speaks: Speaks
    path: Path
    """Its program."""
    package: Package | None = None
    """What brought the program, where that can be told."""


def find_ways(agent: Agent, checkout: Path, preferred: str = "") -> tuple[Way, ...]:
    """Return the ways in which an agent can be talked to here, the best first; none where it is absent.

    The worker that is `preferred` comes before the others.  Blocking.
    """
    found = list(_find_ways(agent, checkout))
    return tuple(sorted(found, key=lambda way: way.worker != preferred))


def _find_ways(agent: Agent, checkout: Path) -> Iterator[Way]:
    names = [edition.package for edition in agent.editions]
    looked: dict[str, tuple[Path, Package | None] | None] = {}
    for program in agent.programs:
        path = find_program(program, checkout)
        looked[program] = (path, find_package(path, names)) if path else None
    for worker, usual in agent.ways.items():
        there = looked[usual.argv[0]]
        speaks = find_speaks(agent, worker, there[1]) if there else None
        if there and speaks:
            yield Way(worker, speaks, *there)


def find_installed(
    agents: Mapping[str, Agent],
    checkout: Path,
    preferred: str = "",
    workers: Collection[str] = AGENT_WORKERS,
) -> Installed:
    """Return those of the `workers` that can start each agent that is here, the best first.  Blocking."""
    found = {
        name: tuple(
            way.worker for way in find_ways(agent, checkout, preferred) if way.worker in workers
        )
        for name, agent in agents.items()
    }
    return {name: able for name, able in found.items() if able}


@dataclass(frozen=True, slots=True)
class Hands:
    """Who could do a goal here: all agents that are known, and what there is of them."""

    agents: Mapping[str, Agent]
    installed: Installed
    preferred: str = ""
    """The agent that the person set for goals that name nobody."""

    def find_able(self, worker: str | None = None) -> tuple[str, ...]:
        """Return the agents that are here and, if one is given, can be started by `worker`."""
        return tuple(
            name for name, able in self.installed.items() if worker is None or worker in able
        )

    def find_default(self, worker: str | None = None) -> tuple[str, str]:
        """Return the agent for what names none, and why it is that one; empty where it could be several."""
        able = self.find_able(worker)
        if self.preferred:
            return self.preferred, "as your settings say"
        return (able[0], "the only agent on this machine") if len(able) == 1 else ("", "")


def read_hands(checkout: Path, workers: Collection[str] = AGENT_WORKERS) -> Hands:
    """Return who could do a goal.  Raises `BadConfiguration`.  Blocking."""
    settings, agents = read_personal_settings(), read_agents()
    installed = find_installed(agents, checkout, settings.protocol, workers)
    return Hands(agents, installed, settings.agent)


def find_way(agent: Agent, worker: AgentWorker, checkout: Path) -> Way:
    """Return how `worker` starts an agent here.  Raises `ToolMissing` that says what to do.  Blocking."""
    for way in find_ways(agent, checkout):
        if way.worker == worker:
            return way
    why = find_hindrance(agent, worker, checkout)
    raise ToolMissing(f"{why}, then `execute` the goal again.")


def find_hindrance(agent: Agent, worker: AgentWorker, checkout: Path) -> str:
    """Return why `worker` cannot start an agent here, and what to do; empty where it can.  Blocking."""
    usual = agent.ways.get(worker)
    if usual is None:
        able = " or ".join(f"`{name}`" for name in agent.ways)
        return f"agent {agent.name} is for {able}, not for the worker `{worker}`: name that one"
    path = find_program(usual.argv[0], checkout)
    if path is None:
        return say_missing(agent, worker)
    package = find_package(path, [edition.package for edition in agent.editions])
    if find_speaks(agent, worker, package) is not None:
        return ""
    known = f"{package.name} {package.version}" if package else "of a package that is not known"
    return f"the worker `{worker}` cannot start {path}, which is {known}; {usual.install or agent.install}"


def find_package(program: Path, names: Iterable[str] = ()) -> Package | None:
    """Return the package that brought a program, `None` where that cannot be told.

    Of Python's packages one of `names` alone is looked for.  Blocking.
    """
    try:
        path = program.resolve()
        return _find_node(path) or _find_python(path, names) or _find_folder(path)
    except (OSError, ValueError):
        return None


def _find_node(path: Path) -> Package | None:
    """npm links a command to a file of its package."""
    for folder in path.parents:
        scope = folder.parent if folder.parent.name.startswith("@") else folder
        if scope.parent.name == "node_modules":
            told = json.loads(_read(folder / "package.json"))
            said = told if isinstance(told, dict) else {}
            return _package(str(said.get("name", "")), str(said.get("version", "")))
    return None


def _find_python(path: Path, names: Iterable[str]) -> Package | None:
    with path.open("rb") as file:
        if not SHEBANG.match(file.read(HEAD)):
            return None
    for name in names:
        distribution = re.sub(r"[-_.]+", "_", name)
        if not distribution.isidentifier():
            continue
        places = (path.parent.parent / "lib").glob(
            f"python3*/site-packages/{distribution}-*.dist-info"
        )
        for place in places:
            return _package(name, place.name.removesuffix(".dist-info").partition("-")[2])
    return None


def _find_folder(path: Path) -> Package | None:
    """Installers of vendors have a file for each version, Homebrew has folders."""
    if path.parent.name == "versions":
        return _package(path.parent.parent.name, path.name)
    parts = path.parts
    at = parts.index("Cellar") if "Cellar" in parts else len(parts)
    return _package(*parts[at + 1 : at + 3]) if len(parts) > at + 3 else None


def _package(name: str, version: str) -> Package | None:
    known = VERSION.fullmatch(version) and name.isprintable() and 0 < len(name) < 100
    return Package(name, version) if known else None


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LIMIT)
