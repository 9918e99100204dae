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

## Start

`goalproof lsp`, or `python -m goal_server lsp`, on standard input and output. `serverInfo` has the version.
`initializationOptions`: `trusted`, `settings` (below), and `clientCommands`: those of the client's own commands
`goalproof.newGoalFrom` and `goalproof.accept` that code actions may name.

## Trust

`initializationOptions.trusted` is `true` or the workspace is untrusted; `goal/didChangeTrust` with
`{"trusted": …}` changes that. Only `true` is a yes; anything else is a no, and what is malformed is told by
`window/logMessage`. Operations with the effect *execute* are refused while it is untrusted (`NotTrusted`), and no
lens is shown. When trust is taken back, what runs is paused.

Gates are trusted by content, detected ones too. A goal whose gates were not approved, or changed since, is
refused with `GatesNotApproved` and, as `data.gates`, all that they would run: `name`, `argv`, `cwd`, `env` (names),
`fix`, `command` (all of that as one line, nothing hidden), `reason`, `digest`. A client shows that to the person,
calls `goal.trustGate` with the digests that they approved, and repeats. Approvals are kept outside the workspace, for
the command line as well.

## Folders

One server for all folders, one engine for each repository. `root` is a place in an open folder, or in the repository
that an open folder is part of, links resolved; anything else is -32602. A client that has no folder open may name
any place. `workspace/didChangeWorkspaceFolders` opens and closes: when the last folder of a repository is closed, what
runs there is paused, what was asked of it meanwhile is refused, and its problems are taken back.

## Commands

Each is a command of `workspace/executeCommand` that takes one object: the parameters below, in
camelCase, and optionally `root`, the URI of the workspace (the first folder when left out). A refusal is
the error -32803 with `{"class", "message"}` as data; parameters that do not fit are -32602 with the
fields at fault as data; a fault of the server is -32603, without paths. `$/cancelRequest` cancels a command.

Operations that work for long (*goes on*) answer as soon as the goal moves, and go on without the request.
`shutdown` pauses what runs; the exit code is 0 after it and 1 without. The server ends with the process that
`processId` names, where it can see it. A message of more than 64 MiB is refused with -32600; what the server
asks is given up after 30 s, an edit (`workspace/applyEdit`), which its person may be asked about, after 60 s.
"""

FILES = """\
## Plans, logs and files

`planText` is the text of a plan; `plan` names the file that it is from, or that is read without it. `run`, `plan`,
`execute` and `revise` also take `document`, the URI of a plan: if it is open, its buffer counts, saved or not.

`goal.log` answers with at most 64 kB from `offset` (bytes) on, and with the `offset` of what follows. While `live`,
more may come: ask again with it, and with the `task` or `gate` of the answer. `follow` waits until there is more.

`goal.apply` goes through `workspace/applyEdit` where the client has it: text with one line ending, whole lines,
versioned for open documents, `CreateFile` and `DeleteFile` where it takes them. All else (binary files, links,
permissions) is written to the disk afterwards. It is refused (`ChangeDoesNotFit`) over a buffer or file that is neither
as before nor as after the change, and recorded only once the client says that it was applied. Saving is the client's.
"""

REQUESTS = """\
## Requests

`goal/wait` takes `{"goal", "root"?}` and answers with the goal once nothing works on it in this server.
Cancelling it stops the waiting, not the goal.

`goal/explain` takes a place, `{"textDocument": {"uri"}, "position"}`, or `{"goal", "criterion"?, "root"?}`, and answers
with `{"goal", "mode", "task", "criterion", "gate", "markdown"}`, or null where no goal changed anything. `mode` is
`proposed`, `present`, `moved` or `stale`; null for a criterion.

`goal/render` takes `{"goal", "page", "task"?, "path"?, "root"?}` and answers with `{"title", "text", "languageId",
"exists", "binary"}`. Pages: `goal`, `plan`, `proof`, `diff`, `diagnosis`, `review`, `replay`, and `base` and `head`, the text of the file `path` before
and after the change of the goal or task; only files of that change have them.

## What is shown in files

Lines and columns are counted in UTF-16; documents are synchronized by increments. A file outside every repository, or
that is no `file:`, has nothing to show, and neither has an untrusted workspace; mistakes in documents are told always.

| where | lens | command |
|---|---|---|
| top of a changed file | the goal, its status, and how its changes stand | `goal.show` `{goal, root}` |
| proposed region | goal, +n −m | `goal.diff` `{goal, root, path}` |
| the same, when it may be applied | Apply | `goal.apply` `{goal, root}` |
| present or moved region | task → criterion → gate, ticked when that is shown | `goal.show` `{goal, root}` |
| region that was edited since | changed since … was proved | `goal.diff` `{goal, root, path}` |
| a goal's `plan.toml`, not begun | ▸ Run this plan | `goal.execute` `{goal, root, document}` |
| the same | Discard | `goal.cancel` `{goal, root}` |

At most 200 lenses and three goals are shown in a file. `workspace/codeLens/refresh` is asked for when what lenses are
made of changed, if the client has `refreshSupport`. Hover says why a region is there.

Diagnostics are pushed, with the source `goalproof`: failing tests of goals that are not decided (code: the gate; data:
`goal`, `gate`, `test`, `root`), what a review found (code: the rule; data: `goal`, `root`, `rule`, and `criterion` where it
blocks; the line is the result's), mistakes in `goalproof.toml` and in plans (code: the file's name).

Code actions (`quickfix`, `refactor`): run the gates of a diagnostic's goal again (`goal.execute` or `goal.resume`); and,
if `initializationOptions.clientCommands` names these commands of the client, `goalproof.newGoalFrom` `{text, uri, range}`
for a selection or another's diagnostic, `goalproof.accept` `{goal, criterion}` where only a person can judge.

## Notifications

`goal/progress` tells of a goal, at most ten times a second, the last state always. A lower `rev` is older.
Goals that other processes work on are told of as well, and new ones. Clients with `window.workDoneProgress` get
`$/progress` as well, with a percentage; cancelling it pauses the goal.

`goal.verifyProof` with `run` has a bar without a percentage, with the request's `workDoneToken` if there is one.
Cancelling that ends it, and the request is answered with -32800.

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
    page = [
        INTRODUCTION,
        *head,
        *rows,
        "",
        "Results:",
        "",
        *listed,
        "",
        FILES,
        REQUESTS + snapshot[0],
        "",
    ]
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
