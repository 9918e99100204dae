"""What the journal costs: an append beside the bare disk, a long one read whole, and many listed."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import psutil

from goal_engine.budget import Spend
from goal_engine.state import events as e
from goal_engine.state.commands import Record
from goal_engine.state.evolve import fold_entries
from goal_engine.state.journal import (
    encode_entry,
    encode_head,
    header_digest,
    header_line,
    line_digest,
    read_journal,
)
from goal_engine.state.persistence import FileSystemGoalStateStore
from goal_engine.state.store import transact
from tests.bench.table import Row
from tests.builders import (
    BASE,
    GOAL,
    NOTHING,
    NOW,
    OTHER,
    StoppedClock,
    a_first_entry,
    a_goal_created,
    a_task,
    goal_id,
    planned,
)

EVENTS = 10_000
TASKS = 100
APPENDS = 400


def a_long_journal(count: int) -> bytes:
    """Return a running goal's journal of `count` events, one a line."""
    tasks = [a_task(f"t{n}", writes=(f"{n}.py",)) for n in range(TASKS)]
    events: list[e.GoalEvent] = [a_goal_created(), planned(*tasks), e.GoalStarted()]
    one = Spend(attempts=1)
    attempt = 0
    while len(events) < count:
        task = f"t{attempt % TASKS}"
        attempt += 1
        events += (
            e.TaskStarted(task=task, attempt=attempt, base_commit=BASE),
            e.TaskFinished(task=task, attempt=attempt, commit=OTHER, evidence=NOTHING, spent=one),
        )
    lines, digest = [header_line(GOAL)], header_digest(GOAL)
    for seq, event in enumerate(events[:count], 1):
        entry = e.JournalEntry(seq=seq, prev=digest, at=NOW, cause="Record", events=(event,))
        lines.append(encode_entry(entry))
        digest = line_digest(lines[-1])
    return b"".join(lines)


def measure_reading() -> Iterator[Row]:
    """Time the verification and fold of long journals, and what stays in memory of one."""
    for name, count, budget, times in (("10k", EVENTS, 0.25, 5), ("100k", 10 * EVENTS, 2.0, 1)):
        data = a_long_journal(count)
        took, kept = [], 0.0
        for _ in range(times):
            gc.collect()
            before = read_rss()
            begun, spent = perf_counter(), process_time()
            journal = read_journal(data, GOAL)
            took.append((perf_counter() - begun, process_time() - spent))
            kept = read_rss() - before
            assert journal.state.seq == count
        whole, cpu = sorted(took)[len(took) // 2]
        note = f"median of {times}; CPU {cpu:.2f} s, {len(data) / 1e6:.1f} MB"
        yield Row(f"verify and fold {name} events", whole, budget, "s", note)
    yield Row("RSS of a goal of 100k events", kept, 100.0, "MB", "beside the bytes that were read")


def measure_listing() -> Iterator[Row]:
    """Time the list of many goals: in a new process's store, and again in the same one."""
    for name, count, budget in (("1k", 1_000, 50.0), ("10k", 10_000, 150.0)):
        with TemporaryDirectory(prefix="goalproof-bench-", dir=Path.cwd()) as folder:
            write_goals(Path(folder), count)
            cold, warm, rss = asyncio.run(time_lists(Path(folder)))
            yield Row(f"list {name} goals, cold", cold, 1500.0, "ms", "a new store, files in cache")
            yield Row(f"list {name} goals, warm", warm, budget, "ms", "median of 5")
            yield Row(f"RSS of a list of {name} goals", rss, 120.0, "MB", "more than before")


def write_goals(root: Path, count: int) -> None:
    """Write the journals and heads of `count` goals that rest, without asking the disk to keep them."""
    for number in range(count):
        name = goal_id(number)
        folder = root / "goals" / name
        folder.mkdir(parents=True)
        entry = a_first_entry(name)
        path, line = folder / "events.jsonl", encode_entry(entry)
        path.write_bytes(header_line(name) + line)
        there = path.stat()
        stamp = there.st_ino, there.st_size, there.st_mtime_ns
        head = encode_head(fold_entries((entry,)), line_digest(line), stamp)
        (folder / "head.json").write_bytes(head)


async def time_lists(root: Path) -> tuple[float, float, float]:
    """Return the times in ms of the first list and of later ones, and the MB that they take."""
    store = FileSystemGoalStateStore(root)
    gc.collect()
    before = read_rss()
    times = []
    for _ in range(6):
        begun = perf_counter()
        await store.list()
        times.append(1000 * (perf_counter() - begun))
    rss = read_rss() - before
    store.close()
    return times[0], median(times[1:]), rss


def read_rss() -> float:
    """Return what this process has in memory, in MB."""
    return psutil.Process().memory_info().rss / 1e6


def measure_append() -> Iterator[Row]:
    """Time appends to a short and to a long journal beside bare writes of the same bytes."""
    for name, count in (("new goal", 3), ("goal of 10k events", EVENTS)):
        ours, bare = asyncio.run(time_appends(count))
        mine, theirs = median(ours), median(bare)
        late = [quantiles(times, n=100)[98] for times in (ours, bare)]
        note = (
            f"median {mine:.2f} against {theirs:.2f} ms, p99 {late[0]:.2f} against "
            f"{late[1]:.2f} ms, {APPENDS} in turns"
        )
        yield Row(f"append over write + fsync, {name}", mine - theirs, 0.3, "ms", note)


async def time_appends(count: int) -> tuple[list[float], list[float]]:
    """Return the times in ms of appends to a journal of `count` events, and of bare writes."""
    ours, bare = [], []
    written: list[bytes] = []
    with TemporaryDirectory(prefix="goalproof-bench-", dir=Path.cwd()) as name:
        folder = Path(name) / "goals" / GOAL
        folder.mkdir(parents=True)
        (folder / "events.jsonl").write_bytes(a_long_journal(count))
        store = FileSystemGoalStateStore(Path(name))
        descriptor = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            await store.head(GOAL)
            for attempt in range(APPENDS):
                fact = e.TaskStarted(task=f"t{attempt % TASKS}", attempt=attempt, base_commit=BASE)
                begun = perf_counter()
                await transact(
                    store,
                    GOAL,
                    Record((fact,)),
                    StoppedClock(),
                    lambda _, entry: written.append(encode_entry(entry)),
                )
                ours.append(1000 * (perf_counter() - begun))
                begun = perf_counter()
                os.write(descriptor, written[-1])
                os.fsync(descriptor)
                bare.append(1000 * (perf_counter() - begun))
        finally:
            os.close(descriptor)
            store.close()
    return ours, bare
