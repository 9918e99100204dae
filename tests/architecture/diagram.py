"""The state diagram in ARCHITECTURE.md: `nox -s diagram` draws it from the table."""

from __future__ import annotations

from goal_engine.state.transitions import render_mermaid
from tests.architecture.source import ENGINE

PAGE = ENGINE / "ARCHITECTURE.md"
BEGIN = "<!-- transitions -->"
END = "<!-- /transitions -->"


def render_diagram() -> str:
    """Return the diagram as it stands between the markers."""
    return f"\n```mermaid\n{render_mermaid().strip()}\n```\n"


def find_diagram(page: str) -> str:
    """Return what the page has between the markers.  Raises `ValueError` where there are none."""
    start = page.index(BEGIN) + len(BEGIN)
    return page[start : page.index(END, start)]


def write_diagram() -> None:
    """Draw the diagram in the page anew."""
    page = PAGE.read_text()
    old = f"{BEGIN}{find_diagram(page)}{END}"
    PAGE.write_text(page.replace(old, f"{BEGIN}{render_diagram()}{END}"))


if __name__ == "__main__":
    write_diagram()
