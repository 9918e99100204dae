"""Gates that a Python project already has: only tools that exist, each with the reason."""

from __future__ import annotations

import configparser
import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from goal_engine.proof.gate import REPORT, GateReport, GateSpec
from goal_engine.toml import UNREADABLE

Available = Callable[[str], bool]
"""Whether the person's environment has a tool: `-m ruff` asks for a module that Python can run,
`ruff` for a program on its PATH."""

READS = (
    *("pyproject.toml", "setup.cfg", "tox.ini", "pytest.ini", ".pytest.ini"),
    *("pytest.toml", ".pytest.toml", "ruff.toml", ".ruff.toml", "mypy.ini", ".mypy.ini"),
)
"""Files whose content is looked at; of all others only the name is."""

PYTEST_FILE = re.compile(r"(?:test_[^/]*|[^/]*_test)\.py")
UNITTEST_FILE = re.compile(r"test[^/]*\.py")
NEEDS_CACHE = re.compile(
    rb"cache_dir|--(?:lf|ff|nf|sw|last-failed|failed-first|new-first|stepwise|cache-)"
)
"""Settings that pytest refuses when its cache is switched off."""


@dataclass(frozen=True)
class Project:
    """The files of a tree: every name, and the content of those in `READS`."""

    files: Mapping[str, bytes | None]

    @cached_property
    def pyproject(self) -> Mapping[str, Any]:
        """The tables below `[tool]`; nothing when the file is absent or is no TOML."""
        tool = self.toml("pyproject.toml").get("tool", {})
        return tool if isinstance(tool, dict) else {}

    def toml(self, name: str) -> Mapping[str, Any]:
        """Return the content of a TOML file, empty when it cannot be read."""
        try:
            return tomllib.loads((self.files.get(name) or b"").decode())
        except UNREADABLE:
            return {}

    def ini(self, name: str, section: str) -> Mapping[str, str] | None:
        """Return a section of an INI file, `None` when there is none."""
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read_string((self.files.get(name) or b"").decode())
        except (configparser.Error, UnicodeDecodeError):
            return None
        return dict(parser[section]) if parser.has_section(section) else None

    def first(self, names: Collection[str]) -> str | None:
        """Return the first of `names` that is in the tree."""
        return next((name for name in names if name in self.files), None)

    def named_like(self, pattern: re.Pattern[str]) -> list[str]:
        """Return the paths whose last part is like `pattern`."""
        return sorted(p for p in self.files if pattern.fullmatch(PurePosixPath(p).name))


def detect(files: Mapping[str, bytes | None], available: Available) -> tuple[GateSpec, ...]:
    """Return the gates of a tree, given its paths and the content of those in `READS`."""
    project = Project(files)
    found = (
        _find_tests(project, available),
        _find_lint(project, available),
        _find_format(project, available),
        _find_types(project, available),
    )
    return tuple(gate for gate in found if gate is not None)


def find_absent(files: Mapping[str, bytes | None], available: Available) -> tuple[str, ...]:
    """Return a sentence for each tool that the tree configures and the environment lacks."""
    project = Project(files)
    wanted = {"pytest": _pytest_reason, "ruff": _ruff_reason, "mypy": _mypy_reason}
    return tuple(
        f"{tool} is configured ({reason}) but not installed, so it is no gate."
        for tool, find_reason in wanted.items()
        if (reason := find_reason(project)) and _command(tool, available) is None
    )


def _command(tool: str, available: Available) -> tuple[str, ...] | None:
    """The module rather than the program: it is surely the interpreter's own."""
    if available(f"-m {tool}"):
        return ("python", "-m", tool)
    return (tool,) if tool != "pytest" and available(tool) else None


def _find_tests(project: Project, available: Available) -> GateSpec | None:
    configured, files = _pytest_reason(project), project.named_like(PYTEST_FILE)
    command = _command("pytest", available)
    if command and (configured or files):
        cacheless = () if _needs_cache(project) else ("-p", "no:cacheprovider")
        return GateSpec(
            name="pytest",
            argv=(*command, "-q", *cacheless, f"--junitxml={REPORT}"),
            report=GateReport.JUNIT,
            reason=configured or f"{files[0]} is a test and pytest is installed",
        )
    if configured or not available("python"):
        return None
    return _find_unittest(project)


def _find_unittest(project: Project) -> GateSpec | None:
    """Discovery enters packages only; a start folder where it finds nothing would be green."""
    files = [PurePosixPath(path) for path in project.named_like(UNITTEST_FILE)]
    for path in files:
        packages = [str(folder / "__init__.py") for folder in path.parents[:-1]]
        top = [name for name in packages if name not in project.files]
        if not top:
            start: tuple[str, ...] = ()
        elif top == packages and len(path.parts) == 2:
            start = ("-s", path.parts[0])
        else:
            continue
        return GateSpec(
            name="unittest",
            argv=("python", "-m", "unittest", "discover", *start),
            reason=f"{path} is a test and pytest is not installed",
        )
    return None


def _needs_cache(project: Project) -> bool:
    names = ("pyproject.toml", "setup.cfg", "tox.ini", "pytest.ini", ".pytest.ini")
    named = (*names, "pytest.toml", ".pytest.toml")
    return any(NEEDS_CACHE.search(project.files.get(name) or b"") for name in named)


def _pytest_reason(project: Project) -> str:
    if "pytest" in project.pyproject:
        return "[tool.pytest] in pyproject.toml"
    name = project.first(("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini"))
    if name is None and project.ini("tox.ini", "pytest") is not None:
        name = "[pytest] in tox.ini"
    if name is None and project.ini("setup.cfg", "tool:pytest") is not None:
        name = "[tool:pytest] in setup.cfg"
    return name or ""


def _find_lint(project: Project, available: Available) -> GateSpec | None:
    reason, command = _ruff_reason(project), _command("ruff", available)
    if not reason or command is None:
        return None
    return GateSpec(
        name="ruff",
        argv=(*command, "check", "--no-fix", "--no-cache", "--output-format=concise", "."),
        fix=(*command, "check", "--no-cache", "--fix", "."),
        reason=reason,
    )


def _find_format(project: Project, available: Available) -> GateSpec | None:
    command = _command("ruff", available)
    reason = next(iter(_find_format_tables(project)), "")
    if not reason or command is None:
        return None
    return GateSpec(
        name="ruff-format",
        argv=(*command, "format", "--no-cache", "--check", "."),
        fix=(*command, "format", "--no-cache", "."),
        reason=reason,
    )


def _find_format_tables(project: Project) -> Iterator[str]:
    if name := project.first((".ruff.toml", "ruff.toml")):
        if "format" in project.toml(name):
            yield f"[format] in {name}"
    elif "format" in _table(project.pyproject, "ruff"):
        yield "[tool.ruff.format] in pyproject.toml"


def _ruff_reason(project: Project) -> str:
    name = project.first((".ruff.toml", "ruff.toml"))
    return name or ("[tool.ruff] in pyproject.toml" if "ruff" in project.pyproject else "")


def _find_types(project: Project, available: Available) -> GateSpec | None:
    reason, command = _mypy_reason(project), _command("mypy", available)
    if not reason or command is None:
        return None
    chosen = {"files", "packages", "modules"}.intersection(_mypy_settings(project))
    return GateSpec(
        name="mypy",
        argv=(*command, "--no-incremental", *(() if chosen else (".",))),
        reason=reason,
    )


def _mypy_reason(project: Project) -> str:
    name = project.first(("mypy.ini", ".mypy.ini"))
    if name is None and "mypy" in project.pyproject:
        name = "[tool.mypy] in pyproject.toml"
    if name is None and project.ini("setup.cfg", "mypy") is not None:
        name = "[mypy] in setup.cfg"
    return name or ""


def _mypy_settings(project: Project) -> Mapping[str, Any]:
    """The settings of the one file that mypy reads."""
    if name := project.first(("mypy.ini", ".mypy.ini")):
        return project.ini(name, "mypy") or {}
    return _table(project.pyproject, "mypy") or project.ini("setup.cfg", "mypy") or {}


def _table(tables: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = tables.get(name, {})
    return found if isinstance(found, dict) else {}
