"""What a result undoes of the work that others merged since its base: pure, over three versions.

The danger is the silent one: the files merge, the gates are green, and lines that somebody added
meanwhile are gone again, or lines that somebody took out are back.  What is found is shown to a
person, who may have wanted it; nothing here decides that it is wrong.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from itertools import islice

from goal_engine.types import Frozen

ALIKE = 0.6
"""From this ratio on a line is another one edited, not a new one in its place."""
BACK_ELSEWHERE = 3
"""Lines that were taken out and stand elsewhere again from which on that is no chance."""
SAYS = re.compile(rb"[0-9A-Za-z\x80-\xff]")
LARGE = 4_000_000
"""Lines times lines above which two versions are compared as bags of lines."""
PUT = 200
"""New lines of one place among which an edited one is looked for."""
QUOTED, QUOTE = 3, 80
"""Lines that a finding repeats, and characters of each."""


class Undoing(StrEnum):
    """How merged work is undone."""

    LOST = "lost"
    """Lines that were added are gone."""
    BACK = "back"
    """Lines that were taken out are there again."""
    WHOLE = "whole"
    """The file is again what it was."""


class Undone(Frozen):
    """One place at which a result undoes what was merged."""

    path: str
    line: int
    """In the result, from 1; 0 where the file is gone."""
    how: Undoing
    count: int
    """Lines, 0 where the file has none."""
    quoted: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What is undone, where, and the first of its lines."""
        place = f"{self.path}:{self.line}" if self.line else self.path
        number = f"{self.count} line{'s' if self.count != 1 else ''}"
        said = {
            Undoing.LOST: f"{place} loses {number} that were merged since",
            Undoing.BACK: f"{place} has {number} again that were taken out since",
            Undoing.WHOLE: f"{place} is again as it was before what was merged since",
        }[self.how]
        quoted = "; ".join(f"“{line}”" for line in self.quoted)
        return f"{said}: {quoted}" if quoted else said


@dataclass(frozen=True, slots=True)
class Version:
    """A file at one moment: its mode as git has it, and its bytes."""

    mode: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Versions:
    """One file in the three trees; `None` is no file there."""

    path: str
    """In the result, or where it was last."""
    before: Version | None
    """At the base."""
    merged: Version | None
    """With the work of others."""
    after: Version | None
    """In the result."""

    @property
    def untouched(self) -> bool:
        """Whether one of the two sides did nothing to it."""
        return self.before == self.merged or self.merged == self.after


Lines = Sequence[bytes]
Block = tuple[int, int, int, int]
"""Lines of one version, from 0, the end not included, and the lines of the other in their place."""


def find_undone(files: Iterable[Versions]) -> tuple[Undone, ...]:
    """Return every place at which the results undo merged work, by path and line.

    A line that the result has elsewhere was moved, not lost.
    """
    listed = list(files)
    added = Counter[bytes]()
    for file in listed:
        if file.merged == file.after:
            continue
        added.update(Counter(_told(_split(file.after))) - Counter(_told(_split(file.merged))))
    found = [one for file in listed if not file.untouched for one in _find(file, added)]
    found += _find_back_elsewhere(listed, found)
    return tuple(sorted(set(found), key=lambda one: (one.path, one.line, one.how)))


def _find(file: Versions, added: Counter[bytes]) -> Iterator[Undone]:
    """What one file undoes; `added` are the lines that the whole change brings anywhere."""
    if file.after == file.before:
        was, now = _split(file.merged), _split(file.after)
        differs = [*_told(was), *_told(now)]
        yield Undone(
            path=file.path, line=1 if file.after else 0, how=Undoing.WHOLE, count=len(differs)
        )
        return
    before, merged, after = map(_split, (file.before, file.merged, file.after))
    if file.merged is None or _is_binary(file):
        return  # a file that was deleted and is there anew is looked at by its lines, elsewhere
    theirs, ours = list(compare(before, merged)), list(compare(merged, after))
    fewer = Counter(_told(merged)) - Counter(_told(after))
    for one in theirs:
        yield from _find_at(file, one, ours, (before, merged, after), fewer, added)


def _find_at(
    file: Versions,
    theirs: Block,
    ours: Iterable[Block],
    versions: tuple[Lines, Lines, Lines],
    gone_for_good: Counter[bytes],
    added: Counter[bytes],
) -> Iterator[Undone]:
    before, merged, after = versions
    old, first, end = before[theirs[0] : theirs[1]], theirs[2], theirs[3]
    touching = [block for block in ours if _touches(block, first, end)]
    if not touching:
        return
    gone = Counter(_told(old)) - Counter(_told(merged[first:end]))
    put = Counter(line for b in touching for line in _told(after[b[2] : b[3]]))
    taken = Counter(
        line for b in touching for line in _told(merged[max(b[0], first) : min(b[1], end)])
    )
    line = min(block[2] for block in touching) + 1 if file.after else 0
    back = gone & put - taken
    lost = (taken - put) & gone_for_good
    brings = Counter(_told(merged[first:end]))
    if back and 2 * back.total() >= gone.total() and (lost or not brings):
        yield _tell(file.path, line, Undoing.BACK, back)
        return
    new = put - taken
    lost = Counter({one: n for one, n in lost.items() if not _is_kept(one, new, added)})
    if lost:
        yield _tell(file.path, line, Undoing.LOST, lost)


def _touches(block: Block, first: int, end: int) -> bool:
    """Whether a block takes a line of a place, or stands where lines were taken out."""
    if first == end:
        return block[0] <= first <= block[1]
    return block[0] < end and first < block[1]


def _is_kept(line: bytes, put: Iterable[bytes], added: Counter[bytes]) -> bool:
    """Whether a line that is gone here was moved, or stands here with an edit."""
    return added[line] > 0 or any(_is_alike(line, other) for other in islice(put, PUT))


def _is_alike(one: bytes, other: bytes) -> bool:
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.quick_ratio() >= ALIKE and matcher.ratio() >= ALIKE


def _find_back_elsewhere(files: Sequence[Versions], known: Iterable[Undone]) -> Iterator[Undone]:
    """Lines that were taken out of one place and stand in another one again, several together."""
    told = {(one.path, one.line) for one in known}
    taken = Counter[bytes]()
    for file in files:
        if file.before != file.merged:
            gone = Counter(_told(_split(file.before))) - Counter(_told(_split(file.merged)))
            taken.update(gone)
    for file in files:
        if file.merged == file.after or file.after is None:
            continue
        for block in compare(_split(file.merged), _split(file.after)):
            put = _told(_split(file.after)[block[2] : block[3]])
            back = Counter(put) & taken
            place = (file.path, block[2] + 1)
            if back.total() >= BACK_ELSEWHERE and place not in told:
                yield _tell(*place, Undoing.BACK, back)


def _tell(path: str, line: int, how: Undoing, lines: Counter[bytes]) -> Undone:
    quoted = [text.decode("utf-8", "replace").strip()[:QUOTE] for text in lines][:QUOTED]
    return Undone(path=path, line=line, how=how, count=lines.total(), quoted=tuple(quoted))


def compare(one: Lines, other: Lines) -> Iterator[Block]:
    """Yield what differs between two versions, in order."""
    head = 0
    while head < min(len(one), len(other)) and one[head] == other[head]:
        head += 1
    tail = 0
    while tail < min(len(one), len(other)) - head and one[-1 - tail] == other[-1 - tail]:
        tail += 1
    left, right = one[head : len(one) - tail], other[head : len(other) - tail]
    if len(left) * len(right) > LARGE:
        yield head, len(one) - tail, head, len(other) - tail
        return
    for tag, a, b, c, d in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if tag != "equal":
            yield a + head, b + head, c + head, d + head


def _split(version: Version | None) -> Lines:
    return [] if version is None else version.data.replace(b"\r\n", b"\n").split(b"\n")


def _told(lines: Iterable[bytes]) -> list[bytes]:
    """The lines that say something: a bracket alone comes and goes without meaning it."""
    return [line for line in lines if SAYS.search(line)]


def _is_binary(file: Versions) -> bool:
    sides = (file.before, file.merged, file.after)
    return any(side is not None and b"\0" in side.data[:8000] for side in sides)
