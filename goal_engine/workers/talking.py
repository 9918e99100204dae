"""What agents that are talked to have in common, whichever protocol they speak.

A worker of a protocol says how a conversation goes (`Converse`); here it is started and confined, timed,
written down as it goes, and ended with nothing left alive.  What the agent says is data: it changes no
state, and that its turn ended well says nothing of its work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, TypeVar, assert_never

from goal_engine.budget import Spend, SpendSource
from goal_engine.errors import ToolMissing
from goal_engine.permission import Action, Answer, Ask
from goal_engine.ports import TurnResult, WorkerTurn
from goal_engine.runtime.dialogue import Dialogue, talk
from goal_engine.runtime.process import Finished
from goal_engine.runtime.redacting import redacting
from goal_engine.runtime.threads import in_thread
from goal_engine.types import Trouble
from goal_engine.workers.commands import (
    QUOTED,
    TURN_TIMEOUT,
    AgentCommand,
    confined,
    fail_to_run,
    find_last_line,
    read_last_line,
    read_tail,
)
from goal_engine.workers.patience import Patience
from goal_engine.workers.peer import (
    Gone,
    HandleNotification,
    HandleRequest,
    Peer,
    RemoteError,
    refuse_excess,
)
from goal_engine.workers.prompt import render_words
from goal_engine.workers.telling import GO_ON, render_turn
from goal_engine.workers.told import Called, Ending, Noted, Over, Spoken, Told
from goal_engine.workers.transcript import Transcript, make_plain
from goal_engine.workers.troubles import find_trouble

START = 120.0
"""Seconds for everything before the first prompt."""
IDLE = 600.0
"""Seconds without a word after which a turn is over."""
CALM = 2.0
"""Seconds in which an agent that is told to stop may still answer."""
LOOK = 1.0
"""Seconds between two looks at the time while it stands still."""
SAID = 256 * 1024
"""Characters of an agent's last words that are kept."""
ASKED = 16 * 1024
"""Characters of what is asked leave for; nobody is shown more, so nobody allows it."""
HALVED = 1024
"""Characters of the end of what was printed from which it may be the end of more."""
STRAY = "it also printed: "
"""Before a line in the log that was no message."""
PLACES, LONGEST = 100, 4096
"""Files that one ask may be about, or choices it may give, and characters of the name of one."""
GOES_ON = "its process broke off; another one is started"
IS_TOLD = "the person has more to say; another process is started"
BEGINS_ANEW = "it did not come as far as its prompt in its earlier session, and begins a new one"
NOTHING = Spend()
T = TypeVar("T")


SAYS: dict[Ending, str] = {
    Ending.CANCELLED: "{name} stopped by itself",
    Ending.LIMIT: "{name} stopped at a limit of its own",
    Ending.REFUSED: "{name} refused to go on",
    Ending.AUTH_REQUIRED: "{name} is not logged in",
    Ending.PROVIDER_ERROR: "{name} had an error of its vendor",
    Ending.RATE_LIMITED: "{name} is to ask its vendor later",
    Ending.CRASHED: "{name} ended in the middle of its turn",
    Ending.TIMEOUT: "{name} was stopped",
}
"""What is said of each end but the good one."""
AT_REST = (Ending.END_TURN, Ending.CANCELLED)
"""The ends of its own after which an agent can be told more."""
TROUBLES = {Ending.RATE_LIMITED: Trouble.RATE_LIMITED}
"""The ends that say nothing of the task, beside those that the system tells of."""


class OutOfTime(Exception):
    """The agent was not done in its time, or said nothing for too long; the message says which."""


class Conversation:
    """One turn with one agent while it lasts: what it said, used and asked."""

    def __init__(
        self,
        turn: WorkerTurn,
        name: str,
        dialogue: Dialogue,
        before: Spend = NOTHING,
        *,
        broke_off: bool = False,
        rested: bool = False,
    ) -> None:
        self.turn = turn
        self._before = before
        self.name = name
        self.dialogue = dialogue
        self.session = ""
        """What the agent calls its session, where a later process can go on with it."""
        self.remembers = False
        """Whether the turn's earlier session is there, as far as anybody knows: the prompt says so."""
        self.broke_off = broke_off
        """Whether a process before this one worked in the turn."""
        self._rested = rested
        """Whether that one had ended its turn by itself."""
        self.calls = 0
        """Tools that were called."""
        self.prompts = 0
        self.stopping = asyncio.Event()
        """Whether the turn is to end: what is asked now is answered by nobody."""
        self._said: list[str] = []
        self._room = SAID
        self._tokens: int | None = None
        self._usd: Decimal | None = None
        self._priced = ""
        self._transcript = Transcript(lambda text: dialogue.note(text.encode("utf-8", "replace")))
        self._patience = Patience(self._now(), START, START)
        self._asking: set[asyncio.Future[Answer]] = set()
        self._find_heard: Callable[[], float] = self._now  # who is not asked is not waited for

    def connect(
        self,
        handle_request: HandleRequest,
        handle_notification: HandleNotification,
        ids: Literal["int", "string"] = "int",
        handle_excess: HandleRequest = refuse_excess,
    ) -> Peer:
        """Return the agent as a peer, to be entered."""

        def handle_noise(line: str) -> None:
            self.add_note(f"{STRAY}{line}")

        peer = Peer(
            self.dialogue, handle_request, handle_notification, ids, handle_noise, handle_excess
        )
        self._find_heard = lambda: peer.heard
        return peer

    # What it says

    def take(self, told: Told) -> None:
        """Take what the agent tells."""
        match told:
            case Spoken(text, thought):
                self.add_words(text, thought=thought)
            case Called(tool):
                self.add_call(tool)
            case Noted(text):
                self.add_note(text)
            case _:
                assert_never(told)

    def add_words(self, text: str, *, thought: bool = False) -> None:
        """Take a piece of what the agent says, or thinks."""
        self._transcript.add_words(text, thought=thought)
        if not thought and text:
            self._said.append(text[-SAID:])
            self._room -= len(text)
            if self._room < 0:
                self._said = ["".join(self._said)[-SAID:]]
                self._room = SAID

    def add_call(self, tool: str) -> None:
        """The agent calls a tool: what it says from here on are its last words."""
        self.calls += 1
        self._forget_words()
        self.add_note(f"calls {tool or 'a tool'}")

    def _forget_words(self) -> None:
        """What it says from here on are its last words."""
        self._said.clear()
        self._room = SAID

    def add_note(self, text: str) -> None:
        """Say something in the log."""
        self._transcript.add(text)

    @property
    def said(self) -> str:
        """The agent's last words, without secrets."""
        return self.turn.redactor.redact_text("".join(self._said)[-SAID:]).strip()

    # What it uses

    def spend(
        self, *, tokens: int | None = None, usd: Decimal | None = None, priced: str = ""
    ) -> None:
        """Take notice of what the agent says that the turn used by now, in all; `None` says nothing.

        `priced` says by whose prices the dollars are estimated, where the agent does not tell them.
        """
        self._priced = self._priced if usd is None else priced
        self._tokens = self._tokens if tokens is None else tokens
        self._usd = self._usd if usd is None else usd
        if self._tokens is not None or self._usd is not None:
            self.turn.report(self.spent)

    @property
    def spent(self) -> Spend:
        """What the turn used by now, as far as the agent says."""
        if not self.prompts:
            return self._before
        known = self._tokens is not None or self._usd is not None
        used = Spend(
            tokens=self._tokens,
            usd=self._usd,
            source=SpendSource.VENDOR_REPORTED if known else SpendSource.UNKNOWN,
            turns=self.prompts,
            priced=self._priced,
        )
        return self._before.plus(used)

    # What it asks

    async def ask(self, ask: Ask) -> Answer | None:
        """Return what the agent is told; `None` when its turn ends before somebody answered."""
        if self.stopping.is_set():
            return None
        told = tidy(ask, self.turn.redactor.redact_text)
        about = told.detail or ", ".join(told.paths) or told.tool
        choices = f" ({' | '.join(told.choices)})" if told.choices else ""
        what = f"use {told.tool}" if told.action is Action.OTHER else told.action
        self.add_note(f"asks to {what}: {about}{choices}")
        answer = await self._find_answer(ask, told)
        if answer is None:
            self.add_note("nobody answers: the turn is over")
        else:
            said = "allowed" if answer.allowed else "denied"
            reason = f": {answer.reason}" if answer.reason else ""
            self.add_note(f"{said} by {answer.by}{reason}")
        return answer

    async def _find_answer(self, ask: Ask, told: Ask) -> Answer | None:
        if is_too_long(ask):
            return Answer(allowed=False, reason="it is too long for anybody to look at")
        asking = asyncio.ensure_future(self._ask(told))
        self._asking.add(asking)
        stopping = asyncio.ensure_future(self.stopping.wait())
        self._patience.pause(self._now())
        try:
            await asyncio.wait({asking, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return asking.result() if asking.done() and not asking.cancelled() else None
        finally:
            self._asking.discard(asking)
            self._patience.go_on(self._now())
            await drop(asking, stopping)

    async def _ask(self, ask: Ask) -> Answer:
        return await self.turn.ask(ask)

    # What it is told

    async def open_session(self, name: str) -> None:
        """Take notice of what the agent calls its session, where a later process can go on with it."""
        self.session = name
        if name != self.turn.session:
            await self.turn.keep_session(name)

    def go_on(self, account: str = "") -> None:
        """The agent has the turn's earlier session; `account` is what was seen of it."""
        self.remembers = True
        self.add_note(f"its session goes on{account and ': '}{account}")

    def begin_anew(self, why: str) -> None:
        """The agent has forgotten the turn's earlier session."""
        self.remembers = False
        self.add_note(f"its earlier session is gone: {why}")

    async def work(
        self,
        prompt: Callable[[str], Awaitable[Over]],
        find_words: Callable[[], list[str]] | None = None,
    ) -> Over:
        """Give the turn's prompt, and afterwards what the person said that the agent has not heard.

        `find_words` are those words, if not all are.  An agent that stops at a limit of its own goes on
        once.
        """
        find_words = find_words or self.take_words
        over = await prompt(self._begin(await self._hear(find_words)))
        if over.ending is Ending.LIMIT:
            self.add_note(f"stopped at a limit of its own ({over.detail}), and is told to go on")
            over = await prompt(GO_ON)
        while over.ending in AT_REST and (words := await self._hear(find_words)):
            over = await prompt(render_words(words))
        return over

    async def _hear(self, find_words: Callable[[], list[str]]) -> list[str]:
        """Return what the person said by now, and not by the last look at it."""
        await self.turn.catch_up()
        return find_words()

    def _begin(self, words: list[str]) -> str:
        """Return the first prompt: to who had done it all before, what the person says is all."""
        said = render_words(words) if words else ""
        if said and self.remembers and self._rested:
            return said
        text = render_turn(self.turn, remembers=self.remembers, broke_off=self.broke_off)
        return f"{text}\n{said}" if said else text

    def take_words(self) -> list[str]:
        """Return what the person said since this was asked last."""
        words = []
        while not self.turn.words.empty():
            words.append(self.turn.words.get_nowait())
            self.note_word(words[-1])
        return words

    def note_word(self, word: str) -> None:
        """Say in the log what the person says."""
        self.add_note(f"the person says: {word}")

    # How long it takes

    async def start(self, work: Awaitable[T]) -> T:
        """Return what comes of the work before the first prompt.  Raises `OutOfTime`."""
        working = asyncio.ensure_future(work)
        try:
            await self._watch(working)
            return working.result()
        finally:
            await drop(working)

    async def prompt(self, work: Awaitable[T], cancel: Callable[[], Awaitable[object]]) -> T:
        """Return what the agent answers to a prompt.

        Out of time or cancelled, it is told so with `cancel`, and has a moment to end in good order.
        What it still asks then is asked no more.
        Raises `OutOfTime`.
        """
        if not self.prompts:
            seconds = self.turn.task.timeout or TURN_TIMEOUT
            self._patience = Patience(self._now(), seconds, IDLE)
        self.prompts += 1
        self._forget_words()
        working = asyncio.ensure_future(work)
        try:
            await self._watch(working)
            return working.result()
        except (OutOfTime, asyncio.CancelledError):
            self.stopping.set()
            with suppress(Gone, RemoteError, TimeoutError):
                async with asyncio.timeout(CALM):
                    await cancel()
                    await asyncio.wait({working})
            raise
        finally:
            await drop(working, *self._asking)

    @property
    def time_left(self) -> float | None:
        """The seconds that the agent still has, `None` while it waits for somebody else."""
        return self._patience.find_left(self._now(), self._find_heard())

    async def _watch(self, working: asyncio.Future[Any]) -> None:
        """Return when the work is done.  Raises `OutOfTime`."""
        while not working.done():
            left = self.time_left
            if left is not None and left <= 0:
                raise OutOfTime(self._patience.say_over(self._now()))
            await asyncio.wait({working}, timeout=LOOK if left is None else left)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def close(self, over: Over) -> None:
        """Say in the log how it ended; of an agent that is gone its own last words are the last."""
        if over.ending is not Ending.CRASHED:
            detail = f": {over.detail}" if over.detail else ""
            spent = self.spent
            tokens = "" if spent.tokens is None else f", {spent.tokens} tokens"
            usd = "" if spent.usd is None else f", {spent.usd} USD"
            calls = f"{self.calls} call{'' if self.calls == 1 else 's'} of tools"
            self._transcript.close(f"{over.ending}{detail} ({calls}{tokens}{usd})")


Converse = Callable[[Conversation], Awaitable[Over]]
"""How a conversation goes, in one protocol.  `Gone` and `OutOfTime` need not be answered there."""


Begin = Callable[[], tuple[AgentCommand, Converse]]
"""Returns how an agent is started in a session that it has not had before."""


async def run_talk(
    turn: WorkerTurn, command: AgentCommand, converse: Converse, begin_anew: Begin | None = None
) -> TurnResult:
    """Start an agent, have the conversation, and return its result once all of it is dead.

    One that breaks off, and whose session another process can go on with, is started once more.  One
    that does not come as far as its prompt with an earlier session gets a new one.  One that is gone when
    the person has more to say to it is started for that in its session.
    """
    last: Talked | None = None
    try:
        async with (
            redacting(turn.log, turn.redactor) as raw,
            confined(turn, command.own) as sandbox,
        ):
            while last is None or (last.rests and await _is_told(turn)):
                again = replace(turn, session=last.conversation.session) if last else turn
                last = await _talk(again, command, converse, raw, sandbox, last)
                if last.broke_off:
                    again = replace(turn, session=last.conversation.session)
                    last = await _talk(again, command, converse, raw, sandbox, last)
                if last.cannot_go_on:
                    command, converse = begin_anew() if begin_anew else (command, converse)
                    anew = replace(turn, session="")
                    last = await _talk(anew, command, converse, raw, sandbox, last)
    except ToolMissing as error:
        failed = fail_to_run(command, turn, error)
        return replace(failed, spent=last.conversation.spent) if last else failed
    return await in_thread(_conclude, last)


async def _is_told(turn: WorkerTurn) -> bool:
    """Whether the person has said something that nobody took."""
    await turn.catch_up()
    return not turn.words.empty()


@dataclass(frozen=True, slots=True)
class Talked:
    """A conversation that is over."""

    conversation: Conversation
    over: Over
    ended: Finished | None = None
    """How its process ended, as far as anybody knows."""

    @property
    def broke_off(self) -> bool:
        """Whether it broke off in the middle, and another process can go on with the session."""
        crashed = self.over.ending is Ending.CRASHED and self.ended is not None
        return crashed and self._is_kept

    @property
    def rests(self) -> bool:
        """Whether it ended its turn by itself, and another process can go on with the session."""
        return self.over.ending in AT_REST and self._is_kept

    @property
    def _is_kept(self) -> bool:
        return self.conversation.prompts > 0 and self.conversation.session != ""

    @property
    def cannot_go_on(self) -> bool:
        """Whether it ended before it was told anything, with an earlier session that may be why."""
        ended = self.over.ending in (Ending.CRASHED, Ending.TIMEOUT) and self.ended is not None
        return ended and not self.conversation.prompts and self.conversation.turn.session != ""

    def follow(self, turn: WorkerTurn, name: str, dialogue: Dialogue) -> Conversation:
        """Return the conversation that comes after this one in the same turn."""
        had = self.conversation
        worked = had.prompts > 0 or had.broke_off
        then = Conversation(turn, name, dialogue, had.spent, broke_off=worked, rested=self.rests)
        then.add_note(GOES_ON if self.broke_off else IS_TOLD if self.rests else BEGINS_ANEW)
        return then


async def _talk(
    turn: WorkerTurn,
    command: AgentCommand,
    converse: Converse,
    log: Path,
    sandbox: Sequence[str],
    before: Talked | None = None,
) -> Talked:
    """Have one conversation; `before` is an earlier one in the same turn.  Raises `ToolMissing`."""
    conversation: Conversation | None = None
    try:
        async with talk(
            command.argv,
            cwd=turn.workspace,
            env=command.find_environment(turn),
            log=log,
            running=turn.running,
            sandbox=sandbox,
            append=before is not None,
        ) as dialogue:
            conversation = (
                before.follow(turn, command.name, dialogue)
                if before
                else Conversation(turn, command.name, dialogue)
            )
            over = await _converse(conversation, converse)
    except ToolMissing as error:  # nobody knows how it ended, but it used something
        if conversation is None or not conversation.prompts:
            raise
        return Talked(conversation, Over(Ending.CRASHED, str(error)))
    return Talked(conversation, over, dialogue.ended)


async def _converse(conversation: Conversation, converse: Converse) -> Over:
    try:
        over = await converse(conversation)
    except Gone as error:
        over = Over(Ending.CRASHED, str(error))
    except OutOfTime as error:
        over = Over(Ending.TIMEOUT, str(error))
    conversation.close(over)
    return over


def _conclude(talked: Talked) -> TurnResult:
    conversation, over, ended = talked.conversation, talked.over, talked.ended
    result = TurnResult(
        ended=over.ending is Ending.END_TURN,
        spent=conversation.spent,
        said=conversation.said,
        session=conversation.session,
    )
    if result.ended:
        return result
    turn, detail, trouble = conversation.turn, over.detail, TROUBLES.get(over.ending)
    said = SAYS[over.ending].format(name=conversation.name)
    if over.ending is Ending.CRASHED and ended is None:
        trouble = Trouble.DID_NOT_RUN
    elif over.ending is Ending.CRASHED and ended is not None:
        # of a long end the first line is cut, and may have half a secret
        whole = ended.last if len(ended.last) < HALVED else ended.last.partition("\n")[2]
        last = turn.redactor.redact_text(whole)
        detail = find_last_line(last) or read_last_line(turn.log).removeprefix(STRAY)
        trouble = find_trouble(ended.exit_code, last or read_tail(turn.log))
        if ended.exit_code is not None:
            said += f", with exit code {ended.exit_code}"
    quoted = " ".join(make_plain(turn.redactor.redact_text(detail)).split())[:QUOTED]
    return replace(result, reason=f"{said}: {quoted}" if quoted else said, trouble=trouble)


def tidy(ask: Ask, redact: Callable[[str], str]) -> Ask:
    """Return an ask as people may see it: plain text, no secret, no more than can be shown."""

    def clean(text: str, most: int) -> str:
        plain = "".join(
            c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}"
            for c in text[: 2 * most]
        )
        return redact(plain)[:most]

    return Ask(
        tool=clean(ask.tool, LONGEST),
        action=ask.action,
        detail=clean(ask.detail, ASKED),
        paths=tuple(clean(path, LONGEST) for path in ask.paths[:PLACES]),
        choices=tuple(clean(choice, LONGEST) for choice in ask.choices[:PLACES]),
    )


def is_too_long(ask: Ask) -> bool:
    """Whether more is asked than anybody would be shown."""
    names = (ask.tool, *ask.paths, *ask.choices)
    many = max(len(ask.paths), len(ask.choices)) > PLACES
    return len(ask.detail) > ASKED or many or max(map(len, names)) > LONGEST


async def drop(*works: asyncio.Future[Any]) -> None:
    """Leave nothing running; what went wrong in what nobody waits for any more is nobody's."""
    for work in works:
        work.cancel()
    await asyncio.wait(works)
    for work in works:
        if not work.cancelled():
            work.exception()
