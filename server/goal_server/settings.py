"""What holds for a whole command line: `-C`, `--json`, `--trust`, before or after the verb."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Settings:
    """Filled while the line is parsed."""

    path: Path = field(default_factory=Path)
    """Where to work: a folder in the checkout."""
    json: bool = False
    trust: bool = False
