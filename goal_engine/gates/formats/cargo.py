"""Cargo: the text of libtest, one test program after the other, each by its source."""

from __future__ import annotations

import re
from collections.abc import Iterator
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
    tell_apart,
)

RUNNING = re.compile(r" *Running (?:unittests )?(\S[^()]*) \(([^()]+)\)")
HASH = re.compile(r"(-[0-9a-f]{16})?(\.exe)?$")
DOC_TESTS = re.compile(r" *Doc-tests (\S+)")
BEGINS = re.compile(r"running (\d{1,9}) tests?")
LIBTEST = re.compile(r"test (\S.*?) \.\.\. ?(.*)")
SAYS = re.compile(r"(ok|FAILED|ignored|bench:)(?:,? .*)?")
SAYS_LAST = re.compile(r".*?(ok|FAILED|ignored)(?: <[\d.]+m?s>)?")
ENDS = re.compile(
    r"test result: (?:ok|FAILED)\. (\d+) passed; (\d+) failed; (\d+) ignored; (\d+) measured; .*"
)
RERUN = re.compile(r"error: (?:doc)?test failed, to rerun pass ")
LINE_NUMBER = re.compile(r" \(line \d+\)")
BROKEN_OFF = "it ended before its result"
RUST = {"ok": PASSED, "bench:": PASSED, "FAILED": FAILED, "ignored": SKIPPED}


class Program(NamedTuple):
    """The part of the output that one test program printed after `running N tests`."""

    group: str
    wanted: int
    said: list[tuple[str, str]]


def read_cargo(lines: list[str]) -> Told:
    """Read `cargo test`: `program::test`, where a program is called by its source.

    What does not compile gives no tests.  A program that ended before its result is an error under
    its own name.
    """
    said: list[tuple[str, str]] = []
    failing: list[Failing] = []
    groups: dict[str, int] = {}
    headers: set[str] = set()
    failed: set[str] = set()
    group, program, quoting, pending = "", None, False, ""
    for number, line in enumerate(lines):
        if group or line.startswith(" "):
            header = RUNNING.fullmatch(line) or DOC_TESTS.fullmatch(line)
            if header and not quoting:
                if program is not None:
                    said.extend(break_off(program))
                    if group not in failed:
                        failing.append(Failing(program.group, "", program.group, BROKEN_OFF))
                if line.strip() in headers:
                    raise BadReport(f"it begins twice with {line.strip()[:200]!r}")
                headers.add(line.strip())
                group, program, pending = tell_apart(name_program(header), groups), None, ""
                continue
        if RERUN.search(line) and not quoting and group and group not in failed:
            said.append((name_test(group, ""), ERROR))  # whatever end was printed is not libtest's
            failing.append(Failing(name_test(group, ""), "", group, BROKEN_OFF))
            failed.add(group)
        begins = BEGINS.fullmatch(line)
        if begins and program is None:
            if not group:
                raise BadReport("it does not say which program the tests are in; leave out `-q`")
            program, quoting, pending = Program(group, int(begins[1]), []), False, ""
        elif program is None:
            if ENDS.fullmatch(line) or (group and LIBTEST.fullmatch(line)):
                raise BadReport(
                    f"{group or 'a program'} says more after its end, or before its start"
                )
        elif ENDS.fullmatch(line) and (not quoting or is_end(lines, number, program)):
            closed = close(program, line)
            said.extend(closed)
            if FAILED in (outcome for _, outcome in closed):
                failed.add(group)
            program, quoting = None, False
        elif line == "failures:" and not quoting and len(program.said) >= program.wanted:
            quoting = True
            failing.extend(quote_failures(lines, number, program))
        elif not quoting:
            pending = hear(program, line, pending)
    if program is not None and quoting:
        raise BadReport(f"{program.group} quotes failures that do not fit to its tests")
    if program is not None:
        said.extend(break_off(program))
        if group not in failed:
            failing.append(Failing(program.group, "", program.group, BROKEN_OFF))
    return Told(settle(said), failing[:TOLD])


def name_program(header: re.Match[str]) -> str:
    """Return what a test program is called: its source, and its crate where that is not the same."""
    if header.re is DOC_TESTS:
        return f"{header[1]} doc"
    source, crate = header[1], HASH.sub("", re.split(r"[\\/]", header[2])[-1])
    source = source.replace("\\", "/")
    stem = source.rpartition("/")[2].partition(".")[0].replace("-", "_")
    return source if stem == crate else f"{crate} {source}"


def hear(program: Program, line: str, pending: str) -> str:
    """Take in one line of a program; return the test whose outcome is still to come.

    With one thread, a test's name stands there before it runs and its outcome after what it printed.
    """
    started = LIBTEST.fullmatch(line)
    if started:
        name, rest = started[1], started[2]
        says = SAYS.fullmatch(rest)
        if says:
            program.said.append((name_libtest(name), RUST[says[1]]))
            return ""
        return name
    says = SAYS_LAST.fullmatch(line) if pending else None
    if says:
        program.said.append((name_libtest(pending), RUST[says[1]]))
        return ""
    return pending


def name_libtest(name: str) -> str:
    """Return a test's name without what moves: the line of an example in the documentation."""
    return LINE_NUMBER.sub("", name.replace(" - should panic", ""))


def close(program: Program, line: str) -> list[tuple[str, str]]:
    """Return what the tests of a program said, once its own counts agree."""
    end = ENDS.fullmatch(line)
    assert end is not None
    passed, failed, ignored, measured = map(int, end.groups())
    outcomes = [outcome for _, outcome in program.said]
    counts = (passed + measured, failed, ignored)
    found = tuple(outcomes.count(outcome) for outcome in (PASSED, FAILED, SKIPPED))
    if sum(counts) != program.wanted or counts != found:
        raise BadReport(
            f"{program.group} counts {counts[0]} passed, {counts[1]} failed, {counts[2]} ignored of "
            f"{program.wanted}, and what it printed names {found[0]}, {found[1]}, {found[2]}; leave "
            'out `-q` and `--nocapture`, or set `report = "exit"`'
        )
    return list(find_said(program))


def break_off(program: Program) -> list[tuple[str, str]]:
    """Return what is known of a program that ended before its result."""
    return [*find_said(program), (name_test(program.group, ""), ERROR)]


def find_said(program: Program) -> Iterator[tuple[str, str]]:
    """Yield what the tests of a program said.

    The second program of a name, of another crate, also counts for the first: a header that a test
    printed must not put its own words in the place of the real ones.
    """
    taken: dict[str, int] = {}
    first, number, _ = program.group.partition("#")
    for name, outcome in program.said:
        unique = tell_apart(name, taken)
        yield name_test(program.group, unique), outcome
        if number:
            yield name_test(first, unique), outcome


def is_end(lines: list[str], number: int, program: Program) -> bool:
    """Whether the list of failing tests stands right above a result, as only libtest knows it.

    What a failing test printed is repeated before, and may look like anything.
    """
    above = number - 1
    while above > 0 and not lines[above]:
        above -= 1
    names = []
    while above > 0 and lines[above].startswith("    "):
        names.append(name_libtest(lines[above].strip()))
        above -= 1
    red = [name for name, outcome in program.said if outcome == FAILED]
    return lines[above] == "failures:" and sorted(names) == sorted(red)


def is_panic(line: str) -> bool:
    """Whether the message of a panic stands on the next line."""
    return line.startswith("thread ") and " panicked at " in line and line.endswith(":")


def quote_failures(lines: list[str], number: int, program: Program) -> list[Failing]:
    """Return what libtest repeats of each failing test, from `failures:` on."""
    found: dict[str, list[str]] = {}
    red = {name for name, outcome in program.said if outcome == FAILED}
    here: list[str] = []
    rest = range(number + 1, len(lines))
    end = next(
        (at for at in rest if ENDS.fullmatch(lines[at]) and is_end(lines, at, program)), len(lines)
    )
    while end > number + 1 and lines[end - 1] != "failures:":
        end -= 1
    for line in lines[number + 1 : end - 1]:
        if line.startswith("---- ") and line.endswith(" stdout ----"):
            name = name_libtest(line[5:-12])
            here = found.setdefault(name, []) if name in red else here
        else:
            here.append(line)
    return [
        Failing(
            name_test(program.group, name),
            name,
            program.group,
            shorten("\n".join(said)),
            next((said[at + 1] for at, line in enumerate(said[:-1]) if is_panic(line)), ""),
        )
        for name, said in found.items()
    ]
