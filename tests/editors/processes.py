"""Processes that tests start: each in a group of its own, its output kept, and the group ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import psutil

GRACE = 10.0
"""Seconds that a process has between the request to end and the end."""
TAIL = 60
"""Lines of output that a failure shows."""


class Process:
    """One process and what it prints, which is also written to a log."""

    def __init__(
        self, argv: Sequence[str | Path], *, log: Path, env: Mapping[str, str], cwd: Path
    ) -> None:
        self.log = log
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            [str(word) for word in argv],
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,))
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _read(self, output: IO[str]) -> None:
        with self.log.open("w", encoding="utf-8") as log, output:
            for line in output:
                log.write(line)
                log.flush()
                with self._news:
                    self._lines.append(line)
                    self._news.notify_all()
        with self._news:
            self._lines.append("")
            self._news.notify_all()

    def until(self, pattern: str, patience: float) -> re.Match[str]:
        """Return the first match of a line; fail with the tail when it does not come."""
        found: list[re.Match[str]] = []
        seen = 0

        def is_settled() -> bool:
            nonlocal seen
            found.extend(filter(None, (re.search(pattern, line) for line in self._lines[seen:])))
            seen = len(self._lines)
            return bool(found) or not self._reader.is_alive() or self._lines[-1:] == [""]

        with self._news:
            self._news.wait_for(is_settled, timeout=patience)
        if not found:
            raise AssertionError(f"{self.log.name} never said {pattern!r}:\n{self.tail()}")
        return found[0]

    def tail(self, lines: int = TAIL) -> str:
        """Return the last lines of the output."""
        return "".join(self._lines[-lines:])

    def stop(self) -> None:
        """End the group: asked first, then killed."""
        end_group(self._process)
        self._reader.join(GRACE)


def end_group(process: subprocess.Popen[str]) -> None:
    """Return when the process and its whole group are dead."""
    group = process.pid
    members = [item for item in psutil.process_iter() if _is_of(item, group)]
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE)
    psutil.wait_procs(members, timeout=GRACE)
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    process.wait(GRACE)


def _is_of(process: psutil.Process, group: int) -> bool:
    try:
        return os.getpgid(process.pid) == group
    except ProcessLookupError:
        return False


@contextmanager
def running(
    argv: Sequence[str | Path], *, log: Path, env: Mapping[str, str], cwd: Path
) -> Iterator[Process]:
    """Hold a process for the length of a block."""
    process = Process(argv, log=log, env=env, cwd=cwd)
    try:
        yield process
    finally:
        process.stop()


# what is left behind

MARK = "GOALPROOF_TEST_RUN"
"""The variable by which the processes of one run of the tests know each other."""


def find_marked(mark: str, folder: Path) -> list[psutil.Process]:
    """Return the processes that came from this run: by its mark, or at work in its folder."""
    found = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        with suppress(psutil.Error):
            inside = str(folder) in (process.cwd() or "") or any(
                str(folder) in word for word in process.cmdline()
            )
            if process.environ().get(MARK) == mark or inside:
                found.append(process)
    return found


def wait_until_gone(mark: str, folder: Path, patience: float = 2 * GRACE) -> list[str]:
    """Return the command lines of what still runs after a while."""
    deadline = time.monotonic() + patience
    while found := find_marked(mark, folder):
        _, alive = psutil.wait_procs(found, timeout=max(0.0, deadline - time.monotonic()))
        if alive:
            return [describe(process) for process in alive]
    return []


def describe(process: psutil.Process) -> str:
    """Return a process's id and command line, as far as it can be read."""
    with suppress(psutil.Error):
        return f"{process.pid}: {' '.join(process.cmdline())[:300]}"
    return f"{process.pid}: gone"
