"""Code actions: what a person can do about a place, beside what they type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from goal_server.lsp_buffers import read_range
from goal_server.plain import plain_line

if TYPE_CHECKING:  # costs as much to import as pygls; see `lsp`
    from goal_server.lsp_reading import Repair

NEW_GOAL, ACCEPT = "goalproof.newGoalFrom", "goalproof.accept"
"""Commands that only some clients have: they say so in `initializationOptions.clientCommands`."""
KINDS = (types.CodeActionKind.QuickFix, types.CodeActionKind.Refactor)
TEXT = 4000
"""Characters of a selection that become a goal's text."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that can be done: the command's name and its one argument."""

    title: str
    kind: types.CodeActionKind
    command: str
    argument: dict[str, Any]
    diagnostic: types.Diagnostic | None = None


def find_new_goals(
    uri: str, text: str, params: types.CodeActionParams, source: str
) -> Iterator[Offer]:
    """Yield a new goal for each diagnostic of others, and for what is selected."""
    place = {"uri": uri}
    for diagnostic in params.context.diagnostics:
        if diagnostic.source != source:
            where = _render_range(diagnostic.range)
            argument = {"text": plain_line(diagnostic.message)[:TEXT], **place, "range": where}
            title, kind = "New goal from this problem…", types.CodeActionKind.QuickFix
            yield Offer(title, kind, NEW_GOAL, argument, diagnostic)
    selected = read_range(text, params.range)[:TEXT].strip()
    if selected:
        argument = {"text": selected, **place, "range": _render_range(params.range)}
        yield Offer("New goal from this…", types.CodeActionKind.Refactor, NEW_GOAL, argument)


def find_goals(params: types.CodeActionParams, source: str) -> dict[str, types.Diagnostic]:
    """Return the goals that diagnostics of ours are about, each with the first of its diagnostics."""
    found: dict[str, types.Diagnostic] = {}
    for diagnostic in params.context.diagnostics:
        data = diagnostic.data
        goal = data.get("goal") if isinstance(data, dict) else None
        if diagnostic.source == source and isinstance(goal, str):
            found.setdefault(goal, diagnostic)
    return found


def find_accepts(params: types.CodeActionParams, source: str) -> Iterator[Offer]:
    """Yield the acceptance of each criterion that a diagnostic of ours says a person may accept."""
    for diagnostic in params.context.diagnostics:
        data = diagnostic.data if isinstance(diagnostic.data, dict) else {}
        goal, criterion = data.get("goal"), data.get("criterion")
        if diagnostic.source == source and isinstance(goal, str) and isinstance(criterion, str):
            argument = {"goal": goal, "criterion": criterion}
            title, kind = f"Accept criterion {criterion}…", types.CodeActionKind.QuickFix
            yield Offer(title, kind, ACCEPT, argument, diagnostic)


def offer_repair(repair: Repair, diagnostic: types.Diagnostic | None = None) -> Offer:
    """Return what can be done about a goal as an offer."""
    kind = types.CodeActionKind.QuickFix
    return Offer(repair.title, kind, repair.command or ACCEPT, repair.arguments, diagnostic)


def render_actions(
    offers: Iterable[Offer], only: Iterable[str] | None, *, literals: bool
) -> list[types.CodeAction | types.Command]:
    """Return offers as the client understands them; `only` are the kinds that it asks for."""
    wanted = None if only is None else tuple(only)
    rendered: list[types.CodeAction | types.Command] = []
    for offer in offers:
        if wanted is not None and not any(_is_within(offer.kind, kind) for kind in wanted):
            continue
        command = types.Command(offer.title, offer.command, arguments=[offer.argument])
        about = [offer.diagnostic] if offer.diagnostic else None
        action = types.CodeAction(offer.title, offer.kind, diagnostics=about, command=command)
        rendered.append(action if literals else command)
    return rendered


def _is_within(kind: str, wanted: str) -> bool:
    """Kinds are a hierarchy, whose parts are separated by dots."""
    return not wanted or kind == wanted or kind.startswith(f"{wanted}.")


def _render_range(where: types.Range) -> dict[str, Any]:
    return {
        "start": {"line": where.start.line, "character": where.start.character},
        "end": {"line": where.end.line, "character": where.end.character},
    }
