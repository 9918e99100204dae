"""A person's no to a result: it is not ready from then on, and only their yes makes it so again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from goal_engine.delivery.local import deliver_local
from goal_engine.dispatch.tasks.waves import find_findings
from goal_engine.engine import Engine
from goal_engine.errors import BadInput, NotPossibleNow
from goal_engine.integration import accept_criterion, reject_goal
from goal_engine.lifecycle import execute_goal, verify_goal
from goal_engine.proof.statement import ProofCause
from goal_engine.proof.verdict import NOT_REJECTED
from goal_engine.queries import resolve_goal_proof
from goal_engine.reverify import ReverifyOutcome, inspect_bundle, verify_proof
from goal_engine.runtime.repository import read_checkout
from goal_engine.types import Decision, GoalStatus
from goal_server.pictures import render_goal
from tests.integration.projects import FIX, a_plan, a_project, run

pytestmark = pytest.mark.one_python

S = GoalStatus
NO = Decision(actor="ada", reason="it breaks paging")
YES = Decision(actor="bob", reason="paging was never there")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = Engine.open(a_project(tmp_path / "project"))
    yield opened
    opened.close()


async def test_a_ready_result_that_is_rejected_stays_so_until_a_person_takes_it_back(
    engine: Engine,
) -> None:
    ports = engine.ports
    ready = await run(engine, a_plan(FIX))
    state = await reject_goal(ports, ready.goal_id, NO, (ready.tree or "")[:8])
    assert state.status is S.NOT_READY and state.judgement is not None
    assert state.judgement.reasons == ("criterion not-rejected: rejected by ada: it breaks paging",)
    bundle = await resolve_goal_proof(ports, state.goal_id)
    proof, _ = inspect_bundle(bundle)
    assert proof.cause is ProofCause.REJECTED and proof.judgement == state.judgement
    assert [(d.verb, d.tree, d.decision) for d in proof.decisions] == [("reject", ready.tree, NO)]
    page = (bundle / "proof.md").read_text()
    assert "## What people decided" in page and "it breaks paging" in page
    found = await verify_proof(bundle, engine.checkout)
    assert found.outcome is ReverifyOutcome.REPRODUCED, found

    assert (await verify_goal(ports, state.goal_id)).status is S.NOT_READY
    same = await execute_goal(ports, state.goal_id)  # steps give the same tree again
    assert same.tree == ready.tree and same.status is S.NOT_READY

    back = await accept_criterion(ports, state.goal_id, NOT_REJECTED, YES)
    assert back.status is S.READY
    again = await reject_goal(ports, state.goal_id, NO)
    assert again.status is S.NOT_READY, "a no after a yes counts"
    assert [d.verb for d in again.decisions] == ["reject", "accept", "reject"]


async def test_whoever_works_on_it_next_is_told_why(engine: Engine) -> None:
    ready = await run(engine, a_plan(FIX))
    state = await reject_goal(engine.ports, ready.goal_id, NO)
    assert "rejected by ada: it breaks paging" in " ".join(find_findings(state, None))
    told = find_findings(state.changed(tree="f" * 40, judgement=None), None)
    assert told == ("an earlier result was rejected by ada: it breaks paging",)


async def test_a_delivered_branch_stays_and_another_result_gets_another_one(
    engine: Engine,
) -> None:
    ports = engine.ports
    ready = await run(engine, a_plan(FIX))
    delivered = await deliver_local(ports, ready.goal_id)
    assert delivered.delivery_branch is not None
    state = await reject_goal(ports, ready.goal_id, NO)
    assert state.status is S.NOT_READY and state.delivery_branch is None
    notices = " ".join(render_goal(state, None).notices)
    assert f"branch {delivered.delivery_branch} was delivered before" in notices
    git_dir = read_checkout(ports.checkout).git_dir
    refs = git_dir / "refs" / "heads" / delivered.delivery_branch
    assert refs.read_text().strip() == delivered.delivered_commit

    await accept_criterion(ports, state.goal_id, NOT_REJECTED, YES)
    again = await deliver_local(ports, state.goal_id)
    assert again.delivery_branch == delivered.delivery_branch, "the same result, the same branch"


async def test_a_result_that_nobody_looked_at_is_neither_rejected_nor_accepted(
    engine: Engine,
) -> None:
    ready = await run(engine, a_plan(FIX))
    with pytest.raises(NotPossibleNow, match="you looked at tree ffffffff, and it has"):
        await reject_goal(engine.ports, ready.goal_id, NO, "ffffffff")
    with pytest.raises(NotPossibleNow, match="you looked at tree"):
        await accept_criterion(engine.ports, ready.goal_id, "adds", YES, "ffffffff")
    for nonsense in ("", "abc", "HEAD", "../.."):
        with pytest.raises(BadInput, match="no beginning of a tree's name"):
            await reject_goal(engine.ports, ready.goal_id, NO, nonsense)
    assert (await engine.ports.read(ready.goal_id)).status is S.READY


async def test_the_proof_of_a_rejection_is_made_again_when_it_is_lost(engine: Engine) -> None:
    ready = await run(engine, a_plan(FIX))
    state = await reject_goal(engine.ports, ready.goal_id, NO)
    shutil.rmtree(await resolve_goal_proof(engine.ports, state.goal_id))
    proof, _ = inspect_bundle(await resolve_goal_proof(engine.ports, state.goal_id))
    assert proof.recovered and proof.rejections == state.rejections
    assert proof.judgement == state.judgement
