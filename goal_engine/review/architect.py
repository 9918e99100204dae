"""Whether the change is what was planned, and leaves standing what others lean on."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from goal_engine.proof.review import Finding
from goal_engine.review.change import Change, FileChange
from goal_engine.review.found import find
from goal_engine.task_graph.globs import match_any

LINES, MANY = 3000, 60
"""Lines and files beyond which nobody reviews a change as a whole."""
ASKED = 40
"""Names that are looked up in the tree."""


def find_scope(change: Change) -> Iterator[Finding]:
    """Yield where the change is larger than its plan or takes something away."""
    if not change.files:
        return
    lines = sum(file.file.additions + file.file.deletions for file in change.files)
    if lines > LINES or len(change.files) + change.unread > MANY:
        message = f"{len(change.files) + change.unread} files, {lines} lines"
        yield find("large-change", change.files[0], None, message)
    if change.unread:
        yield find("not-looked-at", change.files[-1], None, f"{change.unread} more files")
    for file in change.files:
        if file.is_large:
            yield find("not-looked-at", file, None, "larger than 1 MiB")
        if change.writes and not match_any(file.path, change.writes):
            yield find("outside-the-plan", file, None, "no task of the plan writes it")
    yield from _find_removed_names(change)


def _find_removed_names(change: Change) -> Iterator[Finding]:
    """Top-level names of Python that are gone while another file of the result mentions them."""
    if change.find_word is None:
        return
    kept = {name for file in change.code if file.tree for name in _names(file.tree)}
    asked = 0
    for file in change.files:
        if file.test or not file.old_tree:
            continue
        gone = sorted(_names(file.old_tree) - kept)
        for name in gone:
            asked += 1
            if asked > ASKED:
                return
            users = [path for path in change.find_word(name) if _imports(change, file, path, name)]
            if users:
                message = f"{name} is gone, and {users[0]} still has it"
                yield find("public-name-removed", file, None, message)


def _names(tree: ast.Module) -> set[str]:
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    names = {node.name for node in tree.body if isinstance(node, kinds)}
    return {name for name in names if not name.startswith("_")}


def _imports(change: Change, file: FileChange, path: str, name: str) -> bool:
    """Whether a file of Python mentions the module beside the name, as far as can be told cheaply."""
    if path == file.path or not path.endswith(".py"):
        return False
    parts = file.path.removesuffix("/__init__.py").removesuffix(".py")
    stem = parts.rpartition("/")[2]
    known = next((other for other in change.files if other.path == path), None)
    if known is None:
        return change.find_word is not None and path in change.find_word(stem)
    return re.search(rf"\b{re.escape(stem)}\b", known.new.decode("utf-8", "replace")) is not None
