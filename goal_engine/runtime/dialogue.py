"""Talks to a command line by line; its whole process tree is dead before anybody goes on.

The guardian (`guardian.py`) hands two pipes on to the command and reads neither: what is said goes
straight through, and nothing is read before somebody asks for it.  What the command prints as errors
is the log.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, nullcontext, suppress
from io import FileIO
from pathlib import Path
from typing import IO, Any

from goal_engine.runtime.owner import identify
from goal_engine.runtime.process import (
    Finished,
    build_order,
    count_ended,
    find_there,
    give_order,
    hear_guardian,
    open_log,
    read_end,
    start_guardian,
)
from goal_engine.runtime.running import Running

MOST = 64 * 1024 * 1024
"""Bytes of a line; what is longer is left out, with a note in the log."""
PIECE = 1 << 18
"""Bytes that are read at once."""
ASKING = 0.5
"""Seconds between asking what is left to end and killing it."""
Heard = tuple[dict[str, Any], asyncio.CancelledError | None]


class Lines:
    """Bytes that come in pieces, cut into lines; pure."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._held = bytearray()
        self._looked = 0
        self._passing = False
        self.dropped = 0
        """Lines that were too long so far."""

    def feed(self, data: bytes) -> None:
        """Take the next piece."""
        self._held += data
        if len(self._held) > self._most and self._find() < 0:
            self.dropped += not self._passing
            self._passing = True
            self._held.clear()
            self._looked = 0

    def take(self) -> bytes:
        """Return the next whole line that is not empty, without its end; nothing when there is none."""
        while (end := self._find()) >= 0:
            line = bytes(self._held[:end])
            del self._held[: end + 1]
            self._looked = 0
            passed, self._passing = self._passing, False
            if not passed and line.strip():
                return line.rstrip(b"\r")
        return b""

    def close(self) -> bytes:
        """Return what came after the last end of a line."""
        rest, passed = bytes(self._held), self._passing
        self._held.clear()
        return b"" if passed else rest.strip()

    def _find(self) -> int:
        end = self._held.find(b"\n", self._looked)
        self._looked = len(self._held) if end < 0 else end
        return end


class Dialogue:
    """What one side of a running command sees: lines in, lines out, and how it ended."""

    def __init__(
        self, listens: FileIO, speaks: FileIO, log: IO[bytes], hearing: asyncio.Future[Heard]
    ) -> None:
        self._listens, self._speaks, self._log = listens, speaks, log
        self._hearing = hearing
        self._lines = Lines()
        self._silent = False
        self._unsent = bytearray()
        self._writing = asyncio.Lock()
        self.ended: Finished | None = None
        """How the command ended, once the dialogue was left."""

    async def read(self) -> bytes:
        """Return the next line without its end; nothing once no more will come.

        That is when the command closed its output, or ended: what it left behind may hold the pipe.
        """
        while not (line := self._lines.take()):
            data = b"" if self._silent else await self._more()
            if not data:
                self._silent = True
                return self._lines.close()
            self._feed(data)
        return line

    async def write(self, line: bytes) -> None:
        """Say a line, and return when the command's pipe has it; lines go in the order of the calls.

        What a call that was cancelled began goes out before the next line.  Raises `BrokenPipeError`
        when nobody listens any more.
        """
        async with self._writing:
            self._unsent += line + b"\n"
            while self._unsent:
                if self._speaks.closed:
                    raise BrokenPipeError
                sent = self._speaks.write(self._unsent)
                if sent is None:
                    await self._room()
                else:
                    del self._unsent[:sent]

    def note(self, text: bytes) -> None:
        """Add to the log, among what the command prints as errors."""
        with suppress(OSError):  # a full disk costs a note, and ends nobody's turn
            self._log.write(text)
            self._log.flush()

    def kill(self) -> None:
        """End the command and all that it started; `read` says when it is over."""
        self._hearing.cancel()

    def end_input(self) -> None:
        """Say that nothing more will be said."""
        self._speaks.close()

    async def wait(self) -> int | None:
        """Return the exit code once the command has ended by itself, `None` where nobody knows one."""
        await asyncio.wait({self._hearing})
        code: int | None = self._hearing.result()[0].get("exit_code")
        return code

    async def leave(self, grace: float) -> None:
        """Let the command's input end and wait for it to end by itself; what it says goes nowhere."""
        self.end_input()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace):
                while await self.read():
                    pass
                await asyncio.wait({self._hearing})

    def _feed(self, data: bytes) -> None:
        dropped = self._lines.dropped
        self._lines.feed(data)
        if self._lines.dropped > dropped:
            self.note(b"\n... a line of more than %d MiB was left out ...\n" % (MOST >> 20))

    async def _more(self) -> bytes:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0)  # somebody who floods leaves others their turn
        while True:
            over = self._hearing.done()
            data = self._listens.read(PIECE)
            if data is not None or over:
                return data or b""
            await self._wait(loop.add_reader, loop.remove_reader, self._listens)

    async def _room(self) -> None:
        loop = asyncio.get_running_loop()
        if self._hearing.done():
            raise BrokenPipeError
        await self._wait(loop.add_writer, loop.remove_writer, self._speaks)

    async def _wait(
        self, add: Callable[..., object], remove: Callable[[FileIO], bool], pipe: FileIO
    ) -> None:
        """Return when the pipe is ready or the command is over."""
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        either: set[asyncio.Future[Any]] = {ready, self._hearing}
        add(pipe, _settle, ready)
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            remove(pipe)


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


@asynccontextmanager
async def talk(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    log: Path,
    grace: float = 2.0,
    running: Running | None = None,
    sandbox: Sequence[str] = (),
    append: bool = False,
) -> AsyncIterator[Dialogue]:
    """Start `argv` and give what it says and hears; on leaving, its whole tree is dead.

    It is left like this: its input ends, it has `grace` seconds to end by itself, then it is asked to,
    then killed.  Left by an exception, it is asked at once.  `append` keeps what is in the log.  `log`, `running` and `sandbox` are as of
    `run_process`, and so are the errors; those of a command that never began come on leaving.
    """
    program = find_there(argv[0], env, cwd)
    mark = secrets.token_hex(16)
    order = {
        **build_order([program, *argv[1:]], cwd, env, mark, None),
        "grace": ASKING,
        "sandbox": list(sandbox),
    }
    failure: BaseException | None = None
    with ExitStack() as held:
        output = held.enter_context(open_log(log, append=append))
        hears, speaks = map(held.enter_context, _open_pipe())
        listens, says = map(held.enter_context, _open_pipe())
        order["talk"] = theirs = [hears.fileno(), says.fileno()]
        guardian = held.enter_context(start_guardian(output, mark, theirs))
        recorded = running.recorded(guardian.pid, mark) if running else nullcontext()
        held.enter_context(recorded)
        hears.close()
        says.close()
        for pipe in (listens, speaks):  # ours alone do not wait: a command expects that its own do
            os.set_blocking(pipe.fileno(), False)
        identity = identify(guardian.pid)
        give_order(guardian, order)
        hearing = asyncio.ensure_future(hear_guardian(guardian, identity, mark, None, ASKING))
        dialogue = Dialogue(listens, speaks, output, hearing)
        try:
            await asyncio.sleep(0)  # what has not begun cannot be asked to end
            yield dialogue
            await dialogue.leave(grace)
        except BaseException as error:
            failure = error
        speaks.close()
        told, cancellation = await _end(hearing)
    failure = cancellation or failure
    if isinstance(failure, asyncio.CancelledError):
        if running is not None:
            running.count(count_ended(told))
        raise failure
    dialogue.ended = read_end(told, argv[0], mark, log)
    if failure is not None:
        raise failure


def _open_pipe() -> tuple[FileIO, FileIO]:
    """Return the end to read from and the end to write to."""
    ends = os.pipe()
    return FileIO(ends[0], "r"), FileIO(ends[1], "w")


async def _end(hearing: asyncio.Task[Heard]) -> Heard:
    """Return what the guardian told once all is dead, and a cancellation that came meanwhile."""
    cancellation = None
    hearing.cancel()
    while not hearing.done():
        try:
            await asyncio.wait({hearing})
        except asyncio.CancelledError as error:
            cancellation = error
    return hearing.result()[0], cancellation
