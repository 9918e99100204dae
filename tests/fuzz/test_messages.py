"""Thousands of messages that are almost right: each request is answered once, whatever is in it.

The seed is in the test's name; `pytest "…[20261125]"` sends the same messages again.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from lsprotocol import types

from goal_server.lsp import make_server
from goal_server.lsp_framing import Body
from goal_server.lsp_protocol import GoalProtocol
from goal_server.lsp_transport import Rank
from tests.e2e.wire import Wire, running
from tests.fuzz.mutate import make_messages
from tests.fuzz.oracle import Oracle

SEED = 20_261_125
NUMBER = 5000
BATCH = 100
SOON = 30.0
"""Seconds until what is not answered counts as never answered."""
CANARY = ("textDocument/codeLens", {"textDocument": {"uri": "untitled:canary"}})


@pytest.mark.parametrize("seed", [SEED])
def test_a_server_survives_thousands_of_messages_that_are_almost_right(
    seed: int, tmp_path: Path
) -> None:
    oracle, messages = Oracle(), list(make_messages(seed, NUMBER))
    with running(patience=SOON) as wire:
        wire.open(tmp_path, trusted=False)
        wire.start_reading()
        for begin in range(0, NUMBER, BATCH):
            talk(wire, oracle, messages[begin : begin + BATCH])
        assert wire.process.poll() is None
        assert wire.call("shutdown")["result"] is None
        wire.send("exit")
        assert wire.leave() == 0
    assert oracle.end() == []


def talk(wire: Wire, oracle: Oracle, messages: list[Any]) -> None:
    """Send messages and a canary, and hear the server out."""
    canary = {"jsonrpc": "2.0", "id": f"canary {id(messages)}", "method": CANARY[0]}
    for message in [*messages, {**canary, "params": CANARY[1]}]:
        wire.write(json.dumps(message).encode())
        oracle.sent(message)
    since = monotonic()
    while oracle.owed and monotonic() - since < SOON:
        answer = wire.read()
        oracle.came(answer)
        if answer.get("id") == canary["id"] and "method" not in answer:
            assert answer["result"] == []
    assert not oracle.owed, f"{oracle.owed[:5]} of {messages}"


class DropsAnAnswer(GoalProtocol):
    def _refuse(self, number: Any, error: Any) -> None:
        if error.code != -32602:
            super()._refuse(number, error)


class AnswersTwice(GoalProtocol):
    def _refuse(self, number: Any, error: Any) -> None:
        super()._refuse(number, error)
        if error.code == -32601:
            super()._refuse(number, error)


class AnswersSomebodyElse(GoalProtocol):
    def _refuse(self, number: Any, error: Any) -> None:
        super()._refuse(str(number) if number is not None else 0, error)


class ShowsItsInsides(GoalProtocol):
    def _refuse(self, number: Any, error: Any) -> None:
        error.data = ['File "lsp.py", line 1']
        super()._refuse(number, error)


class PopsUp(GoalProtocol):
    def _refuse(self, number: Any, error: Any) -> None:
        said = types.ShowMessageParams(types.MessageType.Error, str(error))
        self.notify("window/showMessage", said)
        super()._refuse(number, error)


class Obeys(GoalProtocol):
    """Takes nested objects for messages, as pygls does."""

    def handle_message(self, message: Any) -> None:
        params = message.get("params") if isinstance(message, dict) else None
        if not (isinstance(params, dict) and "type_name" in params):
            super().handle_message(message)


MUTANTS = [DropsAnAnswer, AnswersTwice, AnswersSomebodyElse, ShowsItsInsides, PopsUp, Obeys]


@pytest.mark.parametrize("kind", MUTANTS)
async def test_the_oracle_finds_a_server_that(kind: type[GoalProtocol], tmp_path: Path) -> None:
    assert await converse(kind, tmp_path, 600) != []


async def test_the_oracle_finds_nothing_in_ours(tmp_path: Path) -> None:
    assert await converse(GoalProtocol, tmp_path, 600) == []


class Ear:
    """An outbox that hands everything to the oracle."""

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle

    def put(self, data: bytes, rank: Rank = Rank.OWED, key: Any = None) -> bool:
        self._oracle.came(json.loads(data.partition(b"\r\n\r\n")[2]))
        return True


async def converse(kind: type[GoalProtocol], project: Path, number: int) -> list[str]:
    """Send messages to a protocol in this process and return what is wrong with it."""
    oracle, server = Oracle(), make_server()
    protocol: Any = server.protocol
    protocol.__class__ = kind
    protocol.outbox = Ear(oracle)
    opening = {"processId": None, "rootUri": project.as_uri(), "capabilities": {}}
    first = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": opening}
    for message in [first, *make_messages(SEED, number)]:
        oracle.sent(message)
        protocol.receive(Body(json.dumps(message).encode()))
    running = [it for it in protocol._request_futures.values() if isinstance(it, asyncio.Future)]
    await asyncio.wait(running, timeout=SOON)
    await server.close()
    return oracle.end()
