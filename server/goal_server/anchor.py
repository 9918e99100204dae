"""Where a goal's changes stand in a buffer: pure, so that every case is a line in a test.

Lines end as LSP says: with `\\n`, `\\r\\n` or `\\r`, and with nothing else.  How they end does not
matter to a comparison, so a checkout with other line ends than the repository has the same lines.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from functools import cached_property

NEAR = 3
"""Unchanged lines between two changes that are shown as one region."""
SMALL = 60_000
"""The most pairs of lines that are compared each with each."""
TELLING = 8
"""Characters that a block needs to be looked for elsewhere in a buffer."""

Lines = tuple[str, ...]
_END = re.compile(r"\r\n|\n|\r")


class AnchorMode(StrEnum):
    """How a changed region relates to a buffer."""

    PROPOSED = "proposed"
    """It is as the change found it."""
    PRESENT = "present"
    """The whole buffer is as the change leaves it."""
    MOVED = "moved"
    """It is as the change leaves it, in a buffer that was edited elsewhere."""
    STALE = "stale"
    """It was edited since."""


@dataclass(frozen=True, slots=True)
class Region:
    """A changed region: lines (from 0, the end not included) before and after the change."""

    base: tuple[int, int]
    head: tuple[int, int]
    additions: int
    deletions: int


@dataclass(frozen=True, slots=True)
class Change:
    """A file before and after, and the regions in which it differs, from top to bottom."""

    base: Lines
    head: Lines
    regions: tuple[Region, ...]


@dataclass(frozen=True, slots=True)
class Anchor:
    """A region's place in a buffer: lines from 0, `end` not included and above `line`."""

    mode: AnchorMode
    line: int
    end: int
    region: Region


def anchor(base: str | None, head: str | None, buffer: str) -> tuple[Anchor, ...]:
    """Return where each region of the change from `base` to `head` stands in `buffer`.

    `None` is a file that is not there; an empty buffer stands for it too.
    """
    return place(find_change(base, head), buffer)


def split_lines(text: str) -> Lines:
    """Return the lines of a text without their ends; a last line may lack its end."""
    lines = _END.split(text) if "\r" in text else text.split("\n")
    return tuple(lines if lines[-1] else lines[:-1])


def count_lines(text: str) -> int:
    """Return how many lines an editor shows, one at least."""
    return len(_END.findall(text)) + 1


def find_change(base: str | None, head: str | None) -> Change:
    """Return the change between two texts."""
    before, after = split_lines(base or ""), split_lines(head or "")
    return Change(before, after, tuple(_join(_find_regions(before, after))))


def place(change: Change, buffer: str) -> tuple[Anchor, ...]:
    """Return where each region of `change` stands in `buffer`."""
    there, last = split_lines(buffer), count_lines(buffer) - 1

    def put(mode: AnchorMode, region: Region, start: int, size: int) -> Anchor:
        line = max(0, min(start, last))
        return Anchor(mode, line, min(line + max(1, size), last + 1), region)

    if there == change.base:
        return tuple(
            put(AnchorMode.PROPOSED, region, region.base[0], region.base[1] - region.base[0])
            for region in change.regions
        )
    if there == change.head:
        return tuple(
            put(AnchorMode.PRESENT, region, region.head[0], region.head[1] - region.head[0])
            for region in change.regions
        )
    buffered = _Buffer(change, there)
    return tuple(put(mode, region, *at) for region, mode, at in buffered.find(change.regions))


class _Buffer:
    """A buffer that is neither of the two texts, compared with both."""

    def __init__(self, change: Change, there: Lines) -> None:
        self._change, self._there = change, there
        self._from_base = _match(change.base, there)
        self._from_head = _match(change.head, there)
        self._is_rather_head = self._distance(change.head, self._from_head) <= self._distance(
            change.base, self._from_base
        )

    def find(
        self, regions: Sequence[Region]
    ) -> Iterator[tuple[Region, AnchorMode, tuple[int, int]]]:
        """Yield each region with how it stands, its line and its number of lines."""
        for region in regions:
            before = self._stands(self._from_base, region.base)
            after = self._stands(self._from_head, region.head)
            if before is not None and (after is None or not self._is_rather_head):
                yield region, AnchorMode.PROPOSED, (before, region.base[1] - region.base[0])
            elif after is not None or (after := self._find_elsewhere(region)) is not None:
                yield region, AnchorMode.MOVED, (after, region.head[1] - region.head[0])
            else:
                yield region, AnchorMode.STALE, self._surround(region)

    def _distance(self, lines: Lines, matched: Sequence[int]) -> int:
        return len(lines) - 2 * sum(place >= 0 for place in matched)

    def _stands(self, matched: Sequence[int], span: tuple[int, int]) -> int | None:
        """Return where the lines of `span` stand together; for none, where their neighbours meet."""
        start, end = span
        if start < end:
            first = matched[start]
            whole = first >= 0 and all(
                matched[start + offset] == first + offset for offset in range(1, end - start)
            )
            return first if whole else None
        above = matched[start - 1] if start else -1
        below = matched[start] if start < len(matched) else len(self._there)
        meets = above + 1 == below and (above >= 0 or start == 0)
        return below if meets else None

    def _find_elsewhere(self, region: Region) -> int | None:
        """Return where a telling block stands that was moved, if it stands there once."""
        block = self._change.head[slice(*region.head)]
        if sum(len(line.strip()) for line in block) < TELLING:
            return None
        places = self._places
        rarest = min(range(len(block)), key=lambda at: len(places.get(block[at], ())))
        found = [
            start
            for number in places.get(block[rarest], ())
            for start in [number - rarest]
            if start >= 0 and self._there[start : start + len(block)] == block
        ]
        return found[0] if len(found) == 1 else None

    @cached_property
    def _places(self) -> dict[str, list[int]]:
        """Where each line of the buffer stands."""
        places: dict[str, list[int]] = {}
        for number, line in enumerate(self._there):
            places.setdefault(line, []).append(number)
        return places

    def _surround(self, region: Region) -> tuple[int, int]:
        """Return what stands between the nearest lines that are still there."""
        start, end = region.head
        kept = self._kept
        above = kept[at - 1][1] if (at := bisect_left(kept, (start,))) else -1
        below = kept[at][1] if (at := bisect_left(kept, (end,))) < len(kept) else len(self._there)
        return above + 1, below - above - 1

    @cached_property
    def _kept(self) -> list[tuple[int, ...]]:
        """Each line of the head that is still there, with its line in the buffer."""
        return [(at, to) for at, to in enumerate(self._from_head) if to >= 0]


def _find_regions(base: Lines, head: Lines) -> Iterator[Region]:
    """Yield what is not matched between two texts."""
    before = after = 0
    matched = [*enumerate(_match(base, head)), (len(base), len(head))]
    for at, to in matched:
        if to < 0:
            continue
        if at > before or to > after:
            yield Region((before, at), (after, to), to - after, at - before)
        before, after = at + 1, to + 1


def _join(regions: Iterator[Region]) -> Iterator[Region]:
    """Make one region of those that are near each other."""
    last: Region | None = None
    for region in regions:
        if last is not None and region.base[0] - last.base[1] <= NEAR:
            last = Region(
                (last.base[0], region.base[1]),
                (last.head[0], region.head[1]),
                last.additions + region.additions,
                last.deletions + region.deletions,
            )
            continue
        if last is not None:
            yield last
        last = region
    if last is not None:
        yield last


def _match(one: Lines, two: Lines) -> list[int]:
    """Return for each line of `one` its line in `two`, -1 where it has none; the order is kept.

    Lines that occur once in both divide the texts (as `git diff --patience` does), so that time
    grows with the number of lines.
    """
    matched = [-1] * len(one)
    todo = [(0, len(one), 0, len(two))]
    while todo:
        low, high, start, end = todo.pop()
        while low < high and start < end and one[low] == two[start]:
            matched[low] = start
            low, start = low + 1, start + 1
        while low < high and start < end and one[high - 1] == two[end - 1]:
            high, end = high - 1, end - 1
            matched[high] = end
        if low == high or start == end:
            continue
        fixed = _find_fixed(one, two, low, high, start, end)
        if fixed:
            for at, to in fixed:
                matched[at] = to
                todo.append((low, at, start, to))
                low, start = at + 1, to + 1
            todo.append((low, high, start, end))
        elif (high - low) * (end - start) <= SMALL:
            matcher = SequenceMatcher(None, one[low:high], two[start:end], autojunk=False)
            for at, to, size in matcher.get_matching_blocks():
                matched[low + at : low + at + size] = range(start + to, start + to + size)
    return matched


def _find_fixed(
    one: Lines, two: Lines, low: int, high: int, start: int, end: int
) -> list[tuple[int, int]]:
    """Return pairs of lines that occur once in both ranges, the most that are in order in both."""
    theirs = _find_single(two, start, end)
    pairs = [
        (at, theirs[line]) for line, at in _find_single(one, low, high).items() if line in theirs
    ]
    ends: list[int] = []
    last: list[int] = []
    before: list[int] = [-1] * len(pairs)
    for number, (_, to) in enumerate(pairs):
        length = bisect_left(ends, to)
        before[number] = last[length - 1] if length else -1
        ends[length : length + 1] = [to]
        last[length : length + 1] = [number]
    found = []
    number = last[-1] if last else -1
    while number >= 0:
        found.append(pairs[number])
        number = before[number]
    return found[::-1]


def _find_single(lines: Lines, low: int, high: int) -> dict[str, int]:
    """Return the lines of a range that occur once there, in their order."""
    found: dict[str, int] = {}
    for number in range(low, high):
        line = lines[number]
        found[line] = -1 if line in found else number
    return {line: number for line, number in found.items() if number >= 0}
