"""What is asked of an editor, and what becomes of it when it does not answer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lsprotocol import types
from pygls.workspace import PositionCodec, Workspace

from goal_engine.delivery.change import FILE, Content, FileChange
from goal_engine.errors import NotPossibleNow
from goal_server import lsp_apply
from goal_server.lsp_apply import Abilities, EditorFiles, find_abilities, make_edit, plan_texts

ALL = Abilities(versions=True, create=True, delete=True)


def change(path: str, before: str | None, after: str | None) -> FileChange:
    sides = (None if text is None else Content(text.encode(), FILE) for text in (before, after))
    return FileChange(path, *sides)


def edit_of(*changes: FileChange, abilities: Abilities = ALL) -> list[Any]:
    places = lsp_apply.Places("file:///checkout", {})
    units = PositionCodec().client_num_units
    made = make_edit(plan_texts(changes, abilities), places, units, abilities)
    return list(made.document_changes or ()) if made else []


def spans(operation: types.TextDocumentEdit) -> list[tuple[int, int, int, int, str]]:
    return [
        (e.range.start.line, e.range.start.character, e.range.end.line, e.range.end.character,
         getattr(e, "new_text", "?"))
        for e in operation.edits
    ]  # fmt: skip


def test_an_edit_names_whole_lines_and_the_end_where_the_last_has_no_ending() -> None:
    (end,) = edit_of(change("a", "x\n𝄞é", "x\n𝄞é\ny"))
    assert spans(end) == [(1, 0, 1, 3, "𝄞é\ny")]
    (grown,) = edit_of(change("a", "x\n", "x\ny\n"))
    assert spans(grown) == [(1, 0, 1, 0, "y\n")]
    (cut,) = edit_of(change("a", "x\ny", ""))
    assert spans(cut) == [(0, 0, 1, 1, "")]
    (filled,) = edit_of(change("a", "", "x"))
    assert spans(filled) == [(0, 0, 0, 0, "x")]


def test_deletions_come_last_and_names_are_quoted() -> None:
    made = edit_of(change("a", "x", None), change("b c/ü", None, "y"), change("c", "1", "2"))
    assert [type(item) for item in made] == [
        types.CreateFile,
        types.TextDocumentEdit,
        types.TextDocumentEdit,
        types.DeleteFile,
    ]
    assert made[0].uri == "file:///checkout/b%20c/%C3%BC"


def test_a_mark_at_the_beginning_is_not_in_an_edit() -> None:
    (edit,) = edit_of(change("a", "\ufeffx\n", "\ufeffy\n"))
    assert spans(edit) == [(0, 0, 1, 0, "y\n")]


@pytest.mark.parametrize(
    "one",
    [
        change("a", "x\n", "x\r\n"),
        change("a", "x\ny\r\n", "x\n"),
        change("a", "\0", "x"),
        change("a", "\0", None),
        change("a", None, "\ufeffx"),
        FileChange("a", Content(b"x", FILE), Content(b"y", "100755")),
        FileChange("a", None, Content(b"y", "120000")),
        FileChange("a", None, Content(b"y", "100755")),
    ],
    ids=str,
)
def test_what_an_editor_would_not_keep_exact_is_not_asked_of_it(one: FileChange) -> None:
    assert plan_texts((one,), ALL) == ()


def test_a_file_in_a_folders_place_is_not_the_editors() -> None:
    swap = (change("a", None, "x"), change("a/b", "y", None), change("c", None, "z"))
    assert [text.path for text in plan_texts(swap, ALL)] == ["c"]


@pytest.mark.parametrize(
    ("can", "abilities"),
    [
        (None, None),
        (types.WorkspaceClientCapabilities(apply_edit=False), None),
        (types.WorkspaceClientCapabilities(apply_edit=True), Abilities(False, False, False)),
    ],
)
def test_a_client_is_asked_for_what_it_says_it_can(can: Any, abilities: Abilities | None) -> None:
    assert find_abilities(types.ClientCapabilities(workspace=can)) == abilities


class SilentServer:
    """A client that never answers."""

    def __init__(self, checkout: Path) -> None:
        can = types.WorkspaceClientCapabilities(apply_edit=True)
        self.client_capabilities = types.ClientCapabilities(workspace=can)
        self.workspace = Workspace(checkout.as_uri())
        self.asked = SimpleNamespace(label="")

    async def workspace_apply_edit_async(self, params: Any) -> Any:
        self.asked = params
        await asyncio.get_running_loop().create_future()


async def test_an_editor_that_never_answers_is_waited_for_and_then_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lsp_apply, "PATIENCE", 0.05)
    (tmp_path / "a").write_text("x", encoding="utf-8")
    server: Any = SilentServer(tmp_path)
    files = EditorFiles(server, asyncio.get_running_loop())
    title = f"Goalproof: \x1b[31m{'long ' * 50}"
    with pytest.raises(NotPossibleNow, match="has not said within"):
        await files.edit(tmp_path, title, (change("a", "x", "y"),))
    assert "\x1b" not in server.asked.label and len(server.asked.label) <= 80
