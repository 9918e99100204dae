"""How much room the person gives to what is kept outside their checkouts, and for how long.

One file of theirs, beside `agents.toml`; a repository has none.  What is not set is not limited.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field, ValidationError

from goal_engine.errors import BadConfiguration
from goal_engine.runtime.atomic import measure
from goal_engine.runtime.config import config_dir, state_dir
from goal_engine.toml import UNREADABLE
from goal_engine.types import Frozen

FILE = "storage.toml"
LIMIT = 64 * 1024
"""Bytes of the file that are read."""
Days = Annotated[int, Field(ge=0, le=36500)]


class StoragePolicy(Frozen):
    """What the person set in `storage.toml`."""

    model_config = ConfigDict(strict=True)

    limit_mib: Annotated[int, Field(gt=0)] | None = None
    """MiB that workspaces, caches and agents' sessions of all repositories may take; work that needs more is refused."""
    archive_after_days: Days | None = None
    """Days after which `gc` archives a goal that was delivered or cancelled."""
    drop_after_days: Days | None = None
    """Days in the archive after which `gc` lets go of the results of each task of an ended goal."""


COUNTED = ("workspaces", "sessions", "gates", "set-ups")
"""The folders of a state directory that the limit is about."""


def find_left(policy: StoragePolicy) -> int | None:
    """Return the bytes that the person's limit leaves for more; `None` without one; blocking."""
    if policy.limit_mib is None:
        return None
    folders = (state_dir().glob(f"*/{name}") for name in COUNTED)
    used = sum(measure(path) for paths in folders for path in paths)
    return max(0, (policy.limit_mib << 20) - used)


def storage_path() -> Path:
    """Return the file in which a person says how much is kept."""
    return config_dir() / FILE


def read_storage_policy() -> StoragePolicy:
    """Return what the person set.  Raises `BadConfiguration`."""
    path = storage_path()
    try:
        with path.open("rb") as file:
            return StoragePolicy.model_validate(tomllib.loads(file.read(LIMIT).decode()))
    except (FileNotFoundError, NotADirectoryError):
        return StoragePolicy()
    except ValidationError as error:
        said = "; ".join(f"`{item['loc'][0]}`: {item['msg']}" for item in error.errors())
        names = ", ".join(StoragePolicy.model_fields)
        raise BadConfiguration(
            f"{path} cannot be used: {said}. It may have {names}, each a whole number."
        ) from error
    except (OSError, *UNREADABLE) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise BadConfiguration(
            f"{path} cannot be read: {why}. Correct it, or move it away to have no limits."
        ) from error
