"""Stores that somebody made to hurt: each row puts one thing in the way of the goal `BAD`.

Digests are right wherever a row is about what is inside a line: whoever writes a store can compute them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from goal_engine.state.journal import header_digest, header_line
from tests.builders import GOAL

BAD = GOAL
HUGE = 1 << 40
"""Bytes of a file with a hole: it takes no room on the disk."""


@dataclass(frozen=True)
class Store:
    """One thing in a store, and what is said of the goal that it is about."""

    name: str
    put: Callable[[Path], None]
    """Given `.goalproof`; the journal of `BAD` is whole there."""
    says: str = ""
    """Words of the damage; none where the goal is shown as it is, or not at all."""
    objects: bool = False
    """Whether it is about the object `OBJECT`."""

    def __str__(self) -> str:
        return self.name


OBJECT = hashlib.sha256(b"kept").hexdigest()


def framed(text: bytes) -> bytes:
    """Return a line whose digest is right, whatever is in it."""
    return hashlib.sha256(text).hexdigest().encode() + b" " + text + b"\n"


def folder(root: Path) -> Path:
    return root / "goals" / BAD


def line(text: bytes) -> Callable[[Path], None]:
    """Put `text` in the place of the first entry."""

    def put(root: Path) -> None:
        (folder(root) / "events.jsonl").write_bytes(header_line(BAD) + framed(text))

    return put


def inside(old: bytes, new: bytes) -> Callable[[Path], None]:
    """Change the text of the first entry, and its digest with it."""

    def put(root: Path) -> None:
        path = folder(root) / "events.jsonl"
        header, entry = path.read_bytes().splitlines(keepends=True)[:2]
        text = entry[65:-1]
        assert old in text
        path.write_bytes(header + framed(text.replace(old, new, 1)))

    return put


def replaced(name: str, make: Callable[[Path], None]) -> Callable[[Path], None]:
    """Put something that is no ordinary file in the place of one."""

    def put(root: Path) -> None:
        path = root / name.format(goal=f"goals/{BAD}", object=f"objects/{OBJECT}")
        path.unlink(missing_ok=True)
        make(path)

    return put


def hole(path: Path) -> None:
    path.touch()
    os.truncate(path, HUGE)


def after_header(path: Path) -> None:
    path.write_bytes(header_line(BAD))
    os.truncate(path, HUGE)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def itself(path: Path) -> None:
    path.symlink_to(path.name)


def many(root: Path) -> None:
    for number in range(2000):
        (root / "goals" / f"goal-{number}").mkdir()


JOURNAL, HEAD, KEPT = "{goal}/events.jsonl", "{goal}/head.json", "{object}"
DEEP = 20_000
PREV = header_digest(BAD).encode()

STORES: tuple[Store, ...] = (
    Store("a pipe for a journal", replaced(JOURNAL, os.mkfifo), "no ordinary file"),
    Store("an endless device for a journal", replaced(JOURNAL, endless), "no ordinary file"),
    Store("a folder for a journal", replaced(JOURNAL, Path.mkdir), "directory"),
    Store("a link in a circle for a journal", replaced(JOURNAL, itself)),
    Store("a journal that is a hole", replaced(JOURNAL, hole), "over 256 MiB"),
    Store("a header and a hole", replaced(JOURNAL, after_header), "over 256 MiB"),
    Store("a journal of nothing", replaced(JOURNAL, Path.touch), "before its first entry"),
    Store("a pipe for a head", replaced(HEAD, os.mkfifo)),
    Store("an endless device for a head", replaced(HEAD, endless)),
    Store("a head that is a hole", replaced(HEAD, hole)),
    Store("a pipe for an object", replaced(KEPT, os.mkfifo), "no ordinary file", objects=True),
    Store("an endless object", replaced(KEPT, endless), "no ordinary file", objects=True),
    Store("an object that is a hole", replaced(KEPT, hole), "over 256 MiB", objects=True),
    Store("a pipe for an id", replaced("id", os.mkfifo)),
    Store("an endless id", replaced("id", endless)),
    Store("deep lists", line(b'{"a":' + b"[" * DEEP + b"]" * DEEP + b"}"), "not JSON"),
    Store("deep objects", line(b'{"a":' * DEEP + b"1" + b"}" * DEEP), "not JSON"),
    Store("an endless number", line(b'{"a":' + b"9" * 10_000 + b"}"), "not JSON"),
    Store("no number", line(b'{"a":NaN}'), "not JSON"),
    Store("infinity", line(b'{"a":Infinity}'), "not JSON"),
    Store("no number where there is one", inside(b'"usd":null', b'"usd":NaN'), "not JSON"),
    Store("a key twice", inside(b'"cause"', b'"cause":"x","cause"'), "as Goalproof writes"),
    Store("half a character", inside(b'"main"', b'"\\ud800"'), "not JSON"),
    Store("bytes that are no text", inside(b'"main"', b'"\xff\xfe"'), "not JSON"),
    Store("a byte of nothing", inside(b'"main"', b'"\\u0000ma\x00in"'), "not JSON"),
    Store("spaces", inside(b'"cause":', b'"cause": '), "as Goalproof writes"),
    Store("keys that nobody knows", line(b'{"prev":"' + PREV + b'","x":1}'), "does not know"),
    Store("no object", line(b"[]"), "as Goalproof writes"),
    Store("a large line", line(b'{"a":"' + b"x" * (32 << 20) + b'"}'), "does not know"),
    Store("two thousand folders", many),
)  # fmt: skip
"""Append only: a row that once hurt stays."""
