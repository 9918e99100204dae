"""The repository says the same on every machine, and CI does what the README says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.architecture.source import ROOT

# Each pattern is written so that it does not match its own text.
PRIVATE = {
    "a path of one machine": re.compile(
        r"(?<![\w.}])/(?:hom[e]/\w|User[s]/\w|roo[t]/|wor[k]/\w|op[t]/whl|op[t]/wheels)"
    ),
    "a package index": re.compile(
        r"(?m)^\s*--?(?:i|index-ur[l]|extra-index-ur[l]|find-link[s]|trusted-hos[t])[ =]\S"
    ),
    "a registry's host": re.compile(
        r"://[^/\s\"']*(?:pyp[i]|devp[i]|artifactor[y]|nexu[s]|npmj[s])\b"
    ),
}
NOX_LINE = re.compile(r"^python3 -m venv .*nox$", re.MULTILINE)
DEMO_LINE = re.compile(r"^python3 -m venv .*goalproof demo$", re.MULTILINE)


def read_tracked() -> dict[str, str]:
    """Return path → text of what git tracks or would track; what is no text is left out."""
    listed = subprocess.run(
        [
            "git",
            "-c",
            "safe.directory=*",
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ],
        cwd=ROOT,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    ).stdout.decode()
    texts = {}
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.is_file():
            try:
                texts[name] = path.read_text()
            except UnicodeDecodeError:
                continue
    return texts


def find_private(name: str, text: str) -> list[str]:
    """Return what a file tells about the machine it was written on."""
    return [
        f"{name} names {what}: {found[0]}"
        for what, pattern in PRIVATE.items()
        for found in pattern.finditer(text)
    ]


def find_command(pattern: re.Pattern[str], text: str) -> str:
    """Return the one line of a page that is the command."""
    (line,) = pattern.findall(text)
    return str(line)


def test_no_tracked_file_knows_a_machine_or_a_registry():
    found = [
        problem for name, text in read_tracked().items() for problem in find_private(name, text)
    ]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "cd /" + "home/ada/src",
        "cd /" + "root/.venv",
        "--index" + "-url https://example.org/simple",
        "see https://" + "pypi" + ".org/simple/pip",
    ],
)
def test_a_planted_machine_path_is_found(text):
    assert find_private("notes.md", text) != []


def test_ci_runs_the_line_of_the_readme():
    line = find_command(NOX_LINE, (ROOT / "README.md").read_text())
    assert line in (ROOT / ".ci" / "run").read_text().splitlines()


def test_the_readme_has_one_line_for_the_demo():
    assert find_command(DEMO_LINE, (ROOT / "README.md").read_text())


def test_the_matrix_is_what_the_package_promises():
    promised = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    loops = re.findall(r"for version in ([\d. ]+);", Path(ROOT / ".ci" / "run").read_text())
    assert promised
    assert [loop.split() for loop in loops] == [promised] * len(loops)
