"""The language server over real standard input and output, as an editor drives it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_lsp
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pytest_lsp import ClientServerConfig, LanguageClient
from pytest_lsp.client import register_lsp_features

from goal_engine.engine import Engine
from goal_engine.queries import resolve_goal
from goal_server.registry import OPERATIONS
from tests.integration.projects import CALC, FIX, a_project, plan_text

PATIENCE = 60


class Editor(LanguageClient):
    """A client that keeps what the server tells of goals."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.told: list[Any] = []
        self.over = False
        self.news = asyncio.Condition()

        @self.feature("goal/progress")
        async def progress(params: Any) -> None:
            async with self.news:
                self.told.append(params)
                self.news.notify_all()

    async def until(self, status: str) -> Any:
        """Return the first snapshot with `status`."""
        async with self.news, asyncio.timeout(PATIENCE):
            await self.news.wait_for(lambda: any(item.status == status for item in self.told))
        return next(item for item in self.told if item.status == status)

    async def command(self, name: str, **params: Any) -> Any:
        """Carry out a command of the server."""
        asked = types.ExecuteCommandParams(command=name, arguments=[params])
        said = await self.workspace_execute_command_async(asked)
        return json.loads(json.dumps(said), object_hook=lambda item: SimpleNamespace(**item))

    async def approve(self) -> None:
        """Say of the gates there are now that they may run."""
        shown = await self.command("goal.gates")
        await self.command("goal.trustGate", digests=[gate.digest for gate in shown.gates])

    async def wait(self, goal: str) -> Any:
        """Return the goal once nothing works on it."""
        return await self.protocol.send_request_async("goal/wait", {"goal": goal})


def make_editor() -> Editor:
    """Return a client that answers what servers ask editors."""
    editor = Editor()
    register_lsp_features(editor)
    return editor


def capabilities() -> types.ClientCapabilities:
    return types.ClientCapabilities(window=types.WindowClientCapabilities(work_done_progress=True))


@pytest_lsp.fixture(
    config=ClientServerConfig(
        server_command=[sys.executable, "-m", "goal_server", "lsp"],
        client_factory=make_editor,
    )
)
async def editor(lsp_client: Editor) -> Any:
    yield
    if lsp_client.over:
        lsp_client.exit(None)
    else:
        await lsp_client.shutdown_session()


async def open_editor(editor: Editor, project: Path, *, trusted: object) -> types.InitializeResult:
    params = types.InitializeParams(
        capabilities=capabilities(),
        root_uri=project.as_uri(),
        workspace_folders=[types.WorkspaceFolder(uri=project.as_uri(), name="project")],
        initialization_options={"trusted": trusted},
    )
    result = await editor.initialize_session(params)
    if trusted is True:
        await editor.approve()
    return result


@pytest.fixture
def project(tmp_path: Path) -> Path:
    made = a_project(tmp_path / "project")
    (made / "plan.toml").write_text(plan_text(FIX), encoding="utf-8")
    return made


async def test_every_operation_is_announced(editor: Editor, project: Path) -> None:
    result = await open_editor(editor, project, trusted=False)
    offered = result.capabilities.execute_command_provider
    assert offered is not None
    assert set(offered.commands) == {operation.command for operation in OPERATIONS}
    assert result.capabilities.code_lens_provider is not None


@pytest.mark.parametrize("claim", [False, "yes", 1, None])
async def test_without_a_clear_yes_nothing_is_executed(
    editor: Editor, project: Path, claim: object
) -> None:
    await open_editor(editor, project, trusted=claim)
    with pytest.raises(JsonRpcException) as refused:
        await editor.command("goal.run", plan="plan.toml")
    assert refused.value.code == -32803
    assert "not trusted" in str(refused.value)
    assert (await editor.command("goal.list")).goals == []


async def test_bad_parameters_are_answered_with_what_is_wrong(
    editor: Editor, project: Path
) -> None:
    await open_editor(editor, project, trusted=True)
    with pytest.raises(JsonRpcException) as refused:
        await editor.command("goal.show", gaol="latest")
    assert refused.value.code == -32602
    assert "gaol" in str(refused.value)
    with pytest.raises(JsonRpcException, match="No goal is called"):
        await editor.command("goal.show", goal="goal-2001")


async def test_a_goal_from_command_to_lens_apply_and_proof(editor: Editor, project: Path) -> None:
    await open_editor(editor, project, trusted=True)
    begun = await editor.command("goal.run", plan="plan.toml")
    ended = await editor.wait(begun.id)
    assert ended.status == "ready"
    last = await editor.until("ready")
    assert last.goalId == begun.id
    revs = [item.rev for item in editor.told]
    assert revs == sorted(revs)

    uri = (project / "calc.py").as_uri()
    assert [lens.command.title for lens in await lenses(editor, uri, CALC)] == [
        "Make sums right in calc.py · ready · 1 change proposed",
        "Make sums right in calc.py · +1 −1",
        "Apply",
    ]
    diff = await editor.command("goal.diff", goal=begun.id)
    assert "+    return a + b" in diff.patch
    await editor.command("goal.apply", goal=begun.id)
    fixed = (project / "calc.py").read_text(encoding="utf-8")
    assert fixed == CALC.replace("a - b", "a + b")
    summary, lens = await lenses(editor, uri, fixed)
    assert summary.command.title == "Make sums right in calc.py · ready · 1 change present"
    assert lens.command.title == "✓ Fix the sum → Sums are right → gate tests"
    assert lens.range.start.line == 2
    _, lens = await lenses(editor, uri, "# something else\n")
    assert lens.command.title == "changed since Make sums right in calc.py was proved"
    proof = await editor.command("goal.proof", goal=begun.id)
    again = await editor.command("goal.verifyProof", proof=proof.proof.path, run=True)
    assert again.outcome == "REPRODUCED"


async def lenses(editor: Editor, uri: str, text: str) -> list[Any]:
    """Open a buffer, ask for its lenses and close it."""
    item = types.TextDocumentItem(uri=uri, language_id="python", version=1, text=text)
    editor.text_document_did_open(types.DidOpenTextDocumentParams(text_document=item))
    named = types.TextDocumentIdentifier(uri=uri)
    found = await editor.text_document_code_lens_async(types.CodeLensParams(text_document=named))
    editor.text_document_did_close(types.DidCloseTextDocumentParams(text_document=named))
    return list(found or [])


async def test_cancelling_the_progress_pauses_the_goal(editor: Editor, project: Path) -> None:
    (project / "plan.toml").write_text(plan_text('{ run = ["sleep", "600"] }'), encoding="utf-8")
    await open_editor(editor, project, trusted=True)
    begun = await editor.command("goal.run", plan="plan.toml")
    async with asyncio.timeout(PATIENCE):
        while not editor.progress_reports:
            await editor.wait_for_notification(types.PROGRESS)
    (token,) = editor.progress_reports
    editor.window_work_done_progress_cancel(types.WorkDoneProgressCancelParams(token=token))
    assert (await editor.until("paused")).goalId == begun.id
    assert (await editor.wait(begun.id)).status == "paused"
    assert (await editor.command("goal.cancel", goal=begun.id)).status == "cancelled"


async def test_a_server_that_is_shut_down_leaves_its_goal_paused(
    editor: Editor, project: Path
) -> None:
    (project / "plan.toml").write_text(plan_text('{ run = ["sleep", "600"] }'), encoding="utf-8")
    await open_editor(editor, project, trusted=True)
    begun = await editor.command("goal.run", plan="plan.toml")
    await editor.until("running")
    await editor.shutdown_async(None)
    editor.over = True
    engine = Engine.open(project)
    assert (await resolve_goal(engine.ports, begun.id)).status == "paused"
    engine.close()


async def test_trust_can_be_given_later(editor: Editor, project: Path) -> None:
    await open_editor(editor, project, trusted=False)
    editor.protocol.notify("goal/didChangeTrust", {"trusted": True})
    shown = await editor.command("goal.gates")
    assert [gate.name for gate in shown.gates] == ["tests"]


async def test_a_task_of_the_person_is_submitted_from_the_editor(
    editor: Editor, project: Path
) -> None:
    await open_editor(editor, project, trusted=True)
    text = "Make sums right in calc.py"
    made = await editor.command("goal.run", text=text, worker="manual")
    async with editor.news, asyncio.timeout(PATIENCE):
        await editor.news.wait_for(lambda: any(item.blocker for item in editor.told))
    shown = await editor.command("goal.show", goal=made.id)
    folder = Path(shown.tasks[0].folder)
    assert editor.told[-1].blocker == f"waiting for you: {folder}"
    (folder / "calc.py").write_text(CALC.replace("a - b", "a + b"), encoding="utf-8")
    assert (await editor.command("goal.submit", goal=made.id)).status == "running"
    ended = await editor.wait(made.id)
    assert ended.status == "blocked_on_human"
    accepted = await editor.command(
        "goal.accept", goal=made.id, criterion="accepted", reason="I did it"
    )
    assert accepted.status == "ready"
