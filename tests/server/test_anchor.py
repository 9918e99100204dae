"""Where a lens hangs: each case is a line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goal_server.anchor import Anchor, AnchorMode, find_anchor

PROPOSED, PRESENT = AnchorMode.PROPOSED, AnchorMode.PRESENT


@pytest.mark.parametrize(
    ("base", "head", "buffer", "expected"),
    [
        pytest.param("a\nb\nc\n", "a\nB\nc\n", "a\nb\nc\n", (PROPOSED, 1, 1, 1), id="one line"),
        pytest.param("a\nb\nc\n", "a\nB\nc\n", "a\nB\nc\n", (PRESENT, 1, 1, 1), id="applied"),
        pytest.param("a\nb\n", "a\nB\n", "a\nx\n", None, id="neither"),
        pytest.param("a\n", "a\n", "a\n", None, id="no change"),
        pytest.param("a\n", "a\nb\nc\n", "a\n", (PROPOSED, 0, 2, 0), id="appended: last line"),
        pytest.param("a\n", "a\nb\nc\n", "a\nb\nc\n", (PRESENT, 1, 2, 0), id="appended, there"),
        pytest.param("a\nb\nc\n", "a\n", "a\n", (PRESENT, 0, 0, 2), id="cut at the end"),
        pytest.param(None, "a\nb\n", "", (PROPOSED, 0, 2, 0), id="a file that will be"),
        pytest.param(None, "a\nb\n", "a\nb\n", (PRESENT, 0, 2, 0), id="a new file"),
        pytest.param("a\nb\n", None, "a\nb\n", (PROPOSED, 0, 0, 2), id="a file that will go"),
        pytest.param("a\nb\n", "a\nB\n", "a\r\nb\r\n", (PROPOSED, 1, 1, 1), id="other newlines"),
        pytest.param("a\nb\n", "a\nB\n", "a\nb", (PROPOSED, 1, 1, 1), id="no newline at the end"),
        pytest.param(
            "a\nb\nc\nd\n", "A\nb\nc\nD\nE\n", "a\nb\nc\nd\n", (PROPOSED, 0, 3, 2), id="two places"
        ),
    ],
)
def test_a_buffer_is_as_before_as_after_or_neither(
    base: str | None,
    head: str | None,
    buffer: str,
    expected: tuple[AnchorMode, int, int, int] | None,
) -> None:
    assert find_anchor(base, head, buffer) == (Anchor(*expected) if expected else None)


texts = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=8).map("\n".join)


@given(base=texts, head=texts, buffer=texts)
def test_a_lens_is_always_on_a_line_of_the_buffer(base: str, head: str, buffer: str) -> None:
    anchor = find_anchor(base, head, buffer)
    if anchor is not None:
        assert 0 <= anchor.line < max(1, len(buffer.splitlines()))
        assert anchor.additions + anchor.deletions > 0
        assert len(head.splitlines()) - len(base.splitlines()) == (
            anchor.additions - anchor.deletions
        )
