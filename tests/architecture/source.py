"""Reads the project's own source: what is there, what it imports and what it says."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "goal_engine"
SERVER = ROOT / "server" / "goal_server"


@dataclass(frozen=True, slots=True)
class Module:
    """One module: its dotted name and its text."""

    name: str
    text: str

    @property
    def tree(self) -> ast.Module:
        """The module as the parser sees it."""
        return ast.parse(self.text)


def read_modules(package: Path) -> tuple[Module, ...]:
    """Return every module of a package, packages under the name of their folder."""
    found = []
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found.append(Module(name, path.read_text()))
    return tuple(found)


def read_project() -> tuple[Module, ...]:
    """Return every module that is shipped."""
    return read_modules(ENGINE) + read_modules(SERVER)


def find_imports(tree: ast.Module) -> Iterator[str]:
    """Return the dotted name of everything that is imported, at the top or within a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module or ''}.{alias.name}" for alias in node.names)


def is_within(module: str, places: tuple[str, ...]) -> bool:
    """Tell whether a module is one of the places, in one of them, or a part of one split off (`lsp_…`)."""
    return any(module == place or module.startswith((f"{place}.", f"{place}_")) for place in places)
