"""How the person's checkout writes what git keeps: line ends, encodings, links that are files.

Git keeps one form and writes another where attributes or `core.autocrlf`, `core.eol` and
`core.symlinks` say so.  A change is made to what is written, in the form that it is written in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from goal_engine.delivery.change import FILE, Content, FileChange, ReadBlob
from goal_engine.evidence import GoalGitEvidence
from goal_engine.runtime.repository import EvidenceRepository, read_settings

FALSE = frozenset({"false", "no", "off", "0", ""})
"""What git takes for no."""


@dataclass(frozen=True, slots=True)
class Forms:
    """The files of a change as one checkout writes them."""

    written: Mapping[tuple[str, str], bytes]
    """By tree and path: the regular files."""
    otherwise: ReadBlob
    has_links: bool
    """Whether a link is a link there, and no file that holds its target."""

    def read(self, tree: str, path: str) -> bytes | None:
        """Return what stands at a path in a checkout of a tree."""
        data = self.written.get((tree, path))
        return self.otherwise(tree, path) if data is None else data

    def write(self, change: FileChange) -> FileChange:
        """Return a change with the links that the checkout can hold."""
        if self.has_links:
            return change
        before, after = (_as_file(side) for side in change.sides)
        return replace(change, before=before, after=after)


def _as_file(content: Content | None) -> Content | None:
    return Content(content.data, FILE) if content is not None and content.is_link else content


def read_forms(repository: EvidenceRepository, checkout: Path, evidence: GoalGitEvidence) -> Forms:
    """Return how `checkout` writes the files of a change."""
    settings, paths = read_settings(checkout), evidence.paths
    trees = (evidence.base_tree, evidence.tree)
    large = {tree: repository.find_large_files(tree, checkout) for tree in trees}
    everywhere = {path: known for one in large.values() for path, known in one.pointers.items()}
    written = {}
    for tree, found in large.items():
        for path, data in repository.render(tree, paths, settings).items():
            written[tree, path] = data
        for path in paths.intersection(found.pointers):
            if (file := replace(found, others=everywhere).find(path)) is not None:
                written[tree, path] = file.read_bytes()
    links = settings.get("core.symlinks", "true").lower() not in FALSE
    return Forms(written, repository.read_blob, links)
