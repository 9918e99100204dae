"""A view's scripts start the view's Python: they are generated, never copied as they are.

A copied script starts the user's interpreter, and with it the user's checkout: a gate that runs it
would judge the wrong tree (a hard link would even let a workspace write into the environment).
"""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from goal_engine.runtime.rerooting import Rerooting

ENTRY_POINT = re.compile(r"([A-Za-z_][\w.]*)\s*:\s*([A-Za-z_][\w.]*)\s*(?:\[.*\])?")
SCRIPT_NAME = re.compile(r"\w[\w.+-]*")
OF_THE_INTERPRETER = re.compile(r"(python|pypy)[\d.]*t?(-config)?|[Aa]ctivate.*")
SCRIPTS = 1024
"""How many distributions' entry points are remembered: each view of an environment has the same."""
SHEBANG_LIMIT = 127
"""Older kernels cut a longer first line; a path with a space cannot stand in one at all."""

GENERATED = """\
import sys

from {module} import {first}

if __name__ == "__main__":
    sys.exit({attribute}())
"""


def read_entry_points(directories: Iterable[Path]) -> Mapping[str, str]:
    """Return `module:attribute` by script name; the first distribution on the path wins."""
    found: dict[str, str] = {}
    for directory in directories:
        for pattern in ("*.dist-info", "*.egg-info"):
            for distribution in sorted(directory.glob(pattern)):
                for name, target in _console_scripts(distribution / "entry_points.txt"):
                    found.setdefault(name, target)
    return found


def write_scripts(
    bin_directory: Path, scripts: Mapping[str, str], originals: Path | None, rerooting: Rerooting
) -> None:
    """Fill a view's `bin` from entry points and from `originals`, the scripts of the user's venv.

    Of the originals, other programs (ruff's binary, say) become symbolic links; Python scripts that
    no entry point explains are written with the view's interpreter and the workspace's paths.
    """
    python = bin_directory / "python"
    for name, target in scripts.items():
        module, attribute = target.split(":")
        code = GENERATED.format(module=module, attribute=attribute, first=attribute.split(".")[0])
        _write_script(bin_directory / name, python, code)
    if originals is None or not originals.is_dir():
        return
    for original in sorted(originals.iterdir()):
        ours = bin_directory / original.name
        if (
            ours.exists()
            or OF_THE_INTERPRETER.fullmatch(original.name)
            or not original.is_file()
            or not os.access(original, os.X_OK)
        ):
            continue
        code_or_none = _python_code(original)
        if code_or_none is None:
            ours.symlink_to(original)
        else:
            _write_script(ours, python, rerooting.text(code_or_none))


def _console_scripts(file: Path) -> Iterable[tuple[str, str]]:
    return _parse_scripts(file.read_text("utf-8", errors="replace")) if file.is_file() else ()


@lru_cache(SCRIPTS)
def _parse_scripts(text: str) -> tuple[tuple[str, str], ...]:
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(text)
    except configparser.Error:
        return ()  # pip would not have installed its scripts either
    found = []
    for section in ("console_scripts", "gui_scripts"):
        for name, value in parser.items(section) if parser.has_section(section) else ():
            target = ENTRY_POINT.fullmatch(value.strip())
            if target and SCRIPT_NAME.fullmatch(name) and not OF_THE_INTERPRETER.fullmatch(name):
                found.append((name, f"{target[1]}:{target[2]}"))
    return tuple(found)


def _write_script(path: Path, python: Path, code: str) -> None:
    line = f"#!{python}\n"
    if len(line.encode()) > SHEBANG_LIMIT or " " in line:
        line = f"#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n"
    path.write_text(line + code, "utf-8", errors="surrogateescape")
    path.chmod(0o755)


def _python_code(script: Path) -> str | None:
    """Return what follows the lines that name the interpreter; None unless it is a Python script."""
    with script.open("rb") as file:
        first = file.readline(512)
        if not first.startswith(b"#!"):
            return None
        if b"python" in first or b"pypy" in first:
            return file.read().decode("utf-8", errors="surrogateescape")
        if file.readline(4096).startswith(b"'''exec'"):
            file.readline(512)
            return file.read().decode("utf-8", errors="surrogateescape")
    return None
