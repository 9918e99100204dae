"""Looks where a store is and where it was used, and writes down that it was adopted."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from threading import Lock

from pydantic import ValidationError

from goal_engine.binding import (
    Adoption,
    Binding,
    Found,
    Known,
    Place,
    find_binding,
    find_there,
    say_binding,
)
from goal_engine.errors import NotAdopted, StoreUnwritable
from goal_engine.runtime.atomic import make_dirs, write_atomic, writing
from goal_engine.runtime.config import FOLDER, WORKSPACE_ID, read_workspace_id, state_dir
from goal_engine.runtime.lock import LockFile
from goal_engine.runtime.owner import find_host
from goal_engine.runtime.regular import read_regular

RECORD = "places.json"
ANCHORS = "anchors"
FOLDERS = ("goals", "objects", "proofs")
"""The folders of a store."""
LIMIT = 1 << 16
PATIENCE = 10.0
"""Seconds to wait for another process that gives a store its id."""


def look(checkout: Path) -> tuple[Binding, Found]:
    """Return how the store of `checkout` stands to it; nothing is made or written."""
    here, name = find_place(checkout), find_id(checkout)
    known = read_known(state_dir() / name) if name else None
    others = tuple(place for place in known.places if place.path != here.path) if known else ()
    found = Found(
        here=here,
        has_id=bool(name),
        has_goals=has_goals(checkout),
        known=known,
        is_link=find_link(checkout) is not None,
        elsewhere=tuple(
            find_place(Path(one.path)).changed(host=one.host)
            for one in others
            if find_id(Path(one.path)) == name
        ),
    )
    return find_binding(found), found


def find_link(checkout: Path) -> Path | None:
    """Return what of a store is a link, which may lead anywhere; `None` where nothing is."""
    root = checkout / FOLDER
    parts = (root, *(root / name for name in FOLDERS))
    return next((part for part in parts if part.is_symlink()), None)


def find_place(checkout: Path) -> Place:
    """Return the place of the store in `checkout`; a folder that is not there has no inode."""
    real = Path(os.path.realpath(checkout))
    try:
        there = (real / FOLDER).stat()
        device, inode = there.st_dev, there.st_ino
    except OSError:
        device = inode = 0
    return Place(path=str(real), host=find_host(), device=device, inode=inode)


def find_id(checkout: Path) -> str:
    """Return the id of the store in `checkout`; empty where there is none that can be used."""
    try:
        text = read_regular(checkout / FOLDER / "id", LIMIT).decode("ascii", "replace").strip()
    except OSError:
        return ""
    return text if WORKSPACE_ID.fullmatch(text) else ""


def has_goals(checkout: Path) -> bool:
    """Whether there is anything that could be a goal."""
    try:
        with os.scandir(checkout / FOLDER / "goals") as found:
            return any(True for _ in found)
    except OSError:
        return False


def read_known(folder: Path) -> Known | None:
    """Return what is remembered in a state directory; `None` when there is no such directory.

    A record that cannot be read is like one of before there were any: the next write makes it anew.
    """
    if not folder.is_dir():
        return None
    try:
        with (folder / RECORD).open("rb") as file:
            return Known.model_validate_json(file.read(LIMIT))
    except (OSError, ValidationError):
        return Known()


def bind(checkout: Path, adoption: Adoption | None = None) -> Path:
    """Write down that the store of `checkout` is at home there; return its state directory.

    One that has nothing but the id of another place gets an id of its own first.
    """
    if look(checkout)[0] is Binding.BLANK:
        _renew(checkout, lambda: look(checkout)[0] is Binding.BLANK)
    folder = state_dir() / read_workspace_id(checkout)
    known, here = read_known(folder) or Known(), find_place(checkout)
    make_dirs(folder)
    is_new = not any(place.is_at(here) for place in known.places)
    if is_new and not known.places and not (folder / ANCHORS).exists():
        _take_over(folder / ANCHORS, checkout)
    if is_new or adoption:
        after = known.at(here) if is_new else known
        after = after.adopted(adoption) if adoption else after
        write_atomic(folder / RECORD, after.model_dump_json().encode() + b"\n")
    return folder


def _renew(checkout: Path, still: Callable[[], bool]) -> None:
    """Give a store an id that nothing is remembered of, unless another process did meanwhile."""
    with closing(LockFile(checkout / FOLDER / "id.lock")) as lock, writing(checkout / FOLDER):
        if not lock.acquire(PATIENCE):
            raise StoreUnwritable(
                f"Another process has held {checkout / FOLDER / 'id.lock'} for {PATIENCE:g} s; end "
                "it, then try again."
            )
        if still():
            name = secrets.token_hex(16)
            write_atomic(checkout / FOLDER / "id", name.encode() + b"\n")
            make_dirs(
                state_dir() / name / ANCHORS
            )  # empty: none of the goals that are there is ours


def _take_over(anchors: Path, checkout: Path) -> None:
    """Remember which goals an earlier release made here: each has an anchor that says nothing yet."""
    make_dirs(anchors)
    goals = checkout / FOLDER / "goals"
    for goal in goals.iterdir() if goals.is_dir() else ():
        (anchors / goal.name).touch(0o600)


def adopt(checkout: Path, by: str, at: datetime) -> Binding:
    """Make the store of `checkout` one that may be written to, and return what it was.

    One that was moved keeps its state directory.  A copy, and one that came from elsewhere, gets an
    id of its own: nothing that its journals say was seen here.  Who did it is remembered there.
    Raises `StoreUnwritable` for a store that is, or has, a link.
    """
    link = find_link(checkout)
    if link is not None:
        raise StoreUnwritable(
            f"{link} is a link, and who made this repository may have chosen where it leads: nothing "
            "is written through it. Put a folder of that name in its place, then adopt."
        )
    binding, found = look(checkout)
    if binding.writes:
        bind(checkout)
        return binding
    if binding is not Binding.MOVED:
        make_dirs(checkout / FOLDER)
        _renew(checkout, lambda: not look(checkout)[0].writes)
    bind(checkout, Adoption(at=at, by=by, was=binding, places=find_there(found)))
    return binding


def find_orphans() -> dict[Path, tuple[str, ...]]:
    """Return the state directories whose stores are gone, and where each store was.

    Gone is what no place has any more, on a file system that is there: one that is not mounted now
    has another device below its folder.  A directory that holds a person's folder is never one.
    """
    parent = state_dir()
    names = sorted(path.name for path in parent.iterdir()) if parent.is_dir() else []
    found = {}
    for name in filter(WORKSPACE_ID.fullmatch, names):
        known = read_known(parent / name)
        places = known.places if known else ()
        work = parent / name / "desks"
        if places and not any(work.glob("*/*")) and all(_is_gone(one, name) for one in places):
            found[parent / name] = tuple(place.path for place in places)
    return found


def _is_gone(place: Place, name: str) -> bool:
    path = Path(place.path)
    there = next((one for one in (path, *path.parents) if one.is_dir()), None)
    if there is None or not place.host or place.host != find_host():
        return False
    try:
        return find_id(path) != name and there.stat().st_dev == place.device
    except OSError:
        return False


class Home:
    """The store of one checkout as this process sees it.

    Looked at anew once its id or what is remembered of it has changed, by whichever process.
    """

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout
        self._lock = Lock()
        self._seen: tuple[object, Binding, Found, Path | None] | None = None

    def look(self) -> tuple[Binding, Found]:
        """Return how the store stands to its place.  Makes and writes nothing."""
        _, binding, found, _ = self._look()
        return binding, found

    def _look(self) -> tuple[object, Binding, Found, Path | None]:
        with self._lock:
            seen = self._seen
            if seen is None or self._has_changed(*seen):
                binding, found = look(self.checkout)
                name = find_id(self.checkout)
                folder = state_dir() / name if name else None
                seen = self._seen = (self._mark(folder), binding, found, folder)
            return seen

    def _has_changed(
        self, mark: object, binding: Binding, found: Found, folder: Path | None
    ) -> bool:
        """A store that is at home and is removed meanwhile is not begun anew under what works on it."""
        there = _stamp(self.checkout / FOLDER / "id")
        lost = binding is Binding.OWN and there is None
        return not lost and mark != self._mark(folder)

    def _mark(self, folder: Path | None) -> object:
        record = folder / RECORD if folder else None
        return _stamp(self.checkout / FOLDER / "id"), record and _stamp(record)

    @property
    def adoptions(self) -> tuple[Adoption, ...]:
        """Who let goals be made here although the store came from another place, oldest first."""
        _, _, found, _ = self._look()
        return found.known.adoptions if found.known else ()

    @property
    def problem(self) -> str:
        """Why goals here can only be looked at; empty where they can be changed."""
        return say_binding(*self.look())

    def check(self) -> None:
        """Raise `NotAdopted` where goals can only be looked at; else the place is written down."""
        self.state_dir(check=True)

    def state_dir(self, *, check: bool = False) -> Path:
        """Return the store's state directory, made now.

        Where goals can only be looked at nothing is made; with `check` it raises `NotAdopted`.
        """
        _, binding, found, folder = self._look()
        if binding.writes:
            there = binding is Binding.OWN and folder is not None and folder.is_dir()
            return folder if there and folder is not None else bind(self.checkout)
        if check:
            raise NotAdopted(say_binding(binding, found))
        return folder or state_dir() / "none"

    def find_anchors(self) -> Path | None:
        """Return where the anchors of these goals are; those of another place say nothing here."""
        _, binding, _, folder = self._look()
        return folder / ANCHORS if folder and binding in ANCHORED else None

    def find_made_here(self) -> Callable[[str], bool]:
        """Return what says of a goal whether this store made it, as far as there is a record of that."""
        _, binding, _, folder = self._look()
        if binding in (Binding.COPIED, Binding.FOREIGN):
            return lambda _: False
        anchors = folder / ANCHORS if folder else None
        if binding not in ANCHORED or anchors is None or not anchors.is_dir():
            return lambda _: True
        return frozenset(path.name for path in anchors.iterdir()).__contains__


ANCHORED = frozenset({Binding.OWN, Binding.MOVED})


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        there = path.stat()
    except OSError:
        return None
    return there.st_ino, there.st_mtime_ns
