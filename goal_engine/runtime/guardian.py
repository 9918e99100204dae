"""Runs one command and lets nothing it started outlive it.

A script of its own (`python -I -S guardian.py …`), standard library only: it is the parent that
orphans come back to, and it dies with its owner because its standard input ends.
Linux only for the last part: elsewhere a process that leaves its session may survive.
"""

from __future__ import annotations

import ctypes
import json
import os
import selectors
import signal
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
CHUNK = 1 << 16
ROUND = 0.02
"""Seconds between two sweeps for survivors."""


class CappedLog:
    """Keeps the first and the last half of an output, whatever its length."""

    def __init__(self, path: str, cap: int) -> None:
        self.file = open(path, "wb")  # noqa: SIM115, PTH123
        self.half = cap // 2
        self.seen = 0
        self.tail = bytearray()

    def write(self, data: bytes) -> None:
        room = max(0, self.half - self.seen)
        self.seen += len(data)
        self.file.write(data[:room])
        self.tail += data[room:]
        if len(self.tail) > 2 * self.half:
            del self.tail[: -self.half]

    def close(self) -> bool:
        dropped = self.seen - min(self.seen, self.half) - min(len(self.tail), self.half)
        if dropped > 0:
            self.file.write(b"\n... %d bytes left out ...\n" % dropped)
        self.file.write(self.tail[-self.half :] if self.half else b"")
        self.file.close()
        return dropped > 0


def become_subreaper() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def find_descendants(root: int) -> list[int]:
    """Return every living process below `root`, from /proc or from ps."""
    parents: dict[int, int] = {}
    if os.path.isdir("/proc/self"):  # noqa: PTH112
        for name in os.listdir("/proc"):  # noqa: PTH208
            if name.isdigit():
                try:
                    with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                        fields = file.read().rpartition(b")")[2].split()
                except OSError:
                    continue
                if fields[0] not in (b"Z", b"X"):
                    parents[int(name)] = int(fields[1])
    else:
        table = subprocess.run(["ps", "-axo", "pid=,ppid="], capture_output=True, check=False)
        for line in table.stdout.splitlines():
            pid, parent = line.split()
            parents[int(pid)] = int(parent)
    found: list[int] = []
    level = {root}
    while level:
        level = {pid for pid, parent in parents.items() if parent in level}
        found += level
    return found


def signal_all(pids: list[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def end_everything(leader: int, grace: float) -> int:
    """Ask, wait, then kill until nothing is left; return how many had to be killed."""
    me = os.getpid()
    alive = find_descendants(me)
    if not alive:
        return 0
    counted = set(alive)
    signal_all(alive, signal.SIGTERM)
    give_up = time.monotonic() + grace
    while alive and time.monotonic() < give_up:
        time.sleep(ROUND)
        reap()
        alive = find_descendants(me)
    while alive:
        counted.update(alive)
        # stopped first, so that nobody starts another while the others are killed
        signal_all(alive, signal.SIGSTOP)
        signal_all(find_descendants(me), signal.SIGKILL)
        time.sleep(ROUND)
        reap()
        alive = find_descendants(me)
    return len(counted - {leader})


def main() -> None:
    options = json.loads(sys.argv[1])
    status = options["status_fd"]
    os.set_inheritable(status, False)
    become_subreaper()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    log = CappedLog(options["log"], options["cap"])
    begun = time.monotonic()
    reader, writer = os.pipe()
    child = subprocess.Popen(
        sys.argv[2:],
        cwd=options["cwd"],
        env=options["env"],
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=writer,
        start_new_session=True,
        restore_signals=True,
    )
    os.close(writer)
    pidfd_open = getattr(os, "pidfd_open", None)
    waiting = selectors.DefaultSelector()
    waiting.register(0, selectors.EVENT_READ, "owner")
    waiting.register(reader, selectors.EVENT_READ, "output")
    pidfd = None
    if pidfd_open is not None:
        pidfd = pidfd_open(child.pid)
        waiting.register(pidfd, selectors.EVENT_READ, "child")
    deadline = None if options["timeout"] is None else begun + options["timeout"]
    timed_out = asked = False
    while True:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        pause = left if pidfd is not None else min(0.05, left if left is not None else 0.05)
        ready = {key.data for key, _ in waiting.select(pause)}
        if "output" in ready:
            data = os.read(reader, CHUNK)
            if data:
                log.write(data)
            else:
                waiting.unregister(reader)
        if "owner" in ready and not os.read(0, 1):
            asked = True
        if deadline is not None and time.monotonic() >= deadline:
            timed_out = True
        if asked or timed_out or child.poll() is not None:
            break
    code = child.poll()
    killed = end_everything(child.pid, options["grace"])
    child.poll()
    os.set_blocking(reader, False)
    try:
        while data := os.read(reader, CHUNK):
            log.write(data)
    except BlockingIOError:
        pass
    truncated = log.close()
    told = {
        "exit_code": code,
        "timed_out": timed_out and code is None,
        "duration_ms": round((time.monotonic() - begun) * 1000),
        "log_bytes": log.seen,
        "truncated": truncated,
        "killed": killed,
    }
    try:
        os.write(status, json.dumps(told).encode())
    except OSError:
        pass  # the owner is gone: nobody is left to tell


if __name__ == "__main__":
    main()
