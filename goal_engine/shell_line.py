"""What a line for a shell would run and which places it names, as far as reading it tells.

Quotes are taken off, so that more may seem to be run than is; never less, but for what a program or a
variable says itself.
"""

from __future__ import annotations

import codecs
import posixpath
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

OPERATORS = frozenset(";&|<>()\n")
INTO = frozenset({">", ">>", ">|", "&>", "&>>", "<>"})
"""What puts the output into the file that follows."""
SCANNED = re.compile(
    r"""(?P<skip>\\.|'[^']*'|"(?:[^"\\]|\\.)*"|<<<|(?<![\w<])\$?\(\([^\n]{0,200}?\)\)|\$\{[^}]{0,200}\}|(?<=[\s;&|()])\#[^\n]*|^\#[^\n]*)"""
    r"""|<<-?[ \t]*(?P<word>(?:\\.|'[^']*'|"[^"]*"|[^\s;&|<>()'"\\])+)|(?P<end>\n)""",
    re.DOTALL,
)
"""What can be told of a line from its left: what hides all in it, where a text begins that stands in the
line itself, and where a line ends."""
NESTED = re.compile(r"\$\(([^()]*)\)|`([^`]*)`|[<>]\(([^()]*)\)")
"""A command within a word."""
ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)
WRAPPERS = frozenset(
    {"env", "nohup", "nice", "ionice", "time", "timeout", "xargs", "exec", "command", "builtin"}
    | {"stdbuf", "setsid", "watch", "strace", "busybox", "then", "do", "else", "if", "while"}
    | {
        "until",
        "!",
        "{",
        "elif",
        "cross-env",
        "coproc",
        "sudo",
        "doas",
        "parallel",
        "ltrace",
        "gdb",
    }
    | {"taskset", "chrt", "prlimit", "linux32", "linux64", "fakeroot", "proot", "firejail", "bwrap"}
    | {"unshare", "nsenter", "xvfb-run", "dbus-run-session", "systemd-run", "systemd-inhibit"}
    | {
        "ssh-agent",
        "screen",
        "npx",
        "bunx",
        "uvx",
        "dotenv",
        "rlwrap",
        "unbuffer",
        "caffeinate",
        "script",
    }
)
"""Words before a command."""
LAUNCHERS: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(
        ("uv", "poetry", "pipenv", "pdm", "hatch", "rye", "conda", "pixi"), frozenset({"run"})
    ),
    **dict.fromkeys(
        ("npm", "pnpm", "yarn", "bun", "bundle", "mise", "direnv"), frozenset({"exec", "x", "dlx"})
    ),
    "nix": frozenset({"develop", "shell"}),
    "perf": frozenset({"stat", "record"}),
}
"""Programs that run a command after one of these words."""
AFTER_ONE = frozenset({"flock", "chroot", "setarch", "function", "direnv", "sg"})
"""Words that a command follows after one other."""
RUNS_EACH = frozenset({"-exec", "-execdir", "-ok", "-okdir"})
"""Words of `find` before a command."""
SHELLS = frozenset(
    {"sh", "bash", "zsh", "dash", "ksh", "fish", "csh", "tcsh", "ash", "mksh", "rbash"}
)
TOLD = frozenset({"trap", "watch", "parallel", "script", "su", "runuser", "sg", "flock", "npx", "npm"}) | {
    "nix-shell", "tmux", "screen", "pwsh"
}  # fmt: skip
"""Programs that hand a word with spaces to a shell."""
VALUED = frozenset(
    {"-C", "-c", "--git-dir", "--work-tree", "--namespace", "--super-prefix", "--config-env"}
    | {"--attr-source"}
)
"""Options of git before its verb that take the word after them."""
EACH = frozenset({("submodule", "foreach"), ("bisect", "run")})
"""Words of git before a command."""
SPLIT = re.compile(r"(?:-S|--split-string=)(.+)", re.DOTALL)
"""An option of `env` that has a command in it."""
AMOUNT = re.compile(r"\d+(?:\.\d+)?[smhdk]?")
GUESSES = 20
"""Readings of one command that are tried."""
DEEP = 5
"""How many shells within one another are read."""
MOST_WORDS = 40_000
"""Words of all that a line may run, with each reading of it: of more, nobody could tell in time."""
PLACE = re.compile(
    r"(?:^|[=:,@]|^-[A-Za-z])(?P<path>(?:~[^/=:,]{0,64}|\.\.|\.|)/[^=:,]*|~|\.\.)(?=$|[=:,])"
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

    def find_spellings(self) -> Iterator[str]:
        """Yield how else it may be said: without the options between a program and its verb."""
        if not self.words:
            return
        program, rest = posixpath.basename(self.words[0]), list(self.words[1:])
        for _ in range(GUESSES):
            if not rest or not rest[0].startswith(("-", "+")):
                return
            valued = program == "git" and rest[0] in VALUED
            del rest[: 2 if valued else 1]
            yield " ".join((program, *rest))
            if program != "git" and rest and not rest[0].startswith("-"):
                yield " ".join((program, *rest[1:]))  # it may belong to the option

    def find_places(self) -> Iterator[tuple[str, str]]:
        """Yield each word with a path in it that may lead out of its folder; `~` is the home's."""
        for word in self.words:
            if self.folder.startswith("/") and not word.startswith(("-", "/", "~", "$")):
                yield word, self.locate(word)
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


class _TooMuch(Exception):
    """A line may run more than can be looked at."""


def read_line(line: str) -> ShellLine | None:
    """Return what a line runs, `None` where it cannot be told at all."""
    try:
        found = _read(line, 0)
        _count(found.commands if found else ())
    except _TooMuch:
        return None
    return found


def _count(commands: Iterable[Simple]) -> tuple[Simple, ...]:
    """Return commands as they come.  Raises `_TooMuch` as soon as they are too many to be looked at."""
    found: list[Simple] = []
    words = 0
    for one in commands:
        found.append(one)
        words += len(one.words) + 1
        if words > MOST_WORDS:
            raise _TooMuch
    return tuple(found)


def _read_inner(text: str, depth: int) -> tuple[Simple, ...]:
    """Return what a text within a line runs: a shell takes whole lines, so it runs those before one that
    does not end."""
    whole = _read(text, depth)
    if whole is not None:
        return whole.commands
    lines = (_read(line, depth) for line in text.splitlines())
    return tuple(one for line in lines if line for one in line.commands)


def _read(line: str, depth: int) -> ShellLine | None:
    line = ANSI_C.sub(_take_ansi_c, line.replace("\\\n", ""))
    text, bodies, lively = _cut_texts(line)
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
    if _is_intricate(line):
        inner.append(re.sub(r"['\"`#<]", " ", line))
    unwrapped = _count(one for simple in found for one in _unwrap(simple))
    if any(_listens(one) for one in (*found, *unwrapped)):
        inner += [*bodies, *_find_handed(words, found)]
    parts = inner if depth < DEEP else ()
    within = _count(one for part in parts for one in _read_inner(part, depth + 1))
    return ShellLine((*found, *within, *unwrapped), plain and not inner)


INTRICATE = re.compile(r"\$\{[^}]{200}|\(\([^\n]{200}")


def _is_intricate(line: str) -> bool:
    """Whether quotes stand within quotes, or so much in brackets, that what is quoted cannot be told."""
    quoted = [one for found in SCANNED.finditer(line) if (one := found["skip"] or "")[:1] == '"']
    torn = any(
        one.count("$(") > one.count(")") or one.count("${") > one.count("}") or one.count("`") % 2
        for one in quoted
    )
    return torn or INTRICATE.search(line) is not None


ANSI_C = re.compile(r"\$'((?:[^'\\]|\\.)*)'")


def _take_ansi_c(found: re.Match[str]) -> str:
    try:
        return shlex.quote(codecs.decode(found[1], "unicode_escape"))
    except UnicodeDecodeError:
        return found[0]


def _cut_texts(line: str) -> tuple[str, list[str], bool]:
    """Return a line without the texts that stand in it and its comments, the texts, and whether a shell
    would look into one."""
    kept: list[str] = []
    bodies: list[str] = []
    ends: list[str] = []
    lively, at = False, 0
    while found := SCANNED.search(line, at):
        kept.append(line[at : found.start()])
        at = found.end()
        if found["word"]:
            ends.append(re.sub(r"['\"\\]", "", found["word"]))
            lively = lively or ends[-1] == found["word"]
        elif found["end"]:
            kept.append("\n")
            for end in ends:
                body, at = _take_text(line, at, end)
                bodies.append(body)
            ends = []
        elif not found["skip"].startswith("#"):
            kept.append(found["skip"])
    return "".join((*kept, line[at:])), bodies, lively


def _take_text(line: str, at: int, end: str) -> tuple[str, int]:
    """Return the text that begins in a line and ends with `end` on a line of its own, and what follows."""
    begun = at
    while at < len(line):
        stop = line.find("\n", at)
        stop = len(line) if stop < 0 else stop
        if line[at:stop].strip() == end:
            return line[begun:at], stop + 1
        at = stop + 1
    return line[begun:], len(line)


def _listens(simple: Simple) -> bool:
    """Whether it is a shell that runs what it is handed."""
    if not simple.words or posixpath.basename(simple.words[0]) not in {*SHELLS, "source", "."}:
        return False
    return all(word.startswith(("-", "/dev/")) for word in simple.words[1:])


def _find_handed(words: Sequence[str], found: Sequence[Simple]) -> Iterator[str]:
    """Yield what a line hands to who reads it: words after `<<<`, and what is said aloud."""
    for place, word in enumerate(words):
        if word == "<<<":
            yield from words[place + 1 : place + 2]
    for one in found:
        if one.words[:1] in (("echo",), ("printf",)):
            yield from (*one.words[1:], " ".join(one.words[1:]))


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
        elif word == "<<<":
            rest[:1] = []
        elif word == ">&" and rest and not re.fullmatch(r"\d+-?|-", rest[0]):
            writes.append(rest.pop(0))
        elif ("<" in word or ">" in word) and not word.endswith("("):
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
        case ["cd"]:
            return "~"
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
            if re.fullmatch(r"[-+][a-zA-Z]*c[a-zA-Z]*|--command", word):
                yield from (
                    one for one in words[place + 1 : place + 4] if one[0:1] not in ("-", "+")
                )
    elif program in TOLD:
        yield from (word for word in words[1:] if " " in word)
    elif program == "alias":
        yield from (word.partition("=")[2] for word in words[1:])
    elif program == "env":
        yield from (found[1] for word in words if (found := SPLIT.fullmatch(word)))
    elif program == "git":
        yield from _find_told_git(words)


def _find_told_git(words: Sequence[str]) -> Iterator[str]:
    for place, word in enumerate(words[1:], 1):
        name, _, value = word.partition("=")
        if name.startswith("alias."):
            value = value or " ".join(words[place + 1 : place + 2])
            yield value[1:] if value.startswith("!") else f"git {value}"
        elif (words[place - 1], word) in EACH:
            yield " ".join(words[place + 1 :])
        elif word in ("-x", "--exec") and "rebase" in words:
            yield from words[place + 1 : place + 2]


def _unwrap(simple: Simple) -> Iterator[Simple]:
    """Yield the command behind words that only say how it is run, and what a shell is told there.

    What follows an option may be its value or the command, so both are taken for one.
    """
    words, at = simple.words, 0
    while at < len(words) and (over := _find_wrapped(words, at)):
        at = over
        while at < len(words) and _is_setting(words[at]):
            at += 1
        for _ in range(GUESSES):
            if at >= len(words) or not words[at - 1].startswith("-") or _find_wrapped(words, at):
                break
            yield from _run(simple, at)
            at += 1
            while at < len(words) and _is_setting(words[at]):
                at += 1
    if 0 < at < len(words):
        yield from _run(simple, at)
    if "{" in words[:-1]:
        yield from _run(simple, words.index("{") + 1)
    if words and posixpath.basename(words[0]) == "find":
        places = [place for place, word in enumerate(words[:-1], 1) if word in RUNS_EACH]
        for place in places[:GUESSES]:
            yield from _run(simple, place)


def _run(simple: Simple, at: int) -> Iterator[Simple]:
    words = simple.words[at:]
    yield Simple(words, simple.folder)
    for said in _find_said(words):
        yield from _read_inner(said, DEEP)


def _find_wrapped(words: Sequence[str], at: int) -> int:
    """Return where what the word at `at` runs may begin, 0 where it runs nothing else."""
    program, after = posixpath.basename(words[at]), words[at + 1 : at + 2]
    if program in WRAPPERS:
        return at + 1
    if program in AFTER_ONE or set(after) & LAUNCHERS.get(program, frozenset()):
        return at + 2 if program != "direnv" else at + 3
    return 0


def _is_setting(word: str) -> bool:
    """Whether a word belongs to the one before the command: an option, a variable, an amount."""
    return word.startswith("-") or any(pattern.fullmatch(word) for pattern in (ASSIGNMENT, AMOUNT))
