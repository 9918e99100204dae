"""Every system call of a job, in order; or one of them made to fail or to kill.  By strace."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.torture.forks import Child

CHANGES = (
    *("mkdir", "mkdirat", "openat", "write", "pwrite64", "ftruncate", "fallocate", "fsync"),
    *("fdatasync", "rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat"),
    *("rmdir", "fchmod", "chmod"),
)
"""What changes something below the store, or promises that it lasts."""
READS = ("read", "pread64", "lseek", "close", "newfstatat", "flock", "getdents64")
LINE = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\d+|\?)(?:<([^>]*)>)?.*")
CUT, REST = (
    re.compile(r"(\d+) +(.*) <unfinished \.\.\.>"),
    re.compile(r"(\d+) +<\.\.\. \w+ resumed>(.*)"),
)
QUOTED = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
OPENED = re.compile(r"(\d+)<((?:\\x[0-9a-f]{2})*)>")


@dataclass(frozen=True, slots=True)
class Call:
    """A system call that came back."""

    thread: int
    name: str
    arguments: str
    answer: int
    opened: str
    """The path that the descriptor of the answer stands for, if it is one."""

    @property
    def strings(self) -> tuple[bytes, ...]:
        """Paths and data, in the order of the arguments."""
        return tuple(_bytes(found) for found in QUOTED.findall(self.arguments))

    @property
    def descriptor(self) -> tuple[int, str]:
        """The first argument: a descriptor and its path."""
        found = OPENED.match(self.arguments)
        return (int(found[1]), _bytes(found[2]).decode()) if found else (-1, "")

    @property
    def path(self) -> str:
        """What it is done to."""
        return self.descriptor[1] or next((s.decode() for s in self.strings), "")


def _bytes(written: str) -> bytes:
    return bytes.fromhex(written.replace("\\x", ""))


def parse_trace(lines: Iterable[str]) -> Iterator[Call]:
    """Yield the calls that came back, in that order."""
    begun: dict[str, str] = {}
    for line in lines:
        if cut := CUT.fullmatch(line):
            begun[cut[1]] = cut[2]
            continue
        if rest := REST.fullmatch(line):
            line = f"{rest[1]} {begun.pop(rest[1])}{rest[2]}"
        if (found := LINE.fullmatch(line)) and found[4] != "?":
            opened = _bytes(found[5]).decode(errors="replace") if found[5] else ""
            yield Call(int(found[1]), found[2], found[3], int(found[4]), opened)


@contextmanager
def traced(child: Child, into: Path, *options: str) -> Iterator[None]:
    """Have a job traced that waits for `go`; at the end the trace is whole."""
    argv = ("strace", "-f", "-o", into, "-e", "signal=none", *options, "-p", str(child.pid))
    with subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as tracer:
        assert tracer.stderr is not None
        first = tracer.stderr.readline()
        assert "attached" in first, f"strace cannot trace: {first}{tracer.stderr.read()}"
        yield
        tracer.communicate()


def trace(
    child: Child, into: Path, names: Iterable[str] = CHANGES
) -> tuple[list[Call], list[dict]]:
    """Return what a job called, and what it told."""
    options = ("-y", "-xx", "-s", "1000000", "-e", f"trace={','.join(names)}")
    with traced(child, into, *options):
        child.go()
        told = list(child.told())
    return list(parse_trace(into.read_text().splitlines())), told
