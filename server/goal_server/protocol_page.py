"""Writes `server/PROTOCOL.md` and the editors' mirrors of it: `python -m goal_server.protocol_page`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from goal_engine.budget import Spend
from goal_engine.progress import GoalProgressSnapshot
from goal_engine.types import GoalId, GoalPhase, GoalStatus
from goal_server.lsp_progress import render_snapshot
from goal_server.lsp_settings import CLIENT_ONLY, SETTINGS
from goal_server.protocol_mirrors import render_lua, render_typescript
from goal_server.registry import OPERATIONS, load

PAGE = Path(__file__).parent.parent / "PROTOCOL.md"
EDITORS = PAGE.parent.parent / "editors"

INTRODUCTION = """\
# What Goalproof says beside LSP

Generated from the registry by `python -m goal_server.protocol_page`; a test holds it to the code.

## Trust

`initializationOptions.trusted` is `true` or the workspace is untrusted; `goal/didChangeTrust` with
`{"trusted": …}` changes that. Operations with the effect *execute* are refused while it is untrusted,
and no lens is shown.

## Commands

Each is a command of `workspace/executeCommand` that takes one object: the parameters below, in
camelCase, and optionally `root`, the URI of the workspace (the first folder when left out). A refusal is
the error -32803 with `{"class", "message"}` as data; parameters that do not fit are -32602 with the
fields at fault as data; a fault of the server is -32603, without paths. `$/cancelRequest` cancels a command.

Operations that work for long (*goes on*) answer as soon as the goal moves, and go on without the request.
`shutdown` pauses what runs; the exit code is 0 after it and 1 without. The server ends with the process that
`processId` names, where it can see it. A message of more than 64 MiB is refused with -32600; what the server
asks is given up after 30 s, or an hour where a person answers.
"""

REQUESTS = """\
## Requests

`goal/wait` takes `{"goal", "root"?}` and answers with the goal once nothing works on it in this server.
Cancelling it stops the waiting, not the goal.

## Notifications

`goal/progress` tells of a goal, at most ten times a second, the last state always. A lower `rev` is older.
Clients with `window.workDoneProgress` get `$/progress` as well, with a percentage; cancelling it pauses
the goal.

"""

SETTINGS_TEXT = """\
## Settings

The section `goalproof`. Clients with `workspace.configuration` are asked for it after `initialized` and after each
`workspace/didChangeConfiguration`, once for every folder; what others push as `settings.goalproof` counts, and
`initializationOptions.settings` until there is either. A key that cannot be used is told once, by
`window/logMessage`, and has its default. No setting gives trust.
"""


def render_page() -> str:
    """Return the page."""
    rows = [
        f"| `{row.command}` | {row.title} | {', '.join(row.effects)}"
        f"{' · goes on' if row.progress else ''} | {_fields(load(row.params))} "
        f"| `{load(row.result).__name__}` |"
        for row in OPERATIONS
    ]
    head = ["| command | what it does | effects | parameters | result |", "|---|---|---|---|---|"]
    results = {load(row.result) for row in OPERATIONS}
    told = sorted(results, key=lambda model: str(model.__name__))
    listed = [f"* `{model.__name__}`: {_fields(model)}" for model in told]
    snapshot = [f"* `goal/progress`: {_names(_example())}"]
    page = [INTRODUCTION, *head, *rows, "", "Results:", "", *listed, "", REQUESTS + snapshot[0], ""]
    return "\n".join([*page, *_settings()])


def _settings() -> list[str]:
    rows = [
        f"| `{row.key}` | {row.kind.words} | `{json.dumps(row.default)}` | {row.title} |"
        for row in SETTINGS
    ]
    ignored = ", ".join(f"`{key}`" for key in CLIENT_ONLY)
    return [
        SETTINGS_TEXT,
        "| key | what it is | default | what it does |",
        "|---|---|---|---|",
        *rows,
        "",
        f"Only clients act on {ignored}.",
        "",
    ]


def _fields(model: Any) -> str:
    """Return the fields of a model as they are on the wire; optional ones with a question mark."""
    return (
        ", ".join(
            f"`{field.alias or name}{'' if field.is_required() else '?'}`"
            for name, field in model.model_fields.items()
        )
        or "none"
    )


def _names(message: dict[str, Any]) -> str:
    return ", ".join(f"`{name}`" for name in message)


def _example() -> dict[str, Any]:
    """Return a notification as it is sent, for its names."""
    return render_snapshot(
        GoalProgressSnapshot(
            goal_id=GoalId("goal-20260101-000000-000-00000000"),
            rev=1,
            text="",
            status=GoalStatus.RUNNING,
            phase=GoalPhase.EXECUTION,
            done=0,
            total=1,
            lines=(),
            spend=Spend(),
        )
    )


PAGES: dict[Path, Callable[[], str]] = {
    PAGE: render_page,
    EDITORS / "vscode" / "src" / "protocol.ts": render_typescript,
    EDITORS / "nvim" / "lua" / "goalproof" / "protocol.lua": render_lua,
}
"""Every file that is made from the registry."""


def write_pages() -> None:
    """Write them all."""
    for path, render in PAGES.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    write_pages()
