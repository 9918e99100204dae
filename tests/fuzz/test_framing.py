"""However a stream is cut, and whatever is wrong in it, the same messages come out."""

from __future__ import annotations

import random

import pytest

from goal_server.lsp_framing import HEADER_CAP, Body, Frame, Framer, Unread

CAP = 200
SEED = 20_261_125


def framed(body: bytes, name: bytes = b"Content-Length") -> bytes:
    return name + b": %d\r\n\r\n" % len(body) + body


def feed(*pieces: bytes) -> list[Frame]:
    framer = Framer(CAP)
    return [frame for piece in pieces for frame in framer.feed(piece)]


def bodies(frames: list[Frame]) -> list[bytes]:
    return [frame.content for frame in frames if isinstance(frame, Body)]


LONG = b'{"jsonrpc":"2.0","id":7,"method":"x","params":"' + b"z" * 300 + b'"}'
STREAM = b"".join(
    [
        framed(b"one"),
        framed(b"two", b"content-LENGTH"),
        b"rubbish\r\n" + framed(b"three"),
        b'Content-Length: x\r\n\r\n{"a":1}' + framed(b"four"),
        framed(LONG) + framed(b"five"),
        b"Content-Type: t; charset=utf8\r\nCONTENT-LENGTH:3\n\nsix" + b"\r\n" + framed(b""),
        b'Content-Length: 999999999999\r\n\r\n{"id":"q",' + framed(b"seven"),
        b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n" + framed(b"eight"),
        b"w" * (HEADER_CAP + 9) + framed(b"nine"),
    ]
)
WANTED = [b"one", b"two", b"three", b"four", b"five", b"six", b"", b"seven"]


def test_a_stream_cut_at_every_byte_gives_the_same() -> None:
    whole = feed(STREAM)
    assert bodies(whole)[: len(WANTED)] == WANTED and bodies(whole)[-1] == b"nine"
    refused = [frame.id for frame in whole if isinstance(frame, Unread) and frame.id is not None]
    assert refused == [7, "q"]
    for cut in range(len(STREAM)):
        if cut < 1000 or cut % 97 == 0:
            assert feed(STREAM[:cut], STREAM[cut:]) == whole, cut
    assert bodies(feed(*(STREAM[i : i + 1] for i in range(len(STREAM)))))[-1] == b"nine"


def test_a_stream_that_ends_anywhere_holds_no_more_than_it_was_given() -> None:
    for cut in range(0, len(STREAM), 7):
        framer = Framer(CAP)
        given = list(framer.feed(STREAM[:cut]))
        assert bodies(given) == bodies(feed(STREAM))[: len(bodies(given))]
    assert Framer().is_between


def test_a_message_that_is_too_long_is_never_held() -> None:
    framer = Framer(CAP)
    list(framer.feed(b"Content-Length: 100000000\r\n\r\n"))
    for _ in range(999):
        assert list(framer.feed(b"x" * 100_000)) == []
        assert len(framer._held) <= 100
    assert list(framer.feed(b"x" * 100_000)) == [
        Unread("a message of 100000000 bytes is longer than 200")
    ]
    assert list(framer.feed(framed(b"next"))) == [Body(b"next")]


@pytest.mark.parametrize("seed", range(SEED, SEED + 10))
def test_whatever_is_broken_in_a_stream_the_messages_after_it_are_found(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(100):
        broken = bytearray(framed(b'{"n":1}') + framed(b'{"n":2}', b"content-length"))
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(broken))
            match chance.randrange(4):
                case 0:
                    broken[place] = chance.randrange(256)
                case 1:
                    del broken[place : place + chance.randint(1, 12)]
                case 2:
                    broken[place:place] = chance.choice([b"\r\n", b":", b"\0", b"Content-", b"9"])
                case _:
                    del broken[place:]
            if not broken:
                break
        canaries = [b'{"canary":%d,"pad":"%s"}' % (n, b"-" * 90) for n in range(12)]
        stream = bytes(broken) + b"".join(map(framed, canaries))
        cuts = sorted(chance.randrange(len(stream)) for _ in range(5))
        pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, None], strict=True)]
        found = bodies(feed(*pieces))
        # a wrong length of up to CAP bytes, and then of what it cut in two, can swallow a few
        assert found[-5:] == canaries[-5:], bytes(broken)
