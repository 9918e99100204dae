"""Runs commands whose whole process tree is dead before anybody hears of the result.

Each runs under a guardian process (`guardian.py`).  Its standard input is held open here: when the
owner asks for the end, or is killed itself, that pipe closes and the guardian ends everything.  A
guardian that a command stopped is woken; one that it killed is replaced by a look at every process.
"""

from __future__ import annotations

import asyncio
import json
import marshal
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from goal_engine.errors import EnvironmentUnusable, ToolMissing
from goal_engine.runtime.atomic import writing
from goal_engine.runtime.owner import Identity, identify
from goal_engine.runtime.personal import read_personal_settings
from goal_engine.runtime.running import MARK, Ended, Running, end_run
from goal_engine.runtime.threads import in_thread

GUARDIAN = Path(__file__).with_name("guardian.py")
BEGIN = (
    "import sys; sys.path.append(sys.argv[1].rpartition('/')[0]); from guardian import main; main()"
)
"""Imports it, since what is run as a script is compiled anew each time."""
LOG_CAP = 8 * 1024 * 1024
"""Bytes of output that are kept: the first and the last half."""
ANSWER_CAP = 64 * 1024 * 1024
"""Bytes of output of a command that only answers."""
PR_SET_DUMPABLE = 4
WAKE = 1.0
"""Seconds between two calls that wake a guardian, should it have been stopped."""
PATIENCE = 5.0
"""Seconds beyond what it was given after which a guardian that did not answer is ended as well."""
KEPT = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TERM", "TMPDIR", "TZ"}
    | {"XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"}
    | {"CARGO_HOME", "RUSTUP_HOME", "GOPATH", "GOCACHE", "GOMODCACHE", "GOROOT", "PNPM_HOME"}
)
"""The variables that workers and gates inherit.  Some say where toolchains keep
what they installed.  No `GIT_*`, no token and no socket is among them."""


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
    left: int = 0
    """Processes that could not be ended: another user's, or stuck in the system."""
    last: str = ""
    """The end of what it printed as errors, where it was talked to: others write to that log as well."""
    mark: str = ""
    """What all that it started had in its environment: random, so no part of what it says."""


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables that a child may see, with `extra` on top.

    What the person lets through (`variables` in their settings) is among them.  Raises
    `BadConfiguration` for settings that cannot be used.
    """
    named = {*KEPT, *find_passed()}
    kept = {k: v for k, v in os.environ.items() if k in named or k.startswith("LC_")}
    return {**kept, **(extra or {})}


def find_passed() -> tuple[str, ...]:
    """Return the names of the variables that the person lets through, as far as they are set."""
    return tuple(name for name in read_personal_settings().variables if name in os.environ)


def find_program(name: str, env: Mapping[str, str], cwd: Path) -> str | None:
    """Return the program that `name` means in `env`, seen from `cwd`."""
    if os.sep in name:
        path = cwd / name
        return str(path) if path.is_file() and os.access(path, os.X_OK) else None
    return shutil.which(name, path=env.get("PATH", os.defpath))


def find_there(name: str, env: Mapping[str, str], cwd: Path) -> str:
    """Return the program that `name` means.  Raises `ToolMissing` when there is none."""
    program = find_program(name, env, cwd)
    if program is None or not cwd.is_dir():
        raise ToolMissing(
            f"{name} was not found to run in {cwd.name}: install it in the environment that "
            "gates run in, or correct its name in goalproof.toml."
        )
    return program


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
    running: Running | None = None,
    sandbox: Sequence[str] = (),
) -> Finished:
    """Run `argv` with its output in `log` and return once its whole tree is dead.

    `timeout` and `grace` (between asking and killing) are seconds; `stdin` is a file that it reads
    as its standard input, which is empty otherwise.  `limits` are on the whole tree: `memory` and
    `output` in MiB, `cpu` in seconds, `processes`; and `files` that each process may have open.
    What breaks one is ended, and the result names it.  `running` keeps a record of it while it
    lives.  `sandbox` are the words of `sandbox.confine`; in one, a command that a signal ended has
    the exit code that a shell would give (128 and the signal).  Cancelled, it ends the tree before
    it lets the cancellation through.  Raises `ToolMissing` when there is no such program,
    `EnvironmentUnusable` when its sandbox cannot be made, `StoreUnwritable` when there can be no log.
    """
    program = find_there(argv[0], env, cwd)
    mark = secrets.token_hex(16)
    order = {
        **build_order([program, *argv[1:]], cwd, env, mark, timeout),
        "grace": grace,
        "stdin": None if stdin is None else str(stdin),
        "limits": dict(limits or {}),
        "sandbox": list(sandbox),
    }
    with (
        open_log(log) as output,
        start_guardian(output, mark) as guardian,  # left only when it has ended
        running.recorded(guardian.pid, mark) if running else nullcontext(),
    ):
        identity = identify(guardian.pid)
        give_order(guardian, order)
        told, cancellation = await hear_guardian(guardian, identity, mark, timeout, grace)
    if cancellation is not None:
        if running is not None:
            running.count(count_ended(told))
        raise cancellation
    return read_end(told, argv[0], mark, log)


def read_end(told: Mapping[str, Any], name: str, mark: str, log: Path) -> Finished:
    """Return how a command ended, as its guardian told it.

    Raises `ToolMissing` where nobody knows, or it never began, and `EnvironmentUnusable`.
    """
    if "lost" in told:
        raise ToolMissing(_say_lost(name, count_ended(told)))
    if "unconfined" in told:
        raise EnvironmentUnusable(_say_unconfined(name, log.read_bytes()))
    if "error" in told:
        raise ToolMissing(
            f"{name} could not be started: {told['error']}. Correct the program or its "
            "arguments in goalproof.toml."
        )
    return Finished(**told, mark=mark)


def count_ended(told: Mapping[str, Any]) -> Ended:
    """Return what the end of a command that was not to go on came to."""
    if "error" in told or "unconfined" in told:
        return Ended()
    if "lost" in told:
        return Ended(told["lost"], told["left"])
    return Ended(told["killed"] + (told["exit_code"] is None), told["left"])


def _say_lost(name: str, ended: Ended) -> str:
    left = f"{ended.left} could not be ended, look for them" if ended.left else "nothing is left"
    return (
        f"What {name} ran under was killed from outside, so nobody knows how it ended. Of its "
        f"processes {ended.ended} were ended then and {left}. Run it again, without what kills its "
        "parent."
    )


def ask_process(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    timeout: float,
    errors: bool = True,
    sandbox: Sequence[str] = (),
) -> tuple[int | None, bytes]:
    """Run a command that only answers; return its exit code and what it printed, blocking.

    The code is `None` when it had to be ended.  `errors` says whether what it prints as errors is
    part of the answer.  `argv[0]` is a path.  Raises `ToolMissing` when it cannot be started, and
    `EnvironmentUnusable` when its sandbox cannot be made.
    """
    mark = secrets.token_hex(16)
    order = {
        **build_order(argv, cwd, env, mark, timeout),
        "errors": errors,
        "cap": ANSWER_CAP,
        "sandbox": list(sandbox),
    }
    with TemporaryFile() as output:
        with start_guardian(output, mark) as guardian:
            identity = identify(guardian.pid)
            try:
                give_order(guardian, order)
                answer = _wait_blocking(guardian, timeout + PATIENCE)
            finally:
                assert guardian.stdin is not None
                guardian.stdin.close()
            if not answer:
                end_run(identity, mark)
                guardian.kill()
        told: dict[str, Any] = json.loads(answer) if answer else {"exit_code": None}
        if "error" in told:
            raise ToolMissing(f"{argv[0]} could not be started: {told['error']}.")
        output.seek(0)
        said = output.read()
        if "unconfined" in told:
            raise EnvironmentUnusable(_say_unconfined(argv[0], said))
        return told.get("exit_code"), said


def _wait_blocking(guardian: subprocess.Popen[bytes], seconds: float) -> bytes:
    """Return the answer of a guardian, nothing when it gives none in time; one that was stopped is woken."""
    assert guardian.stdout is not None
    answer = bytearray()
    give_up = time.monotonic() + seconds
    while (left := give_up - time.monotonic()) > 0:
        if select.select([guardian.stdout], [], [], min(WAKE, left))[0]:
            data = os.read(guardian.stdout.fileno(), 1 << 16)
            answer.extend(data)
            if not data:
                return bytes(answer)
        else:
            guardian.send_signal(signal.SIGCONT)
    return b""


def build_order(
    argv: Sequence[str], cwd: Path, env: Mapping[str, str], mark: str, timeout: float | None
) -> dict[str, Any]:
    """Return what a guardian is told, but for what is particular."""
    return {
        "argv": [str(word) for word in argv],  # nothing but plain values can be marshalled
        "cwd": str(cwd),
        "env": {**env, MARK: mark},
        "timeout": timeout,
        "grace": 0.0,
        "stdin": None,
        "cap": LOG_CAP,
        "limits": {},
        "sandbox": [],
        "errors": True,
        "talk": [],
    }


@contextmanager
def open_log(log: Path, *, append: bool = False) -> Iterator[IO[bytes]]:
    """Give the file that a guardian writes to.  Raises `StoreUnwritable`."""
    with writing(log):
        log.parent.mkdir(parents=True, exist_ok=True)
        output = log.open("ab" if append else "wb")
    with output:
        yield output


def _say_unconfined(name: str, said: bytes) -> str:
    lines = said[-4096:].decode("utf-8", "replace").strip().splitlines()
    why = lines[-1].removeprefix("bwrap: ")[:300] if lines else "no reason was given"
    return (
        f"The sandbox of {name} could not be made: {why}. "
        'Repair that, or set `sandbox = "off"` in settings.toml to run it without one.'
    )


def start_guardian(
    output: IO[bytes], mark: str, talk: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Return a guardian that waits for its order; `talk` are the pipes that its command is to have."""
    keep_private()
    return subprocess.Popen(
        [sys.executable, f"-IS{'B' * sys.dont_write_bytecode}", "-c", BEGIN, str(GUARDIAN)],
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=output,
        start_new_session=True,
        env={MARK: mark},
        pass_fds=tuple(talk),
    )


@cache
def keep_private() -> None:
    """Let no process of the same person look into this one from before the first is started.

    This one has the person's whole environment, tokens too, which `/proc` would show to a child
    that runs without a sandbox.  Linux only; root looks where it likes.
    """
    if sys.platform == "linux":
        import ctypes  # costs time that a command which starts nothing must not pay

        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def give_order(guardian: subprocess.Popen[bytes], order: dict[str, Any]) -> None:
    """Tell a guardian what to run.

    Not as arguments: those are everybody's to read, and one may not be longer than 128 KiB.
    """
    assert guardian.stdin is not None
    said = marshal.dumps(order)
    left = memoryview(b"%d\n" % len(said) + said)
    with suppress(BrokenPipeError):
        while left:
            left = left[guardian.stdin.write(left) :]


async def hear_guardian(
    guardian: subprocess.Popen[bytes],
    identity: Identity | None,
    mark: str,
    timeout: float | None,
    grace: float,
) -> tuple[dict[str, Any], asyncio.CancelledError | None]:
    """Return the answer once its pipe is closed, which only the guardian holds, and a cancellation.

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
    give_up = None if timeout is None else loop.time() + timeout + grace + PATIENCE
    loop.add_reader(pipe, read)
    try:
        while not ended.done() and (give_up is None or loop.time() < give_up):
            try:
                await asyncio.wait({ended}, timeout=WAKE)
            except asyncio.CancelledError as error:  # again and again, maybe: the end is the same
                give_up = give_up if cancellation else loop.time() + grace + PATIENCE
                cancellation = error
                guardian.stdin.close()
            guardian.send_signal(signal.SIGCONT)
    finally:
        guardian.stdin.close()
        loop.remove_reader(pipe)
    if answer:
        return json.loads(answer), cancellation
    try:
        gone = await in_thread(end_run, identity, mark)
    except asyncio.CancelledError as error:  # it has been done all the same
        gone, cancellation = Ended(), error
    guardian.kill()
    return {"lost": gone.ended, "left": gone.left}, cancellation
