"""What is open in the editor, with edits applied as LSP counts: UTF-16, and lines that end as it says.

pygls splits lines wherever Unicode can, so that a form feed in a file would shift every edit below.
"""

from __future__ import annotations

import re
from itertools import islice

from lsprotocol import types
from pygls.workspace import TextDocument, Workspace

END = re.compile(r"\r\n|\n|\r")
"""What ends a line."""
WIDE = 1000
"""A column behind the end of most lines."""


def apply_edit(text: str, where: types.Range, new: str) -> str:
    """Return `text` with `new` in the place of a range; what lies outside is moved inside."""
    start = find_offset(text, where.start)
    end = max(start, find_offset(text, where.end))
    return f"{text[:start]}{new}{text[end:]}"


def read_range(text: str, where: types.Range) -> str:
    """Return what stands in a range."""
    return text[find_offset(text, where.start) : find_offset(text, where.end)]


def find_offset(text: str, place: types.Position) -> int:
    """Return the index of a position, the end of its line or of the text when it lies behind."""
    start = find_line(text, place.line)
    if start is None:
        return len(text)
    ends = END.search(text, start)
    line = text[start : ends.start() if ends else len(text)]
    if line.isascii():
        return start + min(place.character, len(line))
    units = 0
    for index, char in enumerate(line):
        units += 1 if ord(char) < 0x10000 else 2
        if units > place.character:
            return start + index
    return start + len(line)


def find_line(text: str, line: int) -> int | None:
    """Return the index at which a line (from 0) begins, `None` behind the last one."""
    if line == 0:
        return 0
    if "\r" in text:
        ends = next(islice(END.finditer(text), line - 1, None), None)
        return ends.end() if ends else None
    at = -1
    for _ in range(line):
        at = text.find("\n", at + 1)
        if at < 0:
            return None
    return at + 1


def line_range(text: str | None, line: int) -> types.Range:
    """Return the range of a line's words; without a text, of the whole line (LSP cuts it there)."""
    start = find_line(text, line) if text is not None else None
    if text is None or start is None:
        return types.Range(types.Position(line, 0), types.Position(line, WIDE))
    ends = END.search(text, start)
    words = text[start : ends.start() if ends else len(text)].rstrip()
    indented = len(words) - len(words.lstrip())
    units = len(words) + sum(ord(char) >= 0x10000 for char in words)
    return types.Range(types.Position(line, indented), types.Position(line, units))


class Document(TextDocument):
    """One open text."""

    def _apply_incremental_change(self, change: types.TextDocumentContentChangePartial) -> None:
        self._source = apply_edit(self.source, change.range, change.text)


class Documents(Workspace):
    """Everything that is open."""

    def _create_text_document(
        self,
        doc_uri: str,
        source: str | None = None,
        version: int | None = None,
        language_id: str | None = None,
    ) -> TextDocument:
        return Document(
            doc_uri,
            source=source,
            version=version,
            language_id=language_id,
            sync_kind=self._sync_kind,
            position_codec=self._position_codec,
        )
