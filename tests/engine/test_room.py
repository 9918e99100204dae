"""How many workspaces fit into the room that there is (D08)."""

from __future__ import annotations

import pytest

from goal_engine.runtime.room import BALLAST, ENOUGH, Fit, fit_in

MIB = 1 << 20
KEPT_BACK = BALLAST + ENOUGH


@pytest.mark.parametrize(
    ("wanted", "each", "free", "left", "fits"),
    [
        (4, MIB, None, None, 4),
        (4, MIB, KEPT_BACK + 4 * MIB, None, 4),
        (4, MIB, KEPT_BACK + 4 * MIB - 1, None, 3),
        (4, MIB, KEPT_BACK + MIB - 1, None, 0),
        (4, MIB, KEPT_BACK - 1, None, 0),
        (4, MIB, None, 2 * MIB, 2),
        (4, MIB, KEPT_BACK + 3 * MIB, 2 * MIB, 2),
        (4, MIB, KEPT_BACK + 1 * MIB, 2 * MIB, 1),
        (4, MIB, None, 0, 0),
        (4, 0, KEPT_BACK, 0, 4),
    ],
)
def test_as_many_begin_as_there_is_room_for(
    wanted: int, each: int, free: int | None, left: int | None, fits: int
) -> None:
    found = fit_in(wanted, each, free, left)
    assert found.at_once == fits
    assert bool(found.reason) is (fits < wanted)


def test_the_reason_names_what_is_short() -> None:
    assert fit_in(4, MIB, None, 4 * MIB) == Fit(4)
    assert "`limit_mib`" in fit_in(4, MIB, KEPT_BACK + 3 * MIB, 2 * MIB).reason
    disk = fit_in(4, MIB, KEPT_BACK + MIB, 2 * MIB).reason
    assert "free on the disk" in disk and "1 of 4" in disk and "1.0 MiB" in disk
