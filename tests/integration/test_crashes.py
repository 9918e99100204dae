"""Killed at a journal entry and taken up again, a goal ends as it would have: some of the points.

All of them are in `tests/torture`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.crashes import crash

pytestmark = pytest.mark.one_python

POINTS = (("before", 11), ("before", 24), ("before", 26))
"""Of 26 entries: in a wave; the change is in the checkout; the branch is there."""


@pytest.mark.parametrize(("mode", "number"), POINTS)
def test_killed_anywhere_it_ends_the_same_and_records_each_effect_once(
    tmp_path: Path, mode: str, number: int
) -> None:
    assert crash(tmp_path, mode, number)
