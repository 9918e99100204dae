"""The gates that a goal created now would get: the person's configuration, or what is found."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from goal_engine.errors import BadConfiguration
from goal_engine.gates.config import NAME, Configuration, parse_configuration
from goal_engine.gates.detection import READS, Available, detect
from goal_engine.gates.select import check_tools, select_gates
from goal_engine.proof.gate import GateSpec
from goal_engine.runtime.environment import UserEnvironment, find_environment
from goal_engine.runtime.interpreter import ask
from goal_engine.runtime.process import clean_environment, find_program

FIND_MODULE = """
import importlib.util, json, sys
print(json.dumps({"found": importlib.util.find_spec(sys.argv[1]) is not None}))
"""


@dataclass(frozen=True, slots=True)
class GateChoice:
    """Gates, and where they come from."""

    specs: tuple[GateSpec, ...]
    path: Path | None
    """The configuration, `None` when the gates were found without one."""
    python: str | None
    copies: tuple[str, ...]


def choose_gates(checkout: Path, files: Iterable[str]) -> GateChoice:
    """Return the gates of a checkout whose committed files are `files`.

    Raises `BadConfiguration` and, for a gate that could not start, `ToolMissing`.
    """
    path = checkout / NAME
    configuration = read_configuration(path)
    user = find_environment(checkout, configuration.python if configuration else None)
    available = look_in(user)
    content = {name: _read(checkout / name) if name in READS else None for name in files}
    specs = select_gates(configuration, detect(content, available))
    check_tools(specs, available)
    return GateChoice(
        specs=specs,
        path=path if configuration and configuration.gates else None,
        python=configuration.python if configuration else None,
        copies=configuration.copies if configuration else (),
    )


def read_configuration(path: Path) -> Configuration | None:
    """Return the person's configuration, `None` when there is none.

    It is read from the checkout, committed or not: the person who runs a goal wrote it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfiguration(f"{path} cannot be read as UTF-8 text: {error}.") from error
    return parse_configuration(text, path.name)


def look_in(user: UserEnvironment) -> Available:
    """Return how to find out whether the person's environment has a tool."""

    @cache
    def available(tool: str) -> bool:
        module = tool.removeprefix("-m ")
        if module != tool:
            return user.python is not None and _has_module(user.python, module)
        env = clean_environment()
        env["PATH"] = f"{user.scripts}:{env.get('PATH', '')}" if user.python else env["PATH"]
        return find_program(tool, env, Path("/")) is not None

    return available


def _has_module(python: Path, module: str) -> bool:
    with tempfile.TemporaryDirectory() as neutral:
        return bool(ask(python, FIND_MODULE, cwd=Path(neutral), arguments=(module,))["found"])


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
