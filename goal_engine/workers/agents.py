"""The agents there are: the presets, and what the person configured for themselves.

Nothing of a repository is read here: what is started is the person's own choice.
"""

from __future__ import annotations

import os
import shutil
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field, ValidationError

from goal_engine.errors import BadConfiguration, BadInput
from goal_engine.runtime.belongings import Belongings
from goal_engine.runtime.config import config_dir
from goal_engine.toml import UNREADABLE
from goal_engine.types import AgentName, AgentWorker, Frozen
from goal_engine.workers.headless import DIALECTS
from goal_engine.workers.presets import NETWORK, PRESETS, PROMPT, Agent, Speaks

FILE = "agents.toml"
LIMIT = 256 * 1024
"""Bytes of the person's configuration that are read."""
Word = Annotated[str, Field(min_length=1, pattern=r"^[^\x00]*$")]
Folder = Annotated[str, Field(pattern=r"^(~/|/)[^\x00]+$")]
EnvName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class _Agent(Frozen):
    model_config = ConfigDict(strict=True)

    argv: list[Word] = Field(default_factory=list)
    acp: list[Word] = Field(default_factory=list)
    wire: list[Word] = Field(default_factory=list)
    mode: str = Field(default="", max_length=100)
    title: str = ""
    env: list[EnvName] = Field(default_factory=list)
    folders: list[Folder] = Field(default_factory=list)
    output: str = Field(default="", pattern=f"^({'|'.join(DIALECTS)})?$")


class _File(Frozen):
    model_config = ConfigDict(strict=True)

    agent: dict[AgentName, _Agent] = Field(default_factory=dict)


FindAgents = Callable[[], Mapping[str, Agent]]


def agents_path() -> Path:
    """Return the file in which a person configures agents of their own."""
    return config_dir() / FILE


def read_agents() -> dict[str, Agent]:
    """Return every agent by its name; the person's own replace presets of the same name.

    Raises `BadConfiguration` when the person's file cannot be used.
    """
    known = {agent.name: agent for agent in PRESETS}
    for name, mine in _read_own().items():
        install = f"correct [agent.{name}] in {agents_path()}"
        title = mine.title or "your own"
        known[name] = Agent(
            name=name,
            title=title,
            argv=tuple(mine.argv),
            env=tuple(mine.env),
            folders=tuple(mine.folders),
            install=install,
            acp=_speak(mine.acp, mine.mode),
            wire=_speak(mine.wire, ""),
            dialect=mine.output,
        )
    return known


def _speak(argv: list[str], mode: str) -> Speaks | None:
    """One of the person's own is taken at its word where it says that it keeps sessions."""
    return Speaks(tuple(argv), mode=mode, sessions=True) if argv else None


def _read_own() -> dict[str, _Agent]:
    path = agents_path()
    try:
        with path.open("rb") as file:
            raw = tomllib.loads(file.read(LIMIT).decode())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, *UNREADABLE) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise BadConfiguration(
            f"{path} cannot be read: {why}. Correct it, or move it away to go on with the agents"
            " that are known anyway."
        ) from error
    try:
        own = _File.model_validate(raw).agent
    except ValidationError as error:
        said = "; ".join(
            f"`{'.'.join(str(part) for part in item['loc'])}`: {item['msg']}"
            for item in error.errors()
        )
        raise BadConfiguration(
            f"{path} cannot be used: {said}. An agent is a table [agent.NAME] with"
            ' `argv = ["program", "--option", "{prompt}"]`, or `acp = ["program"]` where it speaks the'
            " Agent Client Protocol; if wanted `mode`, `title`, `env` (names), `folders` (as"
            ' "~/.my-agent", where it keeps its login) and `output` (whose events `argv` prints: '
            f"{', '.join(DIALECTS)}; plain text without)."
        ) from error
    for name, agent in own.items():
        ways = [argv for argv in (agent.argv, agent.acp, agent.wire) if argv]
        if not ways:
            raise BadConfiguration(
                f'{path}: [agent.{name}] says not how it is started: give `argv = ["program", '
                '"{prompt}"]`, or `acp = ["program"]` where it speaks the Agent Client Protocol.'
            )
        for program, *_ in ways:
            _check_own(f"{path}: [agent.{name}]", program)
    return own


def _check_own(where: str, program: str) -> None:
    if os.sep in program and not Path(program).is_absolute():
        raise BadConfiguration(
            f"{where} starts {program!r}, which depends on the folder it is started in, and that is"
            " a repository's: give a name on PATH or an absolute path."
        )
    if PROMPT in program:
        raise BadConfiguration(f"{where} takes its program from the prompt: name a program first.")


def find_program(program: str, checkout: Path) -> Path | None:
    """Return the file that would be started for `program`; nothing is executed.

    What lies in `checkout` is the repository's and is never taken for an agent.
    """
    if os.sep in program:
        path = Path(program)
        return path if path.is_file() and os.access(path, os.X_OK) else None
    top = checkout.resolve()
    entries = [Path(entry) for entry in os.environ.get("PATH", os.defpath).split(os.pathsep)]
    own = [
        str(entry)
        for entry in entries
        if entry.is_absolute() and not entry.resolve().is_relative_to(top)
    ]
    found = shutil.which(program, path=os.pathsep.join(own)) if own else None
    return Path(found) if found else None


def find_agent(agents: Mapping[str, Agent], name: str) -> Agent:
    """Return an agent by its name.  Raises `BadInput` that says which there are."""
    if name not in agents:
        raise BadInput(
            f"There is no agent {name[:80]!r}; there are {', '.join(agents)}. An agent of your own"
            f' is a table [agent.NAME] with `argv` in {agents_path()}, for example argv = ["my-agent",'
            f' "{PROMPT}"].'
        )
    return agents[name]


def find_preset(agents: Mapping[str, Agent], program: str) -> Agent | None:
    """Return the agent that is known by name and started as `program`.

    None of the person's own: those may be started by a program that runs anything (`python3`).
    """
    named = (agents[preset.name] for preset in PRESETS if program in preset.programs)
    return next((agent for agent in named if program in agent.programs), None)


def find_folders(agent: Agent, checkout: Path) -> tuple[Path, ...]:
    """Return where an agent keeps login and settings: what is named, and folders that its variables name.

    A sandbox is open there, so never a folder that has the home folder or the repository in it, nor
    one in the repository (`CODEX_HOME=$PWD/.codex`): what works for a goal writes nothing there.
    """
    home, top = Path.home().resolve(), checkout.resolve()
    named = [Path(name).expanduser() for name in agent.folders]
    values = (Path(os.environ.get(name, "")) for name in agent.env)
    named += [path for path in values if path.is_absolute() and path.is_dir()]
    return tuple(path for path in named if not _opens(path.resolve(), home, top))


def find_belongings(agent: Agent, checkout: Path) -> Belongings:
    """Return what an agent has of its own, and what of that it may only read.

    One of the person's own that starts a known program, or has its folder, is held to the same.
    """
    folders = find_folders(agent, checkout)
    kin = [agent, *(preset for preset in PRESETS if _is_kin(preset, agent))]
    named = [Path(name).expanduser() for one in kin for name in one.folders]
    first = [Path(one.folders[0]).expanduser() for one in kin if one.folders]
    places = [*first, *(path for path in folders if path not in named)]

    def find(names: Iterable[str]) -> tuple[Path, ...]:
        found = [
            path
            for name in names
            for path in ([Path(name).expanduser()] if name.startswith("~") else _join(places, name))
            if any(map(path.is_relative_to, folders)) or path in beside
        ]
        return tuple(dict.fromkeys(found))

    near = [one for one in kin if {*one.folders} & {*agent.folders}]
    beside = [Path(name).expanduser() for one in near for name in one.copies]
    names = [name for one in kin for name in one.reads]
    return Belongings(
        folders=folders,
        reads=find(name for name in names if not name.endswith("/")),
        shelves=find(name for name in names if name.endswith("/")),
        forgets=find(name for one in kin for name in one.forgets),
        keeps=find(name for one in kin for name in one.transcripts),
        copies=find(name for one in kin for name in one.copies),
    )


def _join(places: Iterable[Path], name: str) -> Iterable[Path]:
    return (place / name for place in places)


def _is_kin(preset: Agent, agent: Agent) -> bool:
    same_program = {Path(program).name for program in agent.programs} & {*preset.programs}
    return bool(same_program) or bool({*preset.folders} & {*agent.folders})


def _opens(folder: Path, home: Path, checkout: Path) -> bool:
    """Whether more than an agent's own would be open with `folder`."""
    around = home.is_relative_to(folder) or checkout.is_relative_to(folder)
    return around or folder.is_relative_to(checkout)


def find_logins() -> tuple[Path, ...]:
    """Return the folders that agents name as theirs, as far as their configuration can be read.

    What a variable names may be anybody's, so it is none of them.
    """
    try:
        agents = read_agents()
    except BadConfiguration:  # whoever needs an agent hears of it
        agents = {agent.name: agent for agent in PRESETS}
    return tuple(Path(name).expanduser() for agent in agents.values() for name in agent.folders)


def find_login(agent: Agent) -> str:
    """Return what says that an agent is logged in, a variable's name or a file; empty if nothing is seen.

    Whether it still holds is known to its vendor alone.  Blocking.
    """
    named = next((name for name in agent.keys if os.environ.get(name)), "")
    if named:
        return named
    own = [Path(os.environ.get(name, "")) for name in agent.env]
    places = [Path(agent.folders[0]).expanduser()] if agent.folders else []
    places += [path for path in own if path.is_absolute()]
    for name in agent.logins:
        paths = [Path(name).expanduser()] if name.startswith("~") else [*_join(places, name)]
        if found := next((path for path in paths if path.is_file()), None):
            return str(found)
    return ""


def say_missing(agent: Agent, worker: AgentWorker = "cli") -> str:
    """Return what to do about an agent whose program, as `worker` starts it, is not there."""
    speaks = agent.ways.get(worker) or next(iter(agent.ways.values()))
    return (
        f"agent {agent.name} is not on this machine: {speaks.argv[0]} was not found on PATH;"
        f" {speaks.install or agent.install}"
    )


def read_variables(agent: Agent) -> dict[str, str]:
    """Return the agent's own settings, and the variables of this process that it may have."""
    names = (name for name in (*NETWORK, *agent.env) if name in os.environ)
    return {**dict(agent.settings), **{name: os.environ[name] for name in names}}
