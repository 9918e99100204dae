"""What one test of Python asks: its assertions by strength, and what it does to keep from asking."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from goal_engine.review.dangers import dotted

EXACT, CLOSE, PARTLY, AT_ALL = 3, 2, 1, 0
"""How much an assertion asks: this value, nearly it, something about it, that it is there."""

STRENGTHS = {
    **dict.fromkeys(
        ("assertEqual", "assertEquals", "assertIs", "assertListEqual", "assertDictEqual", "assertTupleEqual",
         "assertSetEqual", "assertSequenceEqual", "assertMultiLineEqual", "assertCountEqual", "assertFalse",
         "assertIsNone", "assertNotIn", "assertRaisesRegex"), EXACT),
    **dict.fromkeys(("assertAlmostEqual", "assertRaises"), CLOSE),
    **dict.fromkeys(
        ("assertIn", "assertGreater", "assertGreaterEqual", "assertLess", "assertLessEqual", "assertRegex",
         "assertIsInstance", "assertNotEqual", "assertIsNot"), PARTLY),
    **dict.fromkeys(("assertTrue", "assertIsNotNone", "assertLogs", "assertWarns"), AT_ALL),
}  # fmt: skip
"""The assertions of `unittest`."""
STANDARD = frozenset(
    {*STRENGTHS, "fail", "failUnless", "failIf", "assert_", "assertNotAlmostEqual"}
)

SKIPS = frozenset({"skip", "skipif", "skipIf", "skipUnless", "skipTest", "xfail", "expectedFailure",
                   "SkipTest", "importorskip", "Skipped"})  # fmt: skip
CATCH_ALL = frozenset({"AssertionError", "Exception", "BaseException", ""})
BROAD = frozenset({"Exception", "BaseException"})
TOLERANCES = frozenset({"abs", "rel", "delta", "atol", "rtol", "abs_tol", "rel_tol", "tolerance"})


TEST = re.compile(r"test(?:_|[A-Z0-9]|$)")
"""What a test is called."""


@dataclass(frozen=True)
class Assertion:
    """One thing that a test asks, of one or more values."""

    strength: int
    about: frozenset[str]
    """What is asked about: every value that is not written out."""
    expected: frozenset[str]
    line: int


@dataclass
class Asked:
    """All that one test asks."""

    node: ast.FunctionDef | ast.AsyncFunctionDef
    assertions: list[Assertion] = field(default_factory=list)
    skips: list[int] = field(default_factory=list)
    swallowed: list[int] = field(default_factory=list)
    returns: list[int] = field(default_factory=list)
    broad: list[int] = field(default_factory=list)
    """Where any exception at all is expected."""
    tolerance: float = 0.0
    cases: int = 0
    """Parameter sets that are written out."""
    helpers: int = 0
    """Calls of functions that assert by their name."""

    @cached_property
    def calls(self) -> frozenset[str]:
        """What it calls."""
        calls = (node.func for node in ast.walk(self.node) if isinstance(node, ast.Call))
        return frozenset(filter(None, map(dotted, calls)))

    def may_replace(self, other: Asked) -> bool:
        """Whether this may be `other` under another name: it asks as much, of much the same."""
        shared, every = self.calls & other.calls, self.calls | other.calls
        return bool(other.asks) and self.asks >= other.asks and 2 * len(shared) >= len(every)

    @property
    def asks(self) -> int:
        """How many things it asks."""
        return len(self.assertions) + self.helpers


def find_tests(tree: ast.Module) -> dict[str, Asked]:
    """Return what each test of a module asks, by its name within it."""
    found: dict[str, Asked] = {}
    module = _find_marks(tree.body)
    for name, node, marks in _walk(tree, "", module):
        found[name] = _read(node, marks)
    return found


def _walk(
    parent: ast.Module | ast.ClassDef, prefix: str, marks: list[int]
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef, list[int]]]:
    for node in parent.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and TEST.match(node.name):
            yield f"{prefix}{node.name}", node, marks
        elif isinstance(node, ast.ClassDef):
            own = [*marks, *_find_decorators(node), *_find_marks(node.body)]
            yield from _walk(node, f"{prefix}{node.name}.", own)


def _find_marks(body: list[ast.stmt]) -> list[int]:
    """`pytestmark = pytest.mark.skip`, or a skip while a module is imported."""
    return [
        node.lineno
        for node in body
        if isinstance(node, ast.Assign | ast.Expr | ast.Raise)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Attribute) and inner.attr in SKIPS
    ]


def _find_decorators(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> list[int]:
    names = [(way, way.func if isinstance(way, ast.Call) else way) for way in node.decorator_list]
    return [way.lineno for way, name in names if dotted(name).rpartition(".")[2] in SKIPS]


def _read(node: ast.FunctionDef | ast.AsyncFunctionDef, marks: list[int]) -> Asked:
    asked = Asked(node, skips=[*marks, *_find_decorators(node)])
    for way in node.decorator_list:
        if (
            isinstance(way, ast.Call)
            and dotted(way.func).endswith(".parametrize")
            and len(way.args) > 1
        ):
            values = way.args[1]
            asked.cases += len(values.elts) if isinstance(values, ast.List | ast.Tuple) else 0
    for inner in ast.walk(node):
        _note(inner, asked)
    return asked


def _note(node: ast.AST, asked: Asked) -> None:
    match node:
        case ast.Assert(test=test):
            asked.assertions += _read_assert(test, node.lineno)
        case ast.Return():
            asked.returns.append(node.lineno)
        case ast.Try(body=body, handlers=handlers) if _asks_in(body):
            asked.swallowed += [h.lineno for h in handlers if _swallows(h)]
        case ast.Call(func=func):
            _note_call(node, dotted(func).rpartition(".")[2], asked)
        case _:
            pass


def _note_call(call: ast.Call, name: str, asked: Asked) -> None:
    if name in SKIPS:
        asked.skips.append(call.lineno)
    elif name in STRENGTHS:
        asked.assertions.append(_read_call(name, call))
    elif name.lower().startswith(("assert", "check", "expect", "verify")) or name == "raises":
        asked.helpers += 1
    elif name == "suppress" and any(dotted(arg) in CATCH_ALL for arg in call.args):
        asked.swallowed.append(call.lineno)
    if name in ("raises", "assertRaises") and call.args and dotted(call.args[0]) in BROAD:
        asked.broad.append(call.lineno)
    for word in call.keywords:
        if word.arg in TOLERANCES and isinstance(word.value, ast.Constant):
            value = word.value.value
            if isinstance(value, int | float):
                asked.tolerance = max(asked.tolerance, float(value))


def _read_assert(test: ast.expr, line: int) -> Iterator[Assertion]:
    match test:
        case ast.BoolOp(op=ast.And(), values=values):
            for value in values:
                yield from _read_assert(value, line)
        case ast.Compare(left=left, ops=ops, comparators=others):
            sides = [left, *others]
            missing = any(_is_none(side) for side in sides) and isinstance(
                ops[0], ast.IsNot | ast.NotEq
            )
            near = any(
                isinstance(side, ast.Call) and dotted(side.func).endswith("approx")
                for side in sides
            )
            if missing:
                strength = AT_ALL
            elif near:
                strength = CLOSE
            else:
                exact = all(isinstance(op, ast.Eq | ast.Is | ast.NotIn) for op in ops)
                strength = EXACT if exact else PARTLY
            yield _make(strength, sides, line)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield _make(EXACT, [operand], line)
        case ast.Call(func=func, args=args) if dotted(func).rpartition(".")[2] in (
            "isinstance",
            "startswith",
        ):
            yield _make(PARTLY, args, line)
        case _:
            yield _make(AT_ALL, [test], line)


def _read_call(name: str, call: ast.Call) -> Assertion:
    return _make(STRENGTHS[name], call.args[:2], call.lineno)


def _make(strength: int, sides: list[ast.expr], line: int) -> Assertion:
    about = [_dump(side) for side in sides if not is_written_out(side)]
    expected = [_dump(side) for side in sides if is_written_out(side)]
    return Assertion(strength, frozenset(about), frozenset(expected), line)


def is_written_out(node: ast.expr) -> bool:
    """Whether a value stands in the text, with nothing to compute."""
    match node:
        case ast.Constant():
            return True
        case ast.UnaryOp(operand=operand):
            return is_written_out(operand)
        case ast.List(elts=elts) | ast.Tuple(elts=elts) | ast.Set(elts=elts):
            return all(map(is_written_out, elts))
        case ast.Dict(keys=keys, values=values):
            return all(map(is_written_out, [*filter(None, keys), *values]))
        case _:
            return False


def _dump(node: Any) -> str:
    return ast.dump(node, annotate_fields=False)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _asks_in(body: list[ast.stmt]) -> bool:
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Assert):
                return True
            if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in STANDARD:
                return True
    return False


def _swallows(handler: ast.ExceptHandler) -> bool:
    """Whether a failed assertion ends here: caught, and neither raised nor asked again."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    catches = any(kind is None or dotted(kind) in CATCH_ALL for kind in kinds)
    quiet = not any(isinstance(node, ast.Raise | ast.Assert) for node in ast.walk(handler))
    return catches and quiet and not _asks_in(handler.body)
