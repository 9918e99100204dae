"""What a person sets for themselves, as tests set it."""

from __future__ import annotations

from pathlib import Path


def set_sandbox(config: Path, wanted: str, shows: tuple[Path, ...] = ()) -> None:
    """Write the person's settings into their configuration folder `config`."""
    config.mkdir(parents=True, exist_ok=True)
    shown = ", ".join(f'"{path}"' for path in shows)
    text = f'sandbox = "{wanted}"\nsandbox_shows = [{shown}]\n'
    (config / "settings.toml").write_text(text, encoding="utf-8")
