"""Every way that two processes can work on one goal, as a small model that is searched whole.

What a status becomes is asked of the engine's own `TRANSITIONS`; who may cause what is said here, in
`CAUSED_BY`.  A step is what one process does between two looks of another, so every interleaving is
there, with a crash in each place.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from goal_engine.state import events as e
from goal_engine.state.transitions import BLOCKED_ON, TRANSITIONS
from goal_engine.types import Frozen, GoalStatus

S = GoalStatus
Table = Mapping[GoalStatus | None, Mapping[type[Frozen], GoalStatus]]
PLANNED, RUNNING, READY = S.PLANNED.value, S.RUNNING.value, S.READY.value
DELIVERED, CANCELLED = S.DELIVERED.value, S.CANCELLED.value
DONE = frozenset({DELIVERED, CANCELLED})
PAUSE, CANCEL = e.ControlKind.PAUSE.value, e.ControlKind.CANCEL.value


class By(StrEnum):
    """Who causes an event that changes a goal's status."""

    CREATION = "creation"
    START = "start"
    """Whoever takes the runner lock, first of all."""
    RUNNER = "runner"
    """The runner, about its own work."""
    STOP = "stop"
    """The receipt of a stop: the runner's, or whoever finds that nobody runs the goal."""
    RECOVERY = "recovery"
    PERSON = "person"
    """Anybody, at any time, without a lock."""
    DELIVERY = "delivery"


CAUSED_BY: Mapping[type[Frozen], frozenset[By]] = {
    e.GoalCreated: frozenset({By.CREATION}),
    e.GoalPlanned: frozenset({By.PERSON}),
    e.GoalBlocked: frozenset({By.RUNNER, By.PERSON}),
    e.GoalStarted: frozenset({By.START}),
    e.PlanningStarted: frozenset({By.START}),
    e.PlanningEnded: frozenset({By.RUNNER}),
    e.GoalResumed: frozenset({By.START}),
    e.VerificationReopened: frozenset({By.START}),
    e.BaseMoved: frozenset({By.START}),
    e.GoalPaused: frozenset({By.STOP}),
    e.GoalCancelled: frozenset({By.STOP}),
    e.GoalInterrupted: frozenset({By.RECOVERY}),
    e.GoalReady: frozenset({By.RUNNER, By.PERSON}),
    e.GoalNotReady: frozenset({By.RUNNER, By.PERSON}),
    e.GoalDelivered: frozenset({By.DELIVERY}),
    e.GoalRejected: frozenset({By.PERSON}),
}
"""An event that changes a status and is not named here has no place in the model: a red test."""
STARTS = tuple(event for event, by in CAUSED_BY.items() if By.START in by)
ENDS = tuple(event for event, by in CAUSED_BY.items() if By.RUNNER in by)
WORDS = tuple(event for event, by in CAUSED_BY.items() if By.PERSON in by)
RECEIPTS: Mapping[str, type[Frozen]] = {PAUSE: e.GoalPaused, CANCEL: e.GoalCancelled}
SOFT = (e.GoalPaused, e.GoalInterrupted)
"""After these a goal can go on: not where a cancel is pending."""
Edge = tuple[str, type[Frozen], str]
Moves = Mapping[str, Mapping[type[Frozen], tuple[str, ...]]]


def find_moves(table: Table) -> Moves:
    """Return where each event leads that changes a status after creation."""
    return {
        status.value: {
            event: targets
            for event, first in moves.items()
            if (targets := _find_targets(status, event, first))
        }
        for status, moves in table.items()
        if status is not None
    }


def _find_targets(status: S, event: type[Frozen], first: S) -> tuple[str, ...]:
    """`goal.blocked` leads where its content says; before there is work nothing is spent or broken."""
    found = (first,)
    if event is e.GoalBlocked:
        names = BLOCKED_ON if status is S.RUNNING else ("human", "external")
        found = tuple(BLOCKED_ON[name] for name in names)
    return tuple(target.value for target in found if target is not status)


def find_edges(table: Table) -> frozenset[Edge]:
    """Return every change of status that a table has after creation."""
    return frozenset(
        (status, event, target)
        for status, moves in find_moves(table).items()
        for event, targets in moves.items()
        for target in targets
    )


class At:
    """What a process is at; plain words, which are compared a million times."""

    AWAY = "away"
    IDLE = "idle"
    HELD = "held"
    """It has the runner lock, to run the goal."""
    WORK = "work"
    STOPPING = "stopping"
    """Its worker is dead and the receipt is not yet written."""
    DONE = "done"
    ASK = "ask"
    """It wants the goal stopped, and looks who runs it."""
    STOP = "stop"
    """It has the runner lock, to write the receipt itself."""
    DELIVER = "deliver"
    """The intent is recorded, the branch is not made."""
    DELIVERED = "delivered"
    """The branch is made, and nobody was told."""


class Process(NamedTuple):
    """One process: a terminal, an editor's server."""

    at: str = At.IDLE
    kind: str = ""
    """What it wants of the runner, or writes as one."""
    asked: bool = False
    seen: str = PLANNED
    """The status when it last looked, kept only where what it does follows from that."""


ORPHAN = "orphan"
"""A worker whose runner is dead."""


class World(NamedTuple):
    """All that there is, at one moment."""

    status: str = PLANNED
    requests: tuple[str, ...] = ()
    lock: str = ""
    processes: tuple[Process, Process] = (Process(), Process())
    work: str = ""
    """Whose worker is alive, empty for none."""
    workers: int = 0
    """How many have been alive at once."""
    branches: int = 0
    """Of the result that the goal has now."""
    cancelled: bool = False
    """Whether the receipt of a cancel was ever written."""
    condemned: bool = False
    """Whether a cancel was asked for and the runner has not come to its own end since."""
    broken: str = ""


@dataclass(frozen=True)
class Rules:
    """What keeps a goal whole; a mutant leaves one of them out."""

    table: Table = field(default_factory=lambda: TRANSITIONS)
    lock: bool = True
    """One runner at a time."""
    fence: bool = True
    """What is appended is decided on the goal as it stands."""
    one_branch: bool = True
    """A delivery looks whether its branch is there."""
    delivery_lock: bool = True
    """Nobody works on a goal while it is delivered."""
    guardian: bool = True
    """Something kills a dead runner's workers."""
    sweep: bool = True
    """Whoever finds a dead runner ends what it left before saying that nothing runs."""
    kill_first: bool = True
    """A receipt is written only once everything is dead."""
    hardest: bool = True
    """Where a cancel is pending, a pause or an interruption is one."""


Step = tuple[str, World, tuple[Edge, ...]]


class Search:
    """Walks every world that can be reached, the near ones first."""

    def __init__(self, rules: Rules, limit: int = 400_000) -> None:
        self.rules = rules
        self.moves = find_moves(rules.table)
        self.reached: dict[World, tuple[World, str] | None] = {World(): None}
        self.back: dict[World, list[World]] = {}
        self.taken: set[Edge] = set()
        self.found = ""
        self.at_fault: World | None = None
        self._walk(limit)

    def _walk(self, limit: int) -> None:
        queue = deque(self.reached)
        while queue:
            here = queue.popleft()
            for label, there, edges in self._steps(here):
                self.taken.update(edges)
                self.back.setdefault(there, []).append(here)
                if there in self.reached:
                    continue
                self.reached[there] = (here, label)
                self.found = find_breach(there)
                if self.found:
                    self.at_fault = there
                    return
                queue.append(there)
            assert len(self.reached) < limit, "the model is too large to be searched"
        stuck = self._find_stuck()
        if stuck is not None:
            self.found, self.at_fault = f"stuck while {stuck.status}", stuck

    def _find_stuck(self) -> World | None:
        """Return a world from which no way leads to an end."""
        good = {world for world in self.reached if world.status in DONE}
        queue = deque(good)
        while queue:
            for before in self.back.get(queue.popleft(), ()):
                if before not in good:
                    good.add(before)
                    queue.append(before)
        return next((world for world in self.reached if world not in good), None)

    @property
    def trace(self) -> str:
        """The shortest way to what was found."""
        labels: list[str] = []
        here = self.at_fault
        while here is not None and (came := self.reached[here]) is not None:
            here, label = came
            labels.append(label)
        return " > ".join(reversed(labels))

    # What can happen next

    def _steps(self, world: World) -> Iterator[Step]:
        if world.work == ORPHAN and self.rules.guardian:
            yield "guardian kills", world._replace(work=""), ()
        for number, name in enumerate("ab"):
            for label, after, edges in self._of(world, number, name):
                yield f"{name}: {label}", after, edges

    def _of(self, world: World, number: int, name: str) -> Iterator[Step]:
        me = world.processes[number]
        if me.at is At.AWAY:
            yield "opens", _set(world, number, at=At.IDLE), ()
            return
        yield "is killed", self._crash(world, number, name), ()
        yield from PROGRAM[me.at](self, world, number, name)

    def _crash(self, world: World, number: int, name: str) -> World:
        left = world if world.lock != name else world._replace(lock="")
        if world.work == name:
            left = left._replace(work=ORPHAN)
        return left._replace(processes=_with(left, number, Process(At.AWAY)))

    def _idle(self, world: World, number: int, name: str) -> Iterator[Step]:
        if not world.lock or not self.rules.lock:
            yield "takes the lock", self._look(world._replace(lock=name), number, at=At.HELD), ()
        for kind in (PAUSE, CANCEL):
            yield f"wants {kind}", self._look(world, number, at=At.ASK, kind=kind, asked=False), ()
        for event in WORDS:
            for after, edge in self._append(world, number, event, By.PERSON):
                yield f"says {_name(event)}", after, (edge,)
        free = not world.lock or not self.rules.lock or not self.rules.delivery_lock
        if free and e.GoalDelivered in self.moves[world.status]:
            locked = world._replace(lock=name) if self.rules.delivery_lock else world
            yield "intends to deliver", self._look(locked, number, at=At.DELIVER), ()

    def _held(self, world: World, number: int, name: str) -> Iterator[Step]:
        if world.status == RUNNING:
            yield from self._recover(world, number)
            return
        for event in STARTS:
            for after, edge in self._append(world, number, event, By.START):
                anew = event in (e.GoalStarted, e.BaseMoved)
                fresh = after._replace(branches=0 if anew else after.branches)
                yield f"appends {_name(event)}", self._look(fresh, number, at=At.WORK), (edge,)
        yield "is refused", self._let_go(world, number, name), ()

    def _recover(self, world: World, number: int) -> Iterator[Step]:
        """What a dead runner left is ended first."""
        if self.rules.sweep and world.work == ORPHAN:
            yield "sweeps", world._replace(work=""), ()
            return
        for after, edge in self._append(world, number, e.GoalInterrupted, By.RECOVERY):
            yield f"appends {_name(edge[1])}", _set(after, number, asked=True), (edge,)

    def _work(self, world: World, number: int, name: str) -> Iterator[Step]:
        if world.work == name:
            yield "its worker ends", world._replace(work=""), ()
        elif world.status == RUNNING or not self.rules.fence:
            more = int(world.work != "")
            yield "starts a worker", world._replace(work=name, workers=1 + more), ()
            for event in ENDS:
                for after, edge in self._append(world, number, event, By.RUNNER):
                    free = after._replace(requests=(), condemned=False)
                    yield f"appends {_name(event)}", _set(free, number, at=At.DONE), (edge,)
        elif world.status != RUNNING:
            yield "gives up", _set(world, number, at=At.DONE), ()
        for kind in (_choose(world.requests, self.rules) or PAUSE,):  # its editor closes: a pause
            dead = self._kill(world, name) if self.rules.kill_first else world
            yield f"obeys {kind}", _set(dead, number, at=At.STOPPING, kind=kind), ()

    def _kill(self, world: World, name: str) -> World:
        return world._replace(work="") if world.work == name else world

    def _stopping(self, world: World, number: int, name: str) -> Iterator[Step]:
        kind = world.processes[number].kind
        appended = tuple(self._append(world, number, RECEIPTS[kind], By.STOP))
        if world.status != RUNNING and self.rules.fence:
            appended = ()
        for after, edge in appended:
            yield f"writes the receipt of {kind}", _set(after, number, at=At.DONE), (edge,)
        if not appended:
            yield "finds it ended", _set(world, number, at=At.DONE), ()

    def _done(self, world: World, number: int, name: str) -> Iterator[Step]:
        yield "lets go", self._let_go(self._kill(world, name), number, name), ()

    def _let_go(self, world: World, number: int, name: str) -> World:
        free = world._replace(lock="") if world.lock == name else world
        return _set(free, number, at=At.IDLE, kind="", asked=False)

    def _ask(self, world: World, number: int, name: str) -> Iterator[Step]:
        me = world.processes[number]
        pending = me.kind in world.requests
        if world.status == RUNNING and not pending and not (me.asked and me.kind == PAUSE):
            asked = (*world.requests, me.kind)
            after = world._replace(requests=asked, condemned=world.condemned or me.kind == CANCEL)
            yield f"asks to {me.kind}", self._look(after, number, asked=True), ()
        elif me.asked and not pending and me.kind == PAUSE:
            yield "has its receipt", self._let_go(world, number, name), ()
        elif not world.lock or not self.rules.lock:
            yield (
                "takes the lock to stop",
                self._look(world._replace(lock=name), number, at=At.STOP),
                (),
            )

    def _stop(self, world: World, number: int, name: str) -> Iterator[Step]:
        me = world.processes[number]
        if world.status == RUNNING:
            yield from self._recover(world, number)
            return
        if me.asked and (me.kind == PAUSE or world.status == CANCELLED):
            yield "has its receipt", self._let_go(world, number, name), ()
            return
        appended = tuple(self._append(world, number, RECEIPTS[me.kind], By.STOP))
        for after, edge in appended:
            yield f"writes {me.kind}", self._let_go(after, number, name), (edge,)
        if not appended:
            yield "is refused", self._let_go(world, number, name), ()

    def _deliver(self, world: World, number: int, name: str) -> Iterator[Step]:
        if world.status != READY:
            yield "gives up", self._let_go(world, number, name), ()
            return
        more = min(2, world.branches + 1)
        made = 1 if self.rules.one_branch else more
        yield "makes the branch", _set(world._replace(branches=made), number, at=At.DELIVERED), ()

    def _delivered(self, world: World, number: int, name: str) -> Iterator[Step]:
        appended = tuple(self._append(world, number, e.GoalDelivered, By.DELIVERY))
        for after, edge in appended:
            yield "tells", self._let_go(after, number, name), (edge,)
        if not appended:
            yield "is refused", self._let_go(world, number, name), ()

    # One append

    def _append(
        self, world: World, number: int, event: type[Frozen], by: By
    ) -> Iterator[tuple[World, Edge]]:
        """Append what changes the status; where it cannot happen nothing is appended."""
        assert by in CAUSED_BY[event]
        status = world.status if self.rules.fence else world.processes[number].seen
        if by is By.PERSON and status == RUNNING:
            return
        if self.rules.hardest and event in SOFT and CANCEL in world.requests:
            event = e.GoalCancelled
        for target in self.moves[status].get(event, ()):
            after = world._replace(status=target)
            if by is By.STOP or by is By.RECOVERY:
                after = after._replace(requests=())
            if event is e.GoalCancelled:
                after = after._replace(cancelled=True, condemned=False)
            if by is By.START and world.condemned:
                after = after._replace(broken="a cancel that was asked for is forgotten")
            yield self._look(after, number), (status, event, target)

    def _look(self, world: World, number: int, **changes: Any) -> World:
        seen = PLANNED if self.rules.fence else world.status
        return _set(world, number, seen=seen, **changes)


PROGRAM: Mapping[At, Callable[[Search, World, int, str], Iterator[Step]]] = {
    At.IDLE: Search._idle,
    At.HELD: Search._held,
    At.WORK: Search._work,
    At.STOPPING: Search._stopping,
    At.DONE: Search._done,
    At.ASK: Search._ask,
    At.STOP: Search._stop,
    At.DELIVER: Search._deliver,
    At.DELIVERED: Search._delivered,
}
"""What a process does next, by what it is at."""


def find_breach(world: World) -> str:
    """Return the promise that a world breaks, empty for none."""
    if world.broken:
        return world.broken
    if world.cancelled and world.status != CANCELLED:
        return "a cancel was undone"
    if world.work != "" and world.status != RUNNING:
        return "a worker runs after the receipt"
    if world.workers > 1:
        return "two workers at once"
    if sum(process.at in (At.WORK, At.STOPPING) for process in world.processes) > 1:
        return "two runners"
    if world.branches > 1:
        return "delivered twice"
    if world.status == DELIVERED and not world.branches:
        return "delivered without a branch"
    return ""


def _choose(requests: tuple[str, ...], rules: Rules) -> str:
    if rules.hardest and CANCEL in requests:
        return CANCEL
    return requests[0] if requests else ""


def _with(world: World, number: int, process: Process) -> tuple[Process, Process]:
    first, second = world.processes
    return (process, second) if number == 0 else (first, process)


def _set(world: World, number: int, **changes: Any) -> World:
    me = world.processes[number]._replace(**changes)
    return world._replace(processes=_with(world, number, me))


def _name(event: type[Frozen]) -> str:
    return str(event.model_fields["type"].default)
