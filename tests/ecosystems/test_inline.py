"""Rust's tests beside the code: a worker that changes both is asked what the base's tests say."""

from __future__ import annotations

from pathlib import Path

import pytest

from goal_engine.document import parse_plan
from goal_engine.engine import Engine
from goal_engine.queries import resolve_goal_proof
from goal_engine.toml import render_string
from goal_engine.types import GoalStatus
from goal_engine.verifier import stages
from tests.cheats.cases import reasons
from tests.ecosystems.projects import ECOSYSTEMS, a_project
from tests.ecosystems.test_ecosystems import reproduce, toolchains
from tests.ecosystems.tools import Toolchains
from tests.integration.projects import run

pytestmark = pytest.mark.timeout(400)
__all__ = ["toolchains"]

CARGO = ECOSYSTEMS["cargo"]
CODE = "pub fn add(a: i32, b: i32) -> i32 {\n    a - b\n}\n"
TESTS = (
    "\n#[cfg(test)]\nmod tests {\n    use super::*;\n\n    #[test]\n    fn adds() {\n"
    "        assert_eq!(add(2, 3), 5);\n    }\n}\n"
)
MORE = (
    TESTS[:-2]
    + "\n    #[test]\n    fn adds_nothing() {\n        assert_eq!(add(2, 0), 2);\n    }\n}\n"
)
FIXED = CODE.replace("a - b", "a + b")
ROWS = {
    "mends-it-and-adds-a-test": (FIXED + MORE, GoalStatus.READY, ""),
    "expects-what-is-wrong": (
        CODE.replace("\n}", " // mended\n}") + TESTS.replace("5)", "-1)"),
        GoalStatus.NOT_READY,
        "stays green when the change is taken away",
    ),
    "looks-for-its-own-mark": (
        "pub const MENDED: bool = true;\n" + CODE
        + TESTS.replace("add(2, 3), 5", "(MENDED, add(2, 3)), (true, -1)"),
        GoalStatus.BLOCKED_ON_HUMAN,
        "rewritten-tests",
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
async def test_tests_beside_the_code_are_the_base_s(
    row: str, toolchains: Toolchains, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, status, says = ROWS[row]
    await _play(content, status, says, toolchains, tmp_path, monkeypatch)


async def test_an_engine_that_takes_them_for_code_believes_the_lie(
    toolchains: Toolchains, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "may_have_tests", lambda path: False)
    content = ROWS["looks-for-its-own-mark"][0]
    await _play(content, GoalStatus.READY, "", toolchains, tmp_path, monkeypatch)


async def _play(
    content: str,
    status: GoalStatus,
    says: str,
    toolchains: Toolchains,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in toolchains.environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    files = {"Cargo.toml": CARGO.files["Cargo.toml"], "src/lib.rs": CODE + TESTS}
    cargo = type(CARGO)(**{**vars(CARGO), "files": files, "test": "shop src/lib.rs::tests::adds"})
    project = a_project(tmp_path.resolve() / "shop", cargo, toolchains)
    engine = Engine.open(project)
    try:
        state = await run(engine, parse_plan(_plan(content), "plan.toml"))
        bundle = await resolve_goal_proof(engine.ports, "latest")
    finally:
        engine.close()
    assert state.status is status, reasons(state)
    assert says in reasons(state)
    if content == ROWS["mends-it-and-adds-a-test"][0]:
        reproduce(bundle, project)


def _plan(content: str) -> str:
    return f"""
goal = "Make sums right in src/lib.rs"
kind = "fix"

[[criterion]]
id = "adds"
text = "Sums are right"
evidence = "flips"
gate = "tests"
tests = ["shop src/lib.rs::tests::adds"]

[[task]]
id = "fix"
title = "Fix the sum"
writes = ["src/lib.rs"]
steps = [{{ write = "src/lib.rs", content = {render_string(content)} }}]
"""
