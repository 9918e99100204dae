"""What a person set in their editor, as the language server uses it: values only, read and checked elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LensMode = Literal["all", "summary", "off"]


@dataclass(frozen=True, slots=True)
class Preferences:
    """The settings of the section `goalproof` that the server acts on; the defaults are those of an editor that sets none."""

    lens: LensMode = "all"
    """Which code lenses are shown: all of them, the summary at the top of a file alone, or none."""
    diagnostics: bool = True
    """Whether failing tests and mistakes in goal documents are published as diagnostics."""
    worker: str = ""
    """The kind of worker for new goals; empty means that the plan or the engine chooses."""
    agent: str = ""
    """The agent for new goals, by preset or configured name; empty means the default."""
    max_agents: int | None = None
    """How many tasks of a goal may run at once; none means the engine's default."""
    wall_seconds: int | None = None
    """How long a goal may be worked on, in seconds; none means no limit set here."""
