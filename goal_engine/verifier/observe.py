"""Collects what the engine saw of a goal's tree, from the journal and its objects alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from goal_engine.check import find_command
from goal_engine.conflicts import GoalMergeConflictEvidence
from goal_engine.decision import Criterion
from goal_engine.evidence import GITLINK, SYMLINK, GoalGitEvidence
from goal_engine.gates.protected import find_protected_change, is_test
from goal_engine.gates.reaching import find_reaching
from goal_engine.ports import Ports
from goal_engine.proof.gate import (
    GateResult,
    GateSpec,
    GateStage,
    TestFailure,
    TestOutcome,
    name_setup,
)
from goal_engine.proof.hunk import HunkTrial
from goal_engine.proof.verdict import Observations
from goal_engine.state.model import GateRun, GoalState
from goal_engine.state.store import GoalStateStore
from goal_engine.types import TaskStatus


async def observe(
    ports: Ports,
    state: GoalState,
    counterfactual_tree: str | None,
    original_tree: str | None,
    reaching: tuple[str, ...],
    undone: tuple[str, ...] = (),
) -> Observations:
    """Return everything that the judgement of the goal's tree is made from."""
    tree = state.tree or state.created.base_tree
    runnable = (*state.gates, *name_setup(state.created.setup))
    return Observations(
        tree=tree,
        baseline=await _read(ports, state, GateStage.BASELINE, state.created.base_tree),
        proving=await _read(ports, state, GateStage.PROVING, tree),
        counterfactual=await _read(ports, state, GateStage.COUNTERFACTUAL, counterfactual_tree),
        original=await _read(ports, state, GateStage.ORIGINAL, original_tree),
        checks={run.criterion: run for run in state.checks_run.values() if run.tree == tree},
        protected=find_protected_change(state.evidence, find_watched(runnable, state.asked))
        if state.evidence
        else (),
        reaching=reaching,
        undone=undone,
        rejections=state.rejections,
        unfinished=find_unfinished(state),
        stopped=state.stopped.reason if state.stopped else "",
        stagnation=state.stopped.stagnation if state.stopped else None,
    )


def find_watched(gates: Iterable[GateSpec], criteria: Iterable[Criterion]) -> tuple[GateSpec, ...]:
    """Return everything that is run to judge: what it names must not be changed unseen.

    The commands of checks stand among the gates here, and nowhere else.
    """
    return (*gates, *name_checks(criteria))


def name_checks(criteria: Iterable[Criterion]) -> tuple[GateSpec, ...]:
    """Return the commands of checks as what a person approves: they are run like gates, and judge nothing."""
    return tuple(
        GateSpec(
            name=f"check-{number}",
            argv=argv,
            cwd=getattr(criterion.check, "cwd", "."),
            timeout=getattr(criterion.check, "timeout", 600),
            reason=f"what criterion {criterion.id} compares or measures",
        )
        for number, criterion in enumerate(criteria, 1)
        if (argv := find_command(criterion.check))
    )


def find_unfinished(state: GoalState) -> tuple[str, ...]:
    """Return a phrase for each task of the plan that did not end well.

    A repair is the engine's own attempt: what it left undone the gates say.
    """
    repairs = state.repair_ids
    return tuple(
        f"task {task_id} {task.status}{f': {task.reason}' if task.reason else ''}"
        for task_id, task in state.tasks.items()
        if task.status is not TaskStatus.DONE and task_id not in repairs
    )


def find_stage_tree(state: GoalState, stage: GateStage) -> str | None:
    """Return the tree that the journal's runs of a stage were made on."""
    results = [run.result for run in state.gates_run.values()]
    return next((result.tree for result in results if result.stage is stage), None)


def find_reaching_change(
    read_blob: Callable[[str, str], bytes | None],
    evidence: GoalGitEvidence | None,
    gates: Iterable[GateSpec],
) -> tuple[str, ...]:
    """Return the places where the change's code reaches for what judges it; blocking."""
    globs = tuple(glob for gate in gates for glob in gate.tests)
    found: list[str] = []
    if evidence is None:
        return ()
    for file in evidence.files:
        if file.status == "D" or is_test(file.path, globs) or file.mode in (SYMLINK, GITLINK):
            continue
        new = read_blob(evidence.tree, file.path) or b""
        old = read_blob(evidence.base_tree, file.old_path or file.path) or b""
        found += find_reaching(file.path, old, new)
    return tuple(found)


async def _read(
    ports: Ports, state: GoalState, stage: GateStage, tree: str | None
) -> dict[str, GateResult]:
    runs = (state.find_run(stage, tree, gate.name) for gate in state.gates if tree)
    return {run.result.gate: await read_run(ports, run) for run in runs if run}


async def read_run(ports: Ports, run: GateRun) -> GateResult:
    """Return a recorded result with the outcome of each test."""
    if run.report is None:
        return run.result
    table = json.loads(await ports.store.read_object(run.report))
    return run.result.changed(tests={test: TestOutcome(said) for test, said in table.items()})


def render_report(result: GateResult) -> bytes:
    """Return the outcomes as they are kept: canonical, so that equal ones have one name."""
    return json.dumps(result.tests, sort_keys=True, separators=(",", ":")).encode()


async def read_failures(ports: Ports, run: GateRun) -> tuple[TestFailure, ...]:
    """Return where the tests of a recorded result failed, none where that was not kept."""
    return await read_failures_with_store(ports.store, run)


async def read_failures_with_store(store: GoalStateStore, run: GateRun) -> tuple[TestFailure, ...]:
    """`read_failures` on a store."""
    if run.failures is None:
        return ()
    table = json.loads(await store.read_object(run.failures))
    return tuple(TestFailure.model_validate(item) for item in table)


async def read_clash(store: GoalStateStore, state: GoalState) -> GoalMergeConflictEvidence | None:
    """Return what both sides of the goal's conflict did, `None` without one or where it was not kept."""
    if state.clash is None or state.clash.report is None:
        return None
    kept = await store.read_object(state.clash.report)
    return GoalMergeConflictEvidence.model_validate_json(kept)


def render_failures(failures: tuple[TestFailure, ...]) -> bytes:
    """Return failures as they are kept."""
    table = [failure.model_dump(mode="json") for failure in failures]
    return json.dumps(table, sort_keys=True, separators=(",", ":")).encode()


async def read_trials(ports: Ports, state: GoalState) -> tuple[HunkTrial, ...]:
    """Return what was seen of the hunks of the goal's present tree, none where none was tried."""
    if state.hunks is None or state.hunks.tree != state.tree:
        return ()
    table = json.loads(await ports.store.read_object(state.hunks.report))
    return tuple(HunkTrial.model_validate(item) for item in table)


def render_trials(trials: tuple[HunkTrial, ...]) -> bytes:
    """Return trials as they are kept."""
    table = [trial.model_dump(mode="json") for trial in trials]
    return json.dumps(table, sort_keys=True, separators=(",", ":")).encode()
