"""A lost proof is made again from the verified journal and its objects: marked, and under another name.

It says no more than the journal does.  The verdict is the one that was recorded, and `ready` has to
follow once more from the recorded runs; where a run, a log or the change is gone there is no proof.
"""

from __future__ import annotations

from pathlib import Path

from goal_engine.errors import GoalError, NotPossibleNow, ProofLost
from goal_engine.ports import Ports
from goal_engine.proof.verdict import Verdict
from goal_engine.runtime.threads import in_thread
from goal_engine.state.commands import RecordRecovery
from goal_engine.state.events import ProofRecorded
from goal_engine.state.evolve import fold_entries
from goal_engine.state.model import GoalState
from goal_engine.state.transitions import TRANSITIONS
from goal_engine.types import GoalId
from goal_engine.verifier.again import weigh_again
from goal_engine.verifier.bundle import proofs_folder, write_recovered


async def recover_proof(ports: Ports, goal_id: GoalId, lost: ProofLost) -> Path:
    """Make the goal's proof again, record it as the present one and return its bundle.

    `lost` says what is wrong with the one that there was.  Nothing of the workspace runs.  Raises
    `ProofLost`, naming what is missing.
    """
    state = await ports.read(goal_id)
    assert state.proof is not None
    if ProofRecorded not in TRANSITIONS[state.status] or state.status == "running":
        raise ProofLost(
            f"{lost.paragraph} While {goal_id} is {state.status} none can be made of what was "
            "recorded; the next judgement makes another."
        )
    try:
        digest = await _make(ports, state)
    except (GoalError, OSError, ValueError) as error:
        why = error.paragraph if isinstance(error, GoalError) else str(error)
        raise ProofLost(
            f"{lost.paragraph} It cannot be made again from the journal either: {why} Put the bundle "
            "back from a copy, or `verify` the goal to make another proof."
        ) from error
    try:
        after = await ports.transact(goal_id, RecordRecovery(digest, state.proof.digest))
    except NotPossibleNow:  # somebody else made it meanwhile, or the goal was judged again
        after = await ports.read(goal_id)
    assert after.proof is not None
    return proofs_folder(ports.checkout, goal_id) / after.proof.digest


async def _make(ports: Ports, state: GoalState) -> str:
    """Write the bundle of the goal as it stood when its last judgement was proven."""
    entries = await ports.store.entries(state.goal_id)
    made = [
        number
        for number, entry in enumerate(entries)
        if any(isinstance(e, ProofRecorded) and not e.is_recovered for e in entry.events)
    ]
    if not made:
        raise ProofLost("The journal does not say when it was made.")
    entry = entries[made[-1]]
    then = fold_entries(entries[: made[-1] + 1])
    judgement = then.judgement
    if judgement is None or judgement.tree != (then.tree or then.created.base_tree):
        raise ProofLost("The journal has no judgement of its tree.")
    repository = await in_thread(ports.open_repository)
    seen, again = await weigh_again(ports, repository, then)
    if judgement.verdict is Verdict.READY is not again.verdict:
        raise ProofLost(
            "What the journal has of its gates does not make it ready "
            f"({'; '.join(again.reasons)[:300]})."
        )
    before = then.changed(seq=entry.seq - 1, proof=state.proof)
    return await write_recovered(ports, repository, before, seen, judgement, entry.prev)
