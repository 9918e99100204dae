"""The server's own bare repository per workspace: every result, diff and merge happens in here.

It shares objects with the person's repository by alternates and keeps each goal's base in a pack of
its own.  Workspaces have a `.git` for the tools that look for one; the engine never consults it.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from filelock import FileLock

from goal_engine.conflicts import MergeTold, parse_merge
from goal_engine.errors import ChangeDoesNotFit, ProofRefused, RepositoryUnusable
from goal_engine.evidence import GITLINK, GoalGitEvidence, parse_diff
from goal_engine.runtime import git
from goal_engine.runtime.atomic import measure, remove_tree, sweep_left, write_atomic
from goal_engine.runtime.filesystems import check_names, folds_names
from goal_engine.runtime.inside import read_inside
from goal_engine.runtime.large_files import (
    LargeFiles,
    Pointer,
    find_unkept,
    holds,
    parse_pointer,
)
from goal_engine.runtime.owner import own_tag
from goal_engine.types import GoalId, Person

if TYPE_CHECKING:
    from goal_engine.runtime.objects import EvidenceObjects

REFS = "refs/goalproof"
REF_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")
FILE, EXECUTABLE = "100644", "100755"
ATTRIBUTES = ".gitattributes"
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""Of commits that only a merge looks at: the same ones each time."""
TREES, COMMITS = 8, 256
"""How many lists of trees, and trees of commits, are remembered."""
BUNDLED_REF = "refs/heads/goalproof"
BUNDLE_HEADERS = (b"# v2 git bundle\n", b"# v3 git bundle\n")
UNDONE = ".undone-"
"""How the name of a workspace begins that is not whole yet."""
SCRATCH = "scratch-"
BLOCK = 4096
MOST_HEADS = 20_000
"""Objects that one command line can name; with more of them nothing is collected."""
PIN = "pin.lock"
"""Our own lock there, which the kernel keeps; all the others are git's, and die with nobody."""
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
    root, git_dir, (commit, tree) = find_start(path)
    personal = git.read_personal(root)
    return CheckoutStatus(
        root=root,
        git_dir=git_dir,
        commit=commit,
        tree=tree,
        branch=git.find_branch(git_dir),
        dirty=git.list_changed(root, personal),
        operation=next(
            (OPERATIONS[mark] for mark in OPERATIONS if (git_dir / mark).exists()), None
        ),
        author=git.find_person(personal),
    )


def find_start(path: Path) -> tuple[Path, Path, tuple[str, str]]:
    """Return the root that `path` is in, its git directory, and the commit and tree of a goal made now.

    Raises as `read_checkout` does.
    """
    git.require_git()
    try:
        git_dir, bare = git.find_git_dir(path)
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
    try:
        root = git.find_top(path)
    except git.GitFailed as error:
        raise RepositoryUnusable(
            f"{path} is inside a git directory: give the folder that has the files with `-C`."
        ) from error
    head = git.find_head(git_dir)
    if head is None:
        raise RepositoryUnusable(
            f"{root} has no commits, so there is nothing to start from: make a first commit "
            '(`git add` what belongs in it, `git commit -m "Begin"`), then try again.'
        )
    return root, git_dir, head


def read_settings(checkout: Path) -> dict[str, str]:
    """Return the settings by which a checkout's files differ from what git keeps."""
    return git.find_forms(git.read_personal(checkout))


def find_left_out(checkout: Path, paths: Iterable[str]) -> tuple[str, ...]:
    """Return those of `paths` that git has and a sparse checkout leaves out."""
    return tuple(sorted(set(paths).intersection(git.list_skipped(checkout))))


@dataclass(frozen=True, slots=True)
class BranchNews:
    """A person's branch that is not where it was."""

    branch: str | None
    """`None` for a detached head, and where the branch is gone."""
    commit: str
    tree: str
    commits: int
    rewritten: bool
    """Whether what it was at is no part of it any more."""
    paths: tuple[str, ...]
    """That are different; none where that cannot be known."""


def read_news(checkout: Path, base: str, branch: str | None) -> BranchNews | None:
    """Return where a branch of the person's stands, `None` where that is `base`; changes nothing.

    Of a branch that is gone, or of none, the head of the checkout.
    """
    git_dir, _ = git.find_git_dir(checkout)
    head = git.find_commit(git_dir, f"refs/heads/{branch}") if branch else None
    if head is None:
        head, branch = git.find_commit(git_dir, "HEAD"), git.find_branch(git_dir)
    if head is None or head == git.check_oid(base):
        return None
    count = git.count_commits(git_dir, base, head)
    known = count is not None or git.find_commit(git_dir, base) is not None
    return BranchNews(
        branch=branch,
        commit=head,
        tree=git.find_tree(git_dir, head),
        commits=count or 0,
        rewritten=count is None,
        paths=git.list_changed_paths(git_dir, base, head) if known else (),
    )


@dataclass(frozen=True, slots=True)
class MergeResult:
    """A merged tree, or the paths that do not merge."""

    tree: str | None
    conflicts: tuple[str, ...] = ()
    told: MergeTold | None = None
    """What git said of them."""


class EvidenceRepository:
    """A bare repository of the server's; its methods block, and may be called from any thread."""

    def __init__(self, path: Path, common: Path) -> None:
        self.path = path
        self._common = common
        """The git directory of the person's repository that has its objects."""
        self._objects: EvidenceObjects | None = None
        self._reading = Lock()
        self._blank: dict[Path, bytes | None] = {}
        """What git makes of a new repository: its folders, and its files with their content."""
        self._sizes: dict[str, int] = {}
        """What was estimated of each tree."""
        # what an object name stands for never changes
        self._list_tree = lru_cache(TREES)(lambda oid: git.list_tree(path, git.check_oid(oid)))
        self._find_tree = lru_cache(COMMITS)(lambda oid: git.find_tree(path, git.check_oid(oid)))

    @classmethod
    def open(cls, path: Path, checkout_git_dir: Path) -> EvidenceRepository:
        """Return the repository at `path`, made if need be, that sees the checkout's objects."""
        git.require_git()
        common, wanted = git.find_common_dir(checkout_git_dir)
        if not (path / "HEAD").exists():
            git.init_bare(path, wanted)
        repository = cls(path.absolute(), common)
        if repository._format != wanted:
            raise RepositoryUnusable(
                f"{path} was made for a repository with {repository._format} names, but {common} "
                f"has {wanted} ones: remove {path} to start anew."
            )
        _point_alternates(path, common)
        repository._cut_history()
        return repository

    @classmethod
    def open_to_read(cls, path: Path, checkout_git_dir: Path) -> EvidenceRepository | None:
        """Return the repository at `path` as it is, which may be another checkout's; if there is one."""
        git.require_git()
        there = (path / "HEAD").exists()
        return cls(path.absolute(), git.find_common_dir(checkout_git_dir)[0]) if there else None

    def close(self) -> None:
        """End the process that reads objects."""
        with self._reading:
            if self._objects is not None:
                self._objects.close()
                self._objects = None

    @cached_property
    def _format(self) -> str:
        return git.find_object_format(self.path)

    # what is kept

    def sweep(self) -> int:
        """Remove what dead processes left here, git's locks too; return how many bytes it had.

        A lock does not say whose it is.  But all that works here has the repository in its
        environment, and a git that is just beginning does not get a lock that is there.
        """
        freed = sweep_left(self.path, SCRATCH)
        locks = {path: path.lstat().st_ino for path in self._find_locks()}
        if locks and not git.is_at_work(self.path):
            for path, inode in locks.items():
                with suppress(FileNotFoundError):
                    if path.lstat().st_ino == inode:
                        path.unlink()
        return freed

    def collect(self, needed: Collection[str], *, do: bool) -> int:
        """Return the bytes of objects that nothing needs any more; with `do` they go.

        With `do` it is also what the pack saves, which nobody knows before.
        What is younger than a day stays, whoever made it: it may be about to be kept.  `needed` are
        objects that count beside what is kept.  With `do`, the rest is put into one pack, each base
        whole.  For when nothing here works on a goal.
        """
        before = measure(self.path / "objects")
        heads = {git.check_oid(oid) for oid in needed} - git.list_kept(self.path)
        there = sorted(git.find_seen(self.path, sorted(heads)))
        if len(there) > MOST_HEADS:
            return 0
        if not do:
            loose = git.list_prunable(self.path, there)
            return sum(measure(self.path / "objects" / oid[:2] / oid[2:]) for oid in loose)
        with FileLock(self.path / PIN):  # a base that is pinned meanwhile cuts history too
            git.repack(self.path)
            git.prune(self.path, there)
        self._cut_history()
        return max(0, before - measure(self.path / "objects"))

    def has_tree(self, tree: str) -> bool:
        """Whether a tree can be seen from here."""
        return tree in git.find_seen(self.path, (git.check_oid(tree),))

    def drop_results(self, goal_id: GoalId, *, all_of_it: bool) -> int:
        """Keep of a goal only its bases and what was integrated, or nothing; return how many went."""
        return git.delete_refs(self.path, self._list_results(goal_id, all_of_it=all_of_it))

    def count_results(self, goal_id: GoalId, *, all_of_it: bool) -> int:
        """Return how many commits `drop_results` would let go."""
        return len(self._list_results(goal_id, all_of_it=all_of_it))

    def _list_results(self, goal_id: GoalId, *, all_of_it: bool) -> list[str]:
        prefix = f"{REFS}/{goal_id}/"
        refs = git.list_refs(self.path, prefix)
        return [
            ref
            for ref in refs
            if all_of_it or not ref.removeprefix(prefix).startswith(("base", "integrated"))
        ]

    def _find_locks(self) -> Iterator[Path]:
        for place in (self.path.glob("*.lock"), (self.path / "refs").rglob("*.lock")):
            yield from (path for path in place if path.name != PIN)

    def pin(self, commit: str, goal_id: GoalId, name: str = "base") -> None:
        """Keep `commit` as a base of the goal, whatever the person's repository throws away.

        Its files are copied into a pack; its history is not, and is cut here.  Raises
        `RepositoryUnusable` when files of it are missing, as in a partial clone, and when this file
        system has one place for two of them.
        """
        git.check_oid(commit)
        if folds_names(self.path):
            check_names(self.list_files(commit))
        if commit not in _read_shallow(self.path):
            try:
                git.pack_commit(self.path, commit)
            except git.GitFailed as error:
                raise RepositoryUnusable(
                    f"Not every file of commit {commit} is in {self._common}, which may be a "
                    "partial clone: `git fetch --refetch --no-filter` there, then try again. "
                    f"({error.paragraph})"
                ) from error
            self._cut_history(commit)
        self.keep(goal_id, name, commit)

    def _cut_history(self, *commits: str) -> None:
        """Let history end at `commits`, and where the person's own shallow clone ends."""
        ends = {*commits, *_read_shallow(self._common)}
        if not ends <= _read_shallow(self.path):
            with FileLock(self.path / PIN):
                ends |= _read_shallow(self.path)
                text = "".join(f"{oid}\n" for oid in sorted(ends))
                write_atomic(self.path / "shallow", text.encode())

    def keep(self, goal_id: GoalId, name: str, commit: str) -> None:
        """Keep `commit` as `name` of a goal."""
        if not REF_NAME.fullmatch(name):
            raise ValueError(f"{name[:80]!r} is no name for a commit of a goal")
        git.update_ref(self.path, f"{REFS}/{goal_id}/{name}", git.check_oid(commit))

    def find_kept(self, goal_id: GoalId, name: str) -> str | None:
        """Return the commit that is kept as `name` of a goal, `None` when there is none here."""
        return git.find_commit(self.path, f"{REFS}/{goal_id}/{name}")

    # workspaces

    def make_workspace(self, path: Path, commit: str) -> None:
        """Put the files of `commit` into `path`, as a clone without shared config, hooks or refs.

        It has that name only once it is whole; what a killed process left of it is `UNDONE`.  Raises
        `FileExistsError`.
        """
        if path.exists():
            raise FileExistsError(path)
        undone = path.with_name(f"{UNDONE}{path.name}")
        self.remove_workspace(undone)
        undone.mkdir(parents=True)
        index = self._fill(undone, git.check_oid(commit))
        self._forget(path)
        index.replace(self._index_of(path, commit))  # which knows each file by inode, not by path
        undone.replace(path)

    def reset_workspace(self, path: Path, commit: str) -> None:
        """Make `path` a workspace of `commit` again; what its `.gitignore` ignores may stay."""
        remove_tree(path / ".git")
        index = self._fill(path, git.check_oid(commit))
        git.clean(self.path, index, path)

    def _fill(self, path: Path, commit: str) -> Path:
        """Check out `commit` with our own git directory; return the index, which is ours too."""
        self._forget(path)
        index = self._index_of(path, commit)
        git.check_out(self.path, index, path, commit)
        own = path / ".git"
        self._begin(path, own)
        _point_alternates(own, self.path)
        shallow = _read_shallow(self._common)
        if shallow:
            (own / "shallow").write_text("".join(f"{oid}\n" for oid in sorted(shallow)))
        (own / "HEAD").write_text(f"{commit}\n", encoding="ascii")
        shutil.copy2(index, own / "index")
        return index

    def _begin(self, path: Path, own: Path) -> None:
        """Make a new repository, the second one as the first was made."""
        if not self._blank:
            git.init_workspace(path, self._format)
            self._blank = {
                made.relative_to(own): made.read_bytes() if made.is_file() else None
                for made in sorted(own.rglob("*"))
            }
            return
        own.mkdir()
        for name, content in self._blank.items():
            if content is None:
                (own / name).mkdir()
            else:
                (own / name).write_bytes(content)

    def _index_of(self, path: Path, commit: str) -> Path:
        """Return the file, beside the workspace, that says how `commit` was put into it.

        It saves reading unchanged files again.  A worker cannot hide a change from it: git compares
        the change time too, and reads what was written in the same second.
        """
        return path.with_name(f"{path.name}.{commit}.index")

    def _forget(self, path: Path) -> None:
        for index in path.parent.glob(f"{glob.escape(path.name)}.*.index"):
            index.unlink()

    def remove_workspace(self, path: Path) -> None:
        """Remove a workspace, also what a worker made unwritable."""
        self._forget(path)
        remove_tree(path)

    def snapshot(self, workspace: Path, base_commit: str, exclude: Sequence[str] = ()) -> str:
        """Return the tree of a workspace's files, without those that git ignores.

        What is at `exclude`, submodules, and the content of what Git LFS keeps, stays as it is in
        `base_commit`.  Raises `RepositoryUnusable` for a repository inside the workspace, names that
        are not UTF-8, and changed content of files that a filter would have to keep.
        """
        git.check_oid(base_commit)
        excluded = [path.strip("/") for path in exclude]
        _refuse_nested(workspace, frozenset(map(os.fsencode, excluded)))
        records = _parse_tree(self._list_tree(base_commit))
        links = [path for mode, _, path in records if mode == GITLINK]
        pointers = self._find_pointers(records)
        viewed = [path for path, pointer in pointers.items() if holds(workspace / path, pointer)]
        remembered = self._index_of(workspace, base_commit)
        with self._scratch() as scratch:
            index = scratch / "index"
            if remembered.exists():
                shutil.copy2(remembered, index)  # with its time, by which git finds racy entries
            else:
                git.read_tree(self.path, index, base_commit)
            try:
                ignored = git.find_ignored(self.path, index, workspace, excluded)
                left_out = [path for path in excluded if path not in ignored]
                git.add_all(self.path, index, workspace, [*left_out, *links, *viewed])
            except git.GitFailed as error:
                raise RepositoryUnusable(
                    f"The files in {workspace} cannot be taken as a result: {error.paragraph}"
                ) from error
            tree = git.write_tree(self.path, index)
            if tree == self._find_tree(base_commit):
                return tree
            changed = list(_parse_raw(git.list_differing(self.path, base_commit, tree)))
            same = [entry for entry in changed if _is_unchanged(workspace, *entry)]
            if any(path.endswith(ATTRIBUTES) for _, _, path in records):
                rest = [entry for entry in changed if entry not in same]
                same += self._find_as_written(workspace, base_commit, rest)
            paths = {path for _, _, path in changed}.difference(path for _, _, path in same)
            if any(
                path.endswith(ATTRIBUTES) for path in (*paths, *(name for _, _, name in records))
            ):
                same += self._find_moved(workspace, index, paths, pointers, records)
            if same:
                git.update_index(self.path, index, _render_records(same))
                tree = git.write_tree(self.path, index)
        return tree

    def _find_moved(
        self,
        workspace: Path,
        index: Path,
        paths: Iterable[str],
        pointers: Mapping[str, Pointer],
        records: Iterable[tuple[str, str, str]],
    ) -> list[tuple[str, str, str]]:
        """Return the pointers of those of `paths` at which content of LFS stands that the base has
        elsewhere.  Raises for other content that a filter would have to keep."""
        moved = []
        blobs = {path: oid for _, oid, path in records if path in pointers}
        for path, name in git.find_filters(self.path, index, sorted(paths)).items():
            file = workspace / path
            keeper = find_unkept(file, name)
            if keeper is None:
                continue
            origin = next((old for old in pointers if holds(file, pointers[old])), None)
            if origin is None:
                raise RepositoryUnusable(
                    f"{path} is new or changed, and {keeper.title} keeps its content, not git: such a "
                    "file is not taken as a result. Leave it to a commit of your own, or take it out "
                    f"of {keeper.title} in .gitattributes."
                )
            mode = EXECUTABLE if _has_mode(file, EXECUTABLE) else FILE
            moved.append((mode, blobs[origin], path))
        return moved

    def _find_pointers(self, records: Sequence[tuple[str, str, str]]) -> dict[str, Pointer]:
        """Return the files of a tree that Git LFS keeps, by its attributes."""
        told = [oid for _, oid, path in records if path.endswith(ATTRIBUTES)]
        if not any(b"filter=" in self._read(oid) for oid in told):
            return {}
        blobs = {path: oid for mode, oid, path in records if mode in (FILE, EXECUTABLE)}
        with self._scratch() as scratch:
            index = scratch / "index"
            git.update_index(self.path, index, _render_records(records))
            filters = git.find_filters(self.path, index, blobs)
        kept = (path for path, name in filters.items() if name == "lfs")
        found = ((path, parse_pointer(self._read(blobs[path]))) for path in kept)
        return {path: pointer for path, pointer in found if pointer is not None}

    def view_large_files(
        self, workspace: Path, commit: str, checkout: Path, others: Mapping[str, Pointer]
    ) -> tuple[str, ...]:
        """Put the content of what Git LFS keeps into a workspace of `commit`; return the paths that
        stay pointers.  The workspace's own git does not take that for changes."""
        viewed, absent = self.find_large_files(commit, checkout, others).view(workspace)
        index = workspace / ".git" / "index"
        if viewed and not (index.is_symlink() or index.parent.is_symlink()):
            git.assume_unchanged(self.path, index, workspace, viewed)
        return absent

    def find_large_files(
        self, tree: str, checkout: Path, others: Mapping[str, Pointer] | None = None
    ) -> LargeFiles:
        """Return the files of a tree that Git LFS keeps, and where the checkout has their content:
        under their names, or under those that `others` have."""
        records = _parse_tree(self._list_tree(tree))
        store = self._common / "lfs" / "objects"
        return LargeFiles(checkout, store, self._find_pointers(records), others or {})

    def _find_as_written(
        self, workspace: Path, base_commit: str, changed: Sequence[tuple[str, str, str]]
    ) -> list[tuple[str, str, str]]:
        """Return what stands as it was checked out: git would not always take back what it wrote
        (a file of both line ends with `eol=crlf`), and nobody changed it."""
        files = {path: mode for mode, _, path in changed if _has_mode(workspace / path, mode)}
        written = self.render(base_commit, files, {})
        untouched = {
            path for path, data in written.items() if (workspace / path).read_bytes() == data
        }
        return [entry for entry in changed if entry[2] in untouched]

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix=f"{SCRATCH}{own_tag()}-", dir=self.path) as scratch:
            yield Path(scratch)

    # results

    def commit(
        self, tree: str, parents: Sequence[str], *, author: Person, at: datetime, message: str
    ) -> str:
        """Return the commit of these values; the same values give the same commit."""
        checked = [git.check_oid(parent) for parent in parents]
        return git.commit_tree(self.path, git.check_oid(tree), checked, author, at, message)

    def merge(self, ours: str, theirs: str) -> MergeResult:
        """Merge two commits and return the tree, or the paths in conflict."""
        said = git.merge_trees(self.path, git.check_oid(ours), git.check_oid(theirs))
        told = parse_merge(said.stdout)
        return MergeResult(told.tree) if said.code == 0 else MergeResult(None, told.paths, told)

    def merge_three(self, base: str, ours: str, theirs: str) -> MergeResult:
        """Merge two commits as if `base` were what both began with, whatever their history says.

        By commits made for it: `merge-tree --merge-base` is younger than the oldest git that will do.
        """
        sides = [
            self.commit(
                self.tree_of(commit), (base,), author=git.NOBODY, at=EPOCH, message="one side"
            )
            for commit in (ours, theirs)
        ]
        return self.merge(sides[0], sides[1])

    def evidence(self, base_tree: str, tree: str) -> GoalGitEvidence:
        """Return what git says the change between two trees is."""
        records = git.diff_records(self.path, git.check_oid(base_tree), git.check_oid(tree))
        return parse_diff(base_tree, tree, records)

    def patch(self, base_tree: str, tree: str, paths: Sequence[str] = ()) -> bytes:
        """Return the change between two trees, or what it does to `paths`, as a patch."""
        return git.diff_patch(self.path, git.check_oid(base_tree), git.check_oid(tree), paths)

    def bare_patch(self, base_tree: str, tree: str, path: str) -> bytes:
        """Return what the change between two trees does to one file, without context."""
        return git.bare_patch(self.path, git.check_oid(base_tree), git.check_oid(tree), path)

    def with_content(self, tree: str, path: str, data: bytes) -> str:
        """Return `tree` with other content in a file that it has."""
        records = _parse_tree(self._list_tree(tree))
        mode = next(mode for mode, _, name in records if name == path)
        with self._scratch() as scratch:
            index = scratch / "index"
            git.read_tree(self.path, index, tree)
            record = (mode, git.write_blob(self.path, data), path)
            git.update_index(self.path, index, _render_records([record]))
            return git.write_tree(self.path, index)

    def overlay(self, base_tree: str, head_tree: str, paths: Iterable[str]) -> str:
        """Return `base_tree` with `paths` as they are in `head_tree`, gone where they are not."""
        wanted = sorted(set(paths))
        if not wanted:
            return base_tree
        records = _parse_tree(self._list_tree(head_tree))
        there = {path: (mode, oid, path) for mode, oid, path in records}
        gone = [("0", "0" * len(base_tree), path) for path in wanted]
        taken = [there[path] for path in wanted if path in there]
        with self._scratch() as scratch:
            index = scratch / "index"
            git.read_tree(self.path, index, git.check_oid(base_tree))
            git.update_index(self.path, index, _render_records([*gone, *taken]))
            return git.write_tree(self.path, index)

    def tree_of(self, commit: str) -> str:
        """Return the tree of a commit."""
        return self._find_tree(commit)

    def has_commit(self, commit: str) -> bool:
        """Whether a commit can be seen from here."""
        return git.find_commit(self.path, git.check_oid(commit)) is not None

    def list_files(self, tree: str) -> tuple[str, ...]:
        """Return the paths of a tree."""
        records = _parse_tree(self._list_tree(tree))
        return tuple(path for _, _, path in records)

    def list_links(self, tree: str) -> dict[str, str]:
        """Return the submodules of a tree: path and recorded commit."""
        records = _parse_tree(self._list_tree(tree))
        return {path: oid for mode, oid, path in records if mode == GITLINK}

    def write_files(self, index: Path, path: Path, commit: str) -> None:
        """Put the files of `commit` into `path` without a `.git`; `index` remembers them."""
        path.mkdir(parents=True, exist_ok=True)
        git.check_out(self.path, index, path, git.check_oid(commit))

    def list_touched(self, index: Path, path: Path) -> tuple[str, ...]:
        """Return the files that `write_files` put into `path` and that stand there otherwise now."""
        return git.list_touched(self.path, index, path)

    def estimate_size(self, tree: str) -> int:
        """Return about how many bytes the files of a tree take on a disk, in blocks of 4 KiB."""
        if tree not in self._sizes:
            sizes = git.list_sizes(self.path, git.check_oid(tree))
            self._sizes[tree] = sum(-(-size // BLOCK) * BLOCK for size in sizes)
        return self._sizes[tree]

    def read_blob(self, tree: str, path: str) -> bytes | None:
        """Return the content of a file of a tree or the target of a link, `None` without one."""
        git.check_oid(tree)
        with self._reading:
            return self._reader().read_blob(tree, path)

    def _read(self, oid: str) -> bytes:
        with self._reading:
            return self._reader().read(oid)

    def _reader(self) -> EvidenceObjects:
        if self._objects is None:
            from goal_engine.runtime.objects import EvidenceObjects  # GitPython is slow to load

            self._objects = EvidenceObjects(self.path)
        return self._objects

    def render(
        self, tree: str, paths: Iterable[str], settings: Mapping[str, str]
    ) -> dict[str, bytes]:
        """Return regular files of a tree as a checkout with `settings` has them.

        Line ends, encodings and `$Id$` are as the settings and the tree's own attributes say; no
        filter runs.  What is no regular file of the tree is left out.
        """
        wanted = set(paths)
        records = _parse_tree(self._list_tree(tree)) if wanted else []
        files = [path for mode, _, path in records if path in wanted and mode in (FILE, EXECUTABLE)]
        if not files:
            return {}
        with self._scratch() as scratch:
            index, top = scratch / "index", scratch / "files"
            top.mkdir()
            git.read_tree(self.path, index, tree)
            git.check_out_paths(self.path, index, top, files, settings)
            return {path: (top / path).read_bytes() for path in files}

    def find_word(self, tree: str, word: str) -> tuple[str, ...]:
        """Return the paths of the text files of a tree that have a word."""
        found = git.find_word(self.path, git.check_oid(tree), word).split(b"\0")
        prefix = len(tree) + 1
        return tuple(name.decode("utf-8", "replace")[prefix:] for name in found if name)

    # in and out

    def write_bundle(self, path: Path, commit: str, base_commit: str) -> None:
        """Write what `commit` has beyond `base_commit` as a git bundle; `git fetch` takes it."""
        pack = git.read_pack(self.path, git.check_oid(commit), [git.check_oid(base_commit)])
        sha1 = self._format == "sha1"
        header = BUNDLE_HEADERS[0] if sha1 else BUNDLE_HEADERS[1] + b"@object-format=sha256\n"
        path.write_bytes(
            header + f"-{base_commit} \n{commit} {BUNDLED_REF}\n\n".encode("ascii") + pack
        )

    def read_bundle(self, path: Path) -> str:
        """Take a bundle in and return its commit.

        Raises `ProofRefused` unless it is whole and `RepositoryUnusable` without its base.
        """
        bases, commit, pack = _parse_bundle(path)
        for base in bases:
            if not self.has_commit(base):
                raise RepositoryUnusable(
                    f"{self._common} does not have commit {base}, which {path.name} builds on: "
                    "fetch it there, or use another clone."
                )
        said = git.index_pack(self.path, pack)
        if said.code != 0:
            raise ProofRefused(f"{path} is no usable git bundle: {said.complaint}")
        if git.find_commit(self.path, commit) != commit:
            raise ProofRefused(f"{path} does not have the commit {commit} that it promises.")
        if not git.is_connected(self.path, commit, bases):
            raise ProofRefused(f"{path} lacks objects that its commit {commit} needs.")
        return commit

    def deliver(self, checkout: Path, commit: str, branch: str) -> None:
        """Make `branch` in the person's repository at `commit`: one ref, and nothing runs.

        Done before, it does nothing.  Raises `ChangeDoesNotFit` when another branch of that name is
        there or the base is there no more.
        """
        git_dir, _ = git.find_git_dir(checkout)
        there = (
            git.find_commit(git_dir, f"refs/heads/{branch}") if git.is_branch_name(branch) else ""
        )
        if there == git.check_oid(commit):
            return
        if there is not None:
            raise ChangeDoesNotFit(
                f"{branch!r} cannot be made: a branch of that name is there and is not this "
                "change, or git takes no such name. Rename or delete it, then `deliver` again."
            )
        parents = git.list_parents(self.path, commit)
        try:
            git.unpack(git_dir, git.read_pack(self.path, commit, parents))
            if not git.is_whole(git_dir, commit):
                raise git.GitFailed("its base is incomplete")
            git.create_branch(git_dir, branch, commit)
        except git.GitFailed as error:
            raise ChangeDoesNotFit(
                f"The branch {branch} could not be made in {git_dir}, which has to have "
                f"{' and '.join(parents) or 'nothing'} and no branch in its way: {error.paragraph}"
            ) from error


def has_history(workspace: Path, commit: str) -> bool:
    """Whether somebody made commits, branches or a stash in a workspace of `commit`.

    Files alone are looked at: git is not asked, since the configuration there is not ours any more.
    """
    own = workspace / ".git"
    refs = (path for path in (own / "refs").rglob("*") if not path.is_dir())
    head = own / "HEAD"
    moved = head.is_file() and head.read_text("utf-8", "replace").strip() != commit
    return moved or (own / "packed-refs").exists() or any(refs)


def has_stash(workspace: Path) -> bool:
    """Whether changes are put aside in a workspace with `git stash`."""
    own = workspace / ".git"
    packed = own / "packed-refs"
    named = packed.is_file() and " refs/stash\n" in packed.read_text("utf-8", "replace")
    return named or (own / "refs" / "stash").exists()


def create_sample_repository(path: Path, message: str) -> None:
    """Make a repository with one commit of what is in `path`."""
    git.require_git()
    git.init_sample(path, message)


def _point_alternates(git_dir: Path, source: Path) -> None:
    """Let `git_dir` see the objects of the git directory `source`."""
    target = git_dir / "objects" / "info" / "alternates"
    quoted = re.sub(r'(["\\])', r"\\\1", str(source / "objects")).replace("\n", r"\n")
    line = f'"{quoted}"\n'.encode("utf-8", "surrogateescape")
    if not target.exists() or target.read_bytes() != line:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(target, line)


def _read_shallow(git_dir: Path) -> frozenset[str]:
    """Return where history ends in a repository that does not have all of it."""
    try:
        return frozenset((git_dir / "shallow").read_text(encoding="ascii").split())
    except FileNotFoundError:
        return frozenset()


def _refuse_nested(workspace: Path, excluded: frozenset[bytes]) -> None:
    """Git would run the filters of a repository that a worker left inside the workspace."""
    top = os.fsencode(workspace)
    for folder, folders, files in os.walk(top, onerror=_refuse_hidden):
        here = folder[len(top) + 1 :]
        inside = [name for name in (*folders, *files) if name.lower() == b".git"]
        if here and inside:
            raise RepositoryUnusable(
                f"The workspace holds another git repository in {os.fsdecode(here)}; its files "
                "cannot be told apart from work, so the result is not taken. Remove "
                f"{os.fsdecode(here + b'/' + inside[0])}."
            )
        prefix = here + b"/" if here else b""
        folders[:] = [n for n in folders if prefix + n not in excluded and (here or n != b".git")]


def _refuse_hidden(error: OSError) -> None:
    raise RepositoryUnusable(
        f"{error.filename!r} in the workspace cannot be read ({error.strerror}), so the result is "
        "not taken."
    ) from error


def _parse_tree(records: bytes) -> list[tuple[str, str, str]]:
    """Return mode, object and path of each record of `ls-tree -z`."""
    parsed = []
    for record in records.decode("utf-8", "surrogateescape").split("\0"):
        if record:
            meta, _, path = record.partition("\t")
            mode, _, oid = meta.split(" ")
            parsed.append((mode, oid, path))
    return parsed


def _parse_raw(records: bytes) -> Iterator[tuple[str, str, str]]:
    """Yield mode and object of before, and the path, of each record of `diff-tree --raw -z`."""
    fields = iter(records.split(b"\0")[:-1])
    for about in fields:
        path = next(fields)
        mode, _, oid, _, _ = about[1:].decode("ascii").split(" ")
        try:
            yield mode, oid, path.decode()
        except UnicodeDecodeError as error:
            raise RepositoryUnusable(
                f"The file name {path!r} in the result is not UTF-8 and cannot be recorded; "
                "rename it."
            ) from error


def _is_unchanged(workspace: Path, mode: str, oid: str, path: str) -> bool:
    """Whether a file is byte for byte what it was: git may find that its own attributes would
    change it (line ends above all), and nobody did."""
    file = workspace / path
    if not _has_mode(file, mode):
        return False
    try:
        data = read_inside(workspace, path)
    except OSError:  # somebody who is still there swaps it
        return False
    digest = hashlib.sha1 if len(oid) == 40 else hashlib.sha256
    return digest(b"blob %d\0" % len(data) + data).hexdigest() == oid


def _has_mode(file: Path, mode: str) -> bool:
    """Whether a regular file with this mode stands there."""
    if mode not in (FILE, EXECUTABLE) or not file.is_file() or file.is_symlink():
        return False
    return bool(file.stat().st_mode & 0o100) == (mode == EXECUTABLE)


def _render_records(entries: Iterable[tuple[str, str, str]]) -> bytes:
    return b"".join(
        f"{mode} {oid}\t{path}\0".encode("utf-8", "surrogateescape") for mode, oid, path in entries
    )


def _parse_bundle(path: Path) -> tuple[list[str], str, bytes]:
    """Return the commits that a bundle builds on, its one commit and its pack."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ProofRefused(f"{path} cannot be read: {error.strerror}.") from error
    header, separator, pack = data.partition(b"\n\n")
    first, *lines = header.split(b"\n")
    if first + b"\n" not in BUNDLE_HEADERS or not separator:
        raise ProofRefused(f"{path} is no git bundle.")
    names = [line.decode("ascii", "replace") for line in lines if not line.startswith(b"@")]
    bases = [name[1:].split(" ")[0] for name in names if name.startswith("-")]
    heads = [name.split(" ")[0] for name in names if not name.startswith("-")]
    if len(heads) != 1 or not all(git.OID.fullmatch(oid) for oid in (*bases, *heads)):
        raise ProofRefused(f"{path} has to hold one commit and name what it builds on.")
    return bases, heads[0], pack
