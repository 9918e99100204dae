"""Gates of Python projects: pytest or unittest, ruff, mypy, pyright, where they are configured."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from goal_engine.gates.detection.project import Finding, Project, Tools, table
from goal_engine.proof.gate import REPORT, GateReport, GateSpec
from goal_engine.task_graph.globs import match_any

MARKERS = (
    *("pyproject.toml", "setup.py", "setup.cfg"),
    *("pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml"),
)
PYTEST_FILE = re.compile(r"(?:test_[^/]*|[^/]*_test)\.py")
UNITTEST_FILE = re.compile(r"test[^/]*\.py")
NEEDS_CACHE = re.compile(
    rb"cache_dir|--(?:lf|ff|nf|sw|last-failed|failed-first|new-first|stepwise|cache-)"
)
"""Settings that pytest refuses when its cache is switched off."""

INSTALL = (
    ("uv.lock", "uv sync"),
    ("poetry.lock", "poetry install"),
    ("pdm.lock", "pdm install"),
    ("Pipfile.lock", "pipenv sync --dev"),
)
"""How a project's own manager installs what it locked."""

OFFLINE = {"npm_config_offline": "true", "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
"""Pyright's package would fetch the program itself, and ask whether there is a newer one."""


def find_python(projects: tuple[Project, ...], tools: Tools) -> Iterator[Finding]:
    """Yield the gates of Python projects; an outer project's gate may cover an inner one."""
    for project in projects:
        around = [other for other in projects if project.is_inside(other)]
        yield from project.place(_find_tests(project, around, tools))
        yield from project.place(_find_lint(project, around, tools))
        yield from project.place(_find_format(project, around, tools))
        yield from project.place(_find_mypy(project, tools))
        yield from project.place(_find_pyright(project, tools))


def _command(tool: str, tools: Tools) -> tuple[str, ...] | None:
    """The module rather than the program: it is surely the interpreter's own."""
    if tools.has(f"-m {tool}"):
        return ("python", "-m", tool)
    return (tool,) if tool != "pytest" and tools.has(tool) else None


def _absent(project: Project, tool: str, reason: str) -> Finding:
    name = project.first([name for name, _ in INSTALL])
    how = dict(INSTALL).get(name or "", "")
    what_next = f"run `{how}`" if how else "install it there"
    said = f"{tool} is configured ({reason}) but not installed where gates run; {what_next}"
    return project.passed(tool, said, absent=True)


def _find_tests(project: Project, around: list[Project], tools: Tools) -> Iterator[Finding]:
    configured, files = _pytest_reason(project), project.named_like(PYTEST_FILE)
    if not configured and not files and not project.named_like(UNITTEST_FILE):
        return
    cover = next((other for other in around if _collects(other, project)), None)
    command = _command("pytest", tools)
    if command and cover is not None:
        yield project.passed("pytest", f"pytest in {cover.place_name} runs these tests")
    elif command and (configured or files):
        yield _make_pytest(project, command, configured, files)
    elif configured:
        yield _absent(project, "pytest", configured)
    elif tools.has("python") and (unittest := _find_unittest(project)):
        yield unittest
    elif files:
        said = f"{files[0]} is a test, but pytest is not installed and unittest does not find it"
        yield project.passed("pytest", said, absent=True)


def _make_pytest(
    project: Project, command: tuple[str, ...], configured: str, files: list[str]
) -> GateSpec:
    """What nobody configured stays out of projects that have tests of their own."""
    cacheless = () if _needs_cache(project) else ("-p", "no:cacheprovider")
    apart = () if configured else tuple(f"--ignore={folder}" for folder in project.inner)
    return GateSpec(
        name="pytest",
        argv=(*command, "-q", *cacheless, *apart, f"--junitxml={REPORT}"),
        report=GateReport.JUNIT,
        reason=configured or f"{files[0]} is a test and pytest is installed",
    )


def _collects(outer: Project, inner: Project) -> bool:
    """Whether pytest in `outer` finds the tests of `inner`: it does unless told where they are."""
    if not _pytest_reason(outer):
        return False
    places = _test_paths(outer)
    if not places or not {".", "./"}.isdisjoint(places):
        return True
    inside = inner.folder.removeprefix("" if outer.folder == "." else f"{outer.folder}/")
    globs = [place.rstrip("/") for place in places]
    return match_any(inside, (*globs, *(f"{place}/**" for place in globs)))


def _test_paths(project: Project) -> list[str]:
    pytest = table(project.pyproject, "pytest")
    found = pytest.get("testpaths") or table(pytest, "ini_options").get("testpaths")
    for name in ("pytest.toml", ".pytest.toml"):
        found = found or table(project.toml(name), "pytest").get("testpaths")
    for name, section in (
        *(("pytest.ini", "pytest"), (".pytest.ini", "pytest")),
        *(("tox.ini", "pytest"), ("setup.cfg", "tool:pytest")),
    ):
        found = found or (project.ini(name, section) or {}).get("testpaths")
    if isinstance(found, str):
        return found.split()
    return [place for place in found if isinstance(place, str)] if isinstance(found, list) else []


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
            argv=("python", "-m", "unittest", "discover", "-v", *start),
            report=GateReport.UNITTEST,
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


def _find_lint(project: Project, around: list[Project], tools: Tools) -> Iterator[Finding]:
    reason, command = _ruff_reason(project), _command("ruff", tools)
    if not reason or _is_covered(around, _ruff_reason):
        return  # ruff reads the settings nearest to each file, so the outer run is this one too
    if command is None:
        yield _absent(project, "ruff", reason)
        return
    yield GateSpec(
        name="ruff",
        argv=(*command, "check", "--no-fix", "--no-cache", "--output-format=concise", "."),
        fix=(*command, "check", "--no-cache", "--fix", "."),
        reason=reason,
    )


def _find_format(project: Project, around: list[Project], tools: Tools) -> Iterator[Finding]:
    command = _command("ruff", tools)
    reason = _format_reason(project)
    if not reason or command is None or _is_covered(around, _format_reason):
        return
    yield GateSpec(
        name="ruff-format",
        argv=(*command, "format", "--no-cache", "--check", "."),
        fix=(*command, "format", "--no-cache", "."),
        reason=reason,
    )


def _is_covered(around: list[Project], find_reason: Callable[[Project], str]) -> bool:
    return any(find_reason(project) for project in around)


def _format_reason(project: Project) -> str:
    if name := project.first((".ruff.toml", "ruff.toml")):
        return f"[format] in {name}" if "format" in project.toml(name) else ""
    named = "format" in table(project.pyproject, "ruff")
    return "[tool.ruff.format] in pyproject.toml" if named else ""


def _ruff_reason(project: Project) -> str:
    name = project.first((".ruff.toml", "ruff.toml"))
    return name or ("[tool.ruff] in pyproject.toml" if "ruff" in project.pyproject else "")


def _find_mypy(project: Project, tools: Tools) -> Iterator[Finding]:
    reason, command = _mypy_reason(project), _command("mypy", tools)
    if reason and command is None:
        yield _absent(project, "mypy", reason)
    elif reason and command is not None:
        chosen = {"files", "packages", "modules"}.intersection(_mypy_settings(project))
        yield GateSpec(
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
    return table(project.pyproject, "mypy") or project.ini("setup.cfg", "mypy") or {}


def _find_pyright(project: Project, tools: Tools) -> Iterator[Finding]:
    reason, tool = _pyright_reason(project)
    if not reason:
        return
    others = [name for name in ("basedpyright", "pyright") if name != tool]
    for name in (tool, *others):
        if command := _command(name, tools):
            offline = OFFLINE if name == "pyright" else {}
            yield GateSpec(name=name, argv=command, env=offline, reason=reason)
            return
    yield _absent(project, tool, reason)


def _pyright_reason(project: Project) -> tuple[str, str]:
    if "basedpyright" in project.pyproject:
        return "[tool.basedpyright] in pyproject.toml", "basedpyright"
    if "pyright" in project.pyproject:
        return "[tool.pyright] in pyproject.toml", "pyright"
    name = project.first(("pyrightconfig.json",))
    return name or "", "pyright"
