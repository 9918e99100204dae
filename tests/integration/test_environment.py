"""Views of real virtual environments: who is imported, what is touched, what is copied."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from goal_engine.errors import EnvironmentUnusable
from goal_engine.runtime.environment import (
    Environment,
    find_environment,
    probe_origin,
    view_environment,
)
from goal_engine.runtime.interpreter import find_python
from goal_engine.runtime.process import clean_environment

FINDER = """\
MAPPING: dict[str, str] = {{'app': '{checkout}/src/app'}}
NAMESPACES: dict[str, list[str]] = {{}}
from importlib.util import spec_from_file_location
import sys
class Finder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name in MAPPING:
            return spec_from_file_location(name, MAPPING[name] + '/__init__.py')
def install():
    sys.meta_path.append(Finder)
"""


@dataclass(frozen=True)
class Case:
    """A checkout with `src/app`, its venv, and a workspace that says something else."""

    checkout: Path
    workspace: Path
    venv: Path

    @property
    def site(self) -> Path:
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return self.venv / "lib" / version / "site-packages"

    def write(self, path: str, text: str = "", mode: int = 0o644) -> Path:
        """Write a file of the checkout (or, by an absolute path, anywhere)."""
        file = self.checkout / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        return file

    def install(self, name: str, text: str = "") -> None:
        self.write(str(self.site / name), text)

    def editable(self) -> None:
        self.install("__editable__.app-1.0.pth", f"{self.checkout}/src\n")

    def view(self) -> Environment:
        return view_environment(find_environment(self.checkout), self.checkout, self.workspace)

    def said(self, environment: Environment, *argv: str) -> str:
        """Run a command as a gate would and return what it printed."""
        done = subprocess.run(
            argv, cwd=self.workspace, env=clean_environment(environment.variables),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def strays(self) -> tuple[str, ...]:
        return asyncio.run(probe_origin(self.view()))


def git(*args: str, cwd: Path) -> None:
    subprocess.run(["git", *args], cwd=cwd, check=True, capture_output=True)


def make_case(base: Path) -> Case:
    checkout, workspace = base / "checkout", base / "workspace"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", checkout / ".venv"], check=True)
    case = Case(checkout, workspace, checkout / ".venv")
    case.write("src/app/__init__.py", "WHERE = 'checkout'\n")
    case.write(".gitignore", "/.venv/\n*.so\n_version.py\nlocal_settings.py\n*.egg-info/\n.env\n")
    git("init", "--quiet", cwd=checkout)
    git("add", "--all", cwd=checkout)
    case.write(str(workspace / "src/app/__init__.py"), "WHERE = 'workspace'\n")
    return case


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return make_case(tmp_path.resolve())


WHERE = ("python", "-c", "import app; print(app.WHERE)")


def test_a_path_editable_is_imported_from_the_workspace(case: Case) -> None:
    case.editable()
    assert case.said(case.view(), *WHERE) == "workspace"
    assert case.strays() == ()


def test_a_finder_editable_is_imported_from_the_workspace(case: Case) -> None:
    case.install("__editable___app_finder.py", FINDER.format(checkout=case.checkout))
    case.install("__editable__.app-1.0.pth", "import __editable___app_finder as f; f.install()\n")
    assert case.said(case.view(), *WHERE) == "workspace"
    assert case.strays() == ()


def test_an_editables_map_is_imported_from_the_workspace(case: Case) -> None:
    case.install("editables.py", "import sys\ndef map_module(name, path):\n    sys.app = path\n")
    text = f"import editables as F\nF.map_module('app', '{case.checkout}/src/app/__init__.py')\n"
    case.install("_editable_impl_app.py", text)
    case.install("_app.pth", "import _editable_impl_app\n")
    environment = case.view()
    assert case.said(environment, "python", "-c", "import sys; print(sys.app)") == str(
        case.workspace / "src/app/__init__.py"
    )
    assert set(environment.packages) == {"app"}


def test_an_editable_beside_a_plain_install_wins(case: Case) -> None:
    case.editable()
    case.install("app/__init__.py", "WHERE = 'site-packages'\n")
    assert case.said(case.view(), *WHERE) == "workspace"


def test_a_plain_install_of_the_project_is_a_stray(case: Case) -> None:
    case.install("app/__init__.py", "WHERE = 'site-packages'\n")
    assert case.strays() == (f"app (from {case.site}/app)",)


def test_an_editable_that_cannot_be_found_is_a_stray(case: Case) -> None:
    finder = FINDER.format(checkout=case.checkout).replace("if name in", "if False and name in")
    case.install("__editable___app_finder.py", finder)
    case.install("__editable__.app-1.0.pth", "import __editable___app_finder as f; f.install()\n")
    assert case.strays() == ("app (not importable)",)


def test_a_hook_that_puts_the_checkout_on_the_path_is_a_stray(case: Case) -> None:
    parent, name = case.checkout.parent, case.checkout.name
    case.install("sly.pth", f"import sys; sys.path.insert(0, '{parent}' + '/{name}/src')\n")
    assert case.strays() == (
        f"app (from {case.checkout}/src/app)",
        f"the import path names {case.checkout}/src",
    )


def test_a_package_that_was_renamed_away_is_no_stray(case: Case) -> None:
    case.editable()
    environment = case.view()
    (case.workspace / "src/app").rename(case.workspace / "src/service")
    assert asyncio.run(probe_origin(environment)) == ()


def test_probing_runs_no_line_of_the_project(case: Case) -> None:
    case.editable()
    case.write(str(case.workspace / "src/app/__init__.py"), "open('ran', 'w')\n")
    assert case.strays() == ()
    assert not (case.workspace / "ran").exists()


def test_other_path_files_are_carried_over(case: Case) -> None:
    elsewhere = case.checkout.parent / "checkout-of-a-neighbour"
    case.write(str(elsewhere / "neighbour.py"))
    case.install("neighbour.pth", f"# a comment\n\n{elsewhere}\nbelow\n")
    case.install("below/lower.py")
    case.install("hook.py", "import sys\nsys.hooked = True\n")
    case.install("hook.pth", "import hook\n")
    case.install(
        "ns-nspkg.pth",
        "import sys, types, os; p = os.path.join(sys._getframe(1).f_locals['sitedir'], 'ns'); "
        "sys.namespace = p\n",
    )
    code = "import sys, neighbour, lower; print(sys.hooked, sys.namespace)"
    assert case.said(case.view(), "python", "-c", code) == f"True {case.site}/ns"


def test_scripts_start_the_python_of_the_view(case: Case) -> None:
    case.editable()
    case.install("app-1.0.dist-info/entry_points.txt", "[console_scripts]\nwhere = app:main [x]\n")
    code = "import sys\ndef main():\n    print('workspace', sys.prefix)\n"
    case.write(str(case.workspace / "src/app/__init__.py"), code)
    case.write(".venv/bin/where", f"#!{case.venv}/bin/python\nprint('copied')\n", 0o755)
    environment = case.view()
    assert case.said(environment, "where") == f"workspace {case.workspace}/.venv"


def test_a_python_script_without_an_entry_point_gets_another_first_line(case: Case) -> None:
    code = f"import sys\nprint(sys.prefix, '{case.checkout}/tool.py', '{case.venv}/share')\n"
    case.write(".venv/bin/legacy", f"#!{case.venv}/bin/python\n{code}", 0o755)
    wrapped = f"#!/bin/sh\n'''exec' \"{case.venv}/bin/python\" \"$0\" \"$@\"\n' '''\n{code}"
    case.write(".venv/bin/wrapped", wrapped, 0o755)
    environment = case.view()
    expected = f"{case.workspace}/.venv {case.workspace}/tool.py {case.venv}/share"
    assert case.said(environment, "legacy") == expected
    assert case.said(environment, "wrapped") == expected


def test_a_program_that_is_no_python_script_is_linked(case: Case) -> None:
    case.write(".venv/bin/tool", "#!/bin/sh\necho hello\n", 0o755)
    environment = case.view()
    assert case.said(environment, "tool") == "hello"
    assert (case.workspace / ".venv/bin/tool").is_symlink()


def test_scripts_work_below_a_directory_with_a_space(tmp_path: Path) -> None:
    case = make_case(tmp_path.resolve() / "my projects")
    case.editable()
    case.install("app-1.0.dist-info/entry_points.txt", "[console_scripts]\nwhere = app:main\n")
    code = "def main():\n    print('workspace')\n"
    case.write(str(case.workspace / "src/app/__init__.py"), code)
    assert case.said(case.view(), "where") == "workspace"


def test_the_users_environment_is_not_written_to(case: Case) -> None:
    case.editable()
    case.install("dependency/__init__.py")
    before = sorted(case.checkout.rglob("*"))
    case.said(case.view(), "python", "-c", "import app, dependency")
    assert sorted(case.checkout.rglob("*")) == before


def test_generated_files_are_copied_and_secrets_are_not(case: Case) -> None:
    case.editable()
    for path in ("_version.py", "fast.so", "local_settings.py", ".env"):
        case.write(f"src/app/{path}", path)
    case.write("src/app.egg-info/PKG-INFO", "Name: app\n")
    case.write("elsewhere/lib.so", "not beside Python")
    environment = case.view()
    assert sorted(environment.exclude) == [
        ".venv", "src/app.egg-info", "src/app/_version.py", "src/app/fast.so",
    ]  # fmt: skip
    assert {path.name for path in (case.workspace / "src/app").iterdir()} == {
        "__init__.py", "_version.py", "fast.so",
    }  # fmt: skip
    assert not os.path.samefile(
        case.checkout / "src/app/fast.so", case.workspace / "src/app/fast.so"
    )
    assert any("not compiled" in note for note in environment.notes)


def test_nothing_is_copied_through_a_link_out_of_the_workspace(case: Case) -> None:
    case.editable()
    case.write("src/app/fast.so", "ours")
    outside = case.checkout.parent / "outside"
    (case.workspace / "src/app").rename(outside)
    (case.workspace / "src/app").symlink_to(outside)
    case.view()
    assert not (outside / "fast.so").exists()


def test_a_view_replaces_a_link_to_the_users_venv_and_leaves_the_venv(case: Case) -> None:
    case.editable()
    (case.workspace / ".venv").symlink_to(case.venv)
    environment = case.view()
    assert (case.venv / "bin/python").exists()
    assert case.said(environment, *WHERE) == "workspace"


def test_a_view_is_not_built_through_a_link_out_of_the_workspace(case: Case) -> None:
    (case.checkout / "tools").mkdir()
    case.venv.rename(case.checkout / "tools/env")
    (case.workspace / "tools").symlink_to(case.checkout / "tools")
    user = find_environment(case.checkout, "tools/env")
    with pytest.raises(EnvironmentUnusable, match="leads out of the workspace"):
        view_environment(user, case.checkout, case.workspace)


def test_the_view_of_a_venv_elsewhere_lies_beside_the_workspace(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    case.editable()
    elsewhere = case.checkout.parent / "envs"
    case.venv.rename(elsewhere)
    monkeypatch.setenv("VIRTUAL_ENV", str(elsewhere))
    environment = case.view()
    assert environment.variables["VIRTUAL_ENV"] == f"{case.workspace}.env"
    assert environment.exclude == ()
    assert case.said(environment, *WHERE) == "workspace"


def test_the_users_scripts_are_not_on_the_path(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{case.venv}/bin{os.pathsep}{os.environ['PATH']}")
    entries = case.view().variables["PATH"].split(os.pathsep)
    assert entries[0] == f"{case.workspace}/.venv/bin"
    assert f"{case.venv}/bin" not in entries


def test_the_key_tells_environments_apart_and_not_workspaces(case: Case) -> None:
    first = case.view().key
    other = Case(case.checkout, case.workspace.with_name("other"), case.venv)
    other.workspace.mkdir()
    assert other.view().key == first
    case.install("six-1.0.dist-info/METADATA")
    assert case.view().key != first


def test_the_order_in_which_a_python_is_found(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    assert find_python(case.checkout, sys.executable) == Path(sys.executable)
    assert find_python(case.checkout, ".venv") == case.venv / "bin/python"
    assert find_python(case.checkout, None) == case.venv / "bin/python"
    assert find_python(case.workspace, None) == Path(sys.prefix) / "bin/python"
    monkeypatch.delenv("VIRTUAL_ENV")
    monkeypatch.setenv("PATH", f"{case.venv}/bin")
    assert find_python(case.workspace, None) == case.venv / "bin/python3"


def test_a_configured_python_that_is_not_there_is_refused(case: Case) -> None:
    with pytest.raises(EnvironmentUnusable, match="'env' is not there"):
        find_environment(case.checkout, "env")


def test_a_broken_venv_is_refused_instead_of_passed_over(case: Case) -> None:
    for python in (case.venv / "bin").glob("python*"):
        python.unlink()
    with pytest.raises(EnvironmentUnusable, match="does not answer"):
        find_environment(case.checkout)


def test_a_machine_without_python_has_an_environment_all_the_same(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    git = shutil.which("git")
    assert git is not None
    (tools := case.workspace.with_name("tools")).mkdir()
    (tools / "git").symlink_to(git)
    monkeypatch.setenv("PATH", str(tools))
    user = find_environment(case.workspace)
    environment = view_environment(user, case.checkout, case.workspace)
    assert (environment.kind, environment.python) == ("none", None)
    assert asyncio.run(probe_origin(environment)) == ()
