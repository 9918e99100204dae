"""The registry is a table: both front ends are made from it and it costs nothing to read."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

from goal_engine.state.possible import ROWS
from goal_server.registry import (
    CLI_COMMANDS,
    NEEDS_TRUST,
    OPERATIONS,
    Operation,
    find_operation,
    load,
)

EACH = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda row: row.name)


def test_every_verb_of_the_first_slice_is_there() -> None:
    verbs = [row.name for row in OPERATIONS] + [row.name for row in CLI_COMMANDS]
    assert " ".join(sorted(verbs)) == (
        "accept adopt agents answer apply archive budget cancel deliver demo diagnose diff doctor execute gates gc hunks list log lsp open pause plan"
        " proof rebase reject replay resume review revise run show submit tell trust-gate unarchive verify verify-proof"
    )


@EACH
def test_a_row_names_what_exists(operation: Operation) -> None:
    assert inspect.iscoroutinefunction(load(operation.handler))
    assert load(operation.params).model_config["frozen"]
    assert load(operation.result).model_fields


@EACH
def test_a_row_tells_what_it_takes(operation: Operation) -> None:
    for name, field in load(operation.params).model_fields.items():
        assert field.description, f"{operation.name}: {name} has no help text"


@EACH
def test_what_starts_processes_of_the_workspace_says_so(operation: Operation) -> None:
    starts = {
        "run",
        "plan",
        "execute",
        "resume",
        "accept",
        "reject",
        "gates",
        "trust-gate",
        "verify",
    }
    starts |= {"verify-proof", "hunks", "rebase", "revise", "review"}
    assert bool(NEEDS_TRUST.intersection(operation.effects)) == (operation.name in starts)


def test_each_operation_on_a_goal_has_its_row_among_what_is_possible() -> None:
    on_goals = {row.name for row in OPERATIONS if "goal" in load(row.params).model_fields}
    assert on_goals <= set(ROWS)
    assert set(ROWS) - {"undo", "budget", "agent-review"} <= on_goals


def test_names_on_the_wire_are_camel_case() -> None:
    row = find_operation("verify-proof")
    assert row is not None
    assert row.command == "goal.verifyProof"
    assert find_operation("verifyProof") is row
    assert find_operation("goal.verifyProof") is row


def test_reading_the_table_imports_neither_models_nor_engine() -> None:
    code = (
        "import sys, goal_server.cli; print(*[name for name in sys.modules"
        " if name.split('.')[0] in ('pydantic', 'goal_engine', 'rich', 'pygls', 'asyncio')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
