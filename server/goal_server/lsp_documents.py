"""A plan that is open in the editor counts as it is there, saved or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pygls.exceptions import JsonRpcInvalidParams
from pygls.workspace import TextDocument, Workspace

from goal_server.lsp_uris import find_path, resolve

DOCUMENT = "document"
"""The key that names an open document beside an operation's own parameters."""
TAKE_A_PLAN = frozenset({"run", "plan", "execute", "revise"})
"""The operations that take it, as the plan's text."""


def take_document(workspace: Workspace, operation: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return `given` with the text of the document that it names, or its path if it is not open.

    Raises `JsonRpcInvalidParams` for what is no file.
    """
    if DOCUMENT not in given or operation not in TAKE_A_PLAN:
        return given
    uri = given[DOCUMENT]
    path = find_path(uri)
    if path is None:
        raise JsonRpcInvalidParams(f"`{DOCUMENT}` is the URI of a file.")
    rest = {key: value for key, value in given.items() if key != DOCUMENT}
    document = find_open(workspace, path)
    text = {} if document is None else {"planText": document.source}
    return {**rest, "plan": str(path), **text}


def find_open(workspace: Workspace, path: Path) -> TextDocument | None:
    """Return an open document, however its URI is spelled."""
    place = resolve(path)
    documents: dict[str, TextDocument] = workspace.text_documents
    for document in documents.values():
        there = find_path(document.uri)
        if there is not None and resolve(there) == place:
            return document
    return None
