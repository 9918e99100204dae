"""What workspaces cost: many at once (F07), and one after many tasks that are finished."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from goal_engine.runtime.repository import (
    EvidenceRepository,
    create_sample_repository,
    read_checkout,
)
from goal_engine.types import GoalId, Person
from tests.bench.table import Row

FILES = 2000
AT_ONCE = 64
FINISHED = 500
ROUNDS = 5
GOAL = GoalId("goal-20260102-030405-006-0123abcd")
WHEN = datetime(2026, 1, 2, tzinfo=UTC)
NOBODY = Person(name="Nobody", email="nobody@localhost")


def measure_workspaces() -> Iterator[Row]:
    """Time 64 workspaces of 2,000 files, and one before and after 500 finished tasks."""
    with TemporaryDirectory(prefix="goalproof-bench-") as name:
        place = Path(name)
        repository, commit = prepare(place)
        making, removing, whole = time_many(repository, commit, place / "many")
        note = f"{AT_ONCE} threads, {os.cpu_count()} cores; {whole} of {AT_ONCE} whole (F07)"
        yield Row(f"{AT_ONCE} workspaces, 2k files: made", making, 30, "s", note)
        yield Row("  and removed", removing, None, "s")
        before = time_one(repository, commit, place / "one")
        finish(repository, commit)
        after = time_one(repository, commit, place / "one")
        note = f"best of {ROUNDS}: {before:.0f} ms before, {after:.0f} ms after {FINISHED} tasks"
        yield Row("workspace and result, after to before", after / before, 1.2, "×", note)
        repository.close()


def prepare(place: Path) -> tuple[EvidenceRepository, str]:
    """Return the evidence repository of a project of so many files, and its commit."""
    for number in range(FILES):
        file = place / "project" / f"pkg{number % 40}" / f"module{number}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"value = {number}\n" * 30, encoding="utf-8")
    create_sample_repository(place / "project", "a project")
    status = read_checkout(place / "project")
    repository = EvidenceRepository.open(place / "evidence", status.git_dir)
    repository.pin(status.commit, GOAL)
    return repository, status.commit


def time_many(
    repository: EvidenceRepository, commit: str, folder: Path
) -> tuple[float, float, int]:
    """Return the seconds to make and to remove them all, and how many were whole between."""
    places = [folder / str(number) for number in range(AT_ONCE)]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        begun = perf_counter()
        list(threads.map(lambda path: repository.make_workspace(path, commit), places))
        made = perf_counter()
        tree = repository.tree_of(commit)
        whole = sum(repository.snapshot(path, commit) == tree for path in places)
        looked = perf_counter()
        list(threads.map(repository.remove_workspace, places))
        return made - begun, perf_counter() - looked, whole


def time_one(repository: EvidenceRepository, commit: str, path: Path) -> float:
    """Return the ms to make a workspace, take what stands in it and remove it, at best."""
    times = []
    for number in range(ROUNDS):
        begun = perf_counter()
        repository.make_workspace(path, commit)
        (path / "new.py").write_text(f"round = {number}\n", encoding="utf-8")
        repository.snapshot(path, commit)
        repository.remove_workspace(path)
        times.append(1000 * (perf_counter() - begun))
    return min(times)


def finish(repository: EvidenceRepository, commit: str) -> None:
    """Leave what so many finished tasks leave: a commit that is kept for each."""
    tree = repository.tree_of(commit)
    for number in range(FINISHED):
        changed = repository.with_content(tree, "pkg0/module0.py", f"task = {number}\n".encode())
        result = repository.commit(
            changed, (commit,), author=NOBODY, at=WHEN, message=f"task {number}"
        )
        repository.keep(GOAL, f"task-{number}", result)
