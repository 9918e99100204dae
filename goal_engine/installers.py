"""What set-up commands read, where that is known: only then does a lock file say what they make.

An installer that is named here with all its words reads its lock file and manifests.  Everything else
may read the whole tree, and is taken to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

Read = Callable[[str], bytes | None]
"""Returns the content of a file of the tree."""

LIFECYCLE = frozenset(
    {"preinstall", "install", "postinstall", "prepare", "preprepare", "postprepare", "prepublish"}
    | {"pnpm:devPreinstall", "dependencies"}
)
"""Scripts of a project that installing it runs; they may read anything."""
NODE = ("package.json", ".npmrc", "**/.npmrc", "**/package.json")
LOCAL = re.compile(rb'"(?:file|portal|link):')
"""A dependency that is part of the tree itself, and may be copied."""
REQUIREMENT = re.compile(rb"^\s*(?:-|\.|/|file:|[^\s#]*/|[^#]*@\s*file:)", re.MULTILINE)
"""A line of a requirements file that is not the name of a published package."""


@dataclass(frozen=True, slots=True)
class Installer:
    """One command: the words it begins with, those that may follow, and what it reads."""

    words: tuple[str, ...]
    more: frozenset[str]
    reads: tuple[str, ...]
    needs: frozenset[str] = frozenset()
    """One of these has to be among the words: else it may change the lock file."""


_npm = frozenset({"--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--offline"})
INSTALLERS = (
    Installer(("npm", "ci"), _npm, (*NODE, "package-lock.json", "npm-shrinkwrap.json")),
    Installer(
        ("pnpm", "install"),
        _npm | {"--frozen-lockfile"},
        (*NODE, "pnpm-lock.yaml", "pnpm-workspace.yaml", ".pnpmfile.cjs", "patches/**"),
        frozenset({"--frozen-lockfile"}),
    ),
    Installer(
        ("yarn", "install"),
        _npm | {"--frozen-lockfile", "--immutable"},
        (*NODE, "yarn.lock", ".yarnrc", ".yarnrc.yml", ".yarn/**"),
        frozenset({"--frozen-lockfile", "--immutable"}),
    ),
)
QUIET = frozenset({"-q", "--quiet", "--silent", "-s", "--no-progress"})
REQUIREMENTS = (
    ("pip", "install"),
    ("python", "-m", "pip", "install"),
    ("python3", "-m", "pip", "install"),
    ("uv", "pip", "install"),
)
"""Commands that install what a file lists, `-r FILE`."""


def find_read(
    setup: Iterable[Sequence[str]], files: Iterable[str], read: Read
) -> tuple[str, ...] | None:
    """Return the files of a tree that decide what the commands make; `None` for all of them.

    Pure: `read` is asked for the content of files of that tree.
    """
    names, found = tuple(files), set[str]()
    for argv in setup:
        one = _find_one(tuple(argv), names, read)
        if one is None:
            return None
        found.update(one)
    return tuple(sorted(found))


def _find_one(argv: tuple[str, ...], names: tuple[str, ...], read: Read) -> set[str] | None:
    for words in REQUIREMENTS:
        if _starts(argv, words):
            return _find_requirements(argv[len(words) :], names, read)
    for installer in INSTALLERS:
        rest = set(argv[len(installer.words) :]) - QUIET
        fits = _starts(argv, installer.words) and rest <= installer.more
        if fits and (not installer.needs or rest & installer.needs):
            found = {name for name in names if any(_matches(name, g) for g in installer.reads)}
            manifests = [name for name in found if name.rpartition("/")[2] == "package.json"]
            quiet = "--ignore-scripts" in rest
            return found if all(_is_plain(read(name), quiet) for name in manifests) else None
    return None


def _starts(argv: tuple[str, ...], words: tuple[str, ...]) -> bool:
    return argv[: len(words)] == words


def _matches(name: str, glob: str) -> bool:
    if glob.startswith("**/"):
        return fnmatchcase(name, f"*/{glob[3:]}")
    return fnmatchcase(name, glob)


def _is_plain(manifest: bytes | None, quiet: bool) -> bool:
    """Whether installing such a package runs none of its scripts and copies nothing of the tree."""
    try:
        content = json.loads(manifest or b"")
        scripts = content.get("scripts") or {}
        runs = set() if quiet else LIFECYCLE.intersection(scripts)
    except (ValueError, RecursionError, AttributeError, TypeError):
        return False
    return not runs and not LOCAL.search(manifest or b"")


def _find_requirements(
    rest: tuple[str, ...], names: tuple[str, ...], read: Read
) -> set[str] | None:
    words = [word for word in rest if word not in QUIET]
    pairs = list(zip(words[::2], words[1::2], strict=False))
    if not pairs or len(words) % 2 or any(flag not in ("-r", "-c") for flag, _ in pairs):
        return None
    found = {file.removeprefix("./") for _, file in pairs}
    for name in found:
        content = read(name) if name in names else None
        if content is None or REQUIREMENT.search(content):
            return None
    return found
