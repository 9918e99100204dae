"""Killed at each journal entry, before and after it, and taken up again, a goal ends the same (P13)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.crashes import crash

MOST = 40
"""More entries than the goal has."""


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mode", ["before", "after"])
def test_killed_at_each_entry_it_ends_the_same(tmp_path: Path, mode: str) -> None:
    wrong, number = [], 1
    alive = True
    while alive and number < MOST:
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            alive = crash(folder, mode, number)
        except AssertionError as error:
            wrong.append(f"{mode} entry {number}: {error}")
        number += 1
    assert wrong == []
    assert 20 < number < MOST, "the goal has another number of entries: every point was to be tried"
