"""A tree as detection sees it: every name, and the content of the few files that configure tools."""

from __future__ import annotations

import configparser
import json
import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from goal_engine.proof.gate import GateSpec
from goal_engine.toml import UNREADABLE

Available = Callable[[str], bool]
"""Whether the person has a tool: `-m ruff` asks for a module that Python can run, `ruff` for a
program on the PATH, a path (`web/node_modules/.bin/vitest`) for a file of the checkout."""

Ask = Callable[[str, tuple[str, ...]], bytes | None]
"""What a command says in a folder of the checkout, `None` when it fails.  It never uses the
network and changes nothing."""

Contains = Callable[[Iterable[str], re.Pattern[bytes]], bool]
"""Whether one of these files of the checkout has something like that in it."""

READS = (
    *("pyproject.toml", "setup.cfg", "tox.ini", "pytest.ini", ".pytest.ini"),
    *("pytest.toml", ".pytest.toml", "ruff.toml", ".ruff.toml", "mypy.ini", ".mypy.ini"),
    *("package.json", "pnpm-workspace.yaml", "Cargo.toml", "go.mod"),
    *(
        "Makefile",
        "makefile",
        "GNUmakefile",
        "justfile",
        "Justfile",
        ".justfile",
        ".pre-commit-config.yaml",
    ),
    *(".github/workflows/*.yml", ".github/workflows/*.yaml", ".gitlab-ci.yml"),
)
"""Files whose content is looked at, in whatever folder; of all others only the name is."""

READ_NAMES = frozenset(name for name in READS if "/" not in name)
DEEPEST = 6
"""Folders below the root in which a project may lie."""
MOST = 60
"""Projects of one kind that are looked at."""

FOREIGN = frozenset(
    {
        *("node_modules", "bower_components", "vendor", "vendored", "_vendor", "third_party"),
        *(".git", ".hg", ".venv", "venv", "site-packages", "__pycache__", ".tox", ".nox"),
    }
)
"""Folders of what others wrote: nothing in them is the project's."""

SAMPLES = frozenset(
    {
        *("tests", "test", "testing", "testdata", "__tests__", "spec", "fixtures", "__fixtures__"),
        *("examples", "example", "samples", "sample", "templates", "template", "snippets"),
    }
)
"""Folders in which a project is an exhibit and not what is worked on."""


@dataclass(frozen=True, slots=True)
class PassedOver:
    """What was looked at and did not become a gate."""

    what: str
    """The tool, script or target."""
    folder: str
    reason: str
    """Why not, and what a person can do about it."""
    absent: bool = False
    """Whether it would be one if it were installed."""

    @property
    def sentence(self) -> str:
        """All of it, for somebody who did not ask."""
        where = "" if self.folder == "." else f" in {self.folder}"
        return f"{self.what}{where} is no gate: {self.reason}."


Finding = GateSpec | PassedOver
WRITE_ONE = "write a [[gate]] in goalproof.toml"
"""What next, where a person has to decide."""


@dataclass(frozen=True, slots=True)
class Tools:
    """The person's tools: which there are, and what they say."""

    has: Available
    ask: Ask = lambda folder, argv: None
    contains: Contains = lambda paths, pattern: True


@dataclass(frozen=True)
class Project:
    """A folder and what is its own: the files below it that lie in no project inside it."""

    files: Mapping[str, bytes | None]
    """By path from the folder."""
    folder: str = "."
    inner: tuple[str, ...] = ()
    """Folders (from this one) of projects inside it."""
    asked: bytes = field(default=b"", repr=False)
    """What continuous integration runs, as text."""

    @cached_property
    def pyproject(self) -> Mapping[str, Any]:
        """The tables below `[tool]`; nothing when the file is absent or is no TOML."""
        return table(self.toml("pyproject.toml"), "tool")

    def text(self, name: str) -> str:
        """Return the content of a file, empty when it is absent or no text."""
        try:
            return (self.files.get(name) or b"").decode("utf-8-sig")
        except UnicodeDecodeError:
            return ""

    def toml(self, name: str) -> Mapping[str, Any]:
        """Return the content of a TOML file, empty when it cannot be read."""
        try:
            return tomllib.loads(self.text(name))
        except UNREADABLE:
            return {}

    def json(self, name: str) -> Mapping[str, Any] | None:
        """Return the object in a JSON file, `None` when it holds none."""
        try:
            found = json.loads(self.text(name))
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    def ini(self, name: str, section: str) -> Mapping[str, str] | None:
        """Return a section of an INI file, `None` when there is none."""
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read_string(self.text(name))
        except configparser.Error:
            return None
        return dict(parser[section]) if parser.has_section(section) else None

    def first(self, names: Collection[str]) -> str | None:
        """Return the first of `names` that is in the folder."""
        return next((name for name in names if name in self.files), None)

    def named_like(self, pattern: re.Pattern[str]) -> list[str]:
        """Return the paths whose last part is like `pattern`."""
        return sorted(p for p in self.files if pattern.fullmatch(p.rpartition("/")[2]))

    def matching(self, pattern: str) -> str | None:
        """Return the first file of the folder itself whose name matches a glob."""
        return next(
            (p for p in sorted(self.files) if "/" not in p and fnmatchcase(p, pattern)), None
        )

    @property
    def place_name(self) -> str:
        """The folder as a sentence names it."""
        return "the root" if self.folder == "." else self.folder

    def place(self, findings: Iterable[Finding]) -> Iterator[Finding]:
        """Yield what was found here, gates with this folder to run in."""
        for finding in findings:
            if isinstance(finding, GateSpec):
                yield finding.changed(cwd=self.folder)
            else:
                yield finding

    def passed(self, what: str, reason: str, *, absent: bool = False) -> PassedOver:
        """Return that `what` is no gate here."""
        return PassedOver(what, self.folder, reason, absent)

    def find_asked(self, command: str) -> str:
        """Return where people let `command` run, empty when nobody does."""
        if command.encode() in self.asked:
            return f"continuous integration runs `{command}`"
        names = ("GNUmakefile", "makefile", "Makefile")
        name = next((name for name in names if command in self.text(name)), "")
        return f"{name} runs `{command}`" if name else ""

    def find_named(self, text: str) -> tuple[str, ...]:
        """Return the files of the folder that a script names."""
        words = set(re.split(r"[\s'\"`;&|()<>]+", text))
        parts = {part for word in words for part in (word.lstrip("@-+"), *re.split("[=,:]", word))}
        plain = {part.removeprefix("./") for part in words | parts}
        return tuple(sorted(plain.intersection(self.files)))

    def path(self, name: str) -> str:
        """Return the path from the root of a file in the folder."""
        return name if self.folder == "." else f"{self.folder}/{name}"

    def is_inside(self, other: Project) -> bool:
        """Whether this folder lies in the other one."""
        if self.folder == other.folder:
            return False
        return other.folder == "." or self.folder.startswith(f"{other.folder}/")


@dataclass(frozen=True)
class Tree:
    """The files of a repository by their folder, without what others wrote."""

    folders: Mapping[str, Mapping[str, bytes | None]]
    """By path from the root, which is empty; in each the files by their name."""

    @classmethod
    def made_of(cls, files: Mapping[str, bytes | None]) -> Tree:
        """Return the tree of files by path from the root."""
        folders: dict[str, dict[str, bytes | None]] = {}
        for path, data in files.items():
            folder, _, name = path.rpartition("/")
            folders.setdefault(folder, {})[name] = data
        return cls({folder: found for folder, found in folders.items() if not is_foreign(folder)})

    @cached_property
    def asked(self) -> bytes:
        """What continuous integration runs: the text of its files."""
        return b"\n".join(
            data or b""
            for folder in ("", ".github/workflows")
            for name, data in self.folders.get(folder, {}).items()
            if _is_automation(f"{folder}/{name}".lstrip("/"))
        )

    def projects(self, markers: Iterable[str], *, rooted: bool = False) -> tuple[Project, ...]:
        """Return the folders that hold one of `markers`, outer ones first, at most `MOST`.

        `rooted`: the root is one even without a marker.
        """
        names = frozenset(markers)
        found = {
            folder or "."
            for folder, files in self.folders.items()
            if not names.isdisjoint(files) and is_project_folder(folder)
        }
        if rooted:
            found.add(".")
        chosen = sorted(found, key=lambda folder: (folder != ".", folder.count("/"), folder))
        return tuple(self._divide(chosen[:MOST]))

    def _divide(self, chosen: list[str]) -> Iterator[Project]:
        """Give each file to the innermost of the folders that it lies in."""
        owned: dict[str, dict[str, bytes | None]] = {folder: {} for folder in chosen}
        for folder, files in self.folders.items():
            owner = _find_owner(folder, owned)
            if owner is not None:
                below = folder if owner == "." else folder[len(owner) + 1 :]
                start = f"{below}/" if below else ""
                owned[owner].update({f"{start}{name}": data for name, data in files.items()})
        for folder, own in owned.items():
            start = "" if folder == "." else f"{folder}/"
            inner = [
                f[len(start) :] for f in chosen if f not in (folder, ".") and f.startswith(start)
            ]
            yield Project(own, folder, tuple(inner), self.asked)


def is_read(path: str) -> bool:
    """Whether the content of a file counts."""
    folder, _, name = path.rpartition("/")
    if name in READ_NAMES:
        return path.count("/") <= DEEPEST and not is_foreign(folder)
    return _is_automation(path)


def is_foreign(folder: str) -> bool:
    """Whether a folder is, or lies in, one of what others wrote."""
    return not FOREIGN.isdisjoint(folder.split("/"))


def is_project_folder(folder: str) -> bool:
    """Whether a project in that folder is worked on, and no exhibit."""
    parts = PurePosixPath(folder).parts
    return (
        len(parts) <= DEEPEST
        and SAMPLES.isdisjoint(parts)
        and not any("{{" in part or part.startswith(".") for part in parts)
    )


def _find_owner(folder: str, projects: Collection[str]) -> str | None:
    while folder and folder not in projects:
        folder = folder.rpartition("/")[0]
    return folder or ("." if "." in projects else None)


def table(tables: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a table of a table, empty when it is none."""
    found = tables.get(name, {})
    return found if isinstance(found, dict) else {}


def _is_automation(path: str) -> bool:
    if not path.startswith((".github/", ".gitlab")):
        return False
    return any(fnmatchcase(path, pattern) for pattern in READS if "/" in pattern) or (
        path == ".gitlab-ci.yml"
    )
