"""What a person sets for themselves, as tests set it."""

from __future__ import annotations

import json
from pathlib import Path


def set_sandbox(
    config: Path, wanted: str, shows: tuple[Path, ...] = (), writes: tuple[Path, ...] = ()
) -> None:
    """Write the person's settings into their configuration folder `config`."""
    config.mkdir(parents=True, exist_ok=True)
    shown, written = (json.dumps([str(path) for path in paths]) for paths in (shows, writes))
    text = f'sandbox = "{wanted}"\nsandbox_shows = {shown}\nsandbox_writes = {written}\n'
    (config / "settings.toml").write_text(text, encoding="utf-8")
