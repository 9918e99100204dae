"""What git says a change is: parsed from bytes, never asked of a worker.

The parsers take the output of `git diff --raw --numstat -z`; running git is not done here.
"""

from __future__ import annotations

from collections.abc import Iterator

from goal_engine.types import Frozen, GitOid

GITLINK = "160000"
SYMLINK = "120000"


class ChangedFile(Frozen):
    """One path of a change.  `additions` and `deletions` are lines, 0 for binary files."""

    path: str
    old_path: str | None = None
    """Where a renamed or copied file came from."""
    status: str
    """One letter of git: A, M, D, R, C or T."""
    old_mode: str
    mode: str
    binary: bool = False
    additions: int = 0
    deletions: int = 0


class GoalGitEvidence(Frozen):
    """A change between two trees, equal to what `git diff --raw --numstat -z` prints."""

    base_tree: GitOid
    tree: GitOid
    files: tuple[ChangedFile, ...] = ()

    @property
    def additions(self) -> int:
        """Lines added in all files."""
        return sum(file.additions for file in self.files)

    @property
    def deletions(self) -> int:
        """Lines deleted in all files."""
        return sum(file.deletions for file in self.files)

    @property
    def paths(self) -> frozenset[str]:
        """Every path that the change touches, old names of renamed files too."""
        return frozenset(
            path for file in self.files for path in (file.path, file.old_path) if path is not None
        )


def parse_diff(base_tree: str, tree: str, output: bytes) -> GoalGitEvidence:
    """Return the evidence in `output`, the NUL-separated raw and numstat records of git."""
    fields = iter(output.decode("utf-8", "surrogateescape").split("\0"))
    files: dict[str, ChangedFile] = {}  # by the name that git has, which two may share when shown
    for record in fields:
        if record.startswith(":"):
            path, file = _parse_raw(record, fields)
            files[path] = file
        elif record:
            path, counted = _parse_count(record, fields)
            files[path] = files[path].changed(**counted)
    return GoalGitEvidence(base_tree=base_tree, tree=tree, files=tuple(files.values()))


def _parse_raw(record: str, fields: Iterator[str]) -> tuple[str, ChangedFile]:
    old_mode, mode, _, _, status = record[1:].split(" ")
    moved = status[0] in "RC"
    first = next(fields)
    path = next(fields) if moved else first
    return path, ChangedFile(
        path=_readable(path),
        old_path=_readable(first) if moved else None,
        status=status[0],
        old_mode=old_mode,
        mode=mode,
    )


def _parse_count(record: str, fields: Iterator[str]) -> tuple[str, dict[str, object]]:
    added, deleted, path = record.split("\t", 2)
    if not path:  # a rename: the old and the new name follow as fields of their own
        next(fields)
        path = next(fields)
    binary = added == "-"
    return path, {
        "binary": binary,
        "additions": 0 if binary else int(added),
        "deletions": 0 if binary else int(deleted),
    }


def _readable(path: str) -> str:
    """Make a path that is no UTF-8 printable and storable as JSON; git itself keeps the bytes."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
