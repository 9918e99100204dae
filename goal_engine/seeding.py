"""What it cost to make one workspace ready, part by part."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from goal_engine.types import Frozen

Part = Literal["files", "python", "node_modules", "submodules", "copies", "set-up"]
WORDS: dict[Part, str] = {
    "files": "files",
    "python": "Python",
    "node_modules": "node_modules",
    "submodules": "submodules and large files",
    "copies": "copied files",
    "set-up": "set-up",
}
"""The parts in the order in which they are made, and how they are told."""


class SeedingPart(Frozen):
    """One part: how long it took, and how much was copied where that is known."""

    part: Part
    ms: int
    bytes: int | None = None
    """That were copied or shared; `None` where nobody counted."""
    how: Literal["", "shared", "ran", "kept"] = ""
    """`shared`: blocks of the disk, nothing copied.  `ran`: commands; `kept`: what they made before."""


Seeding = tuple[SeedingPart, ...]


def describe_seeding(seeding: Iterable[SeedingPart]) -> str:
    """Return the parts in words: `files 34 ms, node_modules 84 MB in 0.6 s`; empty for none."""
    return ", ".join(map(_describe, seeding))


def _describe(part: SeedingPart) -> str:
    took = f"{part.ms} ms" if part.ms < 1000 else f"{part.ms / 1000:.1f} s"
    how = {"": "", "shared": " (shared)", "ran": "", "kept": " (kept from before)"}[part.how]
    size = "" if part.bytes is None else f" {say_bytes(part.bytes)} in"
    return f"{WORDS[part.part]}{size} {took}{how}"


def say_bytes(size: int) -> str:
    """Return a size as people read it: `512 B`, `84 MB`."""
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= scale:
            number = size / scale
            return f"{number:.1f} {unit}" if number < 10 else f"{number:.0f} {unit}"
    return f"{size} B"
