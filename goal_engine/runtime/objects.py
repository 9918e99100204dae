"""Reads objects of the evidence repository through GitPython, whose one process runs hardened too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from git import Git

from goal_engine.errors import RepositoryUnusable
from goal_engine.runtime.git import start_reader

TREE = "40000"
GITLINK = "160000"


class HardenedGit(Git):
    """GitPython's own processes: none of the caller's `GIT_*` variables, no configuration."""

    def execute(self, command: Any, *args: Any, **kwargs: Any) -> Any:  # nine overloads
        """Start the process that reads objects, which is all that is used of GitPython."""
        if not kwargs.get("as_process"):
            raise NotImplementedError("GitPython only reads objects here; the rest is runtime.git.")
        return self.AutoInterrupt(start_reader(command[1:], Path(str(self._working_dir))), command)

    def _parse_object_header(self, header_line: Any) -> tuple[str, str, int]:
        """Read an answer as GitPython does, but with SHA-256 names too."""
        name, *rest = header_line.decode("ascii", "replace").split() or [""]
        if len(rest) != 2:
            raise RepositoryUnusable(
                f"The object {name} cannot be read ({' '.join(rest) or 'git has ended'}): what is kept "
                "of this workspace's goals outside it is gone or belongs to another machine. Run the "
                "goal anew."
            )
        return name, rest[0], int(rest[1])


class EvidenceObjects:
    """The objects of the repository at `path`; close it when done.  Not for two threads at once.

    Not a `Repo`, which looks for `GIT_*` variables itself and fails on those of a hook.
    """

    def __init__(self, path: Path) -> None:
        self._git = HardenedGit(str(path))

    def close(self) -> None:
        """End the process that reads."""
        self._git.clear_cache()

    def read(self, oid: str) -> bytes:
        """Return the content of an object."""
        try:
            _, _, _, data = self._git.get_object_data(oid)
        except BaseException:
            self._git.clear_cache()  # an answer half read would be taken for the next one's
            raise
        return bytes(data)

    def read_blob(self, tree: str, path: str) -> bytes | None:
        """Return the content of a file or the target of a link, `None` where there is none."""
        mode, oid = TREE, tree
        for part in path.encode("utf-8", "surrogateescape").split(b"/"):
            if mode != TREE:
                return None
            entries = {name: (mode, oid) for mode, oid, name in self._entries(oid)}
            if part not in entries:
                return None
            mode, oid = entries[part]
        return None if mode in (TREE, GITLINK) else self.read(oid)

    def _entries(self, tree: str) -> Iterator[tuple[str, str, bytes]]:
        """Yield mode, object and name of what is in a tree."""
        data, size, at = self.read(tree), len(tree) // 2, 0
        while at < len(data):
            end = data.index(b"\0", at)
            mode, _, name = data[at:end].partition(b" ")
            at = end + 1 + size
            yield mode.decode("ascii"), data[end + 1 : at].hex(), name
