"""Each hunk of a judged change is taken away and its gates run: what nothing notices is unproven.

Nothing of it changes a verdict.  It is recorded for the tree and makes a proof that says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from goal_engine.errors import NotPossibleNow, RepositoryUnusable
from goal_engine.moved import Fingerprint, find_changes, say_changes
from goal_engine.ports import Ports
from goal_engine.proof.gate import GateResult
from goal_engine.proof.hunk import HunkStanding, HunkTrial, count_standings
from goal_engine.proof.statement import ProofCause
from goal_engine.runtime.fingerprint import read_fingerprint
from goal_engine.runtime.threads import in_thread
from goal_engine.state.commands import RecordHunks
from goal_engine.state.events import HunksTried
from goal_engine.state.evolve import evolve
from goal_engine.state.model import GoalState
from goal_engine.state.possible import check_possible
from goal_engine.takeover import take_over
from goal_engine.types import GoalId
from goal_engine.verifier.again import weigh_again
from goal_engine.verifier.bench import open_bench
from goal_engine.verifier.bundle import write_bundle
from goal_engine.verifier.observe import read_run, render_trials
from goal_engine.verifier.without import find_bound, find_code_hunks, try_without
from goal_engine.worktree import Workbench

LIMIT = 100
"""Hunks that are tried unless somebody says otherwise."""
SECONDS = 1800.0
Say = Callable[[str], None]


async def try_hunks(
    ports: Ports,
    goal_id: GoalId,
    *,
    limit: int = LIMIT,
    seconds: float = SECONDS,
    say: Say = lambda _: None,
) -> GoalState:
    """Try the first `limit` hunks of a judged goal, begin no run after `seconds`; return the goal.

    Raises `NotPossibleNow` where there is no hunk or no gate that could miss one, `GoalBusy`, and
    `RepositoryUnusable` where the person's repository was tampered with meanwhile.
    Cancelled, it kills what it started and records nothing.
    """
    with ports.store.runner_lock(goal_id):
        state, _ = await take_over(ports, goal_id)
        check_triable(state)
        bench = await in_thread(open_bench, ports, state)
        bench.check_sandbox()
        try:
            before, _ = await in_thread(read_fingerprint, ports.checkout)
            trials = await _try(ports, bench, state, limit, seconds, say)
            await in_thread(check_untouched, ports.checkout, before, "gates ran without each hunk")
            return await _record(ports, bench, state, trials)
        finally:
            await asyncio.shield(in_thread(bench.clear))


def check_untouched(checkout: Path, before: Fingerprint, during: str) -> None:
    """Raise `RepositoryUnusable` where what steers the person's git changed meanwhile; blocking."""
    changes = find_changes(before, read_fingerprint(checkout)[0])
    steering = [change for change in changes if change.steers]
    if steering:
        raise RepositoryUnusable(
            f"While {during}, {checkout} changed: {say_changes(steering)}. The goal is judged as "
            "before: look at that, put it back, and `reject` the change if it did that."
        )


def check_triable(state: GoalState) -> None:
    """Raise `NotPossibleNow` unless the goal's change was judged as it stands."""
    check_possible(state, "hunks")


async def _try(
    ports: Ports, bench: Workbench, state: GoalState, limit: int, seconds: float, say: Say
) -> tuple[HunkTrial, ...]:
    evidence = state.evidence
    assert evidence is not None
    known: dict[tuple[str, str], GateResult] = {}
    for run in state.gates_run.values():
        known[run.result.tree, run.result.gate] = await read_run(ports, run)
    now = {gate: result for (tree, gate), result in known.items() if tree == evidence.tree}
    gates = find_bound(state, now)
    if not gates:
        raise NotPossibleNow(
            f"No criterion of {state.goal_id} names a gate that passes, so nothing could miss a "
            "hunk: give it a criterion that `flips` or `holds` (in a plan), then `execute` it."
        )
    hunks = await in_thread(find_code_hunks, bench.repository, evidence, state.gates)
    if not hunks:
        raise NotPossibleNow(f"{state.goal_id} changes nothing but tests: no hunk to take away.")
    base = state.created.base_commit
    tried = await try_without(bench, evidence, base, hunks[:limit], gates, now, known, seconds, say)
    reason = f"only {limit} hunks were asked for (`--limit`)"
    left = (HunkTrial(hunk=h, standing=HunkStanding.UNTRIED, reason=reason) for h in hunks[limit:])
    return (*tried, *left)


async def _record(
    ports: Ports, bench: Workbench, before: GoalState, trials: tuple[HunkTrial, ...]
) -> GoalState:
    """Record the trials with the proof that has them; somebody may have accepted meanwhile."""
    report = await ports.store.write_object(render_trials(trials))
    count = {str(standing): number for standing, number in count_standings(trials).items()}
    assert before.tree is not None
    said = bench.sandbox.said
    tried = HunksTried(tree=before.tree, report=report, count=count, sandbox=said)
    while True:
        state = evolve(await ports.read(before.goal_id), tried)
        seen, judgement = await weigh_again(ports, bench.repository, state)
        digest = await write_bundle(ports, bench, state, seen, judgement, ProofCause.HUNKS)
        try:
            command = RecordHunks(tried, digest, state.proof.digest if state.proof else None)
            return await ports.transact(before.goal_id, command)
        except NotPossibleNow:
            now = await ports.read(before.goal_id)
            if now.proof == state.proof or now.tree != before.tree:
                raise
