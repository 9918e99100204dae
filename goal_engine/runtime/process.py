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
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from goal_engine.errors import ToolMissing
from goal_engine.runtime.atomic import writing

GUARDIAN = Path(__file__).with_name("guardian.py")
LOG_CAP = 8 * 1024 * 1024
"""Bytes of output that are kept: the first and the last half."""
KEPT = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TERM", "TMPDIR", "TZ"}
    | {"XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"}
    | {"CARGO_HOME", "RUSTUP_HOME", "GOPATH", "GOCACHE", "GOMODCACHE", "GOROOT", "PNPM_HOME"}
)
"""The variables that workers and gates inherit.  Some say where toolchains keep
what they installed.  No `GIT_*` and no token is among them."""


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
    exceeded: str = ""
    """The name of the limit that it was ended for, empty for none."""


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
    stdin: Path | None = None,
    limits: Mapping[str, int] | None = None,
) -> Finished:
    """Run `argv` with its output in `log` and return once its whole tree is dead.

    `timeout` and `grace` (between asking and killing) are seconds; `stdin` is a file that it reads
    as its standard input, which is empty otherwise.  `limits` are on the whole tree: `memory` and
    `output` in MiB, `cpu` in seconds, `processes`; and `files` that each process may have open.
    What breaks one is ended, and the result names it.  Cancelled, it ends the tree
    before it lets the cancellation through.  Raises `ToolMissing` when there is no such program,
    `StoreUnwritable` when there can be no log.
    """
    program = find_program(argv[0], env, cwd)
    if program is None or not cwd.is_dir():
        raise ToolMissing(
            f"{argv[0]} was not found to run in {cwd.name}: install it in the environment that "
            "gates run in, or correct its name in goalproof.toml."
        )
    order = {
        "argv": [program, *argv[1:]],
        "cwd": str(cwd),
        "env": dict(env),
        "timeout": timeout,
        "grace": grace,
        "stdin": None if stdin is None else str(stdin),
        "cap": LOG_CAP,
        "limits": dict(limits or {}),
    }
    with _start_guardian(log) as guardian:  # left only when it has ended
        _give(guardian, json.dumps(order).encode() + b"\n")
        answer = await _hear(guardian)
    if not answer:
        raise ToolMissing(
            f"What {argv[0]} ran under was killed from outside, so nobody knows how it ended and "
            "processes of it may be left: look for them, then run it again."
        )
    told = json.loads(answer)
    if "error" in told:
        raise ToolMissing(
            f"{argv[0]} could not be started: {told['error']}. Correct the program or its "
            "arguments in goalproof.toml."
        )
    return Finished(**told)


def _start_guardian(log: Path) -> subprocess.Popen[bytes]:
    with writing(log):
        log.parent.mkdir(parents=True, exist_ok=True)
        output = log.open("wb")
    with output:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARDIAN)],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            start_new_session=True,
            env={},
        )


def _give(guardian: subprocess.Popen[bytes], order: bytes) -> None:
    """Not as arguments: those are everybody's to read, and one may not be longer than 128 KiB."""
    assert guardian.stdin is not None
    left = memoryview(order)
    with suppress(BrokenPipeError):
        while left:
            left = left[guardian.stdin.write(left) :]


async def _hear(guardian: subprocess.Popen[bytes]) -> bytes:
    """Return the answer once its pipe is closed, which only the guardian holds.

    No thread waits: many commands run at once, and the loop's threads are for work that ends.
    """
    assert guardian.stdin is not None and guardian.stdout is not None
    loop = asyncio.get_running_loop()
    pipe = guardian.stdout.fileno()
    answer = bytearray()
    ended = loop.create_future()

    def read() -> None:
        data = os.read(pipe, 1 << 16)
        answer.extend(data)
        if not data:
            loop.remove_reader(pipe)
            ended.set_result(None)

    cancellation: asyncio.CancelledError | None = None
    loop.add_reader(pipe, read)
    try:
        while not ended.done():
            try:
                await asyncio.wait({ended})
            except asyncio.CancelledError as error:  # again and again, maybe: the end is the same
                cancellation = error
                guardian.stdin.close()
    finally:
        guardian.stdin.close()
        loop.remove_reader(pipe)
    if cancellation is not None:
        raise cancellation
    return bytes(answer)
