"""The editor's own progress bars: begun once, moved with a percentage always, ended exactly once."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from goal_server.plain import plain_line

if TYPE_CHECKING:  # costs as much to import as pygls; see `lsp`
    from goal_engine.progress import GoalProgressSnapshot
    from goal_engine.types import GoalId

log = logging.getLogger(__name__)

RUNNING = "running"
"""The status of a goal that is worked on."""
PATIENCE = 5.0
"""Seconds until a client that does not answer `create` gets no bar."""
TITLE = 80
"""Characters of a goal's text in a bar."""


async def create_bar(server: LanguageServer, token: int | str) -> bool:
    """Ask the client for a bar and return whether there is one; it may refuse, or not answer."""
    progress = server.work_done_progress
    try:
        async with asyncio.timeout(PATIENCE):
            await progress.create_async(token)
    except Exception:  # whatever a client answers, the work goes on without a bar
        log.info("the client takes no progress")
        progress.tokens.pop(token, None)
        return False
    return True


class Bars:
    """One bar for each goal that runs.  Belongs to the server's loop."""

    def __init__(self, server: LanguageServer) -> None:
        self._server = server
        self._progress = server.work_done_progress
        self._bars: dict[GoalId, asyncio.Task[bool]] = {}
        self._tokens: dict[GoalId, str] = {}
        self._moves: set[asyncio.Task[None]] = set()

    def show(self, snapshot: GoalProgressSnapshot) -> None:
        """Begin, move or end the bar of a goal, without waiting for the client."""
        goal, runs = snapshot.goal_id, snapshot.status == RUNNING
        if goal in self._bars:
            move = asyncio.ensure_future(self._move(self._bars[goal], self._tokens[goal], snapshot))
            self._moves.add(move)
            move.add_done_callback(self._let_go)
            if not runs:
                del self._bars[goal], self._tokens[goal]
        elif runs:
            self._tokens[goal] = f"goal/{goal}/{snapshot.rev}"
            self._bars[goal] = asyncio.ensure_future(self._begin(self._tokens[goal], snapshot))

    def find_goal(self, token: object) -> GoalId | None:
        """Return the goal whose bar has this token."""
        return next((goal for goal, known in self._tokens.items() if known == token), None)

    async def settle(self, seconds: float) -> None:
        """Let the ends that are on their way go out."""
        if self._moves:
            await asyncio.wait(self._moves, timeout=seconds)

    async def _begin(self, token: str, snapshot: GoalProgressSnapshot) -> bool:
        if not await create_bar(self._server, token):
            return False
        begin = types.WorkDoneProgressBegin(
            title=plain_line(snapshot.text)[:TITLE],
            cancellable=True,
            percentage=snapshot.percentage,
            message=snapshot.phase,
        )
        self._progress.begin(token, begin)
        return True

    async def _move(
        self, begun: asyncio.Task[bool], token: str, snapshot: GoalProgressSnapshot
    ) -> None:
        if not await begun:
            return
        if snapshot.status != RUNNING:
            self._progress.end(token, types.WorkDoneProgressEnd(message=str(snapshot.status)))
            self._progress.tokens.pop(token, None)  # pygls keeps them for ever
            return
        report = types.WorkDoneProgressReport(
            message=f"{snapshot.phase} {snapshot.done}/{snapshot.total}",
            percentage=snapshot.percentage,  # a bar that began with one needs it each time
            cancellable=True,
        )
        self._progress.report(token, report)

    def _let_go(self, move: asyncio.Task[Any]) -> None:
        self._moves.discard(move)
        if not move.cancelled() and (error := move.exception()) is not None:
            log.error("a progress bar: %s", error)
