"""The Agent Client Protocol, version 1, read and written; pure.

What comes from the agent is data: a part of the wrong shape says nothing, and a kind of update that
nobody knows is passed over.  Agents differ in where they say what; each place was seen (agents.md, B).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from goal_engine.permission import Action, Answer, Ask
from goal_engine.usage import Usage as ModelUsage
from goal_engine.workers.peer import RemoteError
from goal_engine.workers.shapes import (
    Payload,
    as_amount,
    as_count,
    as_mapping,
    as_mappings,
    as_text,
    dump,
    load,
)
from goal_engine.workers.told import Called, Ending, Noted, Over, Spoken, Told
from goal_engine.workers.troubles import LOGGED_OUT, RATE_LIMITED

PROTOCOL = 1
TAKE_BACK = "$/cancel_request"
"""The notification that an answer to a request is waited for no more."""
AUTH = -32000
"""The error of an agent that nobody is logged in to."""
CALLS = 1000
"""Calls of tools that are remembered at the same time."""
STREAMED = 64 * 1024
"""Characters of a call's input that are kept while it is streamed."""
KEPT, PLACES = 20_000, 200
"""Characters of what a call is about, and files: more than anybody is asked for, who is told no then."""
ASIDE = 100
"""Pieces of an answer that nobody hears."""
TITLE = 2000
CUT = ("…", "...")
"""Ends of what is not the whole."""
NAMES = 512
"""Characters of a session's name, at most."""
LOGINS = 3
"""Ways to log in that are named."""

Call = tuple[str, dict[str, Any]]
"""A method and its parameters."""


# What is sent


def make_initialize(version: str) -> Call:
    """Return what is said first.  No file and no terminal of ours is offered: the agent has its own."""
    nothing = {"fs": {"readTextFile": False, "writeTextFile": False}, "terminal": False}
    client = {"name": "goalproof", "title": "Goalproof", "version": version}
    told = {"protocolVersion": PROTOCOL, "clientCapabilities": nothing, "clientInfo": client}
    return "initialize", told


def make_new(folder: str) -> Call:
    """Return what opens a session that works in `folder`, an absolute path."""
    return "session/new", {"cwd": folder, "mcpServers": []}


def make_prompt(session: str, text: str) -> Call:
    """Return what tells the agent what to do."""
    return "session/prompt", {"sessionId": session, "prompt": [{"type": "text", "text": text}]}


def make_cancel(session: str) -> Call:
    """Return what ends a prompt."""
    return "session/cancel", {"sessionId": session}


@dataclass(frozen=True, slots=True)
class Greeting:
    """What an agent says of itself."""

    version: int | None = None
    name: str = ""
    release: str = ""
    resumes: bool = False
    loads: bool = False
    """Whether it can go on with a session, and whether it tells all of it again then."""
    login: str = ""
    """How one logs in, in the agent's words."""

    @property
    def keeps(self) -> bool:
        """Whether a later process can go on with a session."""
        return self.resumes or self.loads

    def find_login(self, log_in: str) -> str:
        """Return how one logs in: with a command of the agent's, else as is known of it (`log_in`)."""
        return self.login if self.login.startswith("`") else log_in or self.login

    def make_again(self, session: str, folder: str) -> Call:
        """Return what goes on with a session."""
        method = "session/resume" if self.resumes else "session/load"
        return method, {"sessionId": session, "cwd": folder, "mcpServers": []}


def read_greeting(result: Any) -> Greeting:
    """Return what the answer to `initialize` says."""
    given = as_mapping(result)
    can, info = as_mapping(given.get("agentCapabilities")), as_mapping(given.get("agentInfo"))
    sessions = as_mapping(can.get("sessionCapabilities"))
    ways = [way for method in as_mappings(given.get("authMethods")) if (way := _say_login(method))]
    return Greeting(
        version=as_count(given.get("protocolVersion")),
        name=as_text(info.get("title")) or as_text(info.get("name")),
        release=as_text(info.get("version")),
        resumes=isinstance(sessions.get("resume"), dict),
        loads=can.get("loadSession") is True,
        login=" or ".join(ways[:LOGINS]),
    )


def _say_login(method: Payload) -> str:
    """The words of a terminal's command where there are any: they are what one can do."""
    terminal = as_mapping(as_mapping(method.get("_meta")).get("terminal-auth"))
    program = as_text(terminal.get("command")).rpartition("/")[2]
    if program:
        given = terminal.get("args")
        args = [as_text(arg) for arg in given] if isinstance(given, list) else []
        return f"`{' '.join([program, *args])}`"
    return as_text(method.get("description")) or as_text(method.get("name"))


def read_session(result: Any) -> str:
    """Return the name of the session that was opened, nothing when there is none."""
    name = as_text(as_mapping(result).get("sessionId"))
    return name if len(name) <= NAMES else ""


@dataclass(frozen=True, slots=True)
class Mode:
    """How a session's mode is set."""

    call: Call | None
    """What sets it, `None` where it is set already, or cannot be."""
    modes: tuple[str, ...]
    """The modes there are."""


def find_mode(session: str, result: Any, wanted: str) -> Mode:
    """Return how a session that was opened with `result` comes into a mode."""
    given = as_mapping(result)
    modes = as_mapping(given.get("modes"))
    there = [as_text(mode.get("id")) for mode in as_mappings(modes.get("availableModes"))]
    if wanted in there:
        told = {"sessionId": session, "modeId": wanted}
        now = modes.get("currentModeId") == wanted
        return Mode(None if now else ("session/set_mode", told), tuple(there))
    for option in as_mappings(given.get("configOptions")):
        values = [as_text(value.get("value")) for value in _flat(option.get("options"))]
        if option.get("category") == "mode" and wanted in values:
            told = {"sessionId": session, "configId": as_text(option.get("id")), "value": wanted}
            now = option.get("currentValue") == wanted
            return Mode(None if now else ("session/set_config_option", told), tuple(values))
        there += values if option.get("category") == "mode" else []
    return Mode(None, tuple(there))


def _flat(options: Any) -> Iterator[Payload]:
    """Yield the options, those in groups too."""
    for option in as_mappings(options):
        yield from as_mappings(option.get("options")) if "options" in option else (option,)


# What it asks


KINDS: Mapping[str, Action] = {
    "edit": Action.EDIT,
    "delete": Action.EDIT,
    "move": Action.EDIT,
    "execute": Action.EXECUTE,
    "read": Action.READ,
    "search": Action.READ,
    "fetch": Action.FETCH,
}
COMMANDS = ("command", "cmd", "script")
PATHS = ("path", "file_path", "filePath", "filepath", "absolute_path", "notebook_path", "dir_path")
QUERIES = ("url", "query", "pattern", "prompt")
"""Where a tool's input says what it is about."""


@dataclass(frozen=True, slots=True)
class Tool:
    """One call of a tool, as far as the agent told of it."""

    title: str = ""
    kind: str = ""
    name: str = ""
    command: str = ""
    about: str = ""
    given: str = ""
    """All of its input, where the ask itself tells it."""
    paths: tuple[str, ...] = ()
    questions: bool = False
    streamed: str = ""
    """Its input as it was streamed, in one piece once it is whole."""
    shown: bool = False
    """Whether the call was told of."""

    @property
    def action(self) -> Action:
        """What it does: a command is one whatever else is said of it."""
        if self.command:
            return Action.EXECUTE
        return KINDS.get(self.kind, Action.OTHER)

    @property
    def words(self) -> str:
        """What it does, for people."""
        about = self.command or ", ".join(self.paths) or self.about
        title = "" if about and CUT[0] in self.title else self.title
        named = title or self.name or self.kind or "a tool"
        is_said = about in named or (not self.command and about.rpartition("/")[2] in named)
        return named if is_said else f"{named}: {about}"


def add_told(tool: Tool, told: Payload, *, asking: bool = False) -> Tool:
    """Return a call with what an update says of it; `asking` is an update that asks leave.

    What such a one has as content is for a screen, and shortened.
    """
    raw, content = as_mapping(told.get("rawInput")), [*as_mappings(told.get("content"))]
    texts = [as_text(as_mapping(one.get("content")).get("text")) for one in content]
    streamed = tool.streamed if asking else next(filter(None, texts), tool.streamed)[:STREAMED]
    given = raw or ({} if asking else _parse(streamed))
    diffs = [as_text(one.get("path")) for one in content if one.get("type") == "diff"]
    places = [as_text(one.get("path")) for one in as_mappings(told.get("locations"))]
    named = [as_text(given.get(name)) for name in PATHS]
    paths = (*tool.paths, *filter(None, (*named, *diffs, *places)))
    meta = as_mapping(told.get("_meta"))
    return replace(
        tool,
        title=as_text(told.get("title"))[:TITLE] or tool.title,
        kind=as_text(told.get("kind")) or tool.kind or ("edit" if any(diffs) else ""),
        name=as_text(told.get("name")) or tool.name,
        command=_find_first(given, COMMANDS)[:KEPT] or tool.command,
        about=_find_first(given, QUERIES)[:KEPT] or tool.about,
        given=dump(given)[:KEPT] if asking and given else tool.given,
        paths=tuple(dict.fromkeys(path[:KEPT] for path in paths))[:PLACES],
        questions=tool.questions
        or "questions" in given
        or meta.get("qwenInteractionKind") == "user_question",
        streamed=streamed,
    )


def _find_first(given: Payload, names: tuple[str, ...]) -> str:
    for name in names:
        value = given.get(name)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, list) and value:
            return " ".join(map(dump, value))
    return ""


def _parse(text: str) -> Payload:
    """Return the input that was streamed as text, nothing until it is whole."""
    if not text.startswith("{"):
        return {}
    try:
        return as_mapping(load(text))
    except ValueError:
        return {}


@dataclass(frozen=True, slots=True)
class Option:
    """One answer that an agent offers."""

    id: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Request:
    """What an agent asks leave for, and the answers that it offers."""

    ask: Ask
    options: tuple[Option, ...] = ()
    unclear: str = ""
    """Why nobody can say yes to it, empty when one can."""

    def answer(self, answer: Answer | None) -> dict[str, Any]:
        """Return what the agent is told; `None` when the turn is over.

        Yes is the one option that allows this once: nothing is allowed for longer, and of several
        nobody knows which is meant.  A question may be answered with one option's own words.
        """
        if answer is None:
            return CANCELLED
        picked: list[Option] = []
        if answer.allowed and self.ask.action is Action.QUESTION:
            said = answer.reason.strip().casefold()
            picked = [
                one for one in self.options if said in (one.id.casefold(), one.name.casefold())
            ]
        elif answer.allowed and not self.unclear:
            picked = [one for one in self.options if one.kind == "allow_once"]
        if len(picked) != 1 and self.ask.action is not Action.QUESTION:
            picked = [one for kind in REJECTS for one in self.options if one.kind == kind][:1]
        if len(picked) != 1:
            return CANCELLED
        return {"outcome": {"outcome": "selected", "optionId": picked[0].id}}

    def has_said(self, told: Mapping[str, Any]) -> bool:
        """Whether this answer has all of what somebody said: it takes no words but those of an option."""
        return self.ask.action is Action.QUESTION and told != CANCELLED


REJECTS = ("reject_once", "reject_always")
CANCELLED: dict[str, Any] = {"outcome": {"outcome": "cancelled"}}


def read_request(params: Any, tool: Tool) -> Request:
    """Return what is asked, given what the agent told of the call before."""
    given = as_mapping(params)
    tool = add_told(tool, as_mapping(given.get("toolCall")), asking=True)
    options = tuple(
        Option(name, as_text(one.get("kind")), as_text(one.get("name")))
        for one in as_mappings(given.get("options"))
        if (name := as_text(one.get("optionId")))
    )
    kinds = [option.kind for option in options]
    several = kinds.count("allow_once") > 1 and "allow_always" not in kinds
    about = tool.command or tool.paths
    if tool.questions or several or ("question" in tool.title.lower() and not about):
        offered = tuple(option.name for option in options if option.kind not in REJECTS)
        texts = as_mappings(as_mapping(given.get("toolCall")).get("content"))
        said = [as_text(as_mapping(one.get("content")).get("text")) for one in texts]
        detail = "\n".join(filter(None, said)) or tool.title
        question = Ask(tool=tool.title, action=Action.QUESTION, detail=detail, choices=offered)
        return Request(question, options)
    detail = tool.command or tool.about
    if tool.action is Action.OTHER:  # nobody says yes to what they have not seen
        detail = tool.given or tool.streamed or detail
    if tool.action is Action.EXECUTE or not (detail or tool.paths):
        detail = detail or tool.title
    ask = Ask(tool=tool.name or tool.title, action=tool.action, detail=detail, paths=tool.paths)
    return Request(ask, options, _find_unclear(tool, kinds))


def _find_unclear(tool: Tool, kinds: list[str]) -> str:
    if tool.action is Action.EXECUTE and not tool.command and tool.title.endswith(CUT):
        return "the agent shows only a part of the command"
    if kinds.count("allow_once") != 1:
        return "the agent offers no way to allow it once, or several"
    return ""


# What it uses


class Usage:
    """What a session used since its prompt, as far as it is told; no figure is put together of unlike ones."""

    def __init__(self) -> None:
        self.usd: Decimal | None = None
        self._cost_before: Decimal | None = Decimal(0)
        self._steps: int | None = None
        self._turns: int | None = None
        self._parts: list[ModelUsage] = []

    def forget_cost(self) -> None:
        """The session is an old one: what it cost before is only known once it is told."""
        self._cost_before = None

    @property
    def tokens(self) -> int | None:
        """Tokens in all, `None` where nobody said."""
        return self._steps if self._turns is None else self._turns

    @property
    def parts(self) -> tuple[ModelUsage, ...]:
        """The same tokens by the models that used them; none where that does not account for all."""
        whole = sum(part.tokens for part in self._parts)
        return tuple(self._parts) if whole == self.tokens else ()

    def add_step(self, usage: Any) -> None:
        """Take notice of what one call of the model used, as Qwen Code says it."""
        used = count_tokens(as_mapping(usage))
        if used is not None:
            self._steps = (self._steps or 0) + used

    def set_cost(self, cost: Any, *, live: bool) -> None:
        """Take notice of what the session cost by now, in all."""
        given = as_mapping(cost)
        amount = as_amount(given.get("amount"))
        if amount is None or given.get("currency") != "USD":
            return
        whole = Decimal(str(amount))
        if not live:
            self._cost_before = whole
        elif self._cost_before is not None:
            self.usd = max(whole - self._cost_before, Decimal(0))

    def add_turn(self, result: Any, agent: str) -> None:
        """Take notice of what the answer to a prompt says."""
        given = as_mapping(result)
        quota = as_mapping(as_mapping(given.get("_meta")).get("quota"))
        named = tuple(as_mappings(quota.get("model_usage")))
        models = [
            used
            for model in named
            if (used := count_tokens(as_mapping(model.get("token_count")))) is not None
        ]
        self._parts += filter(None, map(_read_model_usage, named))
        used = sum(models) if models else count_tokens(as_mapping(quota.get("token_count")))
        if used is None and not agent.casefold().startswith(LAST_STEP):
            used = count_tokens(as_mapping(given.get("usage")))
        if used is not None:
            self._turns = (self._turns or 0) + used


def _read_model_usage(model: Payload) -> ModelUsage | None:
    """Whether `inputTokens` has what was cached in it is seen by the sum; without one, nothing is known of a cache."""
    count, name = as_mapping(model.get("token_count")), model.get("model")
    total, read = count_tokens(count), as_count(count.get("cachedInputTokens")) or 0
    write = as_count(count.get("cacheWriteInputTokens", count.get("cachedWriteTokens"))) or 0
    given = as_count(count.get("inputTokens", count.get("input_tokens")))
    made = as_count(count.get("outputTokens", count.get("output_tokens")))
    if total is None or given is None or made is None or not isinstance(name, str):
        return None
    own = total - made - read - write
    if own not in (given, given - read - write) or own < 0:
        return None
    return ModelUsage(
        model=name[:MODEL_NAME], input=own, cache_read=read, cache_write=write, output=made
    )


MODEL_NAME = 200
"""Characters of a model's name that are looked at."""
TOTALS: Mapping[str, str] = {"Kimi Code CLI": "usage"}
"""Agents that say what a session used only when they are asked, and the command that asks them."""
TOTAL = re.compile(r"Session total: ([0-9][0-9,]{0,14}) input, ([0-9][0-9,]{0,14}) output")


def read_total(said: str) -> int | None:
    """Return the tokens that such a command was answered with, `None` where it was not."""
    found = TOTAL.search(said)
    return sum(int(part.replace(",", "")) for part in found.groups()) if found else None


LAST_STEP = ("opencode",)
"""Agents whose `usage` is that of the last step alone."""


def count_tokens(usage: Payload) -> int | None:
    """Return all tokens, `None` where they are not told: whether the input has what was cached in it differs."""
    total = as_count(usage.get("totalTokens", usage.get("total_tokens")))
    if total is not None:
        return total
    given = as_count(usage.get("inputTokens", usage.get("input_tokens")))
    made = as_count(usage.get("outputTokens", usage.get("output_tokens")))
    return None if given is None or made is None else given + made


# What it tells


@dataclass(slots=True)
class Session:
    """What one session told since its prompt."""

    name: str = ""
    tools: dict[str, Tool] = field(default_factory=dict)
    live: bool = False
    """Whether what comes belongs to the prompt: what was there before is told again when it is loaded."""
    usage: Usage = field(default_factory=Usage)
    commands: frozenset[str] = frozenset()
    """What it answers without its model, where that begins with `/`."""
    aside: list[str] | None = None
    """What it says while nobody is to hear it, `None` while it is heard."""

    def read(self, method: str, params: Any) -> Iterator[Told]:
        """Yield what a notification says."""
        given = as_mapping(params)
        other = (
            self.name and given.get("sessionId") != self.name
        )  # its name may come after its updates
        if method != "session/update" or other:
            return
        update = as_mapping(given.get("update"))
        match update.get("sessionUpdate"):
            case "agent_message_chunk" | "agent_thought_chunk" as kind if self.live:
                self.usage.add_step(as_mapping(update.get("_meta")).get("usage"))
                text = as_text(as_mapping(update.get("content")).get("text"))
                if self.aside is not None:
                    self.aside += [text[:TITLE]] if len(self.aside) < ASIDE else []
                    return
                yield Spoken(text, thought=kind == "agent_thought_chunk")
            case "tool_call" | "tool_call_update" if self.live:
                yield from self._read_call(update)
            case "usage_update":
                self.usage.set_cost(update.get("cost"), live=self.live)
            case "available_commands_update":
                names = (
                    as_text(one.get("name")) for one in as_mappings(update.get("availableCommands"))
                )
                self.commands = frozenset(names)
            case "current_mode_update":
                yield Noted(f"its mode is now {as_text(update.get('currentModeId'))}")
            case "plan" if self.live:
                entries = [
                    as_text(entry.get("content")) for entry in as_mappings(update.get("entries"))
                ]
                yield Noted(f"plans: {'; '.join(filter(None, entries))}")
            case _:
                pass

    def find_tool(self, call: Any) -> Tool:
        """Return what is known of a call."""
        return self.tools.get(as_text(call), Tool())

    def _read_call(self, update: Payload) -> Iterator[Told]:
        call = as_text(update.get("toolCallId"))
        tool = add_told(self.find_tool(call), update)
        status = update.get("status")
        over = status in ("completed", "failed")
        if not tool.shown and (over or (update.get("rawInput") and status != "pending")):
            yield Called(tool.words)
            tool = replace(tool, shown=True)
        if status == "failed":
            yield Noted(f"failed: {tool.title or tool.name}")
        self.tools.pop(call, None)
        if not over:
            self.tools[call] = tool
            if len(self.tools) > CALLS:
                del self.tools[next(iter(self.tools))]


# How it ends


STOPS: Mapping[str, Ending] = {
    "cancelled": Ending.CANCELLED,
    "refusal": Ending.REFUSED,
    "max_tokens": Ending.LIMIT,
    "max_turn_requests": Ending.LIMIT,
}
"""How a prompt may end beside well.  That it ended well says nothing: agents say so of failures too."""


def read_stop(result: Any) -> Over:
    """Return how a prompt ended that was answered."""
    reason = as_text(as_mapping(result).get("stopReason"))
    ending = STOPS.get(reason, Ending.END_TURN)
    return Over(ending, "" if ending is Ending.END_TURN else reason)


LOST = re.compile(r"\b(?:thread|session)\b.{0,100}\bnot found\b", re.IGNORECASE)


def is_session_lost(error: RemoteError) -> bool:
    """Whether a prompt was answered with that there is no such session."""
    return LOST.search(f"{error.message} {dump(error.data)[:KEPT]}") is not None


def read_error(error: RemoteError, login: str = "") -> Over:
    """Return how a prompt ended that was answered with an error; `login` is how one logs in."""
    data = "" if error.data is None else dump(error.data)[:KEPT]
    said = f"{error.message} {error.code} {data}"
    detail = f"{error.message} {data}".strip()
    if RATE_LIMITED.search(said):
        return Over(Ending.RATE_LIMITED, detail)
    if error.code == AUTH or LOGGED_OUT.search(said):
        how = f"log in ({login}) and `execute` the goal again" if login else detail
        return Over(Ending.AUTH_REQUIRED, how)
    return Over(Ending.PROVIDER_ERROR, detail)
