"""Paths and globs that tasks lay claim to, found again by what may overlap them.

Each is kept under its folder, the part before its first wildcard: two can only name one path where
the folder of one lies in the other's, so ten thousand of them are not compared with one another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from goal_engine.task_graph.globs import match_glob

WILDCARD = re.compile(r"[*?\[]")


class Claims:
    """Grows; what was added once is there."""

    def __init__(self, paths: Iterable[str] = ()) -> None:
        self._exact: set[str] = set()
        self._unplaced: list[str] = []
        """Exact paths that no glob was held against yet."""
        self._placed: dict[str, list[str]] = {}
        """Exact paths by folder."""
        self._globs: dict[str, dict[str, None]] = {}
        """By folder."""
        self._inner: dict[str, set[str]] = {}
        """The folders directly in each."""
        for path in paths:
            self.add(path)

    def add(self, path: str) -> None:
        """Lay claim to a path, or to what a glob names."""
        path = path.removeprefix("./")
        if is_glob(path):
            self._globs.setdefault(self._make_folder(path), {})[path] = None
        elif path not in self._exact:
            self._exact.add(path)
            self._unplaced.append(path)

    def _make_folder(self, path: str) -> str:
        """Return the folder of a path, known from now on with those around it."""
        made = folder = find_folder(path)
        inside = ""
        while folder not in self._inner:
            self._inner[folder] = {inside} if inside else set()
            if not folder:
                return made
            inside, folder = folder, folder.rpartition("/")[0]
        if inside:
            self._inner[folder].add(inside)
        return made

    def find(self, path: str) -> Iterator[str]:
        """Yield the claims that could name a path which `path`, or that glob, names too.

        Of two globs what stands before their first wildcard decides: in doubt they do.
        """
        path = path.removeprefix("./")
        if is_glob(path):
            yield from self._find_by_glob(path)
        elif path in self._exact:
            yield path
        for above in _with_parents(find_folder(path)) if self._globs else ():
            globs = self._globs.get(above, ())
            if is_glob(path):
                yield from (glob for glob in globs if _may_overlap(path, glob))
            else:
                yield from (glob for glob in globs if match_glob(path, glob))

    def _find_by_glob(self, path: str) -> Iterator[str]:
        """Yield what lies in the folder of a glob, but for the globs right there."""
        for exact in self._unplaced:
            self._placed.setdefault(self._make_folder(exact), []).append(exact)
        self._unplaced.clear()
        folder = find_folder(path)
        inner = [folder] if folder in self._inner else []
        while inner:
            here = inner.pop()
            inner += self._inner[here]
            yield from (exact for exact in self._placed.get(here, ()) if match_glob(exact, path))
            if here != folder:
                globs = self._globs.get(here, ())
                yield from (glob for glob in globs if _may_overlap(path, glob))

    def has(self, paths: Iterable[str]) -> bool:
        """Whether anything that one of `paths` names may be claimed."""
        return any(next(self.find(path), None) is not None for path in paths)


def is_glob(path: str) -> bool:
    """Whether a path may name several: it has a wildcard, or stands for what is in a folder."""
    return path.endswith("/") or WILDCARD.search(path) is not None


def find_folder(path: str) -> str:
    """Return the folder that all of what a path or glob names lies in, empty for the root."""
    return find_literal(path).rpartition("/")[0]


def find_literal(path: str) -> str:
    """Return what stands before the first wildcard."""
    return WILDCARD.split(path, maxsplit=1)[0]


def _with_parents(folder: str) -> Iterator[str]:
    yield folder
    while folder:
        folder = folder.rpartition("/")[0]
        yield folder


def _may_overlap(one: str, two: str) -> bool:
    first, second = find_literal(one), find_literal(two)
    return first.startswith(second) or second.startswith(first)
