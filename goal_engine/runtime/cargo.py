"""A workspace has a target folder of its own, also where the person's cargo has one for all projects.

What is compiled there is found by the next build through times and names, so a workspace that shares
it could judge what another one compiled, and would lock the person's own builds out.  Registry and git
checkouts of the person's are read as they are.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

CONFIGURATIONS = ("config.toml", "config")
LARGEST = 1 << 20
"""Bytes of a configuration that are read."""
TARGET = "CARGO_TARGET_DIR"


def view_cargo(workspace: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables that keep cargo's output with `workspace`; none where it is there anyway.

    The person's cargo is configured in `CARGO_HOME`, a project's in `.cargo`, where a relative
    folder lies in the workspace already.  A configuration that is damaged is cargo's to refuse.
    """
    home = environ.get("CARGO_HOME") or Path(environ.get("HOME") or Path.home()) / ".cargo"
    personal = _find_target(Path(home))
    own = _find_target(workspace / ".cargo")
    if own is not None and not own.is_absolute() and ".." not in own.parts:
        return {}  # a project's counts before the person's
    if personal is None and own is None:
        return {}
    return {TARGET: str(workspace.with_name(f"{workspace.name}.env") / "cargo-target")}


def _find_target(folder: Path) -> Path | None:
    for name in CONFIGURATIONS:
        with suppress(OSError, ValueError):
            if (folder / name).is_file():
                return _read_target(folder / name)
    return None


def _read_target(file: Path) -> Path | None:
    with file.open("rb") as opened:
        read: dict[str, Any] = tomllib.loads(opened.read(LARGEST).decode())
    build = read.get("build")
    found = build.get("target-dir") if isinstance(build, dict) else None
    return Path(found) if isinstance(found, str) and found else None
