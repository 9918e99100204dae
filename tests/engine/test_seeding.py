"""What a workspace cost, in words."""

from __future__ import annotations

import pytest

from goal_engine.seeding import SeedingPart, describe_seeding, say_bytes


def test_each_part_is_told_with_its_time_and_its_size() -> None:
    seeding = (
        SeedingPart(part="files", ms=34),
        SeedingPart(part="node_modules", ms=640, bytes=84_000_000),
        SeedingPart(part="node_modules", ms=40, bytes=84_000_000, how="shared"),
        SeedingPart(part="set-up", ms=2_140, how="ran"),
        SeedingPart(part="set-up", ms=99, bytes=0, how="kept"),
    )
    assert describe_seeding(seeding).split(", ") == [
        "files 34 ms",
        "node_modules 84 MB in 640 ms",
        "node_modules 84 MB in 40 ms (shared)",
        "set-up 2.1 s",
        "set-up 0 B in 99 ms (kept from before)",
    ]
    assert describe_seeding(()) == ""


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9_940_000, "9.9 MB"),
        (1_200_000_000, "1.2 GB"),
    ],
)
def test_sizes_are_told_as_people_read_them(size: int, said: str) -> None:
    assert say_bytes(size) == said
