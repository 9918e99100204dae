"""Looks for what a check asks in the files of a tree; pure, given what is in them.

It needs the standard library alone: its text is also part of the `verify.py` in each bundle, so that a
stranger looks in the same way, on Python 3.9 too.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator

Contents = Callable[[str], bytes]
"""Gives the content of a file of a tree, by its path; nothing without one."""
IsWanted = Callable[[str], bool]
"""Whether a path is one of those that count."""

LOOKED_AT = 4 * 1024 * 1024
"""Bytes of a file that are looked at."""
LONGEST_LINE = 10_000
"""Characters of a line that are looked at."""

JOINS = re.compile(r"""(["'`])\s*(?:[+.,&]|\|\||\])*\s*(?:\[|[rbuf]{0,2})(["'`])""", re.I)
"""Where one piece of a string ends and the next begins."""
ESCAPES = re.compile(r"\\x([0-9a-f]{2})|\\u\{?([0-9a-f]{4})\}?|\\U([0-9a-f]{8})|\\([0-7]{3})", re.I)
INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")
WHERE = re.compile(
    r"\bgoalproof\b|workspaces|\bgetcwd\b|\bcwd\(|__file__|VIRTUAL_ENV|sys\.prefix|\bGetwd\b"
    r"|__dirname|__filename|import\.meta\.(?:url|dirname|filename)|\bcurrent_(?:dir|exe)\b"
    r"|CARGO_MANIFEST_DIR|\bos\.Executable\b|\bPWD\b",
    re.I,
)
"""Words of code that asks where it is run."""

LINK = re.compile(
    r"!?\[[^\]\n]*\]\(\s*<?([^)<>\s]+)>?[^)\n]*\)"  # [text](target "title")
    r"|^\s{0,3}\[[^\]\n]+\]:\s*<?([^\s<>]+)>?"  # [name]: target
    r"|`[^`\n]+<([^>`\n]+)>`_",  # `text <target>`_ in reStructuredText
    re.M,
)
REFERENCE = re.compile(r"(?<!`)`((?:[\w.-]+/)+[\w.-]+\.\w{1,5})(?:::[\w.:]+|:\d+)?`(?!`)")
"""A path in backticks: folders, a name and an ending."""
FENCE = re.compile(r"^(\s{0,3})(```+|~~~+).*?^\s{0,3}\2\s*$", re.M | re.S)
CODE = re.compile(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?![`_])", re.S)
"""Code in a line; what `ends so`_ is a link of reStructuredText."""
FOREIGN = re.compile(r"[a-z][a-z0-9+.-]*:|//|#", re.I)
"""How targets begin that are no file of the tree."""


def whole_word(text: str) -> re.Pattern[str]:
    """Return a pattern for `text` that does not find it inside a longer word."""
    before = r"(?<!\w)" if re.match(r"\w", text) else ""
    after = r"(?!\w)" if re.search(r"\w\Z", text) else ""
    return re.compile(f"{before}{re.escape(text)}{after}")


def find_places(pattern: re.Pattern[str], files: Iterable[str], read: Contents) -> tuple[str, ...]:
    """Return `path:line` wherever a pattern stands in `files`, and whose names it is in."""
    return tuple(place for path in files for place in _find_in_file(pattern, path, read(path)))


def find_hidden(
    pattern: re.Pattern[str],
    changed: Iterable[str],
    is_wanted: IsWanted,
    old: Contents,
    new: Contents,
) -> tuple[str, ...]:
    """Return `path:line what` where the change has it after all, spelled or placed in another way.

    In pieces, escaped, in letters that only look different, or outside the files that are looked at;
    and where it could be unseen: in lines and files so long that they are not looked at to their end.
    """
    found: list[str] = []
    for path in changed:
        before, now = old(path), new(path)
        known = set(_split_lines(before))
        if b"\0" not in now:  # which no code has
            found += (f"{path}{what}" for what in _find_unseen(before, now))
        for number, line in enumerate(_split_lines(now), 1):
            if line in known:
                continue
            if not is_wanted(path) and pattern.search(line):
                found.append(f"{path}:{number}, which is not among the files that are looked at")
            elif not pattern.search(line) and pattern.search(_spell_out(line)):
                found.append(f"{path}:{number}, where it is spelled in another way")
    return tuple(found)


def find_where(path: str, old: bytes, new: bytes) -> tuple[str, ...]:
    """Return `path:line` for each new line of code that asks where it is run."""
    known = set(_split_lines(old))
    return tuple(
        f"{path}:{number}, which asks where it is run"
        for number, line in enumerate(_split_lines(new), 1)
        if line not in known and WHERE.search(line)
    )


def find_dead_links(path: str, data: bytes, files: Iterable[str]) -> tuple[str, ...]:
    """Return `path: target` for what a document refers to and the tree does not have."""
    text = data[:LOOKED_AT].decode("utf-8", "replace")
    there = _with_folders(files)
    plain = FENCE.sub("", text)
    told = CODE.sub("", plain)
    targets = [next(filter(None, match.groups())) for match in LINK.finditer(told)]
    dead = [target for target in targets if not _leads(path, target, there)]
    named = (match.group(1) for match in REFERENCE.finditer(plain))
    dead += [name for name in named if not _is_there(path, name, there)]
    return tuple(f"{path}: {target}" for target in dict.fromkeys(dead))


def _find_in_file(pattern: re.Pattern[str], path: str, data: bytes) -> Iterator[str]:
    """A file may have it in its name: without its ending, and folder by folder."""
    stem, _ = posixpath.splitext(path)
    if pattern.search(path) or pattern.search(stem):
        yield f"{path} (its name)"
    for number, line in enumerate(_split_lines(data), 1):
        if pattern.search(line):
            yield f"{path}:{number}"


def _find_unseen(before: bytes, now: bytes) -> Iterator[str]:
    """Say where a change is not looked at to its end."""
    if len(now) > LOOKED_AT and before != now:
        yield f", of which only the first {LOOKED_AT // 1024**2} MiB are looked at"
    known = _find_long(before)
    for line, number in _find_long(now).items():
        if line not in known:
            yield f":{number}, which is too long to be looked at to its end"


def _find_long(data: bytes) -> dict[bytes, int]:
    """Return the number of each line that is not looked at as a whole."""
    lines = enumerate(data[:LOOKED_AT].split(b"\n"), 1)
    return {line: number for number, line in lines if len(line) > LONGEST_LINE}


def _split_lines(data: bytes) -> list[str]:
    text = data[:LOOKED_AT].decode("utf-8", "replace")
    return [line[:LONGEST_LINE] for line in text.split("\n")]


def _spell_out(line: str) -> str:
    """Return a line as whoever runs it would read it: pieces joined, escapes and letters resolved."""
    line = INVISIBLE.sub("", unicodedata.normalize("NFKC", line))
    line = ESCAPES.sub(_unescape, line)
    return JOINS.sub("", line)


def _unescape(match: re.Match[str]) -> str:
    sixteen = match.group(1) or match.group(2) or match.group(3)
    code = int(sixteen, 16) if sixteen else int(match.group(4), 8)
    return chr(code) if code < 0x110000 else ""


def _with_folders(files: Iterable[str]) -> set[str]:
    there = {""}
    for path in files:
        there.add(path)
        while path := posixpath.dirname(path):
            there.add(path)
    return there


def _leads(document: str, target: str, there: set[str]) -> bool:
    if FOREIGN.match(target):
        return True
    path = _unquote(re.split(r"[?#]", target, maxsplit=1)[0])
    return not path or _is_route(path) or _is_there(document, path, there)


def _is_route(path: str) -> bool:
    """Whether a site makes of the documents what this leads to, so that no file need be there."""
    name = posixpath.basename(path)
    return path.startswith("/") or "." not in name or name.endswith((".html", ".htm"))


def _is_there(document: str, path: str, there: set[str]) -> bool:
    """Beside the document or from the root; what leads out of the tree is not there."""
    beside = posixpath.normpath(posixpath.join(posixpath.dirname(document), path.lstrip("/")))
    root = posixpath.normpath(path.lstrip("/"))
    return any(("" if name == "." else name) in there for name in (beside, root))


def _unquote(path: str) -> str:
    return re.sub(r"%([0-9A-Fa-f]{2})", lambda m: chr(int(m.group(1), 16)), path)
