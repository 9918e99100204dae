"""Killed or refused at each system call, the store loses nothing that it acknowledged (D01, D02, D03)."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from goal_engine.state import persistence
from tests.torture.checks import find_faults, refused
from tests.torture.forks import Forks, Told
from tests.torture.jobs import LIVES, prepare
from tests.torture.tracing import CHANGES, READS, Call, trace, traced

pytestmark = [pytest.mark.one_python, pytest.mark.usefixtures("strace")]
KILL, EIO, FULL, AGAIN = "signal=KILL", "error=EIO", "error=ENOSPC", "error=EINTR"
SYNCS = ("fsync", "fdatasync")


@dataclass(frozen=True, slots=True)
class Point:
    """The `nth` call of a name in the thread that does the store's work."""

    name: str
    nth: int
    about: str
    """The path it is done to; of a folder that is waited for, what got its name in it last."""

    @property
    def is_promise(self) -> bool:
        """Whether a journal or an object was waited for: without it nothing may be acknowledged."""
        return self.name in SYNCS and not self.about.endswith("head.json")


def find_points(calls: list[Call], root: Path, *, changing: bool) -> list[Point]:
    """Return the calls of the store's thread, or those of them that change something."""
    (worker, _), *_ = Counter(one.thread for one in calls if str(root) in one.path).most_common()
    counted: Counter[str] = Counter()
    points = []
    named = ""
    for call in calls:
        if call.thread != worker:
            continue
        counted[call.name] += 1
        if call.name.startswith(("rename", "link")):
            named = call.strings[-1].decode()
        about = named if call.name in SYNCS and Path(named).parent == Path(call.path) else call.path
        looks = call.name == "openat" and "O_CREAT" not in call.arguments
        if not (changing and (looks or str(root) not in call.path)):
            points.append(Point(call.name, counted[call.name], about))
    return points


class Sweep:
    """One life of a goal, to be ended or hurt at each point."""

    def __init__(self, forks: Forks, folder: Path, life: str, mutant: str = "") -> None:
        self.forks, self.folder, self.life, self.mutant = forks, folder, life, mutant
        self.seed, self.root = folder / "seed", folder / "root"

    async def points(self, names: tuple[str, ...], *, changing: bool) -> list[Point]:
        """Return the points, from a life that nothing happened to."""
        await prepare(self.seed, self.life)
        shutil.copytree(self.seed, self.root)
        with self.forks.child("live", self.mutant, root=str(self.root), life=self.life) as child:
            calls, told = trace(child, self.folder / "trace", names)
        done = [one["step"] for one in told if "done" in one]
        assert self.mutant or done == list(range(len(LIVES[self.life])))
        return find_points(calls, self.root, changing=changing)

    async def faults_at(self, point: Point, what: str) -> list[str]:
        """Return what is wrong after `what` happened at `point`."""
        told, gave_way = self._hurt(point, what)
        faults = await find_faults(self.root, told)
        if what == KILL and len(told) == len(LIVES[self.life]):
            faults.append("nobody was killed")
        if what in (EIO, FULL) and point.is_promise and not (refused(told) or gave_way):
            faults.append("it was acknowledged although the disk did not take it")
        return [f"{self.life} {what} at {point}: {fault}" for fault in faults]

    def _hurt(self, point: Point, what: str) -> tuple[list[Told], bool]:
        """Return what was told, and whether the ballast was given for it: then a receipt is written
        anew, on another descriptor, which is no second try of the fsync that failed (D03, D08)."""
        shutil.rmtree(self.root)
        shutil.copytree(self.seed, self.root)
        before = _stamp(self.root / "ballast")
        options = (
            "-e",
            f"trace={point.name}",
            "-e",
            f"inject={point.name}:{what}:when={point.nth}",
        )
        arguments = {"root": str(self.root), "life": self.life}
        with (
            self.forks.child("live", self.mutant, **arguments) as child,
            traced(child, Path("/dev/null"), *options),
        ):
            child.go()
            told = list(child.told())
        return told, what == FULL and before not in (None, _stamp(self.root / "ballast"))


def _stamp(path: Path) -> tuple[int, int] | None:
    if not path.exists():
        return None
    there = path.stat()
    return there.st_ino, there.st_ctime_ns


async def sweep(
    forks: Forks,
    folder: Path,
    life: str,
    what: str,
    mutant: str = "",
    names: tuple[str, ...] = CHANGES,
) -> tuple[int, list[str]]:
    """Return how many points there were and what was wrong after them; a mutant ends at its first."""
    run = Sweep(forks, folder, life, mutant)
    points = await run.points(names, changing=names == CHANGES)
    faults: list[str] = []
    for point in points:
        faults += await run.faults_at(point, what)
        if faults and mutant:
            break
    return len(points), faults


@pytest.mark.parametrize("life", LIVES)
@pytest.mark.parametrize("what", [KILL, EIO])
async def test_whatever_is_hit_while_it_changes_something_nothing_is_lost(
    life, what, forks, memory
):
    count, faults = await sweep(forks, memory, life, what)
    assert count > 20 and not faults, "\n".join(faults)


@pytest.mark.long
@pytest.mark.parametrize("life", LIVES)
@pytest.mark.parametrize("what", [KILL, EIO, FULL, AGAIN])
async def test_whatever_is_hit_nothing_is_lost(life, what, forks, memory):
    count, faults = await sweep(forks, memory, life, what, names=(*CHANGES, *READS))
    assert count > 60 and not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("mutant", "life", "what", "fault"),
    [
        ("overwrite", "whole", KILL, "ends before its first entry"),
        ("early_word", "whole", KILL, "was told and is gone"),
        ("fsync_again", "whole", EIO, "acknowledged although the disk did not take it"),
        pytest.param(
            *("fsync_again", "whole", FULL, "acknowledged although the disk did not take it"),
            marks=pytest.mark.long,
        ),
        ("tail_left", "torn", EIO, "its digest is wrong"),
    ],
)
async def test_a_store_that_is_wrong_is_caught(mutant, life, what, fault, forks, memory):
    _, faults = await sweep(forks, memory, life, what, mutant)
    assert any(fault in one for one in faults), "\n".join(faults)


async def test_what_a_killed_writer_left_is_caught_when_nobody_removes_it(memory, monkeypatch):
    await prepare(memory, "torn")
    monkeypatch.setattr(persistence, "sweep", lambda _: None)
    assert any("left over" in fault for fault in await find_faults(memory, []))
