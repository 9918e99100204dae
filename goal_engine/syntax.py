"""Reads Python as syntax, in any thread.

Python 3.11 before 3.11.8 keeps one count of depth for all threads (gh-106905): of two that read at once
one may hear a `SystemError` that says nothing of what it reads.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
TRIES = 100


def read_syntax(text: bytes | str) -> ast.Module:
    """Return the syntax of Python.

    Raises `SyntaxError`, `ValueError`, `RecursionError` and `MemoryError` for what cannot be read.
    """
    return _read(lambda: ast.parse(text))


def read_literal(text: str) -> Any:
    """Return the value of a literal; raises the same."""
    return _read(lambda: ast.literal_eval(text))


def _read(read: Callable[[], T]) -> T:
    for _ in range(TRIES):
        try:
            return read()
        except SystemError:
            continue
    raise MemoryError("other threads did not leave it the time")
