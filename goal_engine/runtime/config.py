"""Where things are kept: goals with the workspace, everything a worker must not reach outside it."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from goal_engine.errors import StoreUnwritable
from goal_engine.runtime.atomic import make_dirs, write_atomic, write_once, writing
from goal_engine.runtime.regular import read_regular

FOLDER = ".goalproof"
LIMIT = 1 << 16
WORKSPACE_ID = re.compile(r"[0-9a-f]{32}")


def state_dir() -> Path:
    """Return the person's state directory for Goalproof; `GOALPROOF_STATE_DIR` overrides it."""
    override = os.environ.get("GOALPROOF_STATE_DIR")
    if override:
        return Path(override).expanduser().resolve()
    from platformdirs import user_state_path  # costs time that `--help` must not pay

    return user_state_path("goalproof", appauthor=False)


def config_dir() -> Path:
    """Return the person's own settings for Goalproof; `GOALPROOF_CONFIG_DIR` overrides it."""
    override = os.environ.get("GOALPROOF_CONFIG_DIR")
    if override:
        return Path(override).expanduser().resolve()
    from platformdirs import user_config_path  # costs time that `--help` must not pay

    return user_config_path("goalproof", appauthor=False)


def read_workspace_id(checkout: Path) -> str:
    """Return the random id of a workspace, made when it is first asked for."""
    folder = checkout / FOLDER
    path = folder / "id"
    if not path.exists():
        make_dirs(folder)
        if not (folder / ".gitignore").exists():
            write_atomic(folder / ".gitignore", b"*\n", 0o644)
        write_once(path, secrets.token_hex(16).encode() + b"\n")
    with writing(path):
        text = read_regular(path, LIMIT).decode("ascii", "replace").strip()
    if not WORKSPACE_ID.fullmatch(text):
        raise StoreUnwritable(
            f"{path} does not hold a workspace id. Remove that file: a new id is made, and gates "
            "have to be approved again."
        )
    return text
