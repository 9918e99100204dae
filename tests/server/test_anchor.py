"""Where a lens hangs, as a table."""

from __future__ import annotations

import pytest

from goal_server.anchor import Anchor, AnchorMode, find_anchor

P, N = AnchorMode.PROPOSED, AnchorMode.PRESENT
BASE, HEAD = "a\nb\nc\n", "a\nB\nB2\nc\n"


@pytest.mark.parametrize(
    ("base", "head", "buffer", "expected"),
    [
        (BASE, HEAD, BASE, Anchor(P, 1, 2, 1)),
        (BASE, HEAD, HEAD, Anchor(N, 1, 2, 1)),
        (BASE, HEAD, "a\nx\nc\n", None),
        (BASE, BASE, BASE, None),
        (None, "new\n", "", Anchor(P, 0, 1, 0)),
        (None, "new\n", "new\n", Anchor(N, 0, 1, 0)),
        ("old\n", None, "old\n", Anchor(P, 0, 0, 1)),
        ("a\n", "a\nb\n", "a\n", Anchor(P, 0, 1, 0)),
        (BASE, HEAD, BASE.replace("\n", "\r\n"), Anchor(P, 1, 2, 1)),
    ],
)
def test_a_lens_hangs_where_the_change_begins(
    base: str | None, head: str | None, buffer: str, expected: Anchor | None
) -> None:
    assert find_anchor(base, head, buffer) == expected
