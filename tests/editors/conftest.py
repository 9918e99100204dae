"""What the editor tests stand on: the tools, fresh profiles, windows, and evidence of failures."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.editors import code_server, processes
from tests.editors.code_server import CodeServer
from tests.editors.tools import ENVIRONMENT, Tools, install_tools
from tests.editors.workbench import Workbench, open_browser, open_window

ROOT = Path(__file__).parents[2]
DIST = ROOT / "dist"
SHOTS = Path(ENVIRONMENT.get("GOALPROOF_SHOTS") or ROOT / ".nox" / "shots").resolve()
"""Where pictures are kept, and the logs of failures beside them."""

PATIENCE = 300
"""Seconds that one test may take: a browser, a server and a goal start in it."""

Evidence = Callable[[], Mapping[str, str]]
"""Tells what a failure's report should show: title and text."""
EVIDENCE = pytest.StashKey[list[Evidence]]()


LONGEST = "test_vscode_workbench.py"
"""The module that takes longest: it comes first, so that others can run beside all of it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this folder more time than others have, and the longest a head start."""
    items.sort(key=lambda item: item.path.name != LONGEST)
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and not item.get_closest_marker(
            "timeout"
        ):
            item.add_marker(pytest.mark.timeout(PATIENCE))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Add what was seen and logged to the report of a test that failed."""
    report: pytest.TestReport = yield  # type: ignore[misc]
    if report.failed:
        for tell in item.stash.get(EVIDENCE, []):
            report.sections.extend(tell().items())
    return report  # type: ignore[return-value]


@pytest.fixture
def evidence(request: pytest.FixtureRequest) -> list[Evidence]:
    """The list of what a failure of this test should show."""
    return request.node.stash.setdefault(EVIDENCE, [])


@pytest.fixture(scope="session")
def tools() -> Tools:
    """The editors, installed if need be."""
    return install_tools()


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose `python3` has nothing installed, as on a fresh machine."""
    home = tmp_path_factory.mktemp("python")
    subprocess.run((sys.executable, "-m", "venv", "--without-pip", home), check=True)
    return home / "bin"


@pytest.fixture(scope="session")
def vsix() -> Path:
    """The extension as it is published; the session `build` makes it."""
    found = sorted(DIST.glob("*.vsix"))
    if len(found) != 1:
        pytest.fail(f"{DIST.name}/ has {len(found)} extensions; run `nox -s build`.", pytrace=False)
    return found[0]


@pytest.fixture(scope="session")
def extensions(tools: Tools, vsix: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of extensions with ours in it, installed as a person installs a file."""
    root = tmp_path_factory.mktemp("vsix")
    profile = code_server.make_profile(root / "profile", {}, {})
    environment = code_server.make_environment(tools, profile, os.environ, Path())
    code_server.install_extension(tools, profile, vsix, environment)
    return profile.extensions


@pytest.fixture(scope="module")
def browser(tools: Tools) -> Iterator[Browser]:
    """One browser for a module: a loop that runs longer would be in the way of other tests'."""
    with open_browser(tools.chromium) as browser:
        yield browser


OpenFolder = Callable[..., Workbench]


@pytest.fixture
def vscode(
    tools: Tools,
    browser: Browser,
    extensions: Path,
    bare_python: Path,
    cradle: Path,
    evidence: list[Evidence],
    request: pytest.FixtureRequest,
) -> Iterator[OpenFolder]:
    """Opens a folder in a VS Code with a fresh profile and our extension installed."""
    with ExitStack() as stack:

        def open_folder(
            folder: Path,
            *,
            trust_all: bool = True,
            settings: Mapping[str, object] | None = None,
            machine: Mapping[str, object] | None = None,
            name: str = "profile",
        ) -> Workbench:
            profile = code_server.make_profile(
                cradle / name, settings or {}, machine or {}, extensions
            )
            environment = code_server.make_environment(tools, profile, os.environ, bare_python)
            server = stack.enter_context(
                code_server.serve_product(tools, profile, env=environment, trust_all=trust_all)
            )
            window = stack.enter_context(open_window(browser, SHOTS))
            evidence.append(lambda: tell_failure(server, window, request.node.name))
            window.pid = server.process.pid
            window.settings = profile.data / "Machine" / "settings.json"
            window.open(server.url(folder))
            return window

        yield open_folder


def tell_failure(server: CodeServer, window: Workbench, test: str) -> dict[str, str]:
    """Keep the picture and the logs of a failure; return what its report should show."""
    folder = SHOTS / "failed" / re.sub(r"\W+", "-", test).strip("-")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    code_server.keep_logs(server, folder)
    window.shots = folder
    logs = {
        name: "\n".join(text.splitlines()[-processes.TAIL :])
        for name, text in server.read_logs().items()
        if "goalproof" in name.lower() or name.endswith("remoteexthost.log")
    }
    return {
        "picture": window.try_shot("window"),
        "code-server": server.process.tail(),
        "console": "\n".join(window.console[-processes.TAIL :]),
        **logs,
    }


@pytest.fixture
def cradle() -> Iterator[Path]:
    """A folder with a short path, as sockets need it, that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="gp-") as folder:
        yield Path(folder).resolve()


@pytest.fixture(scope="session", autouse=True)
def _nothing_is_left(tmp_path_factory: pytest.TempPathFactory, _own_home: None) -> Iterator[None]:
    """Every process that these tests led to is gone when they are over."""
    base = tmp_path_factory.getbasetemp()
    mark = str(base)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(processes.MARK, mark)
        yield
    left = processes.wait_until_gone(mark, base)
    assert left == [], "\n".join(left)
