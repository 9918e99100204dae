"""What a line of a script runs, where that can be told; a line that cannot be is left to its shell."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
SEPARATOR = frozenset({"&&", ";"})
MEANT_FOR_A_SHELL = frozenset("$`<>|&;()*?[]{}~#!")
VACUOUS = frozenset({"echo", "printf", "true", ":", "exit", "false"})
"""Commands that check nothing, whatever they say."""

CANNOT_FAIL = re.compile(r"(?:\|\||;)\s*(?:true|:|exit\s+0|echo\b[^&|;]*)\s*$", re.MULTILINE)
"""The end of a line that succeeds whatever came before it."""

WRAPPERS: tuple[tuple[str, ...], ...] = (
    *(("uv", "run"), ("poetry", "run"), ("pdm", "run"), ("hatch", "run"), ("pipenv", "run")),
    *(("rye", "run"), ("npx",), ("pnpm", "exec"), ("pnpm", "dlx"), ("yarn", "exec"), ("bunx",)),
    *(("npm", "exec"), ("npm", "exec", "--"), ("python", "-m"), ("python3", "-m"), ("time",)),
    *(("cross-env",), ("env",), ("exec",), ("command",)),
)
"""Words before a command that change where it comes from and not what it is."""

INSTALLERS = re.compile(
    r"\b(?:pip3?|pipx|conda|mamba|gem|bundle|brew|apt|apt-get|dnf|apk|cargo|go|npm|pnpm|yarn|bun|poetry"
    r"|pdm|uv|pipenv|composer)\s+(?:-\S+\s+)*(?:install|i|ci|add|sync|get|download|fetch)\b"
    r"|\b(?:curl|wget|docker|docker-compose|podman|ssh|rsync|kubectl|vagrant)\b"
    r"|\buv\s+run\b(?!.*--(?:no-sync|offline))|\bgit\s+(?:clone|fetch|pull)\b|\buvx\b|\bpnpm\s+dlx\b"
)
"""What fetches from the network or needs more than the tree: never a gate without being asked for."""

REWRITES = re.compile(r"--write\b|--fix\b|--apply|(?:^|\s)-w\b")
"""What repairs what it finds."""

ENVIRONMENTS = re.compile(r"\b(?:tox|nox|pre-commit|prek|hatch\s+test)\b")
"""Tools that make environments of their own."""


@dataclass(frozen=True, slots=True)
class Command:
    """One simple command."""

    words: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)

    @property
    def program(self) -> str:
        """Its name, without the folder."""
        return self.words[0].rpartition("/")[2] if self.words else ""

    @property
    def is_vacuous(self) -> bool:
        """Whether it checks nothing."""
        return self.program in VACUOUS or not self.words


def split_line(line: str) -> tuple[Command, ...] | None:
    """Return the commands of a line that are run one after the other until one fails.

    `None` when a shell would make more of it than that.
    """
    try:
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|<>()")
        lexer.whitespace_split = True
        lexer.commenters = ""
        words = list(lexer)
    except ValueError:
        return None
    parts: list[list[str]] = [[]]
    for word in words:
        if word in SEPARATOR:
            parts.append([])
        elif MEANT_FOR_A_SHELL.intersection(word) and not _is_quoted_glob(word, line):
            return None
        else:
            parts[-1].append(word)
    return tuple(_read(part) for part in parts if part)


def unwrap(words: Sequence[str]) -> tuple[str, ...]:
    """Return a command without what only says where it comes from (`uv run`, `python -m`, `npx`)."""
    found = tuple(words)
    while found:
        base = (found[0].rpartition("/")[2], *found[1:])
        shorter = next((base[len(w) :] for w in WRAPPERS if base[: len(w)] == w), None)
        if shorter is None:
            return base
        found = tuple(_drop_settings(shorter))
    return ()


def is_vacuous(line: str) -> bool:
    """Whether a line, however it is put together, only prints, succeeds or fails."""
    parts = re.split(r"&&|\|\||;|\n", line)
    return all(not part.strip() or _first(part) in VACUOUS for part in parts)


def _first(part: str) -> str:
    return part.split()[0].lstrip("@-")


def _is_quoted_glob(word: str, line: str) -> bool:
    """A glob in quotes is the program's: `eslint 'src/**/*.ts'`."""
    if not set("*?[]{}!").issuperset(MEANT_FOR_A_SHELL.intersection(word)):
        return False
    return f"'{word}'" in line or f'"{word}"' in line


def _read(words: list[str]) -> Command:
    env: dict[str, str] = {}
    rest = list(words)
    while rest and (rest[0] in ("cross-env", "env") or ASSIGNMENT.fullmatch(rest[0])):
        found = ASSIGNMENT.fullmatch(rest.pop(0))
        if found:
            env[found.group(1)] = found.group(2)
    return Command(tuple(rest), env)


def _drop_settings(words: Sequence[str]) -> Sequence[str]:
    """Options of the wrapper itself stand before the command."""
    rest = list(words)
    while rest and (rest[0].startswith("-") or ASSIGNMENT.fullmatch(rest[0])):
        rest.pop(0)
    return rest
