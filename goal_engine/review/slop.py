"""Work that is there by name alone: stubs, promises, code that nothing uses, claims without a change."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from goal_engine.proof.review import Finding
from goal_engine.review.change import Change, FileChange, parse
from goal_engine.review.dangers import dotted
from goal_engine.review.found import find

PROMISES = re.compile(
    r"\b(?:TODO|FIXME|XXX|HACK)\b"
    r"|(?i:\b(?:placeholder implementation|not (?:yet )?implemented|in a real (?:implementation|application)"
    r"|implement (?:this|me) later|stub for now|dummy implementation|your code here"
    r"|(?:rest|remainder) of (?:the )?(?:code|implementation|function) (?:remains|stays|here)"
    r"|existing code (?:remains|here)|left as an exercise))"
)
COMMENT = re.compile(r"(?:#|//|/\*|^\s{0,200}\*|--|<!--|;;)(.*)")
STUBS = re.compile(
    r"\b(?:todo!|unimplemented!)\(|\bpanic\(\"(?:TODO|not implemented)|throw new Error\(['\"`](?i:not implemented|todo)"
)
"""What says in other languages that nothing is there yet."""
SAID = re.compile(r"[A-Za-z_][\w.]{2,120}")
"""What a text may call by name."""
PATH = re.compile(r"^[\w.-]+(?:/[\w.-]+)*\.[A-Za-z][A-Za-z0-9]{0,5}$")
GONE = re.compile(
    r"(?i)\b(?:remov|delet|drop|renam|mov|replac|without|get rid|split|merg|extract)\w*"
)
"""Words of goals after which a file may rightly not be there."""
CLAIM = re.compile(
    r"(?i)\b(?:created|added|wrote|updated|modified|edited|rewrote)\b(?:[^\n`/.]{0,40}[ `'\"])((?:[\w-]{1,60}/){0,8}[\w-]{1,60}\.[A-Za-z]\w{0,5})\b"
)
"""How workers say what they did."""
CLAIMS = 20
"""Claims that are told."""
RUN = 6
"""Lines of comments in a row that are looked at as code."""
ASKED = 40
"""Names that are looked up in the tree."""


RUN_BY_NAME = ("__main__.py", "setup.py", "conftest.py", "noxfile.py", "tasks.py")
"""Files whose functions are found by whoever runs them."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
Named = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def find_slop(change: Change) -> Iterator[Finding]:
    """Yield what is there by name alone."""
    said = find_said(" ".join((change.text, *(c.text for c in change.criteria))))
    for file in change.code:
        if file.is_gone or not file.is_code:
            continue
        yield from _find_stubs(file, said)
        yield from _find_promises(file)
        if file.is_python:
            yield from _find_commented_out(file)
    yield from _find_unused(change)
    yield from _find_missing(change)
    yield from _find_claims(change)


def find_said(text: str) -> frozenset[str]:
    """Return the names that a text may mean: words, and the last parts of dotted ones."""
    bare = {word.strip(".") for word in SAID.findall(text)}
    return frozenset(bare | {word.rpartition(".")[2] for word in bare})


# stubs


def _find_stubs(file: FileChange, said: frozenset[str]) -> Iterator[Finding]:
    if file.tree is None:
        for number, line in file.added:
            if STUBS.search(line):
                yield find("stub", file, number, "says that nothing is there yet")
        return
    before = {name for name, node in _functions(file.old_tree) if is_stub(node)}
    if file.path.endswith(".pyi"):
        return
    for name, node in _functions(file.tree):
        if name in before or not is_stub(node) or not _touches(file, node):
            continue
        if node.name in said:
            message = f"{name}, which the goal names, does nothing"
            yield find("goal-is-a-stub", file, node.lineno, message)
        else:
            yield find("stub", file, node.lineno, f"{name} does nothing")


def _touches(file: FileChange, node: ast.stmt) -> bool:
    last = node.end_lineno or node.lineno
    return any(number in file.added_numbers for number in range(node.lineno, last + 1))


def _functions(tree: ast.Module | None) -> Iterator[tuple[str, Function]]:
    """Functions and methods by name; not those that only promise: of protocols, and abstract ones."""
    todo: list[tuple[str, list[ast.stmt]]] = [("", tree.body)] if tree else []
    while todo:
        prefix, body = todo.pop(0)
        for node in body:
            if isinstance(node, Function):
                yield f"{prefix}{node.name}", node
            elif isinstance(node, ast.ClassDef) and not _promises(node):
                todo.append((f"{prefix}{node.name}.", node.body))


def _promises(node: ast.ClassDef) -> bool:
    bases = {_last(base) for base in node.bases}
    return bool(bases & {"Protocol", "ABC", "TypedDict", "NamedTuple"}) or any(
        word.arg == "metaclass" for word in node.keywords
    )


def _last(node: ast.expr) -> str:
    inner = node.value if isinstance(node, ast.Subscript) else node
    return dotted(inner).rpartition(".")[2]


def is_stub(node: Function) -> bool:
    """Whether a function has no work in it: nothing, `...`, or that it is not implemented.

    One that says why it does nothing is done: `pass` under a docstring, a method that is overridden.
    """
    ways = {
        dotted(way.func if isinstance(way, ast.Call) else way).rpartition(".")[2]
        for way in node.decorator_list
    }
    if ways & {"abstractmethod", "overload", "abstractproperty"} or node.name.startswith("__"):
        return False
    body = [item for item in node.body if not _is_docstring(item)]
    told = len(body) < len(node.body)
    if len(body) > 1:
        return False
    match body[0] if body else None:
        case None:
            return False  # a docstring alone: a hook, or an interface
        case ast.Pass():
            return not told
        case ast.Expr(value=ast.Constant(value=value)) if value is ...:
            return not told
        case ast.Raise(exc=raised) if raised is not None:
            name = raised.func if isinstance(raised, ast.Call) else raised
            return dotted(name) == "NotImplementedError"
        case _:
            return False


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


# promises


def _find_promises(file: FileChange) -> Iterator[Finding]:
    for number, line in file.added:
        comment = COMMENT.search(line)
        said = PROMISES.search(comment.group(1)) if comment else None
        if said:
            yield find("to-do-left", file, number, f"it says `{said.group()}`")


def _find_commented_out(file: FileChange) -> Iterator[Finding]:
    run: list[tuple[int, str]] = []
    for number, line in (*file.added, (-1, "")):
        is_comment = line.lstrip().startswith("# ") or line.strip() == "#"
        if is_comment and (not run or number == run[-1][0] + 1):
            run.append((number, line))
            continue
        if len(run) >= RUN and _is_code([text for _, text in run]):
            yield find("commented-out", file, run[0][0], f"{len(run)} lines of code as a comment")
        run = [(number, line)] if is_comment else []


def _is_code(lines: list[str]) -> bool:
    """Whether comments are statements: words can parse as well, so something has to be done in them."""
    text = "\n".join(line.lstrip()[2:] for line in lines)
    tree = parse(text)
    kinds = ast.Assign | ast.If | ast.For | ast.Return | ast.FunctionDef | ast.Import | ast.With
    return tree is not None and sum(isinstance(node, kinds) for node in ast.walk(tree)) >= 2


# what nothing uses, and what is not there


def _find_unused(change: Change) -> Iterator[Finding]:
    """New public functions and classes of Python whose name stands nowhere else in the result."""
    if change.find_word is None:
        return
    asked = 0
    for file in change.code:
        if file.tree is None or file.path.rpartition("/")[2] in RUN_BY_NAME:
            continue
        known = {node.name for node in _find_public(file.old_tree)}
        for node in _find_public(file.tree):
            if node.name in known or _count_word(file, node.name) > 1:
                continue
            asked += 1
            if asked <= ASKED and set(change.find_word(node.name)) <= {file.path}:
                message = f"nothing uses or tests {node.name}"
                yield find("nothing-calls-it", file, node.lineno, message)


def _count_word(file: FileChange, name: str) -> int:
    word = re.compile(rf"\b{re.escape(name)}\b")
    return sum(len(word.findall(line)) for line in file.lines)


def _find_public(tree: ast.Module | None) -> Iterator[Named]:
    """Functions and classes of a module that nobody registers elsewhere by decorating them."""
    for node in tree.body if tree else ():
        if isinstance(node, Named) and not node.decorator_list and not node.name.startswith("_"):
            yield node


def _find_missing(change: Change) -> Iterator[Finding]:
    """Files that the goal names and the result does not have."""
    if change.find_path is None or GONE.search(change.text) or not change.files:
        return
    words = {word.strip("`'\".,;:()") for word in change.text.split()}
    for word in sorted(words):
        if PATH.match(word) and "/" in word and not change.find_path(word):
            found = find("named-not-there", change.files[0], None, f"{word} is not in the result")
            yield found.changed(path=word)


def _find_claims(change: Change) -> Iterator[Finding]:
    """Files that a worker says it wrote and that did not change."""
    names = {file.path for file in change.files} | {
        file.file.old_path or "" for file in change.files
    }
    ends = names | {name.rpartition("/")[2] for name in names}
    claimed = {word.strip("./") for text in change.claims for word in CLAIM.findall(text)}
    for word in sorted(claimed)[:CLAIMS] if change.files else ():
        if word not in ends and not any(name.endswith(f"/{word}") for name in names):
            message = f"a worker says that it wrote {word}, which did not change"
            yield find("claimed-not-changed", change.files[0], None, message).changed(path=word)
