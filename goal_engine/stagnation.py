"""When repairing leads nowhere, and why: each cause has a row in `CAUSES`, with its threshold.

Pure, over what the engine itself saw of each round.  A false alarm costs a person their run, so
each row asks for more than a coincidence and speaks only when the result got no better.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from statistics import median

from goal_engine.types import Frozen, GitOid

NAMED = 100
"""Failing things, files and signs that a round names at most."""
SHOWN = 3
"""Of those, what a sentence repeats."""


class Cause(StrEnum):
    """Why the rounds lead nowhere."""

    FLAKY = "flaky"
    CIRCULAR = "circular"
    EXTERNAL = "external"
    SCOPE = "scope"
    NO_PROGRESS = "no_progress"


class Round(Frozen):
    """One result that the gates said no to."""

    task: str = ""
    """The repair that made it; empty for the plan's own tasks."""
    tree: GitOid
    unmet: int = 0
    """Required gates that did not meet their bar."""
    missing: int = 0
    """Criteria for which a gate could have spoken and did not."""
    failures: int = 0
    """Failing things in all; `failing` names at most `NAMED` of them."""
    failing: tuple[str, ...] = ()
    """`gate: test`, or the gate alone where it names no test; sorted."""
    said: str = ""
    """A digest of what the failures said, without what differs on the same tree."""
    files: int = 0
    lines: int = 0
    """How much was changed of what it was made of."""
    returned: tuple[str, ...] = ()
    """Files that it changed and that are as in a round which it was not made of."""
    signs: tuple[str, ...] = ()
    """Lines of the failures that speak of the world outside; see `find_signs`."""
    unsteady: tuple[str, ...] = ()
    """Of `failing`, what said something else on the same tree."""

    @property
    def score(self) -> tuple[int, int, int]:
        """How far it is from what was asked; less is better, nothing is (0, 0, 0)."""
        return (self.unmet, self.missing, self.failures)


class Stagnation(Frozen):
    """A cause, what speaks for it, and how sure that is."""

    cause: Cause
    evidence: str
    confidence: float
    """0 to 1; `CAUSES` says from where on it counts."""


@dataclass(frozen=True, slots=True)
class Row:
    """One cause: how it is found and what is asked of it."""

    find: Callable[[Sequence[Round]], tuple[str, float] | None]
    """Returns the evidence and a confidence, `None` where there is nothing."""
    rounds: int
    """Rounds that there have to be before it can speak."""
    threshold: float
    """The confidence from which on it stops the repairs."""
    means: str
    """What it is, in words."""
    advice: str
    """What a person can do about it."""


def find_stagnation(rounds: Sequence[Round]) -> Stagnation | None:
    """Return why the rounds lead nowhere, the first cause of the table that is sure enough.

    `rounds` are those of one run, oldest first.  A last round that is better than every one
    before is progress, whatever else it looks like.
    """
    if not rounds or _is_better(rounds):
        return None
    for cause, row in CAUSES.items():
        found = row.find(rounds) if len(rounds) >= row.rounds else None
        if found is not None and found[1] >= row.threshold:
            evidence, confidence = found
            return Stagnation(cause=cause, evidence=evidence, confidence=round(confidence, 2))
    return None


def _is_better(rounds: Sequence[Round]) -> bool:
    """Whether the last round came nearer than all before it; the first alone did not."""
    before = [one.score for one in rounds[:-1]]
    return bool(before) and rounds[-1].score < min(before)


def _find_flaky(rounds: Sequence[Round]) -> tuple[str, float] | None:
    """What says yes and no to the same files cannot be repaired by changing them."""
    last = rounds[-1]
    if not last.unsteady or not last.failures:
        return None
    share = len(last.unsteady) / last.failures
    return f"said yes and no to the same files: {_list(last.unsteady)}", min(share, 1.0)


def _find_circular(rounds: Sequence[Round]) -> tuple[str, float] | None:
    """The same files give the same answer; a file that goes back and forth is half of that."""
    last, before = rounds[-1], rounds[:-1]
    same = [one for one in before if one.tree == last.tree]
    if same and same[-1] is before[-1]:
        return f"{last.task or 'the last repair'} changed nothing", 1.0
    if same:
        made = same[-1].task or "the first result"
        return f"{last.task or 'the last repair'} gave the files of {made} again", 1.0
    returned = set(last.returned)
    if returned and _was_back_before(rounds):
        return f"changed back and forth: {_list(sorted(returned))}", 0.8
    return None


def _was_back_before(rounds: Sequence[Round]) -> bool:
    """Whether one file went back twice: once is what an honest repair may do."""
    return bool(set(rounds[-1].returned) & {name for one in rounds[:-1] for name in one.returned})


def _find_external(rounds: Sequence[Round]) -> tuple[str, float] | None:
    """The same complaint about the world outside, round after round, and nothing else fails."""
    last = rounds[-1]
    if not last.signs:
        return None
    streak = 1
    for one, other in pairwise(reversed(rounds)):
        if other.signs != one.signs or other.failing != one.failing:
            break
        streak += 1
    needed = max(SIGNS[kind].rounds for kind in {sign.partition(": ")[0] for sign in last.signs})
    return f"{streak} rounds failed alike: {_list(last.signs)}", min(1.0, 0.9 * streak / needed)


def _find_scope(rounds: Sequence[Round]) -> tuple[str, float] | None:
    """Large changes that move nothing: more was taken on than can be judged at once."""
    recent = rounds[-SCOPE_WINDOW:]
    if len({one.score[:2] for one in recent}) > 1 or not _is_flat(recent):
        return None
    files, lines = median(one.files for one in recent), median(one.lines for one in recent)
    size = max(files / LARGE_FILES, lines / LARGE_LINES)
    told = (
        f"each round changed {files:g} files and {lines:g} lines (median), and as much still fails"
    )
    return told, min(1.0, size / 2 + 0.1)


def _is_flat(rounds: Sequence[Round]) -> bool:
    counts = [one.failures for one in rounds]
    return max(counts) - min(counts) <= 0.1 * max(counts)


def _find_no_progress(rounds: Sequence[Round]) -> tuple[str, float] | None:
    """What failed still fails and says the same, or fails for so long that what it says is no matter.

    The same test with another message may be a step forward: one error gone, the next one seen.
    """
    last = rounds[-1]
    streak = alike = 0
    for place, one in enumerate(reversed(rounds), start=1):
        if one.score > last.score or not set(one.failing) <= set(last.failing):
            break
        streak = place
        alike += alike == place - 1 and one.said == last.said
    confidence = min(1.0, max(0.9 * alike / ALIKE, 0.9 * streak / STREAK))
    return f"for {streak} rounds the same fails: {_list(last.failing)}", confidence


SCOPE_WINDOW = 3
LARGE_FILES, LARGE_LINES = 10, 500
"""Median changes of a round: twice as much is sure."""
ALIKE, STREAK = 3, 5
"""Rounds that fail alike, and rounds that fail at all, until that is no progress."""

CAUSES: dict[Cause, Row] = {
    Cause.FLAKY: Row(
        _find_flaky, 1, 1.0, "what fails is flaky: it says yes and no to the same files",
        "make that test steady first, or put it into quarantine",
    ),
    Cause.CIRCULAR: Row(
        _find_circular, 2, 0.8, "the repairs go in a circle",
        "say in the goal what was tried and did not work, or let another agent do it",
    ),
    Cause.EXTERNAL: Row(
        _find_external, 2, 0.9, "what fails depends on something outside of the repository",
        "install what is missing or start what is not reached, then `execute` again",
    ),
    Cause.SCOPE: Row(
        _find_scope, 3, 0.9, "the task is too large to be judged at once",
        "split the goal: one criterion and a narrow `writes` for each task",
    ),
    Cause.NO_PROGRESS: Row(
        _find_no_progress, 3, 0.9, "the repairs make no progress",
        "look at the first failure, say in the goal what is wrong, or let another agent do it",
    ),
}  # fmt: skip
"""What is looked for, in this order: the first that is sure enough is the diagnosis."""


@dataclass(frozen=True, slots=True)
class Sign:
    """How failures speak of something outside."""

    pattern: re.Pattern[str]
    rounds: int
    """Rounds it takes: a module that is missing may be the one that the goal is about."""


SIGNS: dict[str, Sign] = {
    "network": Sign(
        re.compile(
            r"(?i)connection refused|\bECONNREFUSED\b|could not resolve host|name or service not known"
            r"|temporary failure in name resolution|\bENOTFOUND\b|\bEAI_AGAIN\b|network is unreachable"
            r"|no route to host|connection timed out|\bETIMEDOUT\b|connection reset by peer"
            r"|Max retries exceeded with url|dial tcp"
        ),
        2,
    ),
    "permission": Sign(
        re.compile(r"(?i)permission denied|\bEACCES\b|operation not permitted|\bEPERM\b"), 3
    ),
    "missing": Sign(
        re.compile(
            r"(?i)No module named|Cannot find module|ERR_MODULE_NOT_FOUND|command not found"
            r"|could not find a version that satisfies|no matching distribution"
            r"|unresolved import|cannot find package|is not installed"
        ),
        3,
    ),
    "disk": Sign(re.compile(r"(?i)no space left on device|\bENOSPC\b|disk quota exceeded"), 2),
}
"""Signatures of the world outside, by kind."""

NUMBERS = re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-f]{8,64}\b|\d+")

VOLATILE = re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-f]{12,64}\b|\b\d+(?:\.\d+)?\s?(?:ms|s|seconds)\b")


def plain_words(text: str) -> str:
    """Return what a failure says without what differs from run to run: numbers and digests."""
    return NUMBERS.sub("#", " ".join(text.split()))


def steady_words(text: str) -> str:
    """Return what a failure says without what differs on the same tree: addresses and durations.

    Other numbers stay: another result is another failure.
    """
    return VOLATILE.sub("#", " ".join(text.split()))


def find_signs(lines: Iterable[str]) -> tuple[str, ...]:
    """Return the distinct lines that speak of the world outside, as `kind: words`."""
    found = {
        f"{kind}: {plain_words(line)[:160]}"
        for line in lines
        for kind, sign in SIGNS.items()
        if sign.pattern.search(line)
    }
    return tuple(sorted(found)[:NAMED])


def describe_stagnation(found: Stagnation) -> str:
    """Return a diagnosis as one sentence."""
    row = CAUSES[found.cause]
    return f"{row.means}: {found.evidence} ({found.confidence:.0%} sure)"


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"
