"""Reads objects of the evidence repository through GitPython, whose commands run hardened too."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from git import Git, Repo
from git.exc import BadName, ODBError
from git.objects import Tree

OURS = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ALLOW_PROTOCOL": "file",
    "GIT_NO_REPLACE_OBJECTS": "1",
}
_opening = Lock()


class HardenedGit(Git):
    """GitPython's own processes: none of the caller's `GIT_*` variables, no configuration."""

    def execute(self, command: Any, *args: Any, **kwargs: Any) -> Any:  # nine overloads
        """Run a command of GitPython's in a clean environment."""
        unset = [f"-u{name}" for name in os.environ if name.startswith("GIT_") and name not in OURS]
        if unset:  # an empty variable is not an absent one, and GitPython can only add
            command = ["env", *unset, *command]
        return super().execute(command, *args, env=OURS, **kwargs)


class EvidenceObjects(Repo):
    """The evidence repository as GitPython sees it."""

    GitCommandWrapperType = HardenedGit


def open_objects(path: Path) -> EvidenceObjects:
    """Open the bare repository at `path`; close it when done."""
    with _without_callers_variables():
        return EvidenceObjects(path, expand_vars=False)


@contextmanager
def _without_callers_variables() -> Iterator[None]:
    """GitPython looks into `os.environ` itself when it opens a repository, and nowhere later."""
    with _opening:
        hidden = {name: text for name, text in os.environ.items() if name.startswith("GIT_")}
        for name in hidden:
            del os.environ[name]
        try:
            yield
        finally:
            os.environ.update(hidden)


def read_blob(repo: Repo, tree: str, path: str) -> bytes | None:
    """Return the content of a file or the target of a link, `None` where there is none."""
    try:
        item = Tree(repo, bytes.fromhex(tree), Tree.tree_id << 12, "").join(path)
    except (KeyError, BadName, ODBError, ValueError):
        return None
    if item.type != "blob":
        return None
    data: bytes = item.data_stream.read()
    return data
