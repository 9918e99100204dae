"""What an editor shows beside the text, over real standard input and output."""

from __future__ import annotations

import ast
import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_lsp
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pytest_lsp import ClientServerConfig
from pytest_lsp.client import register_lsp_features

from goal_engine.document import parse_plan
from tests.e2e.test_lsp import PATIENCE, Editor
from tests.integration.projects import CALC, FIX, a_project, plan_text

pytestmark = pytest.mark.one_python

FIXED = CALC.replace("a - b", "a + b")
BROKEN = CALC.replace("2 * a", "3 * a").replace("a - b", "a + b")
TITLES = {
    "proposed": "Make sums right in calc.py · +1 −1",
    "present": "✓ Fix the sum → Sums are right → gate tests",
    "stale": "changed since Make sums right in calc.py was proved",
}


class Screen(Editor):
    """An editor that keeps what is published and counts requests to renew lenses."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.published: list[types.PublishDiagnosticsParams] = []
        self.refreshed = 0
        self.versions: dict[str, int] = {}

    def watch(self) -> None:
        """Replace what the test client does with these messages."""

        @self.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        async def publish(params: types.PublishDiagnosticsParams) -> None:
            async with self.news:
                self.published.append(params)
                self.news.notify_all()

        @self.feature(types.WORKSPACE_CODE_LENS_REFRESH)
        async def refresh(params: None) -> None:
            async with self.news:
                self.refreshed += 1
                self.news.notify_all()

    async def see(self, wanted: Callable[[], bool]) -> None:
        """Wait until something that was told makes `wanted` true."""
        async with self.news, asyncio.timeout(PATIENCE):
            await self.news.wait_for(wanted)

    def problems(self, uri: str) -> list[types.Diagnostic]:
        """Return what was published last about a file."""
        told = [list(item.diagnostics) for item in self.published if item.uri == uri]
        return told[-1] if told else []

    def open(self, uri: str, text: str) -> None:
        self.versions[uri] = 1
        item = types.TextDocumentItem(uri=uri, language_id="python", version=1, text=text)
        self.text_document_did_open(types.DidOpenTextDocumentParams(text_document=item))

    def edit(self, uri: str, text: str, at: tuple[int, int, int, int] | None = None) -> None:
        """Replace what is `at` (line, column, line, column), or everything."""
        self.versions[uri] += 1
        change: Any = types.TextDocumentContentChangeWholeDocument(text)
        if at is not None:
            where = types.Range(types.Position(*at[:2]), types.Position(*at[2:]))
            change = types.TextDocumentContentChangePartial(range=where, text=text)
        named = types.VersionedTextDocumentIdentifier(uri=uri, version=self.versions[uri])
        self.text_document_did_change(types.DidChangeTextDocumentParams(named, [change]))

    def close(self, uri: str) -> None:
        named = types.TextDocumentIdentifier(uri=uri)
        self.text_document_did_close(types.DidCloseTextDocumentParams(text_document=named))

    async def lenses(self, uri: str) -> list[tuple[int, str]]:
        named = types.TextDocumentIdentifier(uri=uri)
        found = await self.text_document_code_lens_async(types.CodeLensParams(named))
        return [(lens.range.start.line, lens.command.title) for lens in found or ()]

    async def hover(self, uri: str, line: int) -> types.Hover | None:
        named = types.TextDocumentIdentifier(uri=uri)
        asked = types.HoverParams(text_document=named, position=types.Position(line, 4))
        return await self.text_document_hover_async(asked)

    async def actions(
        self, uri: str, where: types.Range, *about: types.Diagnostic
    ) -> dict[str, types.Command]:
        named = types.TextDocumentIdentifier(uri=uri)
        context = types.CodeActionContext(diagnostics=list(about))
        asked = types.CodeActionParams(text_document=named, range=where, context=context)
        found = await self.text_document_code_action_async(asked)
        return {item.title: find_command(item) for item in found or ()}

    async def ask(self, method: str, **params: Any) -> Any:
        return await self.protocol.send_request_async(method, params)


def find_command(action: Any) -> types.Command:
    """Return the command of an action; lsprotocol takes each for a command, its own one for a name."""
    return types.Command(**ast.literal_eval(action.command))


def make_screen() -> Screen:
    made = Screen()
    register_lsp_features(made)
    for method in (types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS, types.WORKSPACE_CODE_LENS_REFRESH):
        made.protocol.fm._features.pop(method, None)
    made.watch()
    return made


def can() -> types.ClientCapabilities:
    literals = types.ClientCodeActionLiteralOptions(
        types.ClientCodeActionKindOptions([types.CodeActionKind.QuickFix])
    )
    return types.ClientCapabilities(
        workspace=types.WorkspaceClientCapabilities(
            code_lens=types.CodeLensWorkspaceClientCapabilities(refresh_support=True)
        ),
        text_document=types.TextDocumentClientCapabilities(
            hover=types.HoverClientCapabilities(content_format=[types.MarkupKind.Markdown]),
            code_action=types.CodeActionClientCapabilities(code_action_literal_support=literals),
        ),
    )


@pytest_lsp.fixture(
    config=ClientServerConfig(
        server_command=[sys.executable, "-m", "goal_server", "lsp"], client_factory=make_screen
    )
)
async def screen(lsp_client: Screen) -> Any:
    yield
    await lsp_client.shutdown_session()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    made = a_project(tmp_path / "project")
    (made / "plan.toml").write_text(plan_text(FIX), encoding="utf-8")
    return made


async def begin(screen: Screen, project: Path, **options: Any) -> types.InitializeResult:
    params = types.InitializeParams(
        capabilities=can(),
        root_uri=project.as_uri(),
        workspace_folders=[types.WorkspaceFolder(uri=project.as_uri(), name="project")],
        initialization_options={"trusted": True, **options},
    )
    result = await screen.initialize_session(params)
    await screen.approve()
    return result


async def run(screen: Screen, steps: str = FIX, project: Path | None = None) -> Any:
    if project is not None:
        (project / "plan.toml").write_text(plan_text(steps), encoding="utf-8")
    begun = await screen.command("goal.run", plan="plan.toml")
    return await screen.wait(begun.id)


async def test_what_there_is_is_announced(screen: Screen, project: Path) -> None:
    offered = (await begin(screen, project)).capabilities
    assert offered.hover_provider
    assert offered.code_lens_provider == types.CodeLensOptions(resolve_provider=False)
    assert tuple(offered.code_action_provider.code_action_kinds) == ("quickfix", "refactor")
    assert offered.text_document_sync.change is types.TextDocumentSyncKind.Incremental


async def test_lenses_follow_edits(screen: Screen, project: Path) -> None:
    await begin(screen, project)
    assert (await run(screen)).status == "ready"
    uri = (project / "calc.py").as_uri()
    screen.open(uri, CALC)
    assert [title for _, title in await screen.lenses(uri)][1:] == [TITLES["proposed"], "Apply"]
    screen.edit(uri, "+", (2, 13, 2, 14))
    assert (await screen.lenses(uri))[1:] == [(2, TITLES["present"])]
    screen.edit(uri, '"""\u2028\x0c A page."""\n\n', (0, 0, 0, 0))
    assert (await screen.lenses(uri))[1:] == [(4, TITLES["present"])]
    screen.edit(uri, "    return sum((a, b))", (4, 0, 4, 99))
    assert (await screen.lenses(uri))[1:] == [(4, TITLES["stale"])]
    screen.edit(uri, CALC)
    assert (await screen.lenses(uri))[1:] == [(2, TITLES["proposed"]), (2, "Apply")]
    screen.close(uri)
    assert (await screen.lenses(uri))[1:] == [(2, TITLES["proposed"]), (2, "Apply")]


async def test_a_person_says_which_lenses_there_are(screen: Screen, project: Path) -> None:
    await begin(screen, project, settings={"lens": "off"})
    await run(screen)
    uri = (project / "calc.py").as_uri()
    screen.open(uri, CALC)
    assert await screen.lenses(uri) == []
    for wanted, shown in (("summary", 1), ("all", 3), ("off", 0)):
        before, told = screen.refreshed, {"goalproof": {"lens": wanted}}
        screen.workspace_did_change_configuration(types.DidChangeConfigurationParams(told))
        await screen.see(lambda before=before: screen.refreshed > before)
        assert len(await screen.lenses(uri)) == shown


async def test_nothing_is_shown_for_what_is_no_file_of_a_repository(
    screen: Screen, project: Path, tmp_path: Path
) -> None:
    await begin(screen, project)
    await run(screen)
    alone = tmp_path / "alone.py"
    alone.write_text(CALC, encoding="utf-8")
    for uri in (alone.as_uri(), "untitled:Untitled-1", "git:/calc.py", "file:///%00", "file:x"):
        screen.open(uri, CALC)
        assert await screen.lenses(uri) == []
        assert await screen.hover(uri, 2) is None
        somewhere = types.Range(types.Position(0, 0), types.Position(0, 1))
        assert await screen.actions(uri, somewhere) == {}
        screen.close(uri)


async def test_an_untrusted_workspace_shows_no_lens_until_it_is_trusted(
    screen: Screen, project: Path
) -> None:
    await begin(screen, project)
    await run(screen)
    uri = (project / "calc.py").as_uri()
    screen.open(uri, CALC)
    screen.protocol.notify("goal/didChangeTrust", {"trusted": False})
    assert await screen.lenses(uri) == []
    assert await screen.hover(uri, 2) is None
    seen = screen.refreshed
    screen.protocol.notify("goal/didChangeTrust", {"trusted": True})
    await screen.see(lambda: screen.refreshed > seen)
    assert len(await screen.lenses(uri)) == 3


async def test_lenses_are_renewed_only_when_they_changed(screen: Screen, project: Path) -> None:
    await begin(screen, project)
    ended = await run(screen)
    await screen.see(lambda: screen.refreshed > 0)
    uri = (project / "calc.py").as_uri()
    screen.open(uri, CALC)
    assert len(await screen.lenses(uri)) == 3
    before = screen.refreshed
    await screen.command("goal.show", goal=ended.id)
    await screen.command("goal.apply", goal=ended.id)
    await screen.command("goal.deliver", goal=ended.id)
    await screen.see(lambda: screen.refreshed > before)
    assert screen.refreshed == before + 1


async def test_a_region_explains_itself(screen: Screen, project: Path) -> None:
    await begin(screen, project)
    ended = await run(screen)
    uri = (project / "calc.py").as_uri()
    screen.open(uri, FIXED)
    shown = await screen.hover(uri, 2)
    assert shown is not None
    assert shown.contents.kind is types.MarkupKind.Markdown
    assert shown.range == types.Range(types.Position(2, 0), types.Position(3, 0))
    for words in (
        ended.id, "present in this file", "Fix the sum", "Sums are right", "verified",
        "Gate `tests`: failed before, passed with the change, failed without it again",
    ):  # fmt: skip
        assert words in shown.contents.value
    assert await screen.hover(uri, 0) is None

    place = {"textDocument": {"uri": uri}, "position": {"line": 2, "character": 0}}
    told = await screen.ask("goal/explain", **place)
    assert (told.goal, told.mode, told.task) == (ended.id, "present", "fix")
    assert (told.criterion, told.gate) == ("adds", "tests")
    told = await screen.ask("goal/explain", goal=ended.id, criterion="adds")
    assert (told.mode, told.criterion) == (None, "adds")
    assert "Sums are right" in told.markdown
    place["position"]["line"] = 0
    assert await screen.ask("goal/explain", **place) is None
    with pytest.raises(JsonRpcException, match="has no criterion 'no'; it has adds"):
        await screen.ask("goal/explain", goal=ended.id, criterion="no")
    with pytest.raises(JsonRpcException, match="takes textDocument and position"):
        await screen.ask("goal/explain")


async def test_there_are_pages_to_read(screen: Screen, project: Path) -> None:
    await begin(screen, project)
    ended = await run(screen)
    page = await screen.ask("goal/render", goal=ended.id, page="goal")
    assert page.languageId == "markdown"
    assert "| Sums are right | `adds` | " in page.text and " | verified | " in page.text
    page = await screen.ask("goal/render", goal=ended.id, page="plan")
    assert page.languageId == "toml"
    assert parse_plan(page.text, "plan").goal == "Make sums right in calc.py"
    page = await screen.ask("goal/render", goal=ended.id, page="proof")
    assert page.text.startswith(f"# Proof of {ended.id}")
    page = await screen.ask("goal/render", goal=ended.id, page="replay")
    assert page.text.startswith("# What happened: ") and "it is ready" in page.text
    page = await screen.ask("goal/render", goal=ended.id, page="diff", path="calc.py")
    assert page.languageId == "diff" and "+    return a + b" in page.text
    before = await screen.ask("goal/render", goal=ended.id, page="base", path="calc.py")
    after = await screen.ask("goal/render", goal=ended.id, page="head", path="calc.py")
    assert (before.text, after.text) == (CALC, FIXED)
    assert before.exists and not before.binary and before.title == "calc.py (before)"
    for path in ("../../etc/passwd", "/etc/passwd", "tests/test_calc.py", ".git/config"):
        with pytest.raises(JsonRpcException, match="changes no file"):
            await screen.ask("goal/render", goal=ended.id, page="base", path=path)
    with pytest.raises(JsonRpcException) as refused:
        await screen.ask("goal/render", goal=ended.id, page="moon")
    assert refused.value.code == -32602
    diff = await screen.command("goal.diff", goal=ended.id, path="calc.py")
    assert "+    return a + b" in diff.patch


async def test_a_failing_test_is_a_problem_until_its_goal_is_over(
    screen: Screen, project: Path
) -> None:
    await begin(screen, project)
    both = f'{FIX}, {{ replace = "calc.py", old = "2 * a", new = "3 * a" }}'
    ended = await run(screen, both, project)
    assert ended.status == "not_ready"
    uri = (project / "tests/test_calc.py").as_uri()
    await screen.see(lambda: bool(screen.problems(uri)))
    (problem,) = screen.problems(uri)
    assert (problem.source, problem.code) == ("goalproof", "tests")
    assert problem.range.start.line == 11
    assert "6 != 4" in problem.message and "test_double" in problem.message
    assert problem.severity is types.DiagnosticSeverity.Error
    offered = await screen.actions(uri, problem.range, problem)
    again = offered["Run the gates of this goal again"]
    assert again.command == "goal.verify"
    assert again.arguments == [{"goal": ended.id, "root": project.as_uri()}]
    await screen.command("goal.cancel", goal=ended.id)
    await screen.see(lambda: not screen.problems(uri))


async def test_what_the_review_finds_is_a_problem_until_a_person_accepts_it(
    screen: Screen, project: Path
) -> None:
    await begin(screen, project, clientCommands=["goalproof.accept"])
    stub = (
        '{ replace = "calc.py", old = "return 2 * a", '
        'new = "return 2 * a\\n\\n\\ndef sums(a):\\n    raise NotImplementedError" }'
    )
    ended = await run(screen, f"{FIX}, {stub}", project)
    assert ended.status == "blocked_on_human"
    uri = (project / "calc.py").as_uri()
    await screen.see(lambda: bool(screen.problems(uri)))
    problem, told = sorted(screen.problems(uri), key=lambda item: str(item.code))
    assert (problem.source, problem.code) == ("goalproof", "goal-is-a-stub")
    assert told.code == "nothing-calls-it"
    assert told.severity is types.DiagnosticSeverity.Information
    assert problem.severity is types.DiagnosticSeverity.Warning
    assert "sums, which the goal names, does nothing" in problem.message
    offered = await screen.actions(uri, problem.range, problem)
    accept = offered["Accept criterion review-findings…"]
    assert accept.arguments == [{"goal": ended.id, "criterion": "review-findings"}]
    accepted = await screen.command(
        "goal.accept", goal=ended.id, criterion="review-findings", reason="comes next"
    )
    assert accepted.status == "ready"
    await screen.see(lambda: not screen.problems(uri))


async def test_a_problem_is_told_where_the_editor_has_its_file_and_goes_with_it(
    screen: Screen, project: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(project)
    await begin(screen, link)
    both = f'{FIX}, {{ replace = "calc.py", old = "2 * a", new = "3 * a" }}'
    test, uri = project / "tests/test_calc.py", (link / "tests/test_calc.py").as_uri()
    screen.open(uri, test.read_text(encoding="utf-8"))
    await run(screen, both, project)
    await screen.see(lambda: bool(screen.problems(uri)))
    test.unlink()
    screen.close(uri)
    await screen.see(lambda: not screen.problems(uri))
    assert screen.problems(test.as_uri()) == []


async def test_mistakes_in_documents_come_and_go(screen: Screen, project: Path) -> None:
    await begin(screen, project)
    uri = (project / "goalproof.toml").as_uri()
    screen.open(uri, '[[gate]]\nname = "tests"\nargvv = ["x"]\n')
    await screen.see(lambda: bool(screen.problems(uri)))
    lines = [(item.range.start.line, item.message) for item in screen.problems(uri)]
    assert [line for line, _ in lines] == [0, 2]
    assert "did you mean `argv`?" in lines[1][1]
    screen.edit(uri, '[[gate]]\nname = "tests"\nargv = ["x"]\n')
    await screen.see(lambda: not screen.problems(uri))
    assert [item.version for item in screen.published if item.uri == uri] == [1, 2]

    uri = (project / "plan.toml").as_uri()
    screen.open(uri, plan_text(FIX).replace('id = "fix"', 'id = "fix"\ndeps = ["nobody"]'))
    await screen.see(lambda: bool(screen.problems(uri)))
    assert "depends on 'nobody'" in screen.problems(uri)[0].message
    screen.close(uri)
    await screen.see(lambda: not screen.problems(uri))


async def test_a_person_can_do_without_problems(screen: Screen, project: Path) -> None:
    await begin(screen, project)
    uri = (project / "goalproof.toml").as_uri()
    screen.open(uri, "gate = 1\n")
    await screen.see(lambda: bool(screen.problems(uri)))
    for wanted in (False, True):
        told = {"goalproof": {"diagnostics": wanted}}
        screen.workspace_did_change_configuration(types.DidChangeConfigurationParams(told))
        await screen.see(lambda wanted=wanted: bool(screen.problems(uri)) is wanted)


async def test_a_plan_can_be_run_from_its_file(screen: Screen, project: Path) -> None:
    await begin(screen, project)
    planned = await screen.command("goal.plan", plan="plan.toml")
    written = await screen.command("goal.open", goal=planned.id, what="plan")
    uri = Path(written.path).as_uri()
    screen.open(uri, plan_text(FIX).replace('"tests"', '"others"'))
    assert [title for _, title in await screen.lenses(uri)] == ["▸ Run this plan", "Discard"]
    await screen.see(lambda: bool(screen.problems(uri)))
    assert "there is no gate 'others' (known: tests)" in screen.problems(uri)[0].message
    screen.edit(uri, plan_text(FIX))
    await screen.see(lambda: not screen.problems(uri))
    await screen.command("goal.execute", goal=planned.id, document=uri)
    await screen.wait(planned.id)
    assert [title for _, title in await screen.lenses(uri)] == ["This plan is ready"]


async def test_a_client_says_which_of_its_own_commands_it_has(
    screen: Screen, project: Path
) -> None:
    await begin(screen, project, clientCommands=["goalproof.newGoalFrom", "goalproof.accept"])
    (project / "plan.toml").write_text(
        plan_text(FIX).replace('"flips"', '"accepted"').replace('gate = "tests"\n', "").replace(
            'tests = ["tests.test_calc.CalcTest::test_add"]\n', ""
        ),
        encoding="utf-8",
    )  # fmt: skip
    ended = await run(screen)
    assert ended.status == "blocked_on_human"
    uri = (project / "calc.py").as_uri()
    screen.open(uri, FIXED)
    where = types.Range(types.Position(2, 4), types.Position(2, 10))
    offered = await screen.actions(uri, where)
    assert set(offered) == {"New goal from this…", "Accept criterion adds…"}
    given = offered["New goal from this…"].arguments[0]
    assert (given["text"], given["uri"]) == ("return", uri)
    seen = {"goal": ended.id, "criterion": "adds", "tree": ended.tree}
    assert offered["Accept criterion adds…"].arguments == [seen]
    other = types.Diagnostic(range=where, message="undefined name", source="ruff")
    offered = await screen.actions(uri, where, other)
    assert offered["New goal from this problem…"].arguments[0]["text"] == "undefined name"


async def test_a_client_without_own_commands_is_offered_none(screen: Screen, project: Path) -> None:
    await begin(screen, project)
    uri = (project / "calc.py").as_uri()
    screen.open(uri, CALC)
    where = types.Range(types.Position(2, 4), types.Position(2, 10))
    assert await screen.actions(uri, where) == {}


@pytest.fixture
def logo(project: Path) -> Path:
    made = project / "logo.bin"
    made.write_bytes(b"\0\1old")
    for words in (("add", "logo.bin"), ("commit", "--quiet", "--message", "a logo")):
        subprocess.run(("git", *words), cwd=project, check=True)
    return made


async def test_a_binary_file_is_flagged(screen: Screen, project: Path, logo: Path) -> None:
    await begin(screen, project)
    steps = f"""{FIX}, {{ run = ["python3", "-c", "open('logo.bin', 'wb').write(b'\\\\0new')"] }}"""
    text = plan_text(steps).replace('writes = ["calc.py"]', 'writes = ["**"]')
    (project / "plan.toml").write_text(text, encoding="utf-8")
    ended = await run(screen)
    for page in ("base", "head"):
        told = await screen.ask("goal/render", goal=ended.id, page=page, path="logo.bin")
        assert (told.text, told.exists, told.binary) == ("", True, True)


async def test_a_hunk_that_no_test_misses_is_unproven_where_it_stands(
    screen: Screen, project: Path
) -> None:
    """Its lens says the word, its hover why; the goal is what it was, with a proof more."""
    await begin(screen, project)
    ended = await run(
        screen, f'{FIX}, {{ replace = "calc.py", old = "2 * a", new = "a * 2" }}', project
    )
    assert ended.status == "ready"
    found = await screen.command("goal.hunks", goal=ended.id)
    assert {hunk.line: hunk.standing for hunk in found.hunks} == {3: "constrained", 7: "unproven"}
    uri = (project / "calc.py").as_uri()
    screen.open(uri, CALC)
    lenses = await screen.lenses(uri)
    assert [line for line, title in lenses if "unproven" in title] == [2]  # one region of both
    hover = await screen.hover(uri, 2)
    assert hover is not None and "**unproven**: without it nothing changes" in hover.contents.value
    shown = await screen.command("goal.show", goal=ended.id)
    assert shown.status == "ready" and shown.proof.digest != ended.proof.digest
    again = await screen.command("goal.verify", goal=ended.id)
    assert (await screen.wait(again.id)).status == "ready"
