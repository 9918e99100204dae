"""Values that everything else shares: they know no file, no clock and no process."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, StringConstraints
from pydantic_core import CoreSchema, core_schema

GOAL_ID = re.compile(r"goal-\d{8}-\d{6}-\d{3}-[0-9a-f]{8}")
"""`goal-` + UTC time to the millisecond + 32 random bits: sorts by time, safe in paths and refs."""


_SET = object.__setattr__
"""How a value that refuses to be changed is made."""


class Frozen(BaseModel):
    """A value: changed by making a new one, and refusing names it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def changed(self, **changes: Any) -> Self:
        """Return a copy with `changes`; the values are trusted to be of the right type.

        What `model_copy` does, in a third of the time: a long history is mostly this.
        """
        cls = type(self)
        copy = cls.__new__(cls)
        named = self.__pydantic_fields_set__  # nobody changes it, so copies may share it
        if not named.issuperset(changes):
            named = named | changes.keys()
        _SET(copy, "__dict__", {**self.__dict__, **changes})
        _SET(copy, "__pydantic_fields_set__", named)
        _SET(copy, "__pydantic_extra__", None)
        _SET(copy, "__pydantic_private__", None)
        return copy


_NAMES: dict[frozenset[str], set[str]] = {}


def share_names(value: object) -> None:
    """Let everything in `value` share the names of its fields with all that has the same ones.

    Each value that was read keeps a set of them, which nobody changes: of many goals, half of the memory.
    """
    if isinstance(value, Frozen):
        names = frozenset(value.__pydantic_fields_set__)
        _SET(value, "__pydantic_fields_set__", _NAMES.setdefault(names, set(names)))
        value = value.__dict__
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, tuple):
        return
    for one in value:
        share_names(one)


def later(default: Any) -> Any:
    """Return a field that came later: left out while it has its default, so that journals and
    proofs of before say the same bytes.  For a default that cannot be changed."""
    return Field(default=default, exclude_if=lambda value: value == default)


def tell_by_key(kinds: Mapping[str, object]) -> Callable[[Any], str | None]:
    """Return a discriminator: which of `kinds` a value is, by the key that it alone has."""

    def find_kind(value: Any) -> str | None:
        has = value.__contains__ if isinstance(value, dict) else lambda key: hasattr(value, key)
        return next((key for key in kinds if has(key)), None)

    return find_kind


class GoalId(str):
    """The unique name of one goal.  Raises `ValueError` for any other text (seed: `GoalId`)."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if not GOAL_ID.fullmatch(text):
            raise ValueError(f"{text[:80]!r} is not a goal id")
        return super().__new__(cls, text)

    @classmethod
    def made_of(cls, now: datetime, entropy: int) -> Self:
        """Return the id for a goal created at `now` (aware), told apart by 32 bits of `entropy`."""
        at = now.astimezone(UTC)
        return cls(f"goal-{at:%Y%m%d-%H%M%S}-{at.microsecond // 1000:03d}-{entropy:08x}")

    @property
    def created_at(self) -> datetime:
        """When the goal was created: commits made for it carry this date, so they can be remade."""
        return datetime.strptime(self[5:24] + "000+0000", "%Y%m%d-%H%M%S-%f%z")

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        make: Callable[[str], GoalId] = cls
        return core_schema.no_info_after_validator_function(make, core_schema.str_schema())


TaskId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
GitOid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
"""A git object name, SHA-1 or SHA-256."""

AgentWorker = Literal["acp", "wire", "cli"]
"""The workers that start an agent: by one of two protocols, or headless with one prompt."""
WorkerName = Literal["recipe", "acp", "wire", "cli", "manual"]
"""The workers there are: steps, those of agents, and the person."""
AGENT_WORKERS: tuple[AgentWorker, ...] = ("acp", "wire", "cli")
"""The best first: what can be asked and answered comes before what runs to its end."""
Installed = Mapping[str, tuple[AgentWorker, ...]]
"""The agents that are on this machine, each with the workers that can start it, the best first."""
AgentName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
"""What a command that takes a prompt is called: a preset, or one that the person configured."""


SESSION = re.compile(r"[!-~]{1,512}")
"""What an agent may call its session: plain and short."""
SessionName = Annotated[str, StringConstraints(pattern=rf"^{SESSION.pattern}$")]


class GoalKind(StrEnum):
    """What sort of goal it is: decides the evidence that is asked for (seed: `GoalKind`)."""

    FEATURE = "feature"
    FIX = "fix"
    REFACTOR = "refactor"
    MIGRATION = "migration"
    PERFORMANCE = "performance"
    SECURITY = "security"
    DOCS = "docs"
    TEST = "test"
    CHORE = "chore"
    MIXED = "mixed"


class GoalStatus(StrEnum):
    """Where a goal stands.  `TRANSITIONS` says how it moves."""

    PLANNED = "planned"
    RUNNING = "running"
    PAUSED = "paused"
    BLOCKED_ON_HUMAN = "blocked_on_human"
    BLOCKED_ON_EXTERNAL = "blocked_on_external"
    NEEDS_MORE_BUDGET = "needs_more_budget"
    FAILED_INFRA = "failed_infra"
    NOT_READY = "not_ready"
    READY = "ready"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


class GoalPhase(StrEnum):
    """What a goal is busy with, for display; nothing is decided by it."""

    INTAKE = "intake"
    PLANNING = "planning"
    EXECUTION = "execution"
    VERIFICATION = "verification"
    PROOF = "proof"
    DELIVERY = "delivery"


class TaskStatus(StrEnum):
    """Where one task of a goal stands."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    BLOCKED = "blocked"
    CANCELLED = "cancelled"


class Trouble(StrEnum):
    """Why an attempt failed, where that says nothing of its task."""

    DID_NOT_RUN = "did_not_run"
    """Its program is there and did not run, or nobody knows how it ended."""
    KILLED = "killed"
    """Something else on the machine ended it."""
    RATE_LIMITED = "rate_limited"
    """Its vendor wants to be asked later."""


class GoalDeliveryPolicy(StrEnum):
    """How a finished goal reaches the person (seed: `GoalDeliveryPolicy`)."""

    LOCAL = "local"


class Person(Frozen):
    """The author that a goal's commits carry, as the person's git knew them at creation."""

    name: str
    email: str


class Decision(Frozen):
    """Who decided something, and why."""

    actor: str
    reason: str
