"""The wire protocol 1.10 of Kimi CLI up to 1.51, read and written; pure.

What comes from the agent is data: a part of the wrong shape says nothing, and a kind of event that
nobody knows is passed over.  Ids of requests are texts: the agent refuses others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from goal_engine.permission import Action, Answer, Ask
from goal_engine.workers.peer import RemoteError
from goal_engine.workers.shapes import (
    Payload,
    as_count,
    as_mapping,
    as_mappings,
    as_text,
    dump,
)
from goal_engine.workers.told import Called, Ending, Noted, Over, Spoken, Told
from goal_engine.workers.troubles import LOGGED_OUT, RATE_LIMITED

PROTOCOL = "1.10"
HOOK = "before-each-tool"
HOOK_SECONDS = 30 * 24 * 3600
"""How long the agent waits for what a hook says.  Then it would let the tool through, so it never may."""
NO_LONGER = "no longer maintained"
"""What 1.52, which is nothing but this notice, prints before it ends with 0."""
UNKNOWN_OPTION = re.compile(
    r"(?i)\b(?:unknown|no such|unrecognized) (?:option|argument)s?\b.*--wire"
)
"""What other programs of that name print, Kimi Code among them."""


# What is sent


def fill_wire(argv: tuple[str, ...], session: str, workspace: str) -> tuple[str, ...]:
    """Return the command for a session: a new one by that id, or the one that has it already."""
    return (*argv, "--work-dir", workspace, "--session", session)


def make_initialize(version: str, *, may_ask: bool) -> dict[str, Any]:
    """Return what is said first: every tool is asked about before it runs.

    An agent that may not ask has no tool for questions.
    """
    return {
        "protocol_version": PROTOCOL,
        "client": {"name": "goalproof", "version": version},
        "capabilities": {"supports_question": may_ask, "supports_plan_mode": False},
        "hooks": [{"id": HOOK, "event": "PreToolUse", "matcher": "", "timeout": HOOK_SECONDS}],
    }


def find_unfit(greeting: Any) -> str:
    """Return why one cannot talk to who answered `initialize` so; empty when one can."""
    version = as_text(as_mapping(greeting).get("protocol_version"))
    if version.split(".")[0] == PROTOCOL.split(".")[0]:
        return ""
    return f"it speaks version {version[:20] or 'unknown'} of the wire protocol, not {PROTOCOL}"


def answer_request(request: Request, answer: Answer) -> dict[str, Any]:
    """Return what the agent is told; questions are answered by `answer_questions`, and here by nothing."""
    reason = "" if answer.allowed else f"Not allowed here: {answer.reason or 'nobody allowed it'}"
    match request.kind:
        case "ApprovalRequest":
            said = {"response": "approve" if answer.allowed else "reject", "feedback": reason}
        case "HookRequest":
            said = {"action": "allow" if answer.allowed else "block", "reason": reason}
        case _:
            return answer_questions(request, {})
    return {"request_id": request.id, **said}


def answer_questions(request: Request, answers: Mapping[str, str]) -> dict[str, Any]:
    """Return what the agent is told of its questions, by their text; what is not there nobody answered."""
    return {"request_id": request.id, "answers": {**answers}}


# What it asks


ASKS = "AskUserQuestion"
TOOLS: Mapping[str, tuple[Action, tuple[str, ...], tuple[str, ...]]] = {
    "Shell": (Action.EXECUTE, ("command",), ()),
    "WriteFile": (Action.EDIT, (), ("path",)),
    "StrReplaceFile": (Action.EDIT, (), ("path",)),
    "ReadFile": (Action.READ, (), ("path",)),
    "ReadMediaFile": (Action.READ, (), ("path",)),
    "Glob": (Action.READ, ("pattern",), ("directory",)),
    "Grep": (Action.READ, ("pattern",), ("path",)),
    "FetchURL": (Action.FETCH, ("url",), ()),
    "SearchWeb": (Action.FETCH, ("query",), ()),
    ASKS: (Action.QUESTION, ("questions",), ()),
}
"""The tools that reach out: what each does, and where its input says what it is about and which files."""
INWARD = frozenset(
    {"Agent", "Think", "SetTodoList", "SendDMail", "TaskList", "TaskOutput", "TaskStop"}
    | {"EnterPlanMode", "ExitPlanMode"}
)
"""Tools that concern the agent alone: what one of its agents does is asked about by itself."""
SURFACES: Mapping[str, tuple[Action, str]] = {
    "shell": (Action.EXECUTE, "command"),
    "diff": (Action.EDIT, "path"),
}
"""What an approval shows the person, and which part says what it is about."""


@dataclass(frozen=True, slots=True)
class Request:
    """Something the agent waits for."""

    kind: str
    id: str
    call: str = ""
    """The tool call that it is about."""
    ask: Ask | None = None
    """What is to be allowed; `None` for what concerns the agent alone."""
    questions: tuple[Question, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """Something that the agent wants to know."""

    text: str
    ask: Ask
    labels: tuple[str, ...] = ()
    """The answers that it offers; any other is one, too."""
    several: bool = False
    """Whether it takes more than one of them."""

    def read(self, said: str) -> str:
        """Return a person's word as the agent takes it: its own labels where they are meant."""
        if self.several and not self._find_label(said):
            return ", ".join(self._find_label(one) or one.strip() for one in said.split(","))
        return self._find_label(said) or said

    def _find_label(self, said: str) -> str:
        wanted = said.strip()
        close = [label for label in self.labels if label.casefold() == wanted.casefold()]
        return wanted if wanted in self.labels else close[0] if len(close) == 1 else ""


def read_request(params: Any) -> Request | None:
    """Return what the agent waits for; `None` for what nobody can answer."""
    given = as_mapping(params)
    kind, payload = as_text(given.get("type")), as_mapping(given.get("payload"))
    read = REQUESTS.get(kind)
    return read(kind, payload) if read and as_text(payload.get("id")) else None


def _read_approval(kind: str, payload: Payload) -> Request:
    tool, shown = as_text(payload.get("sender")), [*as_mappings(payload.get("display"))]
    found = [
        (SURFACES[name], one) for one in shown if (name := as_text(one.get("type"))) in SURFACES
    ]
    usual = TOOLS.get(tool, (Action.OTHER, (), ()))[0]
    commands = [as_text(one.get(key)) for (action, key), one in found if action is Action.EXECUTE]
    ask = Ask(
        tool=tool,
        action=found[0][0][0] if found else usual,
        detail="\n".join(commands) or ("" if found else as_text(payload.get("description"))),
        paths=tuple(as_text(one.get(key)) for (action, key), one in found if action is Action.EDIT),
    )
    inward = tool in INWARD and not found
    return Request(
        kind,
        as_text(payload.get("id")),
        as_text(payload.get("tool_call_id")),
        None if inward else ask,
    )


def _read_hook(kind: str, payload: Payload) -> Request:
    given = as_mapping(payload.get("input_data"))
    tool = as_text(given.get("tool_name")) or as_text(payload.get("target"))
    ask = None if tool in INWARD else read_tool(tool, as_mapping(given.get("tool_input")))
    return Request(kind, as_text(payload.get("id")), as_text(given.get("tool_call_id")), ask)


def _read_question(kind: str, payload: Payload) -> Request:
    given = as_mappings(payload.get("questions"))
    return Request(
        kind,
        as_text(payload.get("id")),
        as_text(payload.get("tool_call_id")),
        questions=tuple(_read_item(one) for one in given if as_text(one.get("question"))),
    )


def _read_item(given: Payload) -> Question:
    """Of several answers a person types those that they choose: their screen would let them pick one."""
    text, several = as_text(given.get("question")), given.get("multi_select") is True
    options = {as_text(one.get("label")): one for one in as_mappings(given.get("options"))}
    options.pop("", None)
    said = {label: as_text(one.get("description")) for label, one in options.items()}
    told = [f"{label}: {why}" if why else label for label, why in said.items() if why or several]
    how = ["Any of them, with commas in between."] if several and options else []
    detail = "\n".join(filter(None, (text, as_text(given.get("body")), *told, *how)))
    choices = () if several else tuple(options)
    ask = Ask(tool=ASKS, action=Action.QUESTION, detail=detail, choices=choices)
    return Question(text, ask, tuple(options), several)


REQUESTS: Mapping[str, Callable[[str, Payload], Request]] = {
    "ApprovalRequest": _read_approval,
    "HookRequest": _read_hook,
    "QuestionRequest": _read_question,
}


def read_tool(tool: str, given: Payload) -> Ask:
    """Return what a tool that is called so is about; of one that nobody knows, all that it is given."""
    if tool not in TOOLS:
        return Ask(tool=tool, action=Action.OTHER, detail=dump(given))
    action, about, places = TOOLS[tool]
    details = (given.get(name) for name in about)
    return Ask(
        tool=tool,
        action=action,
        detail="\n".join(dump(value) for value in details if value),
        paths=tuple(path for name in places if (path := as_text(given.get(name)))),
    )


def is_same(asked: Ask, now: Ask, locate: Callable[[str], str]) -> bool:
    """Whether an approval is about what a hook asked before of the same call.

    The agent resolves paths in between, so they are compared by where they lead (`locate`).  It shows
    none of a file that does not change.
    """
    if (asked.tool, asked.action) != (now.tool, now.action):
        return False
    if asked.action is Action.EXECUTE:
        return asked.detail == now.detail
    before, after = ({*map(locate, paths)} for paths in (asked.paths, now.paths))
    return before == after or not before or not after


# What it tells


class Usage:
    """What a turn used so far, from what each call of the model told of itself; one that is cut off does not."""

    def __init__(self) -> None:
        self._sum: int | None = None
        self._came = False

    @property
    def tokens(self) -> int | None:
        """All that were told of by now, `None` before."""
        return self._sum

    @property
    def whole(self) -> int | None:
        """What it comes to when the turn is over: a model that gave nothing used none."""
        return 0 if self._sum is None and not self._came else self._sum

    def begin(self) -> None:
        """The model gives something."""
        self._came = True

    def add(self, status: Payload) -> None:
        """Take notice of the end of a call."""
        told = as_mapping(status.get("token_usage"))
        counts = [as_count(told.get(kind)) for kind in KINDS_OF_TOKENS]
        if any(count is not None for count in counts):
            self._sum = (self._sum or 0) + sum(count or 0 for count in counts)


KINDS_OF_TOKENS = ("input_other", "input_cache_read", "input_cache_creation", "output")
"""No token is in two of them."""


@dataclass(slots=True)
class Session:
    """What the agent told of its turn."""

    usage: Usage = field(default_factory=Usage)
    turns: int = 0
    """Prompts that the agent took in."""
    heard: int = 0
    """How many of the words that it was told meanwhile it took in."""

    def read(self, method: str, params: Any) -> Iterator[Told]:
        """Yield what a notification says."""
        given, inner = as_mapping(params), False
        if method != "event":
            return
        while given.get("type") == "SubagentEvent":  # an agent of the agent's is the agent
            given, inner = as_mapping(as_mapping(given.get("payload")).get("event")), True
        payload = as_mapping(given.get("payload"))
        match given.get("type"):
            case "ContentPart" if (kind := as_text(payload.get("type"))) in PARTS:
                self.usage.begin()
                yield Spoken(as_text(payload.get(kind)), thought=inner or kind != "text")
            case "ToolCall":
                self.usage.begin()
                yield Called(as_text(as_mapping(payload.get("function")).get("name")))
            case "ToolResult":
                value = as_mapping(payload.get("return_value"))
                if value.get("is_error") is True:
                    yield Noted(f"failed: {as_text(value.get('message'))}")
            case "StatusUpdate":
                self.usage.add(payload)
            case "TurnBegin":
                self.turns += 1
            case "SteerInput":
                self.heard += 1
            case "StepRetry":
                yield Noted(_say_retry(payload))
            case "CompactionBegin":
                yield Noted("it shortens what it remembers")
            case _:
                pass


PARTS = frozenset({"text", "think"})
"""Kinds of content that are words; others are pictures and sounds."""


def _say_retry(payload: Payload) -> str:
    why = f"{as_text(payload.get('error_type'))} {as_count(payload.get('status_code')) or ''}"
    number, most = (as_count(payload.get(key)) for key in ("next_attempt", "max_attempts"))
    return f"the model did not answer ({why.strip()}): attempt {number} of {most} comes"


# What it tells again


LAST = 4096
"""Characters of the last words of an earlier turn that are kept."""


@dataclass(slots=True)
class Past:
    """What a session tells again of its earlier turns: nothing of it happens now."""

    turns: int = 0
    calls: int = 0
    """Tools that were called."""
    said: str = ""
    """The agent's last words then, their end."""
    _told: Session = field(default_factory=Session)

    def read(self, method: str, params: Any) -> None:
        """Take notice of what is told again."""
        for told in self._told.read(method, params):
            match told:
                case Called():
                    self.calls, self.said = self.calls + 1, ""
                case Spoken(text, thought=False):
                    self.said = (self.said + text[-LAST:])[-LAST:]
                case _:
                    pass
        self.turns = self._told.turns

    @property
    def counted(self) -> str:
        """How much it was."""
        turns = f"{self.turns} turn{'' if self.turns == 1 else 's'}"
        return f"{turns} and {self.calls} call{'' if self.calls == 1 else 's'} of tools before"


def read_prompt(method: str, params: Any) -> str:
    """Return the prompt that a notification says was taken in, nothing for any other notification."""
    given = as_mapping(params)
    if method != "event" or given.get("type") != "TurnBegin":
        return ""
    return as_text(as_mapping(given.get("payload")).get("user_input"))


# How it ends


STATUSES: Mapping[str, Ending] = {
    "cancelled": Ending.CANCELLED,
    "max_steps_reached": Ending.LIMIT,
}
"""How a prompt may end beside well."""
LOG_IN = "`kimi login`, or name a provider with its key in its configuration, and `execute` the goal again"
NO_MODEL = -32001
ERRORS: Mapping[int, Ending] = {NO_MODEL: Ending.AUTH_REQUIRED, -32004: Ending.AUTH_REQUIRED}
"""What its own codes say.  That of its vendor's errors, -32003, says nothing: their text does."""


def read_status(result: Any) -> Over:
    """Return how a prompt ended that was answered."""
    given = as_mapping(result)
    ending = STATUSES.get(as_text(given.get("status")), Ending.END_TURN)
    steps = as_count(given.get("steps"))
    limited = ending is Ending.LIMIT and steps
    return Over(ending, f"{steps} steps, as its configuration says" if limited else "")


def read_error(error: RemoteError) -> Over:
    """Return how a prompt ended that was answered with an error."""
    if RATE_LIMITED.search(error.message):
        return Over(Ending.RATE_LIMITED, error.message)
    if error.code in ERRORS or LOGGED_OUT.search(error.message):
        why = "it has no model" if error.code == NO_MODEL else error.message
        return Over(Ending.AUTH_REQUIRED, f"{why}; {LOG_IN}")
    return Over(Ending.PROVIDER_ERROR, f"{error.message} ({error.code})")


def find_other(noise: str) -> str:
    """Return why a program that never answered is none that speaks wire, as far as its words say it."""
    if NO_LONGER in noise:
        return "it is Kimi CLI from 1.52 on, which does nothing any more"
    return "it has no such option" if UNKNOWN_OPTION.search(noise) else ""
