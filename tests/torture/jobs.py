"""What the processes do to a store that others then kill, cut and fill."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from goal_engine.errors import GoalError
from goal_engine.runtime.anchors import Anchors
from goal_engine.state import commands as c
from goal_engine.state import events as e
from goal_engine.state.journal import encode_entry, line_digest
from goal_engine.state.model import GoalState
from goal_engine.state.persistence import FileSystemGoalStateStore
from goal_engine.state.store import transact
from goal_engine.types import GoalId
from tests.builders import BASE, GOAL, TREE, StoppedClock, a_goal_created, goal_id, planned
from tests.torture.forks import Told

Tell = Callable[[Told], None]
BESIDE = goal_id(7)
"""A goal that nobody touches."""
NEXT = goal_id(8)
"""A goal that is made afterwards, where the first one has come to its end."""
ANCHORS = "anchors"
"""The folder of the records of how far goals were written; below the root, so that it is hurt as well."""
OBJECT = b"what a proof holds\n" * 40
VERIFYING = c.Record((e.VerificationStarted(tree=TREE),))
LONG = c.Record((e.GateStarted(gate="tests" * 40, stage=e.GateStage.PROVING, tree=TREE),))


def creation(name: GoalId) -> c.CreateGoal:
    """Return the command that makes a goal."""
    return c.CreateGoal(a_goal_created(name), planned())


LIFE: tuple[c.Command | bytes, ...] = (
    creation(GOAL),
    OBJECT,
    c.StartGoal(),
    c.Record((e.TaskStarted(task="fix", attempt=1, base_commit=BASE),)),
    c.StopGoal(e.ControlKind.PAUSE, "asked"),
    c.ResumeGoal(),
    VERIFYING,
    c.StopGoal(e.ControlKind.CANCEL, "asked"),
)
"""Commands for a goal, and data to keep as an object; whatever writes is somewhere among them."""
LIVES: dict[str, tuple[c.Command | bytes, ...]] = {
    "whole": LIFE,
    "torn": (VERIFYING, c.StopGoal(e.ControlKind.PAUSE, "asked"), OBJECT, c.ResumeGoal()),
}
"""By how the store stands at first: without the goal, or with it and a torn tail."""


def open_store(root: Path) -> FileSystemGoalStateStore:
    """Return the store that the product would use, its anchors beside it."""
    return FileSystemGoalStateStore(root, Anchors(lambda: root / ANCHORS))


async def prepare(root: Path, life: str) -> None:
    """Make the store that a life begins with."""
    store, clock = open_store(root), StoppedClock()
    await transact(store, BESIDE, creation(BESIDE), clock)
    if life == "torn":
        for command in (creation(GOAL), c.StartGoal(), LONG):
            await transact(store, GOAL, command, clock)
        journal = root / "goals" / GOAL / "events.jsonl"
        whole = journal.read_bytes()
        last = whole[whole.rindex(b"\n", 0, -1) + 1 :]
        journal.write_bytes(whole + last[:-5] * 2)
        (journal.parent / ".tmp-1-aa-head.json").write_bytes(b"left over")
    store.close()


def live(tell: Tell, root: str, life: str) -> None:
    """Do one thing after the other, as a server does that goes on after a refusal."""
    asyncio.run(_live(tell, Path(root), life))


async def _live(tell: Tell, root: Path, life: str) -> None:
    store = open_store(root)
    for number, step in enumerate(LIVES[life]):
        named = {"step": number, "name": "object" if isinstance(step, bytes) else cause(step)}
        try:
            done = await _step(store, step)
        except GoalError as error:
            tell({"refused": type(error).__name__, "says": error.paragraph, **named})
        except Exception as error:
            tell({"broke": repr(error), **named})
        else:
            tell({"done": True, **done, **named})
    store.close()


def cause(command: c.Command) -> str:
    """Return the name under which a journal keeps what was asked."""
    return type(command).__name__


async def _step(store: FileSystemGoalStateStore, step: c.Command | bytes) -> Told:
    if isinstance(step, bytes):
        return {"object": await store.write_object(step)}
    return await append(store, GOAL, step)


async def append(store: FileSystemGoalStateStore, name: GoalId, command: c.Command) -> Told:
    """Do `command` and return where it stands in the journal: its line's number and digest."""
    appended: list[e.JournalEntry] = []

    def publish(_: GoalState, entry: e.JournalEntry) -> None:
        appended.append(entry)

    await transact(store, name, command, StoppedClock(), publish)
    return {"seq": appended[0].seq, "digest": line_digest(encode_entry(appended[0]))}


def race(tell: Tell, root: str, count: int) -> None:
    """Append to a goal that others append to as well; tell of each, and of the longest wait."""

    async def run() -> None:
        store, longest = open_store(Path(root)), 0.0
        for _ in range(count):
            begun = time.perf_counter()
            try:
                done = await append(store, GOAL, VERIFYING)
            except GoalError as error:
                tell({"refused": type(error).__name__, "says": error.paragraph})
                continue
            longest = max(longest, time.perf_counter() - begun)
            tell({"done": True, **done})
        tell({"longest": longest})
        store.close()

    asyncio.run(run())


def endless(tell: Tell, root: str, most: int) -> None:
    """Append until something ends it, or `most` times, and tell of each."""

    async def run() -> None:
        store = open_store(Path(root))
        for command in (creation(GOAL), c.StartGoal()):
            tell({"done": True, "name": cause(command), **await append(store, GOAL, command)})
        for _ in range(most):
            tell({"done": True, "name": "Record", **await append(store, GOAL, VERIFYING)})

    try:
        asyncio.run(run())
    except (GoalError, OSError) as error:
        tell({"refused": type(error).__name__, "says": str(error)})


def hold(tell: Tell, root: str, *, parent: bool) -> None:
    """Hold the right to run a goal until killed; as a `parent`, with a command that lives on."""
    with open_store(Path(root)).runner_lock(GOAL):
        if parent:
            argv = ("sleep", "600")
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True)
            tell({"child": process.pid})
        tell({"held": True})
        while True:
            signal.pause()


JOBS: dict[str, Callable[..., None]] = {job.__name__: job for job in (live, race, endless, hold)}


def warm_up() -> None:
    """Live once, so that nothing is imported any more when it counts."""
    with TemporaryDirectory() as name:
        for life in LIVES:
            asyncio.run(prepare(Path(name) / life, life))
            live(lambda _: None, str(Path(name) / life), life)
