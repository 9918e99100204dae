"""Secrets are taken out of bytes that leave: the person's own values, in every form, and known shapes.

It works on streams.  A line is held back until it is whole, so that no secret leaves in two halves; one
that does not end is let go but for its last `LONGEST` bytes.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote, quote_plus

from goal_engine.secret_shapes import (
    ASSIGNED,
    HIDDEN,
    IN_URL,
    SHAPES,
    TOKEN,
    is_drawn_value,
    is_example,
    measure,
)

TELLING = re.compile(
    r"(?i)(?:^|_)(?:\w*tokens?|(?:api|access|private|secret|auth|ssh|deploy)?keys?|\w*secrets?"
    r"|\w*password|passwd|\w*passphrase|pass|pwd|pat|credentials?)(?:_\w{0,8})?$"
)
"""Names of variables that say that their value is a secret."""
WHERE = frozenset({"PWD", "OLDPWD"})
"""Such names that every shell sets, to a folder."""
PATH = re.compile(r"[~.]{0,2}(/[\w.@ -]+){2,}")
"""The value of such a name that only says where the secret is."""
DRAWN = 4.4
"""Bits of each character from which such a value is a key that happens to have slashes."""
WORD = re.compile(r"[a-z]{0,15}|[A-Z]{0,15}|[0-9]{0,9}")
"""A value that stands in ordinary text as well: hiding it would hide that text."""
SHORTEST = 8
"""Characters of a value from which it is hidden."""
LONGEST = 8192
"""Bytes of the longest thing with a known shape: a JSON web token."""
KEY_BLOCK = 16 * 1024
"""Bytes of the longest private key."""

BEGIN, MARK = b"-----BEGIN ", HIDDEN.encode()
BLOCK = re.compile(
    rb"-----BEGIN (?:[A-Z0-9]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    rb"(?:(?s:.{0,16384}?)-----END (?:[A-Z0-9]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    rb"|[A-Za-z0-9+/=\s\\]{0,16384})"
)
"""A private key to its end, or as far as it looks like one."""

Span = tuple[int, int]


class Clue(NamedTuple):
    """What is looked for first: a literal is found thirty times faster than a shape."""

    literal: bytes
    shapes: tuple[str, ...]
    """What a key may be in which it stands."""
    lead: int = 0
    """Bytes of the key that may stand before it."""


CLUES: tuple[Clue, ...] = (
    Clue(b"IA", ("an AWS access key",), 2),
    Clue(b"ACCA", ("an AWS access key",)),
    Clue(b"gh", ("a GitHub token",)),
    Clue(b"github_pat_", ("a GitHub token",)),
    Clue(b"gl", ("a GitLab token",)),
    Clue(b"xox", ("a Slack token",)),
    Clue(b"hooks.slack.com", ("a Slack webhook",)),
    Clue(b"AIza", ("a Google API key",)),
    Clue(b"GOCSPX-", ("a Google client secret",)),
    Clue(b"k_live_", ("a Stripe key",), 1),
    Clue(b"sk-", ("an OpenAI key", "an Anthropic key")),
    Clue(b"npm_", ("an npm token",)),
    Clue(b"pypi-AgEI", ("a PyPI token",)),
    Clue(b"hf_", ("a Hugging Face token",)),
    Clue(b"SG.", ("a SendGrid key",)),
    Clue(b":AA", ("a Telegram token",), 10),
    Clue(b"_v1_", ("a DigitalOcean token",), 3),
    Clue(b"shp", ("a Shopify token",)),
    Clue(b"AGE-SECRET-KEY-1", ("an age key",)),
)
"""Every shape of `SHAPES` has a clue; a test puts them side by side."""


def _as_bytes(pattern: re.Pattern[str]) -> re.Pattern[bytes]:
    return re.compile(pattern.pattern.encode(), pattern.flags & (re.IGNORECASE | re.DOTALL))


KEYS = tuple(
    (
        clue,
        tuple(re.compile(shape.encode()) for what, shape in SHAPES if what in clue.shapes),
    )
    for clue in CLUES
)
JWT, ADDRESS, WRITTEN = map(_as_bytes, (TOKEN, IN_URL, ASSIGNED))
NAMED = re.compile(rb"[^\s:@/'\"{}$<>]{1,64}:")
"""What follows `://` where there is a password."""
SET = re.compile(rb"[\w-]{0,28}['\"]?\]?\s{0,8}(?::=|=>|[:=])\s{0,8}['\"`]")
"""What follows a telling name where a value is written out."""
TELLTALES = ((b"passw", 0), (b"secret", 0), (b"token", 0), (b"key", 8), (b"credential", 0))
"""Parts of such names, and how much of one may stand before."""


# The person's own values


def find_values(
    variables: Mapping[str, str], is_there: Callable[[str], bool] = lambda _: False
) -> tuple[str, ...]:
    """Return what is secret in an environment: by the name, or as a password in an address.

    `is_there` says of an absolute path whether it leads to something: then it is no secret.
    """
    told = {name: value.strip() for name, value in variables.items() if name not in WHERE}
    found = [value for name, value in told.items() if TELLING.search(name)]
    found += [match[1] for value in told.values() for match in IN_URL.finditer(value)]
    worth = (value for value in found if _is_worth_hiding(value))
    return tuple(dict.fromkeys(v for v in worth if not (v.startswith("/") and is_there(v))))


def _is_worth_hiding(value: str) -> bool:
    return len(value) >= SHORTEST and not WORD.fullmatch(value) and not _is_path(value)


def _is_path(value: str) -> bool:
    return PATH.fullmatch(value) is not None and measure(value) < DRAWN


def spell_value(value: str) -> frozenset[bytes]:
    """Return a value in every form in which programs print it, and each long line of it."""
    raw = value.encode("utf-8", "surrogateescape")
    forms = {raw, raw.hex().encode(), raw.hex().upper().encode()}
    forms |= {form.encode() for form in (quote(raw), quote(raw, safe=""), quote_plus(raw))}
    escaped = json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]
    forms |= {form.encode("utf-8", "surrogateescape") for form in escaped}
    for shift in range(3):
        forms |= {_cut_base64(raw, shift, encode) for encode in ENCODERS}
    forms |= {line.strip() for line in raw.splitlines()}
    return frozenset(form for form in forms if len(form) >= SHORTEST)


ENCODERS = (base64.b64encode, base64.urlsafe_b64encode)


def _cut_base64(raw: bytes, shift: int, encode: Callable[[bytes], bytes]) -> bytes:
    """Return what every encoding has in which `raw` comes after some multiple of 3 and `shift` bytes."""
    known = 8 * (shift + len(raw)) // 6
    return encode(bytes(shift) + raw)[-(-8 * shift // 6) : known]


@dataclass(frozen=True, slots=True)
class Redactor:
    """Hides some values and all known shapes."""

    values: tuple[bytes, ...] = ()
    """Every form of each value."""

    @classmethod
    def of(cls, values: Iterable[str]) -> Redactor:
        """Return the redactor of these values."""
        forms = {form for value in values for form in spell_value(value)}
        return cls(tuple(sorted(forms, key=lambda form: (-len(form), form))))

    @property
    def holds(self) -> int:
        """Bytes of the longest value that has more than one line, less one."""
        return max((len(value) - 1 for value in self.values if b"\n" in value), default=0)

    @property
    def reach(self) -> int:
        """Bytes of the longest secret on one line."""
        return max((LONGEST, *map(len, self.values)))

    def redact(self, data: bytes) -> bytes:
        """Return `data` with `[secret]` in place of what is one."""
        return _hide(data, self.find(data))

    def redact_text(self, text: str) -> str:
        """Return `text` without secrets."""
        data = text.encode("utf-8", "surrogateescape")
        return self.redact(data).decode("utf-8", "surrogateescape")

    def has_value(self, data: bytes) -> bool:
        """Whether one of the values stands in `data`, in any form."""
        return any(value in data for value in self.values)

    def find(self, data: bytes) -> tuple[Span, ...]:
        """Return where secrets stand, in order; those that touch are one."""
        spans = [*_find_shapes(data)]
        for value in self.values:
            spans += [(at, at + len(value)) for at in _find_all(data, value)]
        return tuple(_join(sorted(spans)))


def _find_all(data: bytes, wanted: bytes) -> Iterator[int]:
    at = data.find(wanted)
    while at >= 0:
        yield at
        at = data.find(wanted, at + 1)


def _find_shapes(data: bytes) -> Iterator[Span]:
    for at in _find_all(data, BEGIN):
        if block := BLOCK.match(data, at):
            yield block.span()
    for clue, shapes in KEYS:
        for at in _find_all(data, clue.literal):
            for shape in shapes:
                found = _match_around(shape, data, at, clue.lead)
                if found and not is_example(_text(found[0])):
                    yield found.span()
    yield from (found.span() for at in _find_all(data, b"eyJ") if (found := JWT.match(data, at)))
    for at in _find_all(data, b"://"):
        found = _match_around(ADDRESS, data, at, 17) if NAMED.match(data, at + 3) else None
        if found and is_drawn_value(_text(found[1]), in_url=True):
            yield found.span(1)
    lower = data.lower()
    for part, lead in TELLTALES:
        for at in _find_all(lower, part):
            set_ = SET.match(data, at + len(part))
            found = _match_around(WRITTEN, data, at, lead) if set_ else None
            if found and is_drawn_value(_text(found[2])):
                yield found.span(2)


def _match_around(
    shape: re.Pattern[bytes], data: bytes, at: int, lead: int
) -> re.Match[bytes] | None:
    """Return the match that has what is at `at`, and begins at most `lead` bytes before it."""
    for start in range(at, max(at - lead, 0) - 1, -1):
        if found := shape.match(data, start):
            return found
    return None


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _join(spans: Iterable[Span]) -> Iterator[Span]:
    begin = end = -1
    for start, stop in spans:
        if start > end:
            if end > begin:
                yield begin, end
            begin, end = start, stop
        end = max(end, stop)
    if end > begin:
        yield begin, end


def _hide(data: bytes, spans: Iterable[Span]) -> bytes:
    kept, end = [], 0
    for start, stop in spans:
        kept += [data[end:start], MARK]
        end = stop
    return b"".join((*kept, data[end:])) if kept else data


@dataclass(slots=True)
class RedactedStream:
    """Lets bytes through without secrets, in pieces of any size."""

    redactor: Redactor
    held: bytes = b""
    """What came and was not let through yet."""

    def feed(self, data: bytes) -> bytes:
        """Take the next piece; return what can be let through by now."""
        self.held += data
        spans = self.redactor.find(self.held)
        end = _find_safe_end(self.held, self.redactor)
        end = min([end, *(start for start, stop in spans if start < end < stop)])
        return self._let_go(spans, end)

    def close(self) -> bytes:
        """Return what is left."""
        return self._let_go(self.redactor.find(self.held), len(self.held))

    def _let_go(self, spans: tuple[Span, ...], end: int) -> bytes:
        gone, self.held = self.held[:end], self.held[end:]
        return _hide(gone, (span for span in spans if span[1] <= end))


def _find_safe_end(data: bytes, redactor: Redactor) -> int:
    """Return the end of what no secret can begin in that has not ended."""
    size = max(len(data) - redactor.holds, 0)
    end = max(data.rfind(b"\n", 0, size), data.rfind(b"\r", 0, size)) + 1
    end = max(end, size - redactor.reach)
    opened = data.rfind(BEGIN)
    if opened >= 0 and len(data) - opened < KEY_BLOCK and b"-----END " not in data[opened:]:
        end = min(end, opened)
    return end
