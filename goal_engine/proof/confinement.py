"""What workers and gates of a goal ran in, as it was recorded when each began."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from goal_engine.types import Frozen

BY_HAND = "by hand"
"""A person did it, in a folder of their own: they have the key anyway."""
UNRECORDED = "none: nobody recorded it"
"""What ran before there were sandboxes."""
OPEN = "none"
"""How it begins where there was no sandbox; what follows says why."""


class Confined(StrEnum):
    """Whose code it was."""

    WORKERS = "workers"
    GATES = "gates"
    """Set-up commands and the commands of checks as well."""


class Confinement(Frozen):
    """One thing that some of them ran in; there are several where that changed."""

    who: Confined
    sandbox: str
    """`bubblewrap` and its version, `by hand`, or `none: ` and the reason."""

    @property
    def is_open(self) -> bool:
        """Whether it could reach whatever the person can."""
        return self.sandbox.startswith(OPEN)


def with_confinement(
    known: tuple[Confinement, ...], who: Confined, sandbox: str
) -> tuple[Confinement, ...]:
    """Return what is known and one thing more; `sandbox` is empty where nobody recorded it."""
    one = Confinement(who=who, sandbox=sandbox or UNRECORDED)
    return known if one in known else (*known, one)


def is_sealed(known: Iterable[Confinement]) -> bool:
    """Whether all that ran was kept from the key; something has to be known to have run."""
    confined = tuple(known)
    return bool(confined) and not any(one.is_open for one in confined)


def say_confinement(known: Iterable[Confinement]) -> tuple[str, ...]:
    """Return a phrase for each kind: `gates: bubblewrap 0.8.0`."""
    found: dict[Confined, list[str]] = {}
    for one in known:
        found.setdefault(one.who, []).append(one.sandbox)
    return tuple(f"{who}: {'; '.join(found[who])}" for who in Confined if who in found)
