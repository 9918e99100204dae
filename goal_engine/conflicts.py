"""Where two changes do not merge: which files, how, and the lines of both sides.

Pure: parsed from the bytes of `git merge-tree -z` and of diffs without context.  What a person or an
agent is shown is bounded here, once, and says how much it leaves out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from goal_engine.types import Frozen, GitOid

FILES, REGIONS, LINES, LINE = 20, 8, 20, 200
"""Files of a conflict, places of one file on each side, lines of one place, characters of a line."""
BASE_MOVED = "base"
"""What the other side is called where no task made it: the person's own commits."""
HEAD = re.compile(rb"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
SIDE = re.compile(r"~[0-9a-f]{40}(?:[0-9a-f]{24})?(?:_\d+)?$")
"""How git calls a file that stands where the other side has a folder."""


class ConflictKind(StrEnum):
    """In which way two changes of a path cannot both be had."""

    CONTENT = "content"
    """Both changed the same lines, or both made the file."""
    DELETED = "delete/modify"
    """One side deleted what the other changed."""
    RENAMED = "rename"
    """One side moved what the other moved elsewhere, deleted, or put something in the place of."""
    MODE = "mode"
    """A file here, a link there, or another permission."""
    BINARY = "binary"
    """Both changed a file that has no lines."""
    FOLDER = "file/folder"
    """A file on one side has the name of a folder on the other."""
    SUBMODULE = "submodule"
    OTHER = "other"
    """A kind that this release does not know; git's words say it."""


KINDS: tuple[tuple[str, ConflictKind], ...] = (
    ("modify/delete", ConflictKind.DELETED),
    ("rename", ConflictKind.RENAMED),  # rename/rename, rename/delete, directory renames, collisions
    ("distinct", ConflictKind.MODE),
    ("binary", ConflictKind.BINARY),
    ("file/directory", ConflictKind.FOLDER),
    ("submodule", ConflictKind.SUBMODULE),
    ("contents", ConflictKind.CONTENT),
    ("content", ConflictKind.CONTENT),
)
"""What stands in git's short name of a conflict (merge-ort.c, `type_short_descriptions`)."""
RANK = tuple(dict.fromkeys(kind for _, kind in KINDS))
"""Of several kinds at one path the first says the most."""


@dataclass(frozen=True, slots=True)
class MergeTold:
    """What `git merge-tree` printed."""

    tree: str
    """The merged tree; with marks in it where there are conflicts."""
    paths: tuple[str, ...] = ()
    """The paths in conflict, as git names them."""
    kinds: Mapping[str, ConflictKind] | None = None
    said: Mapping[str, str] | None = None
    """Git's own sentence for each path."""

    def find_kind(self, path: str) -> ConflictKind:
        """Return the kind of conflict at a path."""
        return (self.kinds or {}).get(path, ConflictKind.OTHER)


class ConflictLines(Frozen):
    """One place of one side: lines of the common base, and what the side has there."""

    base: tuple[int, int]
    """The first line, from 1, and how many, of what both sides began with."""
    lines: tuple[int, int]
    """The same of the side itself."""
    text: tuple[str, ...] = ()
    """The side's lines, as far as they are shown."""
    gone: tuple[str, ...] = ()
    """The base's lines that they stand for, as far as they are shown."""

    @property
    def place(self) -> str:
        """The side's lines, as people say it."""
        first, count = self.lines
        if not count:
            return f"nothing after line {first}"
        return f"line {first}" if count == 1 else f"lines {first}–{first + count - 1}"


class ConflictedFile(Frozen):
    """One path that does not merge."""

    path: str
    kind: ConflictKind
    said: str = ""
    """Git's own words."""
    ours: tuple[ConflictLines, ...] = ()
    """What was there already, of the places that both sides changed."""
    theirs: tuple[ConflictLines, ...] = ()
    """What was to be merged into it."""
    more: int = 0
    """Places that are left out."""


class GoalMergeConflictEvidence(Frozen):
    """Why a result does not merge (seed: `GoalMergeConflictEvidence`)."""

    task: str
    """Whose result was to be merged."""
    others: tuple[str, ...]
    """Tasks that made the other side, or `base`."""
    base: GitOid
    """The tree that both sides began with."""
    ours: GitOid
    """The tree that was there already."""
    theirs: GitOid
    """The tree of the result."""
    files: tuple[ConflictedFile, ...]
    more: int = 0
    """Files that are left out."""


def parse_merge(output: bytes) -> MergeTold:
    """Return what `git merge-tree --write-tree -z` said, with its messages."""
    fields = iter(output.decode("utf-8", "surrogateescape").split("\0"))
    tree = next(fields)
    paths: dict[str, None] = {}
    for entry in fields:
        if not entry:
            break
        paths[entry.partition("\t")[2]] = None
    kinds: dict[str, ConflictKind] = {}
    said: dict[str, str] = {}
    for count in fields:
        if not count:
            break
        named = [next(fields) for _ in range(int(count))]
        short, message = next(fields), next(fields)
        if not short.startswith("CONFLICT"):
            continue
        kind = find_kind(short)
        for path in named:
            if path in paths and (path not in kinds or _rank(kind) < _rank(kinds[path])):
                kinds[path], said[path] = kind, " ".join(message.split())
    return MergeTold(tree, tuple(paths), kinds, said)


def find_kind(short: str) -> ConflictKind:
    """Return the kind that git's short name of a conflict means."""
    return next((kind for word, kind in KINDS if word in short), ConflictKind.OTHER)


def _rank(kind: ConflictKind) -> int:
    return RANK.index(kind) if kind in RANK else len(RANK)


def parse_lines(diff: bytes) -> tuple[ConflictLines, ...]:
    """Return the places of one file from its diff without context."""
    found: list[ConflictLines] = []
    for line in diff.split(b"\n"):
        head = HEAD.match(line)
        if head:
            start, size, new, added = (int(part) if part else 1 for part in head.groups())
            found.append(ConflictLines(base=(start, size), lines=(new, added)))
        elif found and line[:1] in (b"+", b"-"):
            name = "text" if line[:1] == b"+" else "gone"
            kept = getattr(found[-1], name)
            if len(kept) < LINES:
                found[-1] = found[-1].changed(**{name: (*kept, _readable(line[1:]))})
    return tuple(found)


def _readable(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r")[:LINE]


def find_clashing(
    ours: Sequence[ConflictLines], theirs: Sequence[ConflictLines]
) -> tuple[tuple[ConflictLines, ...], tuple[ConflictLines, ...]]:
    """Return the places of each side that touch a place of the other one."""
    return (
        tuple(one for one in ours if any(_touch(one.base, other.base) for other in theirs)),
        tuple(one for one in theirs if any(_touch(one.base, other.base) for other in ours)),
    )


def _touch(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether no unchanged line lies between two places; git names the line before an insertion."""
    (first, end), (start, stop) = _span(one), _span(other)
    return first <= stop and start <= end


def _span(place: tuple[int, int]) -> tuple[int, int]:
    start, size = place
    first = start if size else start + 1
    return first, first + size


def describe_file(
    path: str,
    told: MergeTold,
    ours: Sequence[ConflictLines],
    theirs: Sequence[ConflictLines],
) -> ConflictedFile:
    """Return what is shown of one path; `ours` and `theirs` are all that each side did to it."""
    kind = told.find_kind(path)
    if kind is ConflictKind.CONTENT:
        clashing = find_clashing(ours, theirs)
        ours, theirs = clashing if all(clashing) else (ours, theirs)
    more = max(0, len(ours) - REGIONS) + max(0, len(theirs) - REGIONS)
    return ConflictedFile(
        path=SIDE.sub("", path),
        kind=kind,
        said=(told.said or {}).get(path, ""),
        ours=tuple(ours[:REGIONS]),
        theirs=tuple(theirs[:REGIONS]),
        more=more,
    )


def name_files(paths: Iterable[str]) -> tuple[str, ...]:
    """Return paths in conflict as a person knows them, each once."""
    return tuple(dict.fromkeys(SIDE.sub("", path) for path in paths))


def say_sides(evidence: GoalMergeConflictEvidence) -> str:
    """Return in a few words whose changes do not merge."""
    return f"task {evidence.task} against {say_others(evidence.others)}"


def say_others(others: Sequence[str]) -> str:
    """Return who made the other side of a conflict."""
    if not others:
        return "what was there already"
    named = [f"task {name}" for name in others if name != BASE_MOVED]
    named += ["the commits since the goal's first base"] if BASE_MOVED in others else []
    return " and ".join(named)


def render_conflict(evidence: GoalMergeConflictEvidence) -> str:
    """Return both sides of a conflict as plain text, as an agent is told."""
    return "\n".join(_render(evidence))


def _render(evidence: GoalMergeConflictEvidence) -> Iterator[str]:
    yield f"what does not merge: {say_sides(evidence)}"
    for file in evidence.files:
        yield ""
        yield f"{file.path} ({file.kind}){f': {file.said}' if file.said else ''}"
        yield from _side(f"there now, by {say_others(evidence.others)}", file.ours)
        yield from _side(f"what {evidence.task} made of the same lines", file.theirs)
        if file.more:
            yield f"  and {file.more} more places"
    if evidence.more:
        yield f"\nand {evidence.more} more files"


def _side(who: str, places: Sequence[ConflictLines]) -> Iterator[str]:
    for place in places:
        yield f"  {who}, {place.place}:"
        yield from (f"  - {line}" for line in place.gone)
        yield from _cut(place.base[1] - len(place.gone))
        yield from (f"  + {line}" for line in place.text)
        yield from _cut(place.lines[1] - len(place.text))


def _cut(left: int) -> Iterator[str]:
    if left > 0:
        yield f"    … {left} more lines"
