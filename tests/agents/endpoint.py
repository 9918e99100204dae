"""A model endpoint of our own, on loopback: what it answers is a function of what it is asked.

It speaks the dialects of `DIALECTS`, which together are enough for every agent that the tests drive.
"""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.agents.dialects.chat import CHAT
from tests.agents.dialects.dialect import Dialect
from tests.agents.dialects.generate import GENERATE, STREAM_GENERATE
from tests.agents.dialects.messages import MESSAGES
from tests.agents.dialects.responses import RESPONSES
from tests.agents.scripted import (
    MODEL,
    SIDE,
    WINDOW,
    Asked,
    Call,
    Reply,
    Script,
    find_call,
    find_folder,
    look,
)

BREATH = 0.1
"""Seconds between two signs of life of a model that takes its time."""
DEADLINE = 60.0
"""Seconds in which an agent has to come with what a test waits for."""

DIALECTS = {
    "/chat/completions": CHAT,
    "/messages": MESSAGES,
    "/responses": RESPONSES,
    ":generateContent": GENERATE,
    ":streamGenerateContent": STREAM_GENERATE,
}
"""By the end of the path."""
COUNTS = {"/count_tokens": "input_tokens", ":countTokens": "totalTokens"}
"""By the end of the path, what the number of tokens is called."""


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

    def take(self, dialect: Dialect, body: Mapping[str, Any]) -> tuple[Reply, list[Call]]:
        """Return what to say to a request, and which tools that calls."""
        items, tools = dialect.read(body)
        if not tools:
            return SIDE, []
        with self._came:
            asked = look(items, tools, self.ours, len(self.asked))
            self.asked.append(asked)
            self._came.notify_all()
        reply = self.script(asked)
        made = sum(who == "call" for who, _ in items)
        folder = find_folder(items)
        return reply, [find_call(made + at, one, tools, folder) for at, one in enumerate(reply.do)]

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
        count = next((name for end, name in COUNTS.items() if path.endswith(end)), None)
        if count is not None:
            self._answer(200, {count: len(raw) // 4})
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
            said = {
                "type": kind,
                "code": reply.status,
                "message": f"scripted failure {reply.status}",
            }
            self._answer(reply.status, {"type": "error", "error": said})
        elif not dialect.streams(body):
            self._answer(200, dialect.whole(reply, calls))
        else:
            with suppress(ConnectionError):
                self._stream(dialect, reply, calls)

    def _stream(self, dialect: Dialect, reply: Reply, calls: list[Call]) -> None:
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
