"""Exit codes: one table by status, one by error, so that a script need not read the text."""

from __future__ import annotations

import json

from goal_engine import errors as e
from goal_engine.types import GoalStatus

OK = 0
NOT_READY = 1
BAD_INPUT = 2
BLOCKED = 3
NOT_NOW = 4
CANCELLED = 5
INFRASTRUCTURE = 6
UNTRUSTED = 7
INTERNAL = 70
INTERRUPTED = 130
BROKEN_PIPE = 141

BY_STATUS: dict[GoalStatus, int] = {
    GoalStatus.PLANNED: OK,
    GoalStatus.RUNNING: OK,
    GoalStatus.READY: OK,
    GoalStatus.DELIVERED: OK,
    GoalStatus.NOT_READY: NOT_READY,
    GoalStatus.BLOCKED_ON_HUMAN: BLOCKED,
    GoalStatus.BLOCKED_ON_EXTERNAL: BLOCKED,
    GoalStatus.PAUSED: NOT_NOW,
    GoalStatus.NEEDS_MORE_BUDGET: NOT_NOW,
    GoalStatus.CANCELLED: CANCELLED,
    GoalStatus.FAILED_INFRA: INFRASTRUCTURE,
}

BY_OUTCOME: dict[str, int] = {
    "INSPECTED": OK,
    "REPRODUCED": OK,
    "NOT REPRODUCED": NOT_READY,
    "NOT REPRODUCIBLE HERE": BLOCKED,
}

BY_REVIEW: dict[str, int] = {
    "passed": OK,
    "not_applicable": OK,
    "warned": OK,
    "blocked": BLOCKED,
}

BY_ERROR: dict[type[e.GoalError], int] = {
    e.BadInput: BAD_INPUT,
    e.GoalNotFound: BAD_INPUT,
    e.ProofRefused: NOT_READY,
    e.NotPossibleNow: NOT_NOW,
    e.ChangeDoesNotFit: NOT_NOW,
    e.JournalConflict: NOT_NOW,
    e.NotTrusted: UNTRUSTED,
    e.NotAdopted: UNTRUSTED,
    e.GoalError: INFRASTRUCTURE,
}
"""By the nearest class in the error's own tree; what has no row of its own is infrastructure."""


def find_exit_code(error: e.GoalError) -> int:
    """Return the code for `error`, that of the nearest class above it."""
    return next(BY_ERROR[kind] for kind in type(error).__mro__ if kind in BY_ERROR)


def find_status_code(status: str) -> int:
    """Return the code for a goal that stands at `status`."""
    return BY_STATUS[GoalStatus(status)]


def render_error_json(code: int, name: str, message: str) -> str:
    """Return an error as `--json` prints it: the code, the class and the paragraph."""
    error = {"code": code, "class": name, "message": message}
    return json.dumps({"error": error}, ensure_ascii=False)
