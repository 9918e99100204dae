"""The gates run again on the tree that was judged: a new proof, or a fact that nobody wished for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from goal_engine import lifecycle, repair
from goal_engine.engine import Engine
from goal_engine.errors import NotPossibleNow
from goal_engine.lifecycle import resume_goal, verify_goal
from goal_engine.proof.statement import ProofCause
from goal_engine.queries import find_successor, resolve_goal_proof
from goal_engine.reverify import ReverifyOutcome, inspect_bundle, verify_proof
from goal_engine.state.events import GateFinished, JournalEntry, TaskStarted, VerificationReopened
from goal_engine.state.model import GoalState
from goal_engine.types import GoalStatus
from goal_engine.verifier import run as run_module
from goal_engine.verifier import stages
from goal_engine.verifier.bundle import proofs_folder
from tests.integration.projects import FIX, GATE, a_plan, a_project, create, fingerprint, run

pytestmark = pytest.mark.one_python

S = GoalStatus


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = Engine.open(a_project(tmp_path / "project"))
    yield opened
    opened.close()


async def test_a_goal_that_is_verified_again_has_another_proof_that_names_the_first(
    engine: Engine,
) -> None:
    before = await run(engine, a_plan(FIX))
    first = await resolve_goal_proof(engine.ports, before.goal_id)
    files, kept = fingerprint(engine.checkout), fingerprint(first)
    state = await verify_goal(engine.ports, before.goal_id)
    assert state.status is S.READY and not state.reopened
    proof, digest = inspect_bundle(await resolve_goal_proof(engine.ports, state.goal_id))
    assert before.proof is not None and proof.supersedes == before.proof.digest != digest
    assert proof.cause is ProofCause.VERIFIED and proof.tree == before.tree
    assert await find_successor(engine.ports, state.goal_id, before.proof.digest) == (
        digest,
        "its gates ran again",
    )
    assert await find_successor(engine.ports, state.goal_id, digest) is None
    assert fingerprint(engine.checkout) == files and fingerprint(first) == kept
    for bundle in (first, first.with_name(digest)):
        found = await verify_proof(bundle, engine.checkout)
        assert found.outcome is ReverifyOutcome.REPRODUCED, found


async def test_every_gate_runs_again_and_no_worker_does(engine: Engine) -> None:
    state = await run(engine, a_plan(FIX))
    seen = state.seq
    await verify_goal(engine.ports, state.goal_id)
    entries = await engine.ports.store.entries(state.goal_id, after=seen)
    events = [event for entry in entries for event in entry.events]
    stages = [event.result.stage.value for event in events if isinstance(event, GateFinished)]
    assert sorted(stages) == ["baseline", "counterfactual", "proving"]
    assert not any(isinstance(event, TaskStarted) for event in events)


@pytest.fixture
def flag(tmp_path: Path) -> Path:
    flag = tmp_path / "flag"
    flag.touch()
    return flag


@pytest.fixture
def flagged(tmp_path: Path, flag: Path) -> Iterator[Engine]:
    """A project with a gate that only passes while a file is there which no tree has."""
    gate = f'[[gate]]\nname = "flag"\nargv = ["test", "-e", "{flag}"]\n'
    opened = Engine.open(a_project(tmp_path / "flagged", **{"goalproof.toml": GATE + gate}))
    yield opened
    opened.close()


async def test_what_was_ready_is_not_when_its_gates_say_no_now(flagged: Engine, flag: Path) -> None:
    state = await run(flagged, a_plan(FIX))
    assert state.status is S.READY and state.proof is not None
    flag.unlink()
    again = await verify_goal(flagged.ports, state.goal_id)
    assert again.status is S.NOT_READY
    assert {run.result.tree for run in again.gates_run.values()} >= {state.tree}
    flag.touch()
    assert (await verify_goal(flagged.ports, state.goal_id)).status is S.READY
    kept = proofs_folder(flagged.checkout, state.goal_id)
    assert len(list(kept.iterdir())) == 3


async def test_a_goal_that_nobody_judged_cannot_be_verified(engine: Engine) -> None:
    state = await create(engine, a_plan(FIX))
    with pytest.raises(NotPossibleNow, match="`verify` is not possible now"):
        await verify_goal(engine.ports, state.goal_id)


async def test_a_stopped_verification_goes_on_as_one(engine: Engine) -> None:
    state = await run(engine, a_plan(FIX))
    begun = asyncio.Event()

    def hear(_: GoalState, entry: JournalEntry) -> None:
        if any(isinstance(event, VerificationReopened) for event in entry.events):
            begun.set()

    engine.subscribe(hear)
    work = asyncio.ensure_future(verify_goal(engine.ports, state.goal_id))
    await begun.wait()
    work.cancel()
    await asyncio.wait({work})
    paused = await engine.ports.read(state.goal_id)
    assert paused.status is S.PAUSED and paused.reopened
    after = await resume_goal(engine.ports, state.goal_id)
    assert after.status is S.READY
    proof, _ = inspect_bundle(await resolve_goal_proof(engine.ports, state.goal_id))
    assert proof.cause is ProofCause.VERIFIED
    assert after.tasks == state.tasks


async def test_nobody_waits_while_what_gates_said_is_read_and_weighed(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large suite takes seconds to read, and the loop serves an editor meanwhile."""
    on: dict[str, bool] = {}

    def noticing(name: str, work: Callable[..., object]) -> Callable[..., object]:
        def wrapped(*given: object) -> object:
            on[name] = threading.current_thread() is threading.main_thread()
            return work(*given)

        return wrapped

    for module, name in (
        (run_module, "read_report"),
        (run_module, "merge_runs"),
        (stages, "render_report"),
        (lifecycle, "judge"),
        (repair, "judge"),
    ):
        key = f"{module.__name__}.{name}"
        monkeypatch.setattr(module, name, noticing(key, getattr(module, name)))
    state = await run(engine, a_plan(FIX))
    assert state.status is S.READY
    assert len(on) == 5 and not any(on.values()), on
