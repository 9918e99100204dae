"""The power goes on a real ext4 and a real xfs, at any moment: nothing acknowledged is lost (D04).

The file system is shut down beneath the store without what it had not written, then mounted anew.
"""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.editors.tools import install_packages, open_cache
from tests.torture.checks import find_faults
from tests.torture.forks import Forks, Told
from tests.torture.jobs import prepare

pytestmark = [pytest.mark.long, pytest.mark.one_python, pytest.mark.timeout(1800)]
SHUT_DOWN, WITHOUT_LOG = 0x8004587D, 2
"""`EXT4_IOC_SHUTDOWN` and `XFS_IOC_GOINGDOWN`, and their flag that flushes nothing."""
CUTS, CUTS_OF_MUTANTS = 100, 10
MOST = 1000
"""Appends, for a mutant that never hears of the disk."""
MEBIBYTES = {"ext4": 64, "xfs": 320}
LOST = "is gone"


@dataclass(frozen=True, slots=True)
class Disk:
    """A file that is mounted as a disk."""

    image: Path
    mount: Path

    def format(self, kind: str) -> None:
        """Make an empty file system of it."""
        with self.image.open("wb") as file:
            file.truncate(MEBIBYTES[kind] << 20)
        force = "-F" if kind == "ext4" else "-f"
        subprocess.run((f"mkfs.{kind}", "-q", force, self.image), check=True)

    @contextmanager
    def mounted(self) -> Iterator[Path]:
        """Have it mounted, whatever happens to it."""
        subprocess.run(("mount", "-o", "loop", self.image, self.mount), check=True)
        try:
            yield self.mount
        finally:
            subprocess.run(("umount", self.mount), check=True)

    def cut(self) -> None:
        """Take the power away."""
        descriptor = os.open(self.mount, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, SHUT_DOWN, struct.pack("I", WITHOUT_LOG))
        finally:
            os.close(descriptor)


@pytest.fixture(params=MEBIBYTES)
def disk(request, tmp_path) -> Iterator[Disk]:
    """Give an empty disk of each kind; to make one is root's."""
    if os.geteuid() != 0:
        pytest.fail("A power cut is made on a disk of its own, which only root may mount.")
    with open_cache():
        install_packages({"mkfs.ext4": "e2fsprogs", "mkfs.xfs": "xfsprogs"})
    mount = tmp_path / "disk"
    mount.mkdir()
    made = Disk(tmp_path / "image", mount)
    made.format(request.param)
    return made


async def cut_once(forks: Forks, disk: Disk, chance: random.Random, mutant: str = "") -> Trial:
    """Return how much was told before the power went, and what is wrong once it is back.

    ext4 may answer that a file is on the disk while it is being shut down without its log: what is
    told from then on is not asked for.
    """
    told: list[Told] = []
    with disk.mounted() as mount:
        root = mount / "store"
        await prepare(root, "whole")
        os.sync()
        enough = chance.randrange(1, 40)
        with forks.child("endless", mutant, root=str(root), most=MOST) as child:
            child.go()
            for one in child.told():
                told.append(one)
                if len(told) == enough:
                    disk.cut()
                    break
            with suppress(ProcessLookupError):
                child.kill()
    with disk.mounted() as mount:
        faults = await find_faults(mount / "store", told)
        shutil.rmtree(mount / "store")
    return Trial(sum("done" in one for one in told), faults)


@dataclass(frozen=True, slots=True)
class Trial:
    """One power cut."""

    acknowledged: int
    faults: list[str]


async def test_no_power_cut_on_a_real_disk_loses_anything(forks, disk):
    chance = random.Random(3)
    trials = [await cut_once(forks, disk, chance) for _ in range(CUTS)]
    acknowledged = sum(trial.acknowledged for trial in trials)
    sys.stdout.write(f"\n{CUTS} power cuts after {acknowledged} acknowledged appends\n")
    assert acknowledged > CUTS and not [fault for trial in trials for fault in trial.faults]


async def test_a_store_that_waits_for_no_disk_is_caught(forks, disk):
    chance = random.Random(4)
    trials = [await cut_once(forks, disk, chance, "no_fsync") for _ in range(CUTS_OF_MUTANTS)]
    faults = [fault for trial in trials for fault in trial.faults]
    assert any(LOST in fault for fault in faults), "\n".join(faults)
