"""Agents that try to get out: each row is Python that an agent runs in its workspace.

`CHECKOUT` is the person's, `STATE` their state directory, `CONFIG` their settings; `leak(name, data)` puts
what was found into the result.  What a row may not come to is found by `find_escapes`.
"""

from __future__ import annotations

import sys
from pathlib import Path

PRELUDE = """
import os, pathlib, subprocess, sys
CHECKOUT, STATE, CONFIG = map(pathlib.Path, sys.argv[1:4])

def leak(name, data):
    pathlib.Path(f"leaked-{name}").write_bytes(data)

def attempt(name, code):
    try:
        exec(code, {**globals(), "NAME": name})
    except Exception as error:
        print(name, type(error).__name__, flush=True)
"""
FIX = """
path = pathlib.Path("calc.py")
path.write_text(path.read_text().replace("a - b", "a + b"))
"""
DAEMON = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, "-I", "-c", "import time; time.sleep(120)", str(CHECKOUT), "daemon"])
    os._exit(0)
os.wait()
"""
AGENTS: dict[str, str] = {
    "writes a file of the checkout": "(CHECKOUT / 'calc.py').write_text('evil')",
    "writes beside the checkout": "(CHECKOUT.parent / 'beside').write_text('evil')",
    "plants a hook": "os.makedirs(CHECKOUT / '.git/hooks', exist_ok=True)\n"
    "(CHECKOUT / '.git/hooks/post-commit').write_text('evil')",
    "moves a branch": "(CHECKOUT / '.git/refs/heads/evil').write_text('0' * 40)",
    "changes the journal": "[p.write_text('') for p in CHECKOUT.glob('.goalproof/goals/*/events.jsonl')]",
    "reads the key": "leak('key', (STATE / 'signing/ed25519').read_bytes())",
    "reads the places": "[leak('places', p.read_bytes()) for p in STATE.rglob('places.json')]",
    "approves a gate": "[p.write_text('{}') for p in STATE.rglob('trust*.json')]",
    "adds an agent": "(CONFIG / 'agents.toml').open('a').write('[agent.evil]')",
    "opens the sandbox": "(CONFIG / 'settings.toml').write_text('')",
    "leaves a daemon": DAEMON,
    "poisons the path": "[(pathlib.Path(n).write_text('#!/bin/sh\\nexit 0\\n'), os.chmod(n, 0o755)) "
    "for n in ('git', 'python3')]",
    "edits its own git": "pathlib.Path('.git/config').open('a').write('[core]\\nfsmonitor = touch owned\\n')",
    "leads its own git elsewhere": "pathlib.Path('.git/commondir').write_text(str(CHECKOUT / '.git'))",
    "commits": "subprocess.run(['git', '-c', 'user.name=x', '-c', 'user.email=x', 'commit', '-qam', 'x'])",
    "leaves a pipe": "os.mkfifo('pipe')",
    "leaves a socket": "import socket; socket.socket(socket.AF_UNIX).bind('socket')",
    "names that are long": "pathlib.Path('n' * 255).write_text('x')",
    "folders that are deep": "os.makedirs('d/' * 200)",
    "a file that is a hole": "os.truncate(os.open('hole.log', os.O_RDWR | os.O_CREAT), 1 << 20)",
    "floods": "[os.write(1, b'x' * (1 << 20) + b'\\n') for _ in range(48)]",
}  # fmt: skip
"""Append only: what once got out stays."""


def write_agent(config: Path, *words: Path) -> None:
    """Add the agent `evil`, which does every row and then its task, to a person's settings."""
    config.mkdir(exist_ok=True)
    rows = "".join(f"attempt({name!r}, {code!r})\n" for name, code in AGENTS.items())
    script = config / "evil.py"
    script.write_text(PRELUDE + rows + FIX, encoding="utf-8")
    argv = [sys.executable, "-I", str(script), *map(str, words)]
    with (config / "agents.toml").open("a", encoding="utf-8") as file:
        file.write(f"[agent.evil]\nargv = {argv!r}\n")
