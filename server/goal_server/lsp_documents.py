"""A plan that is open in the editor counts as it is there, saved or not."""

from __future__ import annotations

from typing import Any

from pygls.exceptions import JsonRpcInvalidParams
from pygls.uris import to_fs_path
from pygls.workspace import TextDocument, Workspace

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
    path = to_fs_path(uri) if isinstance(uri, str) and uri.startswith("file:") else None
    if path is None:
        raise JsonRpcInvalidParams(f"`{DOCUMENT}` is the URI of a file.")
    rest = {key: value for key, value in given.items() if key != DOCUMENT}
    document = find_open(workspace, uri, path)
    text = {} if document is None else {"planText": document.source}
    return {**rest, "plan": path, **text}


def find_open(workspace: Workspace, uri: str, path: str) -> TextDocument | None:
    """Return an open document, however its URI is spelled."""
    documents: dict[str, TextDocument] = workspace.text_documents
    alike = (document for document in documents.values() if document.path == path)
    return documents.get(uri) or next(alike, None)
