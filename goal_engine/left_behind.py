"""A gate is red where it ran and green for the person: the files that it missed, found by its words.

Git ignores settings, fixtures and generated code that a gate may need, so a workspace has none of
them.  What an output names and the checkout has is told as a likely cause; nothing is judged by it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath

NAMED = re.compile(r"[\w.@+~-]+(?:/[\w.@+~-]+)*")
MODULE = re.compile(r"No module named ['\"]([\w.]+)['\"]")
OUR_OWN = frozenset(
    [
        ".git",
        ".goalproof",
        "__pycache__",
        ".pytest_cache",
        ".mypy_cache",
        ".ruff_cache",
        ".hypothesis",
        ".coverage",
        "node_modules",
        ".venv",
        "venv",
        ".tox",
        ".nox",
    ]
)
"""What tools leave behind, or what a workspace has its own of: outputs name these and miss nothing."""
SHOWN = 3


def find_left_behind(
    output: str, cwd: str, untracked: Iterable[str], exists: Callable[[str], bool]
) -> tuple[str, ...]:
    """Return the files that an output names and only the checkout has, as they are named first.

    `output` names files of the workspace from its root or from `cwd`; `untracked` are those of the
    checkout that git does not have (a folder of nothing else ends in `/`); `exists` says whether the
    checkout has a file at a path that the goal's tree lacks.
    """
    by_name: dict[str, list[str]] = {}
    for path in untracked:
        by_name.setdefault(PurePosixPath(path).name, []).append(path)
    found: dict[str, None] = {}
    for name in _list_named(output):
        places = (name, str(PurePosixPath(cwd, name)), *by_name.get(name, ()))
        for place in places:
            usable = "." in name and place.isprintable() and not place.endswith("/")
            if usable and not _is_our_own(place) and exists(place):
                found[place] = None
    return tuple(found)


def _list_named(output: str) -> Iterator[str]:
    """Yield each name once: of files, and of modules as the files that they would be."""
    seen = set()
    for match in NAMED.finditer(output):
        name = match.group().rstrip(".")
        if name not in seen and ".." not in name.split("/"):
            seen.add(name)
            yield name
    for module in dict.fromkeys(MODULE.findall(output)):
        path = module.replace(".", "/")
        yield from (
            f"{above}{path}{end}" for above in ("", "src/") for end in (".py", "/__init__.py")
        )


def _is_our_own(path: str) -> bool:
    pure = PurePosixPath(path)
    return bool(OUR_OWN.intersection(pure.parts)) or pure.suffix == ".pyc"


def describe_left_behind(paths: Iterable[str]) -> str:
    """Return what a person should know, as the end of a sentence; empty when nothing was found."""
    named = tuple(paths)
    if not named:
        return ""
    shown = ", ".join(f'"{path}"' for path in named[:SHOWN])
    more = f" (and {len(named) - SHOWN} more)" if len(named) > SHOWN else ""
    return (
        f"the baseline here differs from your checkout: its output names what the checkout has and git "
        f"does not{more}; `copy = [{shown}]` in goalproof.toml, `[workspace]`, gives it to every "
        "workspace of the next goal"
    )
