"""What the engine meets in a simulation: a disk, a repository, gates and workers, all of them small and real.

A tree is a dictionary of files; a gate reads them, a worker changes them.  The disk forgets in a power
cut what was not synced.  The monitor looks at every line that is written and says which promise it breaks.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

from goal_engine.budget import Reports, Spend, find_exceeded
from goal_engine.conflicts import ConflictKind, MergeTold
from goal_engine.errors import GoalBusy, GoalNotFound, JournalConflict
from goal_engine.evidence import ChangedFile, GoalGitEvidence
from goal_engine.permission import Permissions, Presence
from goal_engine.ports import TurnResult, WorkerTurn
from goal_engine.proof.gate import GateOutcome, GateResult, GateSpec, GateStage
from goal_engine.redaction import Redactor
from goal_engine.runtime.door import Door
from goal_engine.runtime.repository import MergeResult
from goal_engine.runtime.room import Fit
from goal_engine.runtime.running import Ended
from goal_engine.runtime.sandbox import NO_SANDBOX, Sandbox
from goal_engine.runtime.threads import in_thread
from goal_engine.state import events as e
from goal_engine.state.evolve import evolve, fold_entries
from goal_engine.state.journal import (
    encode_entry,
    header_digest,
    header_line,
    parse_journal,
    replay,
)
from goal_engine.state.memory import InMemoryGoalStateStore
from goal_engine.state.model import GoalState
from goal_engine.state.store import Summary
from goal_engine.task_graph.graph import GoalTask
from goal_engine.types import GoalId, GoalStatus, TaskStatus, Trouble
from goal_engine.verifier.run import GateRunOutput
from tests.builders import NOW
from tests.simulation.loop import SimLoop

S = GoalStatus
Files = dict[str, bytes]
BUG, FIXED = "bug.txt", b"fixed\n"
"""The gate is green once every part is there and this file says so."""


AT_ONCE = timedelta(seconds=0.05)
"""What starts so soon after a limit is used up had begun before."""


class Broken(AssertionError):
    """A promise does not hold."""


@dataclass
class Disk:
    """What outlives processes; `synced` is what outlives the machine's power too."""

    journals: dict[GoalId, bytes] = field(default_factory=dict)
    synced: dict[GoalId, int] = field(default_factory=dict)
    states: dict[GoalId, tuple[GoalState, str]] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    appending: object = None
    runners: dict[GoalId, object] = field(default_factory=dict)

    def free(self, owner: object) -> None:
        """The kernel lets go of the locks of a dead process."""
        self.runners = {name: one for name, one in self.runners.items() if one is not owner}
        self.appending = None if self.appending is owner else self.appending

    def lose_power(self, chance: Random) -> None:
        """Of what was written and not synced some bytes may be there."""
        for name, data in list(self.journals.items()):
            kept = chance.randint(self.synced[name], len(data))
            parsed = parse_journal(data[:kept], name)
            self.journals[name] = data[: parsed.good]
            if not parsed.entries:
                del self.journals[name], self.states[name], self.synced[name]
                continue
            self.synced[name] = parsed.good
            self.states[name] = replay(parsed.entries, name), parsed.digest


@dataclass
class Mutant:
    """What is done wrong on purpose."""

    unsynced: bool = False
    unlocked: bool = False


class SimStore(InMemoryGoalStateStore):
    """One process's way to the disk: a thread of its own, which does one thing after the other."""

    def __init__(
        self, loop: SimLoop, disk: Disk, owner: object, monitor: Monitor, mutant: Mutant
    ) -> None:
        super().__init__()
        self.loop, self.disk, self.owner = loop, disk, owner
        self.monitor, self.mutant = monitor, mutant
        self._queue: list[tuple[asyncio.Future[Any], Generator[float, None, Any]]] = []
        self._busy = False
        self._known: dict[GoalId, tuple[GoalState, str]] = {}

    async def _do(self, work: Generator[float, None, Any]) -> Any:
        future = self.loop.create_future()
        self._queue.append((future, work))
        self._next()
        return await future

    def _next(self) -> None:
        if self._queue and not self._busy:
            self._busy = True
            self.loop.call_later(self.loop.chance.uniform(0, 0.001), self._begin)

    def _begin(self) -> None:
        future, work = self._queue.pop(0)
        if future.cancelled():
            self._end()
        else:
            self._step(future, work)

    def _step(self, future: asyncio.Future[Any], work: Generator[float, None, Any]) -> None:
        try:
            pause = next(work)
        except StopIteration as stop:
            if not future.cancelled():
                future.set_result(stop.value)
        except Exception as error:
            if isinstance(error, Broken):
                self.monitor.broken.append(str(error))
            if not future.cancelled():
                future.set_exception(error)
        else:
            self.loop.call_later(pause, self._step, future, work)
            return
        self._end()

    def _end(self) -> None:
        self._busy = False
        self._next()

    async def create(self, goal_id: GoalId, entry: e.JournalEntry) -> None:
        await self._do(self._write(goal_id, entry))

    async def append(self, goal_id: GoalId, entry: e.JournalEntry) -> None:
        await self._do(self._write(goal_id, entry))

    def _write(self, name: GoalId, entry: e.JournalEntry) -> Generator[float, None, None]:
        disk, chance = self.disk, self.loop.chance
        while disk.appending is not None:
            yield 0.003
        disk.appending = self.owner
        try:
            state, digest = disk.states.get(name, (None, header_digest(name)))
            if entry.prev != digest or entry.seq != (state.seq + 1 if state else 1):
                raise JournalConflict(f"{name} was changed by somebody else meanwhile.")
            after, line = fold_entries((entry,), state), encode_entry(entry)
            self.monitor.see(state, entry)
            disk.journals[name] = disk.journals.get(name, header_line(name)) + line
            disk.synced.setdefault(name, 0)
            self._known[name] = disk.states[name] = after, line[:64].decode()
            if not self.mutant.unsynced:
                yield chance.uniform(0, 0.004)
                disk.synced[name] = len(disk.journals[name])
        finally:
            disk.appending = None

    async def head(self, goal_id: GoalId) -> tuple[GoalState, str]:
        return await self._do(self._read(goal_id))

    def _read(self, name: GoalId) -> Generator[float, None, tuple[GoalState, str]]:
        yield 0.0
        if name not in self.disk.states:
            raise GoalNotFound(f"No goal is called {name}.")
        self._known[name] = self.disk.states[name]
        return self._known[name]

    def recall(self, goal_id: GoalId) -> tuple[GoalState, str] | None:
        """Return what was read last, which may be old by now."""
        return self._known.get(goal_id)

    async def entries(self, goal_id: GoalId, after: int = 0) -> Sequence[e.JournalEntry]:
        return parse_journal(self.disk.journals[goal_id], goal_id).entries[after:]

    async def names(self) -> Sequence[GoalId]:
        return sorted(self.disk.states)

    async def list(self, goals: Iterable[GoalId] | None = None) -> Sequence[Summary]:
        there = sorted(self.disk.states.items())
        return [
            Summary(name, state) for name, (state, _) in there if goals is None or name in goals
        ]

    async def write_object(self, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        self.disk.objects[name] = data
        return name

    async def read_object(self, sha: str) -> bytes:
        return self.disk.objects[sha]

    @contextmanager
    def runner_lock(self, goal_id: GoalId) -> Iterator[None]:
        if self.mutant.unlocked:
            yield
            return
        if self.disk.runners.get(goal_id) is not None:
            raise GoalBusy(f"{goal_id} is being run.")
        self.disk.runners[goal_id] = self.owner
        try:
            yield
        finally:
            if self.disk.runners.get(goal_id) is self.owner:
                del self.disk.runners[goal_id]

    async def is_running(self, goal_id: GoalId) -> bool:
        return self.disk.runners.get(goal_id) is not None


class Monitor:
    """Looks at each line before it is written, and at what is alive then."""

    STOPS = (e.GoalPaused, e.GoalCancelled, e.GoalBlocked, e.GoalReady, e.GoalNotReady)

    def __init__(self) -> None:
        self.alive: dict[object, tuple[object, str]] = {}
        """What runs: whose, and what it is."""
        self.told: dict[int, str] = {}
        """The line that was acknowledged under each number."""
        self.broken: list[str] = []
        self.deferred = 0
        """How often an attempt was put off."""
        self._condemned = False
        self._roomy_at = NOW
        """When there was room in the budget, last."""
        self._finished: set[tuple[str, int]] = set()

    def see(self, state: GoalState | None, entry: e.JournalEntry) -> None:
        """Raise `Broken` for an entry that breaks a promise."""
        for event in entry.events:
            if state is not None:
                self._look(state, event, entry.at)
            state = evolve(state, event)
        if state is not None and not find_exceeded(state.budget, state.spend):
            self._roomy_at = entry.at

    def _look(self, state: GoalState, event: e.GoalEvent, at: datetime) -> None:
        if isinstance(event, self.STOPS) and self.alive:
            names = sorted(name for _, name in self.alive.values())
            raise Broken(f"{event.type} while there still run {names}")
        match event:
            case e.TaskStarted():
                self._look_at_start(state, event, at)
            case e.TaskFinished():
                if (event.task, event.attempt) in self._finished:
                    raise Broken(f"attempt {event.attempt} of {event.task} is recorded twice")
                self._finished.add((event.task, event.attempt))
            case e.TaskDeferred():
                self.deferred += 1
                if event.number > event.limit:
                    raise Broken(f"{event.task} is tried again for ever")
            case e.GoalResumed() | e.GoalStarted():
                if self._condemned:
                    raise Broken("a cancel that was asked for is forgotten")
            case _:
                self._condemned = find_condemned((event,), self._condemned)

    def _look_at_start(self, state: GoalState, event: e.TaskStarted, at: datetime) -> None:
        task = next(one for one in state.graph if one.id == event.task)
        waits = [dep for dep in task.deps if state.tasks[dep].status is not TaskStatus.DONE]
        if waits:
            raise Broken(f"{task.id} starts before {waits}")
        early = state.tasks[task.id].not_before
        if early is not None and at < early:
            raise Broken(f"{task.id} starts {early - at} before its time")
        running = [one for one, at in state.statuses.items() if at is TaskStatus.RUNNING]
        if task.id in running:
            raise Broken(f"{task.id} is started twice at once")
        if len(running) >= state.budget.max_agents:
            raise Broken(f"{task.id} starts beside {running}, {state.budget.max_agents} may run")
        exceeded = find_exceeded(state.budget, state.spend)
        if exceeded and at - self._roomy_at > AT_ONCE:
            raise Broken(f"{task.id} starts although {exceeded}")

    def begin(self, owner: object, name: str) -> object:
        """Note that something runs, and return how it is called when it ends."""
        if any(one is not owner for one, _ in self.alive.values()):
            self.broken.append("two processes work on one goal")
        mark = object()
        self.alive[mark] = owner, name
        return mark

    def end(self, mark: object) -> None:
        """Note that that it is dead; `bury` may have done so before."""
        self.alive.pop(mark, None)

    def bury(self, owner: object) -> None:
        """Nothing of a dead process runs on."""
        for mark in [mark for mark, it in self.alive.items() if it[0] is owner]:
            del self.alive[mark]

    def acknowledge(self, name: GoalId, entry: e.JournalEntry) -> None:
        """Note that somebody was told."""
        self.told[entry.seq] = encode_entry(entry)[:64].decode()

    def check_kept(self, disk: Disk, name: GoalId) -> None:
        """Note when an acknowledged line is not on the disk."""
        lines = disk.journals.get(name, b"").split(b"\n")
        there = {number: line[:64].decode() for number, line in enumerate(lines)}
        for seq, digest in self.told.items():
            if there.get(seq) != digest:
                self.broken.append(f"entry {seq} was acknowledged and is lost")
                return

    def forget(self, entries: Sequence[e.JournalEntry]) -> None:
        """Know only what is in `entries`: the power is gone, and with it what nobody was told."""
        events = [event for entry in entries for event in entry.events]
        self._condemned = find_condemned(events, False)
        ended = [event for event in events if isinstance(event, e.TaskFinished)]
        self._finished = {(event.task, event.attempt) for event in ended}


def find_condemned(events: Iterable[e.GoalEvent], before: bool) -> bool:
    """Return whether a cancel is asked for that nothing has answered."""
    for event in events:
        match event:
            case e.ControlRequested(kind=e.ControlKind.CANCEL):
                before = True
            case e.GoalCancelled() | e.GoalReady() | e.GoalNotReady() | e.GoalBlocked():
                before = False
            case _:
                pass
    return before


def name_of(kind: str, *parts: object) -> str:
    """Return the object name of what `parts` say."""
    return hashlib.sha1(f"{kind} {parts!r}".encode()).hexdigest()


class SimRepository:
    """Objects in a dictionary, named by what they hold."""

    def __init__(self) -> None:
        self.trees: dict[str, Files] = {}
        self.commits: dict[str, tuple[str, tuple[str, ...]]] = {}
        self.refs: dict[tuple[GoalId, str], str] = {}
        self.places: dict[Path, Files] = {}

    def write_tree(self, files: Files) -> str:
        oid = name_of("tree", sorted(files.items()))
        self.trees[oid] = dict(files)
        return oid

    def commit(self, tree: str, parents: Sequence[str], **said: Any) -> str:
        oid = name_of("commit", tree, tuple(parents), said["message"])
        self.commits[oid] = tree, tuple(parents)
        return oid

    def tree_of(self, commit: str) -> str:
        return commit if commit in self.trees else self.commits[commit][0]

    def list_files(self, tree: str) -> tuple[str, ...]:
        return tuple(sorted(self.trees[self.tree_of(tree)]))

    def read_blob(self, tree: str, path: str) -> bytes | None:
        return self.trees[self.tree_of(tree)].get(path)

    def find_word(self, tree: str, word: str) -> tuple[str, ...]:
        return tuple(p for p, data in sorted(self.trees[tree].items()) if word.encode() in data)

    def keep(self, goal_id: GoalId, name: str, commit: str) -> None:
        self.refs[goal_id, name] = commit

    def find_kept(self, goal_id: GoalId, name: str) -> str | None:
        return self.refs.get((goal_id, name))

    def overlay(self, base_tree: str, head_tree: str, paths: Sequence[str]) -> str:
        files, head = dict(self.trees[base_tree]), self.trees[head_tree]
        for path in paths:
            files.pop(path, None)
            files.update({path: head[path]} if path in head else {})
        return self.write_tree(files)

    def with_content(self, tree: str, path: str, data: bytes) -> str:
        return self.write_tree({**self.trees[tree], path: data})

    def patch(self, base_tree: str, tree: str, paths: Sequence[str] = ()) -> bytes:
        return "\n".join(sorted(self.evidence(base_tree, tree).paths)).encode()

    def merge(self, ours: str, theirs: str) -> MergeResult:
        mine, other = self.trees[self.tree_of(ours)], self.trees[self.tree_of(theirs)]
        base = self.trees[self.tree_of(self.commits[theirs][1][0])]
        merged, conflicts = dict(mine), []
        for path in sorted(base.keys() | other.keys()):
            if other.get(path) == base.get(path) or other.get(path) == mine.get(path):
                continue
            if mine.get(path) != base.get(path):
                conflicts.append(path)
            elif path in other:
                merged[path] = other[path]
            else:
                del merged[path]
        if not conflicts:
            return MergeResult(self.write_tree(merged))
        kinds = dict.fromkeys(conflicts, ConflictKind.CONTENT)
        told = MergeTold(self.write_tree(merged), tuple(conflicts), kinds, {})
        return MergeResult(None, tuple(conflicts), told)

    def bare_patch(self, base_tree: str, tree: str, path: str) -> bytes:
        return b""

    def evidence(self, base_tree: str, tree: str) -> GoalGitEvidence:
        before, after = self.trees[self.tree_of(base_tree)], self.trees[self.tree_of(tree)]
        files = [
            ChangedFile(
                path=path,
                status="A" if path not in before else "D" if path not in after else "M",
                old_mode="100644" if path in before else "000000",
                mode="100644" if path in after else "000000",
                additions=after.get(path, b"").count(b"\n"),
                deletions=before.get(path, b"").count(b"\n"),
            )
            for path in sorted(before.keys() | after.keys())
            if before.get(path) != after.get(path)
        ]
        return GoalGitEvidence(
            base_tree=self.tree_of(base_tree), tree=self.tree_of(tree), files=tuple(files)
        )


class Place:
    """A workspace, from when it is entered to when it is left."""

    def __init__(self, repository: SimRepository, path: Path, commit: str) -> None:
        self.repository, self.path, self.commit = repository, path, commit

    async def __aenter__(self) -> Path:
        await in_thread(self._fill)
        return self.path

    def _fill(self) -> None:
        tree = self.repository.tree_of(self.commit)
        self.repository.places[self.path] = dict(self.repository.trees[tree])

    async def __aexit__(self, *_: object) -> None:
        await asyncio.shield(in_thread(self.repository.places.pop, self.path, None))


@dataclass
class SimBench:
    """What is needed to work on the goal."""

    repository: SimRepository
    goal_id: GoalId
    author: Any
    folder: Path
    state_dir: Path
    who: object
    monitor: Monitor
    chance: Random
    checkout: Path = Path("/nowhere")
    running: None = None
    """The kernel's processes are recorded, and none of these is one."""
    stopped: Ended = field(default_factory=Ended)
    door: Door = field(default_factory=Door)
    sandbox: Sandbox = NO_SANDBOX
    redactor: Redactor = Redactor()
    permissions: Permissions = Permissions()
    presence: Presence = field(default_factory=Presence)

    def confine(self, *_: object) -> tuple[str, ...]:
        return ()

    def as_runner(self) -> AbstractContextManager[None]:
        return nullcontext()

    def workspace(self, name: str, commit: str) -> Place:
        return Place(self.repository, self.folder / name, commit)

    async def environment(self, workspace: Path, commit: str, exclude: Sequence[str] = ()) -> Any:
        return SimpleNamespace(exclude=(), key="e" * 64, variables={}, notes=(), seeding=())

    def find_fit(self, tree: str, wanted: int) -> Fit:
        return Fit(wanted)

    def log_path(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def sessions_path(self, task: str) -> Path:
        return self.folder / f"{task}.sessions"

    def forget_sessions(self, task: str) -> None:
        """Its workers keep none."""

    async def keep_log(self, store: Any, log: Path) -> str | None:
        return None

    def take_result(self, workspace: Path, name: str, base: str, environment: Any, **_: Any) -> Any:
        tree = self.repository.write_tree(self.repository.places[workspace])
        commit = self.commit(tree, base, name)
        return commit, self.repository.evidence(self.repository.tree_of(base), tree)

    def commit(self, tree: str, parent: str, message: str) -> str:
        return self.repository.commit(tree, (parent,), message=message)

    def read_news(self, base: str, branch: str | None) -> None:
        """The person's branch stays where it is."""

    def find_leaks(self, evidence: Any) -> tuple[str, ...]:
        """Nobody has secrets here."""
        return ()

    def clear(self) -> None:
        """Nothing is left of it anyway."""


async def alive(monitor: Monitor, owner: object, name: str, seconds: float) -> None:
    """Be a process of `owner` for some time; killed, it takes a moment to be dead."""
    mark = monitor.begin(owner, name)
    try:
        await asyncio.sleep(seconds)
    finally:
        await in_thread(monitor.end, mark)


@dataclass
class Character:
    """How workers and gates are in one simulation; chances between 0 and 1."""

    fails: float = 0.0
    lies: float = 0.0
    hangs: float = 0.0
    troubles: float = 0.0
    """That its vendor or the machine keeps it from working."""
    tokens: int = 0
    """That a turn uses, at most."""


def make_gate(parts: Sequence[str], character: Callable[[], Character]) -> Callable[..., Any]:
    """Return what runs a gate: it looks for every part, and may hang."""

    async def settle_gate(
        bench: SimBench, spec: GateSpec, stage: GateStage, tree: str, commit: str, *_: object
    ) -> GateRunOutput:
        hangs = bench.chance.random() < character().hangs
        async with bench.workspace(f"{stage}-{spec.name}", commit):
            seconds = spec.timeout if hangs else bench.chance.uniform(0, 0.4)
            await alive(bench.monitor, bench.who, f"gate {spec.name}", seconds)
        files = bench.repository.trees[tree]
        good = files.get(BUG) == FIXED and all(part in files for part in parts)
        outcome = GateOutcome.PASSED if good else GateOutcome.FAILED
        result = GateResult(
            gate=spec.name,
            stage=stage,
            tree=tree,
            outcome=GateOutcome.TIMEOUT if hangs else outcome,
            exit_code=None if hangs else int(not good),
        )
        environment: Any = await bench.environment(Path(), commit)
        return GateRunOutput(result, b"", environment)

    return settle_gate


@dataclass
class SimWorker:
    """Writes the file that its task is called after; or does not, or says so without."""

    repository: SimRepository
    monitor: Monitor
    owner: object
    chance: Random
    character: Callable[[], Character]
    kept_from: Callable[[str], Mapping[str, bytes]]
    reports: Reports

    def find_reports(self, _: GoalTask) -> Reports:
        return self.reports

    async def run(self, turn: WorkerTurn) -> TurnResult:
        is_like, dice = self.character(), self.chance.random()
        spent = Spend(tokens=self.chance.randint(0, is_like.tokens))
        seconds = 30.0 if dice < is_like.hangs else self.chance.uniform(0, 0.6)
        await alive(self.monitor, self.owner, f"worker {turn.task.id}", seconds)
        if is_like.troubles and self.chance.random() < is_like.troubles:
            trouble = self.chance.choice(tuple(Trouble))
            return TurnResult(ended=False, reason="no answer", spent=spent, trouble=trouble)
        if dice < is_like.hangs + is_like.fails:
            return TurnResult(ended=False, reason="it broke down", spent=spent)
        if dice > 1 - is_like.lies:
            return TurnResult(ended=True, spent=spent)
        self.repository.places[turn.workspace].update(self.kept_from(turn.task.id))
        return TurnResult(ended=True, spent=spent)


def render(value: Any) -> str:
    """Return values as they are printed beside a seed."""
    return json.dumps(value, default=str)
