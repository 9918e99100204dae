"""A change goes through the editor: into its buffers, where it can be undone, and never past them.

What an editor cannot hold (binary files, links, permissions) is left to the engine.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer
from pygls.workspace import TextDocument

from goal_engine.delivery.change import FILE, Content, FileChange, is_alike
from goal_engine.delivery.local import does_not_fit, read_present
from goal_engine.errors import ChangeDoesNotFit, NotPossibleNow
from goal_server.edits import (
    BOM,
    LineEdit,
    can_edit,
    decode_text,
    is_same_text,
    plan_edits,
    split_lines,
)
from goal_server.lsp_protocol import PERSON
from goal_server.lsp_uris import find_path, resolve
from goal_server.plain import plain_line

PATIENCE = PERSON
"""Seconds in which the editor has to answer; it may ask its person first."""
TITLE = 80
"""Characters of a goal's text in the editor's list of what can be undone."""
START = types.Position(line=0, character=0)

Units = Callable[[str], int]
"""How long a text is as the client counts."""
Operation = types.TextDocumentEdit | types.CreateFile | types.RenameFile | types.DeleteFile


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a client can do with an edit of the workspace."""

    versions: bool
    create: bool
    delete: bool


def find_abilities(client: types.ClientCapabilities) -> Abilities | None:
    """Return what a client can do, `None` when it takes no edits at all."""
    workspace = client.workspace
    if workspace is None or not workspace.apply_edit:
        return None
    can = workspace.workspace_edit or types.WorkspaceEditClientCapabilities()
    versions = bool(can.document_changes)
    files = can.resource_operations if versions and can.resource_operations else ()
    return Abilities(
        versions=versions,
        create=types.ResourceOperationKind.Create in files,
        delete=types.ResourceOperationKind.Delete in files,
    )


@dataclass(frozen=True, slots=True)
class TextChange:
    """A change that an editor can make.  `None` is no file."""

    path: str
    before: str | None
    after: str | None
    edits: tuple[LineEdit, ...] = ()


class EditorFiles:
    """One client's buffers.  `edit` is awaited on the engine's loop and goes to the server's."""

    def __init__(self, server: LanguageServer, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._loop = loop

    async def edit(
        self, checkout: Path, title: str, changes: tuple[FileChange, ...]
    ) -> tuple[FileChange, ...]:
        """Put what text there is into the editor and return the changes that are left."""
        abilities = find_abilities(self._server.client_capabilities)
        if abilities is None:
            return changes
        texts, there = await asyncio.to_thread(_prepare, checkout, changes, abilities)
        asked = self._edit(checkout, title, changes, texts, there, abilities)
        done = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asked, self._loop))
        return tuple(change for change in changes if change.path not in done)

    async def _edit(
        self,
        checkout: Path,
        title: str,
        changes: tuple[FileChange, ...],
        texts: tuple[TextChange, ...],
        there: frozenset[str],
        abilities: Abilities,
    ) -> frozenset[str]:
        """Return the paths whose text is the editor's now.  `there` are as wanted on the disk."""
        buffers = find_buffers(self._server.workspace.text_documents.values(), checkout)
        misfits = find_foreign(changes, buffers)
        if misfits:
            raise does_not_fit(checkout, "the goal", misfits)
        units = self._server.workspace.position_codec.client_num_units
        places = Places(self._find_top(checkout), buffers)
        todo = [text for text in texts if text.path in buffers or text.path not in there]
        edit = make_edit(todo, places, units, abilities)
        if edit is not None:
            label = plain_line(title)[:TITLE]
            await self._ask(types.ApplyWorkspaceEditParams(edit=edit, label=label))
        return frozenset(text.path for text in todo if text.after is not None)

    def _find_top(self, checkout: Path) -> str:
        """Return the checkout's URI as the client spells it, which may be through a link."""
        for folder in self._server.workspace.folders.values():
            path = find_path(folder.uri)
            if path is not None and resolve(path) == checkout:
                return path.as_uri()
        return checkout.as_uri()

    async def _ask(self, params: types.ApplyWorkspaceEditParams) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                said = await self._server.workspace_apply_edit_async(params)
        except TimeoutError as error:
            raise NotPossibleNow(
                f"The editor has not said within {PATIENCE:g} s whether it took the change, so "
                "nothing is recorded. See whether the files have it; `apply` again completes it, "
                "and leaves alone what is there already."
            ) from error
        except JsonRpcException as error:  # an editor may refuse to ask its person, or be at fault
            raise not_taken(str(error)) from error
        if not said.applied:
            raise not_taken(said.failure_reason or "it gave no reason")


def not_taken(why: str) -> ChangeDoesNotFit:
    """Return the refusal for a change that the editor did not make."""
    told = plain_line(why).rstrip(".")
    return ChangeDoesNotFit(
        f"The editor did not take the change: {told}. Nothing is recorded and nothing else was "
        "written. Save what is open, then `apply` again, or use `deliver` to get the change as a "
        "branch."
    )


def _prepare(
    checkout: Path, changes: tuple[FileChange, ...], abilities: Abilities
) -> tuple[tuple[TextChange, ...], frozenset[str]]:
    """Return what an editor can make, and which paths are on the disk as they are to be."""
    there = (c.path for c in changes if is_alike(read_present(checkout, c.path), c.after))
    return plan_texts(changes, abilities), frozenset(there)


def plan_texts(changes: tuple[FileChange, ...], abilities: Abilities) -> tuple[TextChange, ...]:
    """Return those of `changes` that an editor can make, with the lines that they change.

    A file that takes a folder's place, or the other way round, is not the editor's.
    """
    gone = {change.path for change in changes if change.after is None}
    made = {change.path for change in changes if change.before is None}
    swapped = {path for path in gone if _meets(path, made)}
    swapped |= {path for path in made if _meets(path, gone)}
    found = (_plan_text(change, abilities) for change in changes if change.path not in swapped)
    return tuple(text for text in found if text is not None)


def _meets(path: str, others: set[str]) -> bool:
    return any(other.startswith(f"{path}/") or path.startswith(f"{other}/") for other in others)


def _plan_text(change: FileChange, abilities: Abilities) -> TextChange | None:
    before, after = _text_of(change.before), _text_of(change.after)
    match change.before, change.after:
        case None, Content() as made if abilities.create and made.mode == FILE:
            usable = after is not None and not after.startswith(BOM)
            return TextChange(change.path, None, after) if usable else None
        case Content(), None if abilities.delete:
            return TextChange(change.path, before, None) if before is not None else None
        case Content() as old, Content() as new if old.mode == new.mode:
            if before is None or after is None or not can_edit(before, after):
                return None
            edits = plan_edits(before.removeprefix(BOM), after.removeprefix(BOM))
            return TextChange(change.path, before, after, edits)
        case _:
            return None


def _text_of(content: Content | None) -> str | None:
    return decode_text(content.data) if content is not None and content.is_file else None


def find_buffers(documents: Iterable[TextDocument], checkout: Path) -> dict[str, TextDocument]:
    """Return the open documents of a checkout by their path in it."""
    found: dict[str, TextDocument] = {}
    for document in documents:
        path = find_path(document.uri)
        if path is None:
            continue
        real = resolve(path.parent) / path.name
        if real.is_relative_to(checkout):
            found[real.relative_to(checkout).as_posix()] = document
    return found


def find_foreign(
    changes: Iterable[FileChange], buffers: Mapping[str, TextDocument]
) -> tuple[str, ...]:
    """Return the changed paths that are open with a text that is on neither side of the change."""
    return tuple(
        change.path
        for change in changes
        if change.path in buffers
        and not any(_shows(buffers[change.path].source, side) for side in change.sides)
    )


def _shows(buffer: str, content: Content | None) -> bool:
    if content is None:  # a file that is not there yet may be open, empty
        return is_same_text(buffer, "")
    # what is shown of a link is another file, and that is not changed
    return content.is_link or is_same_text(buffer, content.data.decode("utf-8", "replace"))


@dataclass(frozen=True, slots=True)
class Places:
    """Where the client has the files of a checkout."""

    top: str
    """The URI of the checkout."""
    buffers: Mapping[str, TextDocument]

    def uri(self, path: str) -> str:
        """Return a file's URI, for an open one as the client gave it."""
        if path in self.buffers:
            return self.buffers[path].uri
        return f"{self.top.rstrip('/')}/{quote(os.fsencode(path))}"

    def identify(self, path: str) -> types.OptionalVersionedTextDocumentIdentifier:
        """Return a document with the version that the edit was made for, `None` if not open."""
        version = self.buffers[path].version if path in self.buffers else None
        return types.OptionalVersionedTextDocumentIdentifier(uri=self.uri(path), version=version)


def make_edit(
    texts: Iterable[TextChange], places: Places, units: Units, abilities: Abilities
) -> types.WorkspaceEdit | None:
    """Return the edit for the client, `None` when its buffers show the change already."""
    operations: list[Operation] = []
    for text in sorted(texts, key=lambda text: text.after is None):
        operations += _make_operations(text, places, units)
    if not operations:
        return None
    if abilities.versions:
        return types.WorkspaceEdit(document_changes=operations)
    changes = {
        item.text_document.uri: [edit for edit in item.edits if isinstance(edit, types.TextEdit)]
        for item in operations
        if isinstance(item, types.TextDocumentEdit)
    }
    return types.WorkspaceEdit(changes=changes)


def _make_operations(text: TextChange, places: Places, units: Units) -> Iterator[Operation]:
    path = text.path
    buffer = places.buffers.get(path)
    if text.after is None:
        gone = types.DeleteFileOptions(ignore_if_not_exists=True)
        yield types.DeleteFile(uri=places.uri(path), options=gone)
        return
    if buffer is not None and is_same_text(buffer.source, text.after):
        return
    edits = [_make_edit(edit, split_lines(text.before or ""), units) for edit in text.edits]
    if text.before is None:
        made = types.CreateFileOptions(ignore_if_exists=True)
        yield types.CreateFile(uri=places.uri(path), options=made)
        whole = types.Range(start=START, end=START)
        edits = [types.TextEdit(range=whole, new_text=text.after)] if text.after else []
    if edits:
        yield types.TextDocumentEdit(text_document=places.identify(path), edits=edits)


def _make_edit(edit: LineEdit, lines: list[str], units: Units) -> types.TextEdit:
    """An edit of whole lines; where the last one has no ending, its end is the end of the text."""
    start, end = (_find_place(line, lines, units) for line in (edit.start, edit.end))
    return types.TextEdit(range=types.Range(start=start, end=end), new_text=edit.text)


def _find_place(line: int, lines: list[str], units: Units) -> types.Position:
    if line == len(lines) and lines and not lines[-1].endswith("\n"):
        return types.Position(line=line - 1, character=units(lines[-1]))
    return types.Position(line=line, character=0)
