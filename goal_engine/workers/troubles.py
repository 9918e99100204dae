"""What an agent's end says about the machine and its vendor, and not about its work.

What it printed is believed only so far: it makes an attempt that failed anyway be tried again, a few
times, each of them counted.
"""

from __future__ import annotations

import re

from goal_engine.types import Trouble

KILLED = frozenset({-9, -15, 128 + 9, 128 + 15})
"""SIGKILL and SIGTERM, of the command or as a shell tells of them: a machine without memory, or one
that shuts down.  A program that crashes dies of others."""
RATE_LIMITED = re.compile(
    r"\b429\b|\b529\b|rate.?limit|too many requests|overloaded|resource.?exhausted|quota exceeded",
    re.IGNORECASE,
)
"""How vendors' errors say that one is to come back later; 529 is Anthropic's `overloaded_error`."""
LOGGED_OUT = re.compile(
    r"\b401\b|unauthori[sz]ed|authenticat|not logged in|invalid.api.key", re.IGNORECASE
)
"""How they say that nobody is logged in."""


def find_trouble(exit_code: int | None, last_words: str) -> Trouble | None:
    """Return what kept an agent from working, `None` where it ended by itself or was ended by us.

    `exit_code` is negative for a signal and `None` for what was killed from here.
    """
    if exit_code in (0, None):
        return None
    if exit_code in KILLED:
        return Trouble.KILLED
    return Trouble.RATE_LIMITED if RATE_LIMITED.search(last_words) else None
