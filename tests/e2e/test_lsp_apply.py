"""A change applied through the editor: into its buffers, versioned, and refused over a person's own work."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_lsp
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.uris import to_fs_path
from pygls.workspace import PositionCodec, TextDocument
from pytest_lsp import ClientServerConfig
from pytest_lsp.client import register_lsp_features

from tests.e2e.test_lsp import Editor as Client
from tests.integration.projects import CALC, FIX, a_project, plan_text

pytestmark = pytest.mark.one_python

FIXED = CALC.replace("a - b", "a + b")
EVERYTHING = list(types.ResourceOperationKind)
KIND = types.ResourceOperationKind


class Editor(Client):
    """An editor with buffers: what is open is changed there, what is not on the disk."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.buffers: dict[str, tuple[int, str]] = {}
        self.asked: list[types.ApplyWorkspaceEditParams] = []
        self.refusal: str | None = None
        self.meddle: Callable[[], None] = lambda: None

        @self.feature(types.WORKSPACE_APPLY_EDIT)
        def apply(params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
            self.asked.append(params)
            self.meddle()
            if self.refusal is not None:
                return types.ApplyWorkspaceEditResult(False, failure_reason=self.refusal)
            stale = [item for item in self._edits(params.edit) if not self._is_current(item)]
            if stale:
                return types.ApplyWorkspaceEditResult(False, failure_reason="the text is newer")
            for operation in params.edit.document_changes or self._edits(params.edit):
                self._perform(operation)
            return types.ApplyWorkspaceEditResult(True)

    def _edits(self, edit: types.WorkspaceEdit) -> list[types.TextDocumentEdit]:
        plain = [
            types.TextDocumentEdit(
                types.OptionalVersionedTextDocumentIdentifier(uri=uri, version=None), edits
            )
            for uri, edits in (edit.changes or {}).items()
        ]
        versioned = edit.document_changes or ()
        return plain + [item for item in versioned if isinstance(item, types.TextDocumentEdit)]

    def _is_current(self, item: types.TextDocumentEdit) -> bool:
        version = item.text_document.version
        return version is None or self.buffers[item.text_document.uri][0] == version

    def _perform(self, operation: Any) -> None:
        if isinstance(operation, types.TextDocumentEdit):
            self._change(operation)
            return
        path = Path(to_fs_path(operation.uri) or "")
        if isinstance(operation, types.CreateFile):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(exist_ok=bool(operation.options and operation.options.ignore_if_exists))
        else:
            path.unlink()

    def _change(self, item: types.TextDocumentEdit) -> None:
        uri = item.text_document.uri
        path = Path(to_fs_path(uri) or "")
        text = self.buffers[uri][1] if uri in self.buffers else path.read_bytes().decode()
        document = TextDocument(uri, text, position_codec=PositionCodec())
        for edit in sorted(item.edits, key=lambda edit: edit.range.start.line, reverse=True):
            start, end = (
                document.offset_at_position(place) for place in (edit.range.start, edit.range.end)
            )
            text = text[:start] + edit.new_text + text[end:]
        if uri in self.buffers:
            self.type(path, text)
        else:
            path.write_bytes(text.encode())

    def open(self, path: Path, text: str) -> None:
        """Open a file with what stands in it."""
        uri = path.as_uri()
        self.buffers[uri] = (1, text)
        item = types.TextDocumentItem(uri=uri, language_id="", version=1, text=text)
        self.text_document_did_open(types.DidOpenTextDocumentParams(text_document=item))

    def type(self, path: Path, text: str) -> None:
        """Put another text into an open file."""
        uri = path.as_uri()
        version = self.buffers[uri][0] + 1
        self.buffers[uri] = (version, text)
        change = types.TextDocumentContentChangeWholeDocument(text)
        named = types.VersionedTextDocumentIdentifier(version=version, uri=uri)
        self.text_document_did_change(types.DidChangeTextDocumentParams(named, [change]))

    def text(self, path: Path) -> str:
        return self.buffers[path.as_uri()][1]


def make_editor() -> Editor:
    editor = Editor()
    register_lsp_features(editor)
    return editor


@pytest_lsp.fixture(
    config=ClientServerConfig(
        server_command=[sys.executable, "-m", "goal_server", "lsp"], client_factory=make_editor
    )
)
async def editor(lsp_client: Editor) -> Any:
    yield
    await lsp_client.shutdown_session()


def edits(operations: list[Any] | None, *, versions: bool = True) -> Any:
    can = types.WorkspaceEditClientCapabilities(
        document_changes=versions, resource_operations=operations
    )
    return types.WorkspaceClientCapabilities(apply_edit=True, workspace_edit=can)


async def a_ready_goal(
    editor: Editor, project: Path, can: Any = None, steps: str = FIX, **files: str
) -> str:
    """Open the editor on a project and take a goal to its end there."""
    a_project(project, **files)
    params = types.InitializeParams(
        capabilities=types.ClientCapabilities(workspace=can or edits(EVERYTHING)),
        workspace_folders=[types.WorkspaceFolder(uri=project.as_uri(), name="project")],
        initialization_options={"trusted": True},
    )
    await editor.initialize_session(params)
    await editor.approve()
    begun = await editor.command("goal.run", planText=plan_text(steps, writes='"**"'))
    ended = await editor.protocol.send_request_async("goal/wait", {"goal": begun.id})
    assert ended.status == "ready", ended.blocker
    return str(begun.id)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return tmp_path / "project"


async def test_an_open_file_is_changed_in_its_buffer_and_back(
    editor: Editor, project: Path
) -> None:
    goal = await a_ready_goal(editor, project)
    file = project / "calc.py"
    editor.open(file, CALC)
    editor.type(file, CALC + "# more\n")
    editor.type(file, CALC)
    view = await editor.command("goal.apply", goal=goal)
    assert view.applied == ["calc.py"]
    assert editor.text(file) == FIXED
    assert file.read_text(encoding="utf-8") == CALC
    (asked,) = editor.asked
    assert asked.label == "Goalproof: Make sums right in calc.py"
    (operation,) = asked.edit.document_changes or ()
    assert isinstance(operation, types.TextDocumentEdit)
    assert operation.text_document.version == 3
    (edit,) = operation.edits
    assert (edit.range.start.line, edit.range.end.line) == (2, 3)

    again = await editor.command("goal.apply", goal=goal)
    assert again.applied == ["calc.py"]
    assert len(editor.asked) == 1
    out = await editor.command("goal.apply", goal=goal, undo=True)
    assert out.applied == []
    assert editor.text(file) == CALC


async def test_a_file_that_is_not_open_is_changed_by_the_editor(
    editor: Editor, project: Path
) -> None:
    goal = await a_ready_goal(editor, project)
    await editor.command("goal.apply", goal=goal)
    (operation,) = editor.asked[0].edit.document_changes or ()
    assert isinstance(operation, types.TextDocumentEdit)
    assert operation.text_document.version is None
    assert (project / "calc.py").read_text(encoding="utf-8") == FIXED
    await editor.command("goal.apply", goal=goal)
    assert len(editor.asked) == 1
    assert (project / "calc.py").read_text(encoding="utf-8") == FIXED


@pytest.mark.parametrize("undo", [False, True])
async def test_a_buffer_with_other_work_is_left_alone(
    editor: Editor, project: Path, undo: bool
) -> None:
    goal = await a_ready_goal(editor, project)
    editor.open(project / "calc.py", CALC)
    if undo:
        await editor.command("goal.apply", goal=goal)
    asked = len(editor.asked)
    editor.type(project / "calc.py", "# mine\n")
    with pytest.raises(JsonRpcException, match=r"calc\.py") as refused:
        await editor.command("goal.apply", goal=goal, undo=undo)
    assert refused.value.code == -32803
    assert "ChangeDoesNotFit" in str(refused.value.data)
    assert len(editor.asked) == asked
    assert editor.text(project / "calc.py") == "# mine\n"
    shown = await editor.command("goal.show", goal=goal)
    assert shown.applied == (["calc.py"] if undo else [])


async def test_a_buffer_that_changes_meanwhile_is_not_overwritten(
    editor: Editor, project: Path
) -> None:
    goal = await a_ready_goal(editor, project)
    file = project / "calc.py"
    editor.open(file, CALC)
    editor.meddle = lambda: editor.type(file, CALC + "# mine\n")
    with pytest.raises(JsonRpcException, match="the text is newer"):
        await editor.command("goal.apply", goal=goal)
    assert editor.text(file) == CALC + "# mine\n"
    assert (await editor.command("goal.show", goal=goal)).applied == []


async def test_an_edit_that_the_editor_refuses_is_not_recorded(
    editor: Editor, project: Path
) -> None:
    steps = f"{FIX}, {{ run = ['sh', '-c', 'printf \"\\\\000\" > blob'] }}"
    goal = await a_ready_goal(editor, project, steps=steps)
    editor.refusal = "not now\x1b[31m"
    with pytest.raises(JsonRpcException, match=r"did not take the change: not now\[31m\. Nothing"):
        await editor.command("goal.apply", goal=goal)
    assert not (project / "blob").exists()
    assert (await editor.command("goal.show", goal=goal)).applied == []
    editor.refusal = None
    assert (await editor.command("goal.apply", goal=goal)).applied == ["blob", "calc.py"]
    assert (project / "blob").read_bytes() == b"\0"


MANY = (
    "rm old.txt && mkdir -p new && printf 'a\\r\\nb' > new/made.txt && touch new/empty"
    " && printf '#!/bin/sh\\n' > new/tool && chmod +x new/tool && chmod +x script"
    " && printf '\\000\\001' > blob && printf 'one\\r\\n2' > dos.txt && printf 'x\\r\\ny\\n' > mixed"
    " && printf 'b' > noend"
)
FILES = {"old.txt": "old\n", "script": "x\n", "blob": "\0", "noend": "a", "mixed": "x\ny\n"}


def the_files(project: Path) -> dict[str, tuple[bytes, bool]]:
    names = (*FILES, "dos.txt", "calc.py", "new/made.txt", "new/empty", "new/tool")
    paths = {name: project / name for name in names}
    return {
        name: (path.read_bytes(), os.access(path, os.X_OK))
        for name, path in paths.items()
        if path.exists()
    }


@pytest.mark.parametrize(
    ("can", "made_by_editor"),
    [
        (edits(EVERYTHING), {"create", "delete", "edit"}),
        (edits([KIND.Create]), {"create", "edit"}),
        (edits(None), {"edit"}),
        (edits(None, versions=False), {"plain"}),
        (types.WorkspaceClientCapabilities(), set()),
    ],
    ids=["everything", "create", "edits", "plain", "nothing"],
)
async def test_every_sort_of_file_ends_exact_whatever_the_editor_can(
    editor: Editor, project: Path, can: Any, made_by_editor: set[str]
) -> None:
    steps = f"{FIX}, {{ run = ['sh', '-c', '''{MANY}'''] }}"
    goal = await a_ready_goal(editor, project, can, steps, **FILES, **{"dos.txt": "one\r\ntwo"})
    base = the_files(project)
    await editor.command("goal.apply", goal=goal)
    done = {
        *(
            {types.CreateFile: "create", types.DeleteFile: "delete"}.get(type(item), "edit")
            for asked in editor.asked
            for item in asked.edit.document_changes or ()
        ),
        *("plain" for asked in editor.asked if asked.edit.changes),
    }
    assert done == made_by_editor
    assert the_files(project) == {
        "script": (b"x\n", True),
        "blob": (b"\0\1", False),
        "noend": (b"b", False),
        "mixed": (b"x\r\ny\n", False),
        "dos.txt": (b"one\r\n2", False),
        "calc.py": (FIXED.encode(), False),
        "new/made.txt": (b"a\r\nb", False),
        "new/empty": (b"", False),
        "new/tool": (b"#!/bin/sh\n", True),
    }
    await editor.command("goal.apply", goal=goal, undo=True)
    assert the_files(project) == base
    assert not (project / "new").exists()


async def test_a_plan_that_is_open_is_run_as_it_stands_in_the_buffer(
    editor: Editor, project: Path
) -> None:
    a_project(project)
    params = types.InitializeParams(
        capabilities=types.ClientCapabilities(),
        workspace_folders=[types.WorkspaceFolder(uri=project.as_uri(), name="project")],
        initialization_options={"trusted": True},
    )
    await editor.initialize_session(params)
    await editor.approve()
    planned = await editor.command(
        "goal.plan", planText=plan_text('{ run = ["true"] }', writes='"**"')
    )
    opened = await editor.command("goal.open", goal=planned.id, what="plan")
    path = Path(opened.path)
    editor.open(path, path.read_text(encoding="utf-8"))
    editor.type(path, editor.text(path).replace('{ run = ["true"] }', "{ nope = 1 }"))
    uri = path.as_uri()
    with pytest.raises(JsonRpcException, match="a step has one of the keys"):
        await editor.command("goal.execute", goal=planned.id, document=uri)
    editor.type(path, editor.text(path).replace("{ nope = 1 }", FIX))
    begun = await editor.command("goal.execute", goal=planned.id, document=uri)
    ended = await editor.protocol.send_request_async("goal/wait", {"goal": begun.id})
    assert (begun.id, ended.status) == (planned.id, "ready")
    said = await editor.command("goal.log", goal=planned.id, task="fix")
    assert (said.live, said.name) == (False, "fix")
    with pytest.raises(JsonRpcException, match="URI of a file"):
        await editor.command("goal.execute", goal=planned.id, document="untitled:1")


async def test_a_workspace_that_is_opened_through_a_link_keeps_its_names(
    editor: Editor, project: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(project)
    a_project(project, **{"more.txt": "more\n"})
    params = types.InitializeParams(
        capabilities=types.ClientCapabilities(workspace=edits(EVERYTHING)),
        workspace_folders=[types.WorkspaceFolder(uri=link.as_uri(), name="link")],
        initialization_options={"trusted": True},
    )
    await editor.initialize_session(params)
    await editor.approve()
    write = "{ write = 'more.txt', content = 'none' }"
    begun = await editor.command("goal.run", planText=plan_text(f"{FIX}, {write}", writes='"**"'))
    await editor.protocol.send_request_async("goal/wait", {"goal": begun.id})
    editor.open(link / "calc.py", CALC)
    await editor.command("goal.apply", goal=begun.id)
    named = [item.text_document.uri for item in editor.asked[0].edit.document_changes or ()]
    assert named == [(link / "calc.py").as_uri(), (link / "more.txt").as_uri()]
    assert editor.text(link / "calc.py") == FIXED


async def test_two_requests_to_apply_end_in_one_change(editor: Editor, project: Path) -> None:
    goal = await a_ready_goal(editor, project)
    editor.open(project / "calc.py", CALC)
    said = await asyncio.gather(
        *(editor.command("goal.apply", goal=goal) for _ in range(2)), return_exceptions=True
    )
    assert any(not isinstance(item, Exception) for item in said)
    assert editor.text(project / "calc.py") == FIXED
