"""The real projects of the bet, by what is different about each, and how one is installed.

Nothing here is skipped: a machine that cannot install them has not tested the bet.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

GITIGNORE = "/.venv/\n__pycache__/\n*.py[cod]\n*.so\n/build/\n*.egg-info/\n/.pytest_cache/\n"
"""What the repositories of such projects ignore; a source archive seldom brings the file."""


@dataclass(frozen=True)
class Project:
    """A project from PyPI and the one line in it that is broken to see who notices."""

    requirement: str
    needs: tuple[str, ...]
    """What its tests need besides pytest."""
    tests: str
    source: str
    line: str
    broken: str
    compiled: str = ""
    """A module that must be there in its compiled form."""

    @property
    def name(self) -> str:
        return self.requirement.split("==")[0]


PROJECTS = (
    Project(  # src layout, flit: a `.pth` that names src/
        "itsdangerous==2.2.0", ("freezegun",), "tests", "src/itsdangerous/encoding.py",
        'return base64.urlsafe_b64encode(string).rstrip(b"=")', "return string",
    ),
    Project(  # flat layout, setuptools: a finder module that maps names to directories
        "toolz==1.0.0", (), "toolz", "toolz/itertoolz.py",
        "return next(iter(seq))", "return None",
    ),
    Project(  # compiled: a C module built in the source tree, tested beside its Python twin
        "markupsafe==3.0.2", (), "tests", "src/markupsafe/__init__.py",
        "return unescape(str(self))", "return str(self)", "markupsafe._speedups",
    ),
    Project(  # pytest stands on it, and its version is a file that git ignores
        "pluggy==1.6.0", (), "testing", "src/pluggy/_manager.py",
        "if self._name2plugin.get(name, -1) is None:", "if False:",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Checkout:
    """A project on disk, as its developer works on it."""

    project: Project
    root: Path


def run(*argv: str | Path, cwd: Path) -> str:
    """Run a command of the set-up; its output is in the failure."""
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        argv, cwd=cwd, env=os.environ | settings, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=180,
    )  # fmt: skip
    if done.returncode != 0:
        pytest.fail(f"{' '.join(map(str, argv))}\n{done.stdout}", pytrace=False)
    return done.stdout


def install(project: Project, here: Path) -> Checkout:
    """Fetch a project, commit it and install it editable into its `.venv`."""
    run(
        sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary",
        project.name, "--dest", "sdist", project.requirement, cwd=here,
    )  # fmt: skip
    with tarfile.open(next((here / "sdist").iterdir())) as archive:
        archive.extractall(here, filter="data")
    root = next(file.parent for file in here.glob("*/PKG-INFO"))
    if not (root / ".gitignore").exists():
        (root / ".gitignore").write_text(GITIGNORE)
    run("git", "init", "--quiet", "--initial-branch=main", cwd=root)
    for key, value in {"user.name": "A Developer", "user.email": "dev@example.org"}.items():
        run("git", "config", key, value, cwd=root)
    run("git", "add", "--all", cwd=root)
    run("git", "commit", "--quiet", "--message=as released", cwd=root)
    run("git", "tag", project.requirement.split("==")[1], cwd=root)
    run(sys.executable, "-m", "venv", ".venv", cwd=root)
    run(
        ".venv/bin/python", "-m", "pip", "install", "--quiet", "pytest", *project.needs,
        "--editable", ".", cwd=root,
    )  # fmt: skip
    return Checkout(project, root)
