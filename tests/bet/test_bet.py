"""The bet: a gate in a workspace answers as it does for the user, and touches nothing of theirs."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest

from goal_engine.runtime.environment import (
    Environment,
    find_environment,
    probe_origin,
    view_environment,
)
from goal_engine.runtime.process import clean_environment
from goal_engine.runtime.repository import EvidenceRepository, read_checkout
from tests.bet.projects import Checkout, run

pytestmark = [pytest.mark.bet, pytest.mark.timeout(180)]

Outcomes = Mapping[str, str]


def run_tests(cwd: Path, tests: str, variables: Mapping[str, str], report: Path) -> Outcomes:
    """Run the project's tests by the bare command `pytest` and return the outcome of each."""
    subprocess.run(
        ["pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", tests],
        cwd=cwd, env=clean_environment(variables), stdout=subprocess.DEVNULL, check=False, timeout=120,
    )  # fmt: skip
    outcomes = {}
    for case in ElementTree.parse(report).iter("testcase"):
        outcome = next((child.tag for child in case if child.tag != "properties"), "passed")
        outcomes[f"{case.get('classname')}::{case.get('name')}"] = outcome
    report.unlink()
    return outcomes


def digest(root: Path) -> str:
    """Return one sha256 over every path, link, mode and byte below `root`, `.git` included."""
    total = hashlib.sha256()
    for directory, names, files in os.walk(root):
        names.sort()
        for name in sorted([*files, *(n for n in names if (Path(directory) / n).is_symlink())]):
            path = Path(directory) / name
            total.update(f"{path.relative_to(root)}\0{path.lstat().st_mode:o}\0".encode())
            content = os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
            total.update(hashlib.sha256(content).digest())
    return total.hexdigest()


def find_module(environment: Environment, name: str) -> Path:
    """Return the file that `name` is really imported from."""
    assert environment.python is not None
    code = f"import {name} as module; print(module.__file__)"
    return Path(run(environment.python, "-I", "-B", "-c", code, cwd=Path("/")).strip())


def breakage(checkout: Checkout, root: Path) -> tuple[Path, str, str]:
    file = root / checkout.project.source
    text = file.read_text()
    assert checkout.project.line in text
    return file, text, text.replace(checkout.project.line, checkout.project.broken)


def test_a_gate_answers_in_a_workspace_as_in_place_and_judges_only_the_workspace(
    checkout: Checkout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, tests, report = checkout.root, checkout.project.tests, tmp_path / "report.xml"
    activated = {
        "PATH": f"{root / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "VIRTUAL_ENV": str(root / ".venv"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    run_tests(root, tests, activated, report)  # both sides are timed warm
    started = time.perf_counter()
    in_place = run_tests(root, tests, activated, report)
    in_place_seconds = time.perf_counter() - started
    untouched = digest(root)

    started = time.perf_counter()
    status = read_checkout(root)
    evidence = EvidenceRepository.open(tmp_path / "evidence.git", status.git_dir)
    workspace = tmp_path.resolve() / "workspace"
    evidence.make_workspace(workspace, status.commit)
    made = time.perf_counter()
    user = find_environment(root)
    asked = time.perf_counter()
    environment: Environment = view_environment(user, root, workspace)
    viewed = time.perf_counter()
    strays = asyncio.run(probe_origin(environment))
    probed = time.perf_counter()
    in_workspace = run_tests(workspace, tests, environment.variables, report)
    ended = time.perf_counter()

    assert strays == ()
    if checkout.project.compiled:
        assert find_module(environment, checkout.project.compiled).is_relative_to(workspace)
    assert in_workspace == in_place
    assert set(in_place.values()) <= {"passed", "skipped"}
    assert len(in_place) > 50
    assert digest(root) == untouched
    tree = evidence.snapshot(workspace, status.commit, environment.exclude)
    assert tree == status.tree, "the view is part of the result"

    file, sound, broken = breakage(checkout, workspace)
    file.write_text(broken)
    red = run_tests(workspace, tests, environment.variables, report)
    assert "failure" in red.values(), "a break in the workspace went unnoticed"
    file.write_text(sound)
    assert digest(root) == untouched

    file, sound, broken = breakage(checkout, root)
    file.write_text(broken)
    noticed = run_tests(root, tests, activated, report)
    green = run_tests(workspace, tests, environment.variables, report)
    file.write_text(sound)
    assert noticed == red, "a break in the checkout shows there"
    assert green == in_place, "a break in the checkout reached the workspace"
    assert digest(root) == untouched

    evidence.close()
    told = (
        f"{checkout.project.requirement}: {len(in_place)} tests, "
        f"{sum(outcome == 'failure' for outcome in red.values())} red when broken; in place "
        f"{in_place_seconds:.2f} s, in the workspace {ended - probed:.2f} s after make "
        f"{1000 * (made - started):.0f} ms + ask {1000 * (asked - made):.0f} ms + view "
        f"{1000 * (viewed - asked):.0f} ms + probe {1000 * (probed - viewed):.0f} ms"
    )
    with capsys.disabled():
        sys.stdout.write("\n".join(["", told, *(f"  {note}" for note in environment.notes), ""]))
