"""Go: a JSON event on each line, in which a package that does not build is an error of its own."""

from __future__ import annotations

import json
import re
from typing import Any

from goal_engine.gates.formats.told import (
    ERROR,
    FAILED,
    PASSED,
    SKIPPED,
    TOLD,
    BadReport,
    Failing,
    Told,
    name_test,
    settle,
    shorten,
    worse,
)

UNBUILT = re.compile(r"FAIL\t(\S+) \[(?:build|setup) failed\]")
GO_PLACE = re.compile(r"[\w./-]+\.go:\d+:|panic: ")
GO = {"pass": PASSED, "bench": PASSED, "skip": SKIPPED, "fail": FAILED}


def read_go(lines: list[str]) -> Told:
    """Read `go test -json`: `package::Test/subtest`.

    A test that began and has no end is an error; so is, under its own name, a package that failed
    without a failing test: it could not be built, or something ended it.
    """
    said: list[tuple[str, str]] = []
    begun: dict[str, tuple[str, str]] = {}
    words: dict[str, list[str]] = {}
    packages: dict[str, str] = {}  # an error until it has an end
    loose: list[str] = []
    for line in lines:
        if not line.startswith("{"):
            unbuilt = UNBUILT.fullmatch(line)
            if unbuilt:
                packages[unbuilt[1]] = FAILED
            loose.append(line)
            continue
        event = read_event(line)
        package, test, action = event.get("Package"), event.get("Test"), event.get("Action")
        if action == "build-output":
            loose.append(str(event.get("Output", "")).rstrip("\n"))
        if not isinstance(package, str) or not isinstance(action, str):
            continue
        if not isinstance(test, str) or not test:
            packages.setdefault(package, ERROR)
            if action in GO:
                first = packages[package] == ERROR
                packages[package] = GO[action] if first else worse(packages[package], GO[action])
            elif action == "output":
                words.setdefault(package, []).append(str(event.get("Output", "")))
            continue
        name = name_test(package, test)
        packages.setdefault(package, ERROR)
        begun.setdefault(name, (package, test))
        if action in GO:
            said.append((name, GO[action]))
        elif action == "output":
            words.setdefault(name, []).append(str(event.get("Output", "")))
    outcomes = settle(said)
    for name in begun:
        outcomes.setdefault(name, ERROR)
    red = {begun[name][0] for name, outcome in outcomes.items() if outcome in (FAILED, ERROR)}
    for package, outcome in packages.items():
        if outcome in (FAILED, ERROR) and package not in red:
            outcomes[package] = ERROR
    failing: list[Failing] = []
    for name, outcome in outcomes.items():
        if outcome in (FAILED, ERROR) and len(failing) < TOLD:
            package, test = begun.get(name, (name, ""))
            text = "".join(words.get(name, ())) or "\n".join(loose)
            failing.append(Failing(name, test, package, shorten(text), find_message(text)))
    return Told(outcomes, failing)


def find_message(text: str) -> str:
    """Return the first line that names a place in a test's output, else the first of its own."""
    lines = [line.strip() for line in text.split("\n")]
    own = [line for line in lines if line and not line.startswith(("=== ", "--- "))]
    return next((line for line in own if GO_PLACE.match(line)), own[0] if own else "")


def read_event(line: str) -> dict[str, Any]:
    """Return one event of `go test -json`."""
    try:
        event = json.loads(line)
    except ValueError as error:
        raise BadReport(f"a line of it is no JSON: {line[:80]!r}") from error
    if not isinstance(event, dict):
        raise BadReport(f"a line of it is no event: {line[:80]!r}")
    return event
