"""VS Code as a server on the loopback, with a profile that nobody used before."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from tests.editors.processes import Process, running
from tests.editors.tools import Tools, run

START = 60.0
"""Seconds that the server may take until it listens."""
SETTINGS: Mapping[str, object] = {
    "workbench.startupEditor": "none",
    "telemetry.telemetryLevel": "off",
    "extensions.autoUpdate": False,
    "extensions.autoCheckUpdates": False,
    "update.mode": "none",
    "chat.disableAIFeatures": True,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "workbench.reduceMotion": "on",
    "window.restoreWindows": "none",
    "git.enabled": False,
    "remote.autoForwardPorts": False,
    "editor.codeLens": True,
}
"""A quiet workbench: nothing but what is tested moves."""
NO_GALLERY = json.dumps({"serviceUrl": "", "itemUrl": "", "resourceUrlTemplate": ""})
"""No shop of extensions: nothing is asked of the network."""


@dataclass(frozen=True)
class Profile:
    """The folders of one VS Code: settings, extensions, a home."""

    root: Path
    extensions: Path

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def home(self) -> Path:
        return self.root / "home"


def make_profile(
    root: Path,
    settings: Mapping[str, object],
    machine: Mapping[str, object],
    extensions: Path | None = None,
) -> Profile:
    """Write a fresh profile; what belongs to the machine is ignored among a person's settings."""
    profile = Profile(root, extensions or root / "extensions")
    for name, content in (("User", {**SETTINGS, **settings}), ("Machine", machine)):
        (profile.data / name).mkdir(parents=True)
        (profile.data / name / "settings.json").write_text(json.dumps(content), encoding="utf-8")
    profile.extensions.mkdir(exist_ok=True)
    profile.home.mkdir()
    return profile


def make_environment(
    tools: Tools, profile: Profile, base: Mapping[str, str], python: Path
) -> dict[str, str]:
    """Return the environment of a server: `python` is the folder of the `python3` that it finds.

    VS Code takes the path from a login shell, so the shell has to say it too.
    """
    environment = tools.environment(base)
    for name in [name for name in environment if name.startswith(("VIRTUAL_ENV", "PYTHON"))]:
        del environment[name]
    path = f"{python}{os.pathsep}{environment['PATH']}"
    (profile.home / ".bash_profile").write_text(f"export PATH={shlex.quote(path)}\n", "utf-8")
    shutil.copy(Path(base["HOME"]) / ".gitconfig", profile.home)
    return environment | {
        "PATH": path,
        "SHELL": "/bin/bash",
        "HOME": str(profile.home),
        "EXTENSIONS_GALLERY": NO_GALLERY,
        "GOALPROOF_STATE_DIR": str(profile.root / "state"),
        "XDG_CONFIG_HOME": str(profile.home / ".config"),
        "XDG_DATA_HOME": str(profile.home / ".local" / "share"),
        "XDG_CACHE_HOME": str(profile.home / ".cache"),
    }


@dataclass(frozen=True)
class CodeServer:
    """One running server."""

    process: Process
    profile: Profile
    port: int

    def url(self, folder: Path, payload: Sequence[tuple[str, str]] = ()) -> str:
        """Return the address that opens a folder; `payload` speaks to the workbench's driver."""
        query = {"folder": str(folder)}
        if payload:
            query["payload"] = json.dumps([list(pair) for pair in payload])
        return f"http://127.0.0.1:{self.port}/?{urlencode(query, quote_via=quote)}"

    def remote(self, path: Path) -> str:
        """Return the address of a file as the workbench in the browser sees it."""
        return f"vscode-remote://127.0.0.1:{self.port}{quote(str(path))}"

    def read_logs(self) -> dict[str, str]:
        """Return name → text of the logs that VS Code and its extensions wrote."""
        return {
            str(path.relative_to(self.profile.logs)): path.read_text("utf-8", errors="replace")
            for path in sorted(self.profile.logs.rglob("*.log"))
            if path.stat().st_size
        }


def install_extension(tools: Tools, profile: Profile, vsix: Path, env: Mapping[str, str]) -> None:
    """Install an extension from its file."""
    command = make_command(tools, profile)
    said = run(*command, "--install-extension", vsix, cwd=profile.root, env=env)
    if "successfully installed" not in said:
        raise AssertionError(said)


def make_command(tools: Tools, profile: Profile) -> list[str | Path]:
    """Return code-server's command for a profile; the system gives it a free port."""
    config = profile.root / "config.yaml"
    config.write_text(
        "bind-addr: 127.0.0.1:0\nauth: none\ncert: false\ndisable-telemetry: true\n"
        "disable-update-check: true\ndisable-getting-started-override: true\n",
        encoding="utf-8",
    )
    return [
        *(tools.node_binary, tools.code_server / "out" / "node" / "entry.js"),
        *("--config", config, "--user-data-dir", profile.data),
        *("--extensions-dir", profile.extensions),
    ]


@contextmanager
def serve_product(
    tools: Tools, profile: Profile, *, env: Mapping[str, str], trust_all: bool = True
) -> Iterator[CodeServer]:
    """Hold code-server as a person has it."""
    command = [*make_command(tools, profile), "--reconnection-grace-time", "1"]
    if trust_all:
        command.append("--disable-workspace-trust")
    log = profile.root / "code-server.log"
    with running(command, log=log, env=env, cwd=profile.root) as process:
        found = process.until(r"HTTP server listening on http://127\.0\.0\.1:(\d+)", START)
        yield CodeServer(process, profile, int(found[1]))


@contextmanager
def serve_driver(
    tools: Tools, profile: Profile, folder: Path, *, env: Mapping[str, str]
) -> Iterator[CodeServer]:
    """Hold the bare VS Code server, the one that runs test suites inside the extension host.

    It takes no password: it listens on the loopback alone, and for one test.
    """
    command: list[str | Path] = [
        *(tools.node_binary, tools.vscode / "out" / "server-main.js"),
        *("--host", "127.0.0.1", "--port", "0", "--without-connection-token"),
        *("--accept-server-license-terms", "--telemetry-level", "off"),
        *("--disable-workspace-trust", "--enable-smoke-test-driver"),
        *("--server-data-dir", profile.root, "--user-data-dir", profile.data),
        *("--extensions-dir", profile.extensions, "--default-folder", folder),
        *("--reconnection-grace-time", "1"),
    ]
    log = profile.root / "vscode-server.log"
    with running(command, log=log, env=env, cwd=profile.root) as process:
        found = process.until(r"Extension host agent listening on (\d+)", START)
        yield CodeServer(process, profile, int(found[1]))


def keep_logs(server: CodeServer, folder: Path) -> None:
    """Copy what the server and its extensions wrote to where failures are looked at."""
    shutil.copy(server.process.log, folder / server.process.log.name)
    if server.profile.logs.is_dir():
        shutil.copytree(server.profile.logs, folder / "logs", dirs_exist_ok=True)
