"""What the person works with: which Python, which tools, and what those say of the project."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from goal_engine.gates.config import NAME
from goal_engine.gates.detection.project import Ask, Available, PassedOver, is_project_folder
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
VENVS = (".venv", "venv")
MANAGERS = (
    ("poetry.lock", ("poetry", "env", "info", "--path")),
    ("pdm.lock", ("pdm", "info", "--python")),
    ("Pipfile.lock", ("pipenv", "--venv")),
    ("hatch.toml", ("hatch", "env", "find")),
)
"""Managers that may keep a project's environment elsewhere, and what says where."""


def find_python_elsewhere(
    checkout: Path, files: Iterable[str], configured: str | None = None
) -> tuple[str | None, tuple[PassedOver, ...]]:
    """Return the environment of a project that has none at its root, and what is to be said of it.

    It is the one in a project's folder, else the one that poetry, pdm or pipenv keeps outside of
    the checkout.  What is configured stays so; `None` where the root has one, or one is active.
    """
    if configured or os.environ.get("VIRTUAL_ENV"):
        return configured, ()
    if any(_is_venv(checkout / name) for name in VENVS):
        return None, ()
    names = frozenset(files)
    folders = {name.rpartition("/")[0] for name in names if name.endswith("/pyproject.toml")}
    places = [
        f"{folder}/{name}"
        for folder in sorted(filter(is_project_folder, folders))
        for name in VENVS
        if _is_venv(checkout / folder / name)
    ]
    if places:
        reason = f"all gates run with one Python, {places[0]}; `python` under [workspace] in {NAME} names another"
        return places[0], tuple(PassedOver(place, ".", reason) for place in places[1:])
    for lock, argv in MANAGERS:
        said = ask_tool(argv, checkout, clean_environment()) if lock in names else None
        place = Path((said or b"").decode("utf-8", "replace").strip().partition("\n")[0])
        if place.is_absolute() and place.exists():
            return str(place), ()
    return None, ()


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


def _is_venv(path: Path) -> bool:
    return (path / "pyvenv.cfg").is_file()


def _variables(user: UserEnvironment) -> dict[str, str]:
    env = clean_environment()
    path = env.get("PATH", os.defpath)
    return {**env, "PATH": f"{user.scripts}:{path}" if user.python else path}


def _find_modules(python: Path, names: list[str]) -> dict[str, bool]:
    with tempfile.TemporaryDirectory() as neutral:
        return ask(python, FIND_MODULES, cwd=Path(neutral), arguments=tuple(names))
