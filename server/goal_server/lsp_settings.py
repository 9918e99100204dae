"""The section `goalproof` of an editor's settings is one table; what does not fit it is told, never obeyed.

Pure: whoever asks the editor is elsewhere.  A setting that cannot be used has its default, and no
setting gives trust.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from goal_server.plain import plain_line
from goal_server.preferences import Preferences

SECTION = "goalproof"
SHOWN = 60
"""Characters of a bad value in a complaint."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a setting may be, in words and in the languages of the editors."""

    words: str
    fits: Callable[[object], bool]
    typescript: str
    lua: str


def one_of(*names: str) -> Kind:
    """Return the kind that has these values alone."""
    quoted = [json.dumps(name) for name in names]
    return Kind(
        words=f"one of {', '.join(quoted)}",
        fits=lambda value: isinstance(value, str) and value in names,
        typescript=" | ".join(quoted),
        lua="|".join(f"'{name}'" for name in names),
    )


def whole(limit: int | None = None) -> Kind:
    """Return the kind of whole numbers from 1 to `limit`."""

    def fits(value: object) -> bool:
        number = isinstance(value, int) and not isinstance(value, bool)
        return number and value >= 1 and (limit is None or value <= limit)  # type: ignore[operator]

    words = "a whole number above 0" if limit is None else f"a whole number from 1 to {limit}"
    return Kind(f"{words}, or null", fits, "number | null", "integer?")


YES_OR_NO = Kind(
    "true or false", lambda value: isinstance(value, bool), typescript="boolean", lua="boolean"
)
TEXT = Kind("a text", lambda value: isinstance(value, str), typescript="string", lua="string")


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of the section that the server acts on."""

    key: str
    field: str
    """The field of `Preferences`, which has the default."""
    kind: Kind
    title: str

    @property
    def default(self) -> Any:
        """Return what holds when nothing is set."""
        return getattr(Preferences(), self.field)


SETTINGS = (
    Setting("lens", "lens", one_of("all", "summary", "off"),
            "Which code lenses are shown: all, the summary at the top of a file, or none."),
    Setting("diagnostics", "diagnostics", YES_OR_NO,
            "Whether failing tests and mistakes in goal documents are shown as diagnostics."),
    Setting("worker", "worker", one_of("", "recipe", "acp", "wire", "cli", "manual"),
            "The kind of worker for new goals; empty lets the plan or the engine choose."),
    Setting("agent", "agent", TEXT,
            "The agent for new goals, by the name that `goalproof agents` shows; empty for none."),
    Setting("maxAgents", "max_agents", whole(64),
            "How many tasks of a new goal may run at once; null for the engine's default."),
    Setting("wallSeconds", "wall_seconds", whole(),
            "How many seconds a new goal may be worked on; null for no limit."),
)  # fmt: skip
"""What the server acts on."""

CLIENT_ONLY = (
    "importStrategy", "interpreter", "notifications", "path", "saveOnApply", "statusline", "trace",
)  # fmt: skip
"""What only a client acts on; the server takes no notice."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """Settings as they can be used, and what is wrong with what was said."""

    preferences: Preferences = Preferences()
    complaints: tuple[str, ...] = ()
    """One sentence for each key at fault."""


def parse_settings(said: object) -> Parsed:
    """Return what the section `goalproof` means; `None` means that nothing is set."""
    if said is None:
        return Parsed()
    if not isinstance(said, dict):
        complaint = (
            f"{SECTION} is {_show(said)}, but settings are an object; the defaults are used."
        )
        return Parsed(complaints=(complaint,))
    chosen: dict[str, Any] = {}
    complaints = [_say_unknown(key) for key in said if not _is_known(key)]
    for setting in SETTINGS:
        value = said.get(setting.key)
        if value is None:
            continue
        if setting.kind.fits(value):
            chosen[setting.field] = value
        else:
            complaints.append(
                f"{SECTION}.{setting.key} is {_show(value)}, but it is {setting.kind.words}; the"
                f" default, {json.dumps(setting.default)}, is used."
            )
    return Parsed(Preferences(**chosen), tuple(complaints))


def _is_known(key: object) -> bool:
    return key in CLIENT_ONLY or any(key == setting.key for setting in SETTINGS)


def _say_unknown(key: object) -> str:
    if key == "trusted":
        return (
            f"{SECTION}.trusted is no setting: trust is given by the editor when it starts the"
            " server, and with goal/didChangeTrust. It is ignored."
        )
    known = [*(setting.key for setting in SETTINGS), *CLIENT_ONLY]
    near = difflib.get_close_matches(str(key), known, n=1)
    meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}."
    return f"{SECTION}.{plain_line(str(key))[:SHOWN]} is no setting of Goalproof and is ignored; {meant}"


def _show(value: object) -> str:
    shown = plain_line(json.dumps(value, ensure_ascii=False, default=repr))
    return shown if len(shown) <= SHOWN else shown[:SHOWN] + "…"


def is_yes(said: object) -> bool:
    """Whether a client trusts the workspace: only an explicit, well-formed yes counts."""
    return isinstance(said, dict) and said.get("trusted") is True


def find_trust_problem(said: object) -> str:
    """Return what is wrong with a client's word on trust, empty when it is a yes, a no or none."""
    word = said.get("trusted", False) if isinstance(said, dict) else False
    if isinstance(word, bool):
        return ""
    return (
        f"trusted is {_show(word)}, but only true is a yes, so the workspace is not trusted and"
        " nothing of it is run."
    )
