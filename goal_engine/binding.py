"""Whose a store is: made in this place, or come from another one.  The whole decision is `find_binding`.

The id of a store lies in the checkout and travels with it: it is copied, moved and committed.  What is
known of the place lies in the person's state directory, which is out of the reach of all that.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from goal_engine.types import Frozen, later


class Place(Frozen):
    """Where a store is."""

    path: str
    """The checkout, with no symbolic link in it."""
    host: str
    """The machine; empty where it has no lasting name."""
    device: int
    inode: int
    """Of the store's folder.  They change with a reboot or a restored copy, so they only tell."""

    def is_at(self, other: Place) -> bool:
        """Whether both are one place: the same path on the same machine."""
        same_host = self.host == other.host or not (self.host and other.host)
        return self.path == other.path and same_host

    def is_folder(self, other: Place) -> bool:
        """Whether both are one folder by two names, as a bind mount gives it."""
        return (self.device, self.inode) == (other.device, other.inode)


class Binding(StrEnum):
    """How a store stands to the place where it was found."""

    OWN = "own"
    """It was made here."""
    NEW = "new"
    """Nothing is there that could be somebody else's."""
    UNRECORDED = "unrecorded"
    """An earlier release used it; nobody wrote down where."""
    MOVED = "moved"
    """It is no longer where it was used, or this is another machine."""
    COPIED = "copied"
    """It is still where it was used as well."""
    FOREIGN = "foreign"
    """Nothing here knows it: it came with a clone, from another machine or another person."""
    BLANK = "blank"
    """It has the id of another place and no goal: nothing is to be lost, and nothing is taken over."""

    @property
    def writes(self) -> bool:
        """Whether goals may be changed and worked on; otherwise they can be looked at."""
        return self in WRITES


class Adoption(Frozen):
    """A person's word that a store is to be worked on where it is."""

    at: datetime
    by: str
    was: Binding
    places: tuple[str, ...] = ()
    """Where it was known to be, as it was said to that person."""


class Known(Frozen):
    """What is remembered of a store, one place for each machine that it was used on."""

    version: int = 1
    places: tuple[Place, ...] = ()
    adoptions: tuple[Adoption, ...] = later(())
    """Oldest first."""

    def at(self, place: Place) -> Known:
        """Return this with `place` as the one of its machine."""
        others = tuple(one for one in self.places if one.host != place.host)
        return self.changed(places=(*others, place))

    def adopted(self, adoption: Adoption) -> Known:
        """Return this with one more adoption."""
        return self.changed(adoptions=(*self.adoptions, adoption))


WRITES = frozenset({Binding.OWN, Binding.NEW, Binding.UNRECORDED, Binding.BLANK})


class Found(Frozen):
    """What is seen of a store and of what is remembered of it."""

    here: Place
    has_id: bool
    has_goals: bool
    known: Known | None
    """`None` where there is no state directory for its id."""
    is_link: bool = False
    """Whether it, or a folder of it, is a link: whoever made the repository chose where that leads."""
    elsewhere: tuple[Place, ...] = ()
    """Those of the remembered places that still hold a store with this id."""


def find_binding(found: Found) -> Binding:
    """Return how a store stands to its place; the first row that fits decides."""
    known, here = found.known, found.here
    if found.is_link:
        return Binding.FOREIGN
    if not found.has_id or known is None:
        return Binding.FOREIGN if found.has_goals else Binding.NEW
    if not known.places:
        return Binding.UNRECORDED
    if any(place.is_at(here) for place in known.places):
        return Binding.OWN
    others = [place for place in found.elsewhere if not place.is_folder(here)]
    if len(others) < len(found.elsewhere):
        return Binding.OWN
    if not found.has_goals:
        return Binding.BLANK
    return Binding.COPIED if others else Binding.MOVED


SAID = {
    Binding.MOVED: "was moved here from {there}",
    Binding.COPIED: "is a copy of the ones in {there}",
    Binding.FOREIGN: "came from elsewhere: no state directory on this machine knows them",
}
MEANS = {
    Binding.MOVED: "takes them over, with all that belongs to them",
    Binding.COPIED: "lets new goals be made here; these stay, to look at",
    Binding.FOREIGN: "lets new goals be made here; these stay, to look at",
}


def say_binding(binding: Binding, found: Found) -> str:
    """Return why goals here can only be looked at, and what to do; empty where they can be changed."""
    if binding.writes:
        return ""
    there = ", ".join(find_there(found))
    return (
        f"The goals in {found.here.path} can only be looked at: their store "
        f"{SAID[binding].format(there=there)}. If you want to work here, `goalproof adopt` "
        f"{MEANS[binding]}."
    )


def find_there(found: Found) -> tuple[str, ...]:
    """Return the other places of a store, each as a person is told of it."""
    places = found.elsewhere or (found.known.places if found.known else ())
    others = (one for one in places if not one.is_at(found.here))
    return tuple(f"{one.path}{say_host(one, found.here)}" for one in others)


def say_adoption(adoption: Adoption) -> str:
    """Return who made a store their own, when, and what it was."""
    there = f" ({', '.join(adoption.places)})" if adoption.places else ""
    at = f"{adoption.at:%Y-%m-%d %H:%M} UTC"
    return f"{adoption.by or 'somebody'} adopted it at {at}, when it was {adoption.was}{there}"


def say_host(place: Place, here: Place) -> str:
    """Return that a place is on another machine, if it is."""
    return " on another machine" if place.host and here.host and place.host != here.host else ""
