"""What is published has what it needs, nothing else, and works where nothing of ours is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FAMILIES = {
    "goal_engine": ROOT / "goal_engine",
    "goal_server": ROOT / "server" / "goal_server",
}
BUILT = {"node_modules", "__pycache__", "dist", "build", "libs"}
"""Folders that are made, and have no place among the sources."""
EXTENSION = {
    "CHANGELOG.md",
    "LICENSE.txt",
    "README.md",
    "bundled/tool/server.py",
    "dist/main.js",
    "media/goalproof.svg",
    "media/icon.png",
    "media/walkthrough/apply.md",
    "media/walkthrough/diff.md",
    "media/walkthrough/goal.md",
    "media/walkthrough/server.md",
    "package.json",
}
"""What the extension is, besides the server and its libraries."""
LIBRARIES = "bundled/libs/"


def run(*argv: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    """Return what a command printed; what it said when it failed is in the failure."""
    done = subprocess.run(
        argv,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
    )
    if done.returncode != 0:
        pytest.fail(f"{argv[0]} ended with {done.returncode}\n{done.stdout}{done.stderr}", False)
    return done.stdout


def read_names(wheel: Path) -> dict[str, bytes]:
    """Return name → content of what a wheel holds."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def read_metadata(files: dict[str, bytes], name: str) -> str:
    """Return one file of a wheel's own folder."""
    (found,) = [path for path in files if path.endswith(f".dist-info/{name}")]
    return files[found].decode()


def test_the_wheel_has_the_two_packages_and_nothing_else(wheel: Path) -> None:
    names = read_names(wheel)
    folders = {name.split("/")[0] for name in names}
    assert {folder for folder in folders if not folder.endswith(".dist-info")} == set(FAMILIES)


@pytest.mark.parametrize("package", FAMILIES)
def test_every_file_of_a_package_is_in_the_wheel(wheel: Path, package: str) -> None:
    home = FAMILIES[package]
    there = {
        f"{package}/{path.relative_to(home).as_posix()}"
        for path in home.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    packed = {name for name in read_names(wheel) if name.startswith(f"{package}/")}
    assert packed == there
    assert f"{package}/py.typed" in packed


def test_the_wheel_says_who_may_use_it_and_where(wheel: Path) -> None:
    files = read_names(wheel)
    told = Parser().parsestr(read_metadata(files, "METADATA"))
    assert told["License-Expression"] == "MIT"
    assert told["License-File"] == "LICENSE"
    assert read_metadata(files, "licenses/LICENSE") == (ROOT / "LICENSE").read_text()
    assert told["Requires-Python"] == ">=3.11"
    assert "py3-none-any" in wheel.name
    assert "goalproof = goal_server.cli:main" in read_metadata(files, "entry_points.txt")


def test_the_source_archive_makes_the_same_wheel(wheel: Path, sdist: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    run(sys.executable, "-m", "uv", "build", "-q", "--wheel", "-o", tmp_path, cwd=source)
    (again,) = tmp_path.glob("*.whl")
    assert again.name == wheel.name
    assert read_names(again) == read_names(wheel)


def test_the_source_archive_brings_the_tests(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"tests/conftest.py", "noxfile.py", "LICENSE", "README.md", ".ci/run"} <= names
    assert {"editors/vscode/src/main.ts", "editors/nvim/plugin/goalproof.lua"} <= names
    assert not [name for name in names if set(Path(name).parts) & BUILT]


def read_extension(vsix: Path) -> dict[str, bytes]:
    """Return name → content of the extension in its archive."""
    files = read_names(vsix)
    return {
        name.removeprefix("extension/"): content
        for name, content in files.items()
        if name.startswith("extension/")
    }


def test_the_extension_has_its_own_files_and_nothing_else(vsix: Path) -> None:
    names = {name for name in read_extension(vsix) if not name.startswith(LIBRARIES)}
    assert {name.lower() for name in names} == {name.lower() for name in EXTENSION}


def test_the_extension_brings_the_server_of_the_wheel(vsix: Path, wheel: Path) -> None:
    home = f"{LIBRARIES}common/"
    brought = {
        name.removeprefix(home): content
        for name, content in read_extension(vsix).items()
        if name.startswith(tuple(f"{home}{package}/" for package in FAMILIES))
    }
    packed = read_names(wheel)
    assert brought == {name: packed[name] for name in packed if ".dist-info/" not in name}


def test_the_extension_has_compiled_libraries_for_every_python(vsix: Path) -> None:
    names = read_extension(vsix)
    minors = [
        classifier.rpartition(".")[2]
        for classifier in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
            "classifiers"
        ]
        if "Python :: 3." in classifier
    ]
    assert minors
    for minor in minors:
        home = f"{LIBRARIES}cp3{minor}/pydantic_core/"
        assert [name for name in names if name.startswith(home) and name.endswith(".so")], minor


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("confined")
def test_the_wheel_alone_shows_the_demo(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", home, cwd=tmp_path)
    python = home / "bin" / "python"
    run(sys.executable, "-m", "uv", "pip", "install", "-q", "-p", python, wheel, cwd=tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = home / "bin" / "goalproof"
    shown = json.loads(run(command, "demo", "--json", cwd=elsewhere, env=environment))
    assert shown["goal"]["status"] == "ready"
    assert shown["reverification"]["outcome"] == "REPRODUCED"
    found = run(python, "-c", "import goal_engine; print(goal_engine.__file__)", cwd=elsewhere)
    assert Path(found.strip()).is_relative_to(home)
    assert list(elsewhere.iterdir()) == []
