"""Kimi CLI up to 1.51, talked to over its wire protocol (seed: `WireWorkerAdapter`).

Every tool asks before it runs, also where the person's own settings of the agent would let it; the
agent takes an error, or no answer, for leave, so it never gets either.
"""

from __future__ import annotations

import asyncio
import os
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
from goal_engine.workers.talking import Conversation, Converse, drop, run_talk
from goal_engine.workers.told import Ending, Over
from goal_engine.workers.wire import (
    Past,
    Request,
    Session,
    answer_questions,
    answer_request,
    fill_wire,
    find_other,
    find_unfit,
    is_same,
    make_initialize,
    read_error,
    read_prompt,
    read_request,
    read_status,
)

TOKENS_LIVE = Reports(tokens=Reporting.LIVE, usd=Reporting.NEVER)
REMEMBERED = 1000
"""Calls of tools that were allowed and have not asked again."""
REPLAY, REPLAY_STOPS = 20.0, 5.0
"""Seconds in which a session may tell of its earlier turns, and in which it may stop that when asked."""
SHOWN = 200
"""Characters of the last words of an earlier turn that are in the log."""
OF_NO_ACCOUNT = Answer(allowed=True, reason="it concerns the agent alone")
BUSY = Answer(allowed=False, reason="too much is asked at once")
NOTHING_CHANGES = Answer(allowed=False, reason="this turn changes nothing")
OVER = Answer(allowed=False, reason="the turn is over")
ASKED_NEXT = Answer(allowed=True, reason="what it wants to know comes next")
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
        try:
            command = await in_thread(self._find, turn)
        except GoalError as error:
            return TurnResult(ended=False, reason=error.paragraph)
        adapters: list[WireWorkerAdapter] = []

        def begin(session: str) -> tuple[AgentCommand, Converse]:
            adapters.append(WireWorkerAdapter(session))
            argv = fill_wire(command.argv, session, str(turn.workspace))
            return replace(command, argv=argv), adapters[-1].converse

        first = begin(find_session(turn.session) or make_session(self._ids))
        result = await run_talk(turn, *first, lambda: begin(make_session(self._ids)))
        if any(adapter.greeted for adapter in adapters):
            return result
        why = find_other(await in_thread(read_tail, turn.log))
        return (
            replace(result, reason=_say_other(command.name, why), trouble=None) if why else result
        )

    def _find(self, turn: WorkerTurn) -> AgentCommand:
        agent = find_agent(self._find_agents(), turn.task.agent)
        way = find_way(agent, "wire", self._checkout)
        if "--wire" not in way.speaks.argv:  # a bare `kimi` fetches a program and runs it
            raise BadConfiguration(
                f'`wire` of [agent.{agent.name}] in {agents_path()} does not say "--wire", so it would'
                " start something else. Add the word."
            )
        return AgentCommand(
            agent.name,
            (str(way.path), *way.speaks.argv[1:]),
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
        self._past: Past | None = None
        """What an earlier turn told, while the session tells it again: nothing of it is this turn's."""
        self._prompted = ""
        self.greeted = False
        """Whether it turned out to speak the protocol."""

    async def converse(self, conversation: Conversation) -> Over:
        """Lead the conversation from the greeting to its end."""
        self._conversation = conversation
        self._words = self._words[self._told.heard :]  # the rest is in its session
        self._told, self._past, self._prompted = Session(), None, ""
        self._allowed.clear()
        async with conversation.connect(self._answer, self._hear, "string", self._refuse) as peer:
            self._peer = peer
            try:
                unfit = await conversation.start(self._greet(peer, conversation.turn))
            except RemoteError as error:
                return Over(Ending.REFUSED, str(error))
            if unfit:
                return Over(Ending.REFUSED, unfit)
            await conversation.open_session(self._session)
            over = await conversation.work(
                lambda text: self._prompt(peer, text), self._take_unheard
            )
            if self._past is None:
                conversation.spend(tokens=self._told.usage.whole)
            return over

    async def _greet(self, peer: Peer, turn: WorkerTurn) -> str:
        """Return why it is not to be talked to, nothing where it is."""
        greeting = await peer.request("initialize", _introduce(turn))
        unfit = find_unfit(greeting)
        self.greeted = True
        if unfit:
            return unfit
        if turn.session == self._session:
            await self._look_back(peer)
        elif turn.session:
            self._conversation.begin_anew("it cannot be called so")
        await peer.request("set_plan_mode", {"enabled": turn.reads_only})
        return ""

    async def _look_back(self, peer: Peer) -> None:
        """See whether the session has earlier turns; one that does not say so goes on all the same."""
        past = self._past = Past()
        peer.only_listens = True
        replaying = asyncio.ensure_future(peer.request("replay"))
        try:
            why = await _find_unseen(peer, replaying)
        finally:
            await drop(replaying)
        if not replaying.cancelled():
            self._end_past()
        if not why and not past.turns:
            self._conversation.begin_anew("there is no turn in it")
            return
        last = self._conversation.turn.redactor.redact_text(past.said).strip()[-SHOWN:]
        seen = (past.counted if past.turns else "", f"its last words: {last}" if last else "", why)
        self._conversation.go_on("; ".join(filter(None, seen)))

    def _end_past(self) -> None:
        """What comes from here on is of this turn."""
        self._past, self._peer.only_listens = None, False

    async def _prompt(self, peer: Peer, text: str) -> Over:
        self._begun.clear()
        self._prompted = text
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
        if self._past and self._prompted and read_prompt(method, params) == self._prompted:
            self._end_past()
        if self._past is not None:
            self._past.read(method, params)
            return
        for told in self._told.read(method, params):
            self._conversation.take(told)
        if self._told.turns == self._conversation.prompts:
            self._begun.set()
        tokens = self._told.usage.tokens
        if tokens is not None:
            self._conversation.spend(tokens=tokens)

    async def _answer(self, method: str, params: Any) -> dict[str, Any]:
        request = _read(method, params)
        if request.questions:
            return answer_questions(request, await self._find_answers(request))
        return answer_request(request, await self._decide(request))

    async def _refuse(self, method: str, params: Any) -> dict[str, Any]:
        return answer_request(_read(method, params), BUSY)

    async def _find_answers(self, request: Request) -> dict[str, str]:
        """Return a person's answers, up to the first question that nobody answers."""
        answers: dict[str, str] = {}
        for question in request.questions if self._conversation.turn.may_ask else ():
            answer = await self._conversation.ask(question.ask)
            if answer is None or not answer.allowed or answer.by != "person":
                break
            answers[question.text] = question.read(answer.reason)
        return answers

    async def _decide(self, request: Request) -> Answer:
        """What a hook was told holds for the approval that the same call asks for afterwards."""
        ask = request.ask
        if ask is None:
            return OF_NO_ACCOUNT
        if ask.action is Action.QUESTION:
            return ASKED_NEXT if self._conversation.turn.may_ask else UNANSWERED
        if ask.action is Action.EDIT and self._conversation.turn.reads_only:
            return NOTHING_CHANGES
        before = self._allowed.pop(request.call, None)
        if (
            before
            and request.kind == "ApprovalRequest"
            and await in_thread(is_same, before.ask, ask, self._locate)
        ):
            return before.answer
        answer = await self._conversation.ask(ask) or OVER
        if answer.allowed and request.kind == "HookRequest" and request.call:
            self._allowed[request.call] = _Allowed(ask, answer)
            if len(self._allowed) > REMEMBERED:
                del self._allowed[next(iter(self._allowed))]
        return answer

    def _locate(self, path: str) -> str:
        """Return where a path leads that the agent named; blocking."""
        try:
            return os.path.realpath(self._conversation.turn.workspace / Path(path).expanduser())
        except (OSError, ValueError, RuntimeError):  # no name of a file, or nobody's home
            return path


def _introduce(turn: WorkerTurn) -> dict[str, Any]:
    return make_initialize(version("goalproof"), may_ask=turn.may_ask)


async def _find_unseen(peer: Peer, replaying: asyncio.Future[Any]) -> str:
    """Return why a session does not tell all of its earlier turns, nothing where it does."""
    await asyncio.wait({replaying}, timeout=REPLAY)
    if not replaying.done():
        with suppress(RemoteError, TimeoutError):
            async with asyncio.timeout(REPLAY_STOPS):
                await peer.request("cancel")
                await asyncio.wait({replaying})
        return f"it did not tell all of it in {REPLAY:g} s"
    try:
        replaying.result()
    except RemoteError as error:
        return f"it does not tell what went before: {error}"
    return ""


def _read(method: str, params: Any) -> Request:
    request = read_request(params) if method == "request" else None
    if request is None:
        raise RemoteError(METHOD_NOT_FOUND, "nobody here knows how to answer that")
    return request
