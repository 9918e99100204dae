"""Reads what of the person's repository nobody else may change, as data: no git is asked.

A git that runs in a directory which somebody prepared may run what they like.  What steers git is kept,
so that it can be put back; how HEAD, branches and the index stood is only known, never written.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from goal_engine.errors import NotPossibleNow
from goal_engine.moved import (
    BEYOND,
    Fingerprint,
    Part,
    RepositoryChange,
    Seen,
    find_changes,
    parse_settings,
)
from goal_engine.runtime.atomic import make_dirs, write_atomic, writing
from goal_engine.runtime.inside import LeadsOut, link_inside, replace_inside, unlink_inside
from goal_engine.runtime.own_git import (
    find_hook_folders,
    find_own_configs,
    is_path,
    list_hooks,
)
from goal_engine.secret_shapes import redact
from goal_engine.types import GoalId

ROUNDS = 4
"""Looks at what is not as it was: what was put back shows what lay behind it, and the last finds nothing."""
FOLDER = "repository"
"""The folder of fingerprints, in the state directory of a workspace."""
CONTENT = "content"
"""The folder in it that has what can be put back, by digest."""
LARGEST = 1 << 20
"""Bytes of a file that are kept; a larger one is known by its digest alone."""
MOST_BYTES = 16 << 20
"""Bytes of all files that are kept."""
MOST_INCLUDES = 32
"""Files that a configuration may include, one through the other."""
OWN_CONFIG = re.compile(r"config|(worktrees/[^/]+/)?config\.worktree")
"""Names of configurations that git reads by itself."""
INFO = ("attributes", "exclude", "grafts", "sparse-checkout")
ALTERNATES = ("objects/info/alternates", "objects/info/http-alternates")
PACKED = "packed-refs"
CONFIGS = (Part.CONFIG, Part.OWN)
HOOKS_PATH = "core.hookspath"


@dataclass
class _Reading:
    """One look at a repository, and what it found so far."""

    common: Path
    files: dict[str, Seen] = field(default_factory=dict)
    content: dict[str, bytes] = field(default_factory=dict)
    room: int = MOST_BYTES

    def take(self, part: Part, path: Path, name: str = "") -> bytes | None:
        """Add a file, if there is one; return its content."""
        found = _read(path)
        if found is None:
            return None
        data, mode, bits = found
        digest = hashlib.sha256(data).hexdigest()
        settings = parse_settings(data.decode("utf-8", "surrogateescape"))
        self.files[name or str(path.relative_to(self.common))] = Seen(
            part=part,
            sha256=digest,
            mode=mode,
            bits=bits,
            settings=_readable(settings) if part in CONFIGS else {},
        )
        if digest not in self.content and len(data) <= min(LARGEST, self.room):
            self.content[digest] = data
            self.room -= len(data)
        return data


def read_fingerprint(checkout: Path) -> tuple[Fingerprint, dict[str, bytes]]:
    """Return the fingerprint of the repository of `checkout`, and the content of its files by digest.

    Blocking: a few milliseconds, and the time to read the index.  Follows no link out of what it reads
    but that of a whole `hooks` or `info` folder.  Raises `OSError` for what cannot be looked at.
    """
    git_dir, common = find_git_places(checkout)
    reading = _Reading(common)
    if not (checkout / ".git").is_dir() or (checkout / ".git").is_symlink():
        reading.take(Part.POINTER, checkout / ".git", ".git")
    for path in (common / "config", common / "config.worktree", git_dir / "config.worktree"):
        _take_config(reading, path)
    _take_folder(reading, Part.HOOK, "hooks")
    for name in INFO:
        reading.take(Part.INFO, common / "info" / name)
    if (common / "info").is_symlink():
        reading.take(Part.INFO, common / "info")
    for name in ALTERNATES:
        reading.take(Part.INFO, common / name)
    for pointer in _list(common / "worktrees"):
        reading.take(Part.POINTER, pointer / "commondir")
        _take_config(reading, pointer / "config.worktree")
    own = find_own_configs(os.environ)
    for path in own:
        _take_config(reading, path, Part.OWN)
    hooks = _take_hooks(reading, checkout)
    refs = {"HEAD": _say(git_dir / "HEAD"), **_read_refs(common)}
    seen = Fingerprint(
        git_dir=_shown(git_dir),
        common=_shown(common),
        files={_shown(name): file for name, file in reading.files.items()},
        refs={_shown(name): _shown(value) for name, value in refs.items() if value},
        index=_read_index(git_dir / "index"),
        own=tuple(map(_shown, own)),
        hooks=tuple(map(_shown, hooks)),
    )
    return seen, reading.content


def find_git_places(checkout: Path) -> tuple[Path, Path]:
    """Return the git directory of a checkout, and the one that linked worktrees share."""
    git_dir = find_git_dir(checkout)
    return git_dir, _find_common(git_dir)


def find_git_dir(checkout: Path) -> Path:
    """Return the git directory of a checkout: `.git`, or where that file leads."""
    place = checkout / ".git"
    text = "" if place.is_dir() else _say(place)
    return (checkout / text.removeprefix("gitdir:").strip()).resolve() if text else place.resolve()


def _find_common(git_dir: Path) -> Path:
    text = _say(git_dir / "commondir")
    return (git_dir / text.strip()).resolve() if text else git_dir


def _read(path: Path) -> tuple[bytes, str, int] | None:
    """Return the content of a file, or the target of a link, which it is, and its permissions."""
    try:
        if _is_link(path):
            return os.fsencode(path.readlink()), "link", 0
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return f"unreadable: {error.strerror}".encode(), "file", 0
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return b"no file", "file", 0
        bits = stat.S_IMODE(found.st_mode)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(), "executable" if bits & 0o111 else "file", bits
    finally:
        os.close(descriptor)


def _is_link(path: Path) -> bool:
    return os.path.islink(path)  # noqa: PTH114 (that of Path raises for a name that is too long)


def _say(path: Path) -> str:
    """Return the text of a small file, empty without one."""
    found = _read(path)
    return found[0][:4096].decode("utf-8", "surrogateescape").strip() if found else ""


def _list(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _shown(text: object) -> str:
    """JSON has no half characters: those of names that are no UTF-8 are spelt out."""
    return os.fsencode(str(text)).decode("utf-8", "backslashreplace")


def _readable(settings: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return {_shown(key): tuple(map(_shown, values)) for key, values in settings.items()}


def _take_folder(reading: _Reading, part: Part, name: str) -> None:
    folder = reading.common / name
    if folder.is_symlink():
        reading.take(part, folder)
    for path in _list(folder):
        if path.is_dir() and not path.is_symlink():
            for here, _, files in os.walk(path):
                for inside in files:
                    reading.take(part, Path(here, inside))
        else:
            reading.take(part, path)


def _take_hooks(reading: _Reading, checkout: Path) -> tuple[Path, ...]:
    """Add the hooks of folders that a configuration names; return the folders."""
    seen = [file.settings.get(HOOKS_PATH, ()) for file in reading.files.values()]
    named = find_hook_folders(checkout, (value for values in seen for value in values))
    folders = tuple(path for path in named if not path.is_relative_to(reading.common))
    for path in (hook for folder in folders for hook in list_hooks(folder)):
        reading.take(Part.OWN_HOOK, path, str(path))
    return folders


def _take_config(reading: _Reading, path: Path, part: Part = Part.CONFIG) -> None:
    """Add a configuration and all that it includes, whatever the conditions are.

    The person's own may be links to where they keep them.
    """
    todo, known = [path], set[Path]()
    while todo and len(known) < MOST_INCLUDES:
        here = todo.pop()
        if here in known:
            continue
        known.add(here)
        inside = here.is_relative_to(reading.common)
        name = str(here.relative_to(reading.common)) if inside else str(here)
        data = reading.take(part, here, name)
        if data is None or _is_link(here):
            todo += [Path(os.path.realpath(here))] if data is not None and part is Part.OWN else []
            continue
        for key, values in parse_settings(data.decode("utf-8", "surrogateescape")).items():
            if key == "include.path" or (key.startswith("includeif.") and key.endswith(".path")):
                todo += [_find_included(here, value) for value in values if is_path(value)]


def _find_included(config: Path, value: str) -> Path:
    with suppress(RuntimeError):  # nobody's home
        value = str(Path(value).expanduser())
    return Path(os.path.normpath(config.parent / value))


# What moves when a person works


def _read_refs(common: Path) -> dict[str, str]:
    """Return every ref: a loose one counts for more than a packed one."""
    found = {}
    packed = _read(common / PACKED)
    for line in packed[0].decode("utf-8", "surrogateescape").splitlines() if packed else ():
        value, _, name = line.partition(" ")
        if name and value[0] not in "#^":
            found[name] = value
    for folder, _, files in os.walk(common / "refs"):
        for file in files:
            if not file.endswith(".lock"):
                path = Path(folder, file)
                found[str(path.relative_to(common))] = _say(path)
    for name in ("reftable/tables.list", "logs/refs/stash"):
        data = _read(common / name)
        if data is not None:
            found[name] = hashlib.sha256(data[0]).hexdigest()[:12]
    return found


def _read_index(path: Path) -> str:
    """Return a digest of what an index has staged, without the times that each `git status` writes."""
    found = _read(path)
    digest = hashlib.sha256()
    if found is not None:
        try:
            for record in parse_index(found[0]):
                digest.update(record)
        except (IndexError, ValueError):
            digest.update(found[0])
    return digest.hexdigest()


def parse_index(data: bytes) -> Iterator[bytes]:
    """Yield mode, object, flags and name of each entry of a git index (`gitformat-index`, 2 to 4).

    Raises `ValueError` and `IndexError` for what is none.
    """
    version, count = int.from_bytes(data[4:8], "big"), int.from_bytes(data[8:12], "big")
    if data[:4] != b"DIRC" or version not in (2, 3, 4):
        raise ValueError("not an index that is known")
    size = _find_oid_size(data, version)
    at, name = 12, b""
    for _ in range(count):
        flags = at + 40 + size
        after = flags + (4 if data[flags] & 0x40 and version > 2 else 2)
        kept = bytes((data[flags] & 0xF0,)) + data[flags + 2 : after]
        if version == 4:
            cut, after = _read_offset(data, after)
            end = data.index(b"\0", after)
            name = name[: len(name) - cut] + data[after:end]
            following = end + 1
        else:
            end = data.index(b"\0", after)
            name = data[after:end]
            following = at + ((end - at) // 8 + 1) * 8
        yield data[at + 24 : at + 28] + data[at + 40 : flags] + kept + name + b"\0"
        at = following


def _find_oid_size(data: bytes, version: int) -> int:
    """Return the bytes of an object's name: nothing in the file says so but its own checksum."""
    if len(data) >= 32 and hashlib.sha256(data[:-32]).digest() == data[-32:]:
        return 32
    return 20


def _read_offset(data: bytes, at: int) -> tuple[int, int]:
    """Return a number as packs write offsets, and where what follows begins."""
    byte = data[at]
    value = byte & 0x7F
    while byte & 0x80:
        at += 1
        byte = data[at]
        value = ((value + 1) << 7) | (byte & 0x7F)
    return value, at + 1


# What is kept, out of the reach of the repository


def keep_fingerprint(
    state_dir: Path, goal_id: GoalId, seen: Fingerprint, content: Mapping[str, bytes]
) -> None:
    """Write down how the repository stands before something of a goal runs."""
    folder = state_dir / FOLDER
    make_dirs(folder / CONTENT)
    for digest, data in content.items():
        path = folder / CONTENT / digest
        if not path.exists():
            write_atomic(path, data)
    write_atomic(folder / f"{goal_id}.json", seen.model_dump_json().encode())


def read_kept(state_dir: Path, goal_id: GoalId) -> Fingerprint | None:
    """Return what was written down last, `None` where nothing is or it is damaged."""
    try:
        return Fingerprint.model_validate_json(
            (state_dir / FOLDER / f"{goal_id}.json").read_bytes()
        )
    except (FileNotFoundError, ValidationError):
        return None


def forget_fingerprint(state_dir: Path, goal_id: GoalId) -> None:
    """Remove what was written down for a goal."""
    (state_dir / FOLDER / f"{goal_id}.json").unlink(missing_ok=True)


def restore_repository(
    state_dir: Path, goal_id: GoalId, checkout: Path, told: Collection[RepositoryChange] = ()
) -> tuple[str, ...]:
    """Put back what steers git as it was before, and return the names of what was put back.

    HEAD, refs and the index stay as they are, but for a replaced object that is new.  What has appeared
    in the git directory goes.  A file that is only included may be anybody's: it goes nowhere, and what
    was included before is put back last, where it differs still.  Doing it twice does nothing more.
    The person's own configuration and hooks are put back only where they are as the person was `told`.
    Raises `NotPossibleNow` where something cannot be put back, and `StoreUnwritable`.
    """
    before = read_kept(state_dir, goal_id)
    if before is None:
        raise NotPossibleNow(
            f"What was kept of {checkout} before {goal_id} ran is gone, so nothing can be put back: "
            "do it by hand, then answer `mine`."
        )
    restored: dict[str, None] = {}
    for _ in range(ROUNDS):
        now, _ = read_fingerprint(checkout)
        names = _find_steering(before, now, told)
        if not names:
            return tuple(restored)
        for name in _find_next(before, now, names):
            _put_back(state_dir, checkout, before, name)
        restored.update(dict.fromkeys(names))
    raise NotPossibleNow(
        f"{', '.join(names[:3])} of {before.common} cannot be put back: do it by hand, then answer "
        "`mine`."
    )


def _find_steering(
    before: Fingerprint, now: Fingerprint, told: Collection[RepositoryChange]
) -> tuple[str, ...]:
    """Return the names of what is to be put back."""
    asked = {change.name for change in told}
    steering = [change for change in find_changes(before, now) if change.steers]
    steering = [change for change in steering if change.part not in BEYOND or change.name in asked]
    for change in steering:
        if change.part in BEYOND and change.changed(what=redact(change.what)) not in told:
            raise NotPossibleNow(
                f"{change.name} changed again since you were asked about it, so it is left as it is: "
                "put it right by hand, then answer `mine`."
            )
    return tuple(dict.fromkeys(change.name for change in steering))


def _find_moved(before: Fingerprint, now: Fingerprint) -> Iterator[str]:
    """A `.git` that leads elsewhere is put right; what lies there was never the person's."""
    if (before.git_dir, before.common) != (now.git_dir, now.common):
        yield ".git"


def _is_included(name: str, *seen: Fingerprint) -> bool:
    """Whether git reads a file only because a configuration says so."""
    parts = {one.files[name].part for one in seen if name in one.files}
    roots = {place for one in seen for place in one.own}
    return (
        bool(parts)
        and parts.issubset(CONFIGS)
        and name not in roots
        and not OWN_CONFIG.fullmatch(name)
    )


def _find_next(before: Fingerprint, now: Fingerprint, names: Iterable[str]) -> list[str]:
    """Return what is put back next: what is only included when all else is as it was."""
    found = [name for name in (*names, *_find_moved(before, now)) if name not in before.refs]
    own = [name for name in dict.fromkeys(found) if not _is_included(name, before, now)]
    if own:
        return sorted(own, key=lambda name: _find_turn(name, before))
    return [name for name in found if name in before.files]


def _find_turn(name: str, before: Fingerprint) -> int:
    """Links first, for what they lead to is not what has to go; then what has to go."""
    seen = before.files.get(name)
    if seen is None:
        return 1
    return 0 if seen.mode == "link" else 2


def _put_back(state_dir: Path, checkout: Path, before: Fingerprint, name: str) -> None:
    seen = before.files.get(name)
    root, entry = _find_root(checkout, before, name)
    place = root / entry
    try:
        with writing(place):
            if seen is None:
                unlink_inside(root, entry)
                return
            kept = state_dir / FOLDER / CONTENT / seen.sha256
            if not kept.is_file():
                raise NotPossibleNow(
                    f"{place} was too large to be kept ({LARGEST >> 20} MiB), so it cannot be put "
                    "back: do it by hand, then answer `mine`."
                )
            data = kept.read_bytes()
            make_dirs(root)
            if seen.mode == "link":
                link_inside(root, entry, os.fsdecode(data))
            else:
                replace_inside(root, entry, data, seen.bits)
    except LeadsOut as error:
        raise NotPossibleNow(
            f"{place} leads out of the repository through a link that was not there before, so it is "
            "left alone: put that link right by hand, then answer `restore` again."
        ) from error


def _find_root(checkout: Path, before: Fingerprint, name: str) -> tuple[Path, str]:
    """Return the folder that a name must not lead out of, and its path in there."""
    if name == ".git":
        return checkout, name
    path = Path(name)
    if path.is_absolute() and path.is_relative_to(checkout):
        return checkout, str(path.relative_to(checkout))
    if path.is_absolute():
        return path.parent, path.name
    folder = path.parts[0]
    known = before.files.get(folder)
    if known is not None and known.mode == "link" and name != folder:  # hooks that lie elsewhere
        return Path(before.common) / folder, str(path.relative_to(folder))
    return Path(before.common), name
