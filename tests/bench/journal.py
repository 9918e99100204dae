"""What the journal costs: an append beside the bare disk, and reading a long one whole."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import perf_counter

from goal_engine.budget import Spend
from goal_engine.state import events as e
from goal_engine.state.commands import Record
from goal_engine.state.evolve import fold_entries
from goal_engine.state.journal import (
    encode_entry,
    header_digest,
    header_line,
    line_digest,
    parse_journal,
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
    a_goal_created,
    a_task,
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
    """Time the verification and fold of a long journal."""
    data = a_long_journal(EVENTS)
    times = []
    for _ in range(5):
        gc.collect()
        begun = perf_counter()
        parsed = parse_journal(data, GOAL)
        read = perf_counter()
        fold_entries(parsed.entries)
        times.append((perf_counter() - begun, read - begun))
    whole, read = sorted(times)[len(times) // 2]
    note = f"median of {len(times)}; of that verify {read:.2f} s, {len(data) / 1e6:.1f} MB"
    yield Row("verify and fold 10k events", whole, 0.25, "s", note)


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
