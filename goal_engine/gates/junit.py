"""A JUnit report is data from outside: bounded, without entities, and every test has its own id."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.parsers import expat

from junitparser import Error, Failure, JUnitXml, JUnitXmlError, Skipped, TestCase

from goal_engine.proof.gate import TestOutcome

LIMIT = 64 * 1024 * 1024
"""Bytes of a report that are read."""

CHUNK = 64 * 1024
TOLD = 500
"""Failing tests of a report whose words are kept."""
WORDS = 20_000
"""Characters of a failing test's words that are kept: half from their start, half from their end."""
WORST_FIRST = (
    (Error, TestOutcome.ERROR),
    (Failure, TestOutcome.FAILED),
    (Skipped, TestOutcome.SKIPPED),
)


class BadReport(ValueError):
    """The bytes are no report that can be used; the message says why."""


@dataclass(frozen=True, slots=True)
class ToldFailure:
    """What a report says of a test that did not pass, as it says it."""

    test: str
    name: str
    classname: str
    message: str
    text: str
    """A traceback, for most test runners."""
    file: str
    line: int | None


@dataclass(frozen=True, slots=True)
class Report:
    """What each test said, by `classname::name`, in the order of the report."""

    outcomes: dict[str, TestOutcome]
    failures: tuple[ToldFailure, ...] = ()


def parse_junit(data: bytes) -> dict[str, TestOutcome]:
    """Return the outcomes of `parse_report`.  Raises `BadReport`."""
    return parse_report(data).outcomes


def parse_report(data: bytes) -> Report:
    """Return what the tests of a report said.

    A second test of the same id gets `#2`, so that none hides another.  Raises `BadReport`.
    """
    if len(data) > LIMIT:
        raise BadReport(f"it is larger than {LIMIT >> 20} MiB")
    _refuse_doctype(data)
    try:
        root = JUnitXml.fromstring(data)
        cases = [(_find_id(case), _find_outcome(case), case) for case in _find_cases(root)]
    except (SyntaxError, JUnitXmlError, ValueError, RecursionError) as error:
        raise BadReport(f"it is no JUnit XML: {error}") from error
    outcomes: dict[str, TestOutcome] = {}
    failures: list[ToldFailure] = []
    seen: dict[str, int] = {}
    for name, outcome, case in cases:
        unique = name
        while unique in outcomes:
            seen[name] = seen.get(name, 1) + 1
            unique = f"{name}#{seen[name]}"
        outcomes[unique] = outcome
        if outcome in (TestOutcome.FAILED, TestOutcome.ERROR) and len(failures) < TOLD:
            failures.append(_quote(unique, case))
    return Report(outcomes, tuple(failures))


def _quote(test: str, case: TestCase) -> ToldFailure:
    results = [result for result in case.result if isinstance(result, Error | Failure)]
    attributes = case._elem.attrib
    line = attributes.get("line", "")
    return ToldFailure(
        test=test,
        name=case.name or "",
        classname=case.classname or "",
        message=_cut(next((result.message for result in results if result.message), "")),
        text=_cut("\n".join(result.text for result in results if result.text)),
        file=attributes.get("file", ""),
        line=int(line) if line.isascii() and line.isdecimal() and len(line) < 8 else None,
    )


def _cut(text: str) -> str:
    return text if len(text) <= WORDS else f"{text[: WORDS // 2]}\n{text[-WORDS // 2 :]}"


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
