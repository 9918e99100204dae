"""PROTOCOL.md is what the registry says."""

from __future__ import annotations

from goal_server.protocol_page import PAGE, render_page
from goal_server.registry import OPERATIONS


def test_the_page_is_generated_from_the_registry() -> None:
    said = PAGE.read_text(encoding="utf-8")
    assert said == render_page(), "run `python -m goal_server.protocol_page`"


def test_every_command_is_on_the_page() -> None:
    page = render_page()
    assert all(f"`{operation.command}`" in page for operation in OPERATIONS)
