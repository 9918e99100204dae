"""Keys and passwords by their known shapes, in added lines and in all that is shown.

A shape is worth a row in `SHAPES` when nothing but a key has it.  What only may be one is told, and
what is written for readers (an example, a placeholder, a name of a variable) is no secret.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

HIDDEN = "[secret]"

SHAPES: tuple[tuple[str, str], ...] = (
    ("an AWS access key", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b"),
    ("a GitHub token", r"\bgh[pousr]_[A-Za-z0-9]{36,255}\b"),
    ("a GitHub token", r"\bgithub_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}\b"),
    ("a GitLab token", r"\bgl(?:pat|dt|rt|cbt|ptt|soat|ft)-[A-Za-z0-9_-]{20,64}\b"),
    ("a Slack token", r"\bxox[abeoprs]-[0-9A-Za-z]{8,14}-[0-9A-Za-z-]{10,250}\b"),
    ("a Slack webhook", r"\bhooks\.slack\.com/services/T[A-Z0-9]{8,12}/B[A-Z0-9]{8,12}/[A-Za-z0-9]{24}\b"),
    ("a Google API key", r"\bAIza[0-9A-Za-z_-]{35}(?![0-9A-Za-z_-])"),
    ("a Google client secret", r"\bGOCSPX-[0-9A-Za-z_-]{28}(?![0-9A-Za-z_-])"),
    ("a Stripe key", r"\b[sr]k_live_[0-9A-Za-z]{20,247}\b"),
    ("an OpenAI key", r"\bsk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{40,200}(?![A-Za-z0-9_-])"),
    ("an OpenAI key", r"\bsk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}\b"),
    ("an Anthropic key", r"\bsk-ant-[a-z0-9]{3,10}-[A-Za-z0-9_-]{40,200}(?![A-Za-z0-9_-])"),
    ("an npm token", r"\bnpm_[A-Za-z0-9]{36}\b"),
    ("a PyPI token", r"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,250}(?![A-Za-z0-9_-])"),
    ("a Hugging Face token", r"\bhf_[A-Za-z]{34}\b"),
    ("a SendGrid key", r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])"),
    ("a Telegram token", r"\b[0-9]{8,10}:AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])"),
    ("a DigitalOcean token", r"\bdo[opr]_v1_[a-f0-9]{64}\b"),
    ("a Shopify token", r"\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}\b"),
    ("an age key", r"\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b"),
)  # fmt: skip
"""What a key of each kind looks like."""

PRIVATE_KEY = re.compile(r"-----BEGIN (?:[A-Z]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
TOKEN = re.compile(
    r"(?<![\w-])eyJ[A-Za-z0-9_-]{10,2000}+\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{20,1000}"
)
"""A JSON web token: signed, and often long expired."""
IN_URL = re.compile(
    r"\b[a-z][a-z0-9+.-]{1,15}://[^\s:@/'\"{}$<>]{1,64}:([^\s:@/'\"{}$<>]{4,100})@[\w.-]{3,}"
)
"""A password between a name and a host."""
ASSIGNED = re.compile(
    r"(?i)(?:password|passwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|credential)s?[\w-]{0,20}['\"]?\]?\s{0,8}(?::=|=>|[:=])\s{0,8}(['\"`])([^'\"`\s]{12,200})\1"
)
"""A written-out value for a name that says what it is."""

KNOWN = tuple((what, re.compile(shape)) for what, shape in SHAPES)
EXAMPLE = re.compile(
    r"(?i)example|sample|dummy|fake|placeholder|changeme|change[_-]me|your[_-]|redacted|not[_-]?a[_-]?real"
    r"|xxxx|\*\*\*\*|0000000|1234567|abcdefg|deadbeef|test|mock|insecure|<|\.\.\.|\$\{|\{\{|%\("
)
"""Words that say that a value is there to be read."""
RANDOM = 3.6
"""Bits of each character from which a value looks drawn, not written."""


class Secret(NamedTuple):
    """A secret, where it stands in its line, and whether nothing else looks like it."""

    what: str
    start: int
    end: int
    sure: bool


def find_secrets(line: str) -> Iterator[Secret]:
    """Yield the secrets of a line."""
    for what, shape in KNOWN:
        for match in shape.finditer(line):
            if not is_example(match.group()):
                yield Secret(what, match.start(), match.end(), sure=True)
    for match in PRIVATE_KEY.finditer(line):
        yield Secret("a private key", match.start(), match.end(), sure=True)
    for match in TOKEN.finditer(line):
        yield Secret("a JSON web token", match.start(), match.end(), sure=False)
    for match in IN_URL.finditer(line):
        if is_drawn_value(match.group(1), in_url=True):
            yield Secret("a password in a URL", match.start(1), match.end(1), sure=False)
    for match in ASSIGNED.finditer(line):
        if is_drawn_value(match.group(2)):
            yield Secret("a value that looks random", match.start(2), match.end(2), sure=False)


def redact(text: str) -> str:
    """Return `text` with `[secret]` in place of everything that may be one."""
    return "\n".join(map(_redact_line, text.split("\n")))


def _redact_line(line: str) -> str:
    kept, end = [], 0
    for secret in sorted(find_secrets(line), key=lambda secret: secret.start):
        if secret.start >= end:
            kept += [line[end : secret.start], HIDDEN]
        end = max(end, secret.end)
    return "".join((*kept, line[end:]))


def is_drawn_value(value: str, *, in_url: bool = False) -> bool:
    """Whether a value was drawn and not written for readers; in an address, less is asked of it."""
    return not EXAMPLE.search(value) and _looks_drawn(value, 2.5 if in_url else RANDOM)


def is_example(key: str) -> bool:
    """Whether a key of a known shape is one that documentation uses: it says so, or repeats itself."""
    body = key.rpartition("_")[2] or key
    return EXAMPLE.search(key) is not None or len(set(body)) < 8


def _looks_drawn(value: str, bits: float) -> bool:
    """Whether nobody would write this by hand: letters and digits, and no words."""
    mixed = any(map(str.isdigit, value)) and any(map(str.isalpha, value))
    return mixed and measure(value) >= bits and not re.search(r"[\s()\[\]/]|[a-z]{8}", value)


def measure(value: str) -> float:
    """Return how many bits each character of a value tells, by how often each one comes."""
    counts = Counter(value).values()
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts)
