"""What cargo compiles in a workspace stays with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from goal_engine.runtime.cargo import view_cargo

SHARED = '[build]\ntarget-dir = "/srv/me/target"\n'


class Folders:
    def __init__(self, folder: Path) -> None:
        self.workspace, self.home = folder / "ws", folder / "home"
        self.own = {"CARGO_TARGET_DIR": f"{self.workspace}.env/cargo-target"}

    def write(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def view(self, **environ: str) -> dict[str, str]:
        return view_cargo(self.workspace, {"HOME": str(self.home), **environ})


@pytest.fixture
def at(tmp_path: Path) -> Folders:
    return Folders(tmp_path)


def test_where_nothing_is_configured_cargo_builds_in_the_workspace_anyway(at: Folders) -> None:
    assert at.view() == {}


@pytest.mark.parametrize("name", ["config.toml", "config"])
def test_one_folder_for_all_of_a_person_s_projects_is_not_shared(at: Folders, name: str) -> None:
    at.write(at.home / ".cargo" / name, SHARED)
    assert at.view() == at.own
    assert at.view(CARGO_HOME=str(at.home / "elsewhere")) == {}


@pytest.mark.parametrize(
    ("target", "is_own"), [("build/out", True), ("../out", False), ("/srv/out", False)]
)
def test_a_project_s_folder_counts_where_it_lies_in_the_workspace(
    at: Folders, target: str, is_own: bool
) -> None:
    at.write(at.home / ".cargo" / "config.toml", SHARED)
    at.write(at.workspace / ".cargo/config.toml", f'[build]\ntarget-dir = "{target}"\n')
    assert at.view() == ({} if is_own else at.own)


@pytest.mark.parametrize("text", ["[[[", "build = 3\n", "[build]\ntarget-dir = 3\n", "\xff"])
def test_a_configuration_that_says_nothing_is_cargo_s_to_refuse(at: Folders, text: str) -> None:
    at.write(at.home / ".cargo/config.toml", text)
    assert at.view() == {}
