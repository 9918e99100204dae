"""Which reader reads which kind of report: a table, and nothing that is not in it is read."""

from __future__ import annotations

from goal_engine.gates.formats.cargo import read_cargo
from goal_engine.gates.formats.go import read_go
from goal_engine.gates.formats.jest import read_jest
from goal_engine.gates.formats.pyunit import read_unittest
from goal_engine.gates.formats.told import ANSI, BYTES, BadReport, Told

ON_LINES = {"go": read_go, "cargo": read_cargo, "unittest": read_unittest}
"""Readers of what a gate printed."""
IN_FILE = {"jest": read_jest}


def read_told(kind: str, data: bytes, root: str) -> Told:
    """Return what a report of `kind` says; `root` is the workspace, which no id names.

    Raises `BadReport`.
    """
    if len(data) > BYTES:
        raise BadReport(f"it is larger than {BYTES >> 20} MiB")
    text = data.decode("utf-8", "replace")
    try:
        if kind in IN_FILE:
            return IN_FILE[kind](text, root)
        lines = [ANSI.sub("", line).rstrip("\r") for line in text.split("\n")]
        return ON_LINES[kind](lines)
    except RecursionError as error:
        raise BadReport("it is nested too deeply") from error
