"""What the person works with: which tools there are, and what those say of the project."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path

from goal_engine.gates.detection.project import Ask, Available
from goal_engine.gates.select import KNOWN_MODULES
from goal_engine.runtime.environment import UserEnvironment
from goal_engine.runtime.interpreter import ask
from goal_engine.runtime.process import clean_environment, find_program
from goal_engine.runtime.user_tools import ask_tool

FIND_MODULES = """
import importlib.util, json, sys
print(json.dumps({name: importlib.util.find_spec(name) is not None for name in sys.argv[1:]}))
"""
VIEWED = ("python", "python3")
"""Names that every view of an environment has, whatever the person's Python is called."""


def look_in(user: UserEnvironment, checkout: Path) -> Available:
    """Return how to find out whether the person has a tool."""
    env = _variables(user)

    @cache
    def modules() -> dict[str, bool]:
        return _find_modules(user.python, sorted(KNOWN_MODULES)) if user.python else {}

    @cache
    def available(tool: str) -> bool:
        module = tool.removeprefix("-m ")
        if module != tool and module not in KNOWN_MODULES:
            return user.python is not None and _find_modules(user.python, [module])[module]
        if module != tool:
            return modules().get(module, False)
        if tool in VIEWED and user.python is not None:
            return True
        if "/" in tool:
            return (checkout / tool).exists()
        return find_program(tool, env, Path("/")) is not None

    return available


def ask_in(user: UserEnvironment, checkout: Path) -> Ask:
    """Return how to ask the person's tools about a folder of the checkout."""
    env = _variables(user)

    @cache
    def answer(folder: str, argv: tuple[str, ...]) -> bytes | None:
        return ask_tool(argv, checkout / folder, env)

    return answer


def _variables(user: UserEnvironment) -> dict[str, str]:
    env = clean_environment()
    path = env.get("PATH", os.defpath)
    return {**env, "PATH": f"{user.scripts}:{path}" if user.python else path}


def _find_modules(python: Path, names: list[str]) -> dict[str, bool]:
    with tempfile.TemporaryDirectory() as neutral:
        return ask(python, FIND_MODULES, cwd=Path(neutral), arguments=tuple(names))
