"""unittest: the text of `python -m unittest -v`, whose own end has to agree with it."""

from __future__ import annotations

import re
from typing import NamedTuple

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
)

STARTS = re.compile(r"(\S+) \(([^\s()]+)\)(?: \.\.\. (.*))?")
WITHIN = re.compile(r"  (\S+) \(([^\s()]+)\) .*")
HEADING = re.compile(r"(FAIL|ERROR|UNEXPECTED SUCCESS): (\S+)(?: \(([^\s()]+)\))?(?: .*)?")
WORDS_OF_ONE = ("ok", "FAIL", "ERROR", "expected failure", "unexpected success")
SKIP = re.compile(r"skipped (['\"]).*\1")
RAN = re.compile(r"Ran (\d{1,9}) tests? in [\d.]+s")
VERDICT = re.compile(r"(OK|FAILED|NO TESTS RAN)(?: \(([a-z0-9=, ]*)\))?")
FIXTURES = ("setUpClass", "tearDownClass", "setUpModule", "tearDownModule")
ABSENT = ("unittest.loader._FailedTest", "unittest.loader.ModuleSkipped")
BAR = "=" * 70
KINDS = {"FAIL": FAILED, "ERROR": ERROR, "UNEXPECTED SUCCESS": FAILED}
UNEXPECTED = "unexpected successes"
COUNTED = {"FAIL": "failures", "ERROR": "errors", "UNEXPECTED SUCCESS": UNEXPECTED}


class Started(NamedTuple):
    """A test that the runner named before it ran, and the lines until the next one."""

    name: str
    where: str
    rest: str
    lines: list[str]


def read_unittest(lines: list[str]) -> Told:
    """Read `python -m unittest -v`: `module.Class::test`, its subtests being part of it.

    A fixture of a class or module that failed is an error under the name of that; so is a module
    that could not be imported.
    """
    ran, counts = find_summary(lines)
    first = next((at for at, line in enumerate(lines) if is_heading(lines, at)), len(lines))
    started = find_started(lines[:first])
    said = [(name_unittest(test.name, test.where), find_outcome(test)) for test in started]
    seen = [test for test in started if test.name not in FIXTURES]
    skips = sum(find_last_word(test).startswith("skipped") for test in seen)
    skipped = sum(count_skips(test) for test in started)
    failing: list[Failing] = []
    headings = dict.fromkeys(COUNTED.values(), 0)
    for at in range(first, len(lines)):
        heading = HEADING.fullmatch(lines[at])
        if heading is None:
            continue
        kind, name, where = heading[1], heading[2], heading[3] or ""
        test = name_unittest(name, where)
        said.append((test, KINDS[kind]))  # also one that something was printed in front of
        if is_heading(lines, at):
            headings[COUNTED[kind]] += 1
            words = shorten(quote_section(lines, at))
            failing.append(Failing(test, name, test.partition("::")[0], words))
    if not headings[UNEXPECTED]:  # before Python 3.11 these were not quoted
        happy = [test for test in started if find_last_word(test) == "unexpected success"]
        headings[UNEXPECTED] = len(happy)
        ids = [name_unittest(test.name, test.where) for test in happy]
        failing += [Failing(test, "", test, "unexpected success") for test in ids]
    found = {**headings, "skipped": skipped}
    wrong = [kind for kind, number in found.items() if counts.get(kind, 0) != number]
    if wrong or ran not in (len(seen), len(seen) - skips):  # 3.12.1 counts no test that was skipped
        told = ", ".join(f"{counts.get(kind, 0)} {kind}" for kind in found)
        have = ", ".join(f"{number} {kind}" for kind, number in found.items())
        raise BadReport(
            f"its end counts {ran} tests ({told}), and what it printed names {len(seen)} ({have}); "
            'run it with `-v`, or set `report = "exit"`'
        )
    return Told(settle(said), failing[:TOLD])


def find_summary(lines: list[str]) -> tuple[int, dict[str, int]]:
    """Return how many tests ran and the counts beside the verdict, of the one end that there is."""
    ends = [at for at, line in enumerate(lines) if RAN.fullmatch(line)]
    if len(ends) != 1:
        raise BadReport(
            "it has no end that says how many tests ran"
            if not ends
            else f"it has {len(ends)} ends that say how many tests ran, and one is the runner's"
        )
    ran = RAN.fullmatch(lines[ends[0]])
    verdict = next(
        (VERDICT.fullmatch(line) for line in lines[ends[0] + 1 : ends[0] + 3] if line), None
    )
    if ran is None or verdict is None:
        raise BadReport("it has no verdict after its number of tests")
    counts = {}
    for part in filter(None, (verdict[2] or "").split(", ")):
        kind, _, number = part.partition("=")
        if not number.isdecimal() or len(number) > 9:
            raise BadReport(f"its verdict counts {part!r}")
        counts[kind] = int(number)
    return int(ran[1]), counts


def is_heading(lines: list[str], at: int) -> bool:
    """Whether a failure is quoted from this line on."""
    return at > 0 and lines[at - 1] == BAR and HEADING.fullmatch(lines[at]) is not None


def find_started(lines: list[str]) -> list[Started]:
    """Return the tests that the runner named; one that is named again after its subtests is one."""
    found: list[Started] = []
    subtests = False
    for at, line in enumerate(lines):
        start = STARTS.fullmatch(line)
        rest = start[3] if start else None
        if start and rest and (another := STARTS.fullmatch(rest)) and another[3]:
            # before Python 3.11 nothing ends the line of a test whose subtests failed
            found.append(Started(start[1], start[2], "", []))
            start, rest = another, another[3]
        if start and rest is None and at + 1 < len(lines) and " ... " in lines[at + 1]:
            rest = lines[at + 1].rpartition(" ... ")[2]  # what stands between is its docstring
        if start is None or rest is None:
            if found:
                found[-1].lines.append(line)
                subtests = subtests or is_subtest(found[-1], line)
        elif subtests and (start[1], start[2]) == found[-1][:2]:
            found[-1].lines.append(line)
        else:
            found.append(Started(start[1], start[2], rest, []))
            subtests = False
    return found


def is_subtest(test: Started, line: str) -> bool:
    within = WITHIN.fullmatch(line)
    return within is not None and (within[1], within[2]) == (test.name, test.where)


def find_outcome(test: Started) -> str:
    """Return what stands behind a test's name; what failed and is quoted is added to it."""
    word = find_last_word(test)
    if word == "unexpected success":
        return FAILED
    return SKIPPED if word.startswith(("skipped", "expected failure")) else PASSED


def find_last_word(test: Started) -> str:
    """Return the outcome behind a test's name, which what it printed may stand before."""
    if find_word(test.rest) == test.rest:
        return test.rest
    for line in reversed([test.rest, *test.lines]):
        word = find_word(line)
        if word and not is_subtest(test, line):
            return word
    return ""


def find_word(line: str) -> str:
    """Return the outcome that a line ends with; in one pass, however long it is."""
    for word in WORDS_OF_ONE:
        if line.endswith(word):
            return word
    at = line.find("skipped ")
    quote = line[at + 8 : at + 9] if at >= 0 else ""
    return line[at:] if quote in ("'", '"') and len(line) > at + 9 and line.endswith(quote) else ""


def count_skips(test: Started) -> int:
    """Return how often the runner counted a skip here: the test's own, each of its subtests', and,
    before Python 3.11, that of a class behind it."""
    words = [find_word(line) for line in test.lines if is_subtest(test, line)]
    count = len([word for word in words if word.startswith("skipped")])
    if not find_last_word(test).startswith("skipped"):
        return count
    behind = test.lines if SKIP.fullmatch(test.rest) else ()
    return count + 1 + len([line for line in behind if SKIP.fullmatch(line)])


def name_unittest(name: str, where: str) -> str:
    """Return a test's id; since Python 3.11 its own name is part of where it is, too."""
    if where.startswith(ABSENT):
        return name_test(name, "")
    if name in FIXTURES:
        return name_test(where, "")
    return name_test(where[: -len(name) - 1] if where.endswith(f".{name}") else where, name)


def quote_section(lines: list[str], at: int) -> str:
    """Return the words of one quoted failure."""
    found = []
    for line in lines[at + 1 :]:
        if line == BAR or RAN.fullmatch(line):
            break
        found.append(line)
    return "\n".join(found).strip("-\n")
