"""Runs commands whose whole process tree is dead before anybody hears of the result.

Each runs under a guardian process (`guardian.py`).  Its standard input is held open here: when the
owner asks for the end, or is killed itself, that pipe closes and the guardian ends everything.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from goal_engine.errors import ToolMissing

GUARDIAN = Path(__file__).with_name("guardian.py")
LOG_CAP = 8 * 1024 * 1024
"""Bytes of output that are kept: the first and the last half."""
KEPT = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TERM", "TMPDIR", "TZ"}
    | {"XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"}
)
"""The variables that workers and gates inherit.  No `GIT_*` and no token is among them."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended."""

    exit_code: int | None
    """Its own, negative for a signal; `None` when it was killed from here."""
    timed_out: bool
    duration_ms: int
    log_bytes: int
    """Bytes that it wrote, also those that were not kept."""
    truncated: bool
    killed: int
    """Processes that were left over beside the command itself and were ended."""


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables that a child may see, with `extra` on top."""
    kept = {k: v for k, v in os.environ.items() if k in KEPT or k.startswith("LC_")}
    return {**kept, **(extra or {})}


def find_program(name: str, env: Mapping[str, str], cwd: Path) -> str | None:
    """Return the program that `name` means in `env`, seen from `cwd`."""
    if os.sep in name:
        path = cwd / name
        return str(path) if path.is_file() and os.access(path, os.X_OK) else None
    return shutil.which(name, path=env.get("PATH", os.defpath))


async def run_process(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    log: Path,
    timeout: float | None,
    grace: float = 0.5,
) -> Finished:
    """Run `argv` with its output in `log` and return once its whole tree is dead.

    `timeout` and `grace` (between asking and killing) are seconds.  Cancelled, it ends the tree
    before it lets the cancellation through.  Raises `ToolMissing` when there is no such program.
    """
    program = find_program(argv[0], env, cwd)
    if program is None or not cwd.is_dir():
        raise ToolMissing(
            f"{argv[0]} was not found to run in {cwd.name}: install it in the environment that "
            "gates run in, or correct its name in goalproof.toml."
        )
    log.parent.mkdir(parents=True, exist_ok=True)
    reader, writer = os.pipe()
    options = {
        "status_fd": writer,
        "log": str(log),
        "cap": LOG_CAP,
        "cwd": str(cwd),
        "env": dict(env),
        "timeout": timeout,
        "grace": grace,
    }
    command = [sys.executable, "-I", "-S", str(GUARDIAN), json.dumps(options), program, *argv[1:]]
    try:
        guardian = subprocess.Popen(  # noqa: ASYNC220 - returns at once, and waiting is on a pipe
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(writer,),
            start_new_session=True,
            env={},
        )
    except BaseException:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    return await _wait(guardian, reader, argv[0])


async def _wait(guardian: subprocess.Popen[bytes], reader: int, name: str) -> Finished:
    """Wait on the status pipe alone: it closes when the guardian ends, whoever holds others."""
    reading = asyncio.ensure_future(asyncio.to_thread(_read_all, reader))
    assert guardian.stdin is not None
    try:
        told = await asyncio.shield(reading)
    except asyncio.CancelledError:
        guardian.stdin.close()
        await asyncio.shield(reading)
        raise
    finally:
        guardian.stdin.close()
        guardian.wait()
    if not told:
        raise ToolMissing(f"{name} could not be started, or what ran it was killed.")
    return Finished(**json.loads(told))


def _read_all(reader: int) -> bytes:
    with os.fdopen(reader, "rb") as pipe:
        return pipe.read()
