"""Where git reads of the person's own beside a repository: their configuration, and hooks elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path

HOOKS = (
    *("applypatch-msg", "pre-applypatch", "post-applypatch", "pre-commit", "pre-merge-commit"),
    *("prepare-commit-msg", "commit-msg", "post-commit", "pre-rebase", "post-checkout"),
    *("post-merge", "pre-push", "pre-auto-gc", "post-rewrite", "sendemail-validate"),
    *("fsmonitor-watchman", "post-index-change", "reference-transaction", "push-to-checkout"),
)
"""Names that git runs in the person's own repository (`githooks`)."""
MOST_HOOKS = 64
"""Files of a folder that is taken to be one of hooks alone: what they read is beside them."""


def find_own_configs(variables: Mapping[str, str]) -> tuple[Path, ...]:
    """Return where git looks for the person's own configuration, there or not."""
    named = variables.get("GIT_CONFIG_GLOBAL")
    home = variables.get("HOME", "")
    config = variables.get("XDG_CONFIG_HOME") or (f"{home}/.config" if home else "")
    told = (config and f"{config}/git/config", home and f"{home}/.gitconfig")
    found = (named,) if named is not None else told
    return tuple(Path(os.path.normpath(path)) for path in found if Path(path).is_absolute())


def is_path(value: str) -> bool:
    """Whether a setting can be the name of a file."""
    return value != "" and "\0" not in value


def find_hook_folders(checkout: Path, values: Iterable[str]) -> tuple[Path, ...]:
    """Return the folders that values of `core.hooksPath` name; husky's own scripts lie around its `_`."""
    found: dict[Path, None] = {}
    for value in filter(is_path, values):
        with suppress(RuntimeError):  # nobody's home
            value = str(Path(value).expanduser())
        folder = Path(os.path.normpath(checkout / value))
        found[folder] = None
        if folder.name == "_":
            found[folder.parent] = None
    return tuple(found)


def list_hooks(folder: Path) -> Iterator[Path]:
    """Yield what git runs of a folder, and where it is one of hooks alone, the files beside it."""
    try:
        with os.scandir(folder) as entries:
            found = sorted(entry.name for entry in islice(entries, MOST_HOOKS + 1))
    except OSError:
        return
    names = found if len(found) <= MOST_HOOKS else HOOKS
    yield from (folder / name for name in names if not _is_folder(folder / name))


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
