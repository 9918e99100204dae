"""What a report says of each test, and the rules for all kinds of report.

The modules of this package are pure and need the standard library alone: their text is also part of the
`verify.py` in each bundle, so that a stranger reads the same bytes in the same way, on Python 3.9 too.

Where tests print into the same stream as their runner, what they print must not turn a test green nor
take a red one away: of all that is said of a test the worst counts, and the runner's own counts have to
agree with what was found.  A forger who makes those counts agree can put an invented test in the place
of a green one, which is then a test that no longer runs, and a person's to see.  A test that ends the
process and prints a false end cannot be told apart from the runner: `ON_OUTPUT` says so, and is a note
of every such result.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

BYTES = 64 * 1024 * 1024
"""The most of a report that is read."""
TOLD = 500
"""Failing tests of a report whose words are kept."""
WORDS = 20_000
"""Characters of a failing test's words that are kept: half from their start, half from their end."""
LONGEST = 500
"""Characters of a test's id; a longer one is cut, and told apart by a digest."""

PASSED, SKIPPED, FAILED, ERROR = "passed", "skipped", "failed", "error"
WORSE = (PASSED, SKIPPED, FAILED, ERROR)
"""Of two things that are said of a test the later one here counts: nothing is green twice said."""

ON_OUTPUT = (
    "each test's outcome is read from what the run printed, where code that runs as a test could have "
    "ended the run and printed an end of its own"
)

ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


class BadReport(ValueError):
    """The bytes are no report that can be used; the message says why."""


class Failing(NamedTuple):
    """What is said of a test that did not pass."""

    test: str
    name: str
    group: str
    """A class, a package, a file: what the runner calls the place of the test."""
    text: str
    message: str = ""
    """Its first words for a person; the last line of `text` when empty."""


class Told(NamedTuple):
    """What each test said, by id, in the order of the report."""

    outcomes: dict[str, str]
    failing: list[Failing]


def settle(said: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return one outcome for each test: the worst that is said of it."""
    outcomes: dict[str, str] = {}
    for test, outcome in said:
        outcomes[test] = worse(outcomes.get(test, outcome), outcome)
    return outcomes


def worse(one: str, other: str) -> str:
    """Return the worse of two outcomes."""
    return max(one, other, key=WORSE.index)


def name_test(group: str, name: str) -> str:
    """Return an id: one line, of characters that can be written, and not too long."""
    words = f"{group}::{name}" if group and name else group or name
    text = " ".join(words.encode("utf-8", "replace").decode().split()) or "(unnamed)"
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}…{sha256(text.encode()).hexdigest()[:8]}"


def tell_apart(name: str, taken: dict[str, int]) -> str:
    """Return `name`, with `#2` for the second of its kind."""
    unique = name
    while unique in taken:
        taken[name] += 1
        unique = f"{name}#{taken[name]}"
    taken[unique] = 1
    return unique


def shorten(text: str) -> str:
    """Return the start and the end of long words."""
    return text if len(text) <= WORDS else f"{text[: WORDS // 2]}\n{text[-WORDS // 2 :]}"
