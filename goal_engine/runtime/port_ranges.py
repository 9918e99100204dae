"""A range of ports for each workspace: no two that stand at once have the same.

A range is one lock file in the state directory, whose lock the kernel takes back from whoever dies.
Every goal of the person's asks there, in whatever repository.  What somebody else listens on is found
by binding to it.  Below the ports that systems give out by themselves (Linux from 32768, macOS from
49152) and above those that people know by heart.
"""

from __future__ import annotations

import errno
import socket
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from goal_engine.errors import EnvironmentUnusable, StoreUnwritable
from goal_engine.runtime.atomic import make_dirs
from goal_engine.runtime.lock import LockFile

PORTS = "ports"
"""The folder of the locks, in the person's state directory: for all their workspaces together."""
FIRST = 20_000
SIZE = 20
"""Ports in a range."""
RANGES = 500
BASE, COUNT = "GOALPROOF_PORT_BASE", "GOALPROOF_PORT_COUNT"
"""The variables that a workspace is told its range by."""
LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


def order_ranges(name: str) -> Iterator[int]:
    """Yield the first port of every range, beginning where `name` says: its own, where that is free."""
    start = zlib.crc32(name.encode("utf-8", "surrogateescape"))
    for step in range(RANGES):
        yield FIRST + (start + step) % RANGES * SIZE


def render_ports(base: int) -> dict[str, str]:
    """Return the variables that tell of a range."""
    return {BASE: str(base), COUNT: str(SIZE)}


@contextmanager
def lease_ports(folder: Path, name: str) -> Iterator[int]:
    """Hold a free range, and give its first port; `folder` has the locks of all ranges.

    Blocking, well below a millisecond.  To be left in any thread, once.  Raises
    `EnvironmentUnusable` where every range is taken, or there can be no locks.
    """
    try:
        make_dirs(folder)
        lock, base = _take(folder, name)
    except (OSError, StoreUnwritable) as error:
        raise EnvironmentUnusable(
            f"No ports could be set aside for a workspace in {folder}: {error}. Make that folder "
            "yours and writable, then try again."
        ) from error
    try:
        yield base
    finally:
        lock.close()


def _take(folder: Path, name: str) -> tuple[LockFile, int]:
    for base in order_ranges(name):
        lock = LockFile(folder / str(base))
        if lock.acquire(0) and all(map(is_free, range(base, base + SIZE))):
            return lock, base
        lock.close()
    raise EnvironmentUnusable(
        f"All {RANGES} ranges of ports from {FIRST} on are taken, and each workspace needs one. End "
        "what listens there, or run fewer goals at once."
    )


def is_free(port: int) -> bool:
    """Whether a server could listen on a port of this machine for itself."""
    for family, address in LOOPBACK:
        with suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as asked:
            asked.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
            try:
                asked.bind((address, port))
            except OSError as error:
                if not _is_absent(error):
                    return False
    return True


def _is_absent(error: OSError) -> bool:
    """Whether the machine has no such address at all: IPv6 is often turned off."""
    return error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
