"""What the change relies on of others: added, removed, from elsewhere, or named like something else.

A manifest is read as names and what is said of each; a lock is only asked whether it moved alone.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from typing import Any

from goal_engine.proof.review import Finding
from goal_engine.review.change import Change, FileChange
from goal_engine.review.found import find

Names = dict[str, str]
"""What each dependency is asked to be: a version, or where it comes from."""

ELSEWHERE = re.compile(
    r"(?i)(?:^|[\s@\"'=])(?:git\+|git:|git@|https?://|ssh://|file:|github:|gitlab:|bitbucket:)|^[\w.-]+/[\w.-]+(?:#|$)"
)
"""What comes from no registry."""
SCRIPTS = ("preinstall", "install", "postinstall", "prepare", "prepublish")
LOCKS: dict[str, tuple[str, ...]] = {
    "package-lock.json": ("package.json",),
    "npm-shrinkwrap.json": ("package.json",),
    "yarn.lock": ("package.json",),
    "pnpm-lock.yaml": ("package.json", "pnpm-workspace.yaml"),
    "bun.lock": ("package.json",),
    "poetry.lock": ("pyproject.toml",),
    "uv.lock": ("pyproject.toml",),
    "pdm.lock": ("pyproject.toml",),
    "Pipfile.lock": ("Pipfile",),
    "Cargo.lock": ("Cargo.toml",),
    "go.sum": ("go.mod",),
    "Gemfile.lock": ("Gemfile",),
    "composer.lock": ("composer.json",),
}
"""Locks, and what each is made from."""
KNOWN = frozenset(
    [
        "requests",
        "numpy",
        "pandas",
        "flask",
        "django",
        "fastapi",
        "pydantic",
        "pytest",
        "urllib3",
        "boto3",
        "setuptools",
        "cryptography",
        "pyyaml",
        "sqlalchemy",
        "jinja2",
        "click",
        "pillow",
        "scipy",
        "matplotlib",
        "tensorflow",
        "pytorch",
        "torch",
        "scikit-learn",
        "beautifulsoup4",
        "selenium",
        "aiohttp",
        "httpx",
        "celery",
        "redis",
        "psycopg2",
        "colorama",
        "tqdm",
        "python-dateutil",
        "certifi",
        "charset-normalizer",
        "virtualenv",
        "react",
        "lodash",
        "express",
        "axios",
        "typescript",
        "webpack",
        "eslint",
        "prettier",
        "chalk",
        "commander",
        "moment",
        "jquery",
        "vue",
        "angular",
        "electron",
        "mongoose",
        "socket.io",
        "dotenv",
        "nodemon",
        "cross-env",
        "babel-core",
        "rollup",
        "underscore",
        "serde",
        "tokio",
        "rand",
        "reqwest",
        "anyhow",
        "clap",
        "regex",
        "hyper",
        "thiserror",
    ]
)
"""Names that others like to be taken for."""


def find_dependencies(change: Change) -> Iterator[Finding]:
    """Yield what the change relies on in another way than before."""
    for file in change.files:
        read = _find_reader(file.path.rpartition("/")[2])
        if read is not None and file.is_text:
            yield from _compare(file, _read(read, file.old), _read(read, file.new))
    yield from _find_lone_locks(change)


def _compare(file: FileChange, old: Names, new: Names) -> Iterator[Finding]:
    asked = file.protected
    for name in sorted(new.keys() - old.keys()):
        wanted, line = new[name], _find_line(file, name)
        if name.startswith("script:"):
            message = f"{name.removeprefix('script:')} runs when this is installed"
            yield find("install-script", file, line, message, asked=asked)
        elif ELSEWHERE.search(wanted):
            message = f"{name} comes from elsewhere"
            yield find("dependency-from-elsewhere", file, line, message, asked=asked)
        elif twin := _find_twin(name, old):
            message = f"{name} is nearly {twin}"
            yield find("look-alike-dependency", file, line, message, asked=asked)
        else:
            yield find("dependency-changed", file, line, f"{name} is new")
    for name in sorted(new.keys() & old.keys()):
        if old[name] == new[name]:
            continue
        line = _find_line(file, name)
        if name.startswith("script:"):
            message = f"{name.removeprefix('script:')} does something else when this is installed"
            yield find("install-script", file, line, message, asked=asked)
        elif ELSEWHERE.search(new[name]) and not ELSEWHERE.search(old[name]):
            message = f"{name} comes from elsewhere now"
            yield find("dependency-from-elsewhere", file, line, message, asked=asked)
        else:
            yield find("dependency-changed", file, line, f"{name} is another version")
    for name in sorted(old.keys() - new.keys()) if not file.is_gone else ():
        if not name.startswith("script:"):
            yield find("dependency-changed", file, None, f"{name} is gone")


def _find_twin(name: str, old: Names) -> str | None:
    """Return a well-known name, or one of the project's own, that `name` is one slip away from."""
    plain = name.lower().replace("_", "-")
    others = KNOWN | {other for other in old if not other.startswith("script:")}
    if len(plain) < 5 or plain in others or "/" in plain:
        return None
    return next((o for o in sorted(others) if len(o) >= 5 and _is_slip(plain, o)), None)


def _is_slip(a: str, b: str) -> bool:
    """Whether one letter more, less or other, or two swapped, makes one of the other."""
    if a == b or abs(len(a) - len(b)) > 1:
        return False
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    one, other = a[start:], b[start:]
    swapped = len(one) > 1 and len(other) > 1 and one[1] + one[0] + one[2:] == other
    digits = one[1:] == other[1:] and one[:1].isdigit() and other[:1].isdigit()  # v2 and v3
    return not digits and (swapped or one[1:] == other[1:] or one[1:] == other or one == other[1:])


def _find_line(file: FileChange, name: str) -> int | None:
    plain = name.removeprefix("script:").lower()
    return next((number for number, line in file.added if plain in line.lower()), None)


def _find_lone_locks(change: Change) -> Iterator[Finding]:
    changed = {file.path for file in change.files}
    for file in change.files:
        folder, _, name = file.path.rpartition("/")
        beside = f"{folder}/" if folder else ""
        made_from = LOCKS.get(name, ())
        if made_from and not file.is_new and not changed & {beside + other for other in made_from}:
            names = " and ".join(made_from)
            yield find("lock-alone", file, None, f"changed, and {names} did not")


# manifests


def _find_reader(name: str) -> Callable[[str], Names] | None:
    if re.fullmatch(r"(?:dev-|test-)?requirements[\w.-]*\.(?:txt|in)|constraints\.txt", name):
        return _read_requirements
    return READERS.get(name)


def _read(read: Callable[[str], Names], data: bytes) -> Names:
    """What cannot be read names nothing; `syntax-error` says that."""
    try:
        return read(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError, AttributeError, TypeError, KeyError):
        return {}


def _read_requirements(text: str) -> Names:
    found: Names = {}
    for line in text.splitlines():
        plain = line.partition(" #")[0].strip()
        if plain.startswith(("-e ", "--editable ", "git+", "http://", "https://")):
            found[plain.rpartition("#egg=")[2][-80:]] = f" {plain.split(' ', 1)[-1]}"
        elif plain and not plain.startswith(("#", "-")):
            found |= _read_requirement(plain)
    return found


def _read_requirement(text: str) -> Names:
    match = re.match(r"[A-Za-z0-9][\w.-]*", text)
    return {match.group().lower().replace("_", "-"): text[match.end() :].strip()} if match else {}


def _read_pyproject(text: str) -> Names:
    table = tomllib.loads(text)
    project = table.get("project", {})
    listed = [*project.get("dependencies", ()), *table.get("build-system", {}).get("requires", ())]
    for group in (project.get("optional-dependencies", {}), table.get("dependency-groups", {})):
        listed += [item for items in group.values() for item in items if isinstance(item, str)]
    found: Names = {}
    for item in listed:
        found |= _read_requirement(item)
    poetry = table.get("tool", {}).get("poetry", {})
    groups = [poetry, *poetry.get("group", {}).values()]
    for group in groups:
        found |= _read_table(group.get("dependencies", {}))
    return found | _read_table(table.get("tool", {}).get("uv", {}).get("sources", {}))


def _read_cargo(text: str) -> Names:
    table = tomllib.loads(text)
    found: Names = {}
    for key in ("dependencies", "dev-dependencies", "build-dependencies"):
        found |= _read_table(table.get(key, {}))
    patches = [source for sources in table.get("patch", {}).values() for source in sources.items()]
    return found | _read_table(dict(patches))


def _read_table(table: dict[str, Any]) -> Names:
    return {name.lower().replace("_", "-"): _say(value) for name, value in table.items()}


def _say(value: Any) -> str:
    """A path within the repository is the project's own; everything else says where it comes from."""
    if isinstance(value, dict):
        source = value.get("git") or value.get("url")
        return f"git+{source}" if source else json.dumps(value, sort_keys=True, default=str)
    return str(value)


def _read_package(text: str) -> Names:
    table = json.loads(text)
    found: Names = {}
    for key in ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies"):
        found |= {name: f" {wanted}".strip() for name, wanted in table.get(key, {}).items()}
    scripts = table.get("scripts", {})
    return found | {f"script:{name}": str(scripts[name]) for name in SCRIPTS if name in scripts}


def _read_go(text: str) -> Names:
    found: Names = {}
    for line in text.splitlines():
        words = line.partition("//")[0].replace("require", "").split()
        if "=>" in words:
            found[words[0]] = f"git+{' '.join(words[words.index('=>') + 1 :])}"
        elif len(words) == 2 and words[1].startswith("v"):
            found.setdefault(words[0], words[1])
    return found


READERS: dict[str, Callable[[str], Names]] = {
    "pyproject.toml": _read_pyproject,
    "package.json": _read_package,
    "Cargo.toml": _read_cargo,
    "go.mod": _read_go,
}
