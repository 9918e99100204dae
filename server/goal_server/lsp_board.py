"""What was published about each file: a file is told of again only when something there changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from lsprotocol import types

Publish = Callable[[str, list[types.Diagnostic]], None]
MOST = 200
"""Diagnostics in one file."""


class Board:
    """Diagnostics by who found them and by file.  Belongs to the server's loop."""

    def __init__(self, publish: Publish) -> None:
        self._publish = publish
        self._found: dict[tuple[str, str], tuple[types.Diagnostic, ...]] = {}
        self._told: dict[str, tuple[types.Diagnostic, ...]] = {}

    def put(self, source: str, found: Mapping[str, Sequence[types.Diagnostic]]) -> None:
        """Let `found` be all that `source` says, by URI, and publish what is new by that."""
        before = {uri for by, uri in self._found if by == source}
        for uri in before:
            del self._found[source, uri]
        self._found |= {(source, uri): tuple(items) for uri, items in found.items() if items}
        for uri in sorted(before | set(found)):
            self._tell(uri)

    def _tell(self, uri: str) -> None:
        items = tuple(
            item for (_, at), found in sorted(self._found.items()) if at == uri for item in found
        )[:MOST]
        if items == self._told.get(uri, ()):
            return
        if items:
            self._told[uri] = items
        else:
            del self._told[uri]
        self._publish(uri, list(items))
