"""What set-up commands made, kept for the next workspace that would make the same.

Each is a folder for the person alone: the files as they were, and a manifest with the digest of each,
sealed with the person's key.  A workspace gets copies, never links, and each copy is held against its
digest before it is put in place: what was changed meanwhile is removed, and the commands run again.
Where a file names the workspace it was made in, its copy names the new one; what cannot be moved so is
not kept.  In doubt nothing is kept, and what cannot be put in place as a whole is taken out again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import Field, ValidationError

from goal_engine.errors import EnvironmentUnusable, StoreUnwritable
from goal_engine.runtime.atomic import TEMPORARY, make_dirs, writing
from goal_engine.runtime.node_modules import share_blocks
from goal_engine.runtime.owner import own_tag
from goal_engine.runtime.process import find_program
from goal_engine.runtime.room import find_free
from goal_engine.types import Frozen

SET_UPS = "set-ups"
"""The folder of them, in the state directory of a workspace."""
FORMAT = 2
"""Before it was 2, what was made of a worker's tree was kept as well."""
MOST_FILES = 200_000
MOST_BYTES = 2 << 30
"""Of one set-up; a larger one runs in each workspace."""
ALL_BYTES = 4 << 30
"""Of all that are kept; those that were not used for longest go first."""
SPARE = 1 << 30
"""Bytes that stay free on the disk."""
KEPT = timedelta(days=7)
"""Registries and machines change without a sign; after this the commands run again."""
MOVABLE = 1 << 20
"""Bytes of a text in which the workspace's name can be replaced."""
LARGEST = 256 << 20
"""Bytes of one file that is kept."""
SMALL = 1 << 20
"""Bytes of a file that is read whole, held against its digest and written."""
SHEBANG = 127
"""Bytes of a first line that every kernel reads."""

Look = Mapping[tuple[int, str], tuple[int, ...]]
"""By root and path below it: mode, size, times and number of what is there."""


class Entry(Frozen):
    """One thing that was made, at a path below one of the roots."""

    root: int
    path: str
    kind: Literal["folder", "file", "link"]
    mode: int = 0o644
    digest: str = ""
    target: str = ""
    """Of a link."""
    size: int = 0
    moves: bool = False
    """Whether it names the workspace."""
    replaces: bool = False
    """Whether something was there before."""


class Manifest(Frozen):
    """All that the commands made and removed, and where that was."""

    format: int = FORMAT
    home: str
    """The workspace in which it was made."""
    entries: tuple[Entry, ...]
    """In the order in which they were made: what is newer stays newer."""
    gone: tuple[tuple[int, str], ...] = ()
    places: tuple[str, ...] = ()
    """Paths in the workspace that are no part of a result for it."""
    at: datetime
    bytes: int = Field(ge=0)


class Unfit(Exception):
    """Something that cannot be kept or put in place; the message says what."""


@dataclass(frozen=True, slots=True)
class SetUps:
    """The set-ups that one checkout's goals keep.  All methods block."""

    folder: Path
    seed: bytes
    """The person's secret that manifests are sealed with."""
    now: Callable[[], datetime]

    def keep(self, key: str, roots: Sequence[Path], before: Look, places: tuple[str, ...]) -> str:
        """Keep what was made in `roots` since `before`; return why not, empty where it is kept.

        The first of `roots` is the workspace.  Of two at once the first wins.
        """
        target = self.folder / key
        scratch = self.folder / f"{TEMPORARY}{own_tag()}-{os.urandom(4).hex()}"
        try:
            make_dirs(self.folder)
            with writing(self.folder):
                scratch.mkdir(mode=0o700)
                manifest = self._copy_made(scratch, roots, before, places)
                content = manifest.model_dump_json().encode()
                (scratch / "manifest").write_bytes(self._seal(key, content) + b"\n" + content)
                self._make_room(manifest.bytes)
                if not target.exists():
                    scratch.rename(target)
        except Unfit as unfit:
            return str(unfit)
        except (OSError, StoreUnwritable) as error:
            return "" if target.exists() else f"the disk does not take it ({error})"
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return ""

    def fetch(self, key: str, roots: Sequence[Path], tracked: Set[str]) -> Manifest | None:
        """Put what is kept under `key` into `roots`; `None`, and nothing done, where that cannot be.

        `tracked` are the repository's own paths there, which nothing takes the place of.

        What is damaged, forged or too old is removed.  Raises `EnvironmentUnusable` where something was
        done that cannot be undone.
        """
        kept, stage = self.folder / key, roots[0].with_name(f"{roots[0].name}.seed")
        if not kept.is_dir():
            return None
        shutil.rmtree(stage, ignore_errors=True)
        try:
            manifest = self._read(kept, key)
            _check_places(manifest, roots, tracked)
            stage.mkdir(mode=0o700)
            self._stage(kept, stage, manifest, roots)
        except (OSError, ValidationError, ValueError, Unfit) as error:
            if not isinstance(error, Unfit | FileNotFoundError):
                shutil.rmtree(kept, ignore_errors=True)
            shutil.rmtree(stage, ignore_errors=True)
            return None
        try:
            _put(stage, manifest, roots)
        except OSError:
            return None
        finally:
            shutil.rmtree(stage, ignore_errors=True)
        with suppress(OSError):
            os.utime(kept / "manifest")
        return manifest

    def _copy_made(
        self, scratch: Path, roots: Sequence[Path], before: Look, places: tuple[str, ...]
    ) -> Manifest:
        after = look(roots)
        made = [where for where, found in after.items() if before.get(where) != found]
        if not made:
            raise Unfit("they made no files")
        if len(made) > MOST_FILES:
            raise Unfit(f"they made more than {MOST_FILES} files")
        if sum(after[where][1] for where in made) > MOST_BYTES:
            raise Unfit(f"they made more than {MOST_BYTES >> 30} GiB")
        large = [path for root, path in made if after[root, path][1] > LARGEST]
        if large:
            raise Unfit(f"{large[0]} is larger than {LARGEST >> 20} MiB")
        made.sort(key=lambda where: (after[where][2], where))
        entries: list[Entry] = []
        for root, path in made:
            mode, copy, replaces = (
                after[root, path][0],
                scratch / str(len(entries)),
                (root, path) in before,
            )
            source = roots[root] / path
            entry = _keep_entry(copy, root, path, source, mode, roots[0], replaces=replaces)
            entries += [entry] if entry else []
        return Manifest(
            home=str(roots[0]),
            entries=tuple(entries),
            gone=tuple(sorted(before.keys() - after.keys())),
            places=places,
            at=self.now(),
            bytes=sum(entry.size for entry in entries),
        )

    def _read(self, kept: Path, key: str) -> Manifest:
        seal, _, content = (kept / "manifest").read_bytes().partition(b"\n")
        if not hmac.compare_digest(seal, self._seal(key, content)):
            raise ValueError("forged")
        manifest = Manifest.model_validate_json(content)
        if manifest.format != FORMAT or not timedelta(0) <= self.now() - manifest.at <= KEPT:
            raise ValueError("old")
        return manifest

    def _stage(self, kept: Path, stage: Path, manifest: Manifest, roots: Sequence[Path]) -> None:
        old, new = os.fsencode(manifest.home), os.fsencode(roots[0])
        shares = True
        for number, entry in enumerate(manifest.entries):
            if entry.kind != "file":
                continue
            source, target = kept / f"{number}", stage / f"{number}"
            if entry.moves or entry.size <= SMALL:
                data = source.read_bytes()
                if digest(data) != entry.digest:
                    raise ValueError("changed")
                _write(target, _move(data, old, new) if entry.moves else data, entry.mode)
                continue
            shares = shares and share_blocks(source, target)
            if not shares:
                shutil.copyfile(source, target)
            if _digest(target) != entry.digest:
                raise ValueError("changed")
            target.chmod(entry.mode)

    def _seal(self, key: str, content: bytes) -> bytes:
        """Under its key: what was made of one tree is nothing of another's."""
        secret = hashlib.sha256(b"goalproof set-ups\0" + self.seed).digest()
        return hmac.new(secret, key.encode() + b"\0" + content, "sha256").hexdigest().encode()

    def _make_room(self, wanted: int) -> None:
        free = find_free(self.folder)
        if free is not None and free < SPARE:
            raise Unfit(f"less than {SPARE >> 30} GiB would be left on the disk")
        sizes = {place: _size(place) for place in self._oldest()}
        left = sum(sizes.values()) + wanted
        for place, size in sizes.items():
            if left <= ALL_BYTES:
                break
            shutil.rmtree(place, ignore_errors=True)
            left -= size

    def _oldest(self) -> list[Path]:
        """The set-ups that are whole, the one that was not used for longest first."""
        used = []
        for place in self.folder.iterdir():
            with suppress(OSError):
                if not place.name.startswith(TEMPORARY):
                    used.append(((place / "manifest").stat().st_mtime_ns, place))
        return [place for _, place in sorted(used)]


def look(roots: Sequence[Path]) -> dict[tuple[int, str], tuple[int, ...]]:
    """Return what is in `roots` now, but for git's own folder: told apart by what a write changes."""
    found: dict[tuple[int, str], tuple[int, ...]] = {}
    for number, root in enumerate(roots):
        for path, status in _walk(root, ""):
            times = (
                (0, 0) if stat.S_ISDIR(status.st_mode) else (status.st_mtime_ns, status.st_ctime_ns)
            )
            size = 0 if stat.S_ISDIR(status.st_mode) else status.st_size
            number_of = 0 if stat.S_ISDIR(status.st_mode) else status.st_ino
            found[number, path] = (status.st_mode, size, *times, number_of)
    return found


def find_key(parts: Iterable[object]) -> str:
    """Return the name of a set-up that depends on `parts`, plain values."""
    said = json.dumps([FORMAT, *parts], sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).hexdigest()


def digest(data: bytes | None) -> str:
    """Return the sha256 of a content; empty where there is none."""
    return "" if data is None else hashlib.sha256(data).hexdigest()


def digest_file(path: Path) -> str:
    """Return the sha256 of a file; empty for what is none."""
    with suppress(OSError):
        if path.is_file():
            return _digest(path)
    return ""


def identify_program(name: str, variables: Mapping[str, str], workspace: Path) -> list[object]:
    """Return what tells one version of a program from another; nothing for one of the workspace's own.

    Those are part of its tree or of its view.
    """
    found = find_program(name, variables, workspace)
    if found is None:
        return [name]
    own = (workspace, workspace.with_name(f"{workspace.name}.env"))
    real = Path(found).resolve()
    if any(Path(found).is_relative_to(root) or real.is_relative_to(root) for root in own):
        return [name]
    with suppress(OSError):
        status = real.stat()
        return [name, str(real), status.st_size, status.st_mtime_ns]
    return [name]


def _walk(root: Path, below: str) -> Iterator[tuple[str, os.stat_result]]:
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(root / below) as entries:
        for entry in entries:
            path = f"{below}/{entry.name}" if below else entry.name
            if path == ".git":
                continue
            yield path, entry.stat(follow_symlinks=False)
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(root, path)


def _keep_entry(
    copy: Path, root: int, path: str, source: Path, mode: int, home: Path, *, replaces: bool
) -> Entry | None:
    """Copy a file to `copy` and return what it is; `None` for what is made anew anyway."""
    entry = Entry(root=root, path=path, kind="folder", mode=mode & 0o777, replaces=replaces)
    if stat.S_ISDIR(mode):
        return entry
    if stat.S_ISLNK(mode):
        target = str(source.readlink())
        return entry.changed(kind="link", target=target, moves=_names(os.fsencode(target), home))
    if not stat.S_ISREG(mode) or mode & (stat.S_ISUID | stat.S_ISGID):
        raise Unfit(f"{path} is no plain file")
    data = source.read_bytes()
    moves = _names(data, home)
    if moves and path.endswith(".pyc"):
        return None
    if moves and (b"\0" in data or len(data) > MOVABLE):
        raise Unfit(f"{path} names the workspace and is no text in which that can be changed")
    _write(copy, data, 0o600)
    return entry.changed(kind="file", digest=digest(data), size=len(data), moves=moves)


def _write(path: Path, data: bytes, mode: int) -> None:
    """Make a file that was not there, in few steps: there are many of them."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        os.fchmod(descriptor, mode)
        rest = memoryview(data)
        while rest:
            rest = rest[file.write(rest) or 0 :]


def _names(data: bytes, home: Path) -> bool:
    """Whether something names the workspace; `Unfit` where it does so by another of its names."""
    if os.fsencode(home) in data:
        return True
    real = home.resolve()
    if real != home and os.fsencode(real) in data:
        raise Unfit("what they made names the workspace by another path")
    return False


def _move(data: bytes, old: bytes, new: bytes) -> bytes:
    moved = data.replace(old, new)
    if moved.startswith(b"#!") and len(moved.partition(b"\n")[0]) > SHEBANG:
        raise Unfit("the first line of a script would be too long")
    return moved


def _check_places(manifest: Manifest, roots: Sequence[Path], tracked: Set[str]) -> None:
    """Raise `Unfit` unless everything can go where it was, through no link and over nothing else."""
    sure: set[Path] = set()
    for root, path in (*((one.root, one.path) for one in manifest.entries), *manifest.gone):
        pure = PurePosixPath(path)
        if (
            root >= len(roots)
            or pure.is_absolute()
            or {"..", ".git"} & {*pure.parts[:1], *pure.parts}
        ):
            raise ValueError(f"{path} leads elsewhere")
        for parent in pure.parents:
            place = roots[root] / parent
            if (
                place not in sure
                and place != roots[root]
                and (place.is_symlink() or (place.exists() and not place.is_dir()))
            ):
                raise Unfit(f"{parent} is no folder here")
            sure.add(place)
    for entry in manifest.entries:
        place = roots[entry.root] / entry.path
        if entry.root == 0 and entry.kind != "folder" and entry.path in tracked:
            raise Unfit(f"{entry.path} is the repository's here")
        is_folder = place.is_dir() and not place.is_symlink()
        taken = os.path.lexists(place) and not (entry.kind == "folder" and is_folder)
        if taken and not entry.replaces:
            raise Unfit(f"{entry.path} is there already")


def _put(stage: Path, manifest: Manifest, roots: Sequence[Path]) -> None:
    """Put everything in place, or leave the workspace as it was and raise `OSError`.

    Raises `EnvironmentUnusable` where it can do neither.
    """
    undo: list[Callable[[], object]] = []
    try:
        _put_each(stage, manifest, roots, undo)
    except OSError as error:
        try:
            for step in reversed(undo):
                step()
        except OSError as worse:
            raise EnvironmentUnusable(
                f"What set-up commands made could neither be put into {roots[0].name} ({error}) nor taken "
                f"out again ({worse}). Look at the disk, then resume."
            ) from error
        raise


def _put_each(
    stage: Path, manifest: Manifest, roots: Sequence[Path], undo: list[Callable[[], object]]
) -> None:
    """Each step that was done has one in `undo` that takes it back."""

    def set_aside(place: Path) -> None:
        if os.path.lexists(place):
            aside = stage / f"aside-{len(undo)}"
            place.rename(aside)
            undo.append(partial(aside.rename, place))

    for root, path in sorted(manifest.gone, reverse=True):  # what is in a folder goes before it
        set_aside(roots[root] / path)
    folders = [entry for entry in manifest.entries if entry.kind == "folder"]
    for entry in sorted(folders, key=lambda entry: (entry.root, entry.path)):
        place = roots[entry.root] / entry.path
        if place.is_symlink() or place.is_file():
            set_aside(place)
        if not place.exists():
            place.mkdir()
            undo.append(place.rmdir)
    for number, entry in enumerate(manifest.entries):
        place = roots[entry.root] / entry.path
        if entry.kind == "folder":
            continue
        if entry.replaces:
            set_aside(place)
        if entry.kind == "file":
            (stage / f"{number}").rename(place)
        else:
            aim = (
                entry.target.replace(manifest.home, str(roots[0])) if entry.moves else entry.target
            )
            place.symlink_to(aim)
        undo.append(place.unlink)
    for entry in folders:
        place = roots[entry.root] / entry.path
        undo.append(partial(place.chmod, stat.S_IMODE(place.stat().st_mode)))
        place.chmod(entry.mode)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _size(kept: Path) -> int:
    with suppress(OSError), os.scandir(kept) as entries:
        return sum(entry.stat(follow_symlinks=False).st_size for entry in entries)
    return 0
