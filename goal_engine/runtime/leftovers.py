"""Folders that somebody works in, and how they go once nobody does.

What is to go gets another name first, in one step: from then on nobody finds it half removed.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from goal_engine.runtime.atomic import measure, remove_tree, sweep_left
from goal_engine.runtime.owner import is_left, own_tag

OWNER = ".owner-"
"""How the name of the file begins that says whose a folder is; the rest of the name is all of it."""
GONE = ".gone-"
"""How the name of what is being removed begins."""


def own(folder: Path) -> None:
    """Make a folder, for the person alone, and say that this process works in it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / f"{OWNER}{own_tag()}").touch(0o600)


def is_owned(folder: Path) -> bool:
    """Whether a process that may be alive works in a folder."""
    return any(not is_left(path.name) for path in folder.glob(f"{OWNER}*"))


def set_aside(folder: Path) -> Path | None:
    """Take a folder's name away and return where it is now; `None` when there is none."""
    gone = folder.with_name(f"{GONE}{own_tag()}-{os.urandom(4).hex()}")
    try:
        folder.rename(gone)
    except FileNotFoundError:
        return None
    return gone


def remove_aside(gone: Path | None) -> int:
    """Remove what was set aside and return how many bytes it had; what resists is left."""
    freed = measure(gone) if gone else 0
    if gone is not None:
        with suppress(OSError):
            remove_tree(gone)
    return freed


def forget(folder: Path) -> int:
    """Remove a folder that is worth no failure at all, and return how many bytes it had."""
    with suppress(OSError):
        return remove_aside(set_aside(folder))
    return 0


def remove_gone(parent: Path) -> int:
    """Remove what a process that is dead by now was removing; return how many bytes it had."""
    return sweep_left(parent, GONE)
