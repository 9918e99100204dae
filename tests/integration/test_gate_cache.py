"""What a gate said of a base serves the next goal on it, and is believed only whole, fresh and ours."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from goal_engine.engine import Engine
from goal_engine.lifecycle import execute_goal
from goal_engine.planner import CreateGoalOptions, create_goal
from goal_engine.proof.gate import GateOutcome, GateResult, GateStage, TestCounts
from goal_engine.proof.report import render_proof_page
from goal_engine.state.model import GoalState
from goal_engine.types import GoalStatus
from goal_engine.verifier import cache as module
from goal_engine.verifier.bundle import proofs_folder, read_bundle
from goal_engine.verifier.cache import GateCache, Remembered, is_worth_keeping
from tests.builders import NOW, TREE
from tests.integration.projects import FIX, GATE, a_plan, a_project, run

pytestmark = pytest.mark.one_python

SEED = b"s" * 32
KEY = "a" * 64
RESULT = GateResult(
    gate="tests", stage=GateStage.BASELINE, tree=TREE, outcome=GateOutcome.FAILED, exit_code=1
)
ENTRY = Remembered(result=RESULT, log="\xff out", at=NOW)


def a_cache(folder: Path, seed: bytes = SEED, age: timedelta = timedelta(0)) -> GateCache:
    return GateCache(folder / "gates", seed, NOW + age)


def test_an_entry_is_read_as_it_was_written(tmp_path: Path) -> None:
    cache = a_cache(tmp_path)
    assert cache.read(KEY) is None
    cache.write(KEY, ENTRY)
    assert cache.read(KEY) == ENTRY
    assert (tmp_path / "gates" / KEY).stat().st_mode & 0o777 == 0o600


def test_an_entry_of_which_any_byte_is_another_is_none(tmp_path: Path) -> None:
    cache = a_cache(tmp_path)
    cache.write(KEY, ENTRY)
    path = tmp_path / "gates" / KEY
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert cache.read(KEY) is None, at
    for length in (0, 1, 64, 65, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert cache.read(KEY) is None


def test_an_entry_that_somebody_else_sealed_or_for_another_base_is_none(tmp_path: Path) -> None:
    a_cache(tmp_path, b"x" * 32).write(KEY, ENTRY)
    assert a_cache(tmp_path).read(KEY) is None
    a_cache(tmp_path).write(KEY, ENTRY)
    other = "b" * 64
    (tmp_path / "gates" / KEY).rename(tmp_path / "gates" / other)
    assert a_cache(tmp_path).read(other) is None


@pytest.mark.parametrize(
    ("age", "read"),
    [(timedelta(hours=23), True), (timedelta(hours=25), False), (-timedelta(1), False)],
)
def test_an_old_entry_is_none_and_so_is_one_of_the_future(
    age: timedelta, read: bool, tmp_path: Path
) -> None:
    a_cache(tmp_path).write(KEY, ENTRY)
    assert (a_cache(tmp_path, age=age).read(KEY) is not None) is read


def test_the_oldest_entries_go_and_large_ones_never_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    monkeypatch.setattr(module, "LARGEST", 10_000)
    cache = a_cache(tmp_path)
    for number in range(6):
        cache.write(f"{number}" * 64, ENTRY)
    assert len(list((tmp_path / "gates").iterdir())) == 3
    cache.write(KEY, ENTRY.changed(log="x" * 20_000))
    assert cache.read(KEY) is None


def test_a_folder_that_cannot_be_written_is_no_harm(tmp_path: Path) -> None:
    (tmp_path / "gates").write_text("a file")
    cache = a_cache(tmp_path)
    cache.write(KEY, ENTRY)
    assert cache.read(KEY) is None


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({}, True),
        ({"outcome": GateOutcome.PASSED, "runs": 2}, True),
        ({"runs": 2, "red": 2}, True),
        ({"runs": 2, "red": 1}, False),
        ({"counts": {"a": TestCounts(passed=1, failed=1)}, "runs": 2, "red": 2}, False),
        ({"outcome": GateOutcome.TIMEOUT}, False),
        ({"outcome": GateOutcome.ERROR}, False),
        ({"outcome": GateOutcome.WRONG_TREE}, False),
    ],
)
def test_only_complete_and_steady_answers_are_kept(changes: dict[str, object], kept: bool) -> None:
    assert is_worth_keeping(RESULT.changed(**changes)) is kept


# Through the engine


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return a_project(tmp_path / "project")


@pytest.fixture
def engine(project: Path) -> Iterator[Engine]:
    opened = Engine.open(project)
    yield opened
    opened.close()


def cached(state: GoalState) -> dict[str, bool]:
    return {run.result.stage.value: bool(run.result.cached) for run in state.gates_run.values()}


async def test_the_next_goal_on_a_base_does_not_run_its_gates_again(
    engine: Engine, project: Path
) -> None:
    first, second = await run(engine, a_plan(FIX)), await run(engine, a_plan(FIX))
    assert first.status is second.status is GoalStatus.READY
    assert not any(cached(first).values())
    assert {stage for stage, known in cached(second).items() if known} == {"baseline"}
    assert {"proving", "counterfactual"} < set(cached(second)), "what proves was run"
    assert second.proof is not None
    proof, digest = read_bundle(proofs_folder(project, second.goal_id) / second.proof.digest)
    assert "cached: seen at 20" in render_proof_page(proof, digest)
    told, again = (
        state.find_run(GateStage.BASELINE, state.created.base_tree, "tests")
        for state in (first, second)
    )
    assert told is not None and again is not None
    assert told.report == again.report and told.result.log == again.result.log


async def test_a_damaged_memory_is_asked_anew(engine: Engine) -> None:
    await run(engine, a_plan(FIX))
    (entry,) = (engine.state_dir / "gates").iterdir()
    entry.write_bytes(entry.read_bytes()[:-1])
    assert not any(cached(await run(engine, a_plan(FIX))).values())


async def test_a_gate_that_is_not_to_be_remembered_is_not(tmp_path: Path) -> None:
    opened = Engine.open(
        a_project(tmp_path / "fresh", **{"goalproof.toml": GATE + "cache = false\n"})
    )
    try:
        await run(opened, a_plan(FIX))
        assert not (opened.state_dir / "gates").exists()
    finally:
        opened.close()


async def test_what_a_gate_gets_beside_the_tree_counts(tmp_path: Path) -> None:
    files = {
        ".gitignore": "__pycache__/\n*.env\n",
        "goalproof.toml": f'{GATE}\n[workspace]\ncopy = ["*.env"]\n',
    }
    project = a_project(tmp_path / "copied", **files)
    (project / "a.env").write_text("1")
    opened = Engine.open(project)
    try:
        await run_with_copies(opened)
        assert cached(await run_with_copies(opened))["baseline"]
        (project / "a.env").write_text("2")
        assert not cached(await run_with_copies(opened))["baseline"]
    finally:
        opened.close()


async def run_with_copies(engine: Engine) -> GoalState:
    choice = await engine.choose_gates()
    plan = a_plan(FIX)
    options = CreateGoalOptions(gates=choice.specs, plan=plan, copies=("*.env",))
    state = await create_goal(engine.ports, plan.goal, options)
    return await execute_goal(engine.ports, state.goal_id)
