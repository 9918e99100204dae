"""The table of ecosystems, and one name for each gate whatever folder it is of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count

from goal_engine.gates.detection import go, node, python, rust, tasks
from goal_engine.gates.detection.project import (
    MOST,
    WRITE_ONE,
    Finding,
    PassedOver,
    Project,
    Tools,
    Tree,
)
from goal_engine.proof.gate import GateSpec

MOST_GATES = 24
"""Gates that detection chooses; a repository with more has to say which."""

TOO_MANY = PassedOver("more projects", ".", f"{MOST} of a kind are looked at; {WRITE_ONE}")
UNNAMEABLE = re.compile(r"[^a-z0-9._-]+")

ECOSYSTEMS: tuple[
    tuple[tuple[str, ...], bool, Callable[[tuple[Project, ...], Tools], Iterator[Finding]]], ...
] = (
    (python.MARKERS, True, python.find_python),
    (node.MARKERS, False, node.find_node),
    (rust.MARKERS, False, rust.find_rust),
    (go.MARKERS, False, go.find_go),
)
"""Files that mark a project, whether the root is one without them, and what finds its gates."""


@dataclass(frozen=True, slots=True)
class Detection:
    """What a tree has to offer."""

    gates: tuple[GateSpec, ...] = ()
    passed_over: tuple[PassedOver, ...] = ()


def detect(files: Mapping[str, bytes | None], tools: Tools) -> Detection:
    """Return the gates of a tree, given its paths and the content of those that `is_read` names."""
    tree = Tree.made_of(files)
    found: list[Finding] = []
    for markers, rooted, find in ECOSYSTEMS:
        projects = tree.projects(markers, rooted=rooted)
        found += find(projects, tools)
        found += [TOO_MANY] if len(projects) == MOST else []
    found += tasks.find_tasks(tree.projects(tasks.MARKERS, rooted=True), tools, found)
    gates = [finding for finding in found if isinstance(finding, GateSpec)]
    passed = [finding for finding in found if isinstance(finding, PassedOver)]
    left = [
        PassedOver(gate.name, gate.cwd, f"more than {MOST_GATES} gates were found; {WRITE_ONE}")
        for gate in gates[MOST_GATES:]
    ]
    return Detection(_give_names(gates[:MOST_GATES]), tuple(dict.fromkeys((*passed, *left))))


def _give_names(gates: Iterable[GateSpec]) -> tuple[GateSpec, ...]:
    """A gate of the root has its tool's name; one of a folder has the folder's before it."""
    taken: set[str] = set()
    named = []
    for gate in gates:
        name = next(name for name in _spell(gate) if name not in taken)
        taken.add(name)
        named.append(gate.changed(name=name))
    return tuple(named)


def _spell(gate: GateSpec) -> Iterator[str]:
    """The last folder is enough until two have one; then more of the way, then a number."""
    parts = [] if gate.cwd == "." else gate.cwd.split("/")
    for depth in range(1, len(parts) + 1):
        yield _slug("-".join(parts[-depth:]), gate.name)
    plain = _slug("-".join(parts), gate.name)
    yield plain
    yield from (f"{plain[:60]}-{number}" for number in count(2))


def _slug(folder: str, tool: str) -> str:
    place = UNNAMEABLE.sub("-", folder.casefold()).strip("-._")
    if not place:
        return tool
    return f"{place[: 62 - len(tool)]}-{tool}"
