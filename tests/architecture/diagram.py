"""The diagrams and tables in ARCHITECTURE.md: `nox -s diagram` draws them from the code's tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from goal_engine.state.possible import render_operations
from goal_engine.state.transitions import render_mermaid, render_task_mermaid
from tests.architecture.source import ENGINE

PAGE = ENGINE / "ARCHITECTURE.md"


def _draw(mermaid: str) -> str:
    return f"\n```mermaid\n{mermaid.strip()}\n```\n"


DRAWN: Mapping[str, Callable[[], str]] = {
    "transitions": lambda: _draw(render_mermaid()),
    "operations": lambda: f"\n{render_operations()}\n",
    "tasks": lambda: _draw(render_task_mermaid()),
}
"""What stands between the markers of each name."""


def find_drawn(page: str, name: str) -> str:
    """Return what the page has between two markers.  Raises `ValueError` where there are none."""
    start = page.index(f"<!-- {name} -->") + len(f"<!-- {name} -->")
    return page[start : page.index(f"<!-- /{name} -->", start)]


def draw(page: str) -> str:
    """Return the page with everything drawn anew."""
    for name, render in DRAWN.items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        page = page.replace(f"{begin}{find_drawn(page, name)}{end}", f"{begin}{render()}{end}")
    return page


if __name__ == "__main__":
    PAGE.write_text(draw(PAGE.read_text()))
