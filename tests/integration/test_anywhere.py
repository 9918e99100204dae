"""What needs no repository works outside of every one."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from goal_engine.engine import Engine
from goal_engine.queries import resolve_goal_proof
from goal_server import cli
from goal_server.exit_codes import UNTRUSTED
from tests.integration.projects import FIX, a_plan, a_project, run

pytestmark = pytest.mark.one_python


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


async def a_proof(project: Path) -> Path:
    engine = Engine.open(a_project(project))
    try:
        state = await run(engine, a_plan(FIX))
        return await resolve_goal_proof(engine.ports, state.goal_id)
    finally:
        engine.close()


def test_a_proof_is_inspected_and_running_it_asks_for_a_repository(
    tmp_path: Path, outside: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bundle = asyncio.run(a_proof(tmp_path / "project"))
    (outside / "bundle").symlink_to(bundle)
    assert cli.run(["verify-proof", "bundle"]) == 0
    out = " ".join(capfd.readouterr().out.split())
    assert "Nothing was run" in out
    assert "an unsandboxed worker could have read the key; only running it again convinces" in out
    assert cli.run(["verify-proof", "bundle", "--run"]) == 6
    assert "not in a git repository" in capfd.readouterr().err
    repository = ["--repository", str(tmp_path / "project")]
    assert cli.run(["verify-proof", "bundle", "--run", *repository]) == UNTRUSTED
    said = capfd.readouterr().err
    assert "will run baseline · tests: python3 run_tests.py" in said and "--trust" in said
    assert cli.run(["verify-proof", "bundle", "--run", "--trust", *repository]) == 0
    capfd.readouterr()
    assert cli.run(["-C", str(tmp_path / "project"), "proof", "latest"]) == 0
    assert "signed yes: signed by" in " ".join(capfd.readouterr().out.split())
    assert cli.run(["verify-proof", "goal-2001"]) == 2
    assert "No goal is called" in capfd.readouterr().err
    assert [path.name for path in outside.iterdir()] == ["bundle"]


def test_the_workers_are_shown(outside: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["agents", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["workers"]
    assert list(outside.iterdir()) == []
