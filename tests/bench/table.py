"""A row is a figure beside its budget; nobody fails because of one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One measured figure, in the unit of its budget."""

    name: str
    figure: float
    budget: float | None
    """The most it should be; `None` where a figure only explains another."""
    unit: str
    note: str = ""

    @property
    def met(self) -> str:
        """Whether the figure is within its budget."""
        if self.budget is None:
            return ""
        return "yes" if self.figure <= self.budget else "no"


def render_table(rows: Iterable[Row]) -> str:
    """Return the rows in columns."""
    cells = [("what", "figure", "budget", "met", "how")]
    for row in rows:
        budget = "" if row.budget is None else f"{row.budget:g} {row.unit}"
        cells.append((row.name, f"{row.figure:.2f} {row.unit}", budget, row.met, row.note))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) for line in cells]
    return "\n".join(line.rstrip() for line in lines)
