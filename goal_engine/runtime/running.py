"""What runs for a goal, written down outside its workspace before it runs.

Who finds the record of a runner that died ends what it names and nothing else: a process is only
signalled when it was started in the same boot, at the same time and under the same number, or
carries the record's mark in its environment.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from goal_engine.runtime.atomic import make_dirs, writing
from goal_engine.runtime.owner import Identity, identify, read_stat

MARK = "GOALPROOF_RUN"
"""The variable that everything a command starts inherits; its value is random, one per command."""
RUNNER = "runner"
"""The record of the process that runs the goal itself."""
ROUND = 0.02
"""Seconds between two looks for survivors."""
LAST = 4.0
"""Seconds of killing after which what is still there is said to be left."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How many processes were ended, and how many could not be."""

    ended: int = 0
    left: int = 0

    def plus(self, other: Ended) -> Ended:
        """Return the sum."""
        return Ended(self.ended + other.ended, self.left + other.left)


def is_stopped(identity: Identity) -> bool:
    """Whether it is this process, and it was stopped: it will not answer until it is continued."""
    fields = read_stat(identity.pid) if identify(identity.pid) == identity else []
    return bool(fields) and fields[0] in (b"T", b"t")


class Running:
    """The processes of one goal while somebody works on it, and what became of them when stopped."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stopped = Ended()
        """What was ended because somebody wanted the end, not because its time had come."""

    @contextmanager
    def recorded(self, pid: int, mark: str) -> Iterator[None]:
        """Keep a record of a process that has not begun with its work yet, as long as it lives.

        Raises `StoreUnwritable` when there can be none: then nothing may run.
        """
        path = self.folder / f"{mark}.json"
        identity = identify(pid)
        if identity is None:  # it was killed before it was told anything
            yield
            return
        make_dirs(self.folder)
        with writing(path):
            path.write_text(json.dumps(asdict(identity)), encoding="ascii")
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            with suppress(OSError):  # others run, or somebody just began
                self.folder.rmdir()

    @contextmanager
    def as_runner(self) -> Iterator[None]:
        """Record that this process works on the goal: who waits for it can say if it was stopped."""
        with self.recorded(os.getpid(), RUNNER):
            yield

    def count(self, ended: Ended) -> None:
        """Add what was ended at somebody's wish."""
        self.stopped = self.stopped.plus(ended)


def find_runner(folder: Path) -> Identity | None:
    """Return the process that runs the goal whose records these are, if it still lives."""
    identity = _read_record(folder / f"{RUNNER}.json")
    return identity if identity and identify(identity.pid) == identity else None


def end_recorded(folder: Path) -> Ended:
    """End what the records of a runner that is gone name, and remove them; blocking.

    Only for whoever holds the goal's runner lock.
    """
    total = Ended()
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        identity = _read_record(path)
        if path.stem != RUNNER and identity is not None:
            total = total.plus(end_run(identity, path.stem))
        path.unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()
    return total


def _read_record(path: Path) -> Identity | None:
    """A record that was not written to its end names nobody: its process was told nothing yet."""
    try:
        return Identity(**json.loads(path.read_text(encoding="ascii")))
    except (OSError, ValueError, TypeError):
        return None


def end_run(identity: Identity | None, mark: str) -> Ended:
    """Kill what carries `mark`, the process of this identity, and all below them; blocking."""
    met: set[int] = set()
    give_up = time.monotonic() + LAST
    while alive := _find_run(identity, mark):
        if time.monotonic() > give_up:
            break
        met |= alive
        # stopped first, so that nobody starts another while the others are killed
        _signal(alive, signal.SIGSTOP)
        alive = _find_run(identity, mark)
        met |= alive
        _signal(alive, signal.SIGKILL)
        time.sleep(ROUND)  # noqa: TID251 - a process dies when the system gets to it
    return Ended(len(met - alive), len(alive))


def _signal(pids: set[int], number: int) -> None:
    for pid in pids:
        with suppress(OSError):
            os.kill(pid, number)


def _find_run(identity: Identity | None, mark: str) -> set[int]:
    import psutil  # costs time that no command should pay

    roots = set()
    parents: dict[int, int] = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            parents[process.pid] = process.ppid()
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                roots.add(process.pid)
    if identity is not None and identify(identity.pid) == identity:
        roots.add(identity.pid)
    found, level = set(roots), roots
    while level:
        level = {pid for pid, parent in parents.items() if parent in level} - found
        found |= level
    return {pid for pid in found if identify(pid) is not None} - {os.getpid()}
