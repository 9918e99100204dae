"""What an editor shows beside the text: lenses, hovers, problems, actions and pages to read.

While a workspace is untrusted no lens, hover or failing test is shown; mistakes in documents are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer
from pygls.workspace import TextDocument

from goal_server.lsp_actions import (
    ACCEPT,
    KINDS,
    NEW_GOAL,
    Offer,
    find_accepts,
    find_goals,
    find_new_goals,
    offer_repair,
    render_actions,
)
from goal_server.lsp_board import Board
from goal_server.lsp_buffers import Documents, line_range
from goal_server.lsp_configuration import Configuration
from goal_server.lsp_folders import ROOT, Folders
from goal_server.lsp_later import Later
from goal_server.lsp_protocol import EXPLAIN, RENDER
from goal_server.lsp_uris import find_path, resolve
from goal_server.plain import plain_line

if TYPE_CHECKING:  # costs as much to import as pygls; see `lsp`
    from goal_server.lsp_desk import Ask
    from goal_server.lsp_reading import Failure, Found, Keys, Reading, Repair

SOURCE = "goalproof"
"""Who says a diagnostic."""
FAILURES = "failures"
FINDINGS = "findings"
REVIEWED = "review-findings"
"""The criterion that stands for the findings which block, as the engine calls it."""
SOON = 0.2
"""Seconds after which lenses and problems are renewed."""
LARGEST = 4 * 1024 * 1024
"""Bytes of a file that is read although no editor has it open."""
DOCUMENTS = (".toml",)
"""Endings of the files that are looked at for mistakes."""

T = TypeVar("T")


class Host(Protocol):
    """What the features need of the server."""

    trusted: bool
    folders: Folders
    configuration: Configuration

    async def ask(self, ask: Ask[T]) -> T:
        """Have a question answered on the engine's side."""
        ...


class Features:
    """One client's lenses, hovers, problems and actions.  Belongs to the server's loop."""

    def __init__(self, server: LanguageServer, host: Host) -> None:
        self._server, self._host = server, host
        self._board = Board(self._publish)
        self._client_commands: frozenset[str] = frozenset()
        self._keys: dict[str, Keys] = {}
        self._folders: set[Path] = set()
        self._unread: set[Path] = set()
        self._uris: dict[Path, str] = {}
        self._failing: set[Path] = set()
        self._mistakes: dict[str, Later] = {}
        self._refresh = Later(SOON, self._ask_for_lenses)
        self._scan = Later(SOON, self._find_failures)

    # the life of a session

    def begin(self, params: types.InitializeParams) -> None:
        """Take what the client can do, and count its edits as it does."""
        given = params.initialization_options
        named = given.get("clientCommands") if isinstance(given, dict) else None
        if isinstance(named, list):
            self._client_commands = frozenset(name for name in named if isinstance(name, str))
        made = self._server.workspace
        self._server.protocol._workspace = Documents(
            made.root_uri,
            types.TextDocumentSyncKind.Incremental,
            tuple(made.folders.values()),
            made.position_encoding,
        )

    def hear(self, goal: str, keys: Keys) -> None:
        """A goal changed: renew what is made of it, and only that."""
        lenses, problems = self._keys.get(goal, (None, None))
        self._keys[goal] = keys
        if lenses != keys.lenses:
            self._refresh.ask()
        if problems != keys.problems:
            self._scan.ask()

    def settle(self) -> None:
        """Show what trust and preferences, which have changed, allow."""
        self._refresh.ask()
        self._unread |= self._folders
        self._scan.ask()
        for later in self._mistakes.values():
            later.ask()

    def move(self, is_closed: Callable[[Path], bool]) -> None:
        """Show what is in the folders there are now, and nothing of those that are closed.

        Once none is left every file counts again, but only those that are opened from then on.
        """

        def is_served(path: Path) -> bool:
            return self._host.folders.holds(path) and not is_closed(resolve(path))

        documents = [(uri, find_path(uri)) for uri in self._server.workspace.text_documents]
        self._folders = set(filter(is_served, self._folders))
        self._unread &= self._folders
        for uri, path in documents:
            if path is None or not is_served(path):
                self.closed(uri)
            elif self._host.folders.open:
                self.opened(uri)
        self.settle()

    def close(self) -> None:
        """Renew nothing any more."""
        for later in (self._refresh, self._scan, *self._mistakes.values()):
            later.stop()

    # documents

    def opened(self, uri: str) -> None:
        """Look at a document that was opened, and at its workspace."""
        path = find_path(uri)
        if path is None or not self._host.folders.holds(path):
            return
        place, folder = resolve(path), resolve(path.parent)
        self._uris[place] = uri
        if folder not in self._folders:
            self._folders.add(folder)
            self._unread.add(folder)
            self._scan.ask()
        if place in self._failing:
            self._scan.ask()
        self.changed(uri)

    def changed(self, uri: str) -> None:
        """Look for mistakes in a document that was edited."""
        path = find_path(uri)
        if path is None or path.suffix not in DOCUMENTS or not self._host.folders.holds(path):
            return
        if uri not in self._mistakes:
            self._mistakes[uri] = Later(SOON, lambda: self._find_mistakes(uri, path))
        self._mistakes[uri].ask()

    def closed(self, uri: str) -> None:
        """Forget a document: what is wrong in it is told while it is open."""
        path = find_path(uri)
        place = resolve(path) if path is not None else None
        if place is not None and self._uris.get(place) == uri:
            del self._uris[place]
            if place in self._failing:  # the file may be gone as well
                self._scan.ask()
        if (later := self._mistakes.pop(uri, None)) is not None:
            later.stop()
            self._board.put(uri, {})

    def _read(self, uri: str) -> str | None:
        """Return the text of a document, from the editor, or from the disk where that is sensible."""
        documents: dict[str, TextDocument] = self._server.workspace.text_documents
        path = find_path(uri)
        try:
            if uri in documents:
                return str(documents[uri].source)
            usual = path is not None and path.is_file() and path.stat().st_size <= LARGEST
            return path.read_bytes().decode() if path is not None and usual else None
        except (OSError, ValueError):
            return None

    # lenses, hovers, actions

    def _find_shown(self, uri: str) -> tuple[Path, str] | None:
        """Return the path and the text of a document of which something may be shown."""
        path = find_path(uri) if self._host.trusted else None
        text = self._read(uri) if path is not None and self._host.folders.holds(path) else None
        return None if path is None or text is None else (path, text)

    async def lenses(self, uri: str) -> list[types.CodeLens]:
        """Return the lenses of a file, as many as the person wants."""
        shown = self._find_shown(uri)
        mode = self._host.configuration.find(shown[0]).lens if shown else "off"
        if shown is None or mode == "off":
            return []
        path, text = shown
        return await self._host.ask(lambda r: r.find_lenses(path, uri, text, mode))

    async def hover(self, params: types.HoverParams) -> types.Hover | None:
        """Return why the region at a position is there."""
        shown, line = self._find_shown(params.text_document.uri), params.position.line
        if shown is None:
            return None
        path, text = shown
        found = await self._host.ask(lambda r: r.explain(path, text, line))
        if found is None:
            return None
        where = types.Range(types.Position(found.line, 0), types.Position(found.end, 0))
        return types.Hover(self._render_markup(found.view.markdown), where)

    def _render_markup(self, text: str) -> types.MarkupContent:
        document = self._server.client_capabilities.text_document
        formats = (document and document.hover and document.hover.content_format) or ()
        if types.MarkupKind.Markdown in formats:
            return types.MarkupContent(types.MarkupKind.Markdown, text)
        from goal_server.markdown import to_text

        return types.MarkupContent(types.MarkupKind.PlainText, to_text(text))

    async def actions(
        self, params: types.CodeActionParams
    ) -> list[types.CodeAction | types.Command]:
        """Return what can be done at a place."""
        uri = params.text_document.uri
        path, text = find_path(uri), self._read(uri)
        if path is None or text is None or not self._host.folders.holds(path):
            return []
        offers: list[Offer] = []
        about = find_goals(params, SOURCE) if self._host.trusted else {}
        for goal, diagnostic in about.items():
            repair = await self._host.ask(partial(_find_repair, folder=path.parent, goal=goal))
            offers += [offer_repair(repair, diagnostic)] if repair else []
        if ACCEPT in self._client_commands and self._host.trusted:
            line = params.range.start.line
            waiting = await self._host.ask(lambda r: r.find_acceptable(path, text, line))
            offers += [offer_repair(repair) for repair in waiting]
            offers += find_accepts(params, SOURCE)
        if NEW_GOAL in self._client_commands:
            offers += find_new_goals(uri, text, params, SOURCE)
        return render_actions(offers, params.context.only, literals=self._takes_literals())

    def _takes_literals(self) -> bool:
        document = self._server.client_capabilities.text_document
        action = document and document.code_action
        return bool(action and action.code_action_literal_support)

    async def _ask_for_lenses(self) -> None:
        workspace = self._server.client_capabilities.workspace
        lens = workspace and workspace.code_lens
        if lens and lens.refresh_support:
            self._server.workspace_code_lens_refresh(None)

    # requests of ours

    async def explain(self, given: Any) -> Any:
        """Answer `goal/explain`: about a position, or a criterion of a goal."""
        from goal_server.lsp_desk import parse_as, to_wire
        from goal_server.parameters import ExplainParams

        root, rest = _take_root(given, EXPLAIN)
        params = parse_as(ExplainParams, EXPLAIN, rest)
        if params.goal is not None:
            goal, name = params.goal, params.criterion
            where = self._host.folders.find_place(root)
            return to_wire(await self._host.ask(lambda r: r.explain_goal(where, goal, name)))
        if params.text_document is None or params.position is None:
            raise JsonRpcInvalidParams(f"{EXPLAIN} takes textDocument and position, or a goal.")
        shown, line = self._find_shown(params.text_document.uri), params.position.line
        if shown is None:
            return None
        path, text = shown
        found = await self._host.ask(lambda r: r.explain(path, text, line))
        return to_wire(found.view) if found else None

    async def render(self, given: Any) -> Any:
        """Answer `goal/render`: a page of a goal to read."""
        from goal_server.lsp_desk import parse_as, to_wire
        from goal_server.parameters import RenderParams

        root, rest = _take_root(given, RENDER)
        params, where = parse_as(RenderParams, RENDER, rest), self._host.folders.find_place(root)
        return to_wire(await self._host.ask(lambda r: r.render(where, params)))

    # problems

    async def _find_mistakes(self, uri: str, path: Path) -> None:
        text = self._read(uri)
        found = (
            await self._host.ask(lambda r: r.find_mistakes(path, text or ""))
            if self._host.configuration.find(path).diagnostics and text is not None
            else None
        )
        if uri in self._mistakes:
            diagnostics = [
                types.Diagnostic(
                    range=line_range(text, mistake.line - 1),
                    message=plain_line(mistake.text),
                    severity=types.DiagnosticSeverity.Error,
                    source=SOURCE,
                    code=path.name,
                )
                for mistake in found or ()
            ]
            self._board.put(uri, {uri: diagnostics})

    async def _find_failures(self) -> None:
        folders = tuple(self._unread)
        self._unread.clear()
        if not self._host.trusted:
            self._board.put(FAILURES, {})
            self._board.put(FINDINGS, {})
            return
        failures = await self._host.ask(lambda r: r.find_failures(folders))
        found: dict[str, list[types.Diagnostic]] = {}
        self._failing = {resolve(failure.path) for failure in failures}
        for failure in failures:
            if self._host.configuration.find(failure.path).diagnostics:
                uri = self._uris.get(resolve(failure.path))
                uri = uri or self._host.folders.spell(failure.path)
                found.setdefault(uri, []).append(self._render_failure(uri, failure))
        self._board.put(FAILURES, found)
        await self._find_findings()

    async def _find_findings(self) -> None:
        found: dict[str, list[types.Diagnostic]] = {}
        findings = await self._host.ask(lambda r: r.find_findings())
        self._failing |= {resolve(item.path) for item in findings}
        for item in findings:
            if self._host.configuration.find(item.path).diagnostics:
                uri = self._uris.get(resolve(item.path)) or self._host.folders.spell(item.path)
                found.setdefault(uri, []).append(self._render_finding(uri, item))
        self._board.put(FINDINGS, found)

    def _render_finding(self, uri: str, item: Found) -> types.Diagnostic:
        """A finding is about the change: the line is the result's, which may not be here yet."""
        known = resolve(item.path) in self._uris
        finding, severity = item.finding, types.DiagnosticSeverity
        blocks = finding.severity == "blocks"
        about = f"in the change of {item.text[:60]!r}"
        data = {"goal": item.goal, "root": item.root, "rule": finding.rule}
        return types.Diagnostic(
            range=line_range(self._read(uri) if known else None, max(0, (finding.line or 1) - 1)),
            message=plain_line(f"{finding.message} ({finding.section} review {about})"),
            severity=severity.Warning if blocks else severity.Information,
            source=SOURCE,
            code=finding.rule,
            data=data | ({"criterion": REVIEWED} if blocks else {}),
        )

    def _render_failure(self, uri: str, failure: Failure) -> types.Diagnostic:
        known = resolve(failure.path) in self._uris
        line = max(0, (failure.test.line or 1) - 1)
        severity = types.DiagnosticSeverity
        about = (
            "failed before as well, and still does with" if failure.failed_before else "fails with"
        )
        message = f"{failure.test.test} {about} {failure.text[:60]!r}"
        message += f": {failure.test.message}" if failure.test.message else ""
        return types.Diagnostic(
            range=line_range(self._read(uri) if known else None, line),
            message=plain_line(message),
            severity=severity.Information if failure.failed_before else severity.Error,
            source=SOURCE,
            code=failure.gate,
            data={
                "goal": failure.goal,
                "gate": failure.gate,
                "test": failure.test.test,
                "root": failure.root,
            },
        )

    def _publish(self, uri: str, diagnostics: list[types.Diagnostic]) -> None:
        document = self._server.workspace.get_text_document(uri)
        self._server.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(
                uri=uri, diagnostics=diagnostics, version=document.version
            )
        )


def register(server: LanguageServer, features: Features) -> None:
    """Let `server` answer what editors ask of `features`."""

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def opened(ls: LanguageServer, params: types.DidOpenTextDocumentParams) -> None:
        features.opened(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def changed(ls: LanguageServer, params: types.DidChangeTextDocumentParams) -> None:
        features.changed(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def closed(ls: LanguageServer, params: types.DidCloseTextDocumentParams) -> None:
        features.closed(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_CODE_LENS, types.CodeLensOptions(resolve_provider=False))
    async def lenses(ls: LanguageServer, params: types.CodeLensParams) -> list[types.CodeLens]:
        return await features.lenses(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    async def hover(ls: LanguageServer, params: types.HoverParams) -> types.Hover | None:
        return await features.hover(params)

    @server.feature(
        types.TEXT_DOCUMENT_CODE_ACTION,
        types.CodeActionOptions(code_action_kinds=list(KINDS), resolve_provider=False),
    )
    async def actions(
        ls: LanguageServer, params: types.CodeActionParams
    ) -> list[types.CodeAction | types.Command]:
        return await features.actions(params)

    @server.feature(EXPLAIN)
    async def explain(ls: LanguageServer, params: Any) -> Any:
        return await features.explain(params)

    @server.feature(RENDER)
    async def render(ls: LanguageServer, params: Any) -> Any:
        return await features.render(params)


def _take_root(given: Any, method: str) -> tuple[object, dict[str, Any]]:
    """Return where a request is about, and the rest of its params."""
    if not isinstance(given, Mapping):
        raise JsonRpcInvalidParams(f"{method} takes an object.")
    rest = dict(given)
    return rest.pop(ROOT, None), rest


async def _find_repair(reading: Reading, *, folder: Path, goal: str) -> Repair | None:
    return await reading.find_repair(folder, goal)
