"""A proof that was lost is made again from the journal, or it is said why not: never anything between."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from goal_engine.delivery.local import apply_change, deliver_local
from goal_engine.engine import Engine
from goal_engine.errors import NotAdopted, NotPossibleNow, ProofLost
from goal_engine.hunks import try_hunks
from goal_engine.lifecycle import execute_goal, verify_goal
from goal_engine.ports import Ports
from goal_engine.proof.statement import ProofCause
from goal_engine.queries import resolve_goal_proof, resolve_goal_proof_with_store
from goal_engine.reverify import ReverifyOutcome, inspect_bundle, verify_proof
from goal_engine.runtime.binding import adopt
from goal_engine.runtime.git import safe_git
from goal_engine.state.model import GoalState
from goal_engine.types import GoalId, GoalStatus
from goal_engine.verifier.bundle import (
    CHANGE,
    ENVELOPE,
    NAME,
    PAGE,
    PUBLIC_KEY,
    STATEMENT,
    VERIFIER,
    proofs_folder,
)
from goal_server import operations
from goal_server import parameters as p
from goal_server.operations import Context
from tests.builders import NOW
from tests.integration.projects import CRITERIA, FIX, a_plan, a_project, fingerprint, run

pytestmark = pytest.mark.one_python

Spoil = Callable[[Path], object]


def corrupt(path: Path) -> None:
    """Flip a bit, in what is only to be read."""
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def empty(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(b"")


def put_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


SPOILS: dict[str, Spoil] = {
    "delete": Path.unlink,
    "corrupt": corrupt,
    "empty": empty,
    "put a folder there": put_folder,
}
FILES = (STATEMENT, NAME, PAGE, ENVELOPE, PUBLIC_KEY, CHANGE, VERIFIER, "logs")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path, GoalState]]:
    """A ready goal that nobody spoils: checkout, state directory and the goal."""
    folder = tmp_path_factory.mktemp("proven")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GOALPROOF_STATE_DIR", str(folder / "state"))
        engine = Engine.open(a_project(folder / "project"))
        state = asyncio.run(run(engine, a_plan(FIX)))
        engine.close()
        assert state.status is GoalStatus.READY
        yield folder / "project", folder / "state", state


@pytest.fixture
def proven(
    template: tuple[Path, Path, GoalState], monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Engine, GoalState]]:
    """The same goal, to be spoilt: what lies in the journal and the bundles is put back after it."""
    project, state_dir, state = template
    monkeypatch.setenv("GOALPROOF_STATE_DIR", str(state_dir))
    engine = Engine.open(project)
    places = (project / ".goalproof", engine.state_dir / "anchors")
    for number, place in enumerate(places):
        shutil.copytree(place, project.with_name(f"kept-{number}"), symlinks=True)
    yield engine, state
    engine.close()
    for number, place in enumerate(places):
        shutil.rmtree(place)
        project.with_name(f"kept-{number}").rename(place)


def find_files(bundle: Path, name: str) -> list[Path]:
    return sorted((bundle / "logs").iterdir()) if name == "logs" else [bundle / name]


@pytest.mark.parametrize("spoil", SPOILS)
@pytest.mark.parametrize("name", FILES)
async def test_whatever_is_lost_of_a_bundle_the_proof_is_right_and_says_so(
    proven: tuple[Engine, GoalState], name: str, spoil: str
) -> None:
    engine, state = proven
    bundle = await resolve_goal_proof(engine.ports, state.goal_id)
    for path in find_files(bundle, name)[:1]:
        SPOILS[spoil](path)
    left = fingerprint(bundle)
    with pytest.raises(ProofLost, match=bundle.name[:12]):
        await resolve_goal_proof_with_store(engine.ports.store, engine.checkout, state.goal_id)
    again = await resolve_goal_proof(engine.ports, state.goal_id)
    proof, digest = inspect_bundle(again)
    assert digest != bundle.name and proof.recovered
    assert proof.supersedes == bundle.name and proof.cause is ProofCause.RECOVERED
    assert (proof.tree, proof.judgement) == (state.tree, state.judgement)
    assert fingerprint(bundle) == left
    after = await engine.ports.read(state.goal_id)
    assert after.status is GoalStatus.READY and after.proof is not None
    assert after.proof.digest == digest
    assert await resolve_goal_proof(engine.ports, state.goal_id) == again


async def test_a_bundle_that_is_gone_is_made_again_and_reproduces(
    proven: tuple[Engine, GoalState],
) -> None:
    engine, state = proven
    lost = await resolve_goal_proof(engine.ports, state.goal_id)
    before, _ = inspect_bundle(lost)
    shutil.rmtree(lost)
    bundle = await resolve_goal_proof(engine.ports, state.goal_id)
    proof, _ = inspect_bundle(bundle)
    same = {"recovered": False, "cause": before.cause, "environment": before.environment}
    same |= {"supersedes": None, "files": before.files}
    assert proof.changed(**same) == before
    assert "**recovered**" in (bundle / PAGE).read_text("utf-8")
    found = await verify_proof(bundle, engine.checkout)
    assert found.outcome is ReverifyOutcome.REPRODUCED, found
    shutil.rmtree(bundle)
    third = await resolve_goal_proof(engine.ports, state.goal_id)
    assert inspect_bundle(third)[0].supersedes == bundle.name


async def test_two_who_ask_at_once_get_one_proof(proven: tuple[Engine, GoalState]) -> None:
    engine, state = proven
    shutil.rmtree(await resolve_goal_proof(engine.ports, state.goal_id))
    found = await asyncio.gather(
        *(resolve_goal_proof(engine.ports, state.goal_id) for _ in range(4))
    )
    folder = proofs_folder(engine.checkout, state.goal_id)
    assert {path.name for path in folder.iterdir()} == {found[0].name} == {f.name for f in found}
    assert len((await engine.ports.read(state.goal_id)).proofs) == 2


async def test_what_was_not_ready_is_not_ready_when_it_is_recovered(tmp_path: Path) -> None:
    engine = Engine.open(a_project(tmp_path / "project"))
    word = '[[criterion]]\nid = "seen"\ntext = "A person sees it"\nevidence = "accepted"\n'
    state = await run(engine, a_plan(FIX, criteria=CRITERIA + word))
    assert state.status is GoalStatus.BLOCKED_ON_HUMAN
    shutil.rmtree(await resolve_goal_proof(engine.ports, state.goal_id))
    proof, _ = inspect_bundle(await resolve_goal_proof(engine.ports, state.goal_id))
    assert proof.recovered and proof.judgement.verdict == "needs_person"
    assert (await engine.ports.read(state.goal_id)).status is GoalStatus.BLOCKED_ON_HUMAN
    engine.close()


async def find_runs_objects(engine: Engine, state: GoalState) -> list[str]:
    runs = state.gates_run.values()
    return [name for run in runs for name in (run.report, run.result.log) if name]


async def test_without_an_object_of_a_run_nothing_is_made_and_nothing_leaves(
    proven: tuple[Engine, GoalState],
) -> None:
    engine, state = proven
    bundle = await resolve_goal_proof(engine.ports, state.goal_id)
    shutil.rmtree(bundle)
    names = await find_runs_objects(engine, state)
    files = [path for path in (engine.checkout / ".goalproof").rglob("*") if path.is_file()]
    objects = [f for f in files if hashlib.sha256(f.read_bytes()).hexdigest() in names]
    assert objects
    for path in objects:
        path.chmod(0o644)
        path.unlink()
    context = Context(engine=engine, say=lambda _: None, trusted=True, actor="me")
    goal = p.GoalParams(goal=state.goal_id)
    before = fingerprint(engine.checkout)
    for attempt in (
        operations.show_proof(context, p.ProofParams(goal=state.goal_id)),
        operations.deliver_goal(context, goal),
        operations.apply_change(context, p.ApplyParams(goal=state.goal_id)),
    ):
        with pytest.raises(ProofLost, match="cannot be made again"):
            await attempt
    assert fingerprint(engine.checkout) == before
    after = await engine.ports.read(state.goal_id)
    assert after.status is GoalStatus.READY and after.proof == state.proof
    assert (await verify_goal(engine.ports, state.goal_id)).status is GoalStatus.READY
    assert await resolve_goal_proof(engine.ports, state.goal_id)


async def test_everybody_is_told_that_a_proof_was_recovered(
    proven: tuple[Engine, GoalState],
) -> None:
    engine, state = proven
    shutil.rmtree(await resolve_goal_proof(engine.ports, state.goal_id))
    context = Context(engine=engine, say=lambda _: None, trusted=True, actor="me")
    view = await operations.show_proof(context, p.ProofParams(goal=state.goal_id, all=True))
    assert view.recovered and view.signed
    assert [old.because for old in view.superseded] == ["its bundle was lost or damaged"]
    shown = await operations.show_goal(context, p.GoalParams(goal=state.goal_id))
    assert shown.proof is not None and shown.proof.recovered
    delivered = await operations.deliver_goal(context, p.GoalParams(goal=state.goal_id))
    assert delivered.status == "delivered" and delivered.proof and delivered.proof.recovered


async def test_nobody_vouches_for_a_journal_that_came_along_with_a_repository(
    proven: tuple[Engine, GoalState], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger can write any journal; made again from it, a proof would have the person's name."""
    engine, state = proven
    brought = shutil.copytree(engine.checkout, tmp_path / "brought", symlinks=True)
    shutil.rmtree(proofs_folder(brought, state.goal_id))
    monkeypatch.setenv("GOALPROOF_STATE_DIR", str(tmp_path / "own-state"))
    other = Engine.open(brought)
    with pytest.raises(ProofLost, match="came from elsewhere"):
        await resolve_goal_proof(other.ports, state.goal_id)
    adopt(brought, "me", NOW)
    with pytest.raises(ProofLost, match="was not worked on in this checkout"):
        await resolve_goal_proof(other.ports, state.goal_id)
    assert not proofs_folder(brought, state.goal_id).exists()
    other.close()


@pytest.mark.parametrize(
    "work", [execute_goal, verify_goal, try_hunks, apply_change, deliver_local]
)
async def test_a_goal_that_came_along_with_a_repository_is_neither_worked_on_nor_delivered(
    proven: tuple[Engine, GoalState],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    work: Callable[[Ports, GoalId], Awaitable[GoalState]],
) -> None:
    """What its journal says that gates said would count, and a proof of it have the person's name."""
    engine, state = proven
    brought = shutil.copytree(engine.checkout, tmp_path / "brought", symlinks=True)
    assert state.proof is not None
    change = proofs_folder(brought, state.goal_id) / state.proof.digest / CHANGE
    there = ["fetch", "--quiet", str(change), "refs/heads/goalproof:refs/heads/brought"]
    safe_git(there, cwd=brought, env={"GIT_ALLOW_PROTOCOL": "file"})
    monkeypatch.setenv("GOALPROOF_STATE_DIR", str(tmp_path / "own-state"))
    other = Engine.open(brought)
    with pytest.raises(NotAdopted, match="came from elsewhere"):
        await work(other.ports, state.goal_id)
    adopt(brought, "me", NOW)
    files = fingerprint(brought)
    with pytest.raises(NotPossibleNow, match="was not worked on in this checkout"):
        await work(other.ports, state.goal_id)
    assert (await other.ports.read(state.goal_id)).seq == state.seq
    assert fingerprint(brought) == files
    other.close()
