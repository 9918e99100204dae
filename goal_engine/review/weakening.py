"""Tests that ask for less than before: of Python by what each test asks, of others by their lines.

What a gate that tells its tests apart would notice anyway is asked about by `removed-tests` and
`rewritten-tests`, so it is told here and not asked again.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

from goal_engine.proof.review import Finding
from goal_engine.review.asking import AT_ALL, EXACT, STANDARD, Asked, Assertion, find_tests
from goal_engine.review.change import Change, FileChange
from goal_engine.review.dangers import dotted
from goal_engine.review.found import find

SKIPPED = re.compile(
    r"\b(?:it|test|describe|context|suite|bench)\.(?:skip|todo|failing|fails)\b"
    r"|(?<![\w.])x(?:it|describe|test|context)\(|^\s{0,80}#\[ignore\b|\bt\.Skip(?:f|Now)?\("
    r"|^\s{0,80}@(?:Disabled|Ignore)\b|\bpending\(\s{0,4}['\"]"
)
FOCUSED = re.compile(
    r"\b(?:it|test|describe|context|suite)\.only\b|(?<![\w.])f(?:it|describe)\(\s{0,4}['\"`]"
)
STRICT = re.compile(
    r"\.to(?:Be|Equal|StrictEqual|Throw|HaveBeenCalledWith|MatchObject)\(\s{0,4}[^)\s]|\bassert_eq!"
    r"|\bassert\.(?:strictEqual|deepStrictEqual|equal|deepEqual|Equal|NoError)\(|\brequire\.Equal\("
)
LOOSE = re.compile(
    r"\.to(?:BeTruthy|BeDefined|Exist|Throw)\(\s{0,4}\)|\.not\.toBe(?:Null|Undefined)\("
    r"|\.toEqual\(\s{0,4}expect\.any|\bassert\.(?:ok|NotNil|True)\(|\bassert!\("
)
SNAPSHOTS = (".snap", ".ambr", ".approved.txt", ".golden")


def find_weakening(change: Change) -> Iterator[Finding]:
    """Yield the places where a test asks for less, or for nothing."""
    moved = _find_names(change)
    for file in change.tests:
        asked = change.is_told_apart(file.path)
        if file.path.endswith(SNAPSHOTS) or "/__snapshots__/" in file.path:
            if file.old and file.new:
                yield find("snapshot-rewritten", file, None, "recorded anew")
        elif file.is_python:
            yield from _find_in_python(change, file, moved)
        elif file.is_code:
            yield from _find_in_lines(file, asked)
    for file in change.files:
        if file.was_test and not file.test:
            old = file.file.old_path or file.path
            message = f"{old} is not named like a test any more"
            yield find("test-removed", file, None, message, asked=change.is_told_apart(old))
    tested = any(file.test for file in change.files)
    untested = [file for file in change.code if file.is_code and not file.is_gone and file.added]
    if untested and not tested and not change.turned:
        yield find("nothing-tested", untested[0], None, "it changed, and nothing that tests it")


def _find_names(change: Change) -> frozenset[str]:
    """Names of the tests that the result has in any changed file: what moved is not gone."""
    trees = [file.tree for file in change.tests if file.tree is not None]
    return frozenset(name.rpartition(".")[2] for tree in trees for name in find_tests(tree))


def _find_in_python(change: Change, file: FileChange, moved: frozenset[str]) -> Iterator[Finding]:
    old = find_tests(file.old_tree) if file.old_tree else {}
    new = find_tests(file.tree) if file.tree else {}
    bodies = {_body(asked) for asked in new.values()}
    for name, before in old.items():
        asked = change.is_told_apart(file.path, name)
        after = new.get(name)
        if after is not None:
            if before.skips or not after.skips:
                yield from _compare(file, name, before, after, asked)
            else:
                message = f"{name} is skipped now"
                yield find("test-skipped", file, after.skips[0], message, asked=asked)
        elif name.rpartition(".")[2] not in moved and _body(before) not in bodies:
            heirs = [heir for heir in new.keys() - old.keys() if new[heir].may_replace(before)]
            if heirs:
                message = f"{name} is gone; {min(heirs)} may have taken its place"
                yield find("test-renamed", file, new[min(heirs)].node.lineno, message, asked=asked)
            else:
                yield find("test-removed", file, None, f"{name} is gone", asked=asked)
    if file.tree is not None:
        yield from _find_swaps(change, file, file.tree, new)
        yield from _find_replaced(file, file.tree)
    code = any(not other.test and other.is_code for other in change.files)
    for name, before in old.items() if code else ():
        line = _find_changed_expectation(before, new[name]) if name in new else None
        if line is not None:
            yield find(
                "expectation-changed", file, line, f"{name} expects another value than before"
            )


def _body(asked: Asked) -> str:
    return "\n".join(ast.dump(node) for node in asked.node.body)


def _compare(file: FileChange, name: str, old: Asked, new: Asked, asked: bool) -> Iterator[Finding]:
    """What a test asks now against what it asked."""
    at = new.node.lineno
    if old.asks and not new.asks:
        yield find("assertions-removed", file, at, f"{name} asks nothing any more", asked=asked)
        return
    loosened = _find_loosened(old, new)
    if loosened is not None:
        yield find("assertion-loosened", file, loosened, f"{name} asks for less", asked=asked)
    elif len(new.broad) > len(old.broad):
        message = f"{name} is content with any exception"
        yield find("assertion-loosened", file, new.broad[-1], message, asked=asked)
    elif new.tolerance > old.tolerance > 0:
        message = f"{name} tolerates {new.tolerance:g} instead of {old.tolerance:g}"
        yield find("assertion-loosened", file, at, message, asked=asked)
    elif new.asks < old.asks or new.cases < old.cases:
        fewer = f"{new.asks + new.cases} instead of {old.asks + old.cases}"
        yield find("assertions-fewer", file, at, f"{name} asks for fewer things, {fewer}")
    if len(new.swallowed) > len(old.swallowed):
        message = f"{name} catches its own failure"
        yield find("assertion-swallowed", file, new.swallowed[-1], message)
    early = [line for line in new.returns if any(a.line > line for a in new.assertions)]
    if len(new.returns) > len(old.returns) and early:
        yield find("test-returns-early", file, early[0], f"{name} may end before it asks")


def _find_loosened(old: Asked, new: Asked) -> int | None:
    """Return the line of an assertion that asks less about what was asked about before."""
    kept = {(a.strength, a.about, a.expected) for a in new.assertions}
    before = {(a.strength, a.about, a.expected) for a in old.assertions}
    for gone in old.assertions:
        if (gone.strength, gone.about, gone.expected) in kept or not gone.about:
            continue
        about = [a for a in new.assertions if _is_about(a, gone)]
        added = [a for a in about if (a.strength, a.about, a.expected) not in before]
        if added and max(a.strength for a in about) < gone.strength:
            return added[0].line
    return None


def _is_about(now: Assertion, before: Assertion) -> bool:
    """Whether two assertions ask about the same: `x` itself, or `x` within a larger value."""
    if now.about & before.about:
        return True
    wholes = [whole for whole in now.about for part in before.about if part in whole]
    return now.strength == AT_ALL and bool(wholes)


def _find_changed_expectation(old: Asked, new: Asked) -> int | None:
    known = {(a.about, a.expected) for a in old.assertions}
    asked = {a.about: a.expected for a in old.assertions if a.strength >= EXACT and a.expected}
    still = {(a.about, a.expected) for a in new.assertions}
    for now in new.assertions:
        fresh = now.expected and (now.about, now.expected) not in known
        if fresh and now.about in asked and (now.about, asked[now.about]) not in still:
            return now.line
    return None


# a test that puts in place what it asks about


def _find_swaps(
    change: Change, file: FileChange, tree: ast.Module, tests: dict[str, Asked]
) -> Iterator[Finding]:
    """New lines that replace a function of the project which the same test calls."""
    is_subject = _make_subjects(change)
    shared = [node for node in ast.walk(tree) if _is_set_up(node)]
    for name, asked in tests.items():
        called = {dotted(n.func) for n in ast.walk(asked.node) if isinstance(n, ast.Call)}
        for node in (n for scope in (asked.node, *shared) for n in ast.walk(scope)):
            swapped = _find_swapped(node)
            number = getattr(node, "lineno", None)
            fresh = bool(swapped) and number in file.added_numbers
            if fresh and is_subject(swapped) and any(_is_same(call, swapped) for call in called):
                message = f"{name} calls {swapped}, which it has replaced"
                yield find("subject-mocked", file, number, message)
                break
    for node in tree.body:
        swapped = _find_swapped(node)
        fresh = node.lineno in file.added_numbers
        if fresh and swapped.count(".") and is_subject(swapped):
            yield find("subject-mocked", file, node.lineno, f"{swapped} is replaced for all tests")


def _make_subjects(change: Change) -> Callable[[str], bool]:
    """Return what tells whether a dotted name is a function of the project: of a file of the change,
    or of a module that the result has."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    trees = [file.tree for file in change.code if file.tree is not None]
    names = {node.name for tree in trees for node in ast.walk(tree) if isinstance(node, kinds)}
    find_path = change.find_path

    def is_subject(dotted_name: str) -> bool:
        owner, _, name = dotted_name.rpartition(".")
        module = owner.rpartition(".")[2]
        return name in names or (find_path is not None and find_path(f"{module}.py"))

    return is_subject


def _is_set_up(node: ast.AST) -> bool:
    names = ("setUp", "setUpClass", "setup_method", "setup_class", "setup_function", "setUpModule")
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in names


def _find_swapped(node: ast.AST) -> str:
    """Return the dotted name that a statement or a call replaces, empty for none."""
    match node:
        case ast.Assign(targets=[ast.Attribute() as target]) if _is_made_here(node.value):
            name = dotted(target)
            return "" if name.startswith(("self.", "cls.", ".")) else name
        case ast.Call(func=func, args=[ast.Constant(value=str(path)), *_]):
            return path if dotted(func).rpartition(".")[2] in ("patch", "setattr") else ""
        case ast.Call(func=func, args=[owner, ast.Constant(value=str(name)), *_]):
            swaps = dotted(func) in (
                "setattr",
                "monkeypatch.setattr",
                "mock.patch.object",
                "patch.object",
            )
            swaps = swaps or dotted(func) == ".object"
            return f"{dotted(owner)}.{name}" if swaps and dotted(owner) else ""
        case _:
            return ""


def _is_made_here(value: ast.expr) -> bool:
    """Whether a value stands for a function: a lambda, a mock, a function of the test."""
    return isinstance(value, ast.Lambda | ast.Call | ast.Name)


def _is_same(call: str, swapped: str) -> bool:
    """`calc.add` and `pkg.calc.add` may be one; a bare `add` was imported before, and is real."""
    return call.count(".") > 0 and (call == swapped or swapped.endswith(f".{call}"))


def _find_replaced(file: FileChange, tree: ast.Module) -> Iterator[Finding]:
    """Assertions of the framework that something else is put in place of."""
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else []
        for target in targets:
            name = target.attr if isinstance(target, ast.Attribute) else ""
            name = target.id if isinstance(target, ast.Name) else name
            if name in STANDARD - {"fail"} and node.lineno in file.added_numbers:  # type: ignore[attr-defined]
                yield find(
                    "assertion-replaced", file, target.lineno, f"{name} is something else now"
                )


# others


def _find_in_lines(file: FileChange, asked: bool) -> Iterator[Finding]:
    if file.is_gone:
        yield find("test-removed", file, None, "the file is gone", asked=asked)
        return
    for number, line in file.added:
        if SKIPPED.search(line):
            yield find("test-skipped", file, number, "a test is skipped", asked=asked)
        if FOCUSED.search(line):
            yield find("test-focused", file, number, "only this test runs", asked=asked)
    lost = sum(map(_is_strict, file.removed)) - sum(map(_is_strict, file.added))
    loose = [number for number, line in file.added if LOOSE.search(line)]
    if lost > 0 and loose:
        message = "an exact assertion gave way to one that asks for less"
        yield find("assertion-loosened", file, loose[0], message, asked=asked)
    elif lost > 0:
        yield find("assertions-fewer", file, None, f"{lost} exact assertions fewer")


def _is_strict(line: tuple[int, str]) -> bool:
    return STRICT.search(line[1]) is not None
