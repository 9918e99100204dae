"""However full the disk is, what was acknowledged stays, and work goes on once there is room (D08)."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.torture.checks import find_faults, find_leftovers
from tests.torture.forks import Forks, Told
from tests.torture.jobs import prepare

pytestmark = [pytest.mark.long, pytest.mark.one_python]
LEVELS = {64: range(0, 100, 5), 256: range(50, 100, 10), 4096: (90, 95, 99)}
"""How much of what is free is taken beforehand, in percent, on a disk of so many KiB."""
BLOCK = 4096
MOST = 20_000
"""Appends: more than fit on any of them."""


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A disk in memory."""

    mount: Path
    kibibytes: int

    def resize(self, size: str) -> None:
        """Have it smaller or larger, as it stands."""
        argv = ("mount", "-o", f"remount,size={size}", self.mount)
        subprocess.run(argv, check=True)


@pytest.fixture(params=LEVELS, ids=lambda size: f"{size}K")
def small(request, tmp_path) -> Iterator[SmallDisk]:
    """Give a small disk; to make one is root's."""
    if os.geteuid() != 0:
        pytest.fail("A small disk is mounted for this, which only root may do.")
    mount = tmp_path / "disk"
    mount.mkdir()
    options = f"size={request.param}k"
    subprocess.run(("mount", "-t", "tmpfs", "-o", options, "none", mount), check=True)
    try:
        yield SmallDisk(mount, request.param)
    finally:
        subprocess.run(("umount", mount), check=True)


async def find_full_faults(
    forks: Forks, disk: SmallDisk, level: int, mutant: str = "", most: int = MOST
) -> list[str]:
    """Return what is wrong after a goal wrote until the disk was full, and there was room again."""
    root, filling = disk.mount / "store", disk.mount / "filling"
    await prepare(root, "whole")
    free = os.statvfs(disk.mount)
    filling.write_bytes(bytes(free.f_bavail * free.f_bsize * level // 100 // BLOCK * BLOCK))
    told: list[Told] = forks.run("endless", mutant, root=str(root), most=most)
    faults = [] if "refused" in told[-1] else ["it did not end with a refusal"]
    faults += await find_faults(root, told, onward=False)
    filling.unlink()
    disk.resize("8m")
    faults += await find_faults(root, told)
    faults += [f"left over: {name}" for name in find_leftovers(root)]
    shutil.rmtree(root)
    disk.resize(f"{disk.kibibytes}k")
    return [f"{level} % full: {fault}" for fault in faults]


async def test_a_full_disk_loses_nothing_and_goes_on(forks, small):
    faults = []
    for level in LEVELS[small.kibibytes]:
        faults += await find_full_faults(forks, small, level)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("small", [64], indirect=True)
async def test_a_store_that_says_it_was_done_on_a_full_disk_is_caught(forks, small):
    faults = await find_full_faults(forks, small, 80, "early_word", most=300)
    assert any("was told and is gone" in fault for fault in faults), "\n".join(faults)
