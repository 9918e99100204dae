"""What a person set for themselves, in a file of their own; nothing of a repository is read here."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, ValidationError

from goal_engine.errors import BadConfiguration
from goal_engine.permission import TIMEOUT, Level, Pattern, Permissions
from goal_engine.runtime.config import config_dir
from goal_engine.toml import UNREADABLE
from goal_engine.types import Frozen

FILE = "settings.toml"
LIMIT = 64 * 1024
"""Bytes of it that are read."""
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
AGENT = r"^([a-z0-9][a-z0-9_-]{0,31})?$"


def _check_variable(name: str) -> str:
    """One of git's could lead each git that a gate starts into another repository."""
    if not VARIABLE.fullmatch(name) or name.upper().startswith("GIT_"):
        raise ValueError(f"has {name[:60]!r}, which is no variable that may be let through")
    return name


class PersonalSettings(Frozen):
    """`settings.toml` of the person's configuration folder."""

    model_config = ConfigDict(strict=True)

    sandbox: Literal["auto", "required", "off"] = "auto"
    """Whether workers and gates run in a sandbox: where there can be one, always, or never."""
    sandbox_shows: list[str] = []
    """Paths that they may read although they hold secrets, `~` for the home folder."""
    sandbox_writes: list[str] = []
    """Paths that they may write to beside their workspaces: a build tool's cache, say."""
    agent: Annotated[str, StringConstraints(pattern=AGENT)] = ""
    """Who does the goals that name nobody, by the name that `goalproof agents` shows."""
    reviewer: Annotated[str, StringConstraints(pattern=AGENT)] = ""
    """The agent that reviews each result which the gates said yes to, beside the engine's own review."""
    planner: Literal["scaffold", "agent"] = "scaffold"
    """Who makes the plan of a goal that an agent does, where none is given."""
    protocol: Literal["", "acp", "wire", "cli"] = ""
    """The worker by which agents are started, where an agent has it; else the best that it has."""
    variables: list[Annotated[str, AfterValidator(_check_variable)]] = []
    """Names of variables of their environment that workers and gates get, beside the usual ones."""
    permissions: Level = "workspace"
    """What agents that ask may do without asking the person: nothing at all (`deny`) or all that
    concerns their workspace or everything (`all`); with `ask` the person decides each."""
    permissions_allow: Annotated[list[Pattern], Field(max_length=200)] = []
    """What they may do beside that: `git push*`, `read: /data/*`."""
    permissions_deny: Annotated[list[Pattern], Field(max_length=200)] = []
    """What they may not do whatever allows it."""
    permissions_timeout: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] = TIMEOUT
    """Seconds that the person has for an answer; then it is no.  With 0 nobody is waited for."""

    def find_permissions(self, level: Level | None, deny: Iterable[str]) -> Permissions:
        """Return what agents may do for a goal that may want less: `level`, and patterns to `deny`."""
        own = Permissions(
            level=self.permissions,
            allow=tuple(self.permissions_allow),
            deny=tuple(self.permissions_deny),
            timeout=self.permissions_timeout,
        )
        return own.narrowed(level, deny)


def read_personal_settings() -> PersonalSettings:
    """Return what the person set; the defaults where there is no file.

    Raises `BadConfiguration`: a setting that protects somebody is never guessed.
    """
    path = config_dir() / FILE
    try:
        with path.open("rb") as file:
            raw = tomllib.loads(file.read(LIMIT).decode())
        return PersonalSettings.model_validate(raw)
    except (FileNotFoundError, NotADirectoryError):
        return PersonalSettings()
    except ValidationError as error:
        said = "; ".join(
            f"`{'.'.join(map(str, item['loc']))}`: {item['msg']}" for item in error.errors()
        )
    except (OSError, *UNREADABLE) as error:
        said = (error.strerror if isinstance(error, OSError) else None) or str(error)
    raise BadConfiguration(
        f'{path} cannot be used: {said}. It may say `sandbox = "auto"` (or "required", "off") and '
        '`sandbox_shows = ["~/.aws"]` and `sandbox_writes = ["~/.gradle"]`, and '
        '`variables = ["DATABASE_URL"]`, none of git\'s own, and `agent = "codex"`, `planner = "agent"`, `reviewer = "claude"` and '
        '`protocol = "acp"` (or "wire", "cli"), and `permissions = "workspace"` (or "deny", "ask", "all") '
        'with `permissions_allow = ["git push*"]`, `permissions_deny` and `permissions_timeout = 300`; '
        "correct it, or move it "
        "away to use the defaults."
    )
