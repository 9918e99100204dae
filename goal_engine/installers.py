"""What set-up commands read, where that is known: only then does a lock file say what they make.

An installer that is named here with all its words reads its lock file and manifests.  Everything else
may read the whole tree, and is taken to: scripts of the packages that it installs, too.
"""

from __future__ import annotations

import json
import re
import sys
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
    locks: tuple[str, ...] = ()
    """Lock files that say of each package whether installing it runs a script."""


_npm = frozenset({"--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--offline"})
_npm_locks = ("package-lock.json", "npm-shrinkwrap.json")
QUIETLY = frozenset({"--ignore-scripts", "--mode=skip-build"})
"""With one of these an installer runs no scripts."""
SCRIPTED = re.compile(rb'"hasInstallScript"')
BUILT = "binding.gyp"
"""With this file beside its manifest a package is compiled, though it names no script."""
INSTALLERS = (
    Installer(("npm", "ci"), _npm, (*NODE, *_npm_locks), locks=_npm_locks),
    Installer(
        ("pnpm", "install"),
        _npm | {"--frozen-lockfile"},
        (*NODE, "pnpm-lock.yaml", "pnpm-workspace.yaml", ".pnpmfile.cjs", "patches/**"),
        frozenset({"--frozen-lockfile"}),
    ),
    Installer(
        ("yarn", "install"),
        _npm | {"--frozen-lockfile", "--immutable", "--mode=skip-build"},
        (*NODE, "yarn.lock", ".yarnrc", ".yarnrc.yml", ".yarn/**"),
        frozenset({"--frozen-lockfile", "--immutable"}),
    ),
)
QUIET = frozenset({"-q", "--quiet", "--silent", "-s", "--no-progress"})
_uv = ("pyproject.toml", "uv.toml", ".python-version")
REQUIREMENTS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("pip", "install"): (),
    ("python", "-m", "pip", "install"): (),
    ("python3", "-m", "pip", "install"): (),
    ("uv", "pip", "install"): _uv,
}
"""Commands that install what a file lists, `-r FILE`, and what else they read."""
STARTED = frozenset({"pip", "sitecustomize", "usercustomize"})
"""Modules that a Python which installs runs, found in the project first where that is installed in place."""
MODULE = re.compile(r"(?:^|/)([A-Za-z_]\w*)(?:\.pyc?|\.[\w-]*\.?so|/__init__\.[\w.-]+)$")

OWN_CACHES = {
    "npm_config_cache": "npm",
    "npm_config_store_dir": "pnpm",
    "YARN_GLOBAL_FOLDER": "yarn",
    "BUN_INSTALL_CACHE_DIR": "bun",
    "PIP_CACHE_DIR": "pip",
    "UV_CACHE_DIR": "uv",
    "POETRY_CACHE_DIR": "poetry",
    "GOMODCACHE": "go",
    "CARGO_HOME": "cargo",
    "GRADLE_USER_HOME": "gradle",
    "NUGET_PACKAGES": "nuget",
    "COMPOSER_CACHE_DIR": "composer",
    "PLAYWRIGHT_BROWSERS_PATH": "playwright",
    "PRE_COMMIT_HOME": "pre-commit",
}
"""Variables that tell package managers where they keep what they fetch, and a folder's name for each."""


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
    for words, more in REQUIREMENTS.items():
        if _starts(argv, words):
            listed = _find_requirements(argv[len(words) :], names, read)
            if listed is None or _shadows(names, beside="-m" in words):
                return None
            return listed | {name for name in names if name in more}
    for installer in INSTALLERS:
        rest = set(argv[len(installer.words) :]) - QUIET
        fits = _starts(argv, installer.words) and rest <= installer.more
        if fits and (not installer.needs or rest & installer.needs):
            found = {name for name in names if any(_matches(name, g) for g in installer.reads)}
            manifests = [name for name in found if name.rpartition("/")[2] == "package.json"]
            quiet = bool(rest & QUIETLY)
            if not quiet and not _runs_nothing(installer, names, read):
                return None
            return found if all(_is_plain(read(name), quiet) for name in manifests) else None
    return None


def _runs_nothing(installer: Installer, names: tuple[str, ...], read: Read) -> bool:
    """Whether no package that is installed runs a script, which may read anything; in doubt one does."""
    locks = [name for name in names if name in installer.locks]
    built = any(name.rpartition("/")[2] == BUILT for name in names)
    return bool(locks) and not built and not any(SCRIPTED.search(read(n) or b"") for n in locks)


def _shadows(names: tuple[str, ...], *, beside: bool) -> bool:
    """Whether the tree has a module that an installing Python may run instead of its own.

    With `-m` (`beside`) the folder it runs in comes first of all, before the standard library.
    """
    found = [match for match in map(MODULE.search, names) if match]
    top = {match[1] for match in found if match.start() == 0} if beside else set[str]()
    return not STARTED.isdisjoint(match[1] for match in found) or bool(
        top & sys.stdlib_module_names
    )


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
