"""The user's Python is asked once what it is; it is never written to and never guessed at.

Asking starts a program of the checkout (`.venv/bin/python`), so only a trusted workspace is asked.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from goal_engine.errors import EnvironmentUnusable, ToolMissing
from goal_engine.runtime.process import ask_process, clean_environment

QUESTION = """
import json, os, platform, site, sys, sysconfig
scheme = "venv" if "venv" in sysconfig.get_scheme_names() else "posix_prefix"
library = os.path.relpath(sysconfig.get_path("purelib", scheme, vars={"base": "/v"}), "/v")
base = getattr(sys, "_base_executable", None) or sys.executable
sites = site.getsitepackages()
venv = sys.prefix != sys.base_prefix
if not venv or len(site.PREFIXES) > 1:
    sites = [site.getusersitepackages()] + sites
print(json.dumps({
    "prefix": sys.prefix, "venv": venv, "sites": sites, "library": library,
    "base_python": base if os.path.exists(base) else os.path.realpath(sys.executable),
    "version": platform.python_version(), "implementation": sys.implementation.name,
    "scripts": sysconfig.get_path("scripts"),
}))
"""
"""Run with `-I`, so neither the folder nor PYTHON* variables nor the user site can colour it."""

ANSWER_SECONDS = 30
VENVS_KNOWN = 64
"""How many venvs' answers are remembered."""
VENVS = (".venv", "venv")
"""Where a project's own environment lies, in the order in which they are looked at."""


@dataclass(frozen=True, slots=True)
class UserEnvironment:
    """The Python that the user works with, as it described itself.

    `sites` are its existing site-packages directories in import order.
    """

    python: Path | None
    """What was found: `.venv/bin/python`, say; None when there is no Python at all."""
    base_python: Path
    """The interpreter below any venv: what a view links to."""
    prefix: Path
    venv: bool
    version: str
    implementation: str
    library: Path
    """Where a venv of this interpreter keeps site-packages, relative to the venv."""
    sites: tuple[Path, ...]
    scripts: Path

    @property
    def conda(self) -> bool:
        """Whether it is an environment of conda or its like, which has programs of every kind."""
        return self.python is not None and (self.prefix / "conda-meta").is_dir()


NO_PYTHON = UserEnvironment(
    None, Path(), Path(), venv=False, version="", implementation="", library=Path(), sites=(),
    scripts=Path(),
)  # fmt: skip
"""For a machine without Python: gates that need none still run."""


def find_environment(checkout: Path, configured: str | None = None) -> UserEnvironment:
    """Find and ask the Python that `checkout` is worked on with.

    The order: `configured` (a venv or an interpreter, relative to the checkout), `.venv` or `venv`
    in the checkout, `$VIRTUAL_ENV`, `python3` on PATH.  Raises `EnvironmentUnusable` when the first
    that is there does not answer: falling through would test with another set of packages.
    """
    python = find_python(checkout, configured)
    if python is None:
        return NO_PYTHON
    stamps = _stamp(python)
    answer = (_ask_venv if stamps else _ask)(python, checkout, stamps)
    return UserEnvironment(
        python=python,
        base_python=Path(answer["base_python"]),
        prefix=Path(answer["prefix"]),
        venv=answer["venv"],
        version=answer["version"],
        implementation=answer["implementation"],
        library=Path(answer["library"]),
        sites=tuple(dict.fromkeys(site for site in map(Path, answer["sites"]) if site.is_dir())),
        scripts=Path(answer["scripts"]),
    )


def _ask(python: Path, checkout: Path, _: tuple[object, ...]) -> dict[str, Any]:
    return ask(python, QUESTION, cwd=checkout)


_ask_venv = lru_cache(VENVS_KNOWN)(_ask)


def _stamp(python: Path) -> tuple[object, ...]:
    """Return what changes with the answer of a venv's Python; nothing for others.

    What stands for an interpreter on PATH may be another one the next time, by a file or a variable.
    """
    files = (python.parent.parent / "pyvenv.cfg", python)
    with suppress(OSError):
        found = [file.stat() for file in files]
        told = [(one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns) for one in found]
        return (*told, os.environ.get("HOME"))
    return ()


def find_python(checkout: Path, configured: str | None) -> Path | None:
    """Return the interpreter's path without starting it; None when there is none."""
    if configured is not None:
        with suppress(OSError, RuntimeError, ValueError):  # nothing can be called that
            named = checkout / Path(configured).expanduser()
            python = _venv_python(named) if named.is_dir() else named
            if python.is_file():
                return python
        raise EnvironmentUnusable(
            f"The configured Python {configured!r} is not there; name an interpreter or a virtual "
            f"environment, relative to {checkout}."
        )
    places = [checkout / name for name in VENVS]
    if active := os.environ.get("VIRTUAL_ENV"):
        places.append(Path(active))
    for place in places:
        if is_environment(place):
            return _venv_python(place)
    found = shutil.which("python3") or shutil.which("python")
    return Path(found).absolute() if found else None


def is_environment(path: Path) -> bool:
    """Whether there is an environment of Python's own kind, or of conda's."""
    with suppress(OSError, ValueError):  # nothing can be called that
        return (path / "pyvenv.cfg").is_file() or (path / "conda-meta").is_dir()
    return False


def ask(
    python: Path,
    question: str,
    *,
    cwd: Path,
    arguments: tuple[str, ...] = (),
    sandbox: Sequence[str] = (),
) -> dict[str, Any]:
    """Run `question` in isolated mode and return the JSON object on its last line.

    `sandbox` are the words of `sandbox.confine`, for a Python that others than the person wrote to.

    The working directory is off the import path (`-I`), yet matters: version managers choose the
    interpreter by a file in it.  `-B`, because an environment that is only read has no new files.
    """
    argv = (str(python), "-I", "-B", "-c", question, *arguments)
    try:
        env = clean_environment()
        code, said = ask_process(argv, cwd=cwd, env=env, timeout=ANSWER_SECONDS, sandbox=sandbox)
    except ToolMissing as error:
        code, said = None, str(error).encode()
    lines = said.strip().splitlines()
    if code == 0:  # what it warns of may come after the answer
        with suppress(ValueError, StopIteration):
            answer = json.loads(next(line for line in reversed(lines) if line.startswith(b"{")))
            assert isinstance(answer, dict)
            return answer
    last = b" ".join(lines[-1:]).decode(errors="replace")
    late = f"no answer in {ANSWER_SECONDS} s" if code is None else "no output"
    raise EnvironmentUnusable(
        f"The Python at {python} does not answer ({last or late}); recreate that environment, or "
        "name another with `python` under `[workspace]`."
    )


def _venv_python(venv: Path) -> Path:
    return venv / "bin" / "python"
