"""Agents for tests: small scripts that a person would have configured, and what they do."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

DEADLINE = 60.0
"""Seconds that a condition may take to come true."""

FIXES = """
import pathlib, sys
prompt = sys.argv[1] if len(sys.argv) > 1 else sys.stdin.read()
assert "Make sums right in calc.py" in prompt, prompt
assert "run_tests.py --junit" in prompt, prompt
path = pathlib.Path("calc.py")
path.write_text(path.read_text().replace("a - b", "a + b"))
print("fixed it")
"""
LIES = "print('All tests pass now.')"
FAILS = "import sys\nprint('working', flush=True)\nprint('\\x1b[31m401:\\x1b[0m log in first\\n\\x1b[0m', file=sys.stderr)\nsys.exit(3)"
DAEMONIZES = (
    FIXES
    + """
import os
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    for descriptor in range(3):
        os.close(descriptor)
    import time
    pathlib.Path("daemon.pid").write_text(str(os.getpid()))
    while True:
        time.sleep(60)
while not (pathlib.Path("daemon.pid").exists() and pathlib.Path("daemon.pid").read_text()):
    os.sched_yield()
pathlib.Path(sys.argv[0] + ".pid").write_text(pathlib.Path("daemon.pid").read_text())
pathlib.Path("daemon.pid").unlink()
"""
)
HANGS = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[0] + ".ready").touch()
while True:
    time.sleep(60)
"""


def wait_until(true: Callable[[], bool]) -> None:
    """Return as soon as `true` says so; the condition is what is waited for, not the time."""
    give_up = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < give_up, "it never came true"
        os.sched_yield()


def configure(config: Path, name: str, script: str, *more: str, env: tuple[str, ...] = ()) -> Path:
    """Add an agent that runs `script` to the person's configuration; return the script's file."""
    config.mkdir(parents=True, exist_ok=True)
    program = config / f"{name}.py"
    program.write_text(script, encoding="utf-8")
    argv = json.dumps([sys.executable, "-I", str(program), *more])
    with (config / "agents.toml").open("a", encoding="utf-8") as file:
        file.write(f"[agent.{name}]\nargv = {argv}\nenv = {json.dumps(list(env))}\n")
    return program
