"""Nothing leaks: what the dead left goes at the next occasion, what the living have stays (P02, F07)."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from goal_engine.engine import Engine
from goal_engine.runtime.atomic import TEMPORARY, sweep_left
from goal_engine.runtime.leftovers import own, remove_gone, set_aside
from goal_engine.runtime.owner import is_left, own_tag
from goal_engine.runtime.repository import EvidenceRepository, read_checkout
from goal_engine.takeover import WORKSPACES, sweep_workspaces, workspaces_folder
from goal_engine.types import GoalId
from tests.integration.projects import a_project

pytestmark = pytest.mark.one_python

ROOT = Path(__file__).parents[2]
GOAL = GoalId("goal-20260102-030405-006-0123abcd")
TAG = "from goal_engine.runtime.owner import own_tag; print(own_tag())"


@pytest.fixture(scope="module")
def dead() -> str:
    """The tag of a process that is dead."""
    return subprocess.check_output([sys.executable, "-c", TAG], cwd=ROOT, text=True).strip()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = Engine.open(a_project(tmp_path / "project"))
    yield opened
    opened.close()


def change(tag: str, field: int, value: str) -> str:
    parts = tag.split("-")
    return "-".join((*parts[:field], value, *parts[field + 1 :]))


def test_a_name_says_whether_its_owner_is_dead(dead: str) -> None:
    ours = own_tag()
    assert is_left(f".tmp-{dead}-0a0b-head.json") and not is_left(f".tmp-{ours}-0a0b-head.json")
    assert is_left(change(ours, 4, "1")), "the number was used again"
    assert is_left(change(ours, 1, "0" * 8)), "it was another boot"


def test_of_what_nobody_here_can_tell_nothing_goes(dead: str) -> None:
    assert not is_left(change(dead, 0, "0" * 8)), "it is another machine's"
    assert not is_left(change(dead, 2, "1")), "it is another container's"
    assert not is_left(".tmp-99-abcd-head.json"), "it has no tag"


def test_what_a_dead_writer_left_goes_and_nothing_else(tmp_path: Path, dead: str) -> None:
    kept = {f"{TEMPORARY}{own_tag()}-0a0b-x", "0" * 64, f"{dead}", f"{TEMPORARY}1-0a0b-x"}
    for name in (*kept, f"{TEMPORARY}{dead}-0a0b-x"):
        (tmp_path / name).write_bytes(b"x" * 5000)
    (tmp_path / f"{TEMPORARY}{dead}-0c0d-y").mkdir()
    assert sweep_left(tmp_path) >= 5000
    assert {path.name for path in tmp_path.iterdir()} == kept


async def test_killed_at_any_step_of_making_a_workspace_nothing_is_left(engine: Engine) -> None:
    folder = engine.state_dir / WORKSPACES
    argv = [sys.executable, "-m", "tests.integration.killed_maker"]
    path = os.pathsep.join((str(ROOT), str(ROOT / "server")))
    said = await asyncio.to_thread(
        subprocess.run,
        [*argv, str(engine.checkout), str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    steps = int(said.stdout)
    made = [one / "task" for one in sorted(folder.iterdir())]
    assert steps >= 5 and len(made) == steps + 1
    whole = [path.is_dir() for path in made]
    assert whole == [False] * (steps - 1) + [True, True], "half a workspace has its name"
    read = (path / "calc.py" for path in made[-2:])
    assert all("a - b" in path.read_text(encoding="utf-8") for path in read)
    await sweep_workspaces(engine.ports)
    assert list(folder.iterdir()) == []


async def test_what_the_dead_left_of_goals_that_are_gone_goes(engine: Engine, dead: str) -> None:
    folder = workspaces_folder(engine.state_dir, GOAL)
    own(folder)
    (folder / "task").mkdir()
    assert await sweep_workspaces(engine.ports) == 0, "this process works there"
    assert folder.is_dir()
    next(folder.glob(".owner-*")).rename(folder / f".owner-{dead}")
    assert await sweep_workspaces(engine.ports) > 0
    assert list(folder.parent.iterdir()) == []


def test_what_was_being_removed_is_removed(tmp_path: Path, dead: str) -> None:
    (tmp_path / "task").mkdir()
    mine = set_aside(tmp_path / "task")
    assert mine is not None and set_aside(tmp_path / "task") is None
    theirs = tmp_path / f".gone-{dead}-00"
    (theirs / "sealed").mkdir(parents=True)
    (theirs / "sealed" / "file").touch()
    (theirs / "sealed").chmod(0o500)
    remove_gone(tmp_path)
    assert list(tmp_path.iterdir()) == [mine]


@pytest.fixture
def evidence(tmp_path: Path, engine: Engine) -> EvidenceRepository:
    status = read_checkout(engine.checkout)
    return EvidenceRepository.open(tmp_path / "evidence", status.git_dir)


def test_locks_that_a_killed_git_left_go(
    evidence: EvidenceRepository, dead: str, tmp_path: Path
) -> None:
    commit = read_checkout(tmp_path / "project").commit
    evidence.pin(commit, GOAL)
    for name in ("packed-refs.lock", f"refs/goalproof/{GOAL}/base.lock", "shallow.lock"):
        (evidence.path / name).touch()
    (evidence.path / f"scratch-{dead}-abc").mkdir()
    (evidence.path / f"scratch-{own_tag()}-abc").mkdir()
    evidence.sweep()
    assert [path.name for path in evidence.path.rglob("*.lock")] == ["pin.lock"]
    assert [path.name for path in evidence.path.glob("scratch-*")] == [f"scratch-{own_tag()}-abc"]
    evidence.keep(GOAL, "base", commit)


def test_locks_stay_while_something_works_there(evidence: EvidenceRepository) -> None:
    lock = evidence.path / "packed-refs.lock"
    lock.touch()
    env = {**os.environ, "GIT_DIR": str(evidence.path)}
    with subprocess.Popen(["cat"], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as git:
        assert git.stdin and git.stdout
        git.stdin.write(b"\n")
        git.stdin.flush()
        git.stdout.readline()  # by now it is what it says it is
        evidence.sweep()
        assert lock.exists()
        git.stdin.close()
    evidence.sweep()
    assert not lock.exists()
