"""Which process something belongs to, so that whoever comes after its death can tell.

Numbers are used again, in time and by every boot, and in a container the same number is somebody
else's.  What cannot be told counts as owned: it is left where it is.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

BOOT = Path("/proc/sys/kernel/random/boot_id")
SPACE = Path("/proc/self/ns/pid")
HOSTS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
"""Where a machine's lasting name is; a container may have none."""
TAG = re.compile(r"([0-9a-f]{8})-([0-9a-f]{8})-(\d+)-(\d+)-(\d+)(?![0-9])")
"""Machine, boot, pid namespace, number and start, as they stand in the names of files."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which process it is: numbers are used again, in time and by every boot."""

    boot: str
    pid: int
    start: int
    """In ticks since the boot; of a system without /proc in hundredths of seconds since 1970."""


def identify(pid: int) -> Identity | None:
    """Return which process has this number now, `None` when none has."""
    if sys.platform != "linux":
        return _identify_elsewhere(pid)
    fields = read_stat(pid)
    return Identity(_read_boot(), pid, int(fields[19])) if fields else None


def read_stat(pid: int) -> list[bytes]:
    """Return the fields after the name, which may hold anything; none for a dead process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return []
    return fields if fields and fields[0] not in (b"Z", b"X") else []


def _read_boot() -> str:
    return BOOT.read_text(encoding="ascii").strip()


def _identify_elsewhere(pid: int) -> Identity | None:
    import psutil  # needed on few systems, and rarely there

    try:
        start = round(psutil.Process(pid).create_time() * 100)
    except psutil.Error:
        return None
    return Identity(str(round(psutil.boot_time())), pid, start)


def find_host() -> str:
    """Return the machine's lasting name; empty where it has none."""
    for path in HOSTS:
        try:
            if name := path.read_text(encoding="ascii", errors="replace").strip():
                return name[:64]
        except OSError:
            continue
    return ""


def own_tag() -> str:
    """Return what says in the name of a file that it is this process's."""
    return _tag(os.getpid())


@cache
def _tag(pid: int) -> str:
    who = identify(pid) or Identity("", pid, 0)
    boot = who.boot if sys.platform == "linux" else ""  # elsewhere it moves with the clock
    return f"{_short(find_host())}-{_short(boot)}-{_find_space()}-{who.pid}-{who.start}"


def is_left(name: str) -> bool:
    """Whether the process that a name's tag means is dead; never where nobody here can tell."""
    found = TAG.search(name)
    if found is None:
        return False
    host, boot, space, pid, start = found.groups()
    ours = TAG.search(own_tag())
    assert ours is not None
    if host != ours[1]:
        return False
    if boot != ours[2]:
        return True
    if space != ours[3]:
        return False
    who = identify(int(pid))
    return who is None or who.start != int(start)


def _short(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:8]


def _find_space() -> int:
    """Return the pid namespace; 0 where there are none."""
    try:
        return SPACE.stat().st_ino
    except OSError:
        return 0
