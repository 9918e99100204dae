"""A person's word as evidence: bound to one criterion and one tree, void on any other.

A no is bound to its tree as well, and only the same person's or another's yes outweighs it there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from goal_engine.decision import Acceptance, Rejection
from goal_engine.errors import BadInput, GoalNotFound, NotPossibleNow
from goal_engine.ports import Ports
from goal_engine.proof.statement import ProofCause
from goal_engine.proof.verdict import Judgement, is_acceptable
from goal_engine.runtime.threads import in_thread
from goal_engine.state import events as e
from goal_engine.state.commands import AcceptCriterion, RejectGoal
from goal_engine.state.evolve import evolve
from goal_engine.state.model import GoalState
from goal_engine.state.possible import POSSIBLE, check_possible, refusal
from goal_engine.types import Decision, GoalId
from goal_engine.verifier.again import weigh_again
from goal_engine.verifier.bench import open_bench
from goal_engine.verifier.bundle import write_bundle

SHORTEST = 4
"""Characters of a tree's name that are enough to mean it."""


async def accept_criterion(
    ports: Ports, goal_id: GoalId, criterion: str, decision: Decision, tree: str | None = None
) -> GoalState:
    """Accept `criterion` for the tree that was judged, judge again and return the goal.

    `tree` is the beginning of the name of the one that the person looked at.  Raises `GoalNotFound`
    for a criterion that is not there and `NotPossibleNow` for one that a person's word cannot help
    (a gate said no), and where the goal has another tree.
    """
    state = await ports.read(goal_id)
    check_seen(state, "accept", tree)
    return await _say(ports, state, lambda now: _accept(ports, now, criterion, decision))


async def reject_goal(
    ports: Ports, goal_id: GoalId, decision: Decision, tree: str | None = None
) -> GoalState:
    """Say no to the result of a goal: it is `not_ready` from then on, and the goal is returned.

    What was delivered of it stays.  Raises `NotPossibleNow` where nothing was judged, and where
    the goal has another tree than `tree`.
    """
    state = await ports.read(goal_id)
    check_seen(state, "reject", tree)
    return await _say(ports, state, lambda now: _reject(ports, now, decision))


def check_seen(state: GoalState, verb: str, tree: str | None) -> None:
    """Raise unless the goal's present tree is the one that a person names by its beginning."""
    if tree is None:
        return
    if len(tree) < SHORTEST or not set(tree) <= set("0123456789abcdef"):
        raise BadInput(
            f"{tree[:80]!r} is no beginning of a tree's name: give {SHORTEST} or more of its digits"
            " (0-9, a-f), as `show` and `proof` print them."
        )
    if not state.present_tree.startswith(tree):
        why = f"you looked at tree {tree[:12]}, and it has {state.present_tree[:12]} by now"
        raise refusal(state, verb, why)


async def _say(
    ports: Ports, state: GoalState, say: Callable[[GoalState], Awaitable[GoalState]]
) -> GoalState:
    """Say a person's word of the result they saw, again where its judgement was another meanwhile."""
    tree = state.judgement.tree if state.judgement else None
    while True:
        try:
            return await say(state)
        except NotPossibleNow:
            now = await ports.read(state.goal_id)
            again = now.judgement is not None and now.judgement.tree == tree
            if not again or now.proof == state.proof:
                raise
            state = now  # somebody else accepted, or the gates ran anew: judge from that


async def _accept(ports: Ports, state: GoalState, criterion: str, decision: Decision) -> GoalState:
    judgement = _check(state, criterion)
    check_possible(state, "accept")
    word = Acceptance(criterion=criterion, tree=judgement.tree, decision=decision)
    return await _judge_with(
        ports,
        state,
        e.CriterionAccepted(acceptance=word),
        ProofCause.ACCEPTED,
        lambda judged, proof, seen: AcceptCriterion(word, judged, proof, seen),
    )


async def _reject(ports: Ports, state: GoalState, decision: Decision) -> GoalState:
    check_possible(state, "reject")
    word = Rejection(tree=state.present_tree, decision=decision)
    return await _judge_with(
        ports,
        state,
        e.GoalRejected(rejection=word),
        ProofCause.REJECTED,
        lambda judged, proof, seen: RejectGoal(word, judged, proof, seen),
    )


async def _judge_with(
    ports: Ports,
    state: GoalState,
    word: e.CriterionAccepted | e.GoalRejected,
    cause: ProofCause,
    command: Callable[[Judgement, str, str | None], AcceptCriterion | RejectGoal],
) -> GoalState:
    """Weigh again what was seen together with a person's word, prove it, and record both."""
    said = evolve(state, word)
    bench = await in_thread(open_bench, ports, said)
    seen, judgement = await weigh_again(ports, bench.repository, said)
    digest = await write_bundle(ports, bench, said, seen, judgement, cause)
    before = state.proof.digest if state.proof else None
    return await ports.transact(state.goal_id, command(judgement, digest, before))


def _check(state: GoalState, criterion: str) -> Judgement:
    if state.judgement is None or "accept" not in POSSIBLE[state.status]:
        raise refusal(state, "accept", "" if state.judgement else "it was not judged yet")
    found = {item.criterion.id: item for item in state.judgement.criteria}
    if criterion not in found:
        raise GoalNotFound(
            f"{state.goal_id} has no criterion {criterion!r}; it has {', '.join(found) or 'none'}."
        )
    item = found[criterion]
    if not is_acceptable(item):
        raise NotPossibleNow(
            f"Criterion {criterion} of {state.goal_id} is {item.state} ({item.reason}); only what "
            "waits for a person can be accepted."
        )
    return state.judgement
