"""Each workspace has ports of its own, as long as it stands."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from goal_engine.errors import EnvironmentUnusable
from goal_engine.runtime import port_ranges
from goal_engine.runtime.port_ranges import (
    FIRST,
    RANGES,
    SIZE,
    lease_ports,
    order_ranges,
    render_ports,
)

pytestmark = pytest.mark.one_python


def test_every_range_is_tried_once_and_none_reaches_into_another() -> None:
    bases = list(order_ranges("goal/task"))
    assert sorted(bases) == [FIRST + number * SIZE for number in range(RANGES)]
    assert max(bases) + SIZE <= 32768  # where Linux begins to give ports out by itself
    assert bases[0] == next(order_ranges("goal/task")) != next(order_ranges("goal/other"))
    assert render_ports(20020) == {"GOALPROOF_PORT_BASE": "20020", "GOALPROOF_PORT_COUNT": "20"}


def test_workspaces_that_stand_at_once_have_different_ports(tmp_path: Path) -> None:
    with ExitStack() as standing:
        bases = [standing.enter_context(lease_ports(tmp_path, "same name")) for _ in range(8)]
        assert len(set(bases)) == 8
    with lease_ports(tmp_path, "same name") as again:
        assert again == bases[0]  # they were released


def test_a_range_in_which_somebody_listens_is_passed_by(tmp_path: Path) -> None:
    with lease_ports(tmp_path, "goal") as base:
        pass
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", base + 7))
        listening.listen()
        with lease_ports(tmp_path, "goal") as other:
            assert other != base


HOLD = """
import sys
from pathlib import Path
from goal_engine.runtime.port_ranges import lease_ports
with lease_ports(Path(sys.argv[1]), "goal") as base:
    print(base, flush=True)
    sys.stdin.read()
"""


def test_another_process_has_others_and_leaves_none_taken_when_it_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ),
    ) as other:  # fmt: skip
        assert other.stdout is not None
        theirs = int(other.stdout.readline())
        with lease_ports(tmp_path, "goal") as ours:
            assert ours != theirs
        other.kill()
        other.wait(30)
    with lease_ports(tmp_path, "goal") as ours:
        assert ours == theirs


def test_where_every_range_is_taken_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(port_ranges, "RANGES", 1)
    with lease_ports(tmp_path, "a"), pytest.raises(EnvironmentUnusable, match="are taken"):
        lease_ports(tmp_path, "b").__enter__()
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentUnusable, match="No ports could be set aside"):
        lease_ports(tmp_path / "file" / "ports", "a").__enter__()
