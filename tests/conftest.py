"""What every test stands on: a home of its own, no git settings of the person, repositories on demand.

Folders run in the order of `ORDER`, cheap before dear, so that a broken core is the first thing seen.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.editors.tools import install_packages, open_cache
from tests.personal import set_sandbox

ORDER = (
    "architecture",
    "engine",
    "golden",
    "simulation",
    "server",
    "integration",
    "torture",
    "hostile",
    "cheats",
    "e2e",
    "fuzz",
    "bet",
)
SCRUBBED = ("GIT_", "GOALPROOF_", "XDG_")
COLOURS = ("CLICOLOR", "CLICOLOR_FORCE", "FORCE_COLOR", "NO_COLOR", "PY_COLORS")
GIT_CONFIG = """\
[user]
	name = Ada Tester
	email = ada@example.org
[init]
	defaultBranch = main
[commit]
	gpgSign = false
[gc]
	auto = 0
[maintenance]
	auto = false
"""

Repository = Callable[[Mapping[str, str | bytes]], Path]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `nox -s torture` ask for the long forms."""
    parser.addoption("--long", action="store_true", help="also run what takes minutes, as `long`")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run the folders in their order; within a folder nothing moves.  What is `long` waits for `--long`."""
    if not config.getoption("--long"):
        left_out = [item for item in items if item.get_closest_marker("long")]
        items[:] = [item for item in items if not item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=left_out)
    root = Path(__file__).parent

    def rank(item: pytest.Item) -> int:
        folder = item.path.relative_to(root).parts[0] if item.path.is_relative_to(root) else ""
        return ORDER.index(folder) if folder in ORDER else len(ORDER)

    items.sort(key=rank)


@pytest.fixture(scope="session", autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep the person's home, settings and state out of reach, of child processes too."""
    home = tmp_path_factory.mktemp("home")
    (home / ".gitconfig").write_text(GIT_CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(SCRUBBED) or name in COLOURS:
                patch.delenv(name)
        patch.setenv("HOME", str(home))
        for name in ("CONFIG", "CACHE", "DATA", "STATE", "RUNTIME"):
            folder = home / "xdg" / name.lower()
            folder.mkdir(parents=True, mode=0o700)
            patch.setenv(
                "XDG_RUNTIME_DIR" if name == "RUNTIME" else f"XDG_{name}_HOME", str(folder)
            )
        patch.setenv("GOALPROOF_STATE_DIR", str(home / "state"))
        patch.setenv("GOALPROOF_CONFIG_DIR", str(home / "config"))
        set_sandbox(home / "config", "off")  # else each test would depend on what is installed
        yield home


@pytest.fixture(autouse=True)
def _own_state(
    _own_home: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Give each test a state directory that nobody wrote to; what a person configures all share."""
    monkeypatch.setenv("GOALPROOF_STATE_DIR", str(tmp_path_factory.mktemp("state")))
    shared = _own_home / "config"
    before = _read_all(shared)
    yield
    if (left := _read_all(shared)) != before:
        for name in left:
            (shared / name).unlink()
        for name, content in before.items():
            (shared / name).write_bytes(content)
        pytest.fail("it configured all the tests that come next: give it a GOALPROOF_CONFIG_DIR")


def _read_all(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="session")
def bubblewrap() -> None:
    """Have bubblewrap, or fail."""
    if sys.platform == "linux":
        with open_cache():
            install_packages({"bwrap": "bubblewrap"})


@pytest.fixture
def confined(
    bubblewrap: None,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Let workers and gates run as they do for a person: in a sandbox, which has a `/tmp` of its own.

    What a test lays beside its project they may read.
    """
    config = tmp_path_factory.mktemp("config")
    wanted = "required" if sys.platform == "linux" else "auto"
    set_sandbox(config, wanted, shows=(tmp_path,))
    monkeypatch.setenv("GOALPROOF_CONFIG_DIR", str(config))


@pytest.fixture
def a_repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Return a builder: `a_repository({"app.py": "x = 1\\n"})` is the root of a repository with one commit."""

    def build(files: Mapping[str, str | bytes]) -> Path:
        root = tmp_path_factory.mktemp("repository")
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        for arguments in (
            ("init", "--quiet"),
            ("add", "--all", "--force"),
            ("commit", "--quiet", "--allow-empty", "--message", "base"),
        ):
            subprocess.run(("git", *arguments), cwd=root, check=True, stdin=subprocess.DEVNULL)
        return root

    return build
