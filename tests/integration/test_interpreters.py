"""Which Python a project is worked on with, from what its managers leave on the disk."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from goal_engine.errors import EnvironmentUnusable
from goal_engine.gates.interpreters import find_interpreter, name_poetry_environment
from goal_engine.runtime import interpreter
from goal_engine.runtime.environment import find_environment, view_environment
from tests.integration.test_environment import git

pytestmark = pytest.mark.one_python


class Project:
    """A checkout, a home folder beside it, and variables that say nothing yet."""

    def __init__(self, folder: Path) -> None:
        self.checkout, self.home = folder / "project", folder / "home"
        self.home.mkdir()
        self.checkout.mkdir()
        self.environ = {"HOME": str(self.home)}

    def write(self, path: str | Path, text: str = "") -> Path:
        file = self.checkout / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def venv(self, path: str | Path) -> str:
        self.write(self.checkout / path / "pyvenv.cfg")
        (self.checkout / path / "bin").mkdir()
        (self.checkout / path / "bin" / "python").symlink_to(sys.executable)
        return str(path)

    def conda(self, path: str | Path) -> str:
        """Lay out what conda does: a prefix that is no venv, with programs of its own."""
        prefix = self.checkout / path
        (prefix / "conda-meta").mkdir(parents=True)
        (prefix / "bin").mkdir()
        (prefix / "bin" / "python").symlink_to(sys.executable)
        return str(path)

    def find(self, files: Mapping[str, str], **environ: str) -> tuple[str | None, str]:
        for name, text in files.items():
            self.write(name, text)
        found = find_interpreter(self.checkout, files, None, {**self.environ, **environ})
        return found.place, found.reason


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("PATH", str(tmp_path / "no-managers"))
    return Project(tmp_path.resolve())


@pytest.mark.parametrize(
    ("lock", "reason"),
    [
        ("uv.lock", ".venv of uv, uv.lock"),
        ("poetry.lock", ".venv of poetry, poetry.lock"),
        ("README", ".venv"),
    ],
)
def test_the_root_s_own_environment_is_the_manager_s(
    project: Project, lock: str, reason: str
) -> None:
    project.venv(".venv")
    assert project.find({lock: ""}) == (None, reason)


def test_uv_is_told_another_place_and_believed_where_there_is_one(project: Project) -> None:
    project.venv(".venv")
    named = project.venv("../uv-env")
    there = {"UV_PROJECT_ENVIRONMENT": named}
    reason = "UV_PROJECT_ENVIRONMENT of uv, uv.lock"
    assert project.find({"uv.lock": ""}, **there) == (named, reason)
    assert project.find({"poetry.lock": ""}, **there) == (None, ".venv of poetry, poetry.lock")
    gone = {"UV_PROJECT_ENVIRONMENT": "nowhere"}
    assert project.find({"uv.lock": ""}, **gone) == (None, ".venv of uv, uv.lock")


def test_an_active_environment_comes_after_the_root_s(project: Project) -> None:
    active = {"VIRTUAL_ENV": "/somewhere"}
    assert project.find({}, **active) == (None, "VIRTUAL_ENV, which is active")
    project.venv("venv")
    assert project.find({}, **active) == (None, "venv")


PYPROJECT = '[project]\nname = "Shop Keeper"\n'


def test_poetry_s_folder_is_worked_out_where_poetry_is_not_there(project: Project) -> None:
    files = {"poetry.lock": "", "pyproject.toml": PYPROJECT}
    assert project.find(files)[1] == "python3 on PATH"
    name = name_poetry_environment(project.checkout)
    assert name is not None and name.startswith("shop_keeper-")
    cache = project.home / "cache"
    here = {"POETRY_CACHE_DIR": str(cache)}
    first = project.venv(cache / "virtualenvs" / f"{name}-py3.11")
    assert project.find(files, **here) == (
        first,
        "poetry's folder for this project, poetry.lock",
    )
    second = project.venv(cache / "virtualenvs" / f"{name}-py3.12")
    assert project.find(files, **here)[0] is None  # which of the two, nothing says
    project.write(cache / "virtualenvs/envs.toml", f'[{name}]\nminor = "3.12"\n')
    assert project.find(files, **here)[0] == second
    project.write(cache / "virtualenvs/envs.toml", "[[[")
    assert project.find(files, **here)[0] is None


def test_pdm_has_written_down_which_python_it_uses(project: Project) -> None:
    project.write(".pdm-python", f"{sys.executable}\n")
    assert project.find({"pdm.lock": ""}) == (sys.executable, ".pdm-python of pdm, pdm.lock")
    project.write(".pdm-python", "relative/python\n")
    assert project.find({"pdm.lock": ""})[0] is None


@pytest.mark.parametrize("how", ["active", "sibling", "base", "listed", "home", "variable"])
def test_the_environment_file_names_one_of_conda_s(project: Project, how: str) -> None:
    envs = project.home / "anywhere" / "envs"
    there: dict[str, str] = {}
    match how:
        case "active":
            there = {"CONDA_PREFIX": str(envs / "shop")}
        case "sibling":
            there = {"CONDA_PREFIX": str(envs / "other")}
        case "base":
            there = {"CONDA_PREFIX": str(envs.parent)}
        case "listed":
            project.write(project.home / ".conda/environments.txt", f"/x\n{envs / 'shop'}\n")
        case "home":
            envs = project.home / "miniforge3/envs"
        case "variable":
            there = {"CONDA_ENVS_PATH": f"/x:{envs}"}
    place = project.conda(envs / "shop")
    file = {"environment.yml": "channels: [x]\nname: shop  # ours\n"}
    assert project.find(file, **there) == (place, "shop of conda, environment.yml")
    assert "another" not in project.find({"environment.yml": "name: another\n"}, **there)[1]


def test_a_prefix_in_the_project_is_its_own(project: Project) -> None:
    project.conda(".pixi/envs/default")
    assert project.find({"pixi.lock": ""}) == (
        ".pixi/envs/default",
        ".pixi/envs/default of pixi, pixi.lock",
    )


def test_the_base_of_conda_is_active_everywhere_and_says_nothing(project: Project) -> None:
    prefix = project.conda(project.home / "miniconda3")
    base = {"CONDA_PREFIX": prefix, "CONDA_DEFAULT_ENV": "base"}
    assert project.find({}, **base) == (None, "python3 on PATH")
    assert project.find({}, CONDA_PREFIX=prefix) == (prefix, "CONDA_PREFIX, which is active")


def test_what_is_configured_is_not_looked_beyond(project: Project) -> None:
    project.venv(".venv")
    found = find_interpreter(project.checkout, (), "tools/env", project.environ)
    assert (found.place, found.reason) == (
        "tools/env", "`python` under [workspace] in goalproof.toml",
    )  # fmt: skip


@pytest.mark.parametrize("bad", ["\0", "x" * 5000])
def test_a_variable_with_nonsense_is_passed_by(project: Project, bad: str) -> None:
    files = {"uv.lock": "", "environment.yml": "name: shop\n"}
    there = {"CONDA_PREFIX": bad, "CONDA_ENVS_PATH": bad, "UV_PROJECT_ENVIRONMENT": bad}
    assert project.find(files, **there) == (None, "python3 on PATH")


def test_the_view_of_a_conda_prefix_has_its_programs_first(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The prefix is laid out by hand: conda is in no registry that the tests reach."""
    base = Path(sys.base_prefix)
    prefix = project.home / "miniforge3/envs/shop"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (prefix / "bin").mkdir(parents=True)
    (prefix / "conda-meta").mkdir()
    (prefix / "conda-meta/zlib-1.json").write_text("{}")
    (prefix / "lib").mkdir()
    for entry in (base / "lib" / version).parent.glob(f"{version}*"):
        (prefix / "lib" / entry.name).symlink_to(entry)
    real = Path(sys.executable).resolve()
    (prefix / "bin/python").write_bytes(real.read_bytes())
    (prefix / "bin/python").chmod(0o755)
    project.write(prefix / "bin/gdalinfo", "#!/bin/sh\n").chmod(0o755)
    project.write(prefix / "etc/conda/activate.d/gdal.sh", "export GDAL_DATA=x\n")
    system = project.home / "system"
    system.mkdir()
    programs = os.pathsep.join((str(system), "/usr/bin", "/bin"))
    monkeypatch.setenv("PATH", programs)
    git("init", "-q", cwd=project.checkout)
    try:
        user = find_environment(project.checkout, str(prefix))
    except EnvironmentUnusable:
        pytest.fail("the copied interpreter does not start")
    workspace = project.home / "ws"
    workspace.mkdir()
    view = view_environment(user, project.checkout, workspace)
    assert user.conda
    entries = view.variables["PATH"].split(os.pathsep)
    assert entries[1:3] == [str(prefix / "bin"), str(system)]
    assert view.variables["CONDA_PREFIX"] == str(prefix)
    assert any("activate.d of shop are not run" in note for note in view.notes)
    (prefix / "conda-meta/gdal-3.json").write_text("{}")
    assert view_environment(user, project.checkout, workspace).key != view.key


def test_a_venv_is_asked_once_until_it_is_another_one(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    told = interpreter.ask

    def ask(python: Path, question: str, **given: Any) -> dict[str, Any]:
        asked.append(str(python))
        return told(python, question, **given)

    monkeypatch.setattr(interpreter, "ask", ask)
    place = project.venv("env")
    first = find_environment(project.checkout, place)
    assert find_environment(project.checkout, place) == first and len(asked) == 1
    project.write("env/pyvenv.cfg", "include-system-site-packages = true")
    find_environment(project.checkout, place)
    assert len(asked) == 2
    (project.checkout / place / "bin" / "python").unlink()
    (project.checkout / place / "bin" / "python").symlink_to("/bin/false")
    with pytest.raises(EnvironmentUnusable, match="does not answer"):
        find_environment(project.checkout, place)
