"""What a goal's words say: its kind with a reason, and what is missing to know when it is done."""

from __future__ import annotations

import pytest

from goal_engine.errors import BadGoal
from goal_engine.oracle import find_kind, find_questions, parse_goal_text
from goal_engine.types import GoalKind

KINDS = [
    ("Make the linter pass", "chore"),
    ("Fix lint errors", "chore"),
    ("Bump the dependencies", "chore"),
    ("fix the flaky login test", "fix"),
    ("The export button crashes on empty lists", "fix"),
    ("Repair the off by one in paging", "fix"),
    ("Fix the error in the docs", "fix"),
    ("add rate limiting to the login endpoint", "feature"),
    ("Add a dark mode", "feature"),
    ("implement CSV export", "feature"),
    ("support important reports", "feature"),
    ("Refactor the parser", "refactor"),
    ("Rename Session to Connection", "refactor"),
    ("Migrate from setup.py to pyproject", "migration"),
    ("Upgrade to Django 5", "migration"),
    ("Port the scripts to Python", "migration"),
    ("Speed up the search", "performance"),
    ("Make the list faster", "performance"),
    ("Fix the SQL injection in search", "security"),
    ("Harden the upload against path traversal", "security"),
    ("Document the public API", "docs"),
    ("Update the README", "docs"),
    ("Add tests for the parser", "test"),
    ("Raise test coverage of the billing module", "test"),
    ("Make sums right so that the tests pass", "fix"),
    ("Add a total so that all our tests are green", "feature"),
    ("Make it so", "mixed"),
    ("Tidy `add_feature()` and src/fix/crash.py", "mixed"),
    ("perfect prefix", "mixed"),
]


@pytest.mark.parametrize(("text", "kind"), KINDS)
def test_the_kind_that_words_speak_of(text, kind):
    choice = find_kind(text)
    assert choice.kind == kind, choice
    assert choice.reason


def test_every_kind_can_be_found():
    assert {kind for _, kind in KINDS} == {str(kind) for kind in GoalKind}


def test_the_reason_quotes_the_words_and_the_scores_are_shown():
    choice = find_kind("Fix the broken login page")
    assert choice.reason == '"fix", "broken" in the goal'
    assert dict(choice.scores) == {GoalKind.FIX: 7, GoalKind.FEATURE: 1}
    assert choice.scores[0][0] is GoalKind.FIX


def test_a_tie_is_mixed_and_says_between_what():
    choice = find_kind("Something to refactor, and docs")
    assert choice.kind is GoalKind.MIXED
    assert choice.reason == "its words speak as much of refactor and docs"


CLEAR = [
    *("Make the linter pass", "fix the flaky login test", "make ruff pass", "Add a dark mode"),
    *("add rate limiting to the login endpoint", "fix src/app.py", "rename `a` to `b`"),
    *("Fix the rounding of prices", "Remove find_user()", "Upgrade to Django 5", "fix tests"),
    *(
        "Login soll nach drei Versuchen sperren",
        "\u30ed\u30b0\u30a4\u30f3\u753b\u9762\u3092\u4fee\u6b63",
    ),
    "When the cart is empty, checkout answers 500; it should answer 400",
]
VAGUE = [
    *("make it better", "fix it", "improve stuff", "Make this awesome, please!", "do the thing"),
    *("fix the bugs", "clean up the code", "improve performance", "improve the user experience"),
    *("make the app nicer and more modern", "help", "Optimize everything", "it should just work"),
]


@pytest.mark.parametrize("text", CLEAR)
def test_a_goal_that_names_something_is_not_asked_about(text):
    assert find_questions(text) == ()


@pytest.mark.parametrize("text", VAGUE)
def test_a_vague_goal_is_asked_what_where_and_what_shows_it(text):
    assert [question.id for question in find_questions(text)] == ["what", "where", "shown-by"]


def test_what_was_said_already_is_not_asked_again():
    assert [question.id for question in find_questions("make src/app.py better")] == [
        "what",
        "shown-by",
    ]


def test_a_goal_is_taken_without_blanks_and_with_plain_line_ends():
    assert parse_goal_text("  fix\r\n\tit \n") == "fix\n\tit"
    assert len(parse_goal_text("x" * 4000)) == 4000


BAD = [
    ("", "empty"),
    (" \n ", "empty"),
    ("?!", "empty"),
    ("x" * 4001, "4001 characters"),
    ("fix \x1b[31mit", "U\\+001B, character 5"),
    ("fix\x00it", "U\\+0000"),
    ("fix \u202eti", "U\\+202E"),
    ("fix \ud800", "U\\+D800"),
    ("a\rb", "U\\+000D"),
]


@pytest.mark.parametrize(("text", "said"), BAD)
def test_what_is_no_goal_is_refused_with_the_reason(text, said):
    with pytest.raises(BadGoal, match=said) as caught:
        parse_goal_text(text)
    caught.value.paragraph.encode()
