"""Each workspace has a cache of Go's of its own, begun with copies of what gates of the base compiled.

Go believes what its cache says, tests that passed among it: one that a worker could write to would say
of the next tree what that worker likes.  So nothing goes from a workspace to another but what a gate left
that ran on the base, the person's own tree.  Its files are named by digests of all they were made of.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from goal_engine.runtime.inside import copy_inside

CACHE, SEED = "go-build", "go-base"
"""The folder beside a workspace, and that of the base's among the workspaces."""
SHARD, ENTRY = re.compile(r"[0-9a-f]{2}"), re.compile(r"[0-9a-f]{64}-[ad]")
"""As Go names them (`cmd/go/internal/cache`); all else in there only says when it was last cleared."""
MOST_BYTES = 1 << 30
"""Of the base's: each workspace gets a copy.  What is beyond is compiled in each."""


def find_go_cache(environment: Path) -> Path:
    """Return the cache of the workspace whose environment is this folder; Go makes it."""
    return environment / CACHE


def keep_go_cache(environment: Path, seed: Path) -> None:
    """Take what a gate of the base compiled, of which nothing runs any more; blocking.

    Files are moved, each in one step: others may be copying from `seed`.  What does not work is left out.
    """
    with suppress(OSError):
        left = MOST_BYTES - sum(size for _, size in _find_entries(seed))
        for path, size in _find_entries(find_go_cache(environment)):
            target = seed / path.parent.name / path.name
            if size <= left and not target.exists():
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.rename(target)
                left -= size


def seed_go_cache(seed: Path, environment: Path) -> None:
    """Copy what the base's gates compiled to where nothing else is, and through no link; blocking.

    What cannot be copied Go compiles anew.
    """
    for path, _ in _find_entries(seed):
        with suppress(OSError):
            copy_inside(path, environment, Path(CACHE) / path.parent.name / path.name)


def _find_entries(cache: Path) -> Iterator[tuple[Path, int]]:
    """Yield Go's own files in a cache and their bytes; nothing that a link leads to."""
    if cache.is_symlink() or not cache.is_dir():
        return
    for shard in sorted(os.scandir(cache), key=lambda entry: entry.name):
        if not SHARD.fullmatch(shard.name) or not shard.is_dir(follow_symlinks=False):
            continue
        for entry in sorted(os.scandir(shard), key=lambda entry: entry.name):
            if ENTRY.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                yield Path(entry.path), entry.stat(follow_symlinks=False).st_size
