"""The files of submodules, for gates that need them: from the checkout's own, at the recorded commit.

A workspace has the gitlink and no repository there.  What is viewed is what the goal's commit
records, whatever the submodule's folder in the checkout has checked out; nothing is fetched.  A goal
changes one repository, so what a worker does to these files is refused, not dropped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from goal_engine.errors import RepositoryUnusable
from goal_engine.runtime.git import find_git_dir
from goal_engine.runtime.repository import EvidenceRepository

STORE = "submodules"
"""The folder of our repositories for them, in the state directory of a workspace."""
DEEPEST = 8
"""Submodules within submodules that are followed."""


@dataclass(frozen=True, slots=True)
class SubmoduleView:
    """One submodule of a commit, as a checkout has it."""

    path: str
    commit: str
    repository: EvidenceRepository | None
    """Has the commit; `None` where the checkout does not."""
    missing: str = ""
    """Why that is so, and what would change it."""


@dataclass(frozen=True, slots=True)
class Submodules:
    """The submodules of a commit: those of one checkout, through repositories of ours in `store`."""

    checkout: Path
    store: Path
    links: Mapping[str, str]
    """Path and recorded commit; no task changes them, so they are those of the whole goal."""
    _found: list[SubmoduleView] = field(default_factory=list)

    @classmethod
    def of(
        cls, repository: EvidenceRepository, tree: str, checkout: Path, state_dir: Path
    ) -> Submodules:
        """Return the submodules of a tree."""
        return cls(checkout, state_dir / STORE, repository.list_links(tree))

    def find(self) -> tuple[SubmoduleView, ...]:
        """Return all of them, those inside another after it; asked of git once.  Blocking."""
        if self.links and not self._found:
            self._found.extend(self._walk(self.links))
        return tuple(self._found)

    def view(self, workspace: Path) -> tuple[SubmoduleView, ...]:
        """Write their files into a workspace, once: what a person did there afterwards stays.

        Raises `RepositoryUnusable` where a link stands in the way, or a file cannot be written.
        """
        views, manifest = self.find(), _manifest_of(workspace)
        if views and not manifest.exists():
            there = {}
            for number, view in enumerate(view for view in views if view.repository):
                assert view.repository is not None
                _check_place(workspace, view.path)
                index = workspace.with_name(f"{workspace.name}.submodule-{number}.index")
                view.repository.write_files(index, workspace / view.path, view.commit)
                there[view.path] = index.name
            manifest.write_text(json.dumps(there), encoding="ascii")
        return views

    def _walk(
        self, links: Mapping[str, str], above: str = "", depth: int = 0
    ) -> Iterator[SubmoduleView]:
        for name, commit in links.items():
            view = self._look(f"{above}{name}", commit)
            yield view
            if view.repository is not None and depth < DEEPEST:
                inside = view.repository.list_links(commit)
                yield from self._walk(inside, f"{view.path}/", depth + 1)

    def _look(self, path: str, commit: str) -> SubmoduleView:
        folder = self.checkout / path
        update = f"`git submodule update --init --recursive -- {path}` in the checkout brings it"
        if not (folder / ".git").exists() or _leads_away(self.checkout, path):
            return SubmoduleView(path, commit, None, f"it is not checked out: {update}")
        place = self.store / hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()
        try:
            repository = EvidenceRepository.open(place, find_git_dir(folder)[0])
        except RepositoryUnusable as error:
            return SubmoduleView(path, commit, None, f"it cannot be read: {error.paragraph}")
        if not repository.has_commit(commit):
            said = f"the checkout does not have its commit {commit[:12]}: {update}"
            return SubmoduleView(path, commit, None, said)
        return SubmoduleView(path, commit, repository)


def list_touched(repository: EvidenceRepository, workspace: Path) -> tuple[str, ...]:
    """Return the files of viewed submodules that stand otherwise, or not at all, in a workspace."""
    manifest = _manifest_of(workspace)
    there = json.loads(manifest.read_text(encoding="ascii")) if manifest.exists() else {}
    return tuple(
        f"{path}/{name}"
        for path, index in there.items()
        for name in repository.list_touched(workspace.with_name(index), workspace / path)
    )


def describe_views(views: Iterable[SubmoduleView]) -> tuple[str, ...]:
    """Return what a person should know of the submodules of a workspace, a sentence each."""
    here = [f"{view.path} at {view.commit[:12]}" for view in views if view.repository]
    told = [f"submodules as the commit records them: {', '.join(here)}"] if here else []
    return (*told, *describe_missing(views))


def describe_missing(views: Iterable[SubmoduleView]) -> tuple[str, ...]:
    """Return which submodules no workspace has, and what to do about it, a sentence each."""
    return tuple(
        f"workspaces have no files of submodule {view.path}, which gates may need: {view.missing}"
        for view in views
        if view.missing
    )


def _manifest_of(workspace: Path) -> Path:
    """Where it stands what was viewed: beside the workspace, and gone with it like its indexes."""
    return workspace.with_name(f"{workspace.name}.submodules.index")


def _check_place(workspace: Path, path: str) -> None:
    if _leads_away(workspace, path) or (workspace / path).is_file():
        raise RepositoryUnusable(
            f"The submodule {path} has no place of its own in {workspace}: something else stands there."
        )


def _leads_away(top: Path, path: str) -> bool:
    """Whether a link stands on the way to a path, or at it."""
    parts = Path(path).parts
    return any(top.joinpath(*parts[:count]).is_symlink() for count in range(1, len(parts) + 1))
