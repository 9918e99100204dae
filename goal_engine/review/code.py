"""What an author forgets in code: halves of merges, debuggers, errors that nobody hears of."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Iterator

from goal_engine.decision import EvidenceKind
from goal_engine.gates.protected import runs_tests
from goal_engine.proof.review import Finding
from goal_engine.review.change import PYTHON, Change, FileChange
from goal_engine.review.dangers import dotted
from goal_engine.review.found import find

BEGIN, MIDDLE, END = re.compile(r"<{7} \S"), re.compile(r"={7}$"), re.compile(r">{7} \S")
WITH_COMMENTS = (
    "tsconfig",
    "jsconfig",
    ".vscode/",
    "devcontainer",
    ".eslintrc",
    ".babelrc",
    "settings",
)
"""Files that are called JSON and may have comments."""
DEBUGGERS = re.compile(
    r"^\s{0,200}(?:debugger;?\s{0,4}$|binding\.pry\b|byebug\b|import\s+i?pdb\b|dbg!\()"
)
PRINTS = re.compile(r"^\s{0,200}(?:console\.(?:log|debug)\(|fmt\.Println\(|println!\(|var_dump\()")
SUPPRESSIONS = re.compile(
    r"#\s{0,4}(?:noqa\b|type:\s{0,4}ignore\b|pyright:\s{0,4}ignore\b|pylint:\s{0,4}(?:disable|skip-file)\b"
    r"|mypy:\s|pragma:\s{0,4}no\s?(?:cover|branch)\b|nosec\b|ruff:\s{0,4}noqa\b|flake8:\s|rubocop:disable\b"
    r"|shellcheck\s+disable)"
    r"|(?:eslint|biome|tslint|oxlint|deno|stylelint)-?(?:disable|ignore)\b|@ts-(?:ignore|nocheck|expect-error)\b"
    r"|(?:istanbul|c8|v8)\s+ignore\b|#!?\[allow\(|//\s{0,4}nolint\b|@SuppressWarnings\b"
)
"""Comments that tell a tool not to look."""


def find_mistakes(change: Change) -> Iterator[Finding]:
    """Yield what an author left in code or broke."""
    for file in change.files:
        if not file.is_text or file.is_gone:
            continue
        yield from _find_conflict(file)
        yield from _find_broken_syntax(file)
    for file in change.code:
        yield from _find_left(file)
    yield from _find_suppressions(change)


def _find_conflict(file: FileChange) -> Iterator[Finding]:
    """The three marks of a conflict, in their order, all of them new."""
    begun = 0
    middle = False
    for number, line in file.added:
        if BEGIN.match(line):
            begun, middle = number, False
        elif begun and MIDDLE.match(line.rstrip()):
            middle = True
        elif begun and middle and END.match(line):
            yield find("conflict-marker", file, begun, "both sides of a merge are in the file")
            return


def _find_broken_syntax(file: FileChange) -> Iterator[Finding]:
    if file.is_python:
        if file.tree is None and (file.is_new or file.old_tree is not None):
            yield find("syntax-error", file, None, "this Python cannot parse it")
        return
    for ending, reads, what in READABLE:
        named = file.path.endswith(ending) and not any(name in file.path for name in WITH_COMMENTS)
        if named and not reads(file.new) and (not file.old.strip() or reads(file.old)):
            yield find("syntax-error", file, None, f"it is no {what}")


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


def _is_toml(data: bytes) -> bool:
    try:
        tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        return False
    return True


READABLE = ((".json", _is_json, "JSON"), (".toml", _is_toml, "TOML"))


def _find_left(file: FileChange) -> Iterator[Finding]:
    if file.tree is not None:
        for node in ast.walk(file.tree):
            number = getattr(node, "lineno", None)
            if number in file.added_numbers:
                yield from _look(file, node, number)
    elif file.is_code:
        for number, line in file.added:
            if DEBUGGERS.match(line):
                yield find("debugger-left", file, number, "stops whoever runs it")
            elif PRINTS.match(line):
                yield find("print-left", file, number, "prints")


def _look(file: FileChange, node: ast.AST, number: int | None) -> Iterator[Finding]:
    match node:
        case ast.Call(func=ast.Name(id="breakpoint")):
            yield find("debugger-left", file, number, "stops whoever runs it")
        case ast.Call(func=func) if dotted(func) in ("pdb.set_trace", "ipdb.set_trace"):
            yield find("debugger-left", file, number, "stops whoever runs it")
        case ast.ExceptHandler(type=kind, body=[ast.Pass()]) if kind is None or dotted(kind) in (
            "Exception",
            "BaseException",
        ):
            yield find("error-swallowed", file, number, "any error is caught and nothing done")


def _find_suppressions(change: Change) -> Iterator[Finding]:
    """Where the goal is to turn a gate green that only reads code, silence is no answer."""
    flips = {c.gate for c in change.criteria if c.evidence is EvidenceKind.FLIPS}
    silenced = any(gate.name in flips and not runs_tests(gate) for gate in change.gates)
    rule = "gate-silenced" if silenced else "suppression-added"
    for file in change.files:
        if not (file.is_code and file.is_text):
            continue
        before = sum(1 for line in file.old_lines if _suppresses(file, line))
        after = [(number, line) for number, line in file.added if _suppresses(file, line)]
        gained = sum(1 for line in file.lines if _suppresses(file, line)) - before
        for number, line in after if gained > 0 else ():
            said = SUPPRESSIONS.search(line)
            assert said is not None
            yield find(rule, file, number, f"`{said.group().strip()}`")


def _suppresses(file: FileChange, line: str) -> bool:
    found = SUPPRESSIONS.search(line)
    if found is None:
        return False
    # a word in a text of Python is no comment: quotes that are open where it begins
    before = line[: found.start()]
    quoted = before.count('"') % 2 == 1 or before.count("'") % 2 == 1
    return not (file.path.endswith(PYTHON) and quoted)
