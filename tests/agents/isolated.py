"""Runs a command where there is no network but loopback, as far as this machine lets us.

`python -m tests.agents.isolated COMMAND…`: root has a network of its own made for it; for others the
command runs as it is, which is said.
"""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import sys

ALONE = "TESTS_ARE_ALONE"
"""The variable that says so to the tests."""
NOT_ALONE = "No network can be made here: agents may reach the real one."
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1


def can_isolate() -> bool:
    """Whether a network of its own can be made here."""
    program = shutil.which("unshare")
    return program is not None and (
        subprocess.run((program, "--net", "true"), capture_output=True, check=False).returncode == 0
    )


def raise_loopback() -> None:
    """Switch the one interface on that there is."""
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0)
        _, flags = struct.unpack_from("16sH", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request))
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


def main(argv: list[str]) -> None:
    """Become the command."""
    if os.environ.get(ALONE):
        raise_loopback()
    elif can_isolate():
        here = (sys.executable, "-m", "tests.agents.isolated", *argv)
        os.execvpe("unshare", ("unshare", "--net", *here), {**os.environ, ALONE: "1"})
    else:
        sys.stderr.write(f"{NOT_ALONE}\n")
    os.execvp(argv[0], argv)


if __name__ == "__main__":
    main(sys.argv[1:])
