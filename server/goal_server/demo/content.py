"""What the demo works on.  Template files end in `.txt`, so that no tool takes them for our code."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

SUFFIX = ".txt"
_HERE = files("goal_server.demo")

PLAN: str = _HERE.joinpath("plan.toml").read_text(encoding="utf-8")
"""The plan as a TOML document, one task for each of the four bugs."""


def write_application(target: Path) -> None:
    """Write the sample application with its bugs into `target`, which is made if need be."""
    _copy(_HERE.joinpath("app"), target)


def _copy(source: Traversable, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for entry in source.iterdir():
        if entry.is_dir():
            _copy(entry, target / entry.name)
        elif entry.name.endswith(SUFFIX):
            (target / entry.name.removesuffix(SUFFIX)).write_bytes(entry.read_bytes())
