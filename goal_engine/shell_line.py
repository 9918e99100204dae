"""What a line for a shell would run and which places it names, as far as reading it tells.

Quotes are taken off, so that more may seem to be run than is; never less, but for what a program or a
variable says itself.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

OPERATORS = frozenset(";&|<>()\n")
INTO = frozenset({">", ">>", ">|", "&>", "&>>", "<>"})
"""What puts the output into the file that follows."""
HERE = re.compile(r"<<-?\s*(?P<quote>['\"\\]?)(?P<word>\w+)['\"]?")
"""The beginning of a text that stands in the line itself."""
NESTED = re.compile(r"\$\(([^()]*)\)|`([^`]*)`|<\(([^()]*)\)")
"""A command within a word."""
ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)
WRAPPERS = frozenset(
    {"env", "nohup", "nice", "ionice", "time", "timeout", "xargs", "exec", "command", "builtin"}
    | {"stdbuf", "setsid", "watch", "strace", "busybox", "then", "do", "else", "if", "while"}
    | {"until", "!", "{", "elif", "cross-env"}
)
"""Words before a command."""
SHELLS = frozenset({"sh", "bash", "zsh", "dash", "ksh", "fish"})
AMOUNT = re.compile(r"\d+(?:\.\d+)?[smhdk]?")
DEEP = 5
"""How many shells within one another are read."""
PLACE = re.compile(
    r"(?:^|[=:,@]|^-[A-Za-z])(?P<path>(?:~[^/=:,]*|\.\.|\.|)/[^=:,]*|~|\.\.)(?=$|[=:,])"
)
HOME = re.compile(r"^\$(?:HOME|\{HOME\})(?=/|$)")
HERE_FOLDER = re.compile(r"^\$(?:PWD|\{PWD\})(?=/|$)")


@dataclass(frozen=True, slots=True)
class Simple:
    """One command without its shell."""

    words: tuple[str, ...]
    folder: str = "."
    """Where it runs, against where the line begins or from the root."""
    writes: tuple[str, ...] = ()
    """Files that its output goes into."""
    sets: tuple[str, ...] = ()
    """Variables that are set for it alone."""

    @property
    def text(self) -> str:
        """Its words, the program without its folder."""
        return " ".join((posixpath.basename(self.words[0]), *self.words[1:])) if self.words else ""

    def find_places(self) -> Iterator[tuple[str, str]]:
        """Yield each word with a path in it that may lead out of its folder; `~` is the home's."""
        for word in self.words:
            said = HERE_FOLDER.sub(".", HOME.sub("~", word))
            if "://" in said:
                continue
            for found in PLACE.finditer(said):
                yield word, self.locate(found["path"])
            if "/../" in f"{said}/" and not said.startswith(("/", "~", "../", "./")):
                yield word, self.locate(said)

    def locate(self, path: str) -> str:
        """Return a path of this command against where the line begins; what stands before a `..` may be a link."""
        is_whole = self.folder == "." or path.startswith("~")
        return path if is_whole else posixpath.join(self.folder, path)


@dataclass(frozen=True, slots=True)
class ShellLine:
    """What a line runs."""

    commands: tuple[Simple, ...]
    is_plain: bool = True
    """Whether it runs these commands and nothing that only a shell could work out."""


def read_line(line: str, depth: int = 0) -> ShellLine | None:
    """Return what a line runs, `None` where it cannot be told at all."""
    text, lively = _cut_texts(line.replace("\\\n", " "))
    try:
        lexer = shlex.shlex(text, posix=True, punctuation_chars="".join(sorted(OPERATORS)))
        lexer.whitespace, lexer.commenters = " \t\r", ""
        lexer.whitespace_split = True
        words = list(lexer)
    except ValueError:
        return None
    found = list(_find_simple(words))
    plain = not lively and "$" not in text and "`" not in text
    inner = [part for match in NESTED.finditer(line) for part in match.groups() if part]
    inner += [said for one in found for said in _find_said(one.words)]
    for part in inner if depth < DEEP else ():
        nested = read_line(part, depth + 1)
        found += nested.commands if nested else ()
    found += [one for simple in found for one in _unwrap(simple)]
    return ShellLine(tuple(found), plain and not inner)


def _cut_texts(line: str) -> tuple[str, bool]:
    """Return a line without the texts that stand in it, and whether a shell would look into one."""
    lively, kept = False, []
    ends: list[str] = []
    for one in line.split("\n"):
        if ends:
            if one.strip() == ends[0]:
                ends.pop(0)
            continue
        for match in HERE.finditer(one):
            ends.append(match["word"])
            lively = lively or not match["quote"]
        kept.append(HERE.sub("", one))
    return "\n".join(kept), lively


def _find_simple(words: Sequence[str]) -> Iterator[Simple]:
    folder = "."
    part: list[str] = []
    writes: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word or not OPERATORS.issuperset(word):
            part.append(word)
        elif word in INTO and rest:
            writes.append(rest.pop(0))
        elif "<" in word or ">" in word:
            rest[:1] = [] if word.endswith("&") else rest[:1]  # `2>&1` names no file
        else:
            if part or writes:
                yield _make(part, folder, writes)
                folder = _enter(part, folder)
            part, writes = [], []
    if part or writes:
        yield _make(part, folder, writes)


def _make(part: Sequence[str], folder: str, writes: Sequence[str]) -> Simple:
    count = next((n for n, word in enumerate(part) if not ASSIGNMENT.fullmatch(word)), len(part))
    return Simple(tuple(part[count:]), folder, tuple(writes), tuple(part[:count]))


def _enter(part: Sequence[str], folder: str) -> str:
    """Where what follows runs."""
    match [word for word in part if word not in ("-P", "-L", "--")]:
        case ["cd" | "pushd", to] if "$" not in to and not to.startswith(("~", "-")):
            return posixpath.normpath(to if to.startswith("/") else f"{folder}/{to}")
        case _:
            return folder


def _find_said(words: Sequence[str]) -> Iterator[str]:
    """Yield what a shell within the line is told to run."""
    if not words:
        return
    program = posixpath.basename(words[0])
    if program == "eval":
        yield " ".join(words[1:])
    elif program in SHELLS:
        for place, word in enumerate(words[1:-1], 1):
            if re.fullmatch(r"-[a-z]*c", word):
                yield words[place + 1]


def _unwrap(simple: Simple) -> Iterator[Simple]:
    """Yield the command behind words that only say how it is run, and what a shell is told there."""
    words, at = simple.words, 0
    while at < len(words) and posixpath.basename(words[at]) in WRAPPERS:
        at += 1
        while at < len(words) and _is_setting(words[at]):
            at += 1
    if 0 < at < len(words):
        yield Simple(words[at:], simple.folder)
        for said in _find_said(words[at:]):
            nested = read_line(said, DEEP)
            yield from nested.commands if nested else ()


def _is_setting(word: str) -> bool:
    """Whether a word belongs to the one before the command: an option, a variable, an amount."""
    return word.startswith("-") or any(pattern.fullmatch(word) for pattern in (ASSIGNMENT, AMOUNT))
