"""A change of a text as whole lines: exact, and nothing that an editor would make something else of."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goal_server.edits import (
    BOM,
    LineEdit,
    can_edit,
    decode_text,
    is_same_text,
    plan_edits,
    split_lines,
)

LINE = st.sampled_from(["", "a", "b", "    return x", "ü 𝄞", "\u2028", "\x0b"])


@st.composite
def texts(draw: st.DrawFn) -> str:
    lines = draw(st.lists(LINE, max_size=30))
    text = "".join(f"{line}\n" for line in lines)
    return text.removesuffix("\n") if draw(st.booleans()) else text


def perform(text: str, edits: tuple[LineEdit, ...]) -> str:
    lines = split_lines(text)
    for edit in reversed(edits):
        lines[edit.start : edit.end] = [edit.text]
    return "".join(lines)


@settings(max_examples=400, deadline=None)
@given(texts(), texts(), st.sampled_from(["\n", "\r\n"]))
def test_the_edits_make_the_one_text_to_the_other(before, after, ending):
    before, after = before.replace("\n", ending), after.replace("\n", ending)
    edits = plan_edits(before, after)
    assert perform(before, edits) == after
    assert (edits == ()) == (before == after)
    assert all(one.end < two.start for one, two in zip(edits, edits[1:], strict=False))


def test_an_edit_is_no_larger_than_the_change():
    before = "".join(f"line {number}\n" for number in range(1000))
    after = before.replace("line 10\n", "ten\n").replace("line 900\n", "")
    assert plan_edits(before, after) == (LineEdit(10, 11, "ten\n"), LineEdit(900, 901, ""))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"a\nb\n", "a\nb\n"),
        (b"a\r\nb", "a\r\nb"),
        (b"", ""),
        (b"a\r\nb\n", None),
        (b"a\rb\n", None),
        (b"\xff\xfe", None),
        (b"a\0b", None),
    ],
)
def test_only_what_an_editor_keeps_as_it_is_counts_as_text(data, text):
    assert decode_text(data) == text


@pytest.mark.parametrize(
    ("before", "after", "can"),
    [
        ("a\n", "b\n", True),
        ("a", "a\n", True),
        ("", "a\r\n", True),
        ("a\n", "a\r\n", False),
        ("a\n", BOM + "a\n", False),
        (BOM + "a\n", BOM + "b\n", True),
    ],
)
def test_line_endings_and_marks_are_not_for_an_editor_to_change(before, after, can):
    assert can_edit(before, after) is can


def test_a_buffer_may_hold_endings_and_mark_otherwise_but_not_words():
    assert is_same_text("a\nb", BOM + "a\r\nb")
    assert is_same_text("\n", "")
    assert not is_same_text("a\nb", "a\nb\n")
    assert not is_same_text("a\nc", "a\nb")
