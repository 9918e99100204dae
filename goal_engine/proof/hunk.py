"""A hunk of a change, and what its gates say of the tree without it: pure, nothing is run here.

Constrained is what a gate or a test goes red without; what nothing notices is unproven (DESIGN §8).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum

from goal_engine.evidence import GITLINK, SYMLINK, ChangedFile
from goal_engine.proof.gate import GateOutcome, GateResult, TestOutcome
from goal_engine.types import Frozen

SPAN = re.compile(rb"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@", re.MULTILINE)
RED = (TestOutcome.FAILED, TestOutcome.ERROR)
NAMED = 5
"""Tests that a sentence names."""

Span = tuple[int, int]
"""Lines from 0, the end not included."""


class HunkStanding(StrEnum):
    """What is known of a hunk."""

    CONSTRAINED = "constrained"
    """Without it a gate, or a test that passed, is red."""
    UNPROVEN = "unproven"
    """Without it all that was run stays as green as it was."""
    UNCLEAR = "unclear"
    """Without it nothing answers: tests are gone or cannot start, which shows little."""
    UNTRIED = "untried"
    """A limit was reached before."""


class Hunk(Frozen):
    """Lines that a change makes of other lines, or a whole file."""

    path: str
    old_path: str | None = None
    """Where a renamed or copied file came from."""
    base: Span = (0, 0)
    head: Span = (0, 0)
    whole: bool = False
    """A file that was made, deleted or renamed, is no text, or has another mode."""

    @property
    def place(self) -> str:
        """The file and its lines, from 1, as people say it."""
        if self.whole:
            return self.path
        first, end = self.head[0] + 1, self.head[1]
        return f"{self.path}:{first}" + (f"-{end}" if end > first else "")


class LoadBearing(Frozen):
    """A gate that needs the hunk."""

    gate: str
    tests: tuple[str, ...] = ()
    """Those that passed and do not without it; none where the gate tells none apart."""


class HunkTrial(Frozen):
    """A hunk and what was seen without it."""

    hunk: Hunk
    standing: HunkStanding
    by: tuple[LoadBearing, ...] = ()
    reason: str = ""


def is_whole(file: ChangedFile) -> bool:
    """Whether a changed file is one hunk: its lines alone do not say what was done to it."""
    plain = file.status == "M" and file.mode == file.old_mode and not file.binary
    return not plain or file.mode in (SYMLINK, GITLINK)


def find_hunks(file: ChangedFile, diff: bytes) -> tuple[Hunk, ...]:
    """Return the hunks of a file from its diff without context lines.

    One unchanged line parts two hunks: what nothing needs must not hide near what something does.
    """
    found: list[Hunk] = []
    for match in SPAN.finditer(diff):
        start, size, new, added = (int(group) if group else 1 for group in match.groups())
        found.append(Hunk(path=file.path, base=_span(start, size), head=_span(new, added)))
    return tuple(found)


def _span(start: int, size: int) -> Span:
    """Git names the line before where there is none."""
    first = start - 1 if size else start
    return first, first + size


def take_out(hunk: Hunk, base: bytes, head: bytes) -> bytes:
    """Return `head` with the lines of `base` in the place of the hunk's."""
    before, after = _split(base), _split(head)
    return b"".join(
        (*after[: hunk.head[0]], *before[slice(*hunk.base)], *after[hunk.head[1] :]),
    )


def _split(data: bytes) -> list[bytes]:
    """Lines as git counts them: a carriage return ends none."""
    lines = data.split(b"\n")
    return [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def judge_hunk(
    hunk: Hunk, now: Mapping[str, GateResult], without: Mapping[str, GateResult]
) -> HunkTrial:
    """Return what gates say of a hunk: `now` with the whole change, `without` that hunk."""
    by = tuple(_find_bearing(now, without))
    if by:
        return HunkTrial(hunk=hunk, standing=HunkStanding.CONSTRAINED, by=by, reason=_say(by))
    if not without.keys() >= now.keys():
        reason = "the limit was reached before it was tried"
        return HunkTrial(hunk=hunk, standing=HunkStanding.UNTRIED, reason=reason)
    silent = [gate for gate in now if not _says_the_same(now[gate], without[gate])]
    if silent:
        said = without[silent[0]].message or "tests that passed do not run without it"
        reason = f"gate {silent[0]} shows little: {said}"
        return HunkTrial(hunk=hunk, standing=HunkStanding.UNCLEAR, reason=reason)
    reason = f"without it nothing changes for {', '.join(now)}"
    return HunkTrial(hunk=hunk, standing=HunkStanding.UNPROVEN, reason=reason)


def _find_bearing(
    now: Mapping[str, GateResult], without: Mapping[str, GateResult]
) -> Iterator[LoadBearing]:
    for gate, said in without.items():
        passed = {t for t, outcome in now[gate].tests.items() if outcome is TestOutcome.PASSED}
        red = sorted(test for test in passed if said.tests.get(test) in RED)
        if red:
            yield LoadBearing(gate=gate, tests=tuple(red))
        elif not now[gate].tests and said.outcome is GateOutcome.FAILED and now[gate].green:
            yield LoadBearing(gate=gate)


def _says_the_same(now: GateResult, without: GateResult) -> bool:
    passed = {test for test, outcome in now.tests.items() if outcome is TestOutcome.PASSED}
    kept = all(without.tests.get(test) is TestOutcome.PASSED for test in passed)
    return kept and now.outcome is without.outcome


def _say(by: tuple[LoadBearing, ...]) -> str:
    said = []
    for bearing in by:
        more = len(bearing.tests) - NAMED
        tests = ", ".join(bearing.tests[:NAMED]) + (f" and {more} more" if more > 0 else "")
        said.append(f"gate {bearing.gate}" + (f" ({tests})" if tests else ""))
    return f"without it {' and '.join(said)} {'is' if len(by) == 1 else 'are'} red"


def count_standings(trials: tuple[HunkTrial, ...]) -> dict[HunkStanding, int]:
    """Return how many hunks stand how, those that occur, the most telling first."""
    count = {s: sum(trial.standing is s for trial in trials) for s in HunkStanding}
    return {standing: number for standing, number in count.items() if number}
