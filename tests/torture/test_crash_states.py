"""No state in which a power cut may leave the disk loses what was acknowledged (D05)."""

from __future__ import annotations

import json
import random
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from goal_engine.state import persistence
from tests.torture.checks import find_faults
from tests.torture.crash_states import (
    Cut,
    Data,
    Disk,
    Model,
    Name,
    Op,
    Waited,
    Word,
    crash_states,
    read_ops,
)
from tests.torture.forks import Forks
from tests.torture.jobs import ANCHORS, LIVES, prepare
from tests.torture.mutants import MUTANTS
from tests.torture.tracing import CHANGES, trace

pytestmark = [pytest.mark.one_python, pytest.mark.usefixtures("strace")]
MOST, MOST_LONG = 60, 4000
"""States after one operation."""
LOSS = re.compile("is gone|is another|is damaged|ends before its first entry|is not in ")
"""What is said of a store that lost something."""


LOST = re.compile("entr(y is|ies are) gone|was replaced by another")
"""What is said of a journal that ends before its anchor, or is another."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What a job did to the disk."""

    root: Path
    before: Disk
    ops: list[Op]


def read_disk(root: Path) -> dict[str, bytes | None]:
    """Return everything at and below `root`, but locks."""
    paths = [root, *(path for path in root.rglob("*") if path.suffix != ".lock")]
    return {str(path): None if path.is_dir() else path.read_bytes() for path in sorted(paths)}


def write_disk(root: Path, disk: Disk) -> None:
    """Have exactly `disk` at `root`."""
    shutil.rmtree(root)
    for path, data in sorted(disk.items()):
        if data is None:
            Path(path).mkdir()
        else:
            Path(path).write_bytes(data)


async def record(forks: Forks, folder: Path, life: str, mutant: str = "") -> Recording:
    """Return what one life does, operation by operation; folding the operations gives the disk."""
    root = folder / "root"
    root.mkdir()
    await prepare(root, life)
    before = read_disk(root)
    with forks.child("live", mutant, root=str(root), life=life) as child:
        calls, _ = trace(child, folder / "trace", (*CHANGES, "lseek", "sendto"))
    ops = list(read_ops(calls, str(root), before))
    everything = [*ops, *(Waited(n, "") for n in range(len(ops)))]
    everything += [Waited(None, path) for path, data in read_disk(root).items() if data is None]
    states = list(crash_states(everything, Model.WEAK, before, 1, random.Random(0)))
    assert states == [read_disk(root)], "the operations that were seen do not make this disk"
    return Recording(root, before, ops)


async def find_losses(
    recording: Recording,
    model: Model,
    most: int,
    *,
    every_byte: bool = False,
    first_only: bool = False,
) -> tuple[int, list[str]]:
    """Return how many different states there are, and what is wrong in them."""
    chance = random.Random(5)
    faults: list[str] = []
    seen: set[object] = set()
    for end in range(1, len(recording.ops) + 1):
        if faults and first_only:
            break
        ops = recording.ops[:end]
        told = [json.loads(op.text) for op in ops if isinstance(op, Word)]
        anchors = str(recording.root / ANCHORS)
        states = crash_states(
            ops, model, recording.before, most, chance, every_byte=every_byte, below=anchors
        )
        for disk in states:
            key = (len(told), frozenset(disk.items()))
            if key in seen:
                continue
            seen.add(key)
            write_disk(recording.root, disk)
            found = await find_faults(recording.root, told, onward=len(seen) % 4 == 0)
            faults += [f"{model}, after operation {end}: {fault}" for fault in found]
    return len(seen), faults


@pytest.mark.parametrize("life", LIVES)
@pytest.mark.parametrize("model", Model)
async def test_no_power_cut_loses_anything(model, life, forks, memory):
    recording = await record(forks, memory, life)
    count, faults = await find_losses(recording, model, MOST)
    assert count > 20 and not faults, "\n".join(faults[:20])


@pytest.mark.long
@pytest.mark.parametrize("life", LIVES)
@pytest.mark.parametrize("model", Model)
async def test_no_power_cut_loses_anything_however_unlikely(model, life, forks, memory):
    recording = await record(forks, memory, life)
    count, faults = await find_losses(recording, model, MOST_LONG, every_byte=True)
    assert count > 3000 and not faults, "\n".join(faults[:20])


@pytest.mark.parametrize("model", Model)
@pytest.mark.parametrize("mutant", ["no_fsync", "no_directory_fsync", "late_fsync", "overwrite"])
async def test_a_store_that_does_not_wait_is_caught(mutant, model, forks, memory):
    recording = await record(forks, memory, "whole", mutant)
    _, faults = await find_losses(recording, model, MOST, first_only=True)
    assert any(LOSS.search(fault) for fault in faults), "\n".join(faults)


@pytest.mark.parametrize("model", Model)
@pytest.mark.parametrize("mutant", ["anchor_first", "anchor_unchecked"])
async def test_an_anchor_that_refuses_good_data_is_caught(
    mutant, model, forks, memory, monkeypatch
):
    recording = await record(forks, memory, "whole", mutant)
    monkeypatch.setattr(persistence, "parse_anchor", persistence.parse_anchor)
    if mutant == "anchor_unchecked":  # it is wrong in who reads
        MUTANTS[mutant]()
    _, faults = await find_losses(recording, model, MOST, first_only=True)
    assert any(LOST.search(fault) for fault in faults), "\n".join(faults)


ROOT = "/r"
BEFORE: Disk = {ROOT: None}


def every_state(*ops: Op, model: Model = Model.WEAK) -> list[dict[str, bytes | None]]:
    states = crash_states(list(ops), model, BEFORE, 1000, random.Random(0))
    return [dict(disk) for disk in {frozenset(state.items()) for state in states}]


def test_what_was_waited_for_is_in_every_state():
    made, written = Name("/r/a", 0), Data(0, 0, b"1234")
    assert {ROOT: None} in every_state(made, written)
    assert {ROOT: None, "/r/a": b"12"} in every_state(made, written)
    waited = (made, written, Waited(0, "/r/a"), Waited(None, ROOT))
    assert every_state(*waited) == [{ROOT: None, "/r/a": b"1234"}]
    assert every_state(*waited, Cut(0, 1))[0].keys() == {ROOT, "/r/a"}
    assert len(every_state(*waited, Cut(0, 1))) == 2


def test_names_keep_their_order_where_that_is_promised():
    ops = (Name("/r/a", 0), Name("/r/b", 1))
    only_the_second = {ROOT: None, "/r/b": b""}
    assert only_the_second in every_state(*ops)
    assert only_the_second not in every_state(*ops, model=Model.ORDERED)


def test_what_nobody_waits_for_is_there_in_any_way_with_everything_else():
    there: Disk = {ROOT: None, "/r/n": None, "/r/n/x": b"0000"}
    ops: list[Op] = [Data(0, 0, b"1111"), Data(0, 0, b"2222"), Name("/r/j", 1), Data(1, 0, b"j")]
    chance = random.Random(0)
    states = [
        disk
        for _ in range(50)
        for disk in crash_states(
            [*ops, Waited(1, "/r/j")], Model.ORDERED, there, 9, chance, below="/r/n"
        )
    ]
    assert {disk["/r/j"] for disk in states} == {b"j"}
    assert {disk["/r/n/x"] for disk in states} >= {
        b"0000",
        b"1111",
        b"2222",
        b"2211",
        b"2221",
        b"1100",
    }
