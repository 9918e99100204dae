"""A finding is made here: by its rule, with its place, and without the secrets of its line."""

from __future__ import annotations

from goal_engine.proof.review import Finding
from goal_engine.proof.rules import RULES
from goal_engine.review.change import FileChange
from goal_engine.secret_shapes import redact

EXCERPT = 160
"""Characters of a line, or of what is said of it, that a finding shows."""


def find(
    rule: str, file: FileChange, line: int | None, message: str, *, asked: bool = False
) -> Finding:
    """Return a finding of `rule`; `asked` says that another criterion asks about it already."""
    row = RULES[rule]
    has_line = line is not None and 0 < line <= len(file.lines)
    excerpt = file.lines[line - 1].strip() if line is not None and has_line else ""
    return Finding(
        rule=rule,
        section=row.section,
        severity=row.lowered if asked and row.lowered else row.severity,
        path=file.path,
        line=line,
        message=_show(message),
        excerpt=_show(excerpt),
    )


def _show(text: str) -> str:
    """Names in the change are the change's: bounded, printable, and as much without secrets as a line."""
    shown = redact(text[: 4 * EXCERPT])[:EXCERPT]
    return "".join(char if char.isprintable() else "\ufffd" for char in shown)
