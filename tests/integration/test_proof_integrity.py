"""A proof speaks for one goal, and a goal that ends twice at once has one."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from pathlib import Path

import pytest

from goal_engine.engine import Engine
from goal_engine.errors import GoalBusy, GoalError, ProofLost, ProofRefused
from goal_engine.lifecycle import execute_goal, verify_goal
from goal_engine.proof.statement import parse_statement
from goal_engine.queries import resolve_goal_proof, resolve_goal_proof_with_store
from goal_engine.reverify import inspect_bundle
from goal_engine.types import GoalStatus
from goal_engine.verifier.bundle import ENVELOPE, NAME, PAGE, STATEMENT, proofs_folder
from tests.builders import goal_id
from tests.integration.projects import FIX, a_plan, a_project, create, run
from tests.integration.test_reverify import forge

pytestmark = pytest.mark.one_python

GOALS = 5
SPEAKS = (STATEMENT, NAME, PAGE, ENVELOPE)
"""The files by which one goal's proof differs from another's."""


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine.open(a_project(tmp_path / "project"))


async def test_nothing_of_one_goals_proof_passes_for_anothers(
    engine: Engine, tmp_path: Path
) -> None:
    """I04: the cross product of five goals, whole in themselves and signed by one key."""
    state = await run(engine, a_plan(FIX))
    bundle = await resolve_goal_proof(engine.ports, state.goal_id)
    proof, _ = inspect_bundle(bundle)
    bundles = [
        forge(bundle, tmp_path / f"{number}", proof.changed(goal_id=goal_id(number)))
        for number in range(GOALS)
    ]
    assert len({inspect_bundle(made)[0].goal_id for made in bundles}) == GOALS
    for mine, other in itertools.permutations(bundles, 2):
        for names in (*((name,) for name in SPEAKS), SPEAKS):
            copy = Path(shutil.copytree(mine, tmp_path / "mixed" / mine.name))
            for name in names:
                (copy / name).unlink()
                shutil.copyfile(other / name, copy / name)
            with pytest.raises(ProofRefused):
                inspect_bundle(copy)
            shutil.rmtree(copy)


async def test_another_goals_bundle_in_the_place_of_a_goals_own_is_not_its_proof(
    engine: Engine,
) -> None:
    one, two = [await run(engine, a_plan(FIX)) for _ in range(2)]
    theirs = await resolve_goal_proof(engine.ports, two.goal_id)
    own = await resolve_goal_proof(engine.ports, one.goal_id)
    shutil.rmtree(own)
    shutil.copytree(theirs, own)
    with pytest.raises(ProofLost):
        await resolve_goal_proof_with_store(engine.ports.store, engine.checkout, one.goal_id)
    proof, _ = inspect_bundle(await resolve_goal_proof(engine.ports, one.goal_id))
    assert proof.goal_id == one.goal_id and proof.recovered
    statement = (own / STATEMENT).read_bytes()
    assert parse_statement(statement).goal_id == two.goal_id  # left as it was found


@pytest.mark.parametrize("again", [False, True])
async def test_a_goal_that_ends_twice_at_once_has_one_proof(engine: Engine, again: bool) -> None:
    """I06: one of the two is told that somebody else is at it, and makes nothing."""
    state = await (run if again else create)(engine, a_plan(FIX))
    other = Engine.open(engine.checkout)
    act = verify_goal if again else execute_goal
    ends = await asyncio.gather(
        *(act(each.ports, state.goal_id) for each in (engine, other)), return_exceptions=True
    )
    refused = [end for end in ends if isinstance(end, BaseException)]
    assert [type(end) for end in refused] == [GoalBusy] and isinstance(refused[0], GoalError)
    after = await other.ports.read(state.goal_id)
    assert after.status is GoalStatus.READY and after.proof is not None
    folder = proofs_folder(engine.checkout, state.goal_id)
    assert {path.name for path in folder.iterdir()} == {proof.digest for proof in after.proofs}
    assert len(after.proofs) == (2 if again else 1)
    other.close()
    engine.close()
