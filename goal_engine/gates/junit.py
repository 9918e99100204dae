"""A JUnit report is data from outside: bounded, without entities, and every test has its own id."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.parsers import expat

from junitparser import Error, Failure, JUnitXml, JUnitXmlError, Skipped, TestCase

from goal_engine.gates.formats.told import BYTES, TOLD, BadReport, shorten
from goal_engine.proof.gate import TestOutcome

LIMIT = BYTES
CHUNK = 64 * 1024
SCRIPTS = (".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".jsx", ".tsx")
WORST_FIRST = (
    (Error, TestOutcome.ERROR),
    (Failure, TestOutcome.FAILED),
    (Skipped, TestOutcome.SKIPPED),
)


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


def parse_junit(data: bytes, root: str = "") -> dict[str, TestOutcome]:
    """Return the outcomes of `parse_report`.  Raises `BadReport`."""
    return parse_report(data, root).outcomes


def parse_report(data: bytes, root: str = "") -> Report:
    """Return what the tests of a report said.

    A second test of the same id gets `#2`, so that none hides another.  `root` is the workspace: no
    id has its place, by which node:test calls a file that does not load.  Raises `BadReport`.
    """
    if len(data) > LIMIT:
        raise BadReport(f"it is larger than {LIMIT >> 20} MiB")
    _refuse_doctype(data)
    try:
        suites = JUnitXml.fromstring(data)
        cases = [
            (_find_id(case, f"{root}/"), _find_outcome(case, f"{root}/"), case)
            for case in _find_cases(suites)
        ]
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
        message=shorten(next((result.message for result in results if result.message), "")),
        text=shorten("\n".join(result.text for result in results if result.text)),
        file=attributes.get("file", ""),
        line=int(line) if line.isascii() and line.isdecimal() and len(line) < 8 else None,
    )


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


def _find_id(case: TestCase, root: str) -> str:
    name = case.name or "(unnamed)"
    group, file = case.classname, _find_script(case, root)
    if _is_file(case, root):
        whole = file or name
    elif file:
        whole = f"{file}::{name}" if group in (None, "test") else f"{file}::{group} > {name}"
    else:
        whole = f"{group}::{name}" if group else name
    return whole.replace(root, "") if root != "/" else whole


def _find_script(case: TestCase, root: str) -> str:
    """Return the file that node:test says a test is in, as the repository names it; else nothing."""
    file = case._elem.attrib.get("file", "")
    inside = root != "/" and file.startswith(root) and file.endswith(SCRIPTS)
    return str(file[len(root) :]) if inside else ""


def _is_file(case: TestCase, root: str) -> bool:
    """Whether it stands for a file that did not load: by its path (node:test), or named twice (Vitest)."""
    name = case.name or "(unnamed)"
    by_path = root != "/" and name.startswith(root)
    return by_path or name in (case.classname, _find_script(case, root))


def _find_outcome(case: TestCase, root: str) -> TestOutcome:
    found = {type(result) for result in case.result}
    outcome = next((said for kind, said in WORST_FIRST if kind in found), TestOutcome.PASSED)
    unloaded = outcome is TestOutcome.FAILED and _is_file(case, root)
    return TestOutcome.ERROR if unloaded else outcome
