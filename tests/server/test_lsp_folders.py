"""A file belongs to the longest folder that it lies in; links are resolved first."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from goal_server.lsp_folders import Folders, find_folder
from goal_server.lsp_uris import to_path

A, B, NESTED = Path("/w/a"), Path("/w/b"), Path("/w/a/nested")


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("/w/a/x.py", A),
        ("/w/a", A),
        ("/w/a/nested/x.py", NESTED),
        ("/w/ab/x.py", None),
        ("/w/b/deep/er/x.py", B),
        ("/w", None),
    ],
)
def test_the_longest_folder_around_a_file_is_its_own(path: str, folder: Path | None) -> None:
    assert find_folder(Path(path), [A, NESTED, B]) == folder
    assert find_folder(Path(path), [B, NESTED, A]) == folder


def test_no_folder_is_open_is_no_mistake() -> None:
    assert find_folder(A, []) is None


@pytest.mark.parametrize(
    "uri",
    [
        "http://x/y",
        "file://elsewhere/y",
        "untitled:1",
        "",
        "file:///a%00b",
        "file://[/x",
        "file:///\ud800",
    ],
)
def test_what_is_no_file_of_this_machine_is_refused(uri: str) -> None:
    with pytest.raises(JsonRpcInvalidParams):
        to_path(uri)


def test_a_uri_is_unquoted() -> None:
    assert to_path("file:///w/a%20b/%C3%A9.py") == Path("/w/a b/é.py")
    assert to_path("file://localhost/w") == Path("/w")
    odd = Path("/w") / os.fsdecode(b"\xff.py")
    assert to_path(odd.as_uri()) == odd


def test_a_file_is_spelled_through_the_link_that_the_client_has_open(tmp_path: Path) -> None:
    real, other = tmp_path / "real", tmp_path / "other"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    folders = opened((tmp_path / "link").as_uri())
    assert folders.spell(real / "a b.py") == (tmp_path / "link" / "a b.py").as_uri()
    assert folders.spell(other / "a.py") == (other / "a.py").as_uri()


def test_a_folder_whose_links_go_in_a_circle_stops_nobody(tmp_path: Path) -> None:
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    folders = opened(circle.as_uri(), tmp_path.as_uri())
    assert folders.holds(tmp_path / "a.py") and folders.find_place(circle.as_uri()) == circle


def opened(*uris: str, root: str | None = None) -> Folders:
    folders = Folders()
    given = [types.WorkspaceFolder(uri=uri, name="x") for uri in uris] or None
    folders.begin(
        types.InitializeParams(
            capabilities=types.ClientCapabilities(), root_uri=root, workspace_folders=given
        )
    )
    return folders


def change(folders: Folders, *, added: str = "", removed: str = "") -> Callable[[Path], bool]:
    def listed(uri: str) -> list[types.WorkspaceFolder]:
        return [types.WorkspaceFolder(uri=uri, name="x")] if uri else []

    event = types.WorkspaceFoldersChangeEvent(added=listed(added), removed=listed(removed))
    return folders.change(event)


def test_a_client_without_folders_has_its_root(tmp_path: Path) -> None:
    assert opened(root=tmp_path.as_uri()).open == (tmp_path.resolve(),)
    assert opened().open == ()


def test_folders_that_are_not_on_this_machine_are_left_out(tmp_path: Path) -> None:
    assert opened("vscode-remote://x/y", tmp_path.as_uri()).open == (tmp_path.resolve(),)


def test_a_folder_is_found_as_the_client_spells_it(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    uri = (tmp_path / "link").as_uri()
    assert opened(uri).find_uri(tmp_path / "real" / "x.py") == uri
    assert opened(uri).find_uri(tmp_path / "other") is None


def test_a_part_of_a_repository_lets_the_whole_of_it_be_named(tmp_path: Path) -> None:
    for name in ("repository/.git", "repository/part", "repository/inner/.git", "other"):
        (tmp_path / name).mkdir(parents=True)
    folders = opened((tmp_path / "repository" / "part").as_uri())
    assert folders.holds(tmp_path / "repository")
    assert folders.holds(tmp_path / "repository" / "inner")
    assert not folders.holds(tmp_path / "other")
    assert not folders.holds(tmp_path)


def test_a_repository_is_closed_when_the_last_folder_of_it_is(tmp_path: Path) -> None:
    for name in ("repository/.git", "repository/one", "repository/two", "other/.git"):
        (tmp_path / name).mkdir(parents=True)
    repository = (tmp_path / "repository").resolve()
    one, two = ((repository / name).as_uri() for name in ("one", "two"))
    folders = opened(one, two)
    assert not change(folders, removed=one)(repository)
    assert not change(folders, removed="file:///never/open")(repository)
    is_closed = change(folders, removed=two, added=(tmp_path / "other").as_uri())
    assert is_closed(repository) and is_closed(repository / "inner")
    assert not is_closed((tmp_path / "other").resolve())
