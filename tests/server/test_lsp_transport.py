"""The outbox, the watch over the client and the log, each by itself."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from goal_server import lsp_watch
from goal_server.lsp_log import OFTEN, PipeHandler, Sparing
from goal_server.lsp_transport import CASUAL_CAP, FULL, Outbox, Rank, has_hung_up
from goal_server.lsp_watch import watch_process

PATIENCE = 30.0
BLOCK = b"b" * 200_000
"""More than a pipe holds."""


class Pipe:
    """A pipe whose reader reads when told to."""

    def __init__(self) -> None:
        self.source, self.sink = os.pipe()

    def read_all(self) -> bytes:
        """Return everything once the other end is closed."""
        os.close(self.sink)
        taken = bytearray()
        while data := os.read(self.source, 1 << 16):
            taken += data
        return bytes(taken)

    def read(self, number: int) -> bytes:
        taken = bytearray()
        while len(taken) < number:
            taken += os.read(self.source, number - len(taken))
        return bytes(taken)


@pytest.fixture
def pipe() -> Pipe:
    return Pipe()


@pytest.fixture
def blocked(pipe: Pipe) -> Outbox:
    """Return an outbox whose reader does not read: what is put now waits."""
    outbox = Outbox(pipe.sink)
    outbox.put(BLOCK)
    assert os.read(pipe.source, 1) == b"b"
    return outbox


def read_rest(pipe: Pipe, outbox: Outbox) -> bytes:
    """Return what comes after the block."""
    said = bytearray()

    def read() -> None:
        said.extend(pipe.read(len(BLOCK) - 1))
        said.clear()
        while data := os.read(pipe.source, 1 << 16):
            said.extend(data)

    taken = threading.Thread(target=read)
    taken.start()
    assert outbox.flush(PATIENCE)
    os.close(pipe.sink)
    taken.join(PATIENCE)
    return bytes(said)


def test_of_a_report_only_the_latest_waits_and_answers_keep_their_place(
    pipe: Pipe, blocked: Outbox
) -> None:
    blocked.put(b"1", Rank.LATEST, "a")
    blocked.put(b"<answer>")
    blocked.put(b"2", Rank.LATEST, "a")
    blocked.put(b"3", Rank.LATEST, "b")
    blocked.put(b"4", Rank.LATEST, "a")
    assert read_rest(pipe, blocked) == b"<answer>34"


def test_what_nobody_needs_is_dropped_when_too_much_waits(pipe: Pipe, blocked: Outbox) -> None:
    kept = [blocked.put(b".", Rank.CASUAL) for _ in range(CASUAL_CAP + 5)]
    assert kept.count(False) == 5
    blocked.put(b"!")
    assert read_rest(pipe, blocked) == b"." * CASUAL_CAP + b"!"
    assert blocked.put(b".", Rank.CASUAL)


def test_an_outbox_is_full_until_it_is_read(pipe: Pipe, blocked: Outbox) -> None:
    blocked.put(b"x" * (FULL + 1))
    assert blocked.is_full and not blocked.flush(0.01)
    assert len(read_rest(pipe, blocked)) == FULL + 1
    assert not blocked.is_full


def test_a_reader_that_has_gone_is_told_once(pipe: Pipe) -> None:
    gone = threading.Event()
    outbox = Outbox(pipe.sink, gone.set)
    os.close(pipe.source)
    outbox.put(b"x")
    assert gone.wait(PATIENCE)
    assert outbox.put(b"y") and outbox.flush(PATIENCE)


def test_a_pipe_that_was_hung_up_says_so_although_something_lies_in_it(pipe: Pipe) -> None:
    os.write(pipe.sink, b"x")
    assert not has_hung_up(pipe.source)
    os.close(pipe.sink)
    assert has_hung_up(pipe.source)


def by_looking(pid: int) -> Callable[[], None]:
    return lambda: lsp_watch.wait_by_looking(pid)


@pytest.mark.parametrize("means", [None, by_looking])
def test_the_end_of_a_process_is_noticed(
    monkeypatch: pytest.MonkeyPatch, means: Callable[[int], Callable[[], None]] | None
) -> None:
    monkeypatch.setattr(lsp_watch, "LOOK", 0.01)
    if means is not None:
        monkeypatch.setattr(lsp_watch, "make_wait", means)
    dead = threading.Event()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert watch_process(process.pid, dead.set)
        assert not dead.is_set()
        process.communicate(b"\n")
    assert dead.wait(PATIENCE)


@pytest.mark.parametrize("pid", [0, -1, 2**40, 2**22 + 1])
def test_what_is_no_process_is_not_watched(pid: int) -> None:
    assert not watch_process(pid, lambda: None)


def test_the_same_thing_is_logged_a_few_times(pipe: Pipe) -> None:
    handler = PipeHandler(pipe.sink)
    handler.addFilter(Sparing())
    for number in range(OFTEN * 3):
        handler.handle(logging.makeLogRecord({"name": "x", "msg": "no %s", "args": (number,)}))
    handler.handle(logging.makeLogRecord({"name": "x", "msg": "another"}))
    handler.close()
    handler._outbox.flush(PATIENCE)
    lines = pipe.read_all().decode().splitlines()
    assert lines == [*(f"no {number}" for number in range(OFTEN)), "another"]
