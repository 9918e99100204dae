"""A JUnit report is data from outside: bounded, without entities, and every test has its own id."""

from __future__ import annotations

from collections.abc import Iterator
from xml.parsers import expat

from junitparser import Error, Failure, JUnitXml, JUnitXmlError, Skipped, TestCase

from goal_engine.proof.gate import TestOutcome

LIMIT = 64 * 1024 * 1024
"""Bytes of a report that are read."""

CHUNK = 64 * 1024
WORST_FIRST = (
    (Error, TestOutcome.ERROR),
    (Failure, TestOutcome.FAILED),
    (Skipped, TestOutcome.SKIPPED),
)


class BadReport(ValueError):
    """The bytes are no report that can be used; the message says why."""


def parse_junit(data: bytes) -> dict[str, TestOutcome]:
    """Return what each test said, by `classname::name`, in the order of the report.

    A second test of the same id gets `#2`, so that none hides another.  Raises `BadReport`.
    """
    if len(data) > LIMIT:
        raise BadReport(f"it is larger than {LIMIT >> 20} MiB")
    _refuse_doctype(data)
    try:
        root = JUnitXml.fromstring(data)
        cases = [(_find_id(case), _find_outcome(case)) for case in _find_cases(root)]
    except (SyntaxError, JUnitXmlError, ValueError, RecursionError) as error:
        raise BadReport(f"it is no JUnit XML: {error}") from error
    outcomes: dict[str, TestOutcome] = {}
    seen: dict[str, int] = {}
    for name, outcome in cases:
        unique = name
        while unique in outcomes:
            seen[name] = seen.get(name, 1) + 1
            unique = f"{name}#{seen[name]}"
        outcomes[unique] = outcome
    return outcomes


def _refuse_doctype(data: bytes) -> None:
    """A document type can stand before the root element only, and is all that declares entities."""
    started = False

    def refuse(*_: object) -> None:  # raising stops the parser before it has read a declaration
        raise BadReport("it declares a document type, which a report has no use for")

    def start(*_: object) -> None:
        nonlocal started
        started = True

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = start
    try:
        for offset in range(0, len(data), CHUNK):
            parser.Parse(data[offset : offset + CHUNK], False)
            if started:
                return
        parser.Parse(b"", True)
    except BadReport:
        raise
    except (expat.ExpatError, ValueError) as error:
        raise BadReport(f"it is no XML: {error}") from error


def _find_cases(root: JUnitXml) -> Iterator[TestCase]:
    """Every case of every suite, however deep; node's runner writes some outside any suite."""
    yield from root.iterchildren(TestCase)  # type: ignore[no-untyped-call]
    for suite in root:
        yield from suite


def _find_id(case: TestCase) -> str:
    name = case.name or "(unnamed)"
    return f"{case.classname}::{name}" if case.classname else name


def _find_outcome(case: TestCase) -> TestOutcome:
    found = {type(result) for result in case.result}
    return next((said for kind, said in WORST_FIRST if kind in found), TestOutcome.PASSED)
