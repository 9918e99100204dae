"""Gates of Rust projects: cargo's own commands, without the network and on the locked versions."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator

from goal_engine.gates.detection.project import Finding, Project, Tools, table
from goal_engine.proof.gate import GateReport, GateSpec

MARKERS = ("Cargo.toml",)
OFFLINE = {"CARGO_NET_OFFLINE": "true", "CARGO_TERM_COLOR": "never", "RUSTUP_AUTO_INSTALL": "0"}
TEST = re.compile(rb"test\]|test\(|rstest|proptest!|quickcheck!|^\s*//[/!] ?```", re.MULTILINE)
"""What a file with a test has in it: an attribute, a macro, an example in its documentation."""
METADATA = ("cargo", "metadata", "--no-deps", "--offline", "--format-version", "1")


def find_rust(projects: tuple[Project, ...], tools: Tools) -> Iterator[Finding]:
    """Yield the gates of each workspace; what is a member of one is tested with it."""
    members: set[str] = set()
    for project in projects:
        if project.folder in members:
            continue
        if not tools.has("cargo"):
            reason = "Cargo.toml is there but cargo is not installed"
            yield project.passed("cargo", reason, absent=True)
            continue
        inside = _find_members(project, projects, tools)
        members |= inside
        own = tuple(other for other in projects if other.folder in inside)
        yield from project.place(_find_gates(project, own, tools))


def _find_members(project: Project, projects: tuple[Project, ...], tools: Tools) -> set[str]:
    """Cargo knows the members of its workspace; what is below it and none of them is on its own."""
    below = {other.folder for other in projects if other.is_inside(project)}
    if not below or "workspace" not in project.toml("Cargo.toml"):
        return set()
    try:
        told = json.loads(tools.ask(project.folder, METADATA) or b"")
        root = told["workspace_root"]
        places = [posixpath.dirname(package["manifest_path"]) for package in told["packages"]]
    except (ValueError, LookupError, TypeError, AttributeError):
        return below
    inside = (posixpath.relpath(place, root) for place in places)
    return below & {posixpath.normpath(posixpath.join(project.folder, name)) for name in inside}


def _find_gates(project: Project, members: tuple[Project, ...], tools: Tools) -> Iterator[Finding]:
    everything = ("--workspace",) if members else ()
    locked = ("--locked",) if "Cargo.lock" in project.files else ()
    sources = [
        one.path(path)
        for one in (project, *members)
        for path in sorted(one.files)
        if path.endswith(".rs")
    ]
    tested = tools.contains(sources, TEST)
    command = ("test", "--no-fail-fast") if tested else ("check", "--all-targets")
    yield GateSpec(
        name=f"cargo-{command[0]}",
        argv=("cargo", *command, *everything, *locked),
        env=OFFLINE,
        report=GateReport.CARGO if tested else GateReport.EXIT,
        timeout=1800,
        reason="Cargo.toml"
        + (f" and its {len(members)} members" if members else "")
        + ("" if tested else "; no file has a test in it"),
    )
    clippy = _clippy_reason(project)
    if clippy and tools.has("cargo-clippy"):
        yield GateSpec(
            name="clippy",
            argv=("cargo", "clippy", "--all-targets", *everything, *locked, *_find_denied(project)),
            env=OFFLINE,
            timeout=1800,
            reason=clippy,
        )
    elif clippy:
        yield project.passed("clippy", f"{clippy}, but it is not installed", absent=True)
    formatting = _format_reason(project)
    if formatting and tools.has("rustfmt") and tools.has("cargo-fmt"):
        yield GateSpec(
            name="cargo-fmt",
            argv=("cargo", "fmt", "--all", "--check"),
            fix=("cargo", "fmt", "--all"),
            env=OFFLINE,
            reason=formatting,
        )
    elif formatting:
        yield project.passed("cargo-fmt", f"{formatting}, but it is not installed", absent=True)


def _clippy_reason(project: Project) -> str:
    if name := project.first(("clippy.toml", ".clippy.toml")):
        return name
    manifest = project.toml("Cargo.toml")
    for place, tables in (("lints", manifest), ("workspace.lints", table(manifest, "workspace"))):
        if "clippy" in table(tables, "lints"):
            return f"[{place}.clippy] in Cargo.toml"
    return project.find_asked("cargo clippy")


def _find_denied(project: Project) -> tuple[str, ...]:
    """Warnings fail where continuous integration says that they do."""
    denied = re.search(rb"cargo clippy[^\n]*-D\s*warnings", project.asked)
    return ("--", "-D", "warnings") if denied else ()


def _format_reason(project: Project) -> str:
    name = project.first(("rustfmt.toml", ".rustfmt.toml"))
    return name or project.find_asked("cargo fmt")
