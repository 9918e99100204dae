"""A machine that does anything to two stores at once: the one in memory says what the one on disk must.

The disk is opened by two stores, as by two processes; between commands they are reopened, a crash leaves
an unfinished line, and bytes are changed behind their backs.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Coroutine
from functools import lru_cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from goal_engine.budget import GoalBudget, Spend
from goal_engine.decision import Acceptance
from goal_engine.errors import GoalBusy, GoalError
from goal_engine.proof.verdict import Verdict
from goal_engine.state import commands as c
from goal_engine.state import events as e
from goal_engine.state.decide import JUDGED, decide
from goal_engine.state.evolve import fold_entries
from goal_engine.state.journal import Parsed, encode_entry, parse_journal, replay
from goal_engine.state.memory import InMemoryGoalStateStore
from goal_engine.state.persistence import FileSystemGoalStateStore
from goal_engine.state.store import transact
from goal_engine.types import GoalId, GoalStatus
from tests.builders import (
    DIGEST,
    EVENTS,
    ME,
    MOVED,
    NOW,
    OTHER,
    TREE,
    StoppedClock,
    a_goal_created,
    a_judgement,
    goal_id,
    next_entry,
    planned,
)

S = GoalStatus
CLOCK = StoppedClock()
GOALS = tuple(goal_id(number) for number in range(1, 4))
MEMORY_DISK = Path("/dev/shm")
"""A disk that needs no waiting, where there is one."""
COMMANDS: tuple[c.Command, ...] = (
    c.StartGoal(),
    c.ResumeGoal(),
    c.ResumeGoal(GoalBudget(attempts=5)),
    *(c.RequestControl(kind, ME) for kind in e.ControlKind),
    *(c.StopGoal(kind, "asked", Spend(attempts=1)) for kind in e.ControlKind),
    c.NoticeInterruption(),
    c.ReopenVerification(),
    c.MoveBase(MOVED, TREE),
    c.SubmitTask(None, ME),
    c.RevisePlan(planned()),
    c.AnswerQuestion("what", "this", ME),
    *(c.JudgeGoal(a_judgement(verdict), DIGEST) for verdict in Verdict),
    c.AcceptCriterion(Acceptance(criterion="adds", tree=TREE, decision=ME), a_judgement(), DIGEST),
    c.RecordRecovery(OTHER * 1 + "0" * 24, DIGEST),
    *(c.Record((event,)) for event in EVENTS if not isinstance(event, JUDGED)),
)


def is_possible(state: Any, command: c.Command) -> bool:
    """Whether the goal takes a command as it stands."""
    try:
        decide(state, command, NOW)
    except GoalError:
        return False
    return True


@lru_cache(maxsize=4096)
def read_whole(data: bytes, name: GoalId) -> tuple[Parsed, Any]:
    """Return what a journal's bytes say: the same bytes always say the same."""
    parsed = parse_journal(data, name)
    return parsed, replay(parsed.entries, name)


class Memory(InMemoryGoalStateStore):
    """The store in memory, which parses nothing twice."""

    async def head(self, goal_id: GoalId) -> tuple[Any, str]:
        self._find(goal_id)
        parsed, state = read_whole(self.journals[goal_id], goal_id)
        return state, parsed.digest

    def _parse(self, goal_id: GoalId) -> Parsed:
        self._find(goal_id)
        return read_whole(self.journals[goal_id], goal_id)[0]


async def outcome(work: Awaitable[Any]) -> object:
    """Return what came of something, a refusal by its name."""
    try:
        return await work
    except GoalError as error:
        return type(error).__name__


class TwoStores(RuleBasedStateMachine):
    """Goals in memory and on disk."""

    goals = Bundle("goals")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        place = MEMORY_DISK if MEMORY_DISK.is_dir() else None
        self.folder = Path(tempfile.mkdtemp(prefix="stores-", dir=place))
        self.memory = Memory()
        self.disks = [self._open(), self._open()]
        self.ended: set[GoalId] = set()
        self.acknowledged: dict[GoalId, int] = {}

    def _open(self) -> FileSystemGoalStateStore:
        return FileSystemGoalStateStore(self.folder / ".goalproof")

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        """Leave nothing behind."""
        for disk in self.disks:
            disk.close()
        self.loop.close()
        shutil.rmtree(self.folder)

    def path(self, name: GoalId) -> Path:
        """Return where a goal's journal is."""
        return self.folder / ".goalproof" / "goals" / name / "events.jsonl"

    def both(self, ask: Callable[[Any], Awaitable[Any]], which: int) -> tuple[object, object]:
        """Return what comes of something in memory, and on one of the disks."""
        said = self._run(outcome(ask(self.memory)))
        return said, self._run(outcome(ask(self.disks[which])))

    # What happens

    @initialize(target=goals, which=st.integers(0, 1))
    def begins(self, which: int) -> GoalId:
        return self.creates(which, GOALS[0])

    @rule(target=goals, which=st.integers(0, 1), name=st.sampled_from(GOALS))
    def creates(self, which: int, name: GoalId) -> GoalId:
        new = c.CreateGoal(a_goal_created(name), planned())
        said, did = self.both(lambda store: transact(store, name, new, CLOCK), which)
        assert did == said
        self.acknowledged.setdefault(name, 1)
        return name

    @rule(name=goals, which=st.integers(0, 1), command=st.sampled_from(COMMANDS))
    def is_told_anything(self, name: GoalId, which: int, command: c.Command) -> None:
        said, did = self.both(lambda store: transact(store, name, command, CLOCK), which)
        assert did == said
        if not isinstance(said, str):
            self.acknowledged[name] += 1

    @rule(name=goals, which=st.integers(0, 1), choice=st.integers(0, len(COMMANDS) - 1))
    def is_told_what_it_takes(self, name: GoalId, which: int, choice: int) -> None:
        state, _ = self._run(self.memory.head(name))
        turned = (*COMMANDS[choice:], *COMMANDS[:choice])
        taken = next((command for command in turned if is_possible(state, command)), None)
        if taken is not None:
            self.is_told_anything(name, which, taken)

    @rule(name=goals, which=st.integers(0, 1), behind=st.integers(0, 2))
    def is_appended_to_an_old_head(self, name: GoalId, which: int, behind: int) -> None:
        entries = self._run(self.memory.entries(name))
        known = entries[: len(entries) - behind]
        if not known or (S.RUNNING is not fold_entries(entries).status and not behind):
            return
        digest = encode_entry(known[-1])[:64].decode()
        entry = next_entry(fold_entries(known), digest, e.VerificationStarted(tree=TREE))
        said, did = self.both(lambda store: store.append(name, entry), which)
        assert did == said == ("JournalConflict" if behind else None)
        if not behind:
            self.acknowledged[name] += 1

    @rule(which=st.integers(0, 1))
    def is_opened_again(self, which: int) -> None:
        self.disks[which].close()
        self.disks[which] = self._open()

    @rule(name=goals, length=st.integers(1, 2000))
    def crashes_while_it_appends(self, name: GoalId, length: int) -> None:
        """What was begun and not acknowledged may be there in part."""
        state, digest = self._run(self.memory.head(name))
        begun = encode_entry(next_entry(state, digest, *EVENTS))
        with self.path(name).open("r+b") as file:
            file.truncate(len(self.memory.journals[name]))
            file.seek(0, os.SEEK_END)
            file.write(begun[: min(length, len(begun) - 1)])
        for which in (0, 1):
            self.is_opened_again(which)

    @rule(name=goals, at=st.integers(0, 10**6), mask=st.sampled_from((1, 32, 128)))
    def is_damaged_for_a_while(self, name: GoalId, at: int, mask: int) -> None:
        """Both say that it is damaged and show the others; put back, it is what it was."""
        whole, there = self.memory.journals[name], self.path(name).read_bytes()
        harmed = bytearray(whole)
        harmed[at % len(whole)] ^= mask
        self.memory.journals[name] = bytes(harmed)
        self._write(name, bytes(harmed))
        for which in (0, 1):
            said, did = self.both(lambda store: store.head(name), which)
            assert did == said, "one reads what the other calls damaged"
            self._compare_lists(which)
        self.memory.journals[name] = whole
        self._write(name, there)

    def _write(self, name: GoalId, data: bytes) -> None:
        """In place, as an editor might; the time moves on, which a test cannot wait for."""
        path = self.path(name)
        before = path.stat().st_mtime_ns
        path.write_bytes(data)
        os.utime(path, ns=(before, before + 10**7))

    @rule(which=st.integers(0, 1), data=st.binary(max_size=20))
    def keeps_an_object(self, which: int, data: bytes) -> None:
        said, did = self.both(lambda store: store.write_object(data), which)
        assert did == said
        said, did = self.both(lambda store: store.read_object(str(said)), which)
        assert did == said == data

    @rule(name=goals, which=st.integers(0, 1))
    def is_run_by_one_alone(self, name: GoalId, which: int) -> None:
        with self.disks[which].runner_lock(name):
            assert self._run(self.disks[1 - which].is_running(name))
            try:
                with self.disks[1 - which].runner_lock(name):
                    raise AssertionError("two run one goal")
            except GoalBusy:
                pass
        assert not self._run(self.disks[1 - which].is_running(name))

    # What is always so

    @invariant()
    def the_disk_says_what_memory_says(self) -> None:
        for name, whole in self.memory.journals.items():
            assert self.path(name).read_bytes()[: len(whole)] == whole, (
                "an acknowledged line is lost"
            )
            for which in (0, 1):
                said, did = self.both(lambda store, name=name: store.head(name), which)
                assert did == said

    @rule(which=st.integers(0, 1))
    def is_listed(self, which: int) -> None:
        self._compare_lists(which)

    def _compare_lists(self, which: int) -> None:
        def show(listed: Any) -> list[tuple[str, object]]:
            return [(one.goal_id, one.state or bool(one.damage)) for one in listed]

        said, did = self.both(lambda store: store.list(), which)
        assert show(did) == show(said)

    @invariant()
    def every_acknowledged_entry_is_there_once_and_in_order(self) -> None:
        for name, count in self.acknowledged.items():
            for disk in self.disks:
                entries = self._run(disk.entries(name))
                assert [entry.seq for entry in entries] == list(range(1, count + 1))

    @invariant()
    def an_end_is_an_end(self) -> None:
        for name in self.memory.journals:
            state, _ = self._run(self.memory.head(name))
            assert name not in self.ended or state.status is S.CANCELLED, "a cancel was undone"
            if state.status is S.CANCELLED:
                self.ended.add(name)

    @invariant()
    def a_cached_head_is_never_ahead(self) -> None:
        for name, whole in self.memory.journals.items():
            head = self.path(name).with_name("head.json")
            if head.exists():
                said = json.loads(head.read_bytes()[65:])["digest"]
                lines = whole.split(b"\n")[1:]
                assert any(line.startswith(said.encode()) for line in lines), "it knows of others"
