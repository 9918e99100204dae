"""The person's tools are asked what they know: briefly, without the network, and nothing is changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from goal_engine.errors import ToolMissing
from goal_engine.runtime.process import ask_process, find_program

ANSWER_SECONDS = 20
QUIET = {
    "CARGO_NET_OFFLINE": "true",
    "RUSTUP_AUTO_INSTALL": "0",
    "GOPROXY": "off",
    "GOTOOLCHAIN": "local",
    "COREPACK_ENABLE_NETWORK": "0",
    "PIP_NO_INDEX": "1",
    "UV_OFFLINE": "1",
}
"""Nothing is fetched to answer a question."""


def ask_tool(argv: tuple[str, ...], cwd: Path, env: Mapping[str, str]) -> bytes | None:
    """Return what a command prints, `None` when there is no such program or it fails.

    Blocking, at most `ANSWER_SECONDS`.  Only for trusted workspaces.
    """
    program = find_program(argv[0], env, cwd)
    if program is None:
        return None
    try:
        code, said = ask_process(
            (program, *argv[1:]),
            cwd=cwd,
            env={**env, **QUIET},
            timeout=ANSWER_SECONDS,
            errors=False,
        )
    except (ToolMissing, OSError, ValueError):
        return None
    return said if code == 0 else None
