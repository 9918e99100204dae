"""Reads objects of the evidence repository through GitPython, whose commands run hardened too."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from git import Git, Repo
from git.exc import BadName, ODBError
from git.objects import Tree


class HardenedGit(Git):
    """GitPython's own processes: none of the caller's `GIT_*` variables, no configuration."""

    def execute(self, command: Any, *args: Any, **kwargs: Any) -> Any:  # nine overloads
        """Run a command of GitPython's in a clean environment."""
        env = {
            **{name: "" for name in os.environ if name.startswith("GIT_")},
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
        }
        return super().execute(command, *args, env=env, **kwargs)


class EvidenceObjects(Repo):
    """The evidence repository as GitPython sees it."""

    GitCommandWrapperType = HardenedGit


def open_objects(path: Path) -> EvidenceObjects:
    """Open the bare repository at `path`; close it when done."""
    return EvidenceObjects(path, expand_vars=False)


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
