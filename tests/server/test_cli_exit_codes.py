"""A script reads the exit code: every status, outcome and error has one."""

from __future__ import annotations

import inspect

import pytest

from goal_engine import errors
from goal_engine.types import GoalStatus
from goal_server.exit_codes import BY_STATUS, find_exit_code

ERRORS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.GoalError)
]


def test_every_status_has_a_code() -> None:
    assert set(BY_STATUS) == set(GoalStatus)


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_every_refusal_has_a_code_that_is_no_success(kind: type[errors.GoalError]) -> None:
    assert find_exit_code(kind("why")) in range(1, 8)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.BadPlan, 2),
        (errors.GoalAmbiguous, 2),
        (errors.GoalBusy, 4),
        (errors.JournalDamaged, 6),
        (errors.ToolMissing, 6),
        (errors.StoreUnwritable, 6),
        (errors.RepositoryUnusable, 6),
        (errors.NotTrusted, 7),
        (errors.GatesNotApproved, 7),
    ],
)
def test_an_error_takes_the_code_of_its_nearest_class(
    kind: type[errors.GoalError], code: int
) -> None:
    assert find_exit_code(kind("why")) == code
