"""From a text to a goal with criteria and tasks; nothing is started here.

The scaffold planner is deterministic: it knows what a gate's own fix can do, and says so when no
worker there is can do what was asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from goal_engine.budget import GoalBudget
from goal_engine.criteria import propose, propose_holds
from goal_engine.decision import Answer, Criterion, EvidenceKind, Question
from goal_engine.document import (
    GoalPlan,
    assign_workers,
    check_against_gates,
    check_graph,
    find_worker,
)
from goal_engine.errors import (
    BadConfiguration,
    BadInput,
    BadPlan,
    RepositoryUnusable,
    ToolMissing,
)
from goal_engine.gates.config import NAME
from goal_engine.gates.select import find_digest
from goal_engine.oracle import find_kind, find_questions, parse_goal_text
from goal_engine.ports import Ports
from goal_engine.proof.flakes import is_quarantined
from goal_engine.proof.gate import GateSpec, name_setup
from goal_engine.proof.review import ReviewPolicy
from goal_engine.runtime.large_files import describe_absent
from goal_engine.runtime.personal import read_personal_settings
from goal_engine.runtime.repository import CheckoutStatus, EvidenceRepository, read_checkout
from goal_engine.runtime.submodules import Submodules, describe_missing
from goal_engine.runtime.threads import in_thread
from goal_engine.state import events as e
from goal_engine.state.commands import CreateGoal, RevisePlan
from goal_engine.state.model import GoalState
from goal_engine.task_graph.graph import FixStep, GoalTask, GoalTaskGraph
from goal_engine.types import (
    AGENT_WORKERS,
    AgentWorker,
    GoalDeliveryPolicy,
    GoalId,
    GoalKind,
    Installed,
    WorkerName,
)
from goal_engine.workers.agents import find_agent
from goal_engine.workers.installed import Hands, find_hindrance, read_hands

PROGRAMS: tuple[tuple[re.Pattern[str], frozenset[str]], ...] = (
    (re.compile(r"\b(lint\w*|ruff|flake8|pylint)\b", re.I), frozenset({"lint", "ruff", "check"})),
    (re.compile(r"\b(format\w*|black|style)\b", re.I), frozenset({"format", "black"})),
)
"""Words of a goal, and the words in a gate's name or command that they mean."""

NO_WORKER = (
    "No worker was named that can do this from words alone: let an agent do it (`--agent NAME`), do it"
    "  yourself (`--worker manual`), give a plan (`--plan FILE`, TOML with "
    "tasks and criteria), or name a gate that can fix itself (`goalproof gates` shows them)."
)
TITLE = 100
"""Characters of a goal that are its one task's title."""


@dataclass(frozen=True, slots=True)
class CreateGoalOptions:
    """What goes with a goal's text (seed: `CreateGoalOptions`)."""

    gates: tuple[GateSpec, ...]
    """The gates to lock, as the person approved them."""
    plan: GoalPlan | None = None
    budget: GoalBudget | None = None
    delivery: GoalDeliveryPolicy = GoalDeliveryPolicy.LOCAL
    worker: WorkerName | None = None
    """Who does what the plan gives to nobody, or the whole goal when there is no plan."""
    agent: str = ""
    """Which agent; alone it means the best of the workers that can start it here."""
    kind: GoalKind | None = None
    """What sort of goal it is, as the person says; over the plan and the words."""
    sequential: bool = False
    """Whether its tasks are to run one after the other, whatever the plan says."""
    python: str | None = None
    copies: tuple[str, ...] = ()
    review: ReviewPolicy = ReviewPolicy()
    reviewer: str | None = None
    """The agent that reviews a result which the gates said yes to, empty for none; `None` is whom the
    person's settings name."""
    setup: tuple[tuple[str, ...], ...] = ()
    """Commands that make each workspace ready, locked and approved like the gates."""
    keeps_setup: bool = True
    """Whether what they made may be kept for the next workspace."""
    notices: tuple[str, ...] = ()
    """What a person should know about how the gates were chosen."""
    until_ready: bool = True
    """Whether the caller means to execute it next; recorded nowhere, decides nothing here."""


async def create_goal(ports: Ports, text: str, options: CreateGoalOptions) -> GoalState:
    """Create a goal on the checkout's present commit and return it: planned, or blocked with the
    questions or the reason that come first.

    Raises `BadGoal`, `BadPlan`, `BadInput` for a worker or agent that there is not,
    `BadConfiguration` without gates, `RepositoryUnusable`, and `StoreUnwritable` without room.
    """
    text = parse_goal_text(options.plan.goal if options.plan and not text else text)
    if not options.gates:
        raise BadConfiguration(
            "There is no gate, so nothing could show that a goal is reached: write a `[[gate]]` "
            "with `name` and `argv` in goalproof.toml, or add tests; `goalproof gates` shows "
            f"what is found.{''.join(f' {notice}' for notice in options.notices)}"
        )
    await ports.store.check_room()
    hands = await in_thread(read_hands, ports.checkout, ports.workers)
    options = choose_agent(settle_worker(options, hands), text, hands)
    reviewer = await in_thread(_choose_reviewer, options, hands, ports.checkout)
    options = replace(options, reviewer=reviewer)
    repository = await in_thread(ports.open_repository)
    status = await in_thread(read_checkout, ports.checkout)
    goal_id = GoalId.made_of(ports.clock.now(), ports.ids.entropy())
    status, absent = await in_thread(_look_closer, ports, repository, status)
    options = replace(options, notices=(*absent, *options.notices))
    created = _created(goal_id, text, status, options)
    command = _plan(created, options.plan, hands.installed)
    if command.planned and options.sequential:
        policy = command.planned.policy.changed(sequential=True)
        command = replace(command, planned=command.planned.changed(policy=policy))
    if command.planned:
        await in_thread(check_agents, command.planned.graph, hands, ports.checkout)
    await in_thread(repository.pin, status.commit, goal_id)
    return await ports.transact(goal_id, command)


def _look_closer(
    ports: Ports, repository: EvidenceRepository, status: CheckoutStatus
) -> tuple[CheckoutStatus, tuple[str, ...]]:
    """Return the status without large files that are as LFS has them, which git cannot tell without
    its filter, and which files of the commit no workspace will have, a sentence each."""
    try:
        found = Submodules.of(repository, status.tree, status.root, ports.find_state_dir())
        large = repository.find_large_files(status.tree, status.root)
    except RepositoryUnusable:
        return status, ()  # objects are missing, and `pin` says so with what brings them
    dirty = tuple(path for path in status.dirty if not large.stands(path))
    absent = (*describe_missing(found.find()), *describe_absent(large.find_absent()))
    return replace(status, dirty=dirty), absent


async def plan_goal(ports: Ports, text: str, options: CreateGoalOptions) -> GoalState:
    """Create a goal that is only to be looked at (seed: `plan_goal`, `until_ready = false`)."""
    return await create_goal(ports, text, options)


async def revise_goal(ports: Ports, goal_id: GoalId, plan: GoalPlan) -> GoalState:
    """Give a goal of whose plan nothing was done another one; the plan it has changes nothing.

    Raises `BadPlan`, `BadGoal`, `BadInput` and `ToolMissing` for an agent that there is not, and
    `NotPossibleNow` once work has begun.
    """
    state = await ports.read(goal_id)
    command = plan_revision(state, plan)
    if command is None:
        return state
    hands = await in_thread(read_hands, ports.checkout, ports.workers)
    await in_thread(check_agents, command.planned.graph, hands, ports.checkout)
    return await ports.transact(goal_id, command)


def plan_revision(state: GoalState, plan: GoalPlan) -> RevisePlan | None:
    """Return what `plan` makes of a goal, `None` when that is what it is already.

    Raises `BadPlan` and `BadGoal`.
    """
    if not plan.tasks:
        raise BadPlan(
            "The plan has no task, so nothing would be done: add a `[[task]]` with steps."
        )
    plan = assign_workers(plan, state.created.worker, state.created.agent)
    created, text = state.created, parse_goal_text(plan.goal)
    kind, budget = plan.kind or created.kind, plan.budget if plan.has_budget else state.budget
    planned = _from_plan(created.gates, plan, text, kind)
    restated = e.GoalRestated(
        text=text,
        kind=kind,
        kind_reason=created.kind_reason if kind is created.kind else "the plan says so",
        budget=budget,
    )
    says_the_same = (text, kind, budget) == (created.text, created.kind, state.budget)
    now = (state.criteria, state.graph, state.policy)
    if says_the_same and (planned.criteria, planned.graph, planned.policy) == now:
        return None
    return RevisePlan(planned, None if says_the_same else restated)


def _created(
    goal_id: GoalId, text: str, status: CheckoutStatus, options: CreateGoalOptions
) -> e.GoalCreated:
    if status.operation:
        raise RepositoryUnusable(
            f"{status.root} is in the middle of a {status.operation}: finish or abort it, then "
            "try again, so that the goal starts from a commit you mean."
        )
    choice = find_kind(text)
    plan = options.plan
    planned = plan.kind if plan else None
    said = "you say so" if options.kind else "the plan says so" if planned else choice.reason
    count = len(status.dirty)
    notices: tuple[str, ...] = (
        (f"{count} changed file{'s are' if count > 1 else ' is'} not included: the goal starts"
         f" from the last commit ({status.commit[:12]}).",)
        if count
        else ()
    )  # fmt: skip
    if options.review.ignore:
        left_out = ", ".join(options.review.ignore)
        notices += (f"The review leaves out what goalproof.toml says to ignore: {left_out}.",)
    return e.GoalCreated(
        goal_id=goal_id,
        text=text,
        kind=options.kind or planned or choice.kind,
        kind_reason=said,
        base_commit=status.commit,
        base_tree=status.tree,
        branch=status.branch,
        author=status.author,
        gates=options.gates,
        gates_digest=find_digest((*options.gates, *name_setup(options.setup))),
        worker=options.worker,
        agent=options.agent,
        python=options.python,
        copies=options.copies,
        review=options.review,
        reviewer=options.reviewer or "",
        setup=options.setup,
        keeps_setup=options.keeps_setup,
        budget=options.budget or (plan.budget if plan else GoalBudget()),
        delivery=options.delivery,
        notices=(*notices, *options.notices),
    )


def settle_worker(options: CreateGoalOptions, hands: Hands) -> CreateGoalOptions:
    """Return `options` with the worker that an agent implies, and the agent where just one can be meant.

    Raises `BadInput` where the two do not fit, and where words alone go to an agent without a name.
    """
    worker, agent = options.worker, options.agent
    if agent and worker and worker not in AGENT_WORKERS:
        raise BadInput(
            f"The agent {agent[:80]!r} is for one of the workers {', '.join(AGENT_WORKERS)}, and the"
            f" worker is `{worker}`: give one of the two."
        )
    if agent and agent not in hands.agents:
        raise BadInput(
            f"There is no agent {agent[:80]!r}; there are {', '.join(hands.agents)}. "
            "`goalproof agents` shows them, and where you can add your own."
        )
    if agent:
        return replace(options, worker=worker or find_worker(agent, hands.installed))
    if worker not in AGENT_WORKERS or (options.plan and options.plan.tasks):
        return options
    chosen, why = hands.find_default(worker)
    if not chosen:
        raise BadInput(
            f"Say which agent is to do it (`--agent NAME`); there are {', '.join(hands.agents)}."
            f"{_say_installed(hands.find_able(worker), worker)}"
        )
    notice = f"{chosen}, {why}, does it."
    return replace(options, agent=chosen, notices=(*options.notices, notice))


def choose_agent(options: CreateGoalOptions, text: str, hands: Hands) -> CreateGoalOptions:
    """Return `options` with who does a goal of words alone for which nobody was named, and a notice.

    Nobody is chosen where a gate's own fix can do it, nor among several agents.
    """
    named = options.worker or (options.plan and options.plan.tasks)
    if named or plan_scaffold(text, options.gates):
        return options
    chosen, why = hands.find_default()
    if not chosen:
        return options
    worker = find_worker(chosen, hands.installed)
    notice = (
        f"You named nobody to do it: {chosen}, {why}, does (worker `{worker}`). `--agent NAME` or "
        "`--worker manual`, which is you, is somebody else."
    )
    return replace(options, worker=worker, agent=chosen, notices=(*options.notices, notice))


async def choose_consultant(
    ports: Ports, worker: WorkerName | None, agent: str, lack: str
) -> tuple[AgentWorker, str]:
    """Return the worker and the agent that are asked for a plan or a review: `agent`, or who usually works here.

    `lack` says what nobody does without one.  Raises `BadInput` where that is nobody in particular, and
    `ToolMissing` for one that is not here.
    """
    hands = await in_thread(read_hands, ports.checkout, ports.workers)
    name = agent or hands.find_default()[0]
    if not name:
        raise BadInput(
            f"Say which agent is to be asked (`--agent NAME`); there are {', '.join(hands.agents)}."
            f"{_say_installed(tuple(hands.installed))}"
        )
    able = [one for one in AGENT_WORKERS if one == worker]
    chosen = able[0] if able and agent else find_worker(name, hands.installed)
    await in_thread(check_agent, name, chosen, hands, ports.checkout, lack)
    return chosen, name


def _choose_reviewer(options: CreateGoalOptions, hands: Hands, checkout: Path) -> str:
    """Return the agent that reviews; one that is named has to be here.  Blocking."""
    if options.reviewer is None:
        return read_personal_settings().reviewer
    if options.reviewer:
        worker = find_worker(options.reviewer, hands.installed)
        check_agent(options.reviewer, worker, hands, checkout, NO_REVIEW)
    return options.reviewer


NO_PLAN, NO_REVIEW = "Nobody can make the plan", "Nobody can review the result"
"""What is lacking where an agent that is to be asked is not here."""


def is_planned_by_agent(state: GoalState) -> bool:
    """Whether the person's settings want an agent to make the plan that this new goal has.  Blocking."""
    words = state.planner == "scaffold" and state.created.worker in AGENT_WORKERS
    return words and read_personal_settings().planner == "agent"


def check_agents(graph: GoalTaskGraph, hands: Hands, checkout: Path) -> None:
    """Raise `BadInput` for agents that nobody knows, `ToolMissing` for ones that cannot be started here.

    Blocking.
    """
    for name, worker in sorted({(task.agent, task.worker) for task in graph if task.agent}):
        check_agent(name, worker, hands, checkout, "A task has nobody to do it")


def check_agent(name: str, worker: WorkerName, hands: Hands, checkout: Path, lack: str) -> None:
    """Raise as `check_agents` does for one agent; `lack` says what nobody does without it.  Blocking."""
    agent = find_agent(hands.agents, name)
    for able in AGENT_WORKERS:
        if able != worker or able in hands.installed.get(name, ()):
            continue
        why = find_hindrance(agent, able, checkout) or f"nothing here can be the worker `{able}`"
        installed = ", ".join(hands.installed) or "none of the known ones"
        raise ToolMissing(f"{lack}: {why}, then try again. On this machine: {installed}.")


def _say_installed(installed: tuple[str, ...], worker: str | None = None) -> str:
    match installed:
        case ():
            meant = f" for the worker `{worker}`" if worker else ""
            return f" None of the known ones is on this machine{meant}."
        case (one,):
            return f" {one} is on this machine: `--agent {one}`."
        case _:
            return f" On this machine are {', '.join(installed)}."


def _plan(created: e.GoalCreated, plan: GoalPlan | None, installed: Installed) -> CreateGoal:
    if plan is not None and plan.tasks:
        assigned = assign_workers(plan, created.worker, created.agent, installed)
        return CreateGoal(created, _from_plan(created.gates, assigned, created.text, created.kind))
    questions = find_questions(created.text)
    if questions:
        return CreateGoal(created, None, questions, _ask(questions))
    planned = _plan_words(created, created.text)
    if planned and plan is not None:
        planned = planned.changed(policy=plan.policy)
    if planned and plan is not None and plan.criteria:
        check_against_gates(plan, tuple(gate.name for gate in created.gates), ())
        planned = planned.changed(criteria=plan.criteria)
    return CreateGoal(created, planned, (), None if planned else _no_worker(tuple(installed)))


def _plan_words(created: e.GoalCreated, text: str) -> e.GoalPlanned | None:
    if created.worker in (*AGENT_WORKERS, "manual"):
        kind = created.kind if created.kind is not GoalKind.MIXED else find_kind(text).kind
        return plan_whole(text, kind, created.gates, created.worker, created.agent)
    return plan_scaffold(text, created.gates)


def plan_whole(
    text: str,
    kind: GoalKind,
    gates: tuple[GateSpec, ...],
    worker: WorkerName,
    agent: str = "",
) -> e.GoalPlanned:
    """Return the plan that gives a goal as one task to an agent or a person.

    What it must show follows from its kind.
    """
    first = text.strip().splitlines()[0]
    title = first if len(first) <= TITLE else f"{first[: TITLE - 1]}…"
    task = GoalTask(id="work", title=title, worker=worker, agent=agent)
    criteria = propose(text, kind, gates, worker)
    return e.GoalPlanned(planner="scaffold", criteria=criteria, graph=GoalTaskGraph(tasks=(task,)))


def _from_plan(
    gates: tuple[GateSpec, ...], plan: GoalPlan, text: str, kind: GoalKind
) -> e.GoalPlanned:
    """A plan that does not say what the goal must show has it said by the goal's words."""
    names = tuple(gate.name for gate in gates)
    check_against_gates(plan, names, tuple(gate.name for gate in gates if gate.fix))
    check_graph(plan, "The plan")
    worker: WorkerName | None = (
        "manual" if all(task.worker == "manual" for task in plan.tasks) else None
    )
    criteria = plan.criteria or propose(text, kind, gates, worker)
    check_quarantine(gates, plan.criteria)
    return e.GoalPlanned(planner="plan", criteria=criteria, graph=plan.graph, policy=plan.policy)


def check_quarantine(gates: Iterable[GateSpec], criteria: Iterable[Criterion]) -> None:
    """Raise `BadPlan` where a criterion rests on a test that the person quarantined."""
    specs = {gate.name: gate for gate in gates}
    barred = [
        f"criterion {criterion.id} rests on {test}"
        for criterion in criteria
        if (spec := specs.get(criterion.gate or "")) is not None
        for test in criterion.tests
        if is_quarantined(spec, test)
    ]
    if barred:
        raise BadPlan(
            f"What is quarantined can back nothing: {'; '.join(barred)}. Name other tests, or take "
            f"these out of `quarantine` in {NAME} and make the goal anew."
        )


def plan_scaffold(text: str, gates: tuple[GateSpec, ...]) -> e.GoalPlanned | None:
    """Return the plan of a goal that a gate's own fix may reach, `None` for any other."""
    wanted = [gate for gate in gates if gate.fix and _means(text, gate)]
    if not wanted:
        return None
    tasks: list[GoalTask] = []
    for gate in wanted:
        tasks.append(
            GoalTask(
                id=f"fix-{gate.name.replace('.', '-').replace('_', '-')}",
                title=f"Run the fix of gate {gate.name}",
                deps=tuple(task.id for task in tasks[-1:]),
                steps=(FixStep(fix=gate.name),),
            )
        )
    flips = [
        Criterion(
            id=f"{gate.name}-passes",
            text=f"Gate {gate.name} passes",
            evidence=EvidenceKind.FLIPS,
            gate=gate.name,
            why="its own fix is to turn it green",
        )
        for gate in wanted
    ]
    holds = propose_holds(gate for gate in gates if gate not in wanted)
    graph = GoalTaskGraph(tasks=tuple(tasks))
    return e.GoalPlanned(planner="scaffold", criteria=(*flips, *holds), graph=graph)


def _means(text: str, gate: GateSpec) -> bool:
    words = {gate.name, *gate.name.replace("_", "-").split("-"), *gate.argv[:4]}
    if re.search(rf"\bgate {re.escape(gate.name)}\b", text):
        return True
    hits = [pattern.search(text) is not None and bool(names & words) for pattern, names in PROGRAMS]
    formats = "format" in words or "black" in words
    return hits[1] if formats else hits[0]


def _ask(questions: tuple[Question, ...]) -> e.GoalBlocked:
    names = ", ".join(question.id for question in questions)
    reason = "; ".join(question.text for question in questions)
    return e.GoalBlocked(on="human", reason=reason, next=f"`answer` {names}")


def _no_worker(installed: tuple[str, ...]) -> e.GoalBlocked:
    reason = f"{NO_WORKER}{_say_installed(installed)}" if installed else NO_WORKER
    return e.GoalBlocked(on="external", reason=reason, next="name a worker, or give a plan")


def replan(
    state: GoalState, answer: Answer, installed: tuple[str, ...] = ()
) -> tuple[e.GoalPlanned | None, e.GoalBlocked | None, tuple[Question, ...]]:
    """Return the plan that an answer makes possible, what blocks instead, or further questions.

    `installed` are the agents that could be named.  A goal that has tasks keeps its plan, and one with other open questions waits for them.
    """
    others = [question for question in state.open_questions if question.id != answer.question]
    if state.graph.tasks or others:
        return None, None, ()
    said = [item.text for item in state.answers]
    text = "\n".join((state.created.text, *said, answer.text))
    planned = _plan_words(state.created, text)
    return planned, None if planned else _no_worker(installed), ()
