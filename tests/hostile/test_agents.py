"""An agent that tries every way out at once: it gets nowhere, and its work is judged as any (S06, S13)."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import psutil
import pytest

from goal_engine.document import parse_plan
from goal_engine.engine import Engine
from goal_engine.errors import JournalDamaged
from goal_engine.runtime.process import LOG_CAP
from goal_engine.runtime.signing_key import read_signing_seed
from goal_engine.state.model import GoalState
from goal_engine.types import GoalStatus
from tests.editors.tools import install_packages, open_cache
from tests.hostile.agents import write_agent
from tests.integration.projects import a_project, fingerprint, plan_text, run
from tests.personal import set_sandbox

pytestmark = [
    pytest.mark.one_python,
    pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is Linux's"),
]


def find_daemons(project: Path) -> list[int]:
    """Return what still runs of the agent: its words stay."""
    words = [str(project), "daemon"]
    found = psutil.process_iter(["cmdline"])
    return [one.pid for one in found if (one.info["cmdline"] or [])[-2:] == words]


def play(folder: Path, sandbox: str) -> tuple[GoalState | None, list[str]]:
    """Let the agent work on a goal; return the goal and what got out."""
    project, config = a_project(folder / "project"), folder / "config"
    set_sandbox(config, sandbox)
    state_dir = Path(os.environ["GOALPROOF_STATE_DIR"])
    write_agent(config, project, state_dir, config)
    read_signing_seed()
    text = plan_text("", writes='"**"').replace("steps = []", 'worker = "cli"\nagent = "evil"')
    before, settings = fingerprint(project), fingerprint(config)
    engine = Engine.open(project)
    try:
        state = asyncio.run(run(engine, parse_plan(text, "plan.toml")))
    except JournalDamaged:
        state = None
    try:
        log = next((at.log for at in state.tasks.values() if at.log), None) if state else None
        kept = len(asyncio.run(engine.ports.store.read_object(log))) if log else 0
    finally:
        engine.close()
    after = fingerprint(project)
    changed = sorted(name for name in before | after if before.get(name) != after.get(name))
    escapes = [f"changed {name}" for name in changed]
    escapes += ["changed the journal"] if state is None else []
    escapes += ["changed settings"] if fingerprint(config) != settings else []
    escapes += ["wrote beside the checkout"] if (folder / "beside").exists() else []
    escapes += [f"left {pid}" for pid in find_daemons(project)]
    escapes += [f"kept {kept} bytes of output"] if kept > LOG_CAP * 2 else []
    paths = state.evidence.paths if state and state.evidence else frozenset()
    escapes += [f"knows {path}" for path in sorted(paths) if path.startswith("leaked-")]
    return state, escapes


def test_an_agent_that_tries_every_way_out_gets_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_cache():
        install_packages({"bwrap": "bubblewrap"})
    monkeypatch.setenv("GOALPROOF_CONFIG_DIR", str(tmp_path / "config"))
    state, escapes = play(tmp_path, "required")
    assert escapes == [] and state is not None
    tried = set(state.evidence.paths) if state.evidence else set()
    assert {"calc.py", "n" * 255} <= tried, state.blocked
    assert not {"pipe", "socket"} & tried
    assert state.status is GoalStatus.BLOCKED_ON_HUMAN  # programs came along
    assert state.judgement and "protected-paths" in state.judgement.reasons[0]


def test_an_agent_without_a_sandbox_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOALPROOF_CONFIG_DIR", str(tmp_path / "config"))
    state, escapes = play(tmp_path, "off")
    assert {"changed calc.py", "changed .git/hooks/post-commit", "wrote beside the checkout"} <= {
        *escapes
    }
    assert state is None or state.status is not GoalStatus.READY
