"""Python is read as it stands, however many read at once."""

from __future__ import annotations

import ast
import gc
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from goal_engine.syntax import read_literal, read_syntax

TEXT = "".join(f"def f{number}(a, b=[{number}, 'x']):\n    return a + b\n" for number in range(200))


@pytest.fixture
def crowded() -> Iterator[None]:
    """Let threads take turns wherever they can: what is called when memory is looked through is Python."""
    between, often = sys.getswitchinterval(), gc.get_threshold()
    gc.callbacks.append(turn := lambda *_: sum(range(50)))
    gc.set_threshold(50)
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(between)
    gc.set_threshold(*often)
    gc.callbacks.remove(turn)


def test_threads_that_read_at_once_read_the_same(crowded: None) -> None:
    wanted = ast.dump(ast.parse(TEXT))
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(read_syntax, [TEXT] * 40))
    assert {ast.dump(one) for one in read} == {wanted}


def test_what_is_no_python_is_said_so() -> None:
    with pytest.raises(SyntaxError):
        read_syntax("def")
    with pytest.raises(ValueError, match="malformed"):
        read_literal("f()")
    assert read_literal("{'a': ('b', 1)}") == {"a": ("b", 1)}


def test_an_error_of_the_system_that_stays_ends_in_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(_: str) -> ast.Module:
        raise SystemError("AST constructor recursion depth mismatch")

    monkeypatch.setattr(ast, "parse", never)
    with pytest.raises(MemoryError):
        read_syntax("x = 1")
