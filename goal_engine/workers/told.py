"""What agents tell while they work and when they stop, the same for every protocol; pure data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Spoken:
    """A piece of what the agent says, or thinks."""

    text: str
    thought: bool = False


@dataclass(frozen=True, slots=True)
class Called:
    """A tool is called."""

    tool: str
    """What it does, as the agent puts it."""


@dataclass(frozen=True, slots=True)
class Noted:
    """Something else that whoever follows wants to see."""

    text: str


Told = Spoken | Called | Noted


class Ending(StrEnum):
    """How a turn ended, as the agent says: never that the task is done."""

    END_TURN = "end_turn"
    CANCELLED = "cancelled"
    LIMIT = "limit"
    """A limit of the agent's own, of steps or of tokens."""
    REFUSED = "refused"
    AUTH_REQUIRED = "auth_required"
    PROVIDER_ERROR = "provider_error"
    RATE_LIMITED = "rate_limited"
    CRASHED = "crashed"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class Over:
    """How a conversation ended."""

    ending: Ending
    detail: str = ""
    """Why, in the agent's words."""
