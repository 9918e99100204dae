"""A model endpoint of our own, on loopback: what it answers is a function of what it is asked.

It speaks two dialects, OpenAI's chat completions and Anthropic's messages, which together are enough
for every agent that the tests drive.  A `Script` is given what the agent sent (`Asked`) and says what
the model would (`Reply`); it names actions, and the tools that this agent offers are found for them.
"""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "stub-model"
WINDOW = 131072
BREATH = 0.1
"""Seconds between two signs of life of a model that takes its time."""
DEADLINE = 60.0
"""Seconds in which an agent has to come with what a test waits for."""


@dataclass(frozen=True)
class Write:
    """Write a whole file."""

    path: str
    content: str


@dataclass(frozen=True)
class Run:
    """Run a command line."""

    command: str


@dataclass(frozen=True)
class Question:
    """Ask the person."""

    text: str
    options: tuple[str, str]


Action = Write | Run | Question


@dataclass(frozen=True)
class Usage:
    """Tokens of one answer; `cached` are some of `input`."""

    input: int = 1000
    output: int = 20
    cached: int = 100


@dataclass(frozen=True)
class Reply:
    """What the model says: a text, calls of tools, or an error."""

    text: str = ""
    do: tuple[Action, ...] = ()
    status: int = 200
    hangs: bool = False
    """Whether it begins to answer and never goes on."""
    usage: Usage = Usage()


@dataclass(frozen=True)
class Asked:
    """What an agent sent, whatever the dialect."""

    prompts: tuple[str, ...]
    """What the user said, oldest first."""
    done: int
    """Calls of tools since the newest prompt of ours: how far a script has come."""
    tools: Mapping[str, Mapping[str, Any]]
    """By name, the properties of each tool's arguments."""
    results: tuple[str, ...] = ()
    """What the tools answered since then."""
    items: tuple[tuple[str, str], ...] = ()
    """All since then: who (`user`, `assistant`, `call`, `result`), and what."""
    number: int = 0
    """How many requests with tools came before."""

    @property
    def prompt(self) -> str:
        """The newest prompt of ours."""
        return self.prompts[-1] if self.prompts else ""


Script = Callable[[Asked], Reply]
SIDE = Reply("A title")
"""What is said to whoever offers no tools: agents ask for titles, and whether to go on."""


def in_turn(*replies: Reply) -> Script:
    """Return a script of one turn: each reply follows on the calls of those before it."""

    def say(asked: Asked) -> Reply:
        left = asked.done
        for reply in replies:
            if left < len(reply.do) or not reply.do:
                return reply
            left -= len(reply.do)
        return Reply("Done.")

    return say


@dataclass
class Endpoint:
    """An endpoint that is there, and what it was asked."""

    script: Script
    ours: str
    """Words that are in each prompt of ours: what agents themselves add for the user is none."""
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    """Every request that offered tools."""
    problems: list[str] = field(default_factory=list)
    """What it could not answer: a test that finds one has learned that an agent changed."""
    over: threading.Event = field(default_factory=threading.Event)
    _came: threading.Condition = field(default_factory=threading.Condition)

    def take(self, dialect: Dialect, body: Mapping[str, Any]) -> tuple[Reply, list[_Call]]:
        """Return what to say to a request, and which tools that calls."""
        items, tools = dialect.read(body)
        if not tools:
            return SIDE, []
        with self._came:
            asked = _look(items, tools, self.ours, len(self.asked))
            self.asked.append(asked)
            self._came.notify_all()
        reply = self.script(asked)
        made = sum(who == "call" for who, _ in items)
        return reply, [_find_call(made + at, one, tools) for at, one in enumerate(reply.do)]

    def wait_for(self, number: int) -> None:
        """Return as soon as the agent has asked so often."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.asked) >= number, DEADLINE), "none came"


@contextmanager
def serve(script: Script, ours: str) -> Iterator[Endpoint]:
    """Answer on a free port of loopback as long as this lasts."""
    endpoint = Endpoint(script, ours)

    class Handler(_Handler):
        serves = endpoint

    with _Server(("127.0.0.1", 0), Handler) as server:
        endpoint.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield endpoint
        finally:
            endpoint.over.set()
            server.shutdown()
            thread.join()


# what is asked

_Item = tuple[str, str]
"""Who (`user`, `assistant`, `call`, `result`), and what."""
_Call = tuple[str, str, dict[str, Any]]
"""Its id, which tool, and the arguments."""
_Tools = dict[str, Mapping[str, Any]]


def _look(items: list[_Item], tools: _Tools, ours: str, number: int) -> Asked:
    places = [at for at, (who, text) in enumerate(items) if who == "user" and ours in text]
    since = items[places[-1] + 1 :] if places else items
    return Asked(
        prompts=tuple(items[at][1] for at in places),
        done=sum(who == "call" for who, _ in since),
        tools=tools,
        results=tuple(text for who, text in since if who == "result"),
        items=tuple(since),
        number=number,
    )


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content or ()
    return "\n".join(part if isinstance(part, str) else part.get("text") or "" for part in parts)


def _read_chat(body: Mapping[str, Any]) -> tuple[list[_Item], _Tools]:
    items: list[_Item] = []
    for message in body["messages"]:
        who = "result" if message["role"] == "tool" else message["role"]
        items.append((who, _text(message.get("content"))))
        calls = message.get("tool_calls") or ()
        items += [("call", call["function"]["name"]) for call in calls]
    functions = [tool["function"] for tool in body.get("tools") or ()]
    return items, {one["name"]: _properties(one.get("parameters")) for one in functions}


def _read_messages(body: Mapping[str, Any]) -> tuple[list[_Item], _Tools]:
    items: list[_Item] = []
    for message in body["messages"]:
        content = message["content"]
        for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            match part["type"]:
                case "tool_use":
                    items.append(("call", part["name"]))
                case "tool_result":
                    items.append(("result", _text(part.get("content"))))
                case "text":
                    items.append((message["role"], part["text"]))
    tools = [tool for tool in body.get("tools") or () if "input_schema" in tool]
    return items, {tool["name"]: _properties(tool["input_schema"]) for tool in tools}


def _properties(schema: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return (schema or {}).get("properties") or {}


# what is said


def _find_call(number: int, action: Action, tools: _Tools) -> _Call:
    """Return how an action, one of a conversation, is called with the tools that an agent offers."""
    match action:
        case Write(path, content):
            names = ("WriteFile", "Write", "write")
            values = {
                "path": path,
                "file_path": path,
                "filePath": path,
                "content": content,
            }
        case Run(command):
            names = ("Shell", "Bash", "bash")
            values = {"command": command, "description": "Runs a command"}
        case Question(text, options):
            names = ("AskUserQuestion", "question")
            choices = [{"label": label, "description": label} for label in options]
            question = {"question": text, "header": "Choice", "options": choices}
            values = {"questions": [question]}
    name = next((name for name in names if name in tools), None)
    if name is None:
        raise LookupError(f"no tool of {sorted(tools)} does {action}")
    known = tools[name]
    return f"call_{number}", name, {key: value for key, value in values.items() if key in known}


Send = Callable[[Any, str | None], None]
"""Sends one event, with its name where the dialect has names."""


def _say_chat(reply: Reply, calls: list[_Call], rest: Callable[[], None], send: Send) -> None:
    def chunk(delta: Mapping[str, Any], finish: str | None = None, **more: Any) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        send({**_CHUNK, "choices": [choice], **more}, None)

    chunk({"role": "assistant", "content": reply.text})
    rest()
    for at, call in enumerate(calls):
        chunk({"tool_calls": [{"index": at, **_call_chat(call)}]})
    usage = _count_chat(reply.usage)
    chunk({}, "tool_calls" if calls else "stop", usage=usage)
    send({**_CHUNK, "choices": [], "usage": usage}, None)
    send("[DONE]", None)


_CHUNK = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL}


def _call_chat(call: _Call) -> dict[str, Any]:
    name, tool, values = call
    function = {"name": tool, "arguments": json.dumps(values)}
    return {"id": name, "type": "function", "function": function}


def _count_chat(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "cached_tokens": usage.cached,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
    }


def _whole_chat(reply: Reply, calls: list[_Call]) -> Any:
    made = [_call_chat(call) for call in calls]
    message = {"role": "assistant", "content": reply.text, **({"tool_calls": made} if made else {})}
    finish = "tool_calls" if made else "stop"
    choice = {"index": 0, "message": message, "finish_reason": finish}
    usage = _count_chat(reply.usage)
    return {**_CHUNK, "object": "chat.completion", "choices": [choice], "usage": usage}


def _say_messages(reply: Reply, calls: list[_Call], rest: Callable[[], None], send: Send) -> None:
    def event(kind: str, **more: Any) -> None:
        send({"type": kind, **more}, kind)

    whole = _whole_messages(reply, calls)
    event("message_start", message={**whole, "content": [], "stop_reason": None})
    rest()
    for at, block in enumerate(whole["content"]):
        if block["type"] == "text":
            empty, delta = (
                {"type": "text", "text": ""},
                {"type": "text_delta", "text": block["text"]},
            )
        else:
            empty = {**block, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        event("content_block_start", index=at, content_block=empty)
        event("content_block_delta", index=at, delta=delta)
        event("content_block_stop", index=at)
    ended = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    event("message_delta", delta=ended, usage={"output_tokens": reply.usage.output})
    event("message_stop")


def _whole_messages(reply: Reply, calls: list[_Call]) -> Any:
    blocks: list[dict[str, Any]] = [{"type": "text", "text": reply.text}] if reply.text else []
    for name, tool, values in calls:
        blocks.append({"type": "tool_use", "id": f"toolu_{name}", "name": tool, "input": values})
    usage = reply.usage
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": blocks,
        "stop_reason": "tool_use" if calls else "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": usage.input - usage.cached,
            "cache_read_input_tokens": usage.cached,
            "cache_creation_input_tokens": 0,
            "output_tokens": usage.output,
        },
    }


@dataclass(frozen=True)
class Dialect:
    """How one vendor's interface is read and spoken."""

    read: Callable[[Mapping[str, Any]], tuple[list[_Item], _Tools]]
    say: Callable[[Reply, list[_Call], Callable[[], None], Send], None]
    whole: Callable[[Reply, list[_Call]], Any]


DIALECTS = {
    "/chat/completions": Dialect(_read_chat, _say_chat, _whole_chat),
    "/messages": Dialect(_read_messages, _say_messages, _whole_messages),
}
"""By the end of the path."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """An agent that is killed leaves its connection: nothing to say about that."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    serves: Endpoint

    def log_message(self, *_: Any) -> None:
        """Standard error is the tests'."""

    def do_GET(self) -> None:
        models = [{"id": MODEL, "object": "model", "context_length": WINDOW}]
        self._answer(200, {"object": "list", "data": models})

    def do_HEAD(self) -> None:
        self._answer(200, {})

    def do_POST(self) -> None:
        raw, path = self._read(), self.path.partition("?")[0]
        dialect = next((one for end, one in DIALECTS.items() if path.endswith(end)), None)
        if path.endswith("/count_tokens"):
            self._answer(200, {"input_tokens": len(raw) // 4})
        elif dialect is None:
            self._answer(404, {"error": {"message": f"there is no {path}"}})
        else:
            self._say(dialect, json.loads(raw))

    def _say(self, dialect: Dialect, body: Mapping[str, Any]) -> None:
        try:
            reply, calls = self.serves.take(dialect, body)
        except Exception as error:  # a test reads it; the agent would only repeat the request
            self.serves.problems.append(repr(error))
            reply, calls = Reply(status=400), []
        if reply.status != 200:
            kind = {401: "authentication_error", 429: "rate_limit_error"}.get(reply.status, "error")
            said = {"type": kind, "message": f"scripted failure {reply.status}"}
            self._answer(reply.status, {"type": "error", "error": said})
        elif not body.get("stream"):
            self._answer(200, dialect.whole(reply, calls))
        else:
            with suppress(ConnectionError):
                self._stream(dialect, reply, calls)

    def _stream(self, dialect: Dialect, reply: Reply, calls: list[_Call]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

        def send(data: Any, name: str | None) -> None:
            text = data if isinstance(data, str) else json.dumps(data)
            self._chunk((f"event: {name}\n" if name else "") + f"data: {text}\n\n")

        def rest() -> None:
            while reply.hangs and not self.serves.over.wait(BREATH):
                self._chunk(": still there\n\n")  # fails when the agent is gone

        dialect.say(reply, calls, rest, send)
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, text: str) -> None:
        raw = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(raw), raw))
        self.wfile.flush()

    def _answer(self, status: int, content: Any) -> None:
        raw = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        # as vendors do: a login that is wrong stays so, and what is too much is less in a moment
        self.send_header("x-should-retry", str(status == 429).lower())
        self.send_header("retry-after-ms" if status == 429 else "x-none", "50")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(raw)

    def _read(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            raw = b""
            while size := int(self.rfile.readline().strip() or b"0", 16):
                raw += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(raw) if self.headers.get("Content-Encoding") == "gzip" else raw
