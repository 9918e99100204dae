"""Where a failing test failed: read from what its report says, and only files of the workspace count.

Nothing is judged by it: it tells a person where to look.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from goal_engine.gates.junit import ToldFailure
from goal_engine.proof.gate import TestFailure

MESSAGE = 500
"""Characters of a failure's message that are kept."""
LARGEST = 1024 * 1024
"""Bytes of a test file that is looked into."""
PLACE = re.compile(
    r"""File "(?P<path>[^"\n]{1,300})", line (?P<line>\d{1,7})"""
    r"""|(?<![^\s:()"'<>|])(?P<where>(?:file://)?[^\s:()"'<>|]{1,300}):(?P<number>\d{1,7})\b"""
)
"""How tracebacks name places: Python's own, and `path:line` of nearly everybody else."""

Place = tuple[str, int]
"""A path in the repository and a line (from 1)."""


def find_failures(
    told: Iterable[ToldFailure], workspace: Path, cwd: str
) -> tuple[TestFailure, ...]:
    """Return the failures of a gate that ran in the folder `cwd` of `workspace`; reads files there."""
    looked = _Workspace(workspace, cwd)
    found = []
    for failure in told:
        path, line = looked.find_place(failure) or (None, None)
        words = failure.message or failure.text.strip().rpartition("\n")[2]
        message = looked.hide(words)[:MESSAGE]
        found.append(TestFailure(test=failure.test, message=message, path=path, line=line))
    return tuple(found)


def _find_innermost(places: list[Place]) -> Place:
    """Return where it failed: Python names the innermost place last, everybody else first."""
    return places[-1] if places[-1][0].endswith(".py") else places[0]


class _Workspace:
    """The files of one workspace, read once each."""

    def __init__(self, root: Path, cwd: str) -> None:
        self._root, self._cwd = root.resolve(), cwd
        self._names = {f"{root}/", f"{self._root}/"}
        self._read = lru_cache(maxsize=64)(self._read_lines)

    def hide(self, text: str) -> str:
        """Return `text` without the workspace's own place."""
        for name in self._names:
            text = text.replace(name, "")
        return text

    def find_place(self, failure: ToldFailure) -> Place | None:
        """Return the test's own line in a traceback, its definition, or the innermost other line."""
        own = self._find_file(failure)
        places = [place for place in self._find_places(failure) if self._has(*place)]
        inside = [place for place in places if place[0] == own]
        if inside:
            return _find_innermost(inside)
        if own is not None:
            return self._find_definition(own, failure) or (own, 1)
        return _find_innermost(places) if places else None

    def _find_file(self, failure: ToldFailure) -> str | None:
        """Return the file that the test is written in: by its attribute, else by its class's name."""
        named = [failure.file, failure.classname, failure.classname.rpartition(" ")[2]]
        parts = (failure.classname or failure.name).split(".")
        dotted = ["/".join(parts[:end]) + ".py" for end in range(min(len(parts), 20), 0, -1)]
        return next(
            (path for name in (*named, *dotted) if name and (path := self._settle(name))), None
        )

    def _find_places(self, failure: ToldFailure) -> Iterator[Place]:
        for found in PLACE.finditer(f"{failure.text}\n{failure.message}"):
            name = found["path"] or found["where"]
            path = self._find_in_package(name, failure.classname) or self._settle(name)
            if path is not None:
                yield path, int(found["line"] or found["number"])

    def _find_in_package(self, name: str, package: str) -> str | None:
        """Go names a file without its folder, which is the end of the package's name."""
        parts = package.split("/")
        if "/" in name or len(parts) < 2:
            return None
        folders = ("/".join(parts[start:]) for start in range(min(len(parts), 20)))
        return next((path for f in folders if (path := self._settle(f"{f}/{name}"))), None)

    def _find_definition(self, path: str, failure: ToldFailure) -> Place | None:
        plain = failure.name.partition("[")[0].partition("/")[0]
        name = re.escape(re.split(r"\.|::", plain)[-1])
        wanted = re.compile(rf"\s*(async\s+)?(def|class|func|function|fn)\s+{name}\b")
        lines = self._read(path) or ()
        if failure.line is not None and failure.file and 0 < failure.line <= len(lines):
            return path, failure.line
        found = (number for number, line in enumerate(lines, 1) if wanted.match(line))
        return next(((path, number) for number in found), None) if name else None

    def _settle(self, name: str) -> str | None:
        """Return the path in the repository of a file that a report names."""
        name = self.hide(name.removeprefix("file://"))
        if name.startswith("/") or "\0" in name:
            return None
        path = posixpath.normpath(posixpath.join(self._cwd, name))
        inside = path != ".." and not path.startswith("../")
        return path if inside and self._read(path) is not None else None

    def _has(self, path: str, line: int) -> bool:
        return 0 < line <= len(self._read(path) or ())

    def _read_lines(self, path: str) -> tuple[str, ...] | None:
        """Return the lines of a file that is really in the workspace, `None` without one."""
        try:
            file = (self._root / path).resolve()
            if not file.is_relative_to(self._root) or not file.is_file():
                return None
            data = file.read_bytes() if file.stat().st_size <= LARGEST else b""
        except (OSError, ValueError, RuntimeError):
            return None
        return tuple(data.decode("utf-8", "replace").split("\n"))
