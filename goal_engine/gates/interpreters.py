"""Which Python a project is worked on with: a table of finders, each with its reason.

The managers' own files are read; a manager is asked where those do not say it, without the network
and without its plugins.  No code of the project runs for it.  The first finder that finds is believed.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from goal_engine.gates.config import NAME
from goal_engine.gates.detection.project import PassedOver, is_project_folder
from goal_engine.runtime.interpreter import VENVS, is_environment
from goal_engine.runtime.process import clean_environment
from goal_engine.runtime.user_tools import ask_tool

LARGEST = 1 << 20
"""Bytes of a manager's file that are read."""
OWNERS = (
    ("uv.lock", "uv"),
    ("poetry.lock", "poetry"),
    ("pdm.lock", "pdm"),
    ("Pipfile.lock", "pipenv"),
    ("hatch.toml", "hatch"),
    ("pixi.lock", "pixi"),
)
"""Files that say which manager a project's environment is of."""
ASKED = (
    ("poetry.lock", ("poetry", "--no-plugins", "--no-interaction", "env", "info", "--path")),
    ("pdm.lock", ("pdm", "info", "--python")),
    ("Pipfile.lock", ("pipenv", "--venv")),
    ("hatch.toml", ("hatch", "env", "find")),
)
"""Managers that may keep a project's environment elsewhere, and what says where."""
PREFIXES = (".pixi/envs/default", ".conda", "env")
"""Where an environment of conda or pixi lies in a project that has its own."""
CONDA_FILES = ("environment.yml", "environment.yaml", "conda-lock.yml")
CONDA_NAME = re.compile(r"^name:\s*['\"]?([\w.-]+)['\"]?\s*(?:#.*)?$", re.MULTILINE)
CONDAS = ("miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba", ".local/share/mamba")
"""Where conda and its like are installed, below the home folder."""


@dataclass(frozen=True, slots=True)
class FoundPython:
    """An environment, why it is the project's, and what else there is."""

    place: str | None
    """As `find_environment` takes it; `None` leaves it to look at the root, then for the active one."""
    reason: str
    passed_over: tuple[PassedOver, ...] = ()


@dataclass(frozen=True, slots=True)
class Looked:
    """What the finders look at."""

    checkout: Path
    names: frozenset[str]
    """The committed files."""
    environ: Mapping[str, str]
    """The person's own variables."""

    @property
    def owner(self) -> str:
        """`uv, uv.lock`, of the manager that the root has a lock file of; empty for none."""
        return next((f"{name}, {lock}" for lock, name in OWNERS if lock in self.names), "")

    def home(self) -> Path:
        """Return the person's home folder."""
        return Path(self.environ.get("HOME") or Path.home())


Finder = Callable[[Looked], FoundPython | None]


def find_interpreter(
    checkout: Path,
    files: Iterable[str],
    configured: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> FoundPython:
    """Return the environment of a project whose committed files are `files`; blocking.

    What is configured stays so.  May start a manager of the person's, so only for a trusted
    workspace; never raises for what is damaged, which is passed by.
    """
    if configured:
        return FoundPython(configured, f"`python` under [workspace] in {NAME}")
    looked = Looked(checkout, frozenset(files), os.environ if environ is None else environ)
    found = (finder(looked) for finder in FINDERS)
    return next(filter(None, found), FoundPython(None, "python3 on PATH"))


def _named_for_uv(looked: Looked) -> FoundPython | None:
    named = looked.environ.get("UV_PROJECT_ENVIRONMENT")
    if named and "uv.lock" in looked.names and is_environment(looked.checkout / named):
        return FoundPython(named, "UV_PROJECT_ENVIRONMENT of uv, uv.lock")
    return None


def _at_the_root(looked: Looked) -> FoundPython | None:
    for name in VENVS:
        if is_environment(looked.checkout / name):
            owner = f" of {looked.owner}" if looked.owner else ""
            return FoundPython(None, f"{name}{owner}")
    return None


def _active(looked: Looked) -> FoundPython | None:
    active = looked.environ.get("VIRTUAL_ENV")
    return FoundPython(None, "VIRTUAL_ENV, which is active") if active else None


def _of_conda(looked: Looked) -> FoundPython | None:
    """The prefix in the project's folder, or that which its environment file names."""
    for name in PREFIXES:
        if is_conda(looked.checkout / name):
            owner = "pixi, pixi.lock" if "pixi.lock" in looked.names else "conda"
            return FoundPython(name, f"{name} of {owner}")
    for file in CONDA_FILES:
        named = CONDA_NAME.search(_read(looked.checkout / file) if file in looked.names else "")
        for place in _find_conda(looked, named[1]) if named else ():
            return FoundPython(str(place), f"{named[1] if named else ''} of conda, {file}")
    return None


def _find_conda(looked: Looked, name: str) -> Iterator[Path]:
    """Yield the environments of that name, the active one first."""
    environ, home = looked.environ, looked.home()
    active = Path(environ.get("CONDA_PREFIX") or "/nowhere")
    listed = map(Path, _read(home / ".conda" / "environments.txt").splitlines())
    folders = [active.parent, active / "envs"]
    for variable in ("CONDA_ENVS_DIRS", "CONDA_ENVS_PATH"):
        folders += map(Path, filter(None, environ.get(variable, "").split(os.pathsep)))
    if executable := environ.get("CONDA_EXE"):
        folders.append(Path(executable).parent.parent / "envs")
    if root := environ.get("MAMBA_ROOT_PREFIX"):
        folders.append(Path(root) / "envs")
    folders += [home / ".conda" / "envs", *(home / conda / "envs" for conda in CONDAS)]
    places = [place for place in listed if place.name == name]
    for place in (*(folder / name for folder in folders), *places):
        if place.is_absolute() and is_conda(place):
            yield place


def _active_conda(looked: Looked) -> FoundPython | None:
    """`base` is active in every shell of whoever installed conda, and says nothing of a project."""
    active, name = looked.environ.get("CONDA_PREFIX"), looked.environ.get("CONDA_DEFAULT_ENV")
    if active and name != "base" and Path(active).is_absolute() and is_conda(Path(active)):
        return FoundPython(active, "CONDA_PREFIX, which is active")
    return None


def _in_a_project(looked: Looked) -> FoundPython | None:
    folders = {name.rpartition("/")[0] for name in looked.names if name.endswith("/pyproject.toml")}
    places = [
        f"{folder}/{name}"
        for folder in sorted(filter(is_project_folder, folders))
        for name in VENVS
        if is_environment(looked.checkout / folder / name)
    ]
    if not places:
        return None
    reason = f"all gates run with one Python, {places[0]}; `python` under [workspace] in {NAME} names another"
    others = tuple(PassedOver(place, ".", reason) for place in places[1:])
    return FoundPython(places[0], f"the project's folder has {places[0]}", others)


def _written_by_pdm(looked: Looked) -> FoundPython | None:
    named = _read(looked.checkout / ".pdm-python").strip() if "pdm.lock" in looked.names else ""
    if named and Path(named).is_absolute() and _exists(named):
        return FoundPython(named, ".pdm-python of pdm, pdm.lock")
    return None


def _asked(looked: Looked) -> FoundPython | None:
    for lock, argv in ASKED:
        said = (
            ask_tool(argv, looked.checkout, clean_environment()) if lock in looked.names else None
        )
        place = Path((said or b"").decode("utf-8", "replace").strip().partition("\n")[0])
        if place.is_absolute() and _exists(str(place)):
            return FoundPython(str(place), f"what `{argv[0]}` says, {lock}")
    return None


def _computed_as_poetry(looked: Looked) -> FoundPython | None:
    """Poetry names a folder for the project's name and path; several are several Pythons' of it.

    `envs.toml` beside them says which one was chosen last (poetry's `EnvManager`).
    """
    if "poetry.lock" not in looked.names:
        return None
    name = name_poetry_environment(looked.checkout)
    folder = _find_poetry_folder(looked)
    if name is None:
        return None
    minor = ""
    with suppress(tomllib.TOMLDecodeError, AttributeError):
        minor = str(tomllib.loads(_read(folder / "envs.toml")).get(name, {}).get("minor", ""))
    there = [place for place in sorted(folder.glob(f"{name}-py*")) if is_environment(place)]
    chosen = [place for place in there if place.name == f"{name}-py{minor}"] or there
    if len(chosen) != 1:
        return None
    return FoundPython(str(chosen[0]), "poetry's folder for this project, poetry.lock")


def name_poetry_environment(checkout: Path) -> str | None:
    """Return the name of poetry's environments of a project, without the `-py3.12` at its end."""
    try:
        content = tomllib.loads(_read(checkout / "pyproject.toml"))
    except tomllib.TOMLDecodeError:
        return None
    tool = content.get("tool", {})
    tables = (content.get("project"), tool.get("poetry") if isinstance(tool, dict) else None)
    names = [table.get("name") for table in tables if isinstance(table, dict)]
    name = next((name for name in names if isinstance(name, str) and name), "package-mode")
    canonical = re.sub(r"[-_.]+", "-", name).lower()  # as package indexes name it
    clean = re.sub(r'[ $`!*@"\\\r\n\t]', "_", canonical)[:42]
    digest = hashlib.sha256(os.fsencode(os.path.normcase(checkout.resolve()))).digest()
    return f"{clean}-{base64.urlsafe_b64encode(digest).decode()[:8]}"


def _find_poetry_folder(looked: Looked) -> Path:
    environ = looked.environ
    named = environ.get("POETRY_VIRTUALENVS_PATH")
    if named and "{" not in named:
        return Path(named).expanduser()
    apple = sys.platform == "darwin"
    usual = looked.home() / ("Library/Caches" if apple else ".cache")
    caches = usual if apple else Path(environ.get("XDG_CACHE_HOME") or usual)
    return Path(environ.get("POETRY_CACHE_DIR") or caches / "pypoetry").expanduser() / "virtualenvs"


FINDERS: tuple[Finder, ...] = (
    _named_for_uv,
    _at_the_root,
    _active,
    _of_conda,
    _in_a_project,
    _written_by_pdm,
    _asked,
    _computed_as_poetry,
    _active_conda,
)
"""In the order in which they are believed."""


def is_conda(path: Path) -> bool:
    """Whether there is an environment of conda or its like, with a Python."""
    with suppress(OSError, ValueError):
        return (path / "conda-meta").is_dir() and (path / "bin" / "python").exists()
    return False


def _exists(path: str) -> bool:
    with suppress(OSError, ValueError):
        return Path(path).exists()
    return False


def _read(path: Path) -> str:
    """Return the text of a file of a manager's, nothing for what is none."""
    with suppress(OSError, ValueError):
        if path.is_file():
            with path.open("rb") as file:
                return file.read(LARGEST).decode("utf-8", "replace")
    return ""
