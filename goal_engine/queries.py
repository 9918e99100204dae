"""Questions about goals; each has a twin that takes a store alone.

They change nothing, but that a proof which was lost is made again when it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from goal_engine.diagnosis import GoalDiagnosis, diagnose
from goal_engine.errors import GoalError, GoalNotFound, ProofLost, ProofRefused
from goal_engine.forecast import NEWEST, GoalForecast, Sample, find_samples, forecast
from goal_engine.ledger import Ledger, read_ledger
from goal_engine.ports import Ports
from goal_engine.proof.gate import GateStage
from goal_engine.proof.statement import say_superseded
from goal_engine.recovery import recover_proof
from goal_engine.runtime.threads import in_thread
from goal_engine.state.model import GoalState
from goal_engine.state.naming import find_named
from goal_engine.state.store import GoalStateStore, Summary
from goal_engine.types import GoalId
from goal_engine.verifier.bundle import proofs_folder, read_bundle
from goal_engine.verifier.observe import read_clash, read_failures_with_store


async def list_goals(ports: Ports) -> Sequence[Summary]:
    """Return every goal, oldest first, damaged ones too."""
    return await list_goals_with_store(ports.store)


async def list_goals_with_store(store: GoalStateStore) -> Sequence[Summary]:
    """`list_goals` on a store."""
    return await store.list()


async def resolve_goal(ports: Ports, name: str) -> GoalState:
    """Return the goal that an id, the beginning of one or `latest` means.

    Raises `GoalNotFound`, `GoalAmbiguous` and, for a goal that is damaged, `JournalDamaged`.
    """
    return await resolve_goal_with_store(ports.store, name)


async def resolve_goal_with_store(store: GoalStateStore, name: str) -> GoalState:
    """`resolve_goal` on a store."""
    state, _ = await store.head(await find_named(store, name))
    return state


async def find_successor(ports: Ports, goal_id: GoalId, digest: str) -> tuple[str, str] | None:
    """Return the digest of the proof that superseded another one, and why; `None` when none did.

    A proof of a goal that is not here has none either: nobody here knows of one.
    """
    return await find_successor_with_store(ports.store, goal_id, digest)


async def find_successor_with_store(
    store: GoalStateStore, goal_id: GoalId, digest: str
) -> tuple[str, str] | None:
    """`find_successor` on a store."""
    try:
        state, _ = await store.head(goal_id)
    except GoalError:
        return None
    for old, new in pairwise(state.proofs):
        if old.digest == digest:
            return new.digest, say_superseded(new.cause, same_tree=old.tree == new.tree)
    return None


async def forecast_goal(ports: Ports, state: GoalState) -> GoalForecast | None:
    """Return what is left of a goal by what comparable tasks took here; `None` where nothing is."""
    return await forecast_goal_with_store(ports.store, state)


async def forecast_goal_with_store(store: GoalStateStore, state: GoalState) -> GoalForecast | None:
    """`forecast_goal` on a store."""
    return forecast(state, await read_samples_with_store(store))


async def read_samples(ports: Ports) -> tuple[Sample, ...]:
    """Return what the tasks of the newest finished goals took here, oldest first."""
    return await read_samples_with_store(ports.store)


async def read_samples_with_store(store: GoalStateStore) -> tuple[Sample, ...]:
    """`read_samples` on a store."""
    summaries = await store.list((await store.names())[-NEWEST:])
    return find_samples(one.state for one in summaries if one.state)


async def read_goal_ledger(ports: Ports, goal_id: GoalId) -> Ledger:
    """Return the history of what a goal used."""
    return await read_goal_ledger_with_store(ports.store, goal_id)


async def read_goal_ledger_with_store(store: GoalStateStore, goal_id: GoalId) -> Ledger:
    """`read_goal_ledger` on a store."""
    return read_ledger(await store.entries(goal_id))


async def diagnose_goal(ports: Ports, name: str) -> GoalDiagnosis:
    """Return why a goal stands where it stands.  Raises what `resolve_goal` raises."""
    return await diagnose_goal_with_store(ports.store, name)


async def diagnose_goal_with_store(store: GoalStateStore, name: str) -> GoalDiagnosis:
    """`diagnose_goal` on a store."""
    state = await resolve_goal_with_store(store, name)
    tree = state.tree or state.created.base_tree
    runs = ((gate, state.find_run(GateStage.PROVING, tree, gate)) for gate in state.gate_names)
    failures = {gate: await read_failures_with_store(store, run) for gate, run in runs if run}
    return diagnose(state, failures, await read_clash(store, state))


async def resolve_goal_proof(ports: Ports, name: str) -> Path:
    """Return the bundle of a goal's present proof, whole: every byte is what it has to be.

    One that is missing or damaged is made again from the journal, says so, and counts from then on
    (seed: `resolve_goal_proof`).  Raises `GoalNotFound` when there is none, and `ProofLost`.
    """
    try:
        return await resolve_goal_proof_with_store(ports.store, ports.checkout, name)
    except ProofLost as lost:
        goal = await resolve_goal(ports, name)
        bundle = await recover_proof(ports, goal.goal_id, lost)
        await in_thread(check_bundle, bundle, bundle.name)
        return bundle


async def resolve_goal_proof_with_store(store: GoalStateStore, checkout: Path, name: str) -> Path:
    """`resolve_goal_proof` on a store, which alone cannot make a lost one again: `ProofLost`."""
    state = await resolve_goal_with_store(store, name)
    if state.proof is None:
        raise GoalNotFound(
            f"{state.goal_id} has no proof yet: it is {state.status}. Every judgement makes one."
        )
    bundle = proofs_folder(checkout, state.goal_id) / state.proof.digest
    await in_thread(check_bundle, bundle, state.proof.digest)
    return bundle


def check_bundle(bundle: Path, digest: str) -> None:
    """Raise `ProofLost` unless `bundle` holds the proof of that name as it was written."""
    if not bundle.is_dir():
        raise ProofLost(f"The bundle {bundle} is gone.")
    try:
        _, found = read_bundle(bundle)
    except ProofRefused as error:
        raise ProofLost(f"A bundle is damaged: {error.paragraph}") from error
    except OSError as error:
        raise ProofLost(f"The bundle {bundle} cannot be read: {error.strerror}.") from error
    if found != digest:
        raise ProofLost(f"The bundle {bundle} holds another proof, {found}.")
