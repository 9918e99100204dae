"""Runs gates on a goal's tree without one hunk at a time, each in workspaces of its own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from goal_engine.decision import EvidenceKind
from goal_engine.evidence import GoalGitEvidence
from goal_engine.gates.protected import is_test
from goal_engine.proof.gate import GateOutcome, GateResult, GateSpec, GateStage
from goal_engine.proof.hunk import Hunk, HunkTrial, find_hunks, is_whole, judge_hunk, take_out
from goal_engine.runtime.repository import EvidenceRepository
from goal_engine.runtime.threads import in_thread
from goal_engine.state.model import GoalState
from goal_engine.verifier.run import run_gate
from goal_engine.worktree import Workbench

Say = Callable[[str], None]
Known = Mapping[tuple[str, str], GateResult]
"""What gates said before, by tree and gate."""


def find_bound(state: GoalState, now: Mapping[str, GateResult]) -> tuple[GateSpec, ...]:
    """Return the gates that criteria name and that have something to lose, flipping ones first."""
    rank = {c.gate: c.evidence is not EvidenceKind.FLIPS for c in reversed(state.asked)}
    rank |= {c.gate: False for c in state.asked if c.evidence is EvidenceKind.FLIPS}
    bound = [g for g in state.gates if g.name in rank and g.name in now and _answers(now[g.name])]
    return tuple(sorted(bound, key=lambda gate: rank[gate.name]))


def _answers(result: GateResult) -> bool:
    return result.green or (result.outcome is GateOutcome.FAILED and bool(result.tests))


def find_code_hunks(
    repository: EvidenceRepository, evidence: GoalGitEvidence, gates: Sequence[GateSpec]
) -> tuple[Hunk, ...]:
    """Return the hunks of a change that are no tests, file by file; blocking."""
    globs = tuple(glob for gate in gates for glob in gate.tests)
    found: list[Hunk] = []
    for file in sorted(evidence.files, key=lambda file: file.path):
        if is_test(file.path, globs):
            continue
        hunks: tuple[Hunk, ...] = ()
        if not is_whole(file):
            diff = repository.bare_patch(evidence.base_tree, evidence.tree, file.path)
            hunks = find_hunks(file, diff)
        found += hunks or [Hunk(path=file.path, old_path=file.old_path, whole=True)]
    return tuple(found)


def make_tree_without(repository: EvidenceRepository, evidence: GoalGitEvidence, hunk: Hunk) -> str:
    """Return the tree of the change without one hunk; blocking."""
    if hunk.whole:
        moved = {file.path for file in evidence.files if file.status == "R"}
        paths = {hunk.path, *({hunk.old_path} if hunk.path in moved and hunk.old_path else ())}
        return repository.overlay(evidence.tree, evidence.base_tree, paths)
    base = repository.read_blob(evidence.base_tree, hunk.path) or b""
    head = repository.read_blob(evidence.tree, hunk.path) or b""
    return repository.with_content(evidence.tree, hunk.path, take_out(hunk, base, head))


async def try_without(
    bench: Workbench,
    evidence: GoalGitEvidence,
    base_commit: str,
    hunks: Sequence[Hunk],
    gates: Sequence[GateSpec],
    now: Mapping[str, GateResult],
    known: Known,
    seconds: float,
    say: Say,
) -> tuple[HunkTrial, ...]:
    """Return what `gates` say without each of `hunks`; no run begins after `seconds`.

    Trees that are the same are run once, and not at all where they are `known`.  Cancelled, it
    returns only when every process is dead.
    """
    trees = [await in_thread(make_tree_without, bench.repository, evidence, hunk) for hunk in hunks]
    ran = dict(known)
    todo = [
        (number, tree, gate)
        for number, tree in enumerate(trees)
        for gate in gates
        if (tree, gate.name) not in ran and tree not in trees[:number]
    ]
    loop = asyncio.get_running_loop()
    end, slots = loop.time() + seconds, asyncio.Semaphore(max(2, os.cpu_count() or 1))

    async def run(number: int, tree: str, gate: GateSpec) -> None:
        async with slots:
            if loop.time() >= end:
                return
            own = replace(bench, folder=bench.folder / f"hunk-{number}")
            commit = await in_thread(own.commit, tree, base_commit, "without one hunk")
            found = await run_gate(own, gate, GateStage.COUNTERFACTUAL, tree, commit)
            ran[tree, gate.name] = found.result
            say(f"without {hunks[number].place} · {gate.name}: {found.result.outcome}")

    async with asyncio.TaskGroup() as group:
        for number, tree, gate in todo:
            if gate.parallel:
                group.create_task(run(number, tree, gate))
    for number, tree, gate in todo:
        if not gate.parallel:
            await run(number, tree, gate)
    return tuple(
        judge_hunk(
            hunk,
            {gate.name: now[gate.name] for gate in gates},
            {gate.name: ran[tree, gate.name] for gate in gates if (tree, gate.name) in ran},
        )
        for hunk, tree in zip(hunks, trees, strict=True)
    )
