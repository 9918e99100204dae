"""A change as what each file was and is to be; the same change taken out is the one turned round.

Pure: whoever reads and writes files is elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from goal_engine.evidence import GITLINK, SYMLINK, GoalGitEvidence

FILE, EXECUTABLE = "100644", "100755"
ReadBlob = Callable[[str, str], bytes | None]
"""The content of a path in a tree, `None` where there is none."""


@dataclass(frozen=True, slots=True)
class Content:
    """What stands at a path: a file's bytes or the target of a link."""

    data: bytes
    mode: str
    """As git has it: `FILE`, `EXECUTABLE` or `SYMLINK`."""

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return self.mode.startswith("100")

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return self.mode == SYMLINK


@dataclass(frozen=True, slots=True)
class FileChange:
    """One path of a change; `None` is no file."""

    path: str
    before: Content | None
    after: Content | None

    @property
    def turned_round(self) -> FileChange:
        """The change that takes this one out."""
        return FileChange(self.path, self.after, self.before)

    @property
    def sides(self) -> tuple[Content | None, Content | None]:
        """What may stand there."""
        return (self.before, self.after)


def plan_change(evidence: GoalGitEvidence, read: ReadBlob) -> tuple[FileChange, ...]:
    """Return what a change does to each file, by path.  A rename is one file gone and one made."""
    return tuple(sorted(_plan(evidence, read), key=lambda change: change.path))


def choose_forms(
    kept: Iterable[FileChange],
    written: Iterable[FileChange],
    present: Callable[[str], Content | None],
) -> tuple[FileChange, ...]:
    """Return of each change the form that the checkout's file has.

    `kept` is as git keeps files, `written` as git writes them there (other line ends, encodings, or
    files in place of links).  What a person saved in the first form stays in it.
    """
    return tuple(
        one if one == other or _stands(present(one.path), one) else other
        for one, other in zip(kept, written, strict=True)
    )


def _stands(present: Content | None, change: FileChange) -> bool:
    return present is not None and any(is_alike(present, side) for side in change.sides)


def _plan(evidence: GoalGitEvidence, read: ReadBlob) -> Iterator[FileChange]:
    base, tree = evidence.base_tree, evidence.tree
    for file in evidence.files:
        old_mode, old_path = file.old_mode, file.path
        if file.old_path is not None:
            if file.status == "R":
                yield FileChange(file.old_path, _read(read, base, file.old_path, old_mode), None)
            old_path = ""
        before = _read(read, base, old_path, old_mode) if old_path else None
        yield FileChange(file.path, before, _read(read, tree, file.path, file.mode))


def _read(read: ReadBlob, tree: str, path: str, mode: str) -> Content | None:
    data = read(tree, path)
    return None if data is None else Content(data, mode)


def find_gitlinks(evidence: GoalGitEvidence) -> tuple[str, ...]:
    """Return the submodules that a change touches: only git itself can move those."""
    return tuple(f.path for f in evidence.files if GITLINK in (f.mode, f.old_mode))


def find_misfits(
    changes: Iterable[FileChange], present: Callable[[str], Content | None]
) -> tuple[str, ...]:
    """Return the paths at which neither side of their change stands.

    Whether a file may be executed is no reason to refuse: that is put right.  Nor is an empty file
    where there is to be none: an editor makes one before it has saved the text, and nothing is lost.
    """
    return tuple(change.path for change in changes if not _fits(present(change.path), change))


def _fits(present: Content | None, change: FileChange) -> bool:
    if None in change.sides and present is not None and present.is_file and not present.data:
        return True
    return any(is_alike(present, side) for side in change.sides)


def is_alike(one: Content | None, other: Content | None) -> bool:
    """Whether two contents are the same but for the permission to execute."""
    if one is None or other is None:
        return one is other
    same = one.mode == other.mode or (one.is_file and other.is_file)
    return same and one.data == other.data
