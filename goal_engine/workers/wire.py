"""The wire protocol 1.10 of Kimi CLI up to 1.51, read and written; pure.

What comes from the agent is data: a part of the wrong shape says nothing, and a kind of event that
nobody knows is passed over.  Ids of requests are texts: the agent refuses others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from goal_engine.permission import Action, Answer, Ask

PROTOCOL = "1.10"
HOOK = "before-each-tool"
HOOK_SECONDS = 30 * 24 * 3600
"""How long the agent waits for what a hook says.  Then it would let the tool through, so it never may."""
NO_LONGER = "no longer maintained"
"""What 1.52, which is nothing but this notice, prints before it ends with 0."""

Payload = Mapping[str, Any]


# What is sent


def fill_wire(argv: tuple[str, ...], session: str, workspace: str) -> tuple[str, ...]:
    """Return the command for a session: a new one by that id, or the one that has it already."""
    return (*argv, "--work-dir", workspace, "--session", session)


def make_initialize(version: str) -> dict[str, Any]:
    """Return what is said first: every tool is asked about before it runs, and no question is answered."""
    return {
        "protocol_version": PROTOCOL,
        "client": {"name": "goalproof", "version": version},
        "capabilities": {"supports_question": False, "supports_plan_mode": False},
        "hooks": [{"id": HOOK, "event": "PreToolUse", "matcher": "", "timeout": HOOK_SECONDS}],
    }


def find_unfit(greeting: Any) -> str:
    """Return why one cannot talk to who answered `initialize` so; empty when one can."""
    version = _text(_mapping(greeting), "protocol_version")
    if version.split(".")[0] == PROTOCOL.split(".")[0]:
        return ""
    return f"it speaks version {version[:20] or 'unknown'} of the wire protocol, not {PROTOCOL}"


def answer_request(request: Request, answer: Answer) -> dict[str, Any]:
    """Return what the agent is told; `answer` is of no account to a question, which nobody answers."""
    reason = "" if answer.allowed else f"Not allowed here: {answer.reason or 'nobody allowed it'}"
    match request.kind:
        case "ApprovalRequest":
            said = {"response": "approve" if answer.allowed else "reject", "feedback": reason}
        case "HookRequest":
            said = {"action": "allow" if answer.allowed else "block", "reason": reason}
        case _:
            return {"request_id": request.id, "answers": {}}
    return {"request_id": request.id, **said}


# What it asks


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
    "AskUserQuestion": (Action.QUESTION, ("questions",), ()),
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


def read_request(params: Any) -> Request | None:
    """Return what the agent waits for; `None` for what nobody can answer."""
    given = _mapping(params)
    kind, payload = _text(given, "type"), _mapping(given.get("payload"))
    read = REQUESTS.get(kind)
    return read(kind, payload) if read and _text(payload, "id") else None


def _read_approval(kind: str, payload: Payload) -> Request:
    tool, shown = _text(payload, "sender"), [*_mappings(payload.get("display"))]
    found = [(SURFACES[name], one) for one in shown if (name := _text(one, "type")) in SURFACES]
    usual = TOOLS.get(tool, (Action.OTHER, (), ()))[0]
    commands = [_text(one, key) for (action, key), one in found if action is Action.EXECUTE]
    ask = Ask(
        tool=tool,
        action=found[0][0][0] if found else usual,
        detail="\n".join(commands) or ("" if found else _text(payload, "description")),
        paths=tuple(_text(one, key) for (action, key), one in found if action is Action.EDIT),
    )
    inward = tool in INWARD and not found
    return Request(
        kind, _text(payload, "id"), _text(payload, "tool_call_id"), None if inward else ask
    )


def _read_hook(kind: str, payload: Payload) -> Request:
    given = _mapping(payload.get("input_data"))
    tool = _text(given, "tool_name") or _text(payload, "target")
    ask = None if tool in INWARD else read_tool(tool, _mapping(given.get("tool_input")))
    return Request(kind, _text(payload, "id"), _text(given, "tool_call_id"), ask)


def _read_question(kind: str, payload: Payload) -> Request:
    said = [_text(one, "question") for one in _mappings(payload.get("questions"))]
    ask = Ask(tool="AskUserQuestion", action=Action.QUESTION, detail="\n".join(said))
    return Request(kind, _text(payload, "id"), _text(payload, "tool_call_id"), ask)


REQUESTS: Mapping[str, Callable[[str, Payload], Request]] = {
    "ApprovalRequest": _read_approval,
    "HookRequest": _read_hook,
    "QuestionRequest": _read_question,
}


def read_tool(tool: str, given: Payload) -> Ask:
    """Return what a tool that is called so is about; of one that nobody knows, all that it is given."""
    if tool not in TOOLS:
        return Ask(tool=tool, action=Action.OTHER, detail=_dump(given))
    action, about, places = TOOLS[tool]
    details = (given.get(name) for name in about)
    return Ask(
        tool=tool,
        action=action,
        detail="\n".join(_dump(value) for value in details if value),
        paths=tuple(path for name in places if (path := _text(given, name))),
    )


def is_same(asked: Ask, now: Ask) -> bool:
    """Whether an approval is about what a hook asked before: the agent resolves paths in between."""
    if (asked.tool, asked.action) != (now.tool, now.action):
        return False
    if asked.action is Action.EXECUTE:
        return asked.detail == now.detail
    ends = [path.removeprefix("./").rpartition("/")[2] for path in (*asked.paths, *now.paths)]
    return len({*ends}) <= 1


# What it tells


@dataclass(frozen=True, slots=True)
class Begun:
    """A step: one call of the model."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A piece of what the agent says."""

    text: str
    thought: bool = False


@dataclass(frozen=True, slots=True)
class Called:
    """A tool is called."""

    call: str
    tool: str


@dataclass(frozen=True, slots=True)
class Returned:
    """A tool has ended."""

    call: str
    failed: bool
    message: str


@dataclass(frozen=True, slots=True)
class Used:
    """What one step used, in tokens."""

    fresh: int
    cached: int
    written: int
    """Put into the vendor's cache."""
    output: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.fresh + self.cached + self.written + self.output


@dataclass(frozen=True, slots=True)
class Heard:
    """The agent took in what it was told meanwhile."""

    text: str


@dataclass(frozen=True, slots=True)
class Noted:
    """Something else that whoever follows wants to see."""

    text: str


Told = Begun | Spoken | Called | Returned | Used | Heard | Noted


def read_event(params: Any) -> tuple[Told, bool] | None:
    """Return what an event says, and whether it is of an agent of the agent's; `None` for nothing."""
    given, inner = _mapping(params), False
    while _text(given, "type") == "SubagentEvent":
        given, inner = _mapping(_mapping(given.get("payload")).get("event")), True
    read = EVENTS.get(_text(given, "type"))
    told = read(_mapping(given.get("payload"))) if read else None
    return None if told is None else (told, inner)


def _read_content(payload: Payload) -> Told | None:
    key = {"text": "text", "think": "think"}.get(_text(payload, "type"))
    return Spoken(_text(payload, key), thought=key == "think") if key else None


def _read_call(payload: Payload) -> Told:
    return Called(_text(payload, "id"), _text(_mapping(payload.get("function")), "name"))


def _read_result(payload: Payload) -> Told:
    value = _mapping(payload.get("return_value"))
    failed = value.get("is_error") is True
    return Returned(_text(payload, "tool_call_id"), failed, _text(value, "message"))


def _read_status(payload: Payload) -> Told | None:
    usage = payload.get("token_usage")
    if not isinstance(usage, dict):
        return None
    kinds = ("input_other", "input_cache_read", "input_cache_creation", "output")
    return Used(*(_count(usage, kind) for kind in kinds))


def _read_retry(payload: Payload) -> Told:
    code = payload.get("status_code")
    why = f"{_text(payload, 'error_type')} {code if isinstance(code, int) else ''}".strip()
    return Noted(
        f"the model did not answer ({why}), attempt {_count(payload, 'next_attempt')} of "
        f"{_count(payload, 'max_attempts')}"
    )


EVENTS: Mapping[str, Callable[[Payload], Told | None]] = {
    "StepBegin": lambda _: Begun(),
    "ContentPart": _read_content,
    "ToolCall": _read_call,
    "ToolResult": _read_result,
    "StatusUpdate": _read_status,
    "StepRetry": _read_retry,
    "SteerInput": lambda payload: Heard(_text(payload, "user_input")),
    "CompactionBegin": lambda _: Noted("it shortens what it remembers"),
    "Notification": lambda payload: Noted(_text(payload, "title")),
}
"""What is looked at; everything else is for a person's own screen."""


class Usage:
    """What a turn used so far, from what each step told of itself."""

    def __init__(self) -> None:
        self.tokens = 0
        self._open: dict[bool, int] = {False: 0, True: 0}
        self._told = 0
        self._came = False

    def add(self, told: Told, inner: bool) -> bool:
        """Take notice of what was told; return whether the sum is another now."""
        match told:
            case Begun():
                self._open[inner] += 1
            case Spoken() | Called():
                self._came = True
            case Used(total=total):
                self._open[inner] = max(0, self._open[inner] - 1)
                self._told += 1
                self.tokens += total
                return True
            case _:
                pass
        return False

    @property
    def is_known(self) -> bool:
        """Whether there is a figure: of a model that gave nothing it is none, for certain."""
        return bool(self._told) or not self._came

    @property
    def is_whole(self) -> bool:
        """Whether every step told what it used: one that is cut off does not."""
        return not any(self._open.values())


# Parts of the wrong shape say nothing


def _mapping(value: Any) -> Payload:
    return value if isinstance(value, dict) else {}


def _mappings(value: Any) -> Iterator[Payload]:
    yield from (one for one in value if isinstance(one, dict)) if isinstance(value, list) else ()


def _text(given: Payload, key: str) -> str:
    value = given.get(key)
    return value if isinstance(value, str) else ""


def _count(given: Payload, key: str) -> int:
    value = given.get(key)
    return max(0, value) if isinstance(value, int) and not isinstance(value, bool) else 0


def _dump(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
