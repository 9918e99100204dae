"""Edits are applied as the editor means them: UTF-16 columns, and lines as LSP ends them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsprotocol import types

from goal_server.anchor import count_lines
from goal_server.lsp_board import Board
from goal_server.lsp_buffers import Documents, apply_edit, find_offset, line_range, read_range


def at(*place: int) -> types.Range:
    return types.Range(types.Position(*place[:2]), types.Position(*place[2:]))


CASES = {
    "inside a line": ("abc\ndef\n", (1, 1, 1, 2), "X", "abc\ndXf\n"),
    "over lines": ("abc\ndef\nghi", (0, 1, 2, 1), "X", "aXhi"),
    "an insertion": ("abc\n", (0, 0, 0, 0), "X\n", "X\nabc\n"),
    "behind everything": ("abc\n", (1, 0, 1, 0), "X", "abc\nX"),
    "far behind": ("abc", (9, 9, 9, 9), "X", "abcX"),
    "behind a line's end": ("abc\ndef", (0, 99, 0, 99), "X", "abcX\ndef"),
    "windows": ("ab\r\ncd\r\n", (1, 0, 1, 1), "X", "ab\r\nXd\r\n"),
    "old": ("ab\rcd\r", (1, 1, 2, 0), "", "ab\rc"),
    "an emoji": ("a😀b", (0, 3, 0, 4), "X", "a😀X"),
    "inside an emoji": ("a😀b", (0, 2, 0, 3), "X", "aXb"),
    "no line ends": ("a\u2028b\x0cc\x85d\x1de\nf", (1, 0, 1, 1), "X", "a\u2028b\x0cc\x85d\x1de\nX"),
    "turned round": ("abc", (0, 2, 0, 1), "X", "abXc"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_an_edit_lands_where_it_is_meant(name: str) -> None:
    before, where, new, after = CASES[name]
    assert apply_edit(before, at(*where), new) == after


letters = st.text(st.sampled_from("ab😀é\r\n\u2028\x0c"), max_size=30)


@settings(deadline=None)
@given(text=letters, data=st.data())
def test_a_position_is_somewhere_in_the_text(text: str, data: st.DataObject) -> None:
    line = data.draw(st.integers(0, count_lines(text)))
    offset = find_offset(text, types.Position(line, data.draw(st.integers(0, 40))))
    assert 0 <= offset <= len(text)
    assert count_lines(text[:offset]) - 1 in (line, line - 1, line + 1)


@settings(deadline=None)
@given(text=letters, new=letters)
def test_replacing_everything_leaves_the_new_text(text: str, new: str) -> None:
    everything = at(0, 0, count_lines(text), 0)
    assert read_range(text, everything) == text
    assert apply_edit(text, everything, new) == new


def test_open_documents_take_edits_this_way() -> None:
    documents = Documents(None)
    item = types.TextDocumentItem("file:///x", "python", 1, "a\x0cb\nc")
    documents.put_text_document(item)
    change = types.TextDocumentContentChangePartial(range=at(1, 0, 1, 1), text="d")
    documents.update_text_document(types.VersionedTextDocumentIdentifier(2, "file:///x"), change)
    assert documents.get_text_document("file:///x").source == "a\x0cb\nd"


def test_a_problem_stands_under_the_words_of_its_line() -> None:
    assert line_range("a\n    b😀  \n", 1) == at(1, 4, 1, 7)
    assert line_range("a\n", 7).start == types.Position(7, 0)
    assert line_range(None, 7).start == types.Position(7, 0)


def a_problem(text: str) -> types.Diagnostic:
    return types.Diagnostic(range=at(0, 0, 0, 1), message=text)


def test_a_file_is_told_of_only_when_it_changed() -> None:
    told: list[tuple[str, list[str]]] = []
    board = Board(lambda uri, found: told.append((uri, [item.message for item in found])))
    board.put("tests", {"a": [a_problem("1")], "b": [a_problem("2")]})
    board.put("tests", {"a": [a_problem("1")], "b": [a_problem("2")]})
    assert told == [("a", ["1"]), ("b", ["2"])]
    board.put("plan", {"a": [a_problem("0")], "c": []})
    assert told[2:] == [("a", ["0", "1"])]
    board.put("tests", {"b": [a_problem("3")]})
    assert told[3:] == [("a", ["0"]), ("b", ["3"])]
    board.put("plan", {})
    board.put("tests", {})
    assert told[5:] == [("a", []), ("b", [])]
    board.put("tests", {})
    assert len(told) == 7
