"""Reads three trees for the silent-revert check: the base, the base with others' work, the result.

What counts as undone is decided in `goal_engine.proof.undone`.
"""

from __future__ import annotations

from goal_engine.evidence import ChangedFile, GoalGitEvidence
from goal_engine.proof.undone import Undone, Version, Versions, find_undone
from goal_engine.runtime.repository import EvidenceRepository
from goal_engine.state.model import GoalState

BESIDE = 200
"""Files that others changed and the result did not, which are looked at for lines that came back."""


def find_undone_work(repository: EvidenceRepository, state: GoalState) -> tuple[str, ...]:
    """Return what a goal's tree undoes of the work between its first base and its present one.

    A sentence each; none where the base never moved.  Blocking.
    """
    if not state.moves or state.tree is None:
        return ()
    first, now = state.first_base_tree, state.created.base_tree
    return tuple(one.sentence for one in look_at_trees(repository, first, now, state.tree))


def look_at_trees(
    repository: EvidenceRepository, before: str, merged: str, after: str
) -> tuple[Undone, ...]:
    """Return what the step from `merged` to `after` undoes of the one from `before` to it; blocking."""
    theirs = repository.evidence(before, merged)
    ours = repository.evidence(merged, after)
    if not theirs.files or not ours.files:
        return ()
    trees = (before, merged, after)
    mine = [_read(repository, trees, file, theirs) for file in ours.files]
    seen = {name for file in ours.files for name in (file.path, file.old_path)}
    others = [file for file in theirs.files if file.path not in seen and file.deletions]
    beside = [_read_other(repository, trees, file) for file in others[:BESIDE]]
    return find_undone((*mine, *beside))


def _read(
    repository: EvidenceRepository,
    trees: tuple[str, str, str],
    file: ChangedFile,
    theirs: GoalGitEvidence,
) -> Versions:
    """A file that the result changed, under the names that it had in each tree."""
    before, merged, after = trees
    here = file.old_path or file.path
    other = next((one for one in theirs.files if one.path == here), None)
    was, was_mode = (here, file.old_mode)
    if other is not None:
        was, was_mode = other.old_path or other.path, other.old_mode
    return Versions(
        path=file.path,
        before=_version(repository, before, was, was_mode),
        merged=_version(repository, merged, here, file.old_mode),
        after=_version(repository, after, file.path, file.mode),
    )


def _read_other(
    repository: EvidenceRepository, trees: tuple[str, str, str], file: ChangedFile
) -> Versions:
    """A file that others alone changed: the result has it as they left it."""
    there = _version(repository, trees[1], file.path, file.mode)
    was = _version(repository, trees[0], file.old_path or file.path, file.old_mode)
    return Versions(path=file.path, before=was, merged=there, after=there)


def _version(repository: EvidenceRepository, tree: str, path: str, mode: str) -> Version | None:
    """Git gives a file that is not there a mode of zeros."""
    data = repository.read_blob(tree, path) if mode.strip("0") else None
    return None if data is None else Version(mode, data)
