"""What a check saw on each tree, and how far that brings its criterion.

The same rules wherever it is run again: counts and digests are compared here, once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

from pydantic import Field

from goal_engine.check import (
    Faster,
    Gone,
    GonePattern,
    Links,
    OnlyTests,
    Repeats,
    SameOutput,
)
from goal_engine.decision import Criterion, CriterionId, CriterionState
from goal_engine.proof.confidence import CONFIDENCE, say_bound
from goal_engine.proof.gate import GateStage
from goal_engine.types import Frozen, GitOid, Sha256

CHANCE = 0.01
"""How likely chance alone may make a flaky test look mended: once in a hundred idle changes."""
NAMED = 5
"""Places that a reason names."""
KEPT = 20
"""Places that are kept of what was seen on a tree."""
Standing = tuple[CriterionState, str]
S = CriterionState


class CheckSeen(Frozen):
    """What a check saw on one tree; what is not of its kind stays at the default."""

    tree: GitOid
    count: int = Field(default=0, ge=0)
    """Places where it stands, links that lead nowhere, runs that were red."""
    instead: int = Field(default=0, ge=0)
    """Places where that stands which is to be there."""
    runs: int = Field(default=0, ge=0)
    ends: tuple[int | None, ...] = ()
    """Exit codes, each once; `None` for a run that had to be killed."""
    outputs: tuple[Sha256, ...] = ()
    """Digests of what was said and written, each once, with the workspace's path left out.

    Where a secret was in it, under a key that was thrown away: only good to be compared.
    """
    millis: tuple[int, ...] = ()
    """How long each round took."""
    places: tuple[str, ...] = ()
    """The first of those places, tests or lines."""


class CheckResult(Frozen):
    """One check, done for one result."""

    criterion: CriterionId
    tree: GitOid
    seen: dict[GateStage, CheckSeen] = Field(default_factory=dict)
    look: tuple[str, ...] = ()
    """What a person has to look at before it convinces."""
    error: str = ""
    """Why it could not be done, empty where it was."""
    log: Sha256 | None = None
    """The object that holds what its commands printed."""


def judge_check(criterion: Criterion, result: CheckResult | None) -> Standing:
    """Return how far a criterion comes by what its check saw."""
    if result is None or criterion.check is None:
        return S.NOT_ADDRESSED, "it was not checked"
    if result.error:
        return S.PARTIAL, f"it could not be checked: {result.error}"
    base, now = result.seen.get(GateStage.BASELINE), result.seen.get(GateStage.PROVING)
    if base is None or now is None:
        return S.PARTIAL, "it was not checked before and after"
    state, reason = JUDGES[type(criterion.check)](criterion.check, base, now, result.seen)
    if state is S.VERIFIED and isinstance(criterion.check, Repeats) and not criterion.tests:
        said = "nobody named the test: see whether it is the one that was meant, then accept"
        return S.IMPLEMENTED_UNVERIFIED, f"{reason}; {_list(base.places)}; but {said}"
    if state is S.VERIFIED and result.look:
        return S.IMPLEMENTED_UNVERIFIED, f"{reason}; but look at {_list(result.look)}, then accept"
    return state, reason


Seen = Mapping[GateStage, CheckSeen]


def _judge_gone(check: Gone | GonePattern, base: CheckSeen, now: CheckSeen, seen: Seen) -> Standing:
    without = seen.get(GateStage.COUNTERFACTUAL)
    if now.count:
        return S.PARTIAL, f"it still stands in {_list(now.places)}"
    if not base.count:
        return S.NOT_ADDRESSED, "it stood nowhere before either"
    if isinstance(check, Gone) and check.instead and now.instead <= base.instead:
        return S.PARTIAL, f"`{check.instead}` stands nowhere that it did not stand before"
    if without is None:
        return S.IMPLEMENTED_UNVERIFIED, "it was not looked for without the change"
    if not without.count:
        said = "it stood in tests alone, and so says nothing of the code: look at it, then accept"
        return S.IMPLEMENTED_UNVERIFIED, said
    stood = f"{base.count} place{'s' * (base.count > 1)}"
    return (
        S.VERIFIED,
        f"it stood in {stood} before, in none now, and in {without.count} again without the change",
    )


def _judge_links(check: Links, base: CheckSeen, now: CheckSeen, seen: Seen) -> Standing:
    if now.count:
        return S.PARTIAL, f"it leads nowhere: {_list(now.places)}"
    if not now.runs:
        return S.NOT_ADDRESSED, f"no document that {', '.join(check.links)} names was changed"
    links = f"{now.runs} changed document{'s' * (now.runs > 1)}"
    return S.VERIFIED, f"what {links} refer{'s' * (now.runs == 1)} to is there"


def _judge_only_tests(check: OnlyTests, base: CheckSeen, now: CheckSeen, seen: Seen) -> Standing:
    if now.count:
        said = f"more than tests was changed: {_list(now.places)}: look at it, then accept"
        return S.IMPLEMENTED_UNVERIFIED, said
    return S.VERIFIED, "nothing but tests was changed"


def _judge_repeats(check: Repeats, base: CheckSeen, now: CheckSeen, seen: Seen) -> Standing:
    without, original = seen.get(GateStage.COUNTERFACTUAL), seen.get(GateStage.ORIGINAL)
    if now.count:
        said = f"red in {now.count} of {now.runs} runs: {_list(now.places)}"
        return S.PARTIAL, said
    if not now.runs:
        return S.PARTIAL, "it was not run on the result"
    if not base.count:
        more = f"ask for more than {check.runs} runs, or look and accept"
        return S.IMPLEMENTED_UNVERIFIED, f"it was not red once in {base.runs} runs before: {more}"
    if original is not None and original.count:
        said = (
            f"with the base's own tests it is still red in {original.count} of {original.runs} runs"
        )
        return S.IMPLEMENTED_UNVERIFIED, f"{said}: look at what was changed in them, then accept"
    if without is None or not without.count:
        said = "without the change to the code, but with its tests, it is not red either"
        return S.IMPLEMENTED_UNVERIFIED, f"{said}: look at the tests, then accept"
    before = f"red in {base.count} of {base.runs} runs before"
    red, runs = base.count, base.runs
    if without.tree != base.tree:  # else it is the same series
        red, runs = red + without.count, runs + without.runs
        before = f"{before} and in {without.count} of {without.runs} without the change"
    chance = chance_of_none(red, runs, now.runs)
    if chance > CHANCE:
        said = f"chance alone does that in {chance:.0%} of such series".replace("%", " %")
        more = "ask for more `runs`, or look and accept"
        return S.IMPLEMENTED_UNVERIFIED, f"{before}, in none of {now.runs} now, but {said}: {more}"
    return S.VERIFIED, f"{before}; now {say_bound(0, now.runs)}"


def _judge_same(check: SameOutput, base: CheckSeen, now: CheckSeen, seen: Seen) -> Standing:
    if len(base.outputs) > 1 or len(base.ends) > 1:
        said = "it does not say the same twice, not even before the change"
        return (
            S.IMPLEMENTED_UNVERIFIED,
            f"{said}, so there is nothing to compare: look, then accept",
        )
    if None in (*base.ends, *now.ends):
        return S.PARTIAL, "it had to be stopped"
    if base.ends != now.ends:
        return S.PARTIAL, f"it ended with {_ends(base)} before and with {_ends(now)} now"
    if base.outputs != now.outputs:
        return S.PARTIAL, f"it says something else: {_list(now.places)}"
    return S.VERIFIED, f"it says the same, and ends with {_ends(now)}, before and after"


def _judge_faster(check: Faster, base: CheckSeen, now: CheckSeen, seen: Seen) -> Standing:
    if {*base.ends, *now.ends} != {0}:
        return S.PARTIAL, f"it ended with {_ends(base)} before and with {_ends(now)} now"
    ratio, least = measure(base.millis, now.millis)
    said = f"{ratio:.2f} times as fast in {len(now.millis)} rounds in turns"
    if least is None:
        said = f"{said}, too few to bound it"
    else:
        sure = f"with {CONFIDENCE:.0%} confidence".replace("%", " %")
        said = f"{said}, at least {least:.2f} times {sure}"
    if len(base.outputs) == 1 and now.outputs != base.outputs:
        return S.PARTIAL, f"{said}, but it says something else than before: {_list(now.places)}"
    if check.ratio is None:
        return S.IMPLEMENTED_UNVERIFIED, said
    asked = f"{check.ratio:g} times was asked for"
    if least is not None and least >= check.ratio:
        return S.VERIFIED, f"{said}; {asked}"
    if ratio >= check.ratio:
        return S.IMPLEMENTED_UNVERIFIED, f"{said}; {asked}: ask for more `rounds`, or accept"
    return S.PARTIAL, f"{said}; {asked}"


JUDGES: Mapping[type[Frozen], Callable[[Any, CheckSeen, CheckSeen, Seen], Standing]] = {
    Gone: _judge_gone,
    GonePattern: _judge_gone,
    Links: _judge_links,
    OnlyTests: _judge_only_tests,
    Repeats: _judge_repeats,
    SameOutput: _judge_same,
    Faster: _judge_faster,
}


def find_differences(criterion: Criterion, said: CheckResult, found: CheckResult) -> list[str]:
    """Return in what a check that was done again differs from what a proof says of it.

    Files are the same everywhere.  What chance and machines decide is compared by what follows.
    """
    where = f"checks[{said.criterion}]"
    if bool(said.error) != bool(found.error):
        return [f"{where}.error: {said.error or 'none'} there, {found.error or 'none'} here"]
    trees = [{stage: seen.tree for stage, seen in each.seen.items()} for each in (said, found)]
    if trees[0] != trees[1]:
        return [f"{where}.seen: other trees than this change's"]
    differences = [] if said.look == found.look else [f"{where}.look: something else to look at"]
    if said.error or criterion.check is None:
        return differences
    told, tells = (COMPARED[type(criterion.check)](criterion.check, each) for each in (said, found))
    if told != tells:
        differences.append(f"{where}: {told} there, {tells} here")
    if isinstance(criterion.check, Repeats):
        differences += _find_unlikely(where, criterion.check, said, found)
    return differences


def _files(check: Any, result: CheckResult) -> str:
    """What was looked for in files: every count, and every place that is kept."""
    told = (
        f"{stage} {seen.count}/{seen.instead}/{seen.runs} {', '.join(seen.places)}".strip()
        for stage, seen in sorted(result.seen.items())
    )
    return "; ".join(told)


def _said(check: Any, result: CheckResult) -> str:
    base, now = (result.seen[stage] for stage in (GateStage.BASELINE, GateStage.PROVING))
    same = "the same" if base.outputs == now.outputs else "something else"
    return f"it says {same} and ends with {_ends(base)} and {_ends(now)}"


def _took(check: Faster, result: CheckResult) -> str:
    base, now = (result.seen[stage] for stage in (GateStage.BASELINE, GateStage.PROVING))
    ended = f"it ends with {_ends(base)} and {_ends(now)}"
    if check.ratio is None or not base.millis:
        return ended
    enough = measure(base.millis, now.millis)[0] >= check.ratio
    return f"{ended} and is {'fast' if enough else 'not fast'} enough"


def _was_red(check: Repeats, result: CheckResult) -> str:
    red = [stage for stage, seen in sorted(result.seen.items()) if seen.count]
    return f"red now and then: {', '.join(red) or 'never'}"


COMPARED: Mapping[type[Frozen], Callable[[Any, CheckResult], str]] = {
    Gone: _files,
    GonePattern: _files,
    Links: _files,
    OnlyTests: _files,
    Repeats: _was_red,
    SameOutput: _said,
    Faster: _took,
}
"""What has to be the same when a check is done again, in words."""


def _find_unlikely(where: str, check: Repeats, said: CheckResult, found: CheckResult) -> list[str]:
    """Counts may differ by chance, but not by more than chance gives."""
    unlikely = []
    for stage, seen in said.seen.items():
        here = found.seen[stage]
        if seen.runs != check.runs:
            unlikely.append(f"{where}.{stage}.runs: {seen.runs} there, {check.runs} were asked for")
        elif chance_of_more(seen.count, seen.runs, here.count, here.runs) <= CHANCE:
            unlikely.append(
                f"{where}.{stage}: red in {seen.count} of {seen.runs} runs there, in {here.count} of"
                f" {here.runs} here"
            )
    return unlikely


def chance_of_more(red: int, runs: int, other: int, others: int) -> float:
    """Return how likely at least `red` of all red runs fall among `runs`, by chance alone."""
    every = red + other
    ways = (math.comb(runs, k) * math.comb(others, every - k) for k in range(red, every + 1))
    return sum(ways) / math.comb(runs + others, every)


def chance_of_none(red: int, before: int, after: int) -> float:
    """Return how likely none of `after` runs is among `red` red ones of all, by chance alone.

    Fisher's exact test, one-sided: the red runs fall anywhere among `before` + `after` runs.
    """
    return math.comb(before, red) / math.comb(before + after, red)


def measure(before: tuple[int, ...], after: tuple[int, ...]) -> tuple[float, float | None]:
    """Return how many times as fast `after` is, and the bound below with `CONFIDENCE`.

    Each round gives the ratio of two neighbours in time, so that a busy machine slows both.  The bound is the
    sign test's: the true median lies below the k smallest of n ratios no more often than allowed.
    `None` where so few rounds bound nothing.
    """
    ratios = sorted(max(old, 1) / max(new, 1) for old, new in zip(before, after, strict=True))
    below = 0.0
    least = None
    for rank, ratio in enumerate(ratios):
        below += math.comb(len(ratios), rank) / 2 ** len(ratios)
        if below > 1 - CONFIDENCE:
            break
        least = ratio
    return max(median(before), 1) / max(median(after), 1), least


def _ends(seen: CheckSeen) -> str:
    return "/".join("a kill" if end is None else str(end) for end in seen.ends) or "nothing"


def _list(places: tuple[str, ...]) -> str:
    more = f" and {len(places) - NAMED} more" if len(places) > NAMED else ""
    return f"{', '.join(places[:NAMED])}{more}"
