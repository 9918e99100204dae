"""What a goal of each kind must show, proposed from its words before anything is done.

A proposal that a worker could meet without doing what was asked ends with a person's look.  Every
one says why it is there; a plan's own criteria take the place of all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from goal_engine.decision import Criterion, EvidenceKind
from goal_engine.oracle import count_words
from goal_engine.proof.gate import GateReport, GateSpec
from goal_engine.types import GoalKind, WorkerName

ACCEPTED = "accepted"
"""The criterion that a person judges: no gate can tell whether free text came true."""
SHOWN = "shown-by-a-test"
"""The criterion that a test which flips speaks for."""

BY_TESTS = frozenset({GoalKind.FIX, GoalKind.FEATURE, GoalKind.SECURITY})
"""Kinds of which a test can tell the state before from the state after."""

TESTS_NAMED = re.compile(
    r"[\w./-]+::[\w.:\[\]-]*\w\]?"  # a test's id
    r"|\btest_\w+"  # a function or a module
    r"|\b(?:[\w-]+/)*(?:test_\w+|\w+_test|\w+\.(?:test|spec))\.\w+"  # a file
    r"|\b[A-Z]\w*Tests?(?:Case)?\b(?:\.\w+)*"  # a class
)
"""Names that only tests have."""
ALL_TESTS = re.compile(
    r"\b(?:the |all |our |every |those )*(?:failing |broken |red )(?:\w+ )?tests?\b"
    r"|\b(?:the |all |our |every )*(?:\w+ )?tests?(?: suite)? (?:pass|green)\b",
    re.I,
)
"""Words for everything that is red."""
ASKS = frozenset(
    ["again", "fix", "get", "let", "make", "repair", "run", "see", "test", "tests", "turn"]
)
"""Words that say no more than that it is to be done."""


def propose(
    text: str, kind: GoalKind, gates: tuple[GateSpec, ...], worker: WorkerName | None
) -> tuple[Criterion, ...]:
    """Return the criteria of a goal that one worker does from words alone."""
    holds = propose_holds(gates)
    tested = [gate for gate in gates if gate.required and gate.report is not GateReport.EXIT]
    if kind in BY_TESTS and tested:
        return (*holds, _propose_test(text, kind, tested, worker))
    return (*holds, _propose_word(text, kind))


def propose_holds(gates: Iterable[GateSpec]) -> tuple[Criterion, ...]:
    """Return for each required gate that it must hold."""
    return tuple(
        Criterion(
            id=f"{gate.name}-holds",
            text=f"Gate {gate.name} holds",
            evidence=EvidenceKind.HOLDS,
            gate=gate.name,
        )
        for gate in gates
        if gate.required
    )


def find_named_tests(text: str) -> tuple[str, ...]:
    """Return the tests that a goal's words name, each once, as they are written there."""
    return tuple(dict.fromkeys(match.group().strip(".") for match in TESTS_NAMED.finditer(text)))


def means_all_tests(text: str) -> bool:
    """Whether a goal asks for nothing but that all that is red turns green."""
    rest, found = ALL_TESTS.subn(" ", text)
    return bool(found) and not count_words(rest, ASKS)


def _propose_test(
    text: str, kind: GoalKind, gates: list[GateSpec], worker: WorkerName | None
) -> Criterion:
    gate = gates[0].name if len(gates) == 1 else None
    asked = Criterion(id=SHOWN, text=text, evidence=EvidenceKind.FLIPS, gate=gate)
    if gate and means_all_tests(text):
        return asked.changed(why="the goal is that the tests that fail now pass")
    named = find_named_tests(text)
    if named:
        why = f"the goal names {', '.join(named)}: red now, green then, and red without the change"
        return asked.changed(some_test=True, tests=named, why=why)
    if worker == "manual":
        return asked.changed(
            evidence=EvidenceKind.ACCEPTED,
            some_test=True,
            why="you do it and you judge it; a test that flips is shown if there is one",
        )
    why = (
        f"a {kind} is shown by a test that is red without it; none is named, so whether it is the"
        " right one is for a person to say"
    )
    return asked.changed(some_test=True, why=why)


def _propose_word(text: str, kind: GoalKind) -> Criterion:
    why = (
        "no gate tells its tests apart"
        if kind in BY_TESTS
        else f"no gate can tell whether a goal of kind {kind} came true"
    )
    return Criterion(id=ACCEPTED, text=text, evidence=EvidenceKind.ACCEPTED, why=why)
