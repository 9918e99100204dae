"""A person beside a turn: what its agent asks goes to them where the policy leaves it; what they say
goes to the agent.

Both by the journal: whoever talks to the person only appends, wherever that is, and this looks.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

from goal_engine.errors import NotPossibleNow
from goal_engine.permission import (
    BRIEF,
    MOST_ASKS,
    Answer,
    Ask,
    Ground,
    Permissions,
    Presence,
    find_answer,
    find_patterns,
    shorten_ask,
)
from goal_engine.ports import Ports
from goal_engine.redaction import Redactor
from goal_engine.runtime.threads import in_thread
from goal_engine.state.commands import AnswerAsk, Record
from goal_engine.state.events import PermissionAsked
from goal_engine.task_graph.globs import match_any
from goal_engine.task_graph.graph import GoalTask
from goal_engine.types import GoalId

LOOK = 0.1
"""Seconds between two looks at the journal for the person's word."""
LONG = 16 * 1024
"""Characters of an ask that are read at most."""
LATE = Answer(
    allowed=False, by="timeout", reason="nobody answered: go on without it, decide what is sensible"
)
TOO_OFTEN = Answer(allowed=False, reason=f"it asked a person {MOST_ASKS} times already")
TOO_LONG = Answer(allowed=False, reason="it is too long to be read: ask for less at once")
OVER = Answer(allowed=False, reason="the attempt is over")
WITHDRAWN = Answer(allowed=False, by="withdrawn")


class Beside:
    """A person beside one attempt at a task."""

    def __init__(
        self,
        ports: Ports,
        goal_id: GoalId,
        task: GoalTask,
        attempt: int,
        permissions: Permissions,
        ground: Ground,
        redactor: Redactor,
        presence: Presence,
    ) -> None:
        self._ports, self._goal_id = ports, goal_id
        self._task, self._attempt = task, attempt
        self._permissions, self._ground, self._redactor = permissions, ground, redactor
        self._open: dict[str, PermissionAsked] = {}
        self._waiting = Counter[str]()
        """How many wait for the answer to each; it is put once."""
        self._putting = asyncio.Lock()
        self._asked = 0
        self._presence = presence
        self.words: asyncio.Queue[str] = asyncio.Queue()
        """What the person says to the agent."""
        self._heard = 0
        """How many of all words on the task are among them."""

    async def ask(self, ask: Ask) -> Answer:
        """Answer an ask by the policy, or by the person's word, or no when their time is over.

        Cancelled, it is asked no more, unless somebody else waits for the same.
        """
        if len(ask.model_dump_json()) > LONG:
            return TOO_LONG
        answer = await in_thread(find_answer, ask, self._permissions, self._ground)
        if answer is not None:
            return answer
        hidden = hide_secrets(ask, self._redactor)
        if hidden.key in self._presence.unanswered:
            return LATE
        self._waiting[hidden.key] += 1
        try:
            async with self._putting:
                asked = self._open.get(hidden.key) or await self._put(hidden)
            if asked is None:
                return TOO_OFTEN
            return await self._wait(asked, ask if ask == hidden else None)
        except asyncio.CancelledError:
            if self._waiting[hidden.key] == 1 and hidden.key in self._open:
                await asyncio.shield(self._record(self._open[hidden.key], WITHDRAWN))
            raise
        finally:
            self._waiting[hidden.key] -= 1
            if not self._waiting[hidden.key]:
                self._open.pop(hidden.key, None)

    async def _put(self, ask: Ask) -> PermissionAsked | None:
        """Put an ask to the person; `None` where there were too many."""
        if self._asked >= MOST_ASKS:
            return None
        self._asked += 1
        asked = self._open[ask.key] = PermissionAsked(
            task=self._task.id,
            attempt=self._attempt,
            key=ask.key,
            ask=shorten_ask(ask),
            until=self._ports.clock.now() + timedelta(seconds=self._patience),
        )
        await self._ports.transact(self._goal_id, Record((asked,)))
        return asked

    async def _wait(self, asked: PermissionAsked, whole: Ask | None) -> Answer:
        """Return the person's word; `whole` is the ask where nothing of it is hidden."""
        clock = asyncio.get_running_loop().time
        give_up = clock() + self._patience
        while True:
            state = await self._ports.read(self._goal_id)
            leave = state.find_leave(asked)
            if leave is None or not state.is_present(asked.task, asked.attempt):
                return OVER
            if leave.answer is not None and leave.answer.by != "timeout":
                self._presence.is_away &= leave.answer.by != "person"
                return leave.answer
            if leave.answer is not None:
                return LATE
            if clock() >= give_up:
                self._presence.unanswered.add(asked.key)
                self._presence.is_away = True
                said = await in_thread(say_unanswered, whole, self._ground)
                await self._record(asked, LATE.changed(reason=said))
                continue
            await asyncio.sleep(LOOK)

    @property
    def _patience(self) -> float:
        """Seconds that a person has; where the last ask found nobody, few."""
        usual = self._permissions.timeout
        return min(usual, BRIEF) if self._presence.is_away else usual

    async def _record(self, asked: PermissionAsked, answer: Answer) -> None:
        """Write down that nobody answers it."""
        with suppress(NotPossibleNow):  # the person was faster, or the attempt is over
            await self._ports.transact(self._goal_id, AnswerAsk(asked.key, answer, asked=asked))

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Hand on what is said to the agent, if it can hear, what was said to one before it as well."""
        if not self._task.hears:
            yield
            return
        async with asyncio.TaskGroup() as group:
            listener = group.create_task(self._listen())
            try:
                yield
            finally:
                listener.cancel()

    async def _listen(self) -> None:
        while True:
            await self.catch_up()
            await asyncio.sleep(LOOK)

    async def catch_up(self) -> None:
        """Hand on what was said to the agent by now, if it can hear."""
        if not self._task.hears:
            return
        said = (await self._ports.read(self._goal_id)).tasks[self._task.id].words
        for word in said[self._heard :]:
            self.words.put_nowait(word)
        self._heard = max(self._heard, len(said))


def say_unanswered(ask: Ask | None, ground: Ground) -> str:
    """Return for people what allows an ask for good that nobody answered.  Its agent is not told."""
    patterns = find_patterns(ask, ground) if ask else ()
    if not patterns:
        return "it is not asked again in this run"
    listed = ", ".join(json.dumps(one, ensure_ascii=False) for one in patterns)
    return (
        "it is not asked again in this run; in settings.toml "
        f"`permissions_allow = [{listed}]` allows it from now on"
    )


def hide_secrets(ask: Ask, redactor: Redactor) -> Ask:
    """Return an ask with nothing in it that is secret or that a screen would obey or hide."""

    def clean(text: str) -> str:
        shown = "".join(one if one.isprintable() or one == "\n" else " " for one in text)
        return redactor.redact_text(shown)

    return Ask(
        tool=clean(ask.tool),
        action=ask.action,
        detail=clean(ask.detail),
        paths=tuple(map(clean, ask.paths)),
        choices=tuple(map(clean, ask.choices)),
    )


def find_ground(task: GoalTask, workspace: Path, variables: Mapping[str, str]) -> Ground:
    """Return what the asks of a task's agent are held against; blocking."""
    return Ground(
        workspace=str(workspace.resolve()),
        reads=tuple(_find_tools(variables.get("PATH", ""))),
        tops=frozenset(path.name for path in Path("/").iterdir()),
        may_write=lambda path: match_any(path, task.writes),
        resolve=_resolve,
    )


def _resolve(path: str) -> str:
    """Follow links; nothing for what is no name of a file, and for links without leave or without end."""
    try:
        real = os.path.realpath(path.replace("\0", "\ufffd"))
        _check_followed(real)
    except (OSError, ValueError, RecursionError):
        return ""
    return real


def _check_followed(path: str) -> None:
    """Raise `OSError` for a link on the way that may not be read: newer Pythons take it for a folder."""
    at = ""
    for part in Path(path).parts[1:]:
        at = f"{at}{os.sep}{part}"
        if not os.path.lexists(at):
            return
        if Path(at).is_symlink():
            os.readlink(at)  # noqa: PTH115 nothing is done with what it says


def _find_tools(path: str) -> list[str]:
    """Return where a PATH finds programs, and what they brought along; not the home folder."""
    home = Path.home()
    folders = [Path(part) for part in path.split(os.pathsep) if part.startswith("/")]
    around = [one.parent for one in folders if one.name == "bin"]
    kept = (one for one in around if one not in (home, home / ".local", *home.parents))
    return [str(one) for one in dict.fromkeys((*folders, *kept))]
