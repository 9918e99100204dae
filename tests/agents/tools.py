"""The agents that the tests drive: pinned, installed once into a cache, and found there ever after.

What cannot be installed fails, as for the editors' tests, whose way of installing this is.

`python -m tests.agents.tools` installs everything and prints where it is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.agents.isolated import ALONE
from tests.editors.tools import (
    ENVIRONMENT,
    NODE,
    InstallFailed,
    install_node,
    install_packages,
    npm_install,
    open_cache,
    piece,
    run,
)

KIMI_CLI = "1.51.0"
"""The last with a wire mode; 1.52 is a tombstone."""
PACKAGES = {
    "kimi-code": "@moonshot-ai/kimi-code@2.1.0",
    "opencode": "opencode-linux-x64@1.18.33",
    "claude": "@agentclientprotocol/claude-agent-acp@0.101.0",
    "codex": "@agentclientprotocol/codex-acp@2.6.0",
    "gemini": "@google/gemini-cli@0.61.0",
    "qwen": "@qwen-code/qwen-code@0.24.4",
}
"""By agent, the package of npm.

Those of claude and codex bring Claude Code and Codex 0.166; those of opencode are per platform."""
FOLDERS = (
    f"kimi-cli-{KIMI_CLI}",
    *(f"{name}-{package.rpartition('@')[2]}" for name, package in PACKAGES.items()),
)
"""What each is called in the cache."""
PROGRAMS = {
    "kimi-code": {"kimi": "@moonshot-ai/kimi-code/dist/main.mjs"},
    "opencode": {"opencode": "opencode-linux-x64/bin/opencode"},
    "claude": {
        "claude": "@anthropic-ai/claude-agent-sdk-linux-x64/claude",
        "claude-agent-acp": "@agentclientprotocol/claude-agent-acp/dist/index.js",
    },
    "codex": {
        "codex": "@openai/codex/bin/codex.js",
        "codex-acp": "@agentclientprotocol/codex-acp/dist/index.js",
    },
    "gemini": {"gemini": "@google/gemini-cli/bundle/gemini.js"},
    "qwen": {"qwen": "@qwen-code/qwen-code/cli-entry.js"},
}
NEWER = ("3.13", "3.12")
"""Pythons that the old Kimi runs on."""


@dataclass(frozen=True)
class Programs:
    """Where everything is."""

    node: Path
    """The folder of Node's `bin`."""
    agents: dict[str, Path]
    """By agent, a folder with its commands and nothing else."""


def install_agents() -> Programs:
    """Return the agents, installing what is missing, all at once."""
    with open_cache() as cache:
        check_reach(cache)
        install_packages({"bwrap": "bubblewrap"})
        node = install_node(cache)
        fills: tuple[Callable[[Path], None], ...] = (
            fill_kimi_cli,
            *(fill_package(name) for name in PACKAGES),
        )
        with ThreadPoolExecutor() as pool:
            folders = list(pool.map(partial(piece, cache), FOLDERS, fills))
    names = ("kimi-cli", *PACKAGES)
    return Programs(
        node / "bin", {name: at / "bin" for name, at in zip(names, folders, strict=True)}
    )


def check_reach(cache: Path) -> None:
    """Raise where something is missing and cannot be fetched: npm would wait for it for minutes."""
    wanted = (f"node-{NODE}", *FOLDERS)
    missing = [name for name in wanted if not (cache / name).is_dir()]
    if missing and os.environ.get(ALONE):
        raise InstallFailed(
            f"{', '.join(missing)} cannot be installed where there is no network: run"
            " `python -m tests.agents.tools` first."
        )


def fill_package(name: str) -> Callable[[Path], None]:
    """Return what installs the package of an agent."""

    def fill(folder: Path) -> None:
        npm_install(folder, PACKAGES[name], ENVIRONMENT)
        show_programs(folder, {at: f"node_modules/{to}" for at, to in PROGRAMS[name].items()})

    return fill


def fill_kimi_cli(folder: Path) -> None:
    """Install the old Kimi with a Python of its own: what it pins is in nobody's way there."""
    uv = (sys.executable, "-m", "uv")
    venv = folder / "venv"
    made = (*uv, "venv", "--quiet", "--relocatable", "--python", find_newer_python(), venv)
    run(*made, cwd=folder, env=ENVIRONMENT)
    # nobody who runs it in a sandbox could keep what Python compiles
    wanted = ("--compile-bytecode", "--python", venv / "bin" / "python", f"kimi-cli=={KIMI_CLI}")
    run(*uv, "pip", "install", "--quiet", *wanted, cwd=folder, env=ENVIRONMENT)
    show_programs(folder, {"kimi": "venv/bin/kimi"})


def show_programs(folder: Path, programs: dict[str, str]) -> None:
    """Give a folder `bin` with a link to each program: nothing else of a package is on the PATH."""
    (folder / "bin").mkdir()
    for name, at in programs.items():
        if not os.access(folder / at, os.X_OK):
            raise InstallFailed(f"{folder.name} was installed, but there is no program {at} in it.")
        (folder / "bin" / name).symlink_to(Path("..", at))


def find_newer_python() -> Path:
    """Return a Python that the old Kimi runs on, from PATH or from pyenv, as `.ci/run` does."""
    path = ENVIRONMENT.get("PATH")
    for version in NEWER:
        named = shutil.which(f"python{version}", path=path)
        pyenv = shutil.which("pyenv", path=path)
        known = _ask(pyenv, "root") + "/versions" if pyenv else ""
        candidates = [named, *sorted(Path(known).glob(f"{version}.*/bin/python"), reverse=True)]
        for candidate in filter(None, candidates):
            if found := _ask(str(candidate), "-c", "import sys; print(sys.executable)"):
                return Path(found)
    raise InstallFailed(
        f"These tests need Python {' or '.join(NEWER)}, neither of which is on PATH or in pyenv."
    )


def _ask(*argv: str) -> str:
    """Return what a command says, nothing where it fails."""
    done = subprocess.run(argv, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def main() -> int:
    """Install everything; say where it is, or why it is not."""
    try:
        programs = install_agents()
    except InstallFailed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for path in (programs.node, *programs.agents.values()):
        sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
