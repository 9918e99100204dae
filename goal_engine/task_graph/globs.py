"""Globs over paths of a tree: `**` stands for folders, `*` and `?` never cross a slash."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate
from functools import lru_cache

Part = re.Pattern[str] | None
"""What one component must look like; `None` is `**`, any number of components."""


def match_glob(path: str, pattern: str) -> bool:
    """Whether `path` (slashes, relative to the root) is one that `pattern` names.

    `src/**` is everything below `src`, `**/x.py` an `x.py` anywhere, `src/` the same as `src/**`;
    `[ab]` and `[!ab]` are classes.  Case counts.
    """
    if path == pattern:
        return bool(path)
    return bool(path) and _match(path.split("/"), _parse(pattern))


def match_any(path: str, patterns: Iterable[str]) -> bool:
    """Whether at least one of `patterns` names `path`."""
    return any(match_glob(path, pattern) for pattern in patterns)


@lru_cache(maxsize=4096)
def _parse(pattern: str) -> tuple[Part, ...]:
    parts = pattern.removeprefix("./").split("/")
    if len(parts) > 1 and not parts[-1]:
        parts[-1] = "**"
    found: list[Part] = []
    for part in parts:
        if part != "**":
            found.append(re.compile(translate(part)))
        elif not found or found[-1] is not None:
            found.append(None)
    if found[-1] is None:
        found.append(re.compile(translate("*")))  # `src/**` is what is in `src`, not `src` itself
    return tuple(found)


def _match(names: list[str], parts: tuple[Part, ...]) -> bool:
    """Greedy with one step back, to the last `**`: linear in practice, never exponential."""
    name = part = 0
    retry: tuple[int, int] | None = None
    while name < len(names):
        if part < len(parts) and (wanted := parts[part]) is None:
            part, retry = part + 1, (name, part + 1)
        elif part < len(parts) and wanted is not None and wanted.match(names[name]):
            name, part = name + 1, part + 1
        elif retry is not None:
            name, part = retry[0] + 1, retry[1]
            retry = (name, part)
        else:
            return False
    return part == len(parts)
