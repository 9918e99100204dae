"""The person's repository before and after workers and gates ran: what moved is for them to explain.

Workers and gates may run as the person does, so nothing keeps them from the checkout's git directory.
It is looked at before each of their runs and after it.  What steers git and has changed, somebody of
ours did; what moves when people work may be theirs.  Either way nothing that was left goes on unasked.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from goal_engine.decision import Question
from goal_engine.metering import Meter
from goal_engine.moved import (
    BEYOND,
    Fingerprint,
    Part,
    RepositoryChange,
    find_changes,
    say_changes,
)
from goal_engine.ports import Ports
from goal_engine.runtime.fingerprint import (
    find_git_places,
    forget_fingerprint,
    keep_fingerprint,
    read_fingerprint,
    read_kept,
)
from goal_engine.runtime.sandbox import Sandbox
from goal_engine.runtime.threads import in_thread
from goal_engine.secret_shapes import redact
from goal_engine.state import events as e
from goal_engine.state.commands import Record
from goal_engine.state.decide import MOVED, STEERED
from goal_engine.state.model import GoalState
from goal_engine.types import TaskStatus

CUT_OFF = "a run that was cut off"
MOST = 40
"""Changes that an event names."""


@dataclass(slots=True)
class Vigil:
    """Looks after the repository while something of one goal runs."""

    ports: Ports
    state_dir: Path
    meter: Meter
    confined: bool
    """Whether what runs could not write to the repository: then moves are the person's own."""

    async def begin(self, state: GoalState) -> None:
        """Write down how the repository stands before something runs."""
        await in_thread(self._keep, state)

    async def ends_badly(
        self, before: GoalState, during: str, *, by_hand: bool = False
    ) -> GoalState | None:
        """Look what moved since `begin`; return the goal, blocked, where a person has to explain it.

        `before` is the goal as it was then, `during` says what ran.  `by_hand` if only people worked,
        who move their branches as they like.
        """
        state = await self.ports.read(before.goal_id)
        changes = await in_thread(self._find, state)
        changes = find_told(changes, own=by_hand or self.confined)
        if not changes:
            await in_thread(forget_fingerprint, self.state_dir, state.goal_id)
            return None
        return await self._tell(before, state, changes, during)

    async def finds_left(self, state: GoalState) -> GoalState | None:
        """Look what a run that was cut off changed; return the goal, blocked, where that steers git.

        What moves when people work says little by then, and is recorded.
        """
        changes = find_told(await in_thread(self._find, state), own=self.confined)
        if any(change.steers for change in changes):
            return await self._tell(state, state, changes, CUT_OFF)
        await self._record(state, changes, CUT_OFF)
        return None

    async def tell(self, state: GoalState, during: str, *, ends: bool) -> None:
        """Record what a run changed that is about to be stopped: nobody can be asked now.

        What steers git is left to the next run, which asks, unless the goal `ends`.
        """
        with suppress(OSError):  # what cannot be looked at must not keep a run from being stopped
            changes = find_told(await in_thread(self._find, state), own=self.confined)
            steers = any(change.steers for change in changes)
            if ends or not steers:
                await self._record(state, changes, during)
            if not steers:
                await in_thread(forget_fingerprint, self.state_dir, state.goal_id)

    async def _record(
        self, state: GoalState, changes: tuple[RepositoryChange, ...], during: str
    ) -> None:
        if changes:
            fact = e.RepositoryMoved(changes=_shorten(changes), during=during, asked=False)
            await self.ports.transact(state.goal_id, Record((fact,)))

    async def _tell(
        self,
        before: GoalState,
        state: GoalState,
        changes: tuple[RepositoryChange, ...],
        during: str,
    ) -> GoalState | None:
        asked = any(change.steers for change in changes) or not state.moves_are_mine
        fact = e.RepositoryMoved(
            changes=_shorten(changes),
            during=during,
            tasks=_find_fresh(state),
            gates=tuple(sorted(state.gates_run.keys() - before.gates_run.keys())),
            asked=asked,
        )
        if not asked:
            await self.ports.transact(state.goal_id, Record((fact,)))
            await in_thread(forget_fingerprint, self.state_dir, state.goal_id)
            return None
        question = make_question(state, fact)
        blocked = e.GoalBlocked(
            on="human",
            reason=question.text,
            next=f"`answer` {question.id}, then `resume`",
            spent=self.meter.spent,
        )
        facts = (fact, e.QuestionsAsked(questions=(question,)), blocked)
        return await self.ports.transact(state.goal_id, Record(facts))

    def _keep(self, state: GoalState) -> None:
        seen, content = read_fingerprint(self.ports.checkout)
        keep_fingerprint(self.state_dir, state.goal_id, seen, content)

    def _find(self, state: GoalState) -> tuple[RepositoryChange, ...]:
        kept: Fingerprint | None = read_kept(self.state_dir, state.goal_id)
        if kept is None:
            return ()
        seen, _ = read_fingerprint(self.ports.checkout)
        return find_changes(kept, seen)


def is_out_of_reach(sandbox: Sandbox, checkout: Path) -> bool:
    """Whether nothing that runs in a sandbox can write to what is looked at of a checkout; blocking.

    The person may let it: by `sandbox_writes`, whose innermost place decides.
    """
    if sandbox.program is None:
        return False
    written = [path.resolve() for path in sandbox.written]
    seen, _ = read_fingerprint(checkout)
    own = (Path(os.path.realpath(path)) for path in (*seen.own, *seen.hooks))
    for place in (*find_git_places(checkout), *own):
        around = [path for path in (checkout.resolve(), *written) if place.is_relative_to(path)]
        inmost = max(around, key=lambda path: len(path.parts), default=None)
        if inmost in written or any(path.is_relative_to(place) for path in written):
            return False
    return True


def find_told(changes: tuple[RepositoryChange, ...], *, own: bool) -> tuple[RepositoryChange, ...]:
    """Return what a person is told of; what people move is left out where that is their `own` doing.

    Not where it would be put back as well: a configuration is, whole.
    """
    theirs = BEYOND if own else ()
    steering = {change.name for change in changes if change.steers and change.part not in theirs}
    return tuple(change for change in changes if change.name in steering or not own)


def _find_fresh(state: GoalState) -> tuple[str, ...]:
    """The tasks whose results nothing was made of yet."""
    return tuple(
        name
        for name, at in state.tasks.items()
        if at.status is TaskStatus.DONE and name not in state.integrated
    )


def _shorten(changes: tuple[RepositoryChange, ...]) -> tuple[RepositoryChange, ...]:
    """A remote's address may hold a password, and a journal's line has an end."""
    told = tuple(change.changed(what=redact(change.what)) for change in changes[:MOST])
    left = changes[MOST:]
    if not left:
        return told
    rest = RepositoryChange(
        part=Part.REF,
        name=f"{len(left)} more",
        what="changed as well",
        steers=any(change.steers for change in left),
    )
    return (*told, rest)


def make_question(state: GoalState, fact: e.RepositoryMoved) -> Question:
    """Return what a person is asked about moves; never an id that was asked before."""
    kind = STEERED if fact.steers else MOVED
    before = sum(question.id.startswith(kind) for question in state.questions)
    said = f"while {fact.during} ran, your repository changed: {say_changes(fact.changes)}"
    steering = list(dict.fromkeys(change.name for change in fact.changes if change.steers))
    others = [change.name for change in fact.changes if change.name not in steering]
    if fact.steers:
        left = f" ({_name(others)} stays as it is: `git reflog` shows what was)" if others else ""
        said += (
            f"; answer `restore` to put {_name(steering)} back as it was{left}{_warn(fact)} and to drop"
            " what ran beside it, or `mine` if you changed that yourself"
        )
    else:
        said += (
            "; answer `mine` if that was you (then you are not asked about such moves again in this"
            " goal); if it was not, put it back (`git reflog` shows what was) and `cancel`"
        )
    return Question(id=f"{kind}-{before + 1}" if before else kind, text=said)


def _warn(fact: e.RepositoryMoved) -> str:
    """A configuration has what people and editors write beside what others did."""
    configs = (Part.CONFIG, Part.OWN)
    whole = any(change.steers and change.part in configs for change in fact.changes)
    return " (with every setting named here, a remote or branch of yours too)" if whole else ""


def _name(names: Iterable[str]) -> str:
    told = list(names)
    return ", ".join(told[:3]) + (f" and {len(told) - 3} more" if len(told) > 3 else "")
