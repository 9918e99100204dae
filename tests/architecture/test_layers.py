"""The contracts of `[tool.importlinter]` hold, and each of them catches what it is there for."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.architecture.source import ROOT

SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
CONTRACTS = {contract["id"]: contract for contract in SETTINGS["contracts"]}

VIOLATIONS = [
    ("packages", "goal_engine.types", "import goal_server"),
    ("engine", "goal_engine.budget", "import goal_engine.state.model"),
    ("engine", "goal_engine.verifier.observe", "import goal_engine.delivery"),
    ("engine", "goal_engine.runtime.git", "import goal_engine.state.model"),
    ("engine", "goal_engine.evidence", "import goal_engine.runtime.git"),
    ("engine", "goal_engine.workers.recipe", "import goal_engine.dispatch"),
    ("engine", "goal_engine.nowhere", ""),
    ("pure-core", "goal_engine.state.model", "import subprocess"),
    ("pure-core", "goal_engine.state.decide", "import time"),
    ("pure-core", "goal_engine.state.decide", "def late() -> None:\n    import time"),
    ("pure-core", "goal_engine.dispatch.tasks.scheduler", "import asyncio"),
    ("pure-core", "goal_engine.evidence", "import goal_engine.runtime.git"),
    ("wire-free-engine", "goal_engine.lifecycle", "import pygls"),
    ("wire-free-engine", "goal_engine.progress", "import rich"),
    ("storefront", "goal_server.cli", "import goal_engine.state.decide"),
    ("storefront", "goal_server.lsp", "import goal_engine.runtime.git"),
    ("acyclic", "goal_engine.state.model", "import goal_engine.state.evolve"),
]


def run_linter(folder: Path, *contracts: str) -> tuple[bool, str]:
    """Check the packages that `folder` makes importable against the project's own contracts."""
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"),
            *(str(ROOT / "pyproject.toml"), "--no-cache", "--no-logo"),
            *(word for contract in contracts for word in ("--contract", contract)),
        ],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{folder / 'server'}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode == 0, done.stdout


def write_module(folder: Path, name: str, text: str = "") -> None:
    """Add to a module; its packages come into being with it."""
    *packages, last = name.split(".")
    place = folder
    for package in packages:
        place = place / package
        place.mkdir(exist_ok=True)
        (place / "__init__.py").touch()
    path = place / last / "__init__.py" if (place / last).is_dir() else place / f"{last}.py"
    with path.open("a") as file:
        file.write(f"{text}\n")


def make_skeleton(folder: Path) -> None:
    """Write both packages as the contracts expect them, without any contents."""
    layers = " | ".join(CONTRACTS["engine"]["layers"]).translate(str.maketrans("()", "  "))
    names = {f"goal_engine.{layer.strip()}" for layer in layers.split("|")}
    names |= {module for _, module, _ in VIOLATIONS if not module.endswith("nowhere")}
    names |= set(CONTRACTS["pure-core"]["source_modules"])
    names |= set(CONTRACTS["storefront"]["protected_modules"])
    for name in sorted(
        names | {"goal_engine.state.persistence"}, key=lambda name: -name.count(".")
    ):
        write_module(folder, name)
    write_module(folder, "goal_engine.state.evolve", "import goal_engine.state.model")
    write_module(folder, "goal_engine.state.persistence", "import os")


@pytest.fixture(scope="module")
def skeleton(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the packages' skeleton, in which nothing is wrong."""
    folder = tmp_path_factory.mktemp("skeleton")
    make_skeleton(folder)
    return folder


@pytest.mark.parametrize("contract", CONTRACTS)
def test_the_project_keeps(contract):
    kept, said = run_linter(ROOT, contract)
    assert kept, said


def test_a_skeleton_without_violations_keeps_every_contract(skeleton):
    kept, said = run_linter(skeleton)
    assert kept, said


@pytest.mark.parametrize(("contract", "module", "text"), VIOLATIONS)
def test_a_planted_violation_breaks_its_contract(tmp_path, contract, module, text):
    make_skeleton(tmp_path)
    write_module(tmp_path, module, text)
    kept, said = run_linter(tmp_path, contract)
    assert not kept
    assert "BROKEN" in said
    assert module.rpartition(".")[2] in said


def test_every_contract_has_a_planted_violation():
    assert {contract for contract, _, _ in VIOLATIONS} == set(CONTRACTS)
