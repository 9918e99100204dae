"""JSON-RPC over lines, with somebody at the other end who keeps no rules."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goal_engine.workers.peer import (
    KEPT,
    METHOD_NOT_FOUND,
    MOST_OPEN,
    MOST_SAID,
    TAKEN_BACK,
    Gone,
    Peer,
    RemoteError,
    parse_message,
)

PATIENCE = 30.0


class Wire:
    """Both directions of a dialogue, in memory."""

    def __init__(self):
        self.coming, self.said = asyncio.Queue(), asyncio.Queue()
        self.broken = False

    async def read(self):
        return await self.coming.get()

    async def write(self, line):
        if self.broken:
            raise BrokenPipeError
        self.said.put_nowait(json.loads(line))

    def send(self, message):
        self.coming.put_nowait(
            message if isinstance(message, bytes) else json.dumps(message).encode()
        )

    def end(self):
        self.coming.put_nowait(b"")


async def refuse(method, params):
    raise RemoteError(METHOD_NOT_FOUND, f"method not found: {method}")


@asynccontextmanager
async def connected(handle_request=refuse, handle_notification=lambda *_: None, ids="int"):
    async with asyncio.timeout(PATIENCE):
        wire = Wire()
        async with Peer(wire, handle_request, handle_notification, ids) as peer:
            yield wire, peer


@pytest.mark.parametrize(("ids", "names"), [("int", [1, 2]), ("string", ["c1", "c2"])])
async def test_answers_find_their_requests_in_any_order(ids, names):
    async with connected(ids=ids) as (wire, peer):
        asked = [asyncio.ensure_future(peer.request("m", {"n": n})) for n in range(2)]
        requests = [await wire.said.get() for _ in asked]
        assert [request["id"] for request in requests] == names
        assert requests[0] == {"jsonrpc": "2.0", "id": names[0], "method": "m", "params": {"n": 0}}
        for name in reversed(names):
            wire.send({"jsonrpc": "2.0", "id": name, "result": f"to {name}"})
        assert await asyncio.gather(*asked) == [f"to {name}" for name in names]


async def test_an_error_has_its_code_message_and_data():
    async with connected() as (wire, peer):
        asked = asyncio.ensure_future(peer.request("m"))
        assert await wire.said.get() == {"jsonrpc": "2.0", "id": 1, "method": "m"}
        wire.send({"id": 1, "error": {"code": -32000, "message": "log in", "data": {"a": 1}}})
        with pytest.raises(RemoteError) as found:
            await asked
        assert (found.value.code, found.value.message, found.value.data) == (
            -32000,
            "log in",
            {"a": 1},
        )


@pytest.mark.parametrize("error", ["text", {}, {"code": "x", "message": None}, [1], 7])
async def test_an_error_of_any_form_is_one(error):
    async with connected() as (wire, peer):
        asked = asyncio.ensure_future(peer.request("m"))
        await wire.said.get()
        wire.send({"id": 1, "error": error})
        with pytest.raises(RemoteError):
            await asked


@pytest.mark.parametrize("name", [0, 7, "a-uuid", 1.5])
async def test_their_requests_are_answered_under_their_own_names(name):
    async def double(method, params):
        return {"method": method, "twice": params["n"] * 2}

    async with connected(double) as (wire, _):
        wire.send({"id": name, "method": "m", "params": {"n": 2}})
        assert await wire.said.get() == {
            "jsonrpc": "2.0",
            "id": name,
            "result": {"method": "m", "twice": 4},
        }


async def test_requests_that_are_only_listened_to_are_told_and_never_answered():
    told, asked = [], []

    async def answer(method, params):
        asked.append(params)

    async with connected(answer, lambda _, params: told.append(params)) as (wire, peer):
        peer.only_listens = True
        for number in range(3 * MOST_OPEN):
            wire.send({"id": f"old-{number}", "method": "m", "params": number})
        looking = asyncio.ensure_future(peer.request("look"))
        wire.send({"id": (await wire.said.get())["id"], "result": None})
        await looking
        peer.only_listens = False
        wire.send({"id": "new", "method": "m", "params": "new"})
        assert (await wire.said.get())["id"] == "new"
    assert told == [*range(3 * MOST_OPEN)] and asked == ["new"]


async def test_what_nobody_knows_is_answered_so():
    async with connected() as (wire, _):
        wire.send({"id": 3, "method": "fs/read_text_file", "params": {}})
        answer = await wire.said.get()
        assert answer["id"] == 3 and answer["error"]["code"] == METHOD_NOT_FOUND


async def test_notifications_come_in_order_and_before_the_answer_that_follows_them():
    seen = []
    async with connected(handle_notification=lambda *told: seen.append(told)) as (wire, peer):
        asked = asyncio.ensure_future(peer.request("m"))
        await wire.said.get()
        for number in range(2000):
            wire.send({"method": "n", "params": number})
        wire.send({"id": 1, "result": None})
        assert await asked is None
        assert seen == [("n", number) for number in range(2000)]


async def test_what_is_no_message_is_kept_and_bounded():
    async with connected() as (wire, peer):
        asked = asyncio.ensure_future(peer.request("m"))
        await wire.said.get()
        stray = [
            b"a warning \xff",
            b"[1]",
            b"7",
            b"{",
            b"[" * 100_000,
            b"x" * 10_000,
            *[b"n"] * 100,
        ]
        for line in stray:
            wire.send(line)
        for odd in ({"id": [1], "result": 1}, {"id": 99, "result": 1}, {"id": None}, {}):
            wire.send(odd)
        wire.send({"id": 1, "result": "here"})
        assert await asked == "here"
        assert len(peer.noise) == KEPT and max(map(len, peer.noise)) <= 500


@pytest.mark.parametrize("broken", [False, True])
async def test_who_waits_hears_that_the_other_side_is_gone(broken):
    async with connected() as (wire, peer):
        wire.broken = broken
        asked = asyncio.ensure_future(peer.request("m"))
        await asyncio.sleep(0)
        wire.send(b"no longer maintained")
        wire.end()
        with pytest.raises(Gone):
            await asked
        assert list(peer.noise) == ["no longer maintained"]
        with pytest.raises(Gone):
            await peer.request("m")


async def test_what_a_handler_raises_reaches_who_waits():
    async def fail(method, params):
        raise ZeroDivisionError

    async with connected(fail) as (wire, peer):
        asked = asyncio.ensure_future(peer.request("m"))
        await wire.said.get()
        wire.send({"id": "x", "method": "ask"})
        with pytest.raises(ZeroDivisionError):
            await asked


async def test_what_a_handler_of_notifications_raises_is_not_lost():
    def fail(method, params):
        raise ZeroDivisionError

    async def converse():
        async with connected(handle_notification=fail) as (wire, _):
            wire.send({"method": "n"})
            for _ in range(10):
                await asyncio.sleep(0)

    with pytest.raises(ZeroDivisionError):
        await converse()


async def test_too_many_open_requests_are_refused():
    held = asyncio.Event()

    async def hold(method, params):
        await held.wait()

    async with connected(hold) as (wire, _):
        for number in range(MOST_OPEN + 5):
            wire.send({"id": number, "method": "m"})
        refused = [await wire.said.get() for _ in range(5)]
        assert all("error" in answer for answer in refused)
        held.set()
        answered = [await wire.said.get() for _ in range(MOST_OPEN)]
        assert all("result" in answer for answer in answered)


async def test_a_request_that_is_taken_back_is_handled_no_more_and_answered_with_an_error():
    begun, ended = asyncio.Semaphore(0), []

    async def hold(method, params):
        begun.release()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(method)

    async with connected(hold) as (wire, peer):
        for name, method in ((7, "m"), ("x", "n")):
            wire.send({"id": name, "method": method})
        wire.send({"id": [1], "method": "o"})
        for _ in range(3):
            await begun.acquire()
        for name in ([2], None, 8, 7):
            peer.take_back(name)
        answer = await wire.said.get()
        assert (answer["id"], answer["error"]["code"]) == (7, TAKEN_BACK)
        peer.take_back(7)
        assert ended == ["m"], "the others are waited for"
    assert sorted(ended) == ["m", "n", "o"]


async def test_nothing_is_left_of_a_conversation_that_was_cancelled():
    before = asyncio.all_tasks()

    async def hold(method, params):
        await asyncio.Event().wait()

    async def converse():
        async with connected(hold) as (wire, peer):
            wire.send({"id": 1, "method": "m"})
            await peer.request("m")

    job = asyncio.ensure_future(converse())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert asyncio.all_tasks() == before


@given(st.binary())
def test_any_line_is_a_message_or_none(line):
    message = parse_message(line)
    assert message is None or isinstance(message, dict)


async def test_of_a_long_error_no_more_is_kept_than_anybody_reads() -> None:
    async with connected() as (wire, peer):
        asking = asyncio.ensure_future(peer.request("x"))
        wire.send(
            {"id": (await wire.said.get())["id"], "error": {"code": 1, "message": "e" * 100_000}}
        )
        with pytest.raises(RemoteError) as found:
            await asking
        assert len(found.value.message) == MOST_SAID
