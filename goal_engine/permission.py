"""What an agent asks leave for while it works, and what it is answered: a policy, or a person.

An ask is never a sandbox: what an agent did without asking is found in its diff, and what it can reach
the sandbox says.  So the policy spares people questions, and says no early to what would come to nothing.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
import unicodedata
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from ipaddress import ip_address
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from goal_engine.shell_line import ShellLine, Simple, read_line
from goal_engine.types import Frozen


class Action(StrEnum):
    """What an agent wants to do."""

    EDIT = "edit"
    EXECUTE = "execute"
    READ = "read"
    FETCH = "fetch"
    QUESTION = "question"
    """It wants to know something, in the guise of an ask: nobody may guess."""
    OTHER = "other"


class Ask(Frozen):
    """One question of an agent, plain text with no secret in it."""

    tool: str
    """What the agent calls the tool."""
    action: Action
    detail: str = ""
    """The whole command, the question, or what else it is about."""
    paths: tuple[str, ...] = ()
    """Files that it is about, as the agent named them."""
    choices: tuple[str, ...] = ()
    """What a question may be answered with, where it offers that."""

    @property
    def key(self) -> str:
        """A name by content: an answer is to just this ask and no other."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


def say_ask(ask: Ask) -> str:
    """Return in one line what is asked."""
    lines = (" ".join(line.split()) for line in ask.detail.splitlines())
    about = " ⏎ ".join(filter(None, lines)) or ", ".join(ask.paths)
    choices = f" ({' | '.join(ask.choices)})" if ask.choices else ""
    asked = about if ask.action is Action.QUESTION and about else f"{ask.tool}: {about}"
    return f"{asked.rstrip(': ')}{choices}"


SHOWN, SHOWN_NAMES, SHOWN_NAME = 4000, 50, 300
"""Characters of what is asked that a person is shown, how many paths and choices, and of each."""


def shorten_ask(ask: Ask) -> Ask:
    """Return an ask as it is shown; what is left out of a long one is in its middle, and said."""
    half, more = SHOWN // 2, len(ask.detail) - SHOWN
    detail = f"{ask.detail[:half]} … {more} characters … {ask.detail[-half:]}"
    return Ask(
        tool=ask.tool[:SHOWN_NAME],
        action=ask.action,
        detail=ask.detail if more <= 0 else detail,
        paths=tuple(path[:SHOWN_NAME] for path in ask.paths[:SHOWN_NAMES]),
        choices=tuple(choice[:SHOWN_NAME] for choice in ask.choices[:SHOWN_NAMES]),
    )


YES, NO = ("allow", "yes"), ("deny", "no")


def parse_leave(ask: Ask, text: str) -> Answer:
    """Return what a person's word to an ask means.  Raises `ValueError` saying what it can be.

    `allow`, `deny`, and what the agent is to know after that; to a question, the answer.
    """
    said = text.strip()
    if not said:
        raise ValueError("say something")
    if ask.action is Action.QUESTION:
        return Answer(allowed=True, by="person", reason=said)
    word, _, reason = said.partition(" ")
    verb = word.rstrip(":,.").casefold()
    if verb not in (*YES, *NO):
        raise ValueError(f"say `allow` or `deny`, and not {word[:40]!r}")
    return Answer(allowed=verb in YES, by="person", reason=reason.strip())


AskKey = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]


class Answer(Frozen):
    """What an agent is told."""

    allowed: bool
    by: Literal["policy", "person", "timeout", "withdrawn"] = "policy"
    """`withdrawn`: its agent waits no more for an answer, so it gets none."""
    reason: str = ""
    """For the agent, where its protocol takes one, and for the log.  A person's word for a question:
    one of its choices, or their own."""


Asker = Callable[[Ask], Awaitable[Answer]]


async def deny(_: Ask) -> Answer:
    """Answer no: where nobody decides, nothing is allowed."""
    return Answer(allowed=False, reason="nobody is there to allow it")


@dataclass(slots=True)
class Presence:
    """Whether a person seems to be there in one run, by what became of asks; they may answer from anywhere."""

    unanswered: set[str] = field(default_factory=set)
    """Keys of what nobody answered in time: nobody is asked it again."""
    is_away: bool = False
    """Whether the last ask found nobody, so that the next does not wait as long."""


BRIEF = 30.0
"""Seconds that an ask waits after one that found nobody."""
MOST_ASKS = 50
"""What one attempt may ask a person; more is answered no."""
MOST_WORDS = 50
"""How often a person can say something to who works on a task."""
MOST_SAID = 4000
"""Characters of it."""

# The policy

Level = Literal["deny", "ask", "workspace", "all"]
"""Nothing; a person decides each; what concerns the workspace alone; everything."""
LEVELS: tuple[Level, ...] = ("deny", "ask", "workspace", "all")
"""From the narrowest."""
TIMEOUT = 300.0
"""Seconds that a person has."""


LARGEST = 500
"""Characters of a pattern."""


def _check_pattern(text: str) -> str:
    """Return a pattern as it is matched, with single spaces.

    One that could match nothing is refused: who wrote it would rely on it.
    """
    said = _single(text)
    action, colon, about = said.partition(":")
    known, word = ", ".join(PATTERNED), action.isidentifier()
    if not said:
        raise ValueError("has an empty pattern, which matches nothing: leave it out")
    if colon and word and action not in PATTERNED and (not about or about[0].isspace()):
        raise ValueError(f"has {text[:60]!r}, which begins with none of {known}")
    if colon and action in PATTERNED and not about.strip():
        raise ValueError(f"has {text[:60]!r}, which matches nothing: `{action}: *` is all of it")
    if colon and action in PATTERNED and not about[0].isspace():
        raise ValueError(
            f"has {text[:60]!r}, which matches nothing: write a space after `{action}:`"
        )
    return said


PATTERNED = tuple(str(action) for action in Action if action is not Action.QUESTION)
Pattern = Annotated[
    str, StringConstraints(min_length=1, max_length=LARGEST), AfterValidator(_check_pattern)
]
"""`git status*`, or `read: /data/*`: an action, `execute` where none is named, and what it is about;
`*` stands for anything."""


class Permissions(Frozen):
    """What agents may do without asking a person."""

    level: Level = "workspace"
    allow: tuple[Pattern, ...] = ()
    deny: tuple[Pattern, ...] = ()
    timeout: float = Field(default=TIMEOUT, ge=0)
    """Seconds until an ask that no person answers is answered no; 0 where nobody is to be waited for."""

    @property
    def asks(self) -> bool:
        """Whether a person is asked what an agent wants to know."""
        return self.level != "deny"

    def narrowed(self, level: Level | None, deny: Iterable[str]) -> Permissions:
        """Return what is left of it where a goal wants less; a goal never gets more."""
        both = (self.level, level or self.level)
        return self.changed(level=min(both, key=LEVELS.index), deny=(*self.deny, *deny))


@dataclass(frozen=True, slots=True)
class Ground:
    """What an ask is held against."""

    workspace: str
    """The folder of the task, from the root, with no link in it."""
    reads: tuple[str, ...] = ()
    """Folders beside the usual ones that may be read: the person's tools."""
    tops: frozenset[str] = frozenset()
    """Names of what is in `/`: a word that begins with `/` and another one is no path."""
    may_write: Callable[[str], bool] = lambda _: True
    """Whether the task may change a path of the repository."""
    resolve: Callable[[str], str] = posixpath.normpath
    """Follows the links of a path from the root, each before a `..` after it; nothing where it cannot."""

    def find(self, path: str) -> str:
        """Return where a path leads; what is in somebody's home folder begins with `~`."""
        if path.startswith("~"):
            return path
        return posixpath.normpath(self.resolve(posixpath.join(self.workspace, path)))

    def find_inside(self, path: str) -> str | None:
        """Return a path against the workspace, `.` for itself; `None` for one that leads out of it."""
        found = self.find(path)
        if found == self.workspace:
            return "."
        inside = found.startswith(f"{self.workspace}/")
        return found[len(self.workspace) + 1 :] if inside else None


SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store", "/etc"),
    *("/proc", "/sys", "/gnu/store", "/Library", "/System", "/Applications"),
)
"""Where the machine's programs are: read by everybody.  What is secret there the sandbox hides."""
SCRATCH = ("/tmp", "/var/tmp", "/dev/shm")
DEVICES = frozenset(
    f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty", "stdin", "stdout", "stderr")
)  # fmt: skip
WRITERS = frozenset(
    {"rm", "rmdir", "mv", "tee", "touch", "mkdir", "chmod", "chown", "chgrp", "truncate", "shred"}
    | {"unlink", "mkfifo", "mknod"}
)
"""Programs all of whose arguments are changed."""
PUTTERS = frozenset({"cp", "ln", "install"})
"""Programs whose last argument is."""

_ANY = r"(?:\S+ )*?"
_GIT = r"(?:-[Cc] \S+ |(?!-[Cc] )--?\S+ )*"  # read in one way only, or it would take for ever
DANGERS: tuple[tuple[str, str], ...] = (
    (r"(?:sudo|doas|su|pkexec|run0|runuser|gosu)\b", "it takes the rights of another user"),
    (
        rf"git {_GIT}(?:(?:lfs |subtree )?push|svn dcommit|send-email|send-pack|request-pull|credential\S*)\b",
        "nothing is pushed from here: the files as they are left are the result",
    ),
    (
        rf"git {_GIT}config (?:\S+ )*--(?:global|system)\b",
        "it changes settings outside the workspace",
    ),
    (
        rf"(?:npm|pnpm|yarn|bun|cargo|poetry|uv|flit|hatch|pdm|lerna|nx|dart|flutter|mix|vsce|ovsx"
        rf"|dotnet|nuget|sbt|changeset) {_ANY}(?:\S*:)?(?:publish|unpublish|yank)(?= |$)"
        rf"|gradlew? {_ANY}(?:\S*:)?publish",
        "nothing is published from here",
    ),
    (
        rf"(?:twine|python\S* -m twine) {_ANY}upload\b|(?:gem|docker|podman|buildah|helm|oras|skopeo"
        rf"|crane) {_ANY}(?:push|copy)\b|mvnw? {_ANY}deploy\b|goreleaser {_ANY}release\b",
        "nothing is published from here",
    ),
    (
        r"(?:gh|glab|hub)\b(?! (?:pr|mr|issue|run|repo|release|ci) (?:view|list|diff|checks|status)\b)",
        "it speaks for the person on a code host",
    ),
    (
        rf"(?:kubectl|oc) {_ANY}(?:apply|create|delete|patch|replace|scale|exec|drain|rollout)\b"
        rf"|(?:terraform|tofu|pulumi|cdk|serverless) {_ANY}(?:apply|destroy|up|deploy|import)\b"
        r"|(?:ansible\S*|aws|gcloud|az|doctl|heroku|fly|flyctl|vercel|netlify|wrangler)\b",
        "it changes what runs elsewhere",
    ),
    (r"(?:ssh|scp|sftp|mosh|telnet|nc|ncat|netcat|socat|ftp|lftp)\b", "it reaches another machine"),
    (r"rsync\b.* \S+::?\S*", "it reaches another machine"),
    (
        r"(?:shutdown|reboot|halt|poweroff|systemctl|service|launchctl|crontab|at|batch|mount|umount"
        r"|mkfs\S*|fdisk|parted|losetup|modprobe|insmod|iptables|nft|ufw|sysctl|useradd|usermod|passwd"
        r"|chroot|nsenter|unshare)\b",
        "it changes the machine and not the workspace",
    ),
    (rf"(?:pkill|killall|skill)\b|kill {_ANY}-1(?= |$)", "it may end programs that are not its own"),
    (
        rf"(?:apt|apt-get|aptitude|dpkg|dnf|yum|zypper|apk|pacman|brew|port|snap|flatpak) {_ANY}"
        r"(?:install|add|remove|purge|upgrade|update|-S\w*|-i)\b"
        rf"|(?:npm|pnpm|yarn|bun) {_ANY}(?:-g|--global)\b|yarn global\b",
        "it installs for the whole machine",
    ),
    (rf"goalproof\b|python\S* {_ANY}-m ?goal_server\b", "it speaks in the person's place"),
)  # fmt: skip
"""Commands that are refused though they may name nothing outside, and why; no sandbox, a courtesy."""
_DANGERS = tuple((re.compile(pattern), why) for pattern, why in DANGERS)
FETCHED_AND_RUN = tuple(
    (re.compile(first), re.compile(then))
    for first, then in (
        (
            r"\b(?:curl|wget)\b",
            r"\|&?(?:(?:sudo|doas|env|exec|command|nohup|nice|time) (?:-[^\s|]+ )*)*"
            r"(?:[^\s|]*/)?(?:(?:ba|z|da|k)?sh|python\S*|perl|ruby|node)\b",
        ),
        (r"\b(?:(?:ba|z|da|k)?sh|source)\b|(?<!\S)\. ", r"<\(\s*(?:curl|wget)\b"),
        (r"\b(?:ba|z|da|k)?sh (?:\S+ ){0,8}?-\w*c\b|\beval\b", r"(?:\$\(|`)\s*(?:curl|wget)\b"),
    )
)
"""What stands first and what after it in one command of a line: found one after the other, in time."""
_HOST = r"[/\\]*(?:[^/\\\s]*@)?(\[[^\]\s]*\]|[^/\\\s:?#]*)"
ADDRESS = re.compile(rf"\b([a-z][a-z0-9+.-]{{0,40}})://{_HOST}", re.IGNORECASE)
BARE = re.compile(rf"(?:(https?|file|ftp):)?{_HOST}", re.IGNORECASE)
"""An address of which a part is left out, where it is all that is said."""
NUMBER = re.compile(r"0x[0-9a-f]{1,16}|[0-9]{1,20}", re.IGNORECASE)
METADATA = frozenset({"metadata", "metadata.google.internal", "instance-data"})


def find_answer(ask: Ask, permissions: Permissions, ground: Ground) -> Answer | None:
    """Return what the policy says to an ask, `None` where a person has to say.

    A question is never answered: who may ask nobody is told so, everybody else asks a person.  What
    people forbade goes before what they allowed, and both before the level.  Its workspace was given
    to it to read: most agents do so without asking, and one that asks for all of it asks for nothing new.
    """
    line = read_line(ask.detail) if ask.action is Action.EXECUTE else None
    if ask.action is not Action.QUESTION:
        denied = next((p for p in permissions.deny if _is_meant(ask, p, line, ground)), None)
        if denied is not None:
            return _no(f"`{denied}` is not allowed here")
        if _is_allowed(ask, permissions.allow, line, ground):
            return Answer(allowed=True, reason="a pattern of the person's allows it")
    match permissions.level:
        case "deny" | "ask" if _reads_its_own(ask, ground):
            return OF_WORKSPACE
        case "deny":
            return _no("nobody is asked here: go on without it, or decide what is sensible")
        case "all" if ask.action is not Action.QUESTION:
            return Answer(allowed=True, reason="everything is allowed here")
        case "workspace":
            return JUDGES[ask.action](ask, line, ground)
        case _:
            return None


def _reads_its_own(ask: Ask, ground: Ground) -> bool:
    inside = (ground.find_inside(path) is not None for path in ask.paths)
    return ask.action is Action.READ and all(inside)


def _no(reason: str) -> Answer:
    return Answer(allowed=False, reason=reason)


OF_WORKSPACE = Answer(allowed=True, reason="it concerns the workspace")


def _judge_edit(ask: Ask, line: ShellLine | None, ground: Ground) -> Answer | None:
    """What its task may not change would only fail it afterwards."""
    for path in ask.paths:
        inside = ground.find_inside(path)
        if inside is None and not _is_below(ground.find(path), SCRATCH):
            return _no(f"{path} is outside the workspace {ground.workspace}")
        if inside is not None and inside.split("/")[0] == ".git":
            return _no("git's own files are no part of a result")
        if inside is not None and not ground.may_write(inside):
            return _no(f"the task may not change {inside}: its write set leaves that out")
    return OF_WORKSPACE if ask.paths else None


def _judge_read(ask: Ask, line: ShellLine | None, ground: Ground) -> Answer | None:
    outside = next((path for path in ask.paths if not _may_read(ground, path)), None)
    if outside is not None:
        return _no(f"{outside} is outside the workspace {ground.workspace}")
    return OF_WORKSPACE


def _judge_execute(ask: Ask, line: ShellLine | None, ground: Ground) -> Answer | None:
    if line is None or not line.commands:
        return None
    if _runs_what_it_fetches(ask.detail):
        return _no("it runs what it fetches, unseen")
    for command in line.commands:
        said = (command.text, *_without_options(command))
        why = next((why for p, why in _DANGERS if any(map(p.match, said))), "")
        if why:
            return _no(f"`{_shorten(command.text)}`: {why}")
        outside = _find_outside(command, ground)
        if outside is not None:
            return _no(f"{outside} is outside the workspace {ground.workspace}")
    return _judge_read(ask, line, ground)


def _runs_what_it_fetches(line: str) -> bool:
    parts = re.split(r"[\n;]", re.sub(r"(\|&?)\s+", r"\1", line))
    return any(
        then.search(part, found.end())
        for part in parts
        for first, then in FETCHED_AND_RUN
        if (found := first.search(part))
    )


def _judge_fetch(ask: Ask, line: ShellLine | None, ground: Ground) -> Answer | None:
    """Pages of the web are read: an agent has the person's network, and `curl` would do the same.

    What only this machine and its provider answer is not: a fetch there is no reading of pages.
    """
    said = unicodedata.normalize("NFKC", ask.detail.strip()).replace("\u3002", ".")
    bare = BARE.match(said) if "://" not in said and len(said.split()) == 1 else None
    for scheme, host in ADDRESS.findall(said) or ([(bare[1] or "http", bare[2])] if bare else []):
        if scheme.lower() not in ("http", "https"):
            return _no(f"`{scheme}:` is no address of a page")
        if "\\" in said:
            return _no("programs do not agree on where an address with `\\` leads")
        if _is_private(host.strip("[]").rstrip(".").lower()):
            return _no(f"{host} is an address of this machine or its network")
    return OF_WORKSPACE


def _let_person(ask: Ask, line: ShellLine | None, ground: Ground) -> Answer | None:
    return None


JUDGES: dict[Action, Callable[[Ask, ShellLine | None, Ground], Answer | None]] = {
    Action.EDIT: _judge_edit,
    Action.READ: _judge_read,
    Action.EXECUTE: _judge_execute,
    Action.FETCH: _judge_fetch,
    Action.QUESTION: _let_person,
    Action.OTHER: _let_person,
}
"""What concerns the workspace, by what is wanted."""


def _is_private(host: str) -> bool:
    if host in METADATA or host == "localhost" or host.endswith((".localhost", ".internal")):
        return True
    try:
        number = _read_number(host)
        return not ip_address(host if number is None else number).is_global
    except ValueError:
        return False


def _read_number(host: str) -> int | None:
    """Return the address that is written as one to four numbers, as programs take them; `None` for a name."""
    parts = host.split(".")
    if len(parts) > 4 or not all(map(NUMBER.fullmatch, parts)):
        return None
    octal = ((part[:1] == "0" and part.isdigit()) for part in parts)
    numbers = [
        int(part, 8) if old else int(part, 0) for part, old in zip(parts, octal, strict=True)
    ]
    *whole, last = numbers
    return sum(one << 8 * (3 - place) for place, one in enumerate(whole)) + last


def _is_below(path: str, folders: Iterable[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def _may_read(ground: Ground, path: str) -> bool:
    if ground.find_inside(path) is not None:
        return True
    found = ground.find(path)
    return found == "/" or found in DEVICES or _is_below(found, (*SYSTEM, *SCRATCH, *ground.reads))


def _may_put(ground: Ground, path: str) -> bool:
    if "$" in path or ground.find_inside(path) is not None:
        return True
    found = ground.find(path)
    return found in DEVICES or _is_below(found, (*SCRATCH, "/dev/fd"))


def _find_outside(command: Simple, ground: Ground) -> str | None:
    """Return the first place of a command that leads out of what it may reach."""
    if command.folder.startswith("~"):
        return command.folder
    for path in command.writes:
        if not _may_put(ground, command.locate(path)):
            return path
    program = command.text.split(" ", 1)[0]
    for word, place in command.find_places():
        if place.startswith("/") and _find_top(place) not in ("", *ground.tops):
            continue  # a pattern, or a path of something else
        is_put = program in WRITERS or (program in PUTTERS and word == command.words[-1])
        if not (_may_put if is_put else _may_read)(ground, place):
            return place
    return None


def _find_top(path: str) -> str:
    return posixpath.normpath(path).lstrip("/").split("/")[0]


def _shorten(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:79]}…"


# Patterns


def find_patterns(ask: Ask, ground: Ground) -> tuple[str, ...]:
    """Return the patterns that would allow just this ask from now on; none where none can."""
    match ask.action:
        case Action.QUESTION:
            return ()
        case Action.EXECUTE:
            about: tuple[str, ...] = (_escape(ask.detail),)
        case Action.OTHER:
            about = (_escape(ask.tool),)
        case _:
            paths = (ground.find_inside(path) or ground.find(path) for path in ask.paths)
            about = tuple(map(_escape, tuple(paths) or (ask.detail,)))
    patterns = tuple(f"{ask.action}: {one}" for one in dict.fromkeys(about))
    if any(len(one) > LARGEST or one != _single(one) or "\n" in one for one in patterns):
        return ()
    answer = find_answer(ask, Permissions(level="deny", allow=patterns), ground)
    return patterns if answer and answer.allowed else ()


def _escape(text: str) -> str:
    """A name may have what a pattern has a meaning for."""
    return re.sub(r"([*?[])", r"[\1]", text)


def _single(text: str) -> str:
    return re.sub(r"[ \t]+", " ", text.strip())


def _split(pattern: str) -> tuple[str, str]:
    action, colon, wanted = pattern.partition(": ")
    return (action, wanted.strip()) if colon and action in PATTERNED else ("execute", pattern)


def _is_meant(ask: Ask, pattern: str, line: ShellLine | None, ground: Ground) -> bool:
    """Whether a pattern speaks of any part of an ask."""
    action, wanted = _split(pattern)
    if action != ask.action:
        return False
    said = {ask.detail, *(word for one in line.commands for word in _spell(one))} if line else set()
    if ask.action is Action.EXECUTE and line is None:  # nobody can tell what it runs
        bare = " ".join(re.sub(r"""['"\\]""", "", ask.detail).split())
        return fnmatchcase(bare, f"*{wanted}*")
    return any(fnmatchcase(one, wanted) for one in (ask.detail, *said, *_spell_paths(ask, ground)))


def _is_allowed(
    ask: Ask, patterns: tuple[str, ...], line: ShellLine | None, ground: Ground
) -> bool:
    """Whether patterns allow all of an ask: each command of a line, each path, as they are said."""
    wanted = [two[1] for two in map(_split, patterns) if two[0] == ask.action]
    if ask.action is Action.EXECUTE:
        if {_single(ask.detail), _escape(_single(ask.detail))} & {*wanted}:
            return True
        if line is None or not line.is_plain or not line.commands:
            return False
        return all(
            not command.sets
            and any(fnmatchcase(" ".join(command.words), one) for one in wanted)
            and all(_may_put(ground, command.locate(path)) for path in command.writes)
            for command in line.commands
        )
    if ask.paths:
        return all(
            any(fnmatchcase(said, one) for said in _spell_path(path, ground) for one in wanted)
            for path in ask.paths
        )
    said = (ask.detail, ask.tool) if ask.action is Action.OTHER else (ask.detail,)
    return any(fnmatchcase(text, one) for text in said if text for one in wanted)


def _spell(command: Simple) -> tuple[str, ...]:
    return (command.text, " ".join(command.words), *command.find_spellings())


def _without_options(command: Simple) -> Iterable[str]:
    """How git's verb is said; of others an option's value is not known, and a word may be one."""
    return command.find_spellings() if command.text.startswith("git ") else ()


def _spell_paths(ask: Ask, ground: Ground) -> tuple[str, ...]:
    tool = (ask.tool,) if ask.action is Action.OTHER else ()
    return (*tool, *(said for path in ask.paths for said in _spell_path(path, ground)))


def _spell_path(path: str, ground: Ground) -> tuple[str, ...]:
    """Where a path leads, from the root and, inside, from the workspace."""
    inside = ground.find_inside(path)
    return (ground.find(path), *(() if inside is None else (inside,)))
