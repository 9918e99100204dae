"""Real Neovims and a project with a bug for them to find."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.editors.nvim.driver import Neovim, open_neovim
from tests.editors.nvim_tools import find_cache, install_nvim_010, install_nvim_011
from tests.integration.projects import FIX, a_project

CACHE = find_cache()
"""Read before the tests' own home is set, as all of a person's settings here."""
SHOTS = Path(os.environ.get("GOALPROOF_SHOTS") or Path(__file__).parents[3] / ".nox" / "shots")
"""Where the screens are kept that a terminal showed."""
INSTALLERS = {"0.10": install_nvim_010, "0.11": install_nvim_011}
PLAN = """\
goal = "Make sums right in calc.py"
kind = "fix"

[[criterion]]
id = "adds"
text = "Sums are right"
evidence = "flips"
gate = "tests"
tests = ["tests.test_calc.CalcTest::test_add"]

[[task]]
id = "fix"
title = "Fix the sum"
writes = ["calc.py"]
steps = [{steps}]
"""
SLOW = '{ run = ["sleep", "600"] }'
"""A step that goes on until somebody stops it."""

newest = pytest.mark.parametrize("program", ["0.11"], indirect=True)
"""For what does not touch anything in which the versions differ."""

OpenEditor = Callable[..., Neovim]


@pytest.fixture(params=list(INSTALLERS))
def program(request: pytest.FixtureRequest) -> Path:
    """The program of each Neovim in turn."""
    return INSTALLERS[request.param](CACHE)


@pytest.fixture
def new_program() -> Path:
    """The program of the newer Neovim, for what is the same in both."""
    return install_nvim_011(CACHE)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository in which `calc.add` subtracts, with a plan that repairs it."""
    made = a_project(tmp_path / "project")
    write_plan(made, FIX)
    return made


def write_plan(project: Path, steps: str) -> None:
    """Give a project a plan whose one task has these steps."""
    (project / "plan.toml").write_text(PLAN.format(steps=steps), encoding="utf-8")


@pytest.fixture
def start(program: Path, tmp_path: Path) -> Iterator[OpenEditor]:
    """Return what opens an editor in a project; it is ended with the test."""
    with ExitStack() as editors:

        def open_one(project: Path, *files: str, **settings: Any) -> Neovim:
            home = tmp_path / "home"
            return editors.enter_context(
                open_neovim(program, project, *files, home=home, settings=settings)
            )

        yield open_one
