"""Gates of Go modules: go's own commands, with what is in the module cache and nothing fetched."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator

from goal_engine.gates.detection.project import Finding, Project, Tools
from goal_engine.proof.gate import GateReport, GateSpec

MARKERS = ("go.mod", "go.work")
OFFLINE = {"GOPROXY": "off", "GOTOOLCHAIN": "local"}
GOFMT = 'found=$(gofmt -l .) || exit; test -z "$found" || { echo "$found"; exit 1; }'
"""`gofmt -l` ends with 0 whatever it finds."""


def find_go(projects: tuple[Project, ...], tools: Tools) -> Iterator[Finding]:
    """Yield the gates of each module; one that a workspace leaves out is tested outside of it."""
    used = [
        (project, _find_used(project, tools)) for project in projects if "go.work" in project.files
    ]
    for project in projects:
        if "go.mod" not in project.files:
            continue
        if not tools.has("go"):
            yield project.passed("go", "go.mod is there but go is not installed", absent=True)
            continue
        around = [names for work, names in used if work is project or project.is_inside(work)]
        left_out = any(names is not None and project.folder not in names for names in around)
        yield from project.place(_find_gates(project, left_out, tools))


def _find_used(project: Project, tools: Tools) -> set[str] | None:
    """Return the folders of a workspace's modules, `None` when go does not say."""
    try:
        told = json.loads(tools.ask(project.folder, ("go", "work", "edit", "-json")) or b"")
        places = [use["DiskPath"] for use in told["Use"]]
        return {posixpath.normpath(posixpath.join(project.folder, place)) for place in places}
    except (ValueError, LookupError, TypeError):
        return None


def _find_gates(project: Project, left_out: bool, tools: Tools) -> Iterator[Finding]:
    env = {**OFFLINE, **({"GOWORK": "off"} if left_out else {})}
    tests = [name for name in project.files if name.endswith("_test.go")]
    if tests:
        yield GateSpec(
            name="go-test",
            argv=("go", "test", "-json", "./..."),
            env=env,
            report=GateReport.GO,
            reason=f"{min(tests)} is a test of the module in go.mod",
        )
    if any(name.endswith(".go") for name in project.files):
        yield GateSpec(name="go-vet", argv=("go", "vet", "./..."), env=env, reason="go.mod")
    asked = project.find_asked("gofmt")
    if asked and tools.has("gofmt"):
        yield GateSpec(
            name="gofmt", argv=("sh", "-c", GOFMT), fix=("gofmt", "-w", "."), reason=asked
        )
