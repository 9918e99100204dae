"""What a client may rely on, row by row, over real pipes.

Each row is also run against stock pygls: where it says that stock fails and stock does not fail
any more, the test says so, and a part of `lsp_protocol` may go.
"""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import psutil
import pytest
from pygls.feature_manager import is_thread_function

from goal_server.lsp import make_server
from tests.e2e.wire import PATIENCE, Wire, running, seconds_of

PROBE = str(Path(__file__).with_name("probe_server.py"))
OURS = (sys.executable, PROBE)
STOCK = (sys.executable, PROBE, "--stock")
STOCK_PATIENCE = 4.0
"""Seconds after which stock pygls will not answer any more."""
STOCK_AT_ONCE = 8
CANCELLED = -32800


@dataclass(frozen=True)
class Row:
    """One promise."""

    name: str
    keep: Callable[[Wire, Path], None]
    """Fails where the promise is broken, given a client that has not said anything yet."""
    stock: bool
    """Whether stock pygls keeps it, too."""


ROWS: list[Row] = []


def row(name: str, *, stock: bool) -> Callable[[Callable[[Wire, Path], None]], Any]:
    def add(keep: Callable[[Wire, Path], None]) -> Callable[[Wire, Path], None]:
        ROWS.append(Row(name, keep, stock))
        return keep

    return add


def code(answer: dict[str, Any]) -> int:
    number: int = answer["error"]["code"]
    return number


def is_alive(wire: Wire) -> None:
    assert isinstance(wire.call("probe/over", {})["result"], str)
    assert not wire.said("window/showMessage")


# cancelling


def cancel(wire: Wire, number: int) -> None:
    wire.until(lambda message: message.get("method") == "probe/tick")
    wire.send("$/cancelRequest", {"id": number})
    assert code(wire.answer(number)) == CANCELLED
    assert wire.call("probe/over", {})["result"] == "cancelled"
    assert len(wire.answers(number)) == 1


@row("a command that is cancelled hears of it", stock=False)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    cancel(wire, wire.ask_command("probe.slow"))


@row("a custom request that is cancelled hears of it", stock=True)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    cancel(wire, wire.ask("probe/slow", {}))


@row("a cancel of what is not asked changes nothing", stock=True)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    for number in (99, "never", 2**80):
        wire.send("$/cancelRequest", {"id": number})
    is_alive(wire)


# one answer to each request


@row("a typed request with bad params is told what is wrong, by field", stock=False)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    refused = wire.call("textDocument/codeLens", {"textDocument": {}})
    assert code(refused) == -32602 and "uri" in refused["error"]["message"]
    (problem,) = refused["error"]["data"]
    assert problem["field"] == "params.textDocument.uri" and problem["message"]
    is_alive(wire)


@row("a custom request may have no params", stock=False)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    assert wire.call("probe/echo")["result"] is None


@row("what looks like a message within params is data", stock=False)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    nested = {"m": {"jsonrpc": "2.0", "method": "exit", "id": 5, "type_name": 1, "": {}}}
    assert wire.call("probe/echo", nested)["result"] == nested
    is_alive(wire)


@row("a result that is no JSON becomes an error", stock=False)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    assert code(wire.call("probe/no-json")) == -32603
    assert code(wire.call("probe/nan")) == -32603
    is_alive(wire)


@row("a command without the arguments that it needs is refused as such", stock=False)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    refused = wire.call("workspace/executeCommand", {"command": "goal.show"})
    assert code(refused) == -32602
    is_alive(wire)


@row("a fault of ours shows neither traceback nor path nor message", stock=False)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    failed = wire.call("probe/boom", {})
    assert code(failed) == -32603
    assert not any(word in json.dumps(failed) for word in ("Traceback", ".py", "secret"))
    is_alive(wire)


@row("a request that is answered twice is answered once", stock=False)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    number = wire.ask("probe/answer-twice", {})
    wire.answer(number)
    wire.call("probe/echo", {})
    is_alive(wire)
    assert [answer["result"] for answer in wire.answers(number)] == ["first"]


@row("an unknown method is refused", stock=True)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    assert code(wire.call("probe/unheard-of", {})) == -32601
    assert code(wire.call("$/unheard-of", {})) == -32601
    wire.send("probe/unheard-of", {})
    is_alive(wire)


@row("a notification that is sent as a request is refused, not obeyed", stock=False)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    assert code(wire.call("exit")) == -32600
    assert code(wire.call("goal/didChangeTrust", {"trusted": True})) == -32600
    wire.send("goal/wait", {"goal": "nobody is answered"})
    is_alive(wire)


@row("an id of two requests at once belongs to the first", stock=False)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    first = wire.ask("probe/slow", {})
    wire.send("probe/echo", {}, id=first)
    assert code(wire.answer(first)) == -32600
    wire.send("$/cancelRequest", {"id": first})
    assert code(wire.answer(first)) == CANCELLED


@row("what is no message is answered without an id", stock=False)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    for body, why in (
        (b"{", -32700), (b"", -32700), (b"\xff", -32700), (b'{"a":NaN}', -32700),
        (b"[" * 100_000, -32700), (b"1" * 5000, -32700),
        (b"[]", -32600), (b'[{"jsonrpc":"2.0","id":1,"method":"probe/echo"}]', -32600),
        (b"5", -32600), (b"{}", -32600), (b'{"jsonrpc":"2.0","id":1.5,"method":"x"}', -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"x"}', -32600),
    ):  # fmt: skip
        wire.write(body)
        assert code(wire.answer(None)) == why, body[:60]
    is_alive(wire)


@row("an answer that nobody waits for is passed over", stock=False)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    for answer in ({"result": 1}, {"error": 5}, {"error": {"code": "x"}}):
        for number in (77, "x", None, [1]):
            wire.write(json.dumps({"jsonrpc": "2.0", "id": number, **answer}).encode())
    is_alive(wire)


# the lifecycle


@row("nothing is served before initialize", stock=False)
def _(wire: Wire, project: Path) -> None:
    assert code(wire.call("probe/echo", {})) == -32002
    wire.send("probe/echo", {})
    wire.open(project)


@row("an initialize that makes no sense can be said again", stock=False)
def _(wire: Wire, project: Path) -> None:
    assert code(wire.call("initialize", {"capabilities": 5})) == -32602
    wire.open(project)


@row("there is one initialize", stock=False)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    again = wire.call("initialize", {"processId": None, "capabilities": {}, "rootUri": None})
    assert code(again) == -32600


@row("nothing is served after shutdown", stock=False)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    assert wire.call("shutdown")["result"] is None
    assert code(wire.call("probe/echo", {})) == -32600
    assert code(wire.call("shutdown")) == -32600


@row("shutdown is answered although a command is in flight, and that is cancelled", stock=False)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    number = wire.ask_command("probe.slow")
    wire.until(lambda message: message.get("method") == "probe/tick")
    asked = wire.ask("shutdown")
    both = {message["id"]: message for message in (wire.read_answer(), wire.read_answer())}
    assert both[asked]["result"] is None and code(both[number]) == CANCELLED
    wire.send("exit")
    assert wire.leave() == 0


@row("exit after shutdown is code 0", stock=True)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    wire.call("shutdown")
    wire.send("exit")
    assert wire.leave() == 0


@row("exit without shutdown is code 1", stock=False)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    wire.send("exit")
    assert wire.leave() == 1


@row("exit before initialize is code 1", stock=False)
def _(wire: Wire, project: Path) -> None:
    wire.send("exit")
    assert wire.leave() == 1


@row("an idle server ends with standard input", stock=True)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    wire.close()
    wire.leave()


@row("a stuck handler does not outlive standard input for long", stock=False)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    wire.ask("probe/block", {})
    wire.until(lambda message: message.get("method") == "probe/blocked")
    wire.close()
    assert seconds_of(wire.leave) < 30


@row("a stuck thread does not outlive standard input for long", stock=False)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    wire.ask("probe/thread", {})
    is_alive(wire)
    wire.close()
    assert seconds_of(wire.leave) < 30


@row("the server ends with its client although others hold the pipe", stock=False)
def _(wire: Wire, project: Path) -> None:
    with subprocess.Popen(["sleep", "600"]) as client:
        try:
            wire.open(project, processId=client.pid)
            is_alive(wire)
        finally:
            client.kill()
    assert wire.leave() == 1


@row("a client that is not visible from here is not taken for dead", stock=True)
def _(wire: Wire, project: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    wire.open(project, processId=gone.pid)
    is_alive(wire)


@row("a signal ends the server as the end of standard input does", stock=False)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    wire.process.terminate()
    assert wire.leave() == 1


@row("a signal ends a server that is stuck", stock=True)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    wire.ask("probe/block", {})
    wire.until(lambda message: message.get("method") == "probe/blocked")
    wire.process.terminate()
    assert seconds_of(wire.leave) < 30


@row("a signal ends a server that cannot hear it", stock=True)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    wire.ask("probe/deaf", {})
    wire.until(lambda message: message.get("method") == "probe/blocked")
    wire.process.terminate()
    assert seconds_of(wire.leave) < 30


# the pipes


@row("headers are read in any case and any order", stock=False)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    body = json.dumps({"jsonrpc": "2.0", "id": "low", "method": "probe/echo"}).encode()
    kind = b"content-TYPE: application/vscode-jsonrpc; charset=utf8\r\n"
    for head in (b"content-length: %d\r\n", kind + b"CONTENT-LENGTH:%d\r\n", b"X-Y: z\r\n"
                 b"Content-Length: %d\r\n" + kind):  # fmt: skip
        wire.write_raw(head % len(body) + b"\r\n" + body)
        assert "result" in wire.answer("low")
    is_alive(wire)


@row("after a header that makes no sense the next one is found", stock=False)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    for lost in (b"Content-Length: x\r\n\r\n{}", b"hello\r\n\r\n", b"Content-Length: -5\r\n\r\n",
                 b"y" * 20_000, b"Content-Type: x\r\n\r\n{}"):  # fmt: skip
        wire.write_raw(lost)
        is_alive(wire)


@row("a message that is too long is refused by its id and passed over", stock=False)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    opening = b'{"jsonrpc":"2.0","id":777,"method":"probe/echo","params":"'
    wire.write_raw(b"Content-Length: 70000000\r\n\r\n" + opening)
    piece = b"x" * 1_000_000
    for _ in range(69):
        wire.write_raw(piece)
    wire.write_raw(b"x" * (70_000_000 - 69_000_000 - len(opening) - 2) + b'"}')
    assert code(wire.answer(777)) == -32600
    is_alive(wire)


@row("print does not reach the client", stock=False)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    wire.call("probe/print", {})
    is_alive(wire)


@row("a child neither reads nor writes the client's pipes", stock=False)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    assert wire.call("probe/child", {})["result"] == "done"
    is_alive(wire)


@row("threads that are all busy do not make the server deaf", stock=False)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    for _ in range((os.cpu_count() or 1) + 8):
        wire.ask("probe/thread", {})
    assert seconds_of(lambda: is_alive(wire)) < 30


@row("a client that does not read costs neither the loop nor memory", stock=False)
def _(wire: Wire, project: Path) -> None:
    wire.ask("initialize", {"processId": None, "rootUri": project.as_uri(), "capabilities": {}})
    wire.send("initialized", {})
    wire.ask("probe/touch", {})
    wait_for(project / "touched", wire.patience)
    process = psutil.Process(wire.process.pid)
    before = process.memory_info().rss
    wire.ask("probe/flood", {})
    (project / "touched").unlink()
    wire.ask("probe/touch", {})
    wait_for(project / "touched", wire.patience)
    assert process.memory_info().rss - before < 20_000_000
    is_alive(wire)
    told = wire.said("goal/progress")
    assert len(told) < 2000
    latest = {params["goalId"]: params["rev"] for params in told}
    assert sorted(latest.values()) == [19_995, 19_996, 19_997, 19_998, 19_999]


def wait_for(path: Path, seconds: float) -> None:
    begun = monotonic()
    while not path.exists():
        assert monotonic() - begun < seconds, "the loop stands still"


# what is kept, and what is said


@row("a question that the client never answers is forgotten", stock=False)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    wire.reply = lambda message: None
    assert wire.call("probe/ask", {})["result"] == "TimeoutError"
    assert wire.call("probe/held", {})["result"] <= 2  # the import that `initialized` begins


@row("a question that the client refuses is refused, not fatal", stock=True)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    wire.reply = lambda message: {"error": {"code": -32601, "message": "no"}}
    assert wire.call("probe/ask", {})["result"] == "JsonRpcMethodNotFound"
    is_alive(wire)


@row("nothing is kept of notifications that are over", stock=False)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    for _ in range(20):
        wire.send("$/setTrace", {"value": "off"})
    is_alive(wire)
    assert wire.call("probe/held", {})["result"] <= 2


@row("bodies are not logged", stock=False)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    wire.call("probe/echo", {"marked": "s3cret"})
    wire.call("textDocument/codeLens", {"textDocument": {"marked": "s3cret"}})
    wire.send("textDocument/didOpen", {"textDocument": "s3cret"})
    wire.call("shutdown")
    wire.send("exit")
    wire.leave()
    assert "s3cret" not in wire.complaints()


@row("a trace is sent to whoever asked for it", stock=False)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    is_alive(wire)
    assert not wire.said("$/logTrace")
    wire.send("$/setTrace", {"value": "messages"})
    is_alive(wire)
    wire.until(lambda message: message.get("method") == "$/logTrace")
    assert "probe/over" in wire.said("$/logTrace")[0]["message"]


@row("positions are UTF-16 for every client that can count so", stock=False)
def _(wire: Wire, project: Path) -> None:
    general = {"general": {"positionEncodings": ["utf-8", "utf-16", "utf-32"]}}
    opened = wire.open(project, capabilities=general)
    assert opened["result"]["capabilities"]["positionEncoding"] == "utf-16"


@row("a session leaves no traceback on standard error", stock=False)
def _(wire: Wire, project: Path) -> None:
    wire.open(project)
    wire.command("goal.list")
    wire.call("shutdown")
    wire.send("exit")
    wire.leave()
    assert "Traceback" not in wire.complaints()


def name_of(each: Row) -> str:
    return each.name.replace(" ", "_")


@pytest.mark.parametrize("each", ROWS, ids=name_of)
def test_a_client_may_rely_on_it_that(each: Row, tmp_path: Path) -> None:
    with running(OURS) as wire:
        each.keep(wire, tmp_path)


@pytest.mark.long  # it tells of the library, not of this server
def test_stock_pygls_keeps_and_breaks_what_it_did(tmp_path: Path) -> None:
    def is_kept(number: int) -> bool:
        place = tmp_path / str(number)
        place.mkdir()
        patience = PATIENCE if ROWS[number].stock else STOCK_PATIENCE
        with running(STOCK, patience=patience) as wire:
            try:
                ROWS[number].keep(wire, place)
            except (AssertionError, KeyError, OSError):
                return False
            return True

    with ThreadPoolExecutor(STOCK_AT_ONCE) as pool:
        kept = list(pool.map(is_kept, range(len(ROWS))))
    news = [
        f"stock pygls {'keeps' if is_kept else 'breaks'} now: {each.name}"
        for each, is_kept in zip(ROWS, kept, strict=True)
        if is_kept != each.stock
    ]
    assert news == []


def test_every_handler_names_its_server_first_and_none_takes_a_thread() -> None:
    """pygls breaks on a first parameter of a union type, and cannot cancel a thread."""
    for handler in make_server().protocol.fm.features.values():
        assert not is_thread_function(handler)
        called = getattr(handler, "func", handler)
        assert next(iter(inspect.signature(called).parameters)) == "ls", called
