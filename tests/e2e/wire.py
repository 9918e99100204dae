"""A client made of bytes: it sees every message of a server, and everything that is none."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from queue import Empty, Queue
from tempfile import TemporaryFile
from threading import Thread
from time import monotonic
from typing import IO, Any

OURS = (sys.executable, "-m", "goal_server", "lsp")
PATIENCE = 60.0
"""Seconds until an answer that does not come is a failure."""
SECTION = "goalproof"
Message = dict[str, Any]


class Wire:
    """A client that answers what the server asks, unless told otherwise."""

    def __init__(
        self, process: subprocess.Popen[bytes], errors: IO[bytes], *, patience: float = PATIENCE
    ) -> None:
        assert process.stdin and process.stdout
        self.process, self._out = process, process.stdin
        self.patience = patience
        self._errors = errors
        self.reply: Callable[[Message], Message | None] = self._reply
        self.settings: dict[str | None, object] = {}
        """What is answered to `workspace/configuration`, by scope."""
        self.seen: list[Message] = []
        self._numbers = count(1)
        self._come: Queue[Message | str | None] = Queue()
        self._reader = Thread(target=self._read_all, daemon=True)

    # what the client sends

    def write_raw(self, data: bytes) -> None:
        self._out.write(data)
        self._out.flush()

    def write(self, body: bytes) -> None:
        self.write_raw(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def send(self, method: str, params: Any = None, **more: Any) -> None:
        message = {"jsonrpc": "2.0", "method": method, **more}
        self.write(json.dumps(message | ({} if params is None else {"params": params})).encode())

    def ask(self, method: str, params: Any = None) -> int:
        number = next(self._numbers)
        self.send(method, params, id=number)
        return number

    def ask_command(self, name: str, *arguments: Any) -> int:
        return self.ask("workspace/executeCommand", {"command": name, "arguments": list(arguments)})

    # what it reads

    def start_reading(self) -> None:
        if self._reader.ident is None:
            self._reader.start()

    def _read_all(self) -> None:
        with suppress(ValueError):  # closed, by a test that has seen enough
            for item in read_messages(self.process.stdout):
                self._come.put(item)
        self._come.put(None)

    def read(self) -> Message:
        """Return the next message; a server that ends, is late or says anything else fails."""
        self.start_reading()
        try:
            message = self._come.get(timeout=self.patience)
        except Empty:
            raise AssertionError("the server says nothing") from None
        assert message is not None, "the server has ended"
        assert not isinstance(message, str), f"this is no LSP: {message}"
        self.seen.append(message)
        if "method" in message and "id" in message:
            answer = self.reply(message)
            if answer is not None:
                self.write(json.dumps({"jsonrpc": "2.0", "id": message["id"], **answer}).encode())
        return message

    def _reply(self, message: Message) -> Message:
        if message["method"] != "workspace/configuration":
            return {"result": None}
        items = message["params"]["items"]
        assert all(item["section"] == SECTION for item in items)
        return {"result": [self.settings.get(item.get("scopeUri")) for item in items]}

    def until(self, wanted: Callable[[Message], object]) -> Message:
        """Return the next message that is `wanted`."""
        while not wanted(message := self.read()):
            pass
        return message

    def answer(self, number: int | str | None) -> Message:
        return self.until(lambda message: "method" not in message and message["id"] == number)

    def read_answer(self) -> Message:
        """Return the next answer, whoever's it is."""
        return self.until(lambda message: "method" not in message)

    def call(self, method: str, params: Any = None) -> Message:
        return self.answer(self.ask(method, params))

    def command(self, name: str, *arguments: Any) -> Message:
        return self.answer(self.ask_command(name, *arguments))

    def done(self, name: str, **given: Any) -> Any:
        """Return the result of a command that is not refused."""
        said = self.command(name, given)
        assert "result" in said, said
        return said["result"]

    def refused(self, name: str, **given: Any) -> Any:
        """Return the error of a command that is."""
        said = self.command(name, given)
        assert "error" in said, said
        return said["error"]

    def open(
        self,
        *folders: Path,
        trusted: object = True,
        settings: object = None,
        workspace: Message | None = None,
        **more: Any,
    ) -> Message:
        """Begin a session; `workspace` are more capabilities, and `more` are other params."""
        can = {"codeLens": {"refreshSupport": True}, **(workspace or {})}
        params = {
            "processId": None,
            "rootUri": folders[0].as_uri() if folders else None,
            "workspaceFolders": [as_folder(folder) for folder in folders] or None,
            "capabilities": {"window": {"workDoneProgress": True}, "workspace": can},
            "initializationOptions": {"trusted": trusted, "settings": settings},
            **more,
        }
        self.patience, patience = PATIENCE, self.patience  # the server may only just start
        opened = self.call("initialize", params)
        self.patience = patience
        assert "result" in opened, opened
        self.send("initialized", {})
        return opened

    def change_folders(
        self, *, added: tuple[Path, ...] = (), removed: tuple[Path, ...] = ()
    ) -> None:
        event = {"added": [*map(as_folder, added)], "removed": [*map(as_folder, removed)]}
        self.send("workspace/didChangeWorkspaceFolders", {"event": event})

    def open_document(self, path: Path, text: str) -> None:
        item = {"uri": path.as_uri(), "languageId": "", "version": 1, "text": text}
        self.send("textDocument/didOpen", {"textDocument": item})

    def approve(self, **given: Any) -> None:
        """Say of the gates there are now that they may run."""
        gates = self.done("goal.gates", **given)["gates"]
        self.done("goal.trustGate", digests=[gate["digest"] for gate in gates], **given)

    def told(self, method: str, **wanted: object) -> Any:
        """Return the params of the first notification like that, seen already or still to come."""

        def fits(message: Message) -> bool:
            params = message.get("params") or {}
            return message.get("method") == method and wanted.items() <= params.items()

        found = next((message for message in self.seen if fits(message)), None)
        return (found or self.until(fits))["params"]

    def warnings(self) -> list[str]:
        """Return the warnings in the editor's log until now."""
        return [said["message"] for said in self.said("window/logMessage") if said["type"] == 2]

    def said(self, method: str) -> list[Any]:
        return [message.get("params") for message in self.seen if message.get("method") == method]

    def answers(self, number: int | str | None) -> list[Message]:
        """Return the answers to one request that have come so far."""
        return [m for m in self.seen if "method" not in m and m["id"] == number]

    def close(self) -> None:
        """End the server's standard input."""
        self._out.close()

    def leave(self, seconds: float | None = None) -> int:
        """Return the exit code of a server that is about to end."""
        self.start_reading()
        try:
            return self.process.wait(self.patience if seconds is None else seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError("the server lives on") from None

    def stop(self) -> None:
        """Read what a server that was killed still said."""
        if self._reader.ident is not None:
            self._reader.join(self.patience)

    def complaints(self) -> str:
        """Return what the server wrote to standard error so far."""
        self._errors.seek(0)
        return self._errors.read().decode()


def as_folder(folder: Path) -> dict[str, str]:
    return {"uri": folder.as_uri(), "name": folder.name}


def read_messages(stream: Any) -> Iterator[Message | str]:
    """Yield each message, and as a string whatever is none; nothing follows that."""
    while line := stream.readline():
        lengths = []
        while line not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            if name.lower() not in (b"content-length", b"content-type") or not line.endswith(
                b"\r\n"
            ):
                yield repr(line)
                return
            lengths += [int(value)] if name.lower() == b"content-length" else []
            line = stream.readline()
        body = stream.read(lengths[0])
        try:
            yield json.loads(body)
        except (ValueError, IndexError):
            yield repr(body)
            return


@contextmanager
def running(
    argv: Sequence[str] = OURS,
    *,
    patience: float = PATIENCE,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Wire]:
    """Start a server; it is gone afterwards."""
    with (
        TemporaryFile() as errors,
        subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=environment
        ) as process,
    ):
        wire = Wire(process, errors, patience=patience)
        try:
            yield wire
        finally:
            process.kill()
            wire.stop()


def seconds_of(work: Callable[[], Any]) -> float:
    """Return how long `work` takes, in seconds."""
    begun = monotonic()
    work()
    return monotonic() - begun
