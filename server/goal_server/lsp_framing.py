"""Bytes become messages, and a stream that lost its way finds it again.

Pure: fed with what was read, however it was cut.  A message that is too long, or whose header
makes no sense, is passed over to the next header: `Content-Length: N` with a line end after it
cannot stand inside JSON, where the line ends of a string are escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MESSAGE_CAP = 64 * 1024 * 1024
"""Bytes of the longest message that is read."""
HEADER_CAP = 8 * 1024
"""Bytes of the longest header."""
KEPT = 512
"""Bytes of a passed-over message that are kept: its id stands there."""

NEXT_HEADER = re.compile(rb"content-length[ \t]*:[ \t]*\d+[ \t]*\r?\n", re.IGNORECASE)
LONGEST_NEXT = 64
"""Bytes of a header's line that may still be on their way."""
BREAKS = (bytearray(b"\r"), bytearray(b"\n"))
BLANK = re.compile(rb"\r?\n\r?\n")
LENGTH = re.compile(rb"\d{1,15}")
OPENING = re.compile(
    rb'\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*(?:(-?\d{1,18})|"([^"\\]{1,200})")\s*,'
)


@dataclass(frozen=True, slots=True)
class Body:
    """A message as it came."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Unread:
    """Something that is not read: why, and whose request it was if that could be seen."""

    reason: str
    id: int | str | None = None


Frame = Body | Unread


class Framer:
    """Takes a stream apart.  Holds at most one message, never more than `cap` bytes of it."""

    def __init__(self, cap: int = MESSAGE_CAP) -> None:
        self._cap = cap
        self._held = bytearray()
        self._needed: int | None = None
        """Bytes of the body that is being read; `None` while a header is."""
        self._lost = False
        """Whether bytes are passed over, until the next header."""
        self._to_pass: int | None = None
        """Bytes that a message too long still has, if it is one and its header was true."""
        self._reason = ""
        self._opening = bytearray()

    @property
    def is_between(self) -> bool:
        """Whether a stream that ends here ends between two messages."""
        return self._needed is None and not self._lost and not self._held.strip()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take `data` and give what is complete."""
        self._held += data
        while (step := self._step()) is not None:
            yield from step

    def _step(self) -> tuple[Frame, ...] | None:
        """Do one thing with what is held; `None` when more is needed first."""
        if self._lost:
            return self._pass_over()
        if self._needed is None:
            return self._read_header()
        if len(self._held) < self._needed:
            return None
        content = bytes(self._held[: self._needed])
        del self._held[: self._needed]
        self._needed = None
        return (Body(content),)

    def _read_header(self) -> tuple[Frame, ...] | None:
        while self._held[:1] in BREAKS:  # some clients end a message with a line end
            del self._held[:1]
        blank = BLANK.search(self._held, 0, HEADER_CAP)
        if blank is None:
            return None if len(self._held) < HEADER_CAP else self._lose("a header is too long")
        length = read_length(bytes(self._held[: blank.start()]))
        if isinstance(length, str):
            return self._lose(length)
        del self._held[: blank.end()]
        if length <= self._cap:
            self._needed = length
            return ()
        self._lost, self._to_pass = True, length
        self._reason = f"a message of {length} bytes is longer than {self._cap}"
        self._opening.clear()
        return ()

    def _lose(self, reason: str) -> tuple[Frame, ...]:
        """Pass over the rest of the line, but no header that may already stand in it."""
        line = self._held.find(b"\n") + 1 or len(self._held)
        found = NEXT_HEADER.search(self._held, 1)
        safe = found.start() if found else max(1, len(self._held) - LONGEST_NEXT)
        del self._held[: min(line, safe)]
        self._lost, self._to_pass = True, None
        return (Unread(reason),)

    def _pass_over(self) -> tuple[Frame, ...] | None:
        found = NEXT_HEADER.search(self._held)
        passed = found.start() if found else max(0, len(self._held) - LONGEST_NEXT)
        if self._to_pass is not None:
            ends = len(self._held) >= self._to_pass
            passed = min(passed, self._to_pass) if found or not ends else self._to_pass
            self._opening += self._held[: min(passed, KEPT - len(self._opening))]
            self._to_pass -= passed
        del self._held[:passed]
        if found is None and self._to_pass != 0:
            return None
        told = () if self._to_pass is None else (Unread(self._reason, find_id(self._opening)),)
        self._lost, self._to_pass = False, None
        return told


def read_length(header: bytes) -> int | str:
    """Return the length that a header gives, or what is wrong with it (LSP 3.17, base protocol)."""
    lengths = set()
    for line in header.splitlines():
        name, colon, value = line.partition(b":")
        if not colon:
            return "a line of a header has no colon"
        if name.strip().lower() == b"content-length":
            lengths.add(value.strip())
    if len(lengths) != 1:
        return "a header gives no Content-Length" if not lengths else "a header gives two lengths"
    (length,) = lengths
    return int(length) if LENGTH.fullmatch(length) else "a Content-Length is no number"


def find_id(opening: bytes | bytearray) -> int | str | None:
    """Return a request's id if its first bytes give it, as the usual clients write them."""
    found = OPENING.match(opening)
    if found is None:
        return None
    return int(found[1]) if found[1] else found[2].decode("utf-8", "replace")
