"""The person's tools are asked what they know: briefly, without the network, and nothing is changed."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

from goal_engine.runtime.process import find_program

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
    with TemporaryFile() as output:  # a pipe would stay open in what the tool leaves behind
        try:
            asked = subprocess.Popen(
                [program, *argv[1:]], cwd=cwd, env={**env, **QUIET}, stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        except (OSError, ValueError):
            return None
        try:
            asked.wait(ANSWER_SECONDS)
        except subprocess.TimeoutExpired:
            return None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(asked.pid, signal.SIGKILL)
            asked.wait()
        output.seek(0)
        return output.read() if asked.returncode == 0 else None
