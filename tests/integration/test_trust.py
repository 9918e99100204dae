"""Trust: what a person allowed is remembered by content, outside the workspace, and never guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

from goal_engine.engine import Engine
from goal_engine.gates.trust import Trust
from goal_engine.proof.gate import GateReport, GateSpec
from tests.builders import GOAL

GATE = GateSpec(name="unit", argv=("pytest", "-q"), env={"MODE": "test"}, fix=("fixer",))
CHECKOUT = Path("/checkout")
OTHER = GateSpec(name="lint", argv=("ruff", "check"))


def test_nothing_is_trusted_until_somebody_says_so(tmp_path):
    trust = Trust(tmp_path, CHECKOUT)
    assert not trust.is_workspace_trusted()
    assert not trust.is_trusted(GATE)
    assert trust.problem == ""


def test_an_approval_outlives_the_process_that_asked(tmp_path):
    Trust(tmp_path / "new", CHECKOUT).approve([GATE])
    again = Trust(tmp_path / "new", CHECKOUT)
    assert again.is_trusted(GATE)
    assert not again.is_trusted(GATE, OTHER)
    again.approve([OTHER])
    assert again.is_trusted(GATE, OTHER)


def test_a_workspace_and_its_gates_are_two_questions(tmp_path):
    trust = Trust(tmp_path, CHECKOUT)
    trust.trust_workspace()
    assert trust.is_workspace_trusted()
    assert not trust.is_trusted(GATE)
    trust.approve([GATE])
    assert trust.is_workspace_trusted()


CHANGES = [
    {"argv": ("pytest", "-q", "-x")},
    {"cwd": "sub"},
    {"env": {"MODE": "test", "LD_PRELOAD": "x.so"}},
    {"env": {"MODE": "other"}},
    {"fix": ("rm", "-rf", ".")},
    {"report": GateReport.JUNIT},
    {"name": "renamed"},
    {"quarantine": ("tests.test_a::test_flaky",)},
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_gate_that_runs_something_else_is_asked_for_again(tmp_path, change):
    trust = Trust(tmp_path, CHECKOUT)
    trust.approve([GATE])
    assert not trust.is_trusted(GATE.changed(**change))


def test_what_only_explains_a_gate_does_not_count(tmp_path):
    trust = Trust(tmp_path, CHECKOUT)
    trust.approve([GATE])
    assert trust.is_trusted(GATE.changed(reason="another", required=False))


DAMAGED = [b"", b"{", b"[]", b"\xff", b'{"version": 2}', b'{"workspace": "yes", "gates": [1]}']


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_trusts_nothing_and_says_so(tmp_path, content):
    trust = Trust(tmp_path, CHECKOUT)
    trust.trust_workspace()
    trust.approve([GATE])
    trust.path.write_bytes(content)
    assert not trust.is_workspace_trusted()
    assert not trust.is_trusted(GATE)
    assert str(trust.path) in trust.problem
    trust.approve([GATE])
    assert trust.is_trusted(GATE)
    assert trust.problem == ""


def test_the_file_is_for_the_person_alone_and_tells_no_secret(tmp_path):
    trust = Trust(tmp_path, CHECKOUT)
    trust.approve([GATE.changed(env={"TOKEN": "hunter2"})])
    assert trust.path.stat().st_mode & 0o777 == 0o600
    assert b"hunter2" not in trust.path.read_bytes()
    assert list(tmp_path.iterdir()) == [trust.path]


def test_a_folder_in_the_place_of_the_file_trusts_nothing(tmp_path):
    trust = Trust(tmp_path, CHECKOUT)
    trust.path.mkdir()
    assert not trust.is_workspace_trusted()
    assert str(trust.path) in trust.problem


def test_a_repository_that_brings_the_id_of_another_is_not_trusted_for_it(tmp_path, monkeypatch):
    monkeypatch.setenv("GOALPROOF_STATE_DIR", str(tmp_path / "state"))
    one, two = (Engine(a_checkout(tmp_path / name)) for name in ("one", "two"))
    assert one.state_dir == two.state_dir
    one.trust.trust_workspace()
    one.trust.approve([GATE])
    assert not two.trust.is_workspace_trusted()
    assert not two.trust.is_trusted(GATE)
    assert one.trust.is_workspace_trusted()
    one.close()
    two.close()


def a_checkout(path: Path) -> Path:
    goal = path / ".goalproof/goals" / GOAL  # without a goal it would be given an id of its own
    goal.mkdir(parents=True)
    (goal / "events.jsonl").touch()
    (path / ".goalproof/id").write_text("0123456789abcdef" * 2, encoding="ascii")
    return path
