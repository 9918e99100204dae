"""The server's own bare repository per workspace: every result, diff and merge happens in here.

It shares objects with the person's repository by alternates and keeps each goal's base in a pack of
its own.  Workspaces have a `.git` for the tools that look for one; the engine never consults it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from goal_engine.errors import ChangeDoesNotFit, ProofRefused, RepositoryUnusable
from goal_engine.evidence import GITLINK, GoalGitEvidence, parse_diff
from goal_engine.runtime import git
from goal_engine.types import GoalId, Person

if TYPE_CHECKING:
    from goal_engine.runtime.objects import EvidenceObjects

REFS = "refs/goalproof"
OPERATIONS = {
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "BISECT_LOG": "bisect",
}
"""Files of a git directory that say what it is in the middle of."""


@dataclass(frozen=True, slots=True)
class CheckoutStatus:
    """The person's repository as it stands."""

    root: Path
    git_dir: Path
    commit: str
    tree: str
    branch: str | None
    """`None` for a detached head."""
    dirty: tuple[str, ...]
    """Changed and untracked paths, which a goal does not include."""
    operation: str | None
    """What it is in the middle of."""
    author: Person


def read_checkout(path: Path) -> CheckoutStatus:
    """Return how the repository that `path` is in stands; changes nothing in it.

    Raises `RepositoryUnusable` for a folder that work cannot start from, and `ToolMissing`.
    """
    git.require_git()
    try:
        git_dir, _, bare = git.find_git_dirs(path)
    except git.GitFailed as error:
        raise RepositoryUnusable(
            f"{path} is not in a git repository: `git init` and commit there, or give another "
            "folder with `-C`."
        ) from error
    if bare:
        raise RepositoryUnusable(
            f"{path} is a bare repository, without files to work on: clone it and give the clone "
            "with `-C`."
        )
    root = git.find_top(path)
    commit = git.find_commit(git_dir, "HEAD")
    if commit is None:
        raise RepositoryUnusable(
            f"{root} has no commits, so there is nothing to start from: commit first."
        )
    operation = next((name for mark, name in OPERATIONS.items() if (git_dir / mark).exists()), None)
    return CheckoutStatus(
        root=root,
        git_dir=git_dir,
        commit=commit,
        tree=git.find_tree(git_dir, commit),
        branch=git.find_branch(git_dir),
        dirty=git.list_changed(root),
        operation=operation,
        author=git.read_person(root),
    )


@dataclass(frozen=True, slots=True)
class MergeResult:
    """A merged tree, or the paths that do not merge."""

    tree: str | None
    conflicts: tuple[str, ...] = ()


class EvidenceRepository:
    """A bare repository of the server's; its methods block, and may be called from any thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._objects: EvidenceObjects | None = None
        self._reading = Lock()

    @classmethod
    def open(cls, path: Path, git_dir: Path) -> EvidenceRepository:
        """Return the repository at `path`, made if need be, that sees the objects of `git_dir`."""
        git.require_git()
        if not (path / "HEAD").exists():
            git.init_bare(path)
        _, common, _ = git.find_git_dirs(git_dir)
        alternates = path / "objects" / "info" / "alternates"
        alternates.parent.mkdir(parents=True, exist_ok=True)
        alternates.write_text(f"{common / 'objects'}\n", encoding="utf-8")
        return cls(path)

    def close(self) -> None:
        """End the processes that read objects."""
        with self._reading:
            if self._objects is not None:
                self._objects.close()
                self._objects = None

    # what is kept

    def pin(self, commit: str, goal_id: GoalId) -> None:
        """Keep `commit` as the goal's base, whatever the person's repository throws away."""
        git.pack_commit(self.path, commit)
        self.keep(goal_id, "base", commit)

    def keep(self, goal_id: GoalId, name: str, commit: str) -> None:
        """Keep `commit` as `name` of a goal."""
        git.update_ref(self.path, f"{REFS}/{goal_id}/{name}", commit)

    def drop_refs(self, goal_id: GoalId) -> None:
        """Keep nothing of a goal any more."""
        git.delete_refs(self.path, f"{REFS}/{goal_id}/")

    # workspaces

    def make_workspace(self, path: Path, commit: str) -> None:
        """Put the files of `commit` into `path`, as a clone without shared config, hooks or refs."""
        path.mkdir(parents=True)
        git.init_workspace(path)
        alternates = path / ".git" / "objects" / "info" / "alternates"
        alternates.parent.mkdir(parents=True, exist_ok=True)
        theirs = (self.path / "objects" / "info" / "alternates").read_text(encoding="utf-8")
        alternates.write_text(f"{self.path / 'objects'}\n{theirs}", encoding="utf-8")
        git.checkout_all(path, commit)

    def remove_workspace(self, path: Path) -> None:
        """Remove a workspace, also what a worker made unwritable."""
        for folder in (path, *(p for p in path.rglob("*") if p.is_dir() and not p.is_symlink())):
            if not folder.stat().st_mode & 0o200:
                folder.chmod(0o700)
        shutil.rmtree(path)

    def snapshot(self, workspace: Path, base_commit: str, exclude: Sequence[str] = ()) -> str:
        """Return the tree of a workspace's files, without those that git ignores and `exclude`.

        Raises `RepositoryUnusable` for a repository inside the workspace.
        """
        links = self._list_links(base_commit)
        _refuse_nested(workspace, links, exclude)
        info = self.path / "info"
        info.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="snapshot-", dir=self.path) as scratch:
            private = Path(scratch)
            _make_private(private, self.path)
            lines = [f"/{path.strip('/')}" for path in exclude] + [f"/{path}/" for path in links]
            (private / "info" / "exclude").write_text("\n".join(lines) + "\n", encoding="utf-8")
            index = private / "index"
            git.read_tree(private, index, base_commit)
            git.add_all(private, index, workspace)
            gone = [(GITLINK, oid, path) for path, oid in links.items()]
            git.update_index(private, index, _records(gone))
            return git.write_tree(private, index)

    def _list_links(self, commit: str) -> dict[str, str]:
        """Return the submodules of a commit: path to object."""
        return {
            path: oid for mode, oid, path in _parse_tree(git.list_tree(self.path, commit))
            if mode == GITLINK
        }  # fmt: skip

    # results

    def commit(
        self, tree: str, parents: Sequence[str], *, author: Person, at: datetime, message: str
    ) -> str:
        """Return the commit of these values; the same values give the same commit."""
        return git.commit_tree(self.path, tree, parents, author, at, message)

    def merge(self, ours: str, theirs: str) -> MergeResult:
        """Merge two commits and return the tree, or the paths in conflict."""
        said = git.merge_trees(self.path, ours, theirs)
        fields = said.text.split("\0")
        if said.code == 0:
            return MergeResult(fields[0])
        return MergeResult(None, tuple(dict.fromkeys(field for field in fields[1:] if field)))

    def evidence(self, base_tree: str, tree: str) -> GoalGitEvidence:
        """Return what git says the change between two trees is."""
        return parse_diff(base_tree, tree, git.diff_records(self.path, base_tree, tree))

    def patch(self, base_tree: str, tree: str) -> bytes:
        """Return the change between two trees as a patch."""
        return git.diff_patch(self.path, base_tree, tree)

    def overlay(self, base_tree: str, head_tree: str, paths: Iterable[str]) -> str:
        """Return `base_tree` with `paths` as they are in `head_tree`, gone where they are not."""
        wanted = set(paths)
        if not wanted:
            return base_tree
        there = {
            path: (mode, oid)
            for mode, oid, path in _parse_tree(git.list_tree(self.path, head_tree))
            if path in wanted
        }
        nothing = ("0", "0" * len(base_tree))
        with tempfile.TemporaryDirectory(prefix="overlay-", dir=self.path) as scratch:
            index = Path(scratch) / "index"
            git.read_tree(self.path, index, base_tree)
            entries = [(*there.get(path, nothing), path) for path in sorted(wanted)]
            git.update_index(self.path, index, _records(entries))
            return git.write_tree(self.path, index)

    def tree_of(self, commit: str) -> str:
        """Return the tree of a commit."""
        return git.find_tree(self.path, commit)

    def has_commit(self, commit: str) -> bool:
        """Whether a commit can be seen from here."""
        return git.find_commit(self.path, commit) is not None

    def list_files(self, tree: str) -> tuple[str, ...]:
        """Return the paths of a tree."""
        return tuple(path for _, _, path in _parse_tree(git.list_tree(self.path, tree)))

    def read_blob(self, tree: str, path: str) -> bytes | None:
        """Return the content of a file of a tree, `None` where there is none."""
        from goal_engine.runtime.objects import open_objects, read_blob  # costs time, needs git

        with self._reading:
            if self._objects is None:
                self._objects = open_objects(self.path)
            return read_blob(self._objects, tree, path)

    # in and out

    def write_bundle(self, path: Path, commit: str, base_commit: str) -> None:
        """Write a bundle of what `commit` has beyond `base_commit`."""
        ref = f"{REFS}/bundle/{commit}"
        git.update_ref(self.path, ref, commit)
        try:
            git.create_bundle(self.path, path, ref, base_commit)
        finally:
            git.delete_refs(self.path, ref)

    def read_bundle(self, path: Path) -> str:
        """Take a bundle in and return its commit.  Raises `ProofRefused` unless it is whole."""
        checked = git.verify_bundle(self.path, path)
        if checked.code != 0:
            words = checked.stderr.decode("utf-8", "replace").strip()[-300:]
            raise ProofRefused(f"{path.name} is no usable git bundle: {words}")
        prefix = f"{REFS}/incoming"
        try:
            git.fetch_bundle(self.path, path, prefix)
        except git.GitFailed as error:
            raise ProofRefused(f"{path.name} is no usable git bundle: {error}") from error
        commits = git.list_refs(self.path, prefix)
        if len(commits) != 1:
            raise ProofRefused(f"{path.name} holds {len(commits)} refs, expected one.")
        return commits[0]

    def deliver(self, top: Path, commit: str, branch: str) -> None:
        """Make `branch` in the person's repository at `commit`: one ref, and nothing runs.

        Raises `ChangeDoesNotFit` when another branch of that name is there.
        """
        git_dir, _, _ = git.find_git_dirs(top)
        there = git.find_commit(git_dir, f"refs/heads/{branch}")
        if there == commit:
            return
        if there is not None or not git.is_branch_name(branch):
            raise ChangeDoesNotFit(
                f"The branch {branch} is there already and is not this change: rename or delete "
                "it, then `deliver` again."
            )
        ref = f"{REFS}/delivery/{commit}"
        git.update_ref(self.path, ref, commit)
        git.add_branch(top, self.path, ref, branch)


def create_sample_repository(path: Path, message: str) -> None:
    """Make a repository with one commit of what is in `path`."""
    git.require_git()
    git.init_sample(path, message)


def _make_private(private: Path, evidence: Path) -> None:
    """A git directory of its own whose objects are the evidence's: its exclude and index are
    nobody else's, so that snapshots can be taken at the same time."""
    (private / "info").mkdir()
    (private / "refs").mkdir()
    (private / "objects").symlink_to(evidence / "objects")
    (private / "HEAD").write_text("ref: refs/heads/none\n", encoding="ascii")
    (private / "config").write_text("[core]\n\trepositoryformatversion = 0\n", encoding="ascii")


def _refuse_nested(workspace: Path, links: dict[str, str], exclude: Sequence[str]) -> None:
    """Git would run the filters of a repository that a worker left inside the workspace."""
    skipped = {path.strip("/") for path in exclude}
    for folder, folders, files in (
        workspace.walk() if hasattr(workspace, "walk") else _walk(workspace)
    ):
        here = folder.relative_to(workspace)
        folders[:] = [
            n for n in folders if not (folder / n).is_symlink() and str(here / n) not in skipped
        ]
        if here == Path():
            folders[:] = [name for name in folders if name != ".git"]
            continue
        inside = [n for n in (*folders, *files) if n.casefold() == ".git"]
        if inside and str(here) not in links:
            raise RepositoryUnusable(
                f"The workspace holds another git repository in {here}; its files cannot be told "
                "apart from work, so the result is not taken."
            )


def _walk(top: Path) -> Iterable[tuple[Path, list[str], list[str]]]:
    import os

    for folder, folders, files in os.walk(top):
        yield Path(folder), folders, files


def _parse_tree(records: bytes) -> list[tuple[str, str, str]]:
    """Return mode, object and path of each record of `ls-tree -z`."""
    parsed = []
    for record in records.decode("utf-8", "surrogateescape").split("\0"):
        if record:
            meta, _, path = record.partition("\t")
            mode, _, oid = meta.split(" ")
            parsed.append((mode, oid, path))
    return parsed


def _records(entries: Iterable[tuple[str, str, str]]) -> bytes:
    return b"".join(
        f"{mode} {oid}\t{path}\0".encode("utf-8", "surrogateescape") for mode, oid, path in entries
    )
