"""A command and the kind of its report: what cannot come out of it is said before anything runs.

Only a command that names its runner is looked at; what a script runs is the script's.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence

from goal_engine.proof.gate import REPORT, GateReport

VERBOSE = re.compile(r"-[a-z]*v[a-z]*|--verbose")
QUIET = re.compile(r"-[a-z]*q[a-z]*|--quiet")
HOW = {
    GateReport.JUNIT: f"`--junitxml={REPORT}` (pytest) or the option of your tool with `{REPORT}` in it",
    GateReport.JEST: f"`--json --outputFile={REPORT}` (jest) or `--reporter=json --outputFile={REPORT}` "
    "(vitest)",
}


def find_contradiction(report: object, argv: Sequence[str]) -> str | None:
    """Return why a command cannot give this kind of report, and what to write instead."""
    kind = next((member for member in GateReport if member == report), None)
    has_file = any(REPORT in word for word in argv)
    if kind is None:
        return None
    if kind.in_file and not has_file:
        return (
            f'does not say where the {kind} report goes; add {HOW[kind]}, or set `report = "exit"`'
        )
    if has_file and not kind.in_file:
        return f'has `{REPORT}`; set `report = "junit"` or `report = "jest"` so it is read'
    check = CHECKS.get(kind)
    return check(argv) if check else None


def _check_go(argv: Sequence[str]) -> str | None:
    runs = _program(argv) == "go" and "test" in argv
    if runs and not {"-json", "--json"} & set(argv):
        return "prints no events; add `-json` behind `go test`"
    return None


def _check_unittest(argv: Sequence[str]) -> str | None:
    if "unittest" not in argv:
        return None
    options = argv[argv.index("unittest") :]
    if any(map(QUIET.fullmatch, options)) or not any(map(VERBOSE.fullmatch, options)):
        return "prints no test's name; add `-v` behind `unittest`"
    return None


def _check_cargo(argv: Sequence[str]) -> str | None:
    if _program(argv) != "cargo":
        return None
    if "nextest" in argv:
        return (
            "runs nextest, which can write a junit report: configure one and copy it to "
            f'`{REPORT}`, with `report = "junit"`, or set `report = "exit"`'
        )
    loud = {"--nocapture", "--no-capture"} & set(argv)
    if loud or any(map(QUIET.fullmatch, argv)) or any(w.startswith("--format") for w in argv):
        return "prints its tests in another way than one on each line; leave out `-q`, `--format` and `--nocapture`"
    return None


def _program(argv: Sequence[str]) -> str:
    return posixpath.basename(argv[0])


CHECKS: dict[GateReport, Callable[[Sequence[str]], str | None]] = {
    GateReport.GO: _check_go,
    GateReport.UNITTEST: _check_unittest,
    GateReport.CARGO: _check_cargo,
}
