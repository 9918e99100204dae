"""The extension's own suite, run inside VS Code's extension host, as extensions are tested.

Each of its tests is reported as one here.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.editors import code_server
from tests.editors.conftest import ROOT, SHOTS, Evidence, tell_failure
from tests.editors.tools import Tools
from tests.editors.workbench import SECONDS, open_window
from tests.integration.projects import a_project

EXTENSION = ROOT / "editors" / "vscode"
SUITE = EXTENSION / "test" / "index.js"
LIMIT = 240 * SECONDS
"""How long the suite may take."""


@pytest.fixture
def outcome(
    tools: Tools,
    browser: Browser,
    vsix: Path,  # its build leaves the unpacked extension, which is what runs here
    bare_python: Path,
    cradle: Path,
    evidence: list[Evidence],
) -> dict[str, Any]:
    """Run the suite and return what it wrote."""
    project = a_project(cradle / "project")
    profile = code_server.make_profile(cradle / "profile", {}, {})
    result = cradle / "result.json"
    environment = code_server.make_environment(tools, profile, os.environ, bare_python)
    environment["TEST_RESULT"] = str(result)
    with (
        code_server.serve_driver(tools, profile, project, env=environment) as server,
        open_window(browser, SHOTS) as window,
    ):
        payload = [
            ("extensionDevelopmentPath", server.remote(EXTENSION)),
            ("extensionTestsPath", server.remote(SUITE)),
            ("skipWelcome", "true"),
        ]
        window.page.goto(server.url(project, payload))
        evidence.append(lambda: told)
        try:
            window.await_that(result.is_file, LIMIT)
        finally:
            told = tell_failure(server, window, "host")  # the window is gone when the test fails
    return json.loads(result.read_text(encoding="utf-8"))


def test_the_extension_passes_its_own_suite(
    outcome: dict[str, Any], subtests: pytest.Subtests
) -> None:
    assert outcome["tests"], "the suite ran no test"
    for test in outcome["tests"]:
        with subtests.test(msg=test["n"]):
            assert test["ok"], test.get("e")
