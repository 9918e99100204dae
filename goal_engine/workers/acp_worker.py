"""Agents over the Agent Client Protocol: started in the workspace, talked to, and dead when it is over.

They work on the files themselves; no file and no terminal is offered.  What they ask leave for is the
turn's to answer, and what they did is found in the workspace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from goal_engine.budget import Reports
from goal_engine.errors import GoalError
from goal_engine.permission import Action, Answer, Ask, say_ask
from goal_engine.ports import TurnResult, WorkerTurn
from goal_engine.runtime.threads import in_thread
from goal_engine.task_graph.graph import GoalTask
from goal_engine.usage import FindEstimate, add_up, know_no_price
from goal_engine.workers.acp import (
    CANCELLED,
    PROTOCOL,
    TAKE_BACK,
    TOTALS,
    Greeting,
    Session,
    find_mode,
    is_session_lost,
    make_cancel,
    make_initialize,
    make_new,
    make_prompt,
    read_error,
    read_greeting,
    read_request,
    read_session,
    read_stop,
    read_total,
)
from goal_engine.workers.agents import (
    FindAgents,
    find_agent,
    find_belongings,
    read_variables,
)
from goal_engine.workers.commands import AgentCommand
from goal_engine.workers.installed import find_way
from goal_engine.workers.peer import METHOD_NOT_FOUND, Peer, RemoteError
from goal_engine.workers.presets import Agent, Speaks, hold
from goal_engine.workers.prices import find_reports, read_prices
from goal_engine.workers.shapes import as_mapping, as_text
from goal_engine.workers.talking import Conversation, run_talk
from goal_engine.workers.told import Called, Ending, Over, Spoken, Told

LATE = 0.25
"""Seconds after an answer in which an agent may still say what it used."""
ASIDE = 5.0
"""Seconds for an answer that an agent gives without its model."""
DENIALS = 5
"""Times that an agent which ends its turn at a denial is told to go on, after each prompt."""
WITHOUT_IT = "Go on without it, and end your turn when the task is done."
NO_SESSION = Over(Ending.PROVIDER_ERROR, "it opened no session")


class AcpWorker:
    """Talks to an agent."""

    def __init__(self, find_agents: FindAgents, checkout: Path) -> None:
        self._find_agents = find_agents
        self._checkout = checkout

    def find_reports(self, task: GoalTask) -> Reports:
        """Return what the task's agent says of what it uses."""
        return find_reports(self._find_agents, task.agent, "acp")

    async def run(self, turn: WorkerTurn) -> TurnResult:
        """Have the agent work on the turn's prompt until it ends its turn, or its time is up."""
        try:
            agent, speaks, command = await in_thread(self._find, turn)
            prices = await in_thread(read_prices) if speaks.models else know_no_price
        except GoalError as error:
            return TurnResult(ended=False, reason=error.paragraph)
        converse = partial(_converse, speaks=speaks, prices=prices, log_in=agent.log_in)
        return await run_talk(turn, command, converse)

    def _find(self, turn: WorkerTurn) -> tuple[Agent, Speaks, AgentCommand]:
        agent = find_agent(self._find_agents(), turn.task.agent)
        way = find_way(agent, "acp", self._checkout)
        speaks = hold(way.speaks) if turn.confine() else way.speaks
        variables = {**read_variables(agent), **dict(speaks.settings)}
        own = find_belongings(agent, self._checkout)
        argv = (str(way.path), *speaks.argv[1:])
        return agent, speaks, AgentCommand(agent.name, argv, variables, own)


async def _converse(
    conversation: Conversation, speaks: Speaks, prices: FindEstimate, log_in: str
) -> Over:
    talk = _Talk(conversation, prices)
    async with conversation.connect(talk.answer, talk.hear) as peer:
        talk.peer = peer
        try:
            greeting = read_greeting(
                await conversation.start(peer.request(*make_initialize(version("goalproof"))))
            )
        except RemoteError as error:
            return read_error(error)
        if greeting.version != PROTOCOL:
            spoken = "no version" if greeting.version is None else f"version {greeting.version}"
            return Over(
                Ending.PROVIDER_ERROR,
                f"it speaks {spoken} of the Agent Client Protocol, not {PROTOCOL}",
            )
        try:
            return await talk.run(greeting, speaks)
        except RemoteError as error:
            await asyncio.sleep(LATE)
            return read_error(error, greeting.find_login(log_in))


class _Talk:
    """One conversation in this protocol."""

    peer: Peer

    def __init__(self, conversation: Conversation, prices: FindEstimate) -> None:
        self._conversation = conversation
        self._prices = prices
        self._turn = conversation.turn
        self._session = Session()
        self._unanswered = ""
        self._denied = ""
        """What was denied and is the last that is known of, empty as soon as it does something else."""
        self._denied_call = ""
        self._heard: list[str] = []

    async def run(self, greeting: Greeting, speaks: Speaks) -> Over:
        """Open a session, give the prompt, and say how it ended.  Raises `RemoteError`."""
        conversation, turn = self._conversation, self._turn
        if not await self._start(self._open(greeting), greeting, speaks):
            return NO_SESSION
        before = await self._find_total(greeting) if turn.session else 0
        try:
            over = await self._work(greeting)
        except RemoteError as error:
            if not self._has_lost_it(error):
                raise
            conversation.begin_anew(str(error))
            self._session, before = Session(), 0
            for word in self._heard:
                turn.words.put_nowait(word)
            if not await self._start(self._open_new(), greeting, speaks):
                return NO_SESSION
            over = await self._work(greeting)
        total = await self._find_total(greeting)
        if total is not None and before is not None:
            conversation.spend(tokens=max(total - before, 0))
        return over

    async def _start(self, opening: Awaitable[Any], greeting: Greeting, speaks: Speaks) -> bool:
        """Make a session ready for its prompt, and return whether there is one."""
        conversation, turn = self._conversation, self._turn
        opened = await conversation.start(opening)
        if not self._session.name:
            return False
        if greeting.keeps and speaks.sessions:
            await conversation.open_session(self._session.name)
        mode = (speaks.reading if turn.reads_only else "") or speaks.mode
        said = await conversation.start(self._set_mode(opened, mode)) if mode else ""
        who = " ".join(filter(None, (greeting.name or "the agent", greeting.release)))
        conversation.add_note(f"{who}{said}")
        self._session.live = True
        return True

    def _has_lost_it(self, error: RemoteError) -> bool:
        """Whether an agent that said it goes on with an earlier session turns out not to have it.

        Codex says so of one whose process was killed before it wrote anything."""
        conversation = self._conversation
        untouched = conversation.remembers and conversation.prompts == 1 and not conversation.calls
        return untouched and is_session_lost(error)

    async def _work(self, greeting: Greeting) -> Over:
        return await self._conversation.work(
            lambda text: self._prompt_on(text, greeting), self._find_words
        )

    def _find_words(self) -> list[str]:
        words = self._conversation.take_words()
        self._heard += words
        return words

    async def _find_total(self, greeting: Greeting) -> int | None:
        """Ask an agent that says by itself nothing of it what its session used, in tokens."""
        session = self._session
        if greeting.name not in TOTALS:
            return None
        if not session.commands:  # they come when the session is open
            await asyncio.sleep(LATE)
        if TOTALS[greeting.name] not in session.commands:
            return None
        session.aside = []
        request = self.peer.request(*make_prompt(session.name, f"/{TOTALS[greeting.name]}"))
        with suppress(RemoteError, TimeoutError):
            async with asyncio.timeout(ASIDE):
                await request
        said, session.aside = "".join(session.aside), None
        return read_total(said)

    async def _open(self, greeting: Greeting) -> Any:
        """Open the session: the turn's earlier one, where the agent still has it, or a new one."""
        turn, conversation = self._turn, self._conversation
        if turn.session and greeting.keeps:
            self._session.name = turn.session
            self._session.usage.forget_cost()
            again = greeting.make_again(turn.session, str(turn.workspace))
            try:
                opened = await self.peer.request(*again)
            except RemoteError as error:
                conversation.begin_anew(str(error))
                self._session = Session()
            else:
                conversation.go_on()
                return opened
        elif turn.session:
            conversation.begin_anew("it keeps none")
        return await self._open_new()

    async def _open_new(self) -> Any:
        opened = await self.peer.request(*make_new(str(self._turn.workspace)))
        self._session.name = read_session(opened)
        return opened

    async def _set_mode(self, opened: Any, wanted: str) -> str:
        """Set the mode and return what to say of it; where there is none such, the agent's own stays.

        That is no hole: what it asks is not what holds it.
        """
        mode = find_mode(self._session.name, opened, wanted)
        if mode.call is None:
            there = f"; it has {', '.join(mode.modes)}" if mode.modes else ""
            return f", mode {wanted}" if wanted in mode.modes else f", without mode {wanted}{there}"
        try:
            await self.peer.request(*mode.call)
        except RemoteError as error:
            return f", without mode {wanted}: {error}"
        return f", mode {wanted}"

    async def _prompt_on(self, text: str, greeting: Greeting) -> Over:
        """Give a prompt, and have an agent go on that ends its turn at the first thing denied."""
        over = await self._prompt(text, greeting)
        for _ in range(DENIALS):
            denied = self._denied
            if over.ending is not Ending.END_TURN or not denied or not self._turn.words.empty():
                break
            self._conversation.add_note("it stopped at what was denied, and is told to go on")
            over = await self._prompt(f"Not done, it was denied: {denied}. {WITHOUT_IT}", greeting)
        return over

    async def _prompt(self, text: str, greeting: Greeting) -> Over:
        name, usage, self._unanswered = self._session.name, self._session.usage, ""
        self._denied = ""
        request = self.peer.request(*make_prompt(name, text))
        result = await self._conversation.prompt(
            request, lambda: self.peer.notify(*make_cancel(name))
        )
        usage.add_turn(result, greeting.name)
        if usage.tokens is None:
            await asyncio.sleep(LATE)
        self._spend()
        over = read_stop(result)
        asked = over.ending is Ending.CANCELLED and self._unanswered
        return Over(over.ending, f"nobody answered its question: {asked}") if asked else over

    def hear(self, method: str, params: Any) -> None:
        """Take a notification."""
        if method == TAKE_BACK:
            self.peer.take_back(as_mapping(params).get("requestId"))
        used = (self._session.usage.tokens, self._session.usage.usd)
        for told in self._session.read(method, params):
            self._conversation.take(told)
            if self._goes_on(told, params):
                self._denied = ""
        if used != (self._session.usage.tokens, self._session.usage.usd):
            self._spend()

    def _goes_on(self, told: Told, params: Any) -> bool:
        """Whether the agent does something beside ending the call that was denied."""
        call = as_mapping(as_mapping(params).get("update")).get("toolCallId")
        other = isinstance(told, Called) and call != self._denied_call
        return other or (isinstance(told, Spoken) and told.text.strip() != "")

    def _deny(self, call: object, ask: Ask, reason: str) -> None:
        self._denied_call = as_text(call)
        self._denied = f"{say_ask(ask)}{reason and ': '}{reason}"

    def _spend(self) -> None:
        usage = self._session.usage
        if usage.usd is None and usage.parts:
            told = add_up(usage.parts, self._prices)
            self._conversation.spend(tokens=usage.tokens, usd=told.usd, priced=told.priced)
        else:
            self._conversation.spend(tokens=usage.tokens, usd=usage.usd)

    async def answer(self, method: str, params: Any) -> Any:
        """Answer a request: leave for what a tool is to do, and nothing else."""
        if method != "session/request_permission":
            raise RemoteError(METHOD_NOT_FOUND, f"{method} is not offered")
        call = as_mapping(as_mapping(params).get("toolCall")).get("toolCallId")
        request = read_request(params, self._session.find_tool(call))
        refused = request.unclear
        if self._turn.reads_only and request.ask.action is Action.EDIT:
            refused = "this turn changes nothing"
        if refused:
            self._conversation.add_note(f"asks to {request.ask.action}, and is refused: {refused}")
            self._deny(call, request.ask, refused)
            return request.answer(Answer(allowed=False, reason=refused))
        answer = await self._conversation.ask(request.ask)
        told = request.answer(answer)
        if request.ask.action is Action.QUESTION and told == CANCELLED:
            self._unanswered = request.ask.detail
        if answer and not answer.allowed and request.ask.action is not Action.QUESTION:
            self._deny(call, request.ask, answer.reason)
        if answer and answer.by == "person" and answer.reason and not request.has_said(told):
            about = say_ask(request.ask)
            self._turn.words.put_nowait(f"To what you asked ({about}): {answer.reason}")
        return told
