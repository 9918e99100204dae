"""A person's word as evidence: bound to one criterion and one tree, void on any other."""

from __future__ import annotations

from goal_engine.decision import Acceptance, CriterionState
from goal_engine.errors import GoalNotFound, NotPossibleNow
from goal_engine.ports import Ports
from goal_engine.proof.statement import ProofCause
from goal_engine.runtime.threads import in_thread
from goal_engine.state.commands import AcceptCriterion
from goal_engine.state.model import GoalState
from goal_engine.types import Decision, GoalId
from goal_engine.verifier.again import weigh_again
from goal_engine.verifier.bench import open_bench
from goal_engine.verifier.bundle import write_bundle


async def accept_criterion(
    ports: Ports, goal_id: GoalId, criterion: str, decision: Decision
) -> GoalState:
    """Accept `criterion` for the tree that was judged, judge again and return the goal.

    Raises `GoalNotFound` for a criterion that is not there and `NotPossibleNow` for one that a
    person's word cannot help: a gate said no.
    """
    state = await ports.read(goal_id)
    tree = state.judgement.tree if state.judgement else None
    while True:
        try:
            return await _accept(ports, state, criterion, decision)
        except NotPossibleNow:
            now = await ports.read(goal_id)
            again = now.judgement is not None and now.judgement.tree == tree
            if not again or now.proof == state.proof:
                raise
            state = now  # somebody else accepted, or the gates ran anew: judge from that


async def _accept(ports: Ports, state: GoalState, criterion: str, decision: Decision) -> GoalState:
    _check(state, criterion)
    assert state.judgement is not None
    acceptance = Acceptance(criterion=criterion, tree=state.judgement.tree, decision=decision)
    accepted = state.changed(acceptances=(*state.acceptances, acceptance))
    bench = await in_thread(open_bench, ports, accepted)
    seen, judgement = await weigh_again(ports, bench.repository, accepted)
    cause = ProofCause.ACCEPTED
    digest = await write_bundle(ports, bench, accepted, seen, judgement, cause)
    before = state.proof.digest if state.proof else None
    command = AcceptCriterion(acceptance, judgement, digest, before)
    return await ports.transact(state.goal_id, command)


def _check(state: GoalState, criterion: str) -> None:
    if state.judgement is None:
        raise NotPossibleNow(
            f"{state.goal_id} was not judged yet, so there is nothing to accept: `execute` it."
        )
    found = {item.criterion.id: item for item in state.judgement.criteria}
    if criterion not in found:
        raise GoalNotFound(
            f"{state.goal_id} has no criterion {criterion!r}; it has {', '.join(found) or 'none'}."
        )
    item = found[criterion]
    if item.state is not CriterionState.IMPLEMENTED_UNVERIFIED:
        raise NotPossibleNow(
            f"Criterion {criterion} of {state.goal_id} is {item.state} ({item.reason}); only what "
            "waits for a person can be accepted."
        )
