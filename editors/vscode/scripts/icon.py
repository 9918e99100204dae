"""Draws `media/icon.png`: a target whose middle is a check mark.  Standard library only."""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path

SIZE = 128
GRID = 4
"""Samples per pixel and axis, so that edges are smooth."""
GROUND, RING, MARK = (16, 37, 28), (88, 196, 141), (240, 250, 244)
CORNER = 24
CHECK = ((40, 66), (57, 83), (90, 46))
HALF_WIDTH = 7


def find_colour(x: float, y: float) -> tuple[int, int, int, int]:
    """Return red, green, blue and opacity at a point, in pixels from the top left."""
    if not _in_square(x, y):
        return (0, 0, 0, 0)
    if any(_distance(x, y, *CHECK[i], *CHECK[i + 1]) <= HALF_WIDTH for i in (0, 1)):
        return (*MARK, 255)
    away = math.hypot(x - SIZE / 2, y - SIZE / 2)
    return (*(RING if 44 <= away <= 52 else GROUND), 255)


def _in_square(x: float, y: float) -> bool:
    near_x, near_y = min(x, SIZE - x), min(y, SIZE - y)
    if near_x >= CORNER or near_y >= CORNER:
        return True
    return math.hypot(CORNER - near_x, CORNER - near_y) <= CORNER


def _distance(x: float, y: float, x1: float, y1: float, x2: float, y2: float) -> float:
    length = (x2 - x1) ** 2 + (y2 - y1) ** 2
    along = max(0.0, min(1.0, ((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / length))
    return math.hypot(x - x1 - along * (x2 - x1), y - y1 - along * (y2 - y1))


def render_pixel(x: int, y: int) -> bytes:
    """Return one pixel, the mean of its samples."""
    steps = [(i + 0.5) / GRID for i in range(GRID)]
    samples = [find_colour(x + dx, y + dy) for dx in steps for dy in steps]
    opacity = sum(sample[3] for sample in samples)
    if not opacity:
        return bytes(4)
    mean = [round(sum(s[i] * s[3] for s in samples) / opacity) for i in range(3)]
    return bytes([*mean, round(opacity / len(samples))])


def render_png() -> bytes:
    """Return the picture as a PNG file."""
    rows = b"".join(b"\0" + b"".join(render_pixel(x, y) for x in range(SIZE)) for y in range(SIZE))
    header = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 6, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(rows, 9))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


if __name__ == "__main__":
    place = Path(__file__).resolve().parent.parent / "media" / "icon.png"
    place.write_bytes(render_png())
