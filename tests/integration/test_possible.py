"""Status × operation: each cell is asked of the engine itself, on a goal that really came there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from goal_engine import (
    control,
    hunks,
    integration,
    lifecycle,
    logs,
    plan_file,
    planner,
    queries,
    reviewing,
)
from goal_engine.agent_review import AgentReview
from goal_engine.budget import BudgetAdd, GoalBudget
from goal_engine.consulting import Consulted
from goal_engine.decision import Question, find_usual_answer
from goal_engine.delivery import local
from goal_engine.engine import Engine
from goal_engine.errors import GoalBusy, GoalError, GoalNotFound, NotPossibleNow
from goal_engine.moved import Part, RepositoryChange
from goal_engine.ports import Ports
from goal_engine.proof.gate import GateSpec
from goal_engine.proof.verdict import is_acceptable
from goal_engine.replay import replay_goal
from goal_engine.state import commands as c
from goal_engine.state import events as e
from goal_engine.state.events import JournalEntry
from goal_engine.state.memory import InMemoryGoalStateStore
from goal_engine.state.model import GoalState
from goal_engine.state.possible import OPERATIONS, POSSIBLE, ROWS, find_possible
from goal_engine.state.store import GoalStateStore
from goal_engine.task_graph.graph import GoalTask, GoalTaskGraph
from goal_engine.types import Decision, Frozen, GoalId, GoalStatus
from goal_engine.verifier import review
from tests.builders import an_ask
from tests.integration.projects import (
    CALC,
    CRITERIA,
    FIX,
    a_plan,
    a_project,
    commit_all,
    create,
    run,
)

pytestmark = pytest.mark.one_python

S = GoalStatus
ME = Decision(actor="me", reason="I looked at it")
NOTHING = "[[criterion]]\nid = 'seen'\ntext = 'A person says so'\nevidence = 'accepted'\n"
TWO = CRITERIA + NOTHING
WRONG = '{ replace = "calc.py", old = "2 * a", new = "3 * a" }'
NOOP = '{ run = ["true"] }'


class Copied(InMemoryGoalStateStore):
    """Goals in memory that know the objects of a store on disk."""

    def __init__(self, disk: GoalStateStore, journals: Mapping[GoalId, bytes]) -> None:
        super().__init__()
        self._disk = disk
        self.journals = dict(journals)

    async def read_object(self, sha: str) -> bytes:
        known = sha in self.objects
        return await (super() if known else self._disk).read_object(sha)

    async def take(self, entries: Sequence[JournalEntry]) -> GoalId:
        """Make the goal of these entries."""
        first = entries[0].events[0]
        assert isinstance(first, e.GoalCreated)
        await self.create(first.goal_id, entries[0])
        for entry in entries[1:]:
            await self.append(first.goal_id, entry)
        return first.goal_id


@dataclass(frozen=True)
class World:
    """One project, and the journals of goals that ran in it."""

    ports: Ports
    journals: Mapping[str, Sequence[JournalEntry]]


async def make_world(folder: Path) -> World:
    engine = Engine.open(a_project(folder))
    ended = {
        "ready": await run(engine, a_plan(FIX)),
        "ready, nothing changed": await run(engine, a_plan(NOOP, criteria=NOTHING)),
        "waits for a word": await run(engine, a_plan(FIX, criteria=TWO)),
        "not ready": await run(engine, a_plan(WRONG, criteria=TWO)),
        "not ready, no word missing": await run(engine, a_plan(WRONG)),
        "not ready, nothing changed": await run(engine, a_plan(NOOP)),
        "planned": await create(engine, a_plan(FIX)),
    }
    accepted = ended["ready, nothing changed"]
    if accepted.status is S.BLOCKED_ON_HUMAN:
        ended["waits, nothing changed"] = accepted
        entries = await engine.ports.store.entries(accepted.goal_id)
        journals = {"waits, nothing changed": entries}
        await integration.accept_criterion(engine.ports, accepted.goal_id, "seen", ME)
    journals |= {
        name: await engine.ports.store.entries(state.goal_id)
        for name, state in ended.items()
        if name not in journals
    }
    commit_all(engine.checkout, "a later commit", {"NEWS": "it went on"})
    statuses = {name: state.status for name, state in ended.items()}
    assert statuses["ready"] is S.READY and statuses["not ready"] is S.NOT_READY, statuses
    return World(engine.ports, journals)


# The goals


def a_question(name: str) -> e.QuestionsAsked:
    return e.QuestionsAsked(questions=(Question(id=name, text="Well?"),))


def a_block(on: e.BlockedOn) -> e.GoalBlocked:
    return e.GoalBlocked(on=on, reason="it waits", next="do something")


def a_move() -> e.RepositoryMoved:
    moved = RepositoryChange(part=Part.REF, name="refs/heads/x", what="appeared", steers=False)
    return e.RepositoryMoved(changes=(moved,), during="gates")


STOPS: Mapping[str, tuple[c.Command, ...]] = {
    "paused": (c.StopGoal(e.ControlKind.PAUSE, "asked"),),
    "interrupted": (c.NoticeInterruption(),),
    "needs more budget": (c.Record((a_block("budget"),)),),
    "no disk": (c.Record((a_block("infra"),)),),
    "waits for something outside": (c.Record((a_block("external"),)),),
    "waits for somebody": (c.Record((a_block("human"),)),),
    "asks of a gate": (c.Record((a_question("gate:tests"), a_block("human"))),),
    "asks of a limit": (c.Record((a_question("unmetered"), a_block("human"))),),
    "asks whose moves those are": (c.Record((a_move(), a_question("moved"), a_block("human"))),),
    "cancelled while it ran": (c.StopGoal(e.ControlKind.CANCEL, "asked"),),
    "runs": (),
}
"""How a goal that runs comes to stand still, or does not."""
HANDED = (
    e.TaskStarted(task="fix", attempt=1, base_commit="a" * 40),
    e.TaskHandedOver(task="fix", attempt=1, folder="/desk"),
)


HEARING = (
    e.ProposalAccepted(
        task=GoalTask(id="more", title="More", worker="acp", agent="kimi"), by="fix", attempt=1
    ),
    e.TaskStarted(task="more", attempt=1, base_commit="a" * 40),
)


@dataclass(frozen=True)
class Goal:
    """A goal to ask things of: a journal of the world, cut and gone on with."""

    journal: str
    more: tuple[c.Command, ...] = ()
    applied: bool = False
    """Whether its change stands in the checkout's files."""
    archived: bool = False


def applied(state: GoalState) -> c.Command:
    return c.Record((e.ChangeApplied(tree=state.present_tree, files=("calc.py",)),))


@cache
def list_goals() -> Mapping[str, Goal]:
    begun = {f"{name}": Goal("planned", (c.StartGoal(), *stop)) for name, stop in STOPS.items()}
    again = {
        f"{name}, after a judgement": Goal("not ready", (c.StartGoal(), *stop))
        for name, stop in STOPS.items()
    }
    return {
        **begun,
        **again,
        "planned": Goal("planned"),
        "planned without tasks": Goal("no tasks"),
        "vague": Goal("vague"),
        "nobody to do it": Goal("nobody"),
        "begun and waits for something outside": Goal(
            "planned",
            (c.StartGoal(), c.Record((HANDED[0],)), *STOPS["waits for something outside"]),
        ),
        "in a person's hands": Goal("planned", (c.StartGoal(), c.Record(HANDED))),
        "an agent asks leave": Goal("planned", (c.StartGoal(), c.Record((HANDED[0], an_ask())))),
        "an agent can hear": Goal("planned", (c.StartGoal(), c.Record(HEARING))),
        "ready": Goal("ready"),
        "ready, nothing changed": Goal("ready, nothing changed"),
        "waits, nothing changed": Goal("waits, nothing changed"),
        "waits for a word": Goal("waits for a word"),
        "not ready": Goal("not ready"),
        "not ready, no word missing": Goal("not ready, no word missing"),
        "not ready, nothing changed": Goal("not ready, nothing changed"),
        "rejected": Goal("rejected"),
        "ready and applied": Goal("ready", applied=True),
        "not ready any more and applied": Goal("rejected", applied=True),
        "delivered": Goal("delivered"),
        "delivered and applied": Goal("delivered", applied=True),
        "cancelled": Goal("planned", (c.StopGoal(e.ControlKind.CANCEL, "asked"),)),
        **{f"{name}, archived": replace(goal, archived=True) for name, goal in ARCHIVED.items()},
    }


ARCHIVED: Mapping[str, Goal] = {
    **{name: Goal("planned", (c.StartGoal(), *STOPS[name])) for name in (
        "paused", "needs more budget", "no disk", "waits for something outside",
        "waits for somebody", "cancelled while it ran",
    )},
    **{name: Goal(name) for name in ("planned", "ready", "not ready", "delivered")},
}  # fmt: skip
"""One in each status in which a goal can be archived."""


async def make(world: World, ports: Ports, store: Copied, goal: Goal) -> GoalState:
    """Bring a goal into a store of its own."""
    made: Mapping[str, Callable[[], Awaitable[GoalId]]] = {
        "vague": lambda: _plan_words(ports, "fix it"),
        "nobody": lambda: _plan_words(
            ports, "Make the sums of the calculator right for all inputs"
        ),
        "no tasks": lambda: _plan_nothing(world, ports, store),
        "rejected": lambda: _reject(world, ports, store),
        "delivered": lambda: _deliver(world, ports, store),
    }
    build = made.get(goal.journal)
    goal_id = await build() if build else await store.take(world.journals[goal.journal])
    for command in goal.more:
        await ports.transact(goal_id, command)
    if goal.applied:
        change = applied(await ports.read(goal_id))
        if (await ports.read(goal_id)).status is not S.NOT_READY:
            await ports.transact(goal_id, change)
    if goal.archived:
        await control.archive_goal(ports, goal_id, ME)
    return await ports.read(goal_id)


async def _plan_words(ports: Ports, text: str) -> GoalId:
    gates = (GateSpec(name="tests", argv=("true",)),)
    return (await planner.plan_goal(ports, text, planner.CreateGoalOptions(gates=gates))).goal_id


async def _plan_nothing(world: World, ports: Ports, store: Copied) -> GoalId:
    """A plan without tasks cannot be given today; a journal may have one."""
    created, planned = world.journals["planned"][0].events[:2]
    assert isinstance(created, e.GoalCreated) and isinstance(planned, e.GoalPlanned)
    command = c.CreateGoal(created, planned.changed(graph=GoalTaskGraph()))
    return (await ports.transact(created.goal_id, command)).goal_id


async def _reject(world: World, ports: Ports, store: Copied) -> GoalId:
    """A goal that was applied, and then rejected."""
    goal_id = await store.take(world.journals["ready"])
    await ports.transact(goal_id, applied(await ports.read(goal_id)))
    return (await integration.reject_goal(ports, goal_id, ME)).goal_id


async def _deliver(world: World, ports: Ports, store: Copied) -> GoalId:
    goal_id = await store.take(world.journals["ready"])
    return (await local.deliver_local(ports, goal_id)).goal_id


# What is asked of them


async def _answer(ports: Ports, state: GoalState) -> object:
    asked = state.open_questions
    question = asked[-1].id if asked else "what"
    said = find_usual_answer(question)
    for one in state.open_asks:
        question, said = one.key, "allow"
    return await control.answer_question(ports, state.goal_id, question, said, ME)


async def _accept(ports: Ports, state: GoalState) -> object:
    verdicts = state.judgement.criteria if state.judgement else ()
    names = [v.criterion.id for v in verdicts if is_acceptable(v)] or ["adds"]
    return await integration.accept_criterion(ports, state.goal_id, names[0], ME)


async def _resume(ports: Ports, state: GoalState) -> object:
    return await lifecycle.resume_goal(ports, state.goal_id, GoalBudget(attempts=99))


async def _stop(ports: Ports, state: GoalState, stop: Callable[..., Awaitable[Any]]) -> object:
    """Ask for a stop, and be the runner that obeys."""
    if state.status is not S.RUNNING:
        return await stop(ports, state.goal_id, ME)
    asked = asyncio.Event()

    async def obey(held: ExitStack) -> None:
        await asked.wait()
        kind = (await ports.read(state.goal_id)).requests[0].kind
        await ports.transact(state.goal_id, c.StopGoal(kind, "asked"))
        held.close()

    with ExitStack() as held:
        held.enter_context(ports.store.runner_lock(state.goal_id))
        async with asyncio.TaskGroup() as group:
            group.create_task(obey(held))
            heard = replace(ports, publish=lambda *_: asked.set())
            return await stop(heard, state.goal_id, ME)


async def _budget(ports: Ports, state: GoalState) -> None:
    if state.status not in (S.DELIVERED, S.CANCELLED):
        more = BudgetAdd(max_agents=9)
        await control.extend_budget(ports, state.goal_id, more, ME)


async def _log(ports: Ports, state: GoalState) -> None:
    with suppress(GoalNotFound):  # nothing was printed yet, which no status rules out
        await logs.read_log(ports, state, task=None, gate=None, offset=0)


async def _open(ports: Ports, state: GoalState) -> None:
    plan_file.write_plan(ports.checkout, state)


CALLS: Mapping[str, Callable[[Ports, GoalState], Awaitable[object]]] = {
    "answer": _answer,
    "accept": _accept,
    "tell": lambda ports, s: control.tell_agent(ports, s.goal_id, "Mind the tests.", None, "me"),
    "submit": lambda ports, s: control.submit_task(ports, s.goal_id, None, ME),
    "diff": lambda ports, s: local.read_diff(ports, s.goal_id),
    "apply": lambda ports, s: local.apply_change(ports, s.goal_id),
    "undo": lambda ports, s: local.apply_change(ports, s.goal_id, undo=True),
    "deliver": lambda ports, s: local.deliver_local(ports, s.goal_id),
    "resume": _resume,
    "execute": lambda ports, s: lifecycle.execute_goal(ports, s.goal_id),
    "verify": lambda ports, s: lifecycle.verify_goal(ports, s.goal_id),
    "rebase": lambda ports, s: lifecycle.rebase_goal(ports, s.goal_id, ME),
    "hunks": lambda ports, s: hunks.try_hunks(ports, s.goal_id),
    "agent-review": lambda ports, s: reviewing.review_by_agent(ports, s.goal_id, "cli", "critic"),
    "diagnose": lambda ports, s: queries.diagnose_goal(ports, s.goal_id),
    "proof": lambda ports, s: queries.resolve_goal_proof(ports, s.goal_id),
    "revise": lambda ports, s: planner.revise_goal(
        ports, s.goal_id, a_plan(WRONG, criteria=NOTHING)
    ),
    "pause": lambda ports, s: _stop(ports, s, control.pause_goal),
    "cancel": lambda ports, s: _stop(ports, s, control.cancel_goal),
    "reject": lambda ports, s: integration.reject_goal(ports, s.goal_id, ME),
    "show": lambda ports, s: queries.resolve_goal(ports, s.goal_id),
    "review": review.review_goal,
    "log": _log,
    "budget": _budget,
    "archive": lambda ports, s: control.archive_goal(ports, s.goal_id, ME),
    "unarchive": lambda ports, s: control.archive_goal(ports, s.goal_id, ME, back=True),
    "replay": lambda ports, s: replay_goal(ports, s.goal_id),
    "open": _open,
}
"""The engine's own function for each operation."""
WORKS = ("execute", "resume", "verify", "rebase", "pause", "cancel")
"""What a runner goes on with: the first entry alone is what asking causes."""


@dataclass(frozen=True)
class Seen:
    """What became of one operation on one goal."""

    verb: str
    goal: str
    status: GoalStatus
    told: bool
    """Whether the table says that it is possible."""
    error: GoalError | None
    events: frozenset[type[Frozen]]


async def ask(world: World, made: Copied, name: str, verb: str) -> Seen:
    present = CALC.replace("a - b", "a + b") if list_goals()[name].applied else CALC
    (world.ports.checkout / "calc.py").write_text(present)
    store = Copied(made, made.journals)
    ports = replace(world.ports, store=store)
    state = await ports.read(next(iter(store.journals)))
    told, error = verb in find_possible(state), None
    try:
        with ExitStack() as runner:
            if state.status is S.RUNNING and verb not in ("pause", "cancel"):
                runner.enter_context(store.runner_lock(state.goal_id))
            await CALLS[verb](ports, state)
    except GoalError as refused:
        error = refused
    entries = (await store.entries(state.goal_id))[state.seq :]
    asked = entries[:1] if verb in WORKS else entries
    events = frozenset(type(event) for entry in asked for event in entry.events)
    return Seen(verb, name, state.status, told, error, events)


async def ask_all(world: World) -> Sequence[Seen]:
    """Ask every operation of every goal."""
    seen: list[Seen] = []
    for name, goal in list_goals().items():
        store = Copied(world.ports.store, {})
        await make(world, replace(world.ports, store=store), store, goal)
        verbs = ("archive", "unarchive") if goal.archived else ROWS
        seen += [await ask(world, store, name, verb) for verb in verbs]
    return seen


async def test_the_engine_does_in_each_status_what_the_table_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One test, since what it looks at takes long to make: nothing of it runs twice."""

    async def nothing(*_: object) -> Any:
        return ()

    async def say_nothing(*_: object) -> Consulted[AgentReview]:
        return Consulted(AgentReview(findings=()))

    world = await make_world(tmp_path / "project")
    idle = SimpleNamespace(clear=lambda: None, as_runner=nullcontext)
    monkeypatch.setattr(lifecycle, "open_bench", lambda *_: idle)
    monkeypatch.setattr(lifecycle, "_run_watched", nothing)
    monkeypatch.setattr(hunks, "_try", nothing)
    monkeypatch.setattr(reviewing, "consult", say_nothing)
    cells = await ask_all(world)
    for check in CHECKS:
        check(cells)


def check_every_operation_is_asked_in_every_status(cells: Sequence[Seen]) -> None:
    assert set(CALLS) == set(ROWS)
    assert {(seen.verb, seen.status) for seen in cells} == {(v, s) for v in ROWS for s in S}


def find_lies(cells: Iterable[Seen]) -> list[Seen]:
    """Return what the engine did although the table refuses it, or the other way round."""
    return [seen for seen in cells if seen.told is (seen.error is not None)]


def check_the_engine_does_what_the_table_says_and_nothing_else(cells: Sequence[Seen]) -> None:
    assert find_lies(cells) == []


def check_what_is_refused_changes_nothing_and_says_what_is_possible(cells: Sequence[Seen]) -> None:
    for seen in cells:
        if seen.error is None:
            continue
        assert not seen.events, seen
        if seen.status in ROWS[seen.verb].cells:  # it was the goal, not its status
            assert isinstance(seen.error, NotPossibleNow | GoalNotFound), seen
            continue
        if isinstance(seen.error, GoalBusy):
            assert seen.status is S.RUNNING, seen
            continue
        told = "Possible: " in seen.error.paragraph or seen.verb in ("proof", "review")
        assert str(seen.status) in seen.error.paragraph and told, seen


def check_what_is_possible_causes_what_the_table_says(cells: Sequence[Seen]) -> None:
    for seen in cells:
        if seen.error is None:
            causes = ROWS[seen.verb].cells[seen.status].causes
            assert seen.events <= set(causes), seen
            assert bool(seen.events) or not causes or seen.verb == "proof", seen


def check_what_depends_on_the_goal_was_seen_both_ways(cells: Sequence[Seen]) -> None:
    conditional = {
        (row.verb, status) for row in OPERATIONS for status, cell in row.cells.items()
        if cell.condition
    }  # fmt: skip
    for refused in (True, False):
        seen_so = {(s.verb, s.status) for s in cells if (s.error is not None) is refused}
        assert conditional - seen_so == set()


def check_no_goal_is_stuck(cells: Sequence[Seen]) -> None:
    """Whatever a goal waits for, there is something to do about it but to give it up."""
    moving = (
        set(ROWS)
        - {"cancel", "diff", "proof", "undo", "archive", "unarchive"}
        - {r.verb for r in OPERATIONS if r.only_reads}
    )
    for name in (name for name, goal in list_goals().items() if not goal.archived):
        here = [seen for seen in cells if seen.goal == name]
        ways = {seen.verb for seen in here if seen.error is None} & moving
        assert ways or here[0].status is S.CANCELLED, name


def check_a_table_that_says_too_much_or_too_little_is_found(cells: Sequence[Seen]) -> None:
    some = next(seen for seen in cells if seen.told)
    assert find_lies([replace(some, told=False)])
    refused = next(seen for seen in cells if not seen.told)
    assert find_lies([replace(refused, told=True)])
    assert all("cancel" not in POSSIBLE[status] for status in (S.DELIVERED, S.CANCELLED))


CHECKS = (
    check_every_operation_is_asked_in_every_status,
    check_the_engine_does_what_the_table_says_and_nothing_else,
    check_what_is_refused_changes_nothing_and_says_what_is_possible,
    check_what_is_possible_causes_what_the_table_says,
    check_what_depends_on_the_goal_was_seen_both_ways,
    check_no_goal_is_stuck,
    check_a_table_that_says_too_much_or_too_little_is_found,
)
