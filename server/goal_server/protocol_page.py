"""`PROTOCOL.md` is made from the registry and the models; a page that is stale is a red test.

Run as a module it writes the page: `python -m goal_server.protocol_page server/PROTOCOL.md`.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from goal_server import results as r
from goal_server.lsp_progress import ProgressView
from goal_server.lsp_protocol import INTERNAL, INVALID, PROGRESS, REQUEST_FAILED, TRUST, WAIT
from goal_server.registry import NEEDS_TRUST, OPERATIONS, Operation, load

INTRODUCTION = f"""\
# The protocol

Made by `python -m goal_server.protocol_page server/PROTOCOL.md`; do not edit.

`goalproof lsp` speaks the Language Server Protocol over standard input and output. Names are
camelCase. Everything from goals, repositories and gates is data: titles and lines are plain text.

## Trust

The workspace is untrusted unless `initializationOptions` is `{{"trusted": true}}`; anything else
counts as no. `{TRUST}` with `{{"trusted": boolean}}` changes it later. What executes code is refused
in an untrusted workspace with the class `NotTrusted`, and no lens is shown there. A trusting client
vouches for the gates that the workspace has at that time.

## Commands

`workspace/executeCommand` takes one object: the operation's parameters and optionally `root`, the
URI of a folder in the repository to work in (the first workspace folder otherwise). A command
marked *long* returns the goal as soon as its first entry is in the journal; the work outlives the
request, and `{WAIT}` waits for its end.
"""

MESSAGES = f"""\
## Messages beside LSP's own

| message | from | params | result |
| --- | --- | --- | --- |
| `{WAIT}` | client | `goal`: string, `root`?: URI | `GoalView` once nothing works on it here |
| `{TRUST}` | client, notification | `trusted`: boolean | |
| `{PROGRESS}` | server, notification | `ProgressView` | |

`$/cancelRequest` of `{WAIT}` ends the wait, not the goal. `{PROGRESS}` is sent at most ten times a
second for each goal; the last one is always sent, and a lower `rev` is an older one. A client with
`window.workDoneProgress` also gets `$/progress` with a token of the server's; cancelling it pauses
the goal, and nothing is lost. `textDocument/codeLens` answers for files that a goal changed.

Leaving: `shutdown` records a pause for every goal that runs. The exit code is 0 after `shutdown`
and 1 without it, also when standard input ends.

## Errors

| code | when | data |
| --- | --- | --- |
| {INVALID} | unknown command, parameters that do not fit | a list of `field` and `message` |
| {REQUEST_FAILED} | the engine refuses | `class` and `message`, what to do next included |
| {INTERNAL} | a fault of the server; its log has more | |
"""


def render_page() -> str:
    """Return the whole page."""
    parts = [INTRODUCTION, "\n".join(_commands()), MESSAGES, "## Types", "\n".join(_types())]
    return "\n".join(parts).rstrip() + "\n"


def _commands() -> Iterator[str]:
    yield "| command | what it does | effects | result |"
    yield "| --- | --- | --- | --- |"
    for operation in OPERATIONS:
        effects = ", ".join(operation.effects)
        if operation.executes_if:
            effects += f" (execute only with `{operation.executes_if}`)"
        elif NEEDS_TRUST.intersection(operation.effects):
            effects += " (needs trust)"
        long = "*long* " if operation.progress else ""
        result = load(operation.result).__name__
        yield f"| `{operation.command}` | {operation.title} | {effects} | {long}`{result}` |"
    for operation in OPERATIONS:
        yield from _parameters(operation)
    yield ""


def _parameters(operation: Operation) -> Iterator[str]:
    fields: dict[str, FieldInfo] = load(operation.params).model_fields
    if not fields:
        return
    yield from ("", f"`{operation.command}`", "")
    for field in fields.values():
        optional = "" if field.is_required() else "?"
        shape = render_shape(field.annotation)
        yield f"- `{field.alias}`{optional}: {shape}. {field.description or ''}".rstrip()


def _types() -> Iterator[str]:
    for model in find_views():
        yield from ("", f"### {model.__name__}", "", inspect.getdoc(model) or "", "")
        for field in model.model_fields.values():
            if not field.exclude:
                yield f"- `{field.alias}`: {render_shape(field.annotation)}"


def find_views() -> list[type[BaseModel]]:
    """Return every model that the server answers with, those inside others too, by name."""
    found: set[type[BaseModel]] = set()
    waiting: list[Any] = [ProgressView, *(load(operation.result) for operation in OPERATIONS)]
    while waiting:
        shape = waiting.pop()
        waiting += get_args(shape)
        if inspect.isclass(shape) and issubclass(shape, r.View) and shape not in found:
            found.add(shape)
            waiting += [field.annotation for field in shape.model_fields.values()]
    return sorted(found, key=lambda model: model.__name__)


WORDS = {
    "str": "string", "int": "integer", "bool": "boolean", "NoneType": "null",
    "datetime": "string (ISO 8601)",
}  # fmt: skip


def render_shape(shape: Any) -> str:
    """Return the JSON that stands for an annotation, in words."""
    origin, inner = get_origin(shape), get_args(shape)
    if origin in (Union, UnionType):
        return " or ".join(render_shape(each) for each in inner)
    if origin is tuple:
        return f"list of {render_shape(inner[0])}"
    name = getattr(shape, "__name__", str(shape))
    if inspect.isclass(shape) and issubclass(shape, BaseModel):
        return f"`{name}`"
    return WORDS.get(name, "string")


def main(arguments: list[str]) -> int:
    """Write the page to the path that is given."""
    Path(arguments[0]).write_text(render_page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
