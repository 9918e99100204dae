"""Everything the engine refuses, one class per thing a caller can do something about.

GoalError
├── BadInput
│   ├── BadConfiguration
│   ├── BadPlan
│   └── BadGoal
├── GoalNotFound
│   ├── GoalAmbiguous
│   └── ProofLost
├── NotPossibleNow
│   └── GoalBusy
├── NotTrusted
│   └── GatesNotApproved
├── NotAdopted
├── RepositoryUnusable
├── EnvironmentUnusable
├── JournalDamaged
├── JournalConflict
├── StoreUnwritable
├── ToolMissing
├── ChangeDoesNotFit
└── ProofRefused

Each message is one paragraph: what happened, to which thing, and what to do next.
"""

from __future__ import annotations

from collections.abc import Mapping


class GoalError(Exception):
    """The root: a refusal with a paragraph that a person can act on."""

    @property
    def paragraph(self) -> str:
        """What, which and what next."""
        return str(self)


class BadInput(GoalError):
    """The caller gave something that cannot be used."""


class BadConfiguration(BadInput):
    """`goalproof.toml` cannot be used; names file, line and key."""


class BadPlan(BadInput):
    """A plan or task graph breaks a rule; names every problem with its ids."""


class BadGoal(BadInput):
    """The text is no goal (empty, too long, binary)."""


class GoalNotFound(GoalError):
    """No goal, proof, task or criterion answers to that name."""


class GoalAmbiguous(GoalNotFound):
    """Several goals begin like that."""


class ProofLost(GoalNotFound):
    """A proof that was recorded is missing or damaged, and cannot be made again."""


class NotPossibleNow(GoalError):
    """The goal's status does not allow this; says what is possible instead."""


class GoalBusy(NotPossibleNow):
    """Another process is running this goal."""


class NotTrusted(GoalError):
    """The workspace may not be executed yet."""


class GatesNotApproved(NotTrusted):
    """A person has not approved these gates, or they changed since."""

    def __init__(self, message: str, gates: tuple[Mapping[str, object], ...] = ()) -> None:
        super().__init__(message)
        self.gates = gates
        """What would run, one plain object per gate, for whoever asks the person."""


class NotAdopted(GoalError):
    """The goals were made in another place; they can be looked at until the person adopts them."""


class RepositoryUnusable(GoalError):
    """The folder is no git repository that work can start from."""


class EnvironmentUnusable(GoalError):
    """Gates would not answer in a workspace as they do in the checkout."""


class JournalDamaged(GoalError):
    """A goal's journal does not verify; it is shown as damaged and left as it is."""


class JournalConflict(GoalError):
    """Somebody else appended first: load and decide again."""


class StoreUnwritable(GoalError):
    """The disk took no more: full, read-only or not ours."""


class ToolMissing(GoalError):
    """A program that is needed is absent or too old."""


class ChangeDoesNotFit(GoalError):
    """The checkout differs from what the change was made for."""


class ProofRefused(GoalError):
    """A proof bundle is not what it says; names the file or field."""
