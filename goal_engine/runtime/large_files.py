"""Files of which git keeps something else than their content: Git LFS, and what git-crypt hides.

Neither filter ever runs here.  Of LFS a workspace gets the content that the checkout has, known by its
digest; in a result such a file stays the pointer that it was.  A file with other content is refused:
stored as it is it would be no pointer and no secret any more, and whoever clones would miss it.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n"
    rb"(?:ext-\d-[^\n]*\n)*oid sha256:([0-9a-f]{64})\nsize (\d+)\n"
)
LONGEST = 1024
"""Bytes of a pointer, by its specification."""
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Keeper:
    """What stands behind a filter, and how a blob begins that it made."""

    title: str
    magic: bytes


KEEPERS = {
    "lfs": Keeper("Git LFS", b"version https://git-lfs.github.com/spec/"),
    "git-crypt": Keeper("git-crypt", b"\0GITCRYPT\0"),
}
"""By the name of the filter in `.gitattributes`."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """What git keeps of a file that LFS has."""

    text: bytes
    digest: str
    """Of the content, SHA-256."""
    size: int


def parse_pointer(data: bytes) -> Pointer | None:
    """Return the pointer that a blob is, `None` for any other."""
    found = POINTER.fullmatch(data) if len(data) <= LONGEST else None
    return Pointer(data, found.group(1).decode("ascii"), int(found.group(2))) if found else None


def holds(file: Path, pointer: Pointer) -> bool:
    """Whether a regular file has the content that a pointer stands for."""
    if file.is_symlink() or not file.is_file() or file.stat().st_size != pointer.size:
        return False
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest() == pointer.digest


def find_unkept(file: Path, name: str) -> Keeper | None:
    """Return who should have kept a file that a filter is named for, if it stands there unfiltered."""
    keeper = KEEPERS.get(name)
    if keeper is None or file.is_symlink() or not file.is_file():
        return None
    with file.open("rb") as opened:
        return None if opened.read(len(keeper.magic)) == keeper.magic else keeper


@dataclass(frozen=True, slots=True)
class LargeFiles:
    """The content that LFS has for a checkout: in its files, or in its store."""

    checkout: Path
    store: Path
    """`lfs/objects` in the git directory."""
    pointers: Mapping[str, Pointer]
    """By path, of one tree."""
    others: Mapping[str, Pointer] = field(default_factory=dict)
    """Those that the checkout has under the names of another tree."""

    def find(self, path: str) -> Path | None:
        """Return a file that has the content of the one at `path`."""
        pointer = self.pointers[path]
        return next((file for file in self._places(path) if holds(file, pointer)), None)

    def stands(self, path: str) -> bool:
        """Whether the checkout has, at the path of a pointer, just the content it stands for."""
        pointer = self.pointers.get(path)
        return pointer is not None and holds(self.checkout / path, pointer)

    def find_absent(self) -> tuple[str, ...]:
        """Return the paths of which no content is there, judged by its size alone."""
        return tuple(
            path
            for path, pointer in self.pointers.items()
            if not any(
                file.is_file() and file.stat().st_size == pointer.size
                for file in self._places(path)
            )
        )

    def view(self, workspace: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Put content in the place of pointers in a workspace; return the paths that have it now, and
        those that stay pointers."""
        viewed, absent = [], []
        for path, pointer in self.pointers.items():
            target = workspace / path
            if not _is_pointer(target, pointer, workspace):
                continue
            source = self.find(path)
            if source is None:
                absent.append(path)
            else:
                shutil.copyfile(source, target)
                viewed.append(path)
        return tuple(viewed), tuple(absent)

    def _places(self, path: str) -> Iterable[Path]:
        digest = self.pointers[path].digest
        known = (*self.pointers.items(), *self.others.items())
        same = (other for other, pointer in known if pointer.digest == digest)
        yield self.store / digest[:2] / digest[2:4] / digest
        yield from (self.checkout / name for name in dict.fromkeys((path, *same)))


def describe_absent(paths: tuple[str, ...]) -> tuple[str, ...]:
    """Return what a person should know of pointers that gates will read as they are."""
    if not paths:
        return ()
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return (
        f"workspaces have pointers of Git LFS, not the content, at {', '.join(paths[:SHOWN])}{more}: "
        "`git lfs pull` in the checkout brings it",
    )


def _is_pointer(target: Path, pointer: Pointer, workspace: Path) -> bool:
    """Whether the pointer itself stands there, in the workspace and not behind a link."""
    if target.is_symlink() or not target.is_file() or target.stat().st_size > LONGEST:
        return False
    inside = target.parent.resolve().is_relative_to(workspace.resolve())
    return inside and target.read_bytes() == pointer.text
