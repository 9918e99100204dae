"""What an agent asks leave for while it works, and what it is answered; pure data (issue #7).

An ask is never a sandbox: what an agent did without asking is found in its diff.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Literal

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

    @property
    def key(self) -> str:
        """A name by content: an answer is to just this ask and no other."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


class Answer(Frozen):
    """What an agent is told."""

    allowed: bool
    by: Literal["policy", "person", "timeout"] = "policy"
    reason: str = ""
    """For the agent, where its protocol takes one, and for the log."""


Asker = Callable[[Ask], Awaitable[Answer]]


async def deny(_: Ask) -> Answer:
    """Answer no: where nobody decides, nothing is allowed."""
    return Answer(allowed=False, reason="nobody is there to allow it")
