"""A workspace has yarn's Plug'n'Play of its own: its map, and the packages that the checkout keeps.

Yarn's map says where each package lies, relative to itself.  In a workspace that is elsewhere: what
leads out of the checkout (the person's global cache, which is only read) is counted anew from there,
what lies in the checkout is the workspace's own.  A map that is committed is part of what is judged
and stays as it is.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from goal_engine.errors import EnvironmentUnusable
from goal_engine.runtime.rerooting import Rerooting

MAPS = (".pnp.cjs", ".pnp.data.json")
"""Files with the places of packages."""
FILES = (*MAPS, ".pnp.loader.mjs", ".yarn/install-state.gz")
FOLDERS = (".yarn/cache", ".yarn/unplugged")
LOCATION = re.compile(r'("packageLocation"\s*:\s*")(\.\.?/[^"\\]*)(")')
"""One package's place, as yarn writes it into either map."""
VIRTUAL = re.compile(r"^(?P<place>.*?)/__virtual__/(?P<name>[^/]+)/(?P<depth>\d+)/(?P<path>.*)$")
"""A place of a package with peers: `depth` folders up from `place`, then `path` (yarn's VirtualFS)."""
LARGEST = 64 << 20
"""Bytes of a map."""


def find_roots(ignored: Iterable[str]) -> tuple[PurePosixPath, ...]:
    """Return the folders of the checkout in which yarn keeps what git ignores."""
    roots = set()
    for path in ignored:
        pure = PurePosixPath(path)
        if "node_modules" in pure.parts:
            continue
        if pure.name in FILES:
            roots.add(pure.parent)
        elif ".yarn" in pure.parts:
            roots.add(PurePosixPath(*pure.parts[: pure.parts.index(".yarn")]))
    return tuple(sorted(roots))


def find_plugged(ignored: Iterable[str], rerooting: Rerooting) -> Iterator[PurePosixPath]:
    """Yield the folders beside a `package.json` of the workspace where the checkout has a map."""
    for root in find_roots(ignored):
        place = rerooting.workspace / root
        inside = place.resolve().is_relative_to(rerooting.workspace)
        mapped = (rerooting.checkout / root / MAPS[0]).is_file()
        if mapped and inside and (place / "package.json").is_file():
            yield root


def find_packed(
    roots: Iterable[PurePosixPath], ignored: Iterable[str], rerooting: Rerooting
) -> Iterator[str]:
    """Yield the folders of packages that git ignores there and that the workspace lacks."""
    names = frozenset(ignored)
    for root in roots:
        for name in FOLDERS:
            path = root / name
            target = rerooting.workspace / path
            above = (path, *path.parents[:-1])
            left_out = any(f"{one.as_posix()}/" in names for one in above)
            free = not (target.exists() or target.is_symlink() or target.parent.is_symlink())
            if left_out and free and (rerooting.checkout / path).is_dir():
                yield path.as_posix()


def copy_maps(root: PurePosixPath, rerooting: Rerooting) -> tuple[str, ...]:
    """Copy the files that yarn wrote in one folder and the workspace lacks; return their paths.

    Raises `EnvironmentUnusable` for a map that cannot be read.
    """
    copied = []
    for name in FILES:
        source, target = rerooting.checkout / root / name, rerooting.workspace / root / name
        taken = target.is_symlink() or target.exists() or target.parent.is_symlink()
        if taken or source.is_symlink() or not source.is_file():
            continue
        try:
            target.parent.mkdir(exist_ok=True)
            if name in MAPS:
                text = source.read_text("utf-8") if source.stat().st_size <= LARGEST else None
                if text is None:
                    raise EnvironmentUnusable(
                        f"{source} is larger than {LARGEST >> 20} MiB, which is no map of yarn's; run "
                        "`yarn install` again."
                    )
                target.write_text(move_map(text, source.parent, target.parent, rerooting), "utf-8")
                target.chmod(source.stat().st_mode & 0o777)
            else:
                shutil.copyfile(source, target)
        except (OSError, UnicodeDecodeError) as error:
            raise EnvironmentUnusable(
                f"{source} cannot be viewed in a workspace: {error}. Run `yarn install` again in the "
                "checkout, or take `nodeLinker: node-modules` in .yarnrc.yml."
            ) from error
        copied.append((root / name).as_posix())
    return tuple(copied)


def move_map(text: str, old: Path, new: Path, rerooting: Rerooting) -> str:
    """Return a map that lies in the folder `new`, whose places were relative to `old`."""

    def move(found: re.Match[str]) -> str:
        return f"{found[1]}{_move_place(found[2], old, new, rerooting)}{found[3]}"

    return LOCATION.sub(move, text)


def _move_place(location: str, old: Path, new: Path, rerooting: Rerooting) -> str:
    virtual = VIRTUAL.match(location)
    aimed = location
    if virtual:
        aimed = f"{virtual['place']}/{'../' * int(virtual['depth'])}{virtual['path']}"
    target = Path(os.path.normpath(old / aimed))
    if rerooting.path(target) is not None:
        return location  # in the checkout, and so in the workspace the same way
    end = "/" if location.endswith("/") else ""
    if not virtual:
        return f"{os.path.relpath(target, new)}{end}"
    above = Path(os.path.normpath(new / virtual["place"]))
    up = len(above.parts) - 1
    return f"{virtual['place']}/__virtual__/{virtual['name']}/{up}/{target.relative_to('/')}{end}"
