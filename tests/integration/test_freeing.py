"""`gc` shows what can go, then lets it go: the engine's own, and nothing that anybody needs."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from goal_engine.control import archive_goal, cancel_goal
from goal_engine.delivery.local import read_diff
from goal_engine.engine import Engine
from goal_engine.errors import BadConfiguration, GoalNotFound
from goal_engine.freeing import Freed, free_room
from goal_engine.runtime import git
from goal_engine.runtime.atomic import TEMPORARY
from goal_engine.runtime.binding import find_orphans
from goal_engine.runtime.config import config_dir
from goal_engine.runtime.leftovers import OWNER
from goal_engine.runtime.storage import StoragePolicy, read_storage_policy
from goal_engine.state.model import GoalState
from goal_engine.types import Decision, GoalStatus
from goal_engine.verifier.bundle import read_bundle
from tests.integration.projects import FIX, a_plan, a_project, create, run

pytestmark = pytest.mark.one_python

ROOT = Path(__file__).parents[2]
ME = Decision(actor="me", reason="tidy")
NOTHING = StoragePolicy()
GONE = "goal-20260102-030405-006-0123abcd"
TAG = "from goal_engine.runtime.owner import own_tag; print(own_tag())"
TWO_DAYS_AGO = time.time() - 2 * 24 * 3600
TWO_WEEKS_AGO = TWO_DAYS_AGO - 12 * 86_400


def find(freed: Freed, name: str) -> tuple[int, int, tuple[str, ...]]:
    """Return how many there are of a kind, their bytes, and what is kept of it."""
    found = next(found for kind, found in freed.found if kind.name == name)
    return found.count, found.size, found.kept


def list_all(folder: Path) -> set[Path]:
    """Return every file, but the locks that a look makes."""
    return {path for path in folder.rglob("*") if path.suffix != ".lock"}


@pytest.fixture
async def worked(tmp_path: Path) -> AsyncIterator[tuple[Engine, GoalState]]:
    """A project in which a goal was judged ready."""
    engine = Engine.open(a_project(tmp_path / "project"))
    yield engine, await run(engine, a_plan(FIX))
    engine.close()


@pytest.fixture
def dead() -> str:
    return subprocess.check_output([sys.executable, "-c", TAG], cwd=ROOT, text=True).strip()


def leave_things(engine: Engine, dead: str) -> tuple[str, str]:
    """Leave something of each kind behind; return an object that is old, and one that is young."""
    workspace = engine.state_dir / "workspaces" / GONE
    workspace.mkdir(parents=True)
    (workspace / f"{OWNER}{dead}").touch()
    (workspace / "big").write_bytes(bytes(50_000))
    (engine.checkout / ".goalproof" / "objects" / f"{TEMPORARY}{dead}-00-x").write_bytes(b"x")
    answer = engine.state_dir / "gates" / ("0" * 64)
    answer.parent.mkdir(exist_ok=True)
    answer.write_bytes(b"x")
    evidence = engine.ports.open_repository().path
    old, young = (git.write_blob(evidence, data) for data in (b"old", b"young"))
    set_up = engine.state_dir / "set-ups" / ("1" * 64)
    set_up.mkdir(parents=True)
    (set_up / "manifest").write_bytes(b"x")
    os.utime(set_up, (TWO_WEEKS_AGO, TWO_WEEKS_AGO))
    for path in (answer, evidence / "objects" / old[:2] / old[2:]):
        os.utime(path, (TWO_DAYS_AGO, TWO_DAYS_AGO))
    return old, young


async def test_what_can_go_is_shown_then_goes_and_nothing_that_is_needed(
    worked: tuple[Engine, GoalState], dead: str
) -> None:
    engine, state = worked
    ports, evidence = engine.ports, engine.ports.open_repository()
    change = await read_diff(ports, state.goal_id)
    old, young = leave_things(engine, dead)
    before = list_all(engine.state_dir) | list_all(engine.checkout / ".goalproof")

    shown = await free_room(ports, "me", policy=NOTHING)
    assert before == list_all(engine.state_dir) | list_all(engine.checkout / ".goalproof")
    counts = {kind.name: found.count for kind, found in shown.found}
    some = dict.fromkeys(("workspaces", "temporary", "objects"), 1)
    assert counts == {**some, "caches": 2, "sessions": 0, "archive": 0, "results": 0, "orphans": 0}
    assert find(shown, "workspaces")[1] >= 50_000

    freed = await free_room(ports, "me", policy=NOTHING, do=True)
    assert freed.done and freed.used < shown.used
    again = await free_room(ports, "me", policy=NOTHING)
    assert {found.count for _, found in again.found} == {0}
    assert git.find_seen(evidence.path, (old, young)) == {young}

    assert await read_diff(ports, state.goal_id) == change != b""
    assert (await ports.read(state.goal_id)) == state
    assert state.proof is not None
    proofs = engine.checkout / ".goalproof" / "goals" / state.goal_id / "proofs"
    await asyncio.to_thread(read_bundle, proofs / state.proof.digest)
    (evidence.path / "objects" / "info" / "alternates").unlink()
    seen = git.find_seen(evidence.path, state.objects)
    assert seen == state.objects, "the base is no longer whole without the person's repository"
    git.list_tree(evidence.path, state.created.base_tree)


async def test_what_somebody_works_on_or_in_stays(worked: tuple[Engine, GoalState]) -> None:
    engine, state = worked
    workspace = engine.state_dir / "workspaces" / state.goal_id / "task"
    desk = engine.state_dir / "desks" / state.goal_id / "mine"
    workspace.mkdir(parents=True)
    desk.mkdir(parents=True)
    with engine.ports.store.runner_lock(state.goal_id):
        freed = await free_room(engine.ports, "me", policy=NOTHING, do=True)
        assert workspace.is_dir() and desk.is_dir()
        count, _, kept = find(freed, "workspaces")
        assert count == 0 and len(kept) == 2
        assert find(freed, "objects")[2] == (f"{state.goal_id} is being worked on",)
    await free_room(engine.ports, "me", policy=NOTHING, do=True)
    assert not workspace.exists() and desk.is_dir()


async def test_ended_goals_are_archived_and_let_go_of_as_the_person_says(
    worked: tuple[Engine, GoalState],
) -> None:
    engine, kept = worked
    ports = engine.ports
    ended = await cancel_goal(ports, (await create(engine, a_plan(FIX))).goal_id, ME)
    await free_room(ports, "me", policy=NOTHING, do=True)
    assert not (await ports.read(ended.goal_id)).archived, "nobody asked for that"

    policy = StoragePolicy(archive_after_days=0, drop_after_days=0)
    freed = await free_room(ports, "me", policy=policy, do=True)
    assert find(freed, "archive")[0] == 1
    archived = await ports.read(ended.goal_id)
    assert archived.archived and archived.decisions[-1].decision.actor == "me"
    assert not (await ports.read(kept.goal_id)).archived, "it did not end"

    await archive_goal(ports, kept.goal_id, ME)
    freed = await free_room(ports, "me", policy=policy, do=True)
    assert find(freed, "results")[0] == 1, "the base of the cancelled goal"
    refs = git.list_refs(ports.open_repository().path, "refs/goalproof/")
    assert refs and all(kept.goal_id in ref for ref in refs)
    assert await read_diff(ports, kept.goal_id)


async def test_a_change_that_was_let_go_says_so(worked: tuple[Engine, GoalState]) -> None:
    engine, state = worked
    ports = engine.ports
    await cancel_goal(ports, state.goal_id, ME)
    await archive_goal(ports, state.goal_id, ME)
    await free_room(ports, "me", policy=StoragePolicy(drop_after_days=0), do=True)
    evidence = ports.open_repository().path
    assert not git.list_refs(evidence, "refs/goalproof/")
    for path in (evidence / "objects").rglob("*"):
        if path.is_file() and path.parent.name not in ("pack", "info"):
            os.utime(path, (TWO_DAYS_AGO, TWO_DAYS_AGO))
    for pack in (evidence / "objects" / "pack").iterdir():
        os.utime(pack, (TWO_DAYS_AGO, TWO_DAYS_AGO))
    await free_room(ports, "me", policy=StoragePolicy(drop_after_days=0), do=True)
    assert (await ports.read(state.goal_id)).status is GoalStatus.CANCELLED
    with pytest.raises(GoalNotFound, match="not kept any more"):
        await read_diff(ports, state.goal_id)


@pytest.fixture
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person of whom nothing is known yet."""
    for name in ("STATE", "CONFIG"):
        monkeypatch.setenv(f"GOALPROOF_{name}_DIR", str(tmp_path / name))


alone = pytest.mark.usefixtures("own_places")


def a_gone_store(tmp_path: Path) -> tuple[Engine, Path]:
    """Make a store and remove its checkout; return another engine, and the state that is left."""
    lost = Engine.open(a_project(tmp_path / "lost"))
    folder = lost.state_dir
    lost.home.check()
    lost.close()
    (tmp_path / "lost").rename(tmp_path / "elsewhere")
    return Engine.open(a_project(tmp_path / "project")), folder


@alone
async def test_what_is_kept_for_a_checkout_that_is_gone_goes_on_demand(tmp_path: Path) -> None:
    engine, folder = a_gone_store(tmp_path)
    assert list(find_orphans()) == [folder]
    freed = await free_room(engine.ports, "me", policy=NOTHING, do=True)
    assert "--orphans" in find(freed, "orphans")[2][0] and folder.is_dir()
    freed = await free_room(engine.ports, "me", policy=NOTHING, do=True, orphans=True)
    assert find(freed, "orphans")[0] == 1 and not folder.exists()
    engine.close()


@alone
@pytest.mark.parametrize("why", ["a person's folder", "not mounted", "another machine", "there"])
def test_what_may_not_be_gone_is_no_orphan(tmp_path: Path, why: str) -> None:
    engine, folder = a_gone_store(tmp_path)
    engine.close()
    record = folder / "places.json"
    known = json.loads(record.read_text(encoding="utf-8"))
    match why:
        case "a person's folder":
            (folder / "desks" / GONE / "task").mkdir(parents=True)
        case "not mounted":
            known["places"][0]["device"] += 1
        case "another machine":
            known["places"][0]["host"] = "0" * 32
        case _:
            (tmp_path / "elsewhere").rename(tmp_path / "lost")
    record.write_text(json.dumps(known), encoding="utf-8")
    assert find_orphans() == {}


@alone
@pytest.mark.parametrize(
    "text", ["limit_mib = 0", "limit_mib = '1'", "days = 3", "limit_mib =", "\0"]
)
def test_a_policy_that_cannot_be_used_is_refused(text: str) -> None:
    config_dir().mkdir(parents=True, exist_ok=True)
    (config_dir() / "storage.toml").write_text(text, encoding="utf-8")
    with pytest.raises(BadConfiguration, match="storage.toml"):
        read_storage_policy()


@alone
def test_without_a_policy_nothing_is_limited() -> None:
    assert read_storage_policy() == StoragePolicy()
