"""Tasks that an agent proposes, and every rule that one must keep to join a goal.

What an agent writes is a proposal and never more: the rules are the engine's, in `RULES`, and what they
leave open is a person's to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from goal_engine.budget import GoalBudget, Spend, TaskBudget
from goal_engine.task_graph.claims import Claims, find_literal, is_glob
from goal_engine.task_graph.globs import match_any
from goal_engine.task_graph.graph import GoalTask, GoalTaskGraph, is_safe_path
from goal_engine.task_graph.policy import WorkPolicy
from goal_engine.types import Frozen, TaskId, TaskStatus

FOLDER = ".goalproof/proposals"
"""Where in its workspace an agent leaves proposals, one JSON file each; never part of a result."""
MOST_AT_ONCE, MOST_IN_ALL = 5, 20
"""Proposals of one attempt that are looked at; tasks that may join a goal this way."""
MOST_SECONDS = 3600
"""That one proposed task may ask for."""
MOST_BYTES = 16 * 1024
"""Of one proposal."""
PROPOSAL = "proposal:"
"""A question with this prefix asks whether a proposed task is to join the goal."""

Line = Annotated[str, StringConstraints(max_length=200)]
Lines = Annotated[tuple[Line, ...], Field(max_length=50)]


class GoalAgentTaskProposal(Frozen):
    """A task as an agent proposes it (seed: `GoalAgentTaskProposal`)."""

    id: Line
    title: Line
    description: Annotated[str, StringConstraints(max_length=4000)]
    dependencies: Lines = ()
    read_set: Lines = ()
    write_set: Lines = ()
    risk: Literal["low", "moderate", "high", "critical"] = "moderate"
    acceptance: Lines = ()
    """What is true when it is done, a sentence each."""
    budget_secs: int = 300
    """How long an attempt may take."""
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What was left in the place of a proposal and is none."""

    name: str
    problem: str


Left = GoalAgentTaskProposal | Unreadable


def parse_proposal(name: str, data: bytes) -> Left:
    """Return the proposal in a file called `name`, or what keeps it from being one."""
    try:
        return GoalAgentTaskProposal.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        return Unreadable(name, f"{where}: {first['msg']}")


@dataclass(frozen=True, slots=True)
class Ground:
    """What a proposal is judged against."""

    graph: GoalTaskGraph
    """The goal's tasks with those that joined before in the same batch."""
    statuses: Mapping[str, TaskStatus]
    policy: WorkPolicy
    budget: GoalBudget
    spent: Spend
    by: GoalTask
    """The task whose agent proposes."""
    earlier: tuple[str, ...] = ()
    """Ids that came before in the same batch, and those that a person is asked about."""
    joined: int = 0
    """How many have joined, or wait for a person's word."""
    looked_at: int = 0
    """How many of this batch came before."""
    by_person: bool = False
    """Whether a person has said yes to it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its name, what it asks for, and why a proposal does not keep it, empty if it does."""

    name: str
    words: str
    find_breach: Callable[[GoalAgentTaskProposal, Ground], str]
    settles: bool = True
    """Whether it decides; else a person is asked, unless they have said yes."""


UNSAID = "you have not said yet"
OVER = frozenset({TaskStatus.FAILED, TaskStatus.BLOCKED, TaskStatus.CANCELLED})
PUBLISHES = re.compile(
    r"(?<![a-z])(?:publish(?:es|ed|ing)?|crates\.io|pypi\.org|npmjs\.com|twine\s+upload)(?![a-z])"
)
TASK_ID: TypeAdapter[str] = TypeAdapter(TaskId)


def _find_blank(one: GoalAgentTaskProposal, ground: Ground) -> str:
    blank = [name for name in ("id", "title", "description") if not getattr(one, name).strip()]
    return f"has no {' and no '.join(blank)}" if blank else ""


def _find_bad_id(one: GoalAgentTaskProposal, ground: Ground) -> str:
    try:
        TASK_ID.validate_python(one.id)
    except ValidationError:
        return "its id is not small letters, digits and dashes, 64 at most"
    return "its id is kept for the engine's repairs" if re.match(r"repair-\d", one.id) else ""


def _find_taken(one: GoalAgentTaskProposal, ground: Ground) -> str:
    if one.id in ground.earlier:
        return f"{one.id} is proposed already"
    return f"the goal has a task {one.id}" if one.id in ground.statuses else ""


def _find_excess(one: GoalAgentTaskProposal, ground: Ground) -> str:
    if ground.looked_at >= MOST_AT_ONCE:
        return f"one attempt may propose {MOST_AT_ONCE}"
    return f"{MOST_IN_ALL} may join a goal" if ground.joined >= MOST_IN_ALL else ""


def _find_no_acceptance(one: GoalAgentTaskProposal, ground: Ground) -> str:
    said = [line for line in one.acceptance if line.strip()]
    return "" if said and len(said) == len(one.acceptance) else "does not say when it is done"


def _find_bad_budget(one: GoalAgentTaskProposal, ground: Ground) -> str:
    if not 0 < one.budget_secs <= MOST_SECONDS:
        return f"asks for {one.budget_secs} s; 1 to {MOST_SECONDS} can be given"
    budget, spent = ground.budget, ground.spent
    if budget.wall_seconds is not None:
        left = max(0, budget.wall_seconds - spent.wall_ms // 1000)
        if one.budget_secs > left:
            return f"asks for {one.budget_secs} s, and {left} s are left of the goal's"
    waiting = sum(at is TaskStatus.PENDING for at in ground.statuses.values())
    if budget.attempts is not None and spent.attempts + waiting >= budget.attempts:
        return f"no attempt is left for it of {budget.attempts}"
    return ""


def _find_publishing(one: GoalAgentTaskProposal, ground: Ground) -> str:
    said = " ".join((one.id, one.title, one.description, *one.write_set)).casefold()
    found = PUBLISHES.search(said)
    return f"it is about publishing ({found.group()}), which is the person's" if found else ""


def _find_unsafe(one: GoalAgentTaskProposal, ground: Ground) -> str:
    unsafe = [path for path in (*one.read_set, *one.write_set) if not is_plain_path(path)]
    return f"names the path {unsafe[0]!r}" if unsafe else ""


def is_plain_path(path: str) -> bool:
    """Whether a path may be proposed: safe, nothing in it that is not seen, and neither git's nor
    our own in any spelling that some disk takes for theirs."""
    parts = [part.casefold().rstrip(". ") for part in path.split("/")]
    ours = any(part.startswith((".git", "git~", ".goalproof", "goalpr~")) for part in parts)
    return path.isprintable() and ":" not in path and is_safe_path(path) and not ours


def _find_no_writes(one: GoalAgentTaskProposal, ground: Ground) -> str:
    return "" if one.write_set else "does not say what it changes"


def _find_bad_dependency(one: GoalAgentTaskProposal, ground: Ground) -> str:
    for dep in one.dependencies:
        if dep == one.id:
            return "depends on itself"
        if dep not in ground.statuses:
            return f"depends on {dep!r}, which is no task before it"
        if ground.statuses[dep] in OVER:
            return f"depends on {dep}, which is {ground.statuses[dep]}"
    return ""


def _find_conflict(one: GoalAgentTaskProposal, ground: Ground) -> str:
    """Tasks that are done come before it anyway, and those it waits for as well."""
    before = _find_closure(ground.graph, (*one.dependencies, ground.by.id))
    writes, reads = Claims(one.write_set), Claims(one.read_set)
    for task in ground.graph:
        if task.id in before or ground.statuses[task.id] is TaskStatus.DONE:
            continue
        for kind, claims, paths in (
            ("both change", writes, task.writes),
            ("it changes what the other reads,", writes, task.reads),
            ("it reads what the other changes,", reads, task.writes),
        ):
            found = next((path for path in paths if claims.has((path,))), None)
            if found is not None:
                return f"is in the way of {task.id}: {kind} {found}; let one wait for the other"
    return ""


def _find_closure(graph: GoalTaskGraph, ids: Iterable[str]) -> frozenset[str]:
    by_id = {task.id: task for task in graph}
    found: set[str] = set()
    left = list(ids)
    while left:
        name = left.pop()
        if name not in found and name in by_id:
            found.add(name)
            left += by_id[name].deps
    return frozenset(found)


def _find_refusal(one: GoalAgentTaskProposal, ground: Ground) -> str:
    return "the plan takes no proposals" if ground.policy.proposals == "refuse" else ""


def _find_asking(one: GoalAgentTaskProposal, ground: Ground) -> str:
    return UNSAID if ground.policy.proposals == "ask" else ""


def _find_wider(one: GoalAgentTaskProposal, ground: Ground) -> str:
    """Nobody but a person lets a goal change more than its plan says."""
    union = {path for task in ground.graph for path in task.writes}
    wider = [path for path in one.write_set if not covers(union, path)]
    return f"it would change what no task of the goal may: {', '.join(wider[:5])}" if wider else ""


def covers(globs: Iterable[str], path: str) -> bool:
    """Whether `globs` surely name all that `path`, or that glob, names; in doubt they do not."""
    globs = tuple(globs)
    if path in globs or "**" in globs:
        return True
    if not is_glob(path):
        return match_any(path, globs)
    literal = find_literal(path)
    roots = (glob.removesuffix("**") for glob in globs if glob.endswith("/**"))
    return any(literal.startswith(root) and not is_glob(root.rstrip("/")) for root in roots)


def _find_risky(one: GoalAgentTaskProposal, ground: Ground) -> str:
    return f"its risk is {one.risk}" if one.risk in ("high", "critical") else ""


RULES: tuple[Rule, ...] = (
    Rule("policy", "the plan takes proposals", _find_refusal),
    Rule("number", f"{MOST_AT_ONCE} of an attempt, {MOST_IN_ALL} in a goal", _find_excess),
    Rule("blank", "id, title and description say something", _find_blank),
    Rule("id", "the id is one of a task", _find_bad_id),
    Rule("taken", "nothing else is called so", _find_taken),
    Rule("acceptance", "it says when it is done", _find_no_acceptance),
    Rule("writes", "it says what it changes", _find_no_writes),
    Rule("budget", "it asks for no more than is left", _find_bad_budget),
    Rule("publishing", "it publishes nothing", _find_publishing),
    Rule("path", "its paths are safe, in any spelling", _find_unsafe),
    Rule("dependency", "it waits for tasks that are there before it", _find_bad_dependency),
    Rule("conflict", "no task that is not done is in its way", _find_conflict),
    Rule("wider", "it changes only what the goal may", _find_wider, settles=False),
    Rule("risk", "its risk is low or moderate", _find_risky, settles=False),
    Rule("asked", "a person says yes, unless the plan does", _find_asking, settles=False),
)
"""In this order; the first one that is broken says why."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What becomes of a proposal: it joins, a person is asked, or it is refused, by which rule."""

    kind: Literal["joins", "asked", "refused"]
    rule: str = ""
    reason: str = ""


def judge_proposal(one: GoalAgentTaskProposal, ground: Ground) -> Ruling:
    """Return what the rules make of a proposal."""
    for rule in RULES:
        reason = rule.find_breach(one, ground)
        if reason and rule.settles:
            return Ruling("refused", rule.name, reason)
        if reason and not ground.by_person:
            return Ruling("asked", rule.name, reason)
    return Ruling("joins")


def make_task(one: GoalAgentTaskProposal, ground: Ground) -> GoalTask:
    """Return the task that a proposal becomes: done by the same agent, after what it builds on."""
    by, mine = ground.by, Claims((*one.write_set, *one.read_set))
    done = (
        task.id
        for task in ground.graph
        if ground.statuses[task.id] is TaskStatus.DONE and mine.has(task.writes)
    )
    return GoalTask(
        id=one.id,
        title=one.title,
        description=one.description,
        acceptance=one.acceptance,
        deps=tuple(dict.fromkeys((*one.dependencies, by.id, *done))),
        reads=one.read_set,
        writes=one.write_set,
        worker=by.worker,
        agent=by.agent,
        command=by.command,
        timeout=by.timeout,
        budget=TaskBudget(seconds=one.budget_secs),
        priority=one.priority,
    )
