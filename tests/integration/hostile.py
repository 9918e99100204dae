"""Commands that do not want to end: each is ready once its file `ready` stands beside its script."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil

BEGIN = """
import os, signal, subprocess, sys, time

END = time.monotonic() + 120  # whatever a test does: none of them runs for ever

def ready():
    open(sys.argv[0] + ".ready", "w").close()

def stay():
    while time.monotonic() < END:
        time.sleep(5)

def deaf():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

def daemon(live, env=None):
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        deaf()
        os.write(writer, b"x")
        if env is not None:
            os.execve(sys.executable, [sys.executable, "-I", sys.argv[0], "again"], env)
        live()
    os.read(reader, 1)

def parent_of(pid):
    return int(open(f"/proc/{pid}/stat", "rb").read().rpartition(b")")[2].split()[1])

if sys.argv[1:] == ["again"]:
    deaf()
    stay()
"""
"""`again` is the second life of a daemon that was started anew without any environment."""

HOSTILE = {
    "deaf": "deaf(); ready(); stay()",
    "session": """
if os.fork() == 0:
    os.setsid(); deaf(); ready()
stay()
""",
    "daemon": "daemon(stay); ready(); stay()",
    "holds-output": """
def hold():
    print("still here", flush=True)
    stay()
daemon(hold); ready(); stay()
""",
    "floods": """
def flood():
    while time.monotonic() < END:
        os.write(1, b"x" * 65536)
if os.fork() == 0:
    deaf(); flood()
ready(); flood()
""",
    "spawns-dying": """
def spawn(*_):
    for _ in range(3):
        daemon(stay)
signal.signal(signal.SIGTERM, spawn)
ready(); stay()
""",
    "no-environment": "daemon(stay, {}); ready(); stay()",
    "stopped": """
if os.fork() == 0:
    deaf(); ready(); os.kill(os.getpid(), signal.SIGSTOP)
stay()
""",
    "chain": """
deaf()
if os.fork() == 0:
    while time.monotonic() < END:
        os.setsid()
        if os.fork():
            os._exit(0)
ready(); stay()
""",
    "stops-guardian": """
guard = os.getppid()
keeper = parent_of(guard)
daemon(stay, {}); deaf(); ready()
os.kill(keeper, signal.SIGSTOP); os.kill(guard, signal.SIGSTOP); stay()
""",
}
"""What each does while it runs, and when it is asked to end."""

KILLERS = {
    "kills-guardian": """
daemon(stay, {}); deaf(); ready(); os.kill(os.getppid(), signal.SIGKILL); stay()
""",
    "kills-keeper": """
daemon(stay, {}); deaf(); ready(); os.kill(parent_of(os.getppid()), signal.SIGKILL); stay()
""",
    "kills-both": """
guard = os.getppid()
keeper = parent_of(guard)
daemon(stay); deaf(); ready(); os.kill(keeper, signal.SIGKILL); os.kill(guard, signal.SIGKILL); stay()
""",
}
"""These end what they run under, so nobody has to ask: their turn is over at once."""


def write_hostile(folder: Path, name: str) -> list[str]:
    """Write a hostile command and return its words."""
    folder.mkdir(exist_ok=True)
    script = folder / f"{name}.py"
    script.write_text(BEGIN + {**HOSTILE, **KILLERS}[name], encoding="utf-8")
    return [sys.executable, "-I", str(script)]


def is_ready(folder: Path, name: str) -> bool:
    return (folder / f"{name}.py.ready").exists()


def find_survivors(folder: Path) -> list[psutil.Process]:
    """Return the living processes of the commands in a folder: their words stay, whatever they do."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if process.info["status"] != psutil.STATUS_ZOMBIE and any(
            word.startswith(str(folder)) for word in words
        ):
            found.append(process)
    return found
