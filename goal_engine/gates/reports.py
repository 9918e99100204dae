"""What a gate said of each test, by the kind of its report: one table, and everything is data."""

from __future__ import annotations

from goal_engine.gates.formats.readers import read_told
from goal_engine.gates.formats.told import ON_OUTPUT, BadReport
from goal_engine.gates.junit import Report, ToldFailure, parse_report
from goal_engine.proof.gate import GateReport, TestOutcome

__all__ = ["BadReport", "Report", "find_notes", "read_report"]

SUFFIX = {GateReport.JUNIT: "xml", GateReport.JEST: "json"}
"""How the files are called, for runners that look at it."""


def read_report(kind: GateReport, data: bytes, root: str) -> Report:
    """Return what the tests of a report of this kind said; `root` is the workspace.

    Raises `BadReport`.
    """
    if kind is GateReport.JUNIT:
        return parse_report(data, root)
    told = read_told(kind, data, root)
    return Report(
        outcomes={test: TestOutcome(said) for test, said in told.outcomes.items()},
        failures=tuple(
            ToldFailure(item.test, item.name, item.group, item.message, item.text, "", None)
            for item in told.failing
        ),
    )


def find_notes(kind: GateReport) -> tuple[str, ...]:
    """Return what a reader of the proof should know of this kind of report."""
    return () if kind.in_file or kind is GateReport.EXIT else (ON_OUTPUT,)
