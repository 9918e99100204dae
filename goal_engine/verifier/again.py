"""Weighs again what gates said before: nothing is run, the journal and its objects are read."""

from __future__ import annotations

from goal_engine.ports import Ports
from goal_engine.proof.gate import GateStage
from goal_engine.proof.verdict import Judgement, Observations, judge
from goal_engine.runtime.repository import EvidenceRepository
from goal_engine.runtime.threads import in_thread
from goal_engine.state.model import GoalState
from goal_engine.undone import find_undone_work
from goal_engine.verifier.observe import find_reaching_change, find_stage_tree, observe
from goal_engine.verifier.review import review_seen
from goal_engine.worktree import check_own


async def weigh_again(
    ports: Ports, repository: EvidenceRepository, state: GoalState
) -> tuple[Observations, Judgement]:
    """Return what was seen of the goal's tree and what it amounts to, with `state`'s acceptances.

    Raises `NotPossibleNow` for a goal of which nothing was seen here.
    """
    await in_thread(check_own, repository, state)
    read = repository.read_blob
    reaching = await in_thread(find_reaching_change, read, state.evidence, state.gates)
    without = find_stage_tree(state, GateStage.COUNTERFACTUAL)
    original = find_stage_tree(state, GateStage.ORIGINAL)
    undone = await in_thread(find_undone_work, repository, state)
    seen = await observe(ports, state, without, original, reaching, undone)
    seen = await review_seen(ports, repository, state, seen)
    return seen, await in_thread(judge, state.gates, state.asked, state.acceptances, seen)
