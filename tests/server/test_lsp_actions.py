"""What can be done at a place, as each client understands it."""

from __future__ import annotations

from typing import Any

import pytest
from lsprotocol import types

from goal_server.lsp_actions import (
    ACCEPT,
    NEW_GOAL,
    TEXT,
    Offer,
    find_goals,
    find_new_goals,
    offer_repair,
    render_actions,
)
from goal_server.lsp_reading import Repair

QUICK, REFACTOR = types.CodeActionKind.QuickFix, types.CodeActionKind.Refactor
URI = "file:///a.py"


def at(*place: int) -> types.Range:
    return types.Range(types.Position(*place[:2]), types.Position(*place[2:]))


def a_problem(source: str | None = "ruff", **data: Any) -> types.Diagnostic:
    return types.Diagnostic(
        range=at(0, 0, 0, 3), message="no\nway", source=source, data=data or None
    )


def asked(where: types.Range, *about: types.Diagnostic) -> types.CodeActionParams:
    context = types.CodeActionContext(diagnostics=about)
    return types.CodeActionParams(types.TextDocumentIdentifier(URI), where, context)


OFFERS = (
    Offer("quick", QUICK, "goal.execute", {"goal": "g"}, a_problem()),
    Offer("other", REFACTOR, NEW_GOAL, {"text": "t"}),
)


@pytest.mark.parametrize(
    ("only", "titles"),
    [
        (None, ["quick", "other"]),
        ([""], ["quick", "other"]),
        (["quickfix"], ["quick"]),
        (["refactor"], ["other"]),
        (["refactor.extract", "source"], []),
        ([], []),
    ],
)
def test_only_the_kinds_that_are_asked_for_are_offered(
    only: list[str] | None, titles: list[str]
) -> None:
    assert [item.title for item in render_actions(OFFERS, only, literals=True)] == titles


def test_a_client_without_literals_gets_commands() -> None:
    for item in render_actions(OFFERS, None, literals=False):
        assert isinstance(item, types.Command) and item.arguments
    first, second = render_actions(OFFERS, None, literals=True)
    assert isinstance(first, types.CodeAction) and isinstance(second, types.CodeAction)
    assert first.command and first.command.command == "goal.execute"
    assert first.diagnostics == [a_problem()] and second.diagnostics is None


def test_a_new_goal_begins_with_what_is_selected_or_wrong() -> None:
    params = asked(at(0, 0, 1, 1), a_problem(), a_problem("goalproof"))
    found = list(find_new_goals(URI, "abc\ndef", params, "goalproof"))
    assert [(offer.kind, offer.argument["text"]) for offer in found] == [
        (QUICK, "no way"),
        (REFACTOR, "abc\nd"),
    ]
    assert found[1].argument == {
        "text": "abc\nd",
        "uri": URI,
        "range": {"start": {"line": 0, "character": 0}, "end": {"line": 1, "character": 1}},
    }


def test_nothing_selected_is_no_goal_and_much_is_cut() -> None:
    assert list(find_new_goals(URI, "abc", asked(at(0, 1, 0, 1)), "goalproof")) == []
    assert list(find_new_goals(URI, "   ", asked(at(0, 0, 0, 3)), "goalproof")) == []
    (offer,) = find_new_goals(URI, "a" * 9 * TEXT, asked(at(0, 0, 9, 9)), "goalproof")
    assert len(offer.argument["text"]) == TEXT


def test_only_our_problems_name_goals() -> None:
    ours = a_problem("goalproof", goal="goal-1")
    strange = (a_problem("ruff", goal="goal-2"), a_problem("goalproof", goal=3), a_problem(None))
    assert find_goals(asked(at(0, 0, 0, 0), ours, ours, *strange), "goalproof") == {"goal-1": ours}


def test_what_has_no_command_of_the_server_is_accepted_by_the_client() -> None:
    assert offer_repair(Repair("Accept criterion a…", "", {})).command == ACCEPT
    assert offer_repair(Repair("Again", "goal.resume", {})).command == "goal.resume"
