"""What of the person's repository moved while something of ours ran, and what that may mean.

Two fingerprints are compared by kinds.  What steers git (configuration, hooks, `info`, pointers to other
git directories) is nobody's to change but the person's, who hardly does it in the middle of a run.  HEAD,
branches and the index move whenever the person works: they are asked whether they did.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

from pydantic import Field

from goal_engine.types import Frozen, Sha256


class Part(StrEnum):
    """What a thing in a git directory is for."""

    CONFIG = "config"
    HOOK = "hook"
    INFO = "info"
    """Attributes, excludes, grafts, alternates: what git reads beside the configuration."""
    OWN = "own"
    """The person's own configuration, for all their repositories."""
    OWN_HOOK = "own-hook"
    """A file of a folder outside of the git directory that `core.hooksPath` names."""
    POINTER = "pointer"
    """A file that says where the git directory is."""
    REF = "ref"
    """HEAD, a branch, a tag, a stash."""
    INDEX = "index"


BEYOND = (Part.OWN, Part.OWN_HOOK)
"""What is the person's own beside the repository: they may change it while nobody else can."""


class Seen(Frozen):
    """One file as it was found."""

    part: Part
    sha256: Sha256
    mode: str
    """`link`, `file` or `executable`."""
    bits: int = 0
    """Its permissions, to be put back with them."""
    settings: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Of a configuration: each key in full, and its values."""


class Fingerprint(Frozen):
    """A repository at one moment, as far as nobody but its person is to change it."""

    git_dir: str
    common: str
    """The git directory that linked worktrees share."""
    files: dict[str, Seen]
    """By path below `common`; absolute for what lies elsewhere."""
    refs: dict[str, str]
    """The value of HEAD and of each ref, packed or loose."""
    index: Sha256
    """Of what is staged: names, modes, objects and flags, and no times."""
    own: tuple[str, ...] = ()
    """Where the person's own configuration was looked for; nowhere before this was looked at."""
    hooks: tuple[str, ...] = ()
    """The folders that `core.hooksPath` named."""


class RepositoryChange(Frozen):
    """One thing that moved."""

    part: Part
    name: str
    what: str
    """In words, without the name."""
    steers: bool
    """Whether it can make git run or believe something, so that only a person may say that they did it."""


INERT = re.compile(r"branch\..*\.(vscode-merge-base|github-pr-[a-z-]+|gh-[a-z-]+|description)")
"""Settings that editors write for themselves and git does not know."""
TRACKING = re.compile(r"branch\..*\.(remote|merge|rebase|pushremote)")
"""Settings that `git switch -c` and `git push -u` write."""
FOLLOWS = re.compile(r"refs/(remotes|prefetch|bisect|worktree)/.*")
"""Refs that follow the network (editors fetch by themselves) or belong to one worktree."""
MAY_APPEAR = re.compile(r"refs/(tags|heads/goal)/.*")
"""What a fetch brings along, and the branches of delivered goals."""
REPLACES = "refs/replace/"
"""Refs that make git take one object for another."""
LONGEST = 80
"""Characters of a value that are shown."""


def find_changes(before: Fingerprint, after: Fingerprint) -> tuple[RepositoryChange, ...]:
    """Return what moved between two fingerprints, what steers git first."""
    found = [*_find_files(before, after), *_find_refs(before.refs, after.refs)]
    if before.index != after.index:
        found.append(_change(Part.INDEX, "index", "has other files staged", steers=False))
    return tuple(sorted(found, key=lambda change: (not change.steers, change.part, change.name)))


def say_changes(changes: Iterable[RepositoryChange], most: int = 8) -> str:
    """Return what moved, in words."""
    told = [f"{change.name} {change.what}" for change in changes]
    more = f"; and {len(told) - most} more" if len(told) > most else ""
    return "; ".join(told[:most]) + more


def _change(part: Part, name: str, what: str, *, steers: bool) -> RepositoryChange:
    return RepositoryChange(part=part, name=name, what=what, steers=steers)


# Files


def _find_files(before: Fingerprint, after: Fingerprint) -> Iterator[RepositoryChange]:
    if (before.git_dir, before.common) != (after.git_dir, after.common):
        said = f"leads to {_quote(after.common)} now, and led to {_quote(before.common)}"
        yield _change(Part.POINTER, ".git", said, steers=True)
    hooks = frozenset(before.hooks).intersection(after.hooks)
    for name in sorted(before.files.keys() | after.files.keys()):
        old, new = before.files.get(name), after.files.get(name)
        if _is_same(old, new):
            continue
        kept = old or new
        assert kept is not None
        if kept.part is Part.OWN and before.own != after.own:
            continue
        if kept.part is Part.OWN_HOOK and name.rpartition("/")[0] not in hooks:
            continue  # the configuration says it all
        if kept.part is Part.CONFIG and not (old and new) and name.startswith("/"):
            yield _change(Part.CONFIG, name, _say_came(old, "included"), steers=True)
        elif kept.part in (Part.CONFIG, Part.OWN):
            yield from _find_settings(kept.part, name, old, new)
        elif not _is_worktree(name) or _steers_worktree(name, old, new):
            yield _change(kept.part, name, _say_file(old, new), steers=True)


def _is_same(old: Seen | None, new: Seen | None) -> bool:
    return bool(old and new and (old.sha256, old.mode) == (new.sha256, new.mode))


def _say_came(old: Seen | None, word: str) -> str:
    return f"is {word} now" if old is None else f"is not {word} any more"


def _say_file(old: Seen | None, new: Seen | None) -> str:
    if old is None:
        return "appeared"
    if new is None:
        return "is gone"
    if old.mode != new.mode:
        return f"was {_MODES[old.mode]} and is {_MODES[new.mode]}"
    return "has other content"


_MODES = {"link": "a link", "file": "a plain file", "executable": "executable"}


def _is_worktree(name: str) -> bool:
    return name.startswith("worktrees/")


def _steers_worktree(name: str, old: Seen | None, new: Seen | None) -> bool:
    """A person makes, moves and removes worktrees; where one has its objects never changes."""
    return name.endswith("/commondir") and old is not None and new is not None


def _find_settings(
    part: Part, name: str, old: Seen | None, new: Seen | None
) -> Iterator[RepositoryChange]:
    """Comments and order steer nothing; what a file says is compared key by key."""
    was, now = (seen.settings if seen else {} for seen in (old, new))
    keys = sorted(
        key
        for key in was.keys() | now.keys()
        if was.get(key) != now.get(key) and not INERT.fullmatch(key)
    )
    for tracking in (False, True):
        told = [key for key in keys if bool(TRACKING.fullmatch(key)) is tracking]
        if told:
            said = ", ".join(_say_setting(key, was.get(key), now.get(key)) for key in told[:6])
            sections = dict.fromkeys(key.rpartition(".")[0] for key in told[6:])
            more = f" and {len(told) - 6} more, of {', '.join(sections)}" if sections else ""
            yield _change(part, name, f"says: {said}{more}", steers=not tracking)
    if old and new and old.mode != new.mode:
        yield _change(part, name, _say_file(old, new), steers=True)


def _say_setting(key: str, old: tuple[str, ...] | None, new: tuple[str, ...] | None) -> str:
    if new is None:
        return f"no {key} any more"
    shown = f"{key} = {' and '.join(map(_quote, new[-3:]))}"
    return shown if old is None else f"{shown} (was {' and '.join(map(_quote, old[-3:]))})"


def _quote(text: str) -> str:
    return ascii(text[:LONGEST]) + ("…" if len(text) > LONGEST else "")


# Refs


def _find_refs(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[RepositoryChange]:
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old == new or FOLLOWS.fullmatch(name):
            continue
        if old is None and MAY_APPEAR.fullmatch(name):
            continue
        yield _change(Part.REF, name, _say_ref(old, new), steers=name.startswith(REPLACES))


def _say_ref(old: str | None, new: str | None) -> str:
    if old is None:
        return f"appeared, at {_short(new)}"
    if new is None:
        return f"is gone; it was {_short(old)}"
    return f"is {_short(new)} and was {_short(old)}"


def _short(value: str | None) -> str:
    return ascii(value or "")[1:-1][:LONGEST]


# The configuration of git, as data

_SECTION = re.compile(r'\[\s*([A-Za-z0-9.-]+)(?:\s+"((?:[^"\\\n]|\\.)*)")?\s*\]')
_KEY = re.compile(r"([A-Za-z][A-Za-z0-9-]*)\s*(=?)\s*")


def parse_settings(text: str) -> dict[str, tuple[str, ...]]:
    """Return what a git configuration sets: keys in full, without case where git has none.

    What git would not understand is kept under a key of its own, so that it is seen to change.
    """
    found: dict[str, list[str]] = {}
    section = ""
    joined = re.sub(r"(?<!\\)((?:\\\\)*)\\\r?\n", r"\1", text.removeprefix("\ufeff"))
    for number, raw in enumerate(joined.splitlines(), 1):
        line = raw.strip()
        head = _SECTION.match(line)
        if head:
            section = head[1].lower() + (f".{_unescape(head[2])}" if head[2] is not None else "")
            line = line[head.end() :].strip()
        if not line or line[0] in "#;":
            continue
        key = _KEY.match(line)
        if key is None or not section:
            found.setdefault(f"line {number}", []).append(line)
            continue
        value = _parse_value(line[key.end() :]) if key[2] else "true"
        found.setdefault(f"{section}.{key[1].lower()}", []).append(value)
    return {key: tuple(values) for key, values in found.items()}


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _parse_value(text: str) -> str:
    """Quotes go, escapes are what they stand for, and a comment ends what is not quoted."""
    said, quoted, letters = "", False, iter(text)
    for letter in letters:
        if letter == "\\":
            after = next(letters, "")
            said += {"n": "\n", "t": "\t", "b": "\b"}.get(after, after)
        elif letter == '"':
            quoted = not quoted
        elif letter in "#;" and not quoted:
            break
        else:
            said += letter
    return said.rstrip() if not quoted else said
