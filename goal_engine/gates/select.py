"""Which gates a goal gets: configuration that names gates wins wholly, else what was detected."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from goal_engine.errors import ToolMissing
from goal_engine.gates.config import NAME, Configuration
from goal_engine.gates.detection.project import Available
from goal_engine.proof.gate import GateSpec

KNOWN_MODULES = frozenset(
    {
        *("pytest", "ruff", "mypy", "pyright", "basedpyright", "nox", "tox", "coverage"),
        *("black", "flake8"),
    }
)
"""Modules that are no part of a project, so that `python -m` of one needs it installed."""

DIGESTED = {
    *("name", "argv", "cwd", "timeout", "required", "parallel", "report", "fix", "tests"),
    *("reruns", "confirm", "quarantine", "memory", "cpu", "processes", "files", "output"),
}
"""What a gate does and how it is judged.  What came later is left out where it is as before."""


def select_gates(
    configuration: Configuration | None, detected: Iterable[GateSpec]
) -> tuple[GateSpec, ...]:
    """Return the configuration's gates, or the detected ones when it names none."""
    if configuration is not None and configuration.gates:
        return configuration.gates
    return tuple(detected)


def find_unknown_tools(specs: Iterable[GateSpec], available: Available) -> tuple[str, ...]:
    """Return a phrase for each gate whose program is not there, none when all can start."""
    found = ((spec, _find_absent(spec, available)) for spec in specs)
    return tuple(f"gate {spec.name} runs `{tool}`" for spec, tool in found if tool)


def check_tools(specs: Iterable[GateSpec], available: Available, name: str = NAME) -> None:
    """Raise `ToolMissing` naming every gate whose program is not there."""
    unknown = find_unknown_tools(specs, available)
    if unknown:
        raise ToolMissing(
            f"A gate cannot start: {'; '.join(unknown)}, which is not installed where this "
            f"workspace's gates run. Install it there, or change `argv` in {name}; "
            "`goalproof gates` shows the gates and why each was chosen."
        )


def find_digest(specs: Iterable[GateSpec]) -> str:
    """Return the sha256 of what the gates do.

    Environment variables count by name only: their values may be secrets.
    """
    content = [
        spec.model_dump(mode="json", include=DIGESTED) | {"env": sorted(spec.env)} for spec in specs
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _find_absent(spec: GateSpec, available: Available) -> str | None:
    """A path is the tree's own; a bare name is looked up; a known tool must be importable."""
    program, *rest = spec.argv
    if "/" not in program and not available(program):
        return program
    if program.startswith("python") and len(rest) > 1 and rest[0] == "-m":
        module = rest[1].split(".")[0]
        if module in KNOWN_MODULES and not available(f"-m {module}"):
            return f"{program} -m {module}"
    return None
