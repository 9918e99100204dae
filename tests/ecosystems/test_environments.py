"""What real package managers installed answers in a workspace, and for the workspace.

Conda is in no registry that is reached from here: its prefixes are laid out by hand, in
`tests/integration/test_interpreters.py`.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from goal_engine.gates.interpreters import find_interpreter
from goal_engine.runtime.environment import (
    Environment,
    find_environment,
    probe_origin,
    view_environment,
)
from goal_engine.runtime.process import clean_environment
from tests.ecosystems.tools import ENVIRONMENT, Toolchains, install_toolchains
from tests.integration.test_environment import git

pytestmark = [pytest.mark.timeout(400), pytest.mark.one_python]

OFFLINE = {"YARN_ENABLE_NETWORK": "0", "npm_config_offline": "true", "UV_OFFLINE": "1"}


@pytest.fixture(scope="session")
def tools() -> Toolchains:
    return install_toolchains()


class Case:
    """A checkout that a manager installed into, and a workspace of its commit somewhere else."""

    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        self.folder, self.checkout = folder, folder / "checkout"
        self.workspace = folder / "state" / "far" / "away" / "ws"
        for name, text in files.items():
            (self.checkout / name).parent.mkdir(parents=True, exist_ok=True)
            (self.checkout / name).write_text(text)
        home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder / "data")}
        yarn = {"YARN_ENABLE_TELEMETRY": "0", "YARN_ENABLE_IMMUTABLE_INSTALLS": "0"}
        self.environ = {**ENVIRONMENT, **home, **yarn}
        for name in ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT"):  # of whoever runs these tests
            self.environ.pop(name, None)

    def install(self, *argv: str | Path) -> None:
        done = subprocess.run(
            argv, cwd=self.checkout, env=self.environ, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    def view(self, python: str | None = None) -> Environment:
        """Commit what is there, and make a workspace of it with its view."""
        for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "base"]):
            git("-c", "user.name=a", "-c", "user.email=a@b.c", *command, cwd=self.checkout)
        self.workspace.parent.mkdir(parents=True)
        git("clone", "-q", str(self.checkout), str(self.workspace), cwd=self.folder)
        user = find_environment(self.checkout, python)
        return view_environment(user, self.checkout, self.workspace)

    def say(self, view: Environment, *argv: str | Path) -> str:
        """Return what a program says in the workspace, without the network."""
        home = {"HOME": self.environ["HOME"]}
        done = subprocess.run(
            argv, cwd=self.workspace, env=clean_environment({**view.variables, **home, **OFFLINE}),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()


def node_project(cart: str) -> dict[str, str]:
    root = {"name": "shop", "private": True, "workspaces": ["packages/*"]}
    needs = {"ms": "2.1.3", "cart": cart}
    own = {"name": "cart", "version": "1.0.0", "main": "index.js", "dependencies": {"ms": "2.1.3"}}
    return {
        "package.json": json.dumps({**root, "dependencies": needs}),
        "pnpm-workspace.yaml": "packages:\n  - packages/*\n",
        "packages/cart/package.json": json.dumps(own),
        "packages/cart/index.js": "exports.where = __dirname; exports.ms = require('ms');\n",
        "main.js": "const cart = require('cart');\nconsole.log(cart.where, cart.ms('2 days'));\n",
        ".gitignore": "node_modules\n.pnp.*\n.yarn\n",
    }


NODE = {
    "pnpm": ("workspace:*", ("install",), ()),
    "yarn": ("1.0.0", ("install", "--non-interactive"), ()),
    "@yarnpkg/cli-dist": ("workspace:*", ("install",), ("node",)),
}
"""By manager: how it is told that a package is the project's own, and how it installs and runs."""


@pytest.mark.parametrize("manager", NODE)
def test_what_a_manager_of_node_installed_answers_for_the_workspace(
    manager: str, tools: Toolchains, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cart, install, through = NODE[manager]
    case = Case(tmp_path.resolve(), node_project(cart))
    node = tools.node / "bin" / "node"
    monkeypatch.setenv("PATH", f"{node.parent}{os.pathsep}{os.environ['PATH']}")
    case.environ["PATH"] = os.environ["PATH"]
    case.install(node, tools.managers[manager], *install)
    view = case.view()
    begin = (node, tools.managers[manager], *through) if through else (node,)
    here = case.workspace / "packages" / "cart"
    assert case.say(view, *begin, "main.js") == f"{here} 172800000"
    (here / "index.js").write_text("exports.where = 'changed'; exports.ms = require('ms');\n")
    assert case.say(view, *begin, "main.js") == "changed 172800000"
    assert asyncio.run(probe_origin(view)) == ()
    assert (case.checkout / "packages/cart/index.js").read_text().startswith("exports.where = __d")


def uv_member(name: str, needs: str) -> dict[str, str]:
    return {
        f"packages/{name}/pyproject.toml": (
            f'[project]\nname = "{name}"\nversion = "1.0"\nrequires-python = ">=3.9"\n'
            f"dependencies = [{needs}]\n"
            '[build-system]\nrequires = ["uv_build>=0.9,<1"]\nbuild-backend = "uv_build"\n'
        ),
        f"packages/{name}/src/{name}/__init__.py": "WHERE = __file__\n",
    }


def test_each_member_of_a_uv_workspace_is_the_workspace_s(tmp_path: Path) -> None:
    members = {**uv_member("cart", ""), **uv_member("checkout_page", '"cart"')}
    root = (
        '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.9"\n'
        'dependencies = ["checkout_page"]\n[tool.uv.workspace]\nmembers = ["packages/*"]\n'
        "[tool.uv.sources]\ncart = { workspace = true }\ncheckout_page = { workspace = true }\n"
    )
    files = {**members, "pyproject.toml": root, ".gitignore": ".venv\n"}
    case = Case(tmp_path.resolve(), files)
    sync = ("-m", "uv", "sync", "--offline", "--all-packages", "--python", sys.executable)
    case.install(sys.executable, *sync)
    committed = (*files, "uv.lock")
    found = find_interpreter(case.checkout, committed, None, case.environ)
    assert (found.place, found.reason) == (None, ".venv of uv, uv.lock")
    view = case.view()
    code = "import cart, checkout_page; print(cart.WHERE, checkout_page.WHERE)"
    assert case.say(view, "python", "-c", code).split() == [
        str(case.workspace / f"packages/{name}/src/{name}/__init__.py")
        for name in ("cart", "checkout_page")
    ]
    assert asyncio.run(probe_origin(view)) == ()


def test_poetry_s_environment_is_found_by_asking_and_by_working_it_out(
    tools: Toolchains, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pyproject = (
        '[project]\nname = "Shop.Keeper"\nversion = "1.0"\nrequires-python = ">=3.9"\n'
        '[tool.poetry]\npackages = [{ include = "shop", from = "src" }]\n'
        "[tool.poetry.requires-plugins]\n"  # asking must not install them
        'no-such-plugin-of-poetry = "*"\n'
        '[build-system]\nrequires = ["poetry-core"]\nbuild-backend = "poetry.core.masonry.api"\n'
    )
    files = {"pyproject.toml": pyproject, "src/shop/__init__.py": "WHERE = __file__\n"}
    case = Case(tmp_path.resolve(), files)
    programs = case.folder / "programs"
    programs.mkdir()
    poetry = programs / "poetry"
    poetry.write_text(
        f'#!/bin/sh\nPYTHONPATH={tools.poetry} exec {sys.executable} -m poetry "$@"\n'
    )
    poetry.chmod(0o755)
    case.environ["POETRY_VIRTUALENVS_IN_PROJECT"] = "false"
    case.install(poetry, "--no-plugins", "-n", "lock")
    case.install(poetry, "--no-plugins", "-n", "install")
    monkeypatch.setenv("HOME", str(case.folder))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    without = find_interpreter(case.checkout, ("poetry.lock",), None, case.environ)
    assert without.reason == "poetry's folder for this project, poetry.lock"
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    asked = find_interpreter(case.checkout, ("poetry.lock",), None, case.environ)
    assert asked.reason == "what `poetry` says, poetry.lock"
    assert asked.place == without.place is not None
    view = case.view(asked.place)
    said = case.say(view, "python", "-c", "import shop; print(shop.WHERE)")
    assert said == str(case.workspace / "src/shop/__init__.py")
