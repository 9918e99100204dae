"""Kimi CLI up to 1.51, talked to over its wire protocol (seed: `WireWorkerAdapter`).

Every tool asks before it runs, also where the person's own settings of the agent would let it; the
agent takes an error, or no answer, for leave, so it never gets either.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import UUID

from goal_engine.budget import Reporting, Reports
from goal_engine.errors import BadConfiguration, GoalError
from goal_engine.permission import Action, Answer, Ask
from goal_engine.ports import Ids, TurnResult, WorkerTurn
from goal_engine.runtime.threads import in_thread
from goal_engine.task_graph.graph import GoalTask
from goal_engine.workers.agents import (
    FindAgents,
    agents_path,
    find_agent,
    find_belongings,
    read_variables,
)
from goal_engine.workers.commands import AgentCommand, read_tail
from goal_engine.workers.installed import find_way
from goal_engine.workers.peer import METHOD_NOT_FOUND, Peer, RemoteError
from goal_engine.workers.prompt import render_words
from goal_engine.workers.talking import Conversation, run_talk
from goal_engine.workers.told import Ending, Over
from goal_engine.workers.wire import (
    Request,
    Session,
    answer_request,
    fill_wire,
    find_other,
    find_unfit,
    is_same,
    make_initialize,
    read_error,
    read_request,
    read_status,
)

TOKENS_LIVE = Reports(tokens=Reporting.LIVE, usd=Reporting.NEVER)
REMEMBERED = 1000
"""Calls of tools that were allowed and have not asked again."""
OF_NO_ACCOUNT = Answer(allowed=True, reason="it concerns the agent alone")
BUSY = Answer(allowed=False, reason="too much is asked at once")
NOTHING_CHANGES = Answer(allowed=False, reason="this turn changes nothing")
OVER = Answer(allowed=False, reason="the turn is over")
UNANSWERED = Answer(allowed=False, reason="nobody answers questions: decide what is sensible")


class WireWorker:
    """Starts the agent for a turn, in a session that a later turn can go on with."""

    def __init__(self, find_agents: FindAgents, checkout: Path, ids: Ids) -> None:
        self._find_agents = find_agents
        self._checkout = checkout
        self._ids = ids

    def find_reports(self, _: GoalTask) -> Reports:
        """Return that tokens are told with each call of the model, and dollars never."""
        return TOKENS_LIVE

    async def run(self, turn: WorkerTurn) -> TurnResult:
        """Have the conversation of one turn."""
        session = find_session(turn.session) or make_session(self._ids)
        try:
            command = await in_thread(self._find, turn, session)
        except GoalError as error:
            return TurnResult(ended=False, reason=error.paragraph)
        adapter = WireWorkerAdapter(session)
        result = await run_talk(turn, command, adapter.converse)
        if adapter.greeted:
            return result
        why = find_other(await in_thread(read_tail, turn.log))
        return (
            replace(result, reason=_say_other(command.name, why), trouble=None) if why else result
        )

    def _find(self, turn: WorkerTurn, session: str) -> AgentCommand:
        agent = find_agent(self._find_agents(), turn.task.agent)
        way = find_way(agent, "wire", self._checkout)
        if "--wire" not in way.speaks.argv:  # a bare `kimi` fetches a program and runs it
            raise BadConfiguration(
                f'`wire` of [agent.{agent.name}] in {agents_path()} does not say "--wire", so it would'
                " start something else. Add the word."
            )
        return AgentCommand(
            agent.name,
            fill_wire((str(way.path), *way.speaks.argv[1:]), session, str(turn.workspace)),
            {**read_variables(agent), **dict(way.speaks.settings)},
            find_belongings(agent, self._checkout),
        )


def _say_other(name: str, why: str) -> str:
    return (
        f'{name} does not speak the wire protocol: {why}. Give the task `worker = "acp"`, or install'
        " the last version that does (`uv tool install --python 3.13 kimi-cli==1.51.0`), then"
        " `execute` the goal again."
    )


def find_session(name: str) -> str:
    """Return the name of a session as the agent takes it, nothing for what is none of ours."""
    try:
        return name if str(UUID(name)) == name else ""
    except ValueError:
        return ""


def make_session(ids: Ids) -> str:
    """Return the name of a new session."""
    chance = sum(ids.entropy() << 32 * place for place in range(4))
    return str(UUID(int=chance, version=4))


@dataclass(frozen=True, slots=True)
class _Allowed:
    ask: Ask
    answer: Answer


class WireWorkerAdapter:
    """One turn: what is said to the agent, and what it is answered."""

    def __init__(self, session: str) -> None:
        self._session = session
        self._told = Session()
        self._allowed: dict[str, _Allowed] = {}
        self._words: list[str] = []
        """What the person said since the prompt."""
        self._begun = asyncio.Event()
        """Whether the agent took the prompt in: before, it cannot be told anything else."""
        self.greeted = False
        """Whether it turned out to speak the protocol."""

    async def converse(self, conversation: Conversation) -> Over:
        """Lead the conversation from the greeting to its end."""
        self._conversation = conversation
        async with conversation.connect(self._answer, self._hear, "string", self._refuse) as peer:
            try:
                unfit = await conversation.start(self._greet(peer, conversation.turn.reads_only))
            except RemoteError as error:
                return Over(Ending.REFUSED, str(error))
            if unfit:
                return Over(Ending.REFUSED, unfit)
            if self._session == conversation.turn.session:
                conversation.go_on()
            await conversation.open_session(self._session)
            over = await conversation.work(
                lambda text: self._prompt(peer, text), self._take_unheard
            )
            conversation.spend(tokens=self._told.usage.whole)
            return over

    async def _greet(self, peer: Peer, reads_only: bool) -> str:
        """Return why it is not to be talked to, nothing where it is."""
        greeting = await peer.request("initialize", make_initialize(version("goalproof")))
        unfit = find_unfit(greeting)
        self.greeted = True
        if not unfit:
            await peer.request("set_plan_mode", {"enabled": reads_only})
        return unfit

    async def _prompt(self, peer: Peer, text: str) -> Over:
        self._begun.clear()
        prompt = peer.request("prompt", {"user_input": text})
        steering = asyncio.ensure_future(self._steer(peer))
        try:
            return read_status(
                await self._conversation.prompt(prompt, lambda: peer.request("cancel"))
            )
        except RemoteError as error:
            return read_error(error)
        finally:
            steering.cancel()
            await asyncio.wait({steering})

    async def _steer(self, peer: Peer) -> None:
        """Hand on what the person says while the agent works."""
        await self._begun.wait()
        while True:
            word = await self._conversation.turn.words.get()
            self._words.append(word)
            self._conversation.note_word(word)
            with suppress(RemoteError):  # the turn is over: it is told afterwards
                await peer.request("steer", {"user_input": render_words([word])})

    def _take_unheard(self) -> list[str]:
        """Return the words that the agent did not take in; what it was told and did not, it forgets."""
        words = [*self._words[self._told.heard :], *self._conversation.take_words()]
        self._words, self._told.heard = [], 0
        return words

    def _hear(self, method: str, params: Any) -> None:
        for told in self._told.read(method, params):
            self._conversation.take(told)
        if self._told.turns == self._conversation.prompts:
            self._begun.set()
        tokens = self._told.usage.tokens
        if tokens is not None:
            self._conversation.spend(tokens=tokens)

    async def _answer(self, method: str, params: Any) -> dict[str, Any]:
        request = _read(method, params)
        return answer_request(request, await self._decide(request))

    async def _refuse(self, method: str, params: Any) -> dict[str, Any]:
        return answer_request(_read(method, params), BUSY)

    async def _decide(self, request: Request) -> Answer:
        """What a hook was told holds for the approval that the same call asks for afterwards."""
        ask = request.ask
        if ask is None:
            return OF_NO_ACCOUNT
        if ask.action is Action.QUESTION:
            return UNANSWERED
        if ask.action is Action.EDIT and self._conversation.turn.reads_only:
            return NOTHING_CHANGES
        before = self._allowed.pop(request.call, None)
        if before and request.kind == "ApprovalRequest" and is_same(before.ask, ask):
            return before.answer
        answer = await self._conversation.ask(ask) or OVER
        if answer.allowed and request.kind == "HookRequest" and request.call:
            self._allowed[request.call] = _Allowed(ask, answer)
            if len(self._allowed) > REMEMBERED:
                del self._allowed[next(iter(self._allowed))]
        return answer


def _read(method: str, params: Any) -> Request:
    request = read_request(params) if method == "request" else None
    if request is None:
        raise RemoteError(METHOD_NOT_FOUND, "nobody here knows how to answer that")
    return request
