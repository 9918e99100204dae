"""A result that the gates said no to is repaired: weighed, planned, or given up with a diagnosis.

Nothing runs here: a repair is one more task of the goal, done and judged like any other.  Each step
is recorded before the next, so that a goal which was interrupted goes on where it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from goal_engine.budget import Spend
from goal_engine.conflicts import name_files, render_conflict, say_others
from goal_engine.decision import CriterionState
from goal_engine.dispatch.tasks.repairs import find_repairs, find_stop, make_repair, make_rework
from goal_engine.evidence import GoalGitEvidence
from goal_engine.ports import Ports
from goal_engine.proof.gate import GateOutcome, GateResult, GateSpec, GateStage, TestFailure
from goal_engine.proof.verdict import Judgement, Observations, judge
from goal_engine.runtime.threads import in_thread
from goal_engine.secret_shapes import redact
from goal_engine.stagnation import NAMED, Round, find_signs, steady_words
from goal_engine.state import events as e
from goal_engine.state.commands import Record
from goal_engine.state.model import GoalState, TaskState
from goal_engine.takeover import workspaces_folder
from goal_engine.task_graph.graph import GoalTask
from goal_engine.types import TaskStatus
from goal_engine.verifier.observe import find_unfinished, observe, read_clash, read_failures
from goal_engine.verifier.run import name_run
from goal_engine.workers.prompt import Failed, render_failed, trim_output
from goal_engine.worktree import Workbench

PATCH = 12_000
"""Characters of a change that did not merge, as its worker is told."""
SHOWN = 5
"""Names that a sentence repeats."""
LONGEST = 300
"""Characters of a test's name that a round keeps."""


@dataclass(frozen=True, slots=True)
class _Weighed:
    """What the gates said to one result, as far as they lack something."""

    seen: Observations
    judgement: Judgement
    red: tuple[GateSpec, ...]
    lacks: tuple[str, ...]
    failed: tuple[Failed, ...]


async def repair_result(
    ports: Ports, bench: Workbench, state: GoalState, spent: Spend
) -> GoalState:
    """Plan a repair of the goal's tree, on which the gates have run, if there is room and hope.

    The goal that is returned has one more pending task, or is to be judged as it stands: on the
    tree it came with, or on the one before where a repair made it worse.
    """
    if not state.budget.repairs or state.stopped or find_unfinished(state):
        return state
    weighed = await _weigh(ports, state)
    if not weighed.lacks or not _can_repair(state, weighed):
        return state
    facts = await in_thread(_find_round, bench, state, weighed)
    if facts:
        state = await ports.transact(state.goal_id, Record(facts))
        weighed = await _weigh(ports, state)
    stop = find_stop(state, spent)
    if stop is not None:
        return await ports.transact(state.goal_id, Record((stop,)))
    task = make_repair(state, weighed.red, _name(weighed))
    if task is None:
        return state
    said = render_failed(weighed.failed)
    return await _plan(ports, state, task, weighed.lacks, said)


async def repair_merge(
    ports: Ports, bench: Workbench, state: GoalState, spent: Spend
) -> tuple[GoalState, str]:
    """Plan a task for what did not merge, once; return the goal and what a person has to see to.

    A person's own work waits for them as it is.
    """
    name = state.conflicted
    task = next((task for task in state.graph if task.id == name), None)
    if task is None or task.worker == "manual" or not state.budget.repairs:
        return state, ""
    lacks = (say_clash(state, task.id),)
    tried = [repair for repair in find_repairs(state) if repair.resolves == task.id]
    rework = None if tried or find_stop(state, spent) else make_rework(state, task)
    if rework is not None:
        seen = await read_clash(ports.store, state)
        told = f"{render_conflict(seen)}\n\n" if seen else ""
        said = told + await in_thread(_show_conflict, bench, state, task)
        return await _plan(ports, state, rework, lacks, said, resolves=task.id), ""
    ended = [f"{_say_ended(state, repair.task.id)}" for repair in tried]
    return state, "; ".join((*lacks, *ended))


def say_clash(state: GoalState, task: str) -> str:
    """Return what does not merge: with whose work, in which files, and how."""
    files = name_files(state.conflict)
    clash = state.clash
    kinds = {str(kind) for kind in clash.kinds} if clash else set()
    how = f" ({', '.join(sorted(kinds))})" if kinds else ""
    more = f" and {len(files) - SHOWN} more" if len(files) > SHOWN else ""
    by = f", by {say_others(clash.others)}" if clash and clash.others else ""
    named = f"{', '.join(files[:SHOWN])}{more}{how}"
    return f"the result of task {task} does not merge with what is there{by}: {named}"


async def _plan(
    ports: Ports,
    state: GoalState,
    task: GoalTask,
    reasons: tuple[str, ...],
    said: str,
    resolves: str | None = None,
) -> GoalState:
    repairs = find_repairs(state)
    told = redact(said).encode("utf-8", "replace")  # it leaves the machine with the prompt
    planned = e.RepairPlanned(
        task=task,
        number=len(repairs) + 1,
        limit=state.budget.repairs,
        reasons=reasons,
        tried=tuple(_say_ended(state, repair.task.id) for repair in repairs),
        failures=await ports.store.write_object(told) if told else None,
        resolves=resolves,
    )
    return await ports.transact(state.goal_id, Record((planned,)))


def _can_repair(state: GoalState, weighed: _Weighed) -> bool:
    """Whether there is a repair to weigh, or somebody who could do one."""
    tried = find_repairs(state)
    return bool(tried) or make_repair(state, weighed.red, "") is not None


# What the gates said


async def _weigh(ports: Ports, state: GoalState) -> _Weighed:
    """Judge by the proving gates alone: what they say no to needs no counterfactual."""
    seen = await observe(ports, state, None, None, ())
    judgement = await in_thread(judge, state.gates, state.asked, state.acceptances, seen)
    partial = [v for v in judgement.criteria if v.state is CriterionState.PARTIAL]
    unmet = [v for v in judgement.gates if v.required and not v.met]
    named = {v.gate for v in unmet} | {v.criterion.gate for v in partial}
    red = tuple(spec for spec in state.gates if spec.name in named and _is_red(state, spec, seen))
    lacks = (
        *(f"gate {v.gate}: {v.reason}" for v in unmet),
        *(f"criterion {v.criterion.id}: {v.reason}" for v in partial),
    )
    why = {v.gate: v.reason for v in judgement.gates}
    failed = [await _read_failed(ports, state, spec, seen, why[spec.name]) for spec in red]
    return _Weighed(seen, judgement, red, lacks if red else (), tuple(failed))


def _is_red(state: GoalState, spec: GateSpec, seen: Observations) -> bool:
    """Whether a gate says something that a change could repair.

    One that would have judged other files does not, and neither does one that is green: then what
    a criterion lacks is not in the files, such as a test that was red before as well.
    """
    result = seen.proving.get(spec.name)
    if result is None or result.outcome is GateOutcome.WRONG_TREE:
        return False
    return not result.green or bool(find_failing(state, spec.name, seen))


async def _read_failed(
    ports: Ports, state: GoalState, spec: GateSpec, seen: Observations, why: str
) -> Failed:
    """What is new alone: what failed on the base already is nobody's to repair.

    Where the gate ran is gone by now, and is taken out: an agent would go and look there.
    """
    result = seen.proving[spec.name]
    run = state.find_run(GateStage.PROVING, result.tree, spec.name)
    failures = await read_failures(ports, run) if run else ()
    log = await ports.store.read_object(result.log) if result.log else b""
    wanted = find_failing(state, spec.name, seen)
    told = sorted((f for f in failures if f.test in wanted), key=lambda f: f.path is None)
    place = workspaces_folder(ports.find_state_dir(), state.goal_id)
    ran = place / name_run(GateStage.PROVING, spec.name)
    output = log.decode("utf-8", "replace").replace(f"{ran.resolve()}/", "").replace(f"{ran}/", "")
    if wanted and not told:
        told = [TestFailure(test=name, message="") for name in sorted(wanted)]
    return Failed(spec.name, why, tuple(told), output)


def find_failing(state: GoalState, gate: str, seen: Observations) -> frozenset[str]:
    """Return the tests of a gate that a repair has to turn: new failures, and what was asked for."""
    now, base = seen.proving[gate], seen.baseline.get(gate)
    asked = {test for c in state.asked if c.gate == gate for test in c.tests}
    wanting = {test for test in asked if test not in now.tests} if now.tests else set()
    old = base.failing if base is not None and not base.green else frozenset[str]()
    new = now.failing - old
    return frozenset(new | (now.failing & asked) | wanting) or now.failing


def _name(weighed: _Weighed) -> str:
    gates = ", ".join(spec.name for spec in weighed.red[:SHOWN])
    return f"gate {gates}" if len(weighed.red) == 1 else f"gates {gates}"


# One round


def _find_round(
    bench: Workbench, state: GoalState, weighed: _Weighed
) -> tuple[e.RoundWeighed | e.RepairDropped, ...]:
    """Return the round that this tree is, unless it was weighed before; blocking.

    A repair that made it worse is not kept: the next one begins where this one did.
    """
    made = next(
        (r.task.id for r in reversed(find_repairs(state)) if r.task.id in state.integrated), ""
    )
    if any(known.task == made for known in state.rounds):
        return ()
    now = _make_round(bench, state, weighed, made)
    fact = e.RoundWeighed(round=now)
    best = min((known.score for known in state.rounds), default=now.score)
    if now.score <= best:
        return (fact,)
    return (fact, _drop(bench, state, now, best))


def _drop(
    bench: Workbench, state: GoalState, now: Round, best: tuple[int, int, int]
) -> e.RepairDropped:
    created, before = state.created, state.tasks[now.task].base
    reason = f"not kept, it made it worse: {_say_score(now.score)}, before it {_say_score(best)}"
    if before is None or before == created.base_commit:
        return e.RepairDropped(task=now.task, reason=reason, commit=None, tree=None, evidence=None)
    tree = bench.repository.tree_of(before)
    evidence = bench.repository.evidence(created.base_tree, tree)
    return e.RepairDropped(
        task=now.task, reason=reason, commit=before, tree=tree, evidence=evidence
    )


def _say_score(score: tuple[int, int, int]) -> str:
    unmet, missing, failures = score
    return f"{unmet} gates not met, {missing} criteria open, {failures} failures"


def _make_round(bench: Workbench, state: GoalState, weighed: _Weighed, made: str) -> Round:
    tree, evidence = weighed.seen.tree, bench.repository.evidence
    begun = _find_begin(bench, state, made)
    change = evidence(begun, tree)
    failing = {
        f"{spec.name}: {test}"[:LONGEST] if test else spec.name
        for spec in weighed.red
        for test in (find_failing(state, spec.name, weighed.seen) or {""})
    }
    unmet = sum(v.required and not v.met for v in weighed.judgement.gates)
    partial = sum(v.state is CriterionState.PARTIAL for v in weighed.judgement.criteria)
    told = sorted(line for one in weighed.failed for line in _find_told(one))
    said = "\n".join(steady_words(line) for line in told)
    before = [evidence(known.tree, tree) for known in state.rounds if known.tree != begun]
    return Round(
        task=made,
        tree=tree,
        unmet=unmet,
        missing=partial,
        failures=len(failing),
        failing=tuple(sorted(failing)[:NAMED]),
        said=hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:16],
        files=len(change.files),
        lines=change.additions + change.deletions,
        returned=_find_returned(change, before),
        signs=_find_signs(weighed.failed),
        unsteady=tuple(sorted(failing & set(_find_unsteady(weighed)))[:NAMED]),
    )


def _find_begin(bench: Workbench, state: GoalState, made: str) -> str:
    """Return the tree that a round was made of, which may not be the round before: that was dropped."""
    base = state.tasks[made].base if made else None
    return state.created.base_tree if base is None else bench.repository.tree_of(base)


def _find_returned(change: GoalGitEvidence, before: Iterable[GoalGitEvidence]) -> tuple[str, ...]:
    """Files of `change` that are as in a round which it was not made of."""
    back = {path for earlier in before for path in change.paths - earlier.paths}
    return tuple(sorted(back)[:NAMED])


def _find_told(failed: Failed) -> Iterator[str]:
    """What each failing thing said, one line each: its message, or the gate's own words."""
    if failed.failures:
        yield from (f"{failure.test}: {failure.message}" for failure in failed.failures)
    else:
        yield f"{failed.gate}: {failed.reason}"


def _find_signs(failed: Iterable[Failed]) -> tuple[str, ...]:
    """Only where all that fails speaks of the world outside: else there is something to repair."""
    found: set[str] = set()
    for one in failed:
        texts = [failure.message for failure in one.failures] or [one.output or one.reason]
        for text in texts:
            signs = find_signs(text.splitlines())
            if not signs:
                return ()
            found |= set(signs)
    return tuple(sorted(found)[:NAMED])


def _find_unsteady(weighed: _Weighed) -> Iterator[str]:
    """What said yes and no to the same files: in several runs, or where the result is the base."""
    for spec in weighed.red:
        base, now = weighed.seen.baseline.get(spec.name), weighed.seen.proving[spec.name]
        yield from (f"{spec.name}: {test}"[:LONGEST] for test in now.flaky)
        if not now.tests and 0 < now.red < now.runs:
            yield spec.name
        if base is None or base.tree != now.tree:
            continue
        yield from (f"{spec.name}: {test}"[:LONGEST] for test in _find_flips(base, now))
        if not now.tests and base.outcome is not now.outcome:
            yield spec.name


def _find_flips(one: GateResult, other: GateResult) -> Iterator[str]:
    for test in one.tests.keys() & other.tests.keys():
        if one.tests[test] is not other.tests[test]:
            yield test


# What was tried


def _say_ended(state: GoalState, name: str) -> str:
    """Return what a repair came to, as a sentence."""
    task = state.tasks[name]
    if task.evidence is not None and not task.evidence.files:
        return f"{name} changed nothing"
    if task.status is TaskStatus.FAILED:
        return f"{name} {_say_changed(task)}failed: {task.reason}"
    left = next((known for known in state.rounds if known.task == name), None)
    after = f"; then still failed: {', '.join(left.failing[:SHOWN])}" if left else ""
    return f"{name} {_say_changed(task)}was not enough{after}"


def _say_changed(task: TaskState) -> str:
    if task.evidence is None:
        return ""
    paths, change = sorted(task.evidence.paths), task.evidence
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return (
        f"changed {', '.join(paths[:SHOWN])}{more} (+{change.additions} −{change.deletions}) and "
    )


def _show_conflict(bench: Workbench, state: GoalState, task: GoalTask) -> str:
    """Return the change that did not merge, as a patch; blocking."""
    change = state.tasks[task.id].evidence
    if change is None:
        return ""
    patch = bench.repository.patch(change.base_tree, change.tree).decode("utf-8", "replace")
    shown = patch if len(patch) <= PATCH else trim_output(patch, PATCH)
    return f"the change of task {task.id}, made of the files as they were before:\n{shown}"
