"""The demo, as a newcomer runs it: real git, real gates, nothing left behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from goal_server import cli


def test_the_demo_ends_ready_and_reproduced(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code = cli.run(["demo", "--json"])
    out, err = capfd.readouterr()
    assert (code, err) == (0, "")
    shown = json.loads(out)
    assert shown["goal"]["status"] == "ready"
    assert shown["reverification"]["outcome"] == "REPRODUCED"
    assert {item["state"] for item in shown["goal"]["criteria"]} == {"verified"}
    assert shown["folder"] is None
    assert list(tmp_path.iterdir()) == []


def test_keep_leaves_the_repository_and_its_proof(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert cli.run(["demo", "--json", "--keep"]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert (Path(shown["folder"]) / "goalproof.toml").is_file()
    assert (Path(shown["goal"]["proof"]["path"]) / "statement.json").is_file()
