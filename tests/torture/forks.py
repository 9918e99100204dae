"""Processes that begin at once: one that has imported everything forks, once per job.

A job runs the real store and tells what it did over a socket, line by line; the socket's end is the
process's end.  It waits for `go`, so that a tracer can come first.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

Told = dict[str, Any]
"""One line of what a job told; the first one that is `done` or `refused` names its step."""
ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
"""Seconds after which a job that tells nothing more has failed."""


class Child:
    """A job that waits for `go`, then tells."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lines = connection.makefile("r", encoding="utf-8")
        self.pid = int(self._lines.readline())

    def go(self) -> None:
        """Let it begin."""
        self._connection.sendall(b"go\n")

    def told(self) -> Iterator[Told]:
        """Yield what it tells until it has ended, however that came; a cut last line says nothing."""
        for line in self._lines:
            if line.endswith("\n"):
                yield json.loads(line)

    def kill(self) -> None:
        """End it as nothing else can, and wait until it is gone."""
        os.kill(self.pid, signal.SIGKILL)
        for _ in self._lines:
            pass

    def close(self) -> None:
        """Let go of it; it must have ended."""
        self._lines.close()
        self._connection.close()


class Forks:
    """The process that forks."""

    def __init__(self, folder: Path) -> None:
        self._address = str(folder / "told")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.settimeout(PATIENCE)
        self._listener.bind(self._address)
        self._listener.listen()
        argv = (sys.executable, "-m", "tests.torture.forks", self._address)
        self._process = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, text=True)

    @contextmanager
    def child(self, job: str, mutant: str = "", **arguments: object) -> Iterator[Child]:
        """Give a process that will do `job` with the code changed as `mutant` says."""
        assert self._process.stdin is not None
        wanted = {"job": job, "mutant": mutant, "arguments": arguments}
        self._process.stdin.write(json.dumps(wanted) + "\n")
        self._process.stdin.flush()
        connection, _ = self._listener.accept()
        connection.settimeout(PATIENCE)
        child = Child(connection)
        try:
            yield child
        except BaseException:
            with suppress(ProcessLookupError):
                child.kill()
            raise
        finally:
            child.close()

    def run(self, job: str, mutant: str = "", **arguments: object) -> list[Told]:
        """Return what a job told from its beginning to its end."""
        with self.child(job, mutant, **arguments) as child:
            child.go()
            return list(child.told())

    def close(self) -> None:
        """End it."""
        self._process.communicate()
        self._listener.close()
        os.unlink(self._address)


def main(address: str) -> None:
    """Fork for each line of stdin; the children are nobody's zombies."""
    from tests.torture.jobs import JOBS, warm_up
    from tests.torture.mutants import MUTANTS

    warm_up()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        if os.fork():
            continue
        wanted = json.loads(line)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(address)
        connection.send(f"{os.getpid()}\n".encode())

        def tell(one: Told, connection: socket.socket = connection) -> None:
            connection.send(json.dumps(one).encode() + b"\n")

        try:
            if connection.recv(3) == b"go\n":
                if wanted["mutant"]:
                    MUTANTS[wanted["mutant"]]()
                JOBS[wanted["job"]](tell, **wanted["arguments"])
        finally:  # what is hurt besides the store, as the loop that ends, has nothing to say
            os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
