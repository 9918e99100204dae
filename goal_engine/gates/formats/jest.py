"""Jest and Vitest: a file of JSON, in which a file that does not load is an error of its own."""

from __future__ import annotations

import json

from goal_engine.gates.formats.told import (
    ANSI,
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
    tell_apart,
)

JEST = {
    "passed": PASSED,
    "failed": FAILED,
    **dict.fromkeys(("pending", "skipped", "todo", "disabled"), SKIPPED),
}


def read_jest(text: str, root: str) -> Told:
    """Read `--json --outputFile` of Jest, or `--reporter=json` of Vitest: `file::suite > test`.

    A file that could not be loaded is an error under its own name.
    """
    try:
        whole = json.loads(text)
        suites = whole["testResults"]
        said: list[tuple[str, str]] = []
        failing: list[Failing] = []
        taken: dict[str, int] = {}
        count = 0
        for suite in suites:
            file = find_inside(suite["name"], root)
            red = 0
            for case in suite["assertionResults"]:
                title = " > ".join([*map(str, case["ancestorTitles"]), str(case["title"])])
                if case["status"] not in JEST:
                    raise BadReport(f"it says {str(case['status'])[:40]!r} of a test")
                outcome, count = JEST[case["status"]], count + 1
                test = tell_apart(name_test(file, title), taken)
                said.append((test, outcome))
                if outcome == FAILED:
                    red += 1
                    words = "\n".join(map(str, case.get("failureMessages") or ()))
                    words = ANSI.sub("", words)
                    first = words.partition("\n")[0]
                    failing.append(Failing(test, str(case["title"]), file, shorten(words), first))
            if suite["status"] == "failed" and not red:
                test = tell_apart(name_test(file, ""), taken)
                said.append((test, ERROR))
                words = ANSI.sub("", str(suite.get("message") or ""))
                failing.append(
                    Failing(test, "", file, shorten(words), words.strip().partition("\n")[0])
                )
        total, success = whole.get("numTotalTests"), whole.get("success")
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, BadReport):
            raise
        raise BadReport(
            f"it is no JSON of Jest or Vitest: {type(error).__name__}: {error}"[:300]
        ) from error
    if isinstance(total, int) and total != count:
        raise BadReport(f"it counts {total} tests and names {count}")
    if success is True and failing:
        raise BadReport("it calls itself a success although tests failed")
    return Told(settle(said), failing[:TOLD])


def find_inside(path: str, root: str) -> str:
    """Return a path in the workspace as the repository names it."""
    path, root = path.replace("\\", "/"), root.replace("\\", "/").rstrip("/")
    inside = path[len(root) + 1 :] if path.startswith(f"{root}/") else path
    if inside.startswith("/") or ".." in inside.split("/"):
        raise BadReport(f"it speaks of a file outside the workspace, {path[-200:]!r}")
    return inside
