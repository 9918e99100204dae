"""What PROTOCOL.md says is what the server does."""

from __future__ import annotations

from pathlib import Path

import pytest

from goal_server.protocol_page import find_views, main, render_page, render_shape
from goal_server.registry import OPERATIONS, load

PAGE = Path(__file__).parents[2] / "server" / "PROTOCOL.md"


def test_the_page_is_what_the_registry_says() -> None:
    written = PAGE.read_text(encoding="utf-8")
    again = "run `python -m goal_server.protocol_page server/PROTOCOL.md`"
    assert written == render_page(), f"PROTOCOL.md is stale: {again}"


def test_every_command_and_every_result_is_described() -> None:
    page = render_page()
    for operation in OPERATIONS:
        assert f"| `{operation.command}` |" in page
        assert f"### {load(operation.result).__name__}\n" in page
        for field in load(operation.params).model_fields.values():
            assert f"- `{field.alias}`" in page


def test_no_view_is_named_without_being_described() -> None:
    names = {model.__name__ for model in find_views()}
    assert {"GoalView", "TaskView", "ProgressView", "SpendView"} <= names


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (str, "string"),
        (int | None, "integer or null"),
        (tuple[str, ...], "list of string"),
        (bool, "boolean"),
    ],
)
def test_an_annotation_is_told_in_words(annotation: object, words: str) -> None:
    assert render_shape(annotation) == words


def test_the_module_writes_the_page(tmp_path: Path) -> None:
    assert main([str(tmp_path / "page.md")]) == 0
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == render_page()
