"""A plan as people write it: one `GoalPlan`, TOML on disk, every problem reported at once."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field, ValidationError

from goal_engine.budget import GoalBudget, find_nonsense
from goal_engine.check import (
    Faster,
    Gone,
    GonePattern,
    Links,
    OnlyTests,
    Repeats,
    SameOutput,
)
from goal_engine.decision import Criterion, EvidenceKind
from goal_engine.errors import BadPlan
from goal_engine.proof.verdict import EXTRA_CRITERIA
from goal_engine.state.model import GoalState
from goal_engine.task_graph.graph import FixStep, GoalTask, GoalTaskGraph
from goal_engine.task_graph.policy import DEFAULT_POLICY, WorkPolicy
from goal_engine.toml import UNREADABLE, render_key, render_rows, render_value
from goal_engine.types import AgentWorker, Frozen, GoalId, GoalKind, Installed, WorkerName

CHECK_SHOWS: Mapping[type[Frozen], EvidenceKind] = {
    Gone: EvidenceKind.FLIPS,
    GonePattern: EvidenceKind.FLIPS,
    Links: EvidenceKind.HOLDS,
    OnlyTests: EvidenceKind.HOLDS,
    Repeats: EvidenceKind.FLIPS,
    SameOutput: EvidenceKind.HOLDS,
    Faster: EvidenceKind.FLIPS,
}
"""The evidence that each check can give; a person may be shown any of them."""
KINDS = """\
# evidence: "flips" is red before, green now and red again without the change; "holds" is green before and
# after; "accepted" is a person's word. All but the last name a gate, and tests of it if not all speak for it.
# `some_test = true`: one test that flips is enough, of those that `tests` names; any other one is shown to you,
# unless `new_tests = "trust"`. In the place of a gate's tests, the engine can look itself:
# check = { gone = "old", paths = ["src/**"], instead = "new" }, { gone_pattern = "regex" }, { same_output = ["program"] },
# { faster = ["program"], ratio = 1.5 }, { runs = 20 } (a flaky test), { links = ["**/*.md"] }, { only_tests = true }.
"""
STEPS = """\
# steps, one after the other: { run = ["program", "word"] }, { write = "path", content = "text" },
# { replace = "path", old = "text", new = "text", count = 1 }, { fix = "gate" }. Instead of steps a task has
# worker = "manual" (you, in a folder of its own) or agent = "name" (`goalproof agents`), with worker = "acp" or "cli" if wanted.
# `writes` are the paths that it may change, as globs; tasks that may change the same wait by `deps`.
# budget = { seconds = "10m", tokens = 50000, usd = "0.50", turns = 1 }: what one attempt may use, held back meanwhile.
# priority = 10: of tasks that could run, those with a higher one (the usual is 0) go first.
"""
POLICY = """\
# how tasks are given out: `sequential = true` is one after the other, each on what those before it left;
# `retries = 2`: attempts that failed because of the machine or a vendor's limit are made again, later;
# `proposals = "ask"`: what becomes of tasks that agents propose: you are asked, or `accept`, or `refuse`;
# `permissions = "ask"`: what agents may do without asking you, less than in your settings.toml: "deny", "ask",
# "workspace"; `permissions_deny = ["git *", "fetch: *"]`: what they may not do in any case
"""
NONE_INSTALLED: Installed = {}
LIMITS = f"limits: {', '.join(GoalBudget.model_fields)}; without this table they stay as they are"
RESERVED = "has a name that is kept for what a person has to look at besides the plan"
EXAMPLE = """\
# [[criterion]]
# id = "done"
# text = "What is true afterwards"
# evidence = "holds"
# gate = "tests"

# [[task]]
# id = "first"
# title = "What is done"
# writes = ["src/**"]
# steps = [
#   { replace = "src/app.py", old = "text that is there", new = "text to be there" },
# ]
"""
"""Where a goal has no tasks yet."""


class GoalPlan(Frozen):
    """A goal, what it must show and the tasks that get there."""

    goal: str = Field(min_length=1, max_length=4000)
    kind: GoalKind | None = None
    criteria: tuple[Criterion, ...] = Field(default=(), alias="criterion")
    tasks: tuple[GoalTask, ...] = Field(default=(), alias="task")
    budget: GoalBudget = GoalBudget()
    policy: WorkPolicy = DEFAULT_POLICY

    @property
    def graph(self) -> GoalTaskGraph:
        """The tasks as a graph."""
        return GoalTaskGraph(tasks=self.tasks)

    @property
    def has_budget(self) -> bool:
        """Whether the document sets limits itself."""
        return "budget" in self.model_fields_set


def parse_plan(
    text: str,
    name: str,
    worker: WorkerName | None = None,
    agent: str = "",
    installed: Installed = NONE_INSTALLED,
) -> GoalPlan:
    """Return the plan in `text`, a TOML document called `name` in messages.

    `worker`, `agent` and `installed` are for what it gives to nobody: see `assign_workers`.
    Raises `BadPlan` with every problem and its ids.
    """
    try:
        raw = tomllib.loads(text)
    except UNREADABLE as error:
        raise BadPlan(f"{name} is not TOML: {error}. Correct that place and try again.") from error
    try:
        plan = GoalPlan.model_validate(raw)
    except ValidationError as error:
        problems = "; ".join(_say(item["loc"], item["msg"]) for item in error.errors())
        raise BadPlan(f"{name} is no plan: {problems}.") from error
    plan = assign_workers(plan, worker, agent, installed)
    nonsense = "; ".join(f"budget.{key} {said}" for key, said in find_nonsense(plan.budget))
    if nonsense:
        raise BadPlan(f"{name} cannot be kept to: {nonsense}.")
    check_graph(plan, name)
    return plan


def assign_workers(
    plan: GoalPlan,
    worker: WorkerName | None,
    agent: str = "",
    installed: Installed = NONE_INSTALLED,
) -> GoalPlan:
    """Return `plan` with `worker` for each task that names none and has no steps.

    `agent` is for the tasks of an agent's worker that name neither an agent nor a command.  An agent
    alone means the best of its workers that is `installed`.
    """
    worker = worker or (find_worker(agent, installed) if agent else None)

    def find(task: GoalTask) -> WorkerName | None:
        if task.command:
            return "cli"
        own = task.agent not in ("", agent)
        return find_worker(task.agent, installed) if own else worker

    def assigned(task: GoalTask) -> GoalTask:
        unnamed = not task.steps and "worker" not in task.model_fields_set
        if unnamed and (found := find(task)):
            task = task.changed(worker=found)
        if agent and task.by_agent and not task.agent and not task.command:
            task = task.changed(agent=agent)
        return task

    return plan.changed(tasks=tuple(map(assigned, plan.tasks)))


def find_worker(agent: str, installed: Installed) -> AgentWorker:
    """Return the worker for an agent that nobody named one for."""
    return next(iter(installed.get(agent, ())), "cli")


def plan_of(state: GoalState) -> GoalPlan:
    """Return the plan that a goal has."""
    return GoalPlan(
        goal=state.created.text,
        kind=state.created.kind,
        criterion=state.criteria,
        task=state.plan.tasks,
        budget=state.budget,
        policy=state.policy,
    )


def render_plan(state: GoalState, *, begun: bool | None = None) -> str:
    """Return the plan of a goal as TOML that a person can edit; `parse_plan` reads it back.

    `begun` says whether work on it has begun, in the place of the goal.
    """
    document = render_document(plan_of(state), state.gate_names)
    said = state.has_begun if begun is None else begun
    return "\n".join([*_introduce(state.goal_id, said), "", document])


def _introduce(goal: GoalId, begun: bool) -> Iterator[str]:
    yield f"# The plan of {goal}: what it has to show, and what is done for it."
    if begun:
        yield "# It is there to be read: work on it has begun. `goalproof run --plan FILE` makes another goal."
        return
    yield "# Nothing of it has run. Change it as you like and save it; then"
    yield f"#   goalproof revise {goal}    takes it as the plan, or says what is wrong with it"
    yield f"#   goalproof execute {goal}   runs it"
    yield '# In an editor, "Run this plan" does both.'


def render_document(plan: GoalPlan, gates: tuple[str, ...]) -> str:
    """Return a plan as TOML, with what a person has to know to change it.  `gates` are names."""
    head = _render_fields({"goal": plan.goal, **({"kind": plan.kind} if plan.kind else {})})
    parts = [head, f"# gates: {', '.join(gates)}\n{KINDS}".rstrip()]
    parts += [f"[[criterion]]\n{_render_fields(_dump(item))}" for item in plan.criteria]
    parts.append(STEPS.rstrip())
    parts += [f"[[task]]\n{_render_task(task)}" for task in plan.tasks]
    if not plan.tasks:
        parts.append(EXAMPLE.rstrip())
    parts.append(f"{POLICY}[policy]\n{_render_fields(_dump(plan.policy))}".rstrip())
    parts.append(f"# {LIMITS}\n[budget]\n{_render_fields(_dump(plan.budget))}".rstrip())
    return "\n\n".join(parts) + "\n"


def _dump(value: Frozen) -> dict[str, Any]:
    return value.model_dump(exclude_defaults=True)


def _render_task(task: GoalTask) -> str:
    """The paths a task may change are always there to be narrowed; what it does comes last."""
    fields = _dump(task)
    steps = fields.pop("steps", ())
    first: dict[str, Any] = {
        key: fields.pop(key) for key in ("id", "title", "deps", "reads") if key in fields
    }
    text = _render_fields({**first, "writes": task.writes, **fields})
    return f"{text}\nsteps = {render_rows(steps)}" if steps else text


def _render_fields(fields: dict[str, Any]) -> str:
    return "\n".join(f"{render_key(key)} = {render_value(value)}" for key, value in fields.items())


def check_graph(plan: GoalPlan, name: str) -> None:
    """Raise `BadPlan` naming every rule that the tasks of a plan break."""
    problems = plan.graph.validate(sequential=plan.policy.sequential)
    if problems:
        found = "; ".join(f"task {problem.ids[0]} {problem.message}" for problem in problems)
        raise BadPlan(f"{name} cannot be run: {found}.")


def check_against_gates(plan: GoalPlan, gates: tuple[str, ...], fixes: tuple[str, ...]) -> None:
    """Raise `BadPlan` where the plan speaks of gates that do not exist or cannot fix."""
    problems = [*_find_bad_criteria(plan, gates), *_find_bad_fixes(plan, fixes)]
    if problems:
        known = ", ".join(gates) or "none"
        raise BadPlan(f"The plan does not fit the gates ({known}): {'; '.join(problems)}.")


def _find_bad_criteria(plan: GoalPlan, gates: tuple[str, ...]) -> Iterator[str]:
    seen: set[str] = set()
    for criterion in plan.criteria:
        if criterion.id in seen:
            yield f"criterion {criterion.id} is there more than once"
        seen.add(criterion.id)
        if criterion.id in EXTRA_CRITERIA:
            yield f"criterion {criterion.id} {RESERVED}"
        yield from (f"criterion {criterion.id} {said}" for _, said in find_misfits(criterion))
        if criterion.gate is None:
            if criterion.check is None and not criterion.some_test and not _is_word(criterion):
                yield f"criterion {criterion.id} {criterion.evidence} but names no gate"
        elif criterion.gate not in gates and (criterion.check or not _is_word(criterion)):
            yield f"criterion {criterion.id} names the gate {criterion.gate!r}, which there is not"


def find_misfits(criterion: Criterion) -> Iterator[tuple[str, str]]:
    """Yield the key and what is wrong for fields of a criterion that do not go together."""
    word, check = _is_word(criterion), criterion.check
    if criterion.some_test and (criterion.evidence is EvidenceKind.HOLDS or check):
        yield "some_test", "has `some_test`, which is for `flips` and `accepted` without a check"
    if criterion.new_tests == "trust" and not criterion.some_test:
        yield "new_tests", "trusts new tests, which says nothing without `some_test = true`"
    if check is None:
        return
    wanted = CHECK_SHOWS[type(check)]
    if not word and criterion.evidence is not wanted:
        yield "evidence", f"has a check that shows what {wanted}, so its evidence is `{wanted}`"
    if isinstance(check, Faster) and check.ratio is None and not word:
        yield "check", "names no `ratio`, so only a person can judge it: its evidence is `accepted`"
    needs_gate = isinstance(check, Repeats | OnlyTests)
    if needs_gate and criterion.gate is None:
        yield "check", "has a check of a gate's tests, and names no `gate`"
    if not needs_gate and criterion.gate is not None:
        yield "gate", "has a check that no gate does, so it names none"


def _is_word(criterion: Criterion) -> bool:
    return criterion.evidence is EvidenceKind.ACCEPTED


def _find_bad_fixes(plan: GoalPlan, fixes: tuple[str, ...]) -> Iterator[str]:
    for task in plan.tasks:
        for step in task.steps:
            if isinstance(step, FixStep) and step.fix not in fixes:
                yield f"task {task.id} asks for the fix of {step.fix!r}, which has none"


def _say(location: tuple[int | str, ...], message: str) -> str:
    where = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in location)
    said = "there is no such key" if message == "Extra inputs are not permitted" else message
    return f"{where.lstrip('.') or 'the document'}: {said}"
