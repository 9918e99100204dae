"""An editor with folders and settings, on the server's two pipes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path
from typing import Any

Message = dict[str, Any]
SECTION = "goalproof"


class Client(AbstractContextManager["Client"]):
    """Sees every message, and answers what the server asks with what it was given to say."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "goal_server", "lsp"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert self._process.stdin and self._process.stdout
        self._out, self._in = self._process.stdin, self._process.stdout
        self._numbers = count(1)
        self.seen: list[Message] = []
        self.settings: dict[str | None, object] = {}
        """What is answered to `workspace/configuration`, by scope."""

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._out.close()
        self._in.close()

    def send(self, method: str, params: Any = None, **more: Any) -> None:
        body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, **more}).encode()
        self._write(body)

    def _write(self, body: bytes) -> None:
        self._out.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._out.flush()

    def read(self) -> Message:
        length = 0
        while (line := self._in.readline()).strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        assert line, "the server has ended"
        message: Message = json.loads(self._in.read(length))
        self.seen.append(message)
        if "method" in message and "id" in message:
            answer = {"jsonrpc": "2.0", "id": message["id"], "result": self._reply(message)}
            self._write(json.dumps(answer).encode())
        return message

    def _reply(self, message: Message) -> Any:
        if message["method"] != "workspace/configuration":
            return None
        items = message["params"]["items"]
        assert all(item["section"] == SECTION for item in items)
        return [self.settings.get(item.get("scopeUri")) for item in items]

    def until(self, wanted: Callable[[Message], object]) -> Message:
        """Return the next message that is `wanted`."""
        while not wanted(message := self.read()):
            pass
        return message

    def told(self, method: str, **wanted: object) -> Any:
        """Return the params of the first notification like that, seen already or still to come."""

        def fits(message: Message) -> bool:
            params = message.get("params") or {}
            return message.get("method") == method and wanted.items() <= params.items()

        found = next((message for message in self.seen if fits(message)), None)
        return (found or self.until(fits))["params"]

    def ask(self, method: str, params: Any = None) -> int:
        number = next(self._numbers)
        self.send(method, params, id=number)
        return number

    def answer(self, number: int) -> Message:
        return self.until(lambda message: "method" not in message and message["id"] == number)

    def call(self, method: str, params: Any = None) -> Message:
        return self.answer(self.ask(method, params))

    def command(self, name: str, **given: Any) -> Message:
        return self.call("workspace/executeCommand", {"command": name, "arguments": [given]})

    def done(self, name: str, **given: Any) -> Any:
        """Return the result of a command that is not refused."""
        said = self.command(name, **given)
        assert "result" in said, said
        return said["result"]

    def refused(self, name: str, **given: Any) -> Any:
        """Return the error of a command that is."""
        said = self.command(name, **given)
        assert "error" in said, said
        return said["error"]

    def approve(self, **given: Any) -> None:
        """Say of the gates there are now that they may run."""
        gates = self.done("goal.gates", **given)["gates"]
        self.done("goal.trustGate", digests=[gate["digest"] for gate in gates], **given)

    def open(
        self, *folders: Path, trusted: object = True, settings: object = None, **workspace: object
    ) -> Message:
        """Open folders; `workspace` are more capabilities of the client."""
        params = {
            "processId": None,
            "rootUri": None,
            "capabilities": {"window": {"workDoneProgress": True}, "workspace": workspace},
            "initializationOptions": {"trusted": trusted, "settings": settings},
            "workspaceFolders": [as_folder(folder) for folder in folders] or None,
        }
        result: Message = self.call("initialize", params)["result"]
        self.send("initialized", {})
        return result

    def change_folders(
        self, *, added: tuple[Path, ...] = (), removed: tuple[Path, ...] = ()
    ) -> None:
        event = {"added": [*map(as_folder, added)], "removed": [*map(as_folder, removed)]}
        self.send("workspace/didChangeWorkspaceFolders", {"event": event})

    def warnings(self) -> list[str]:
        """Return the warnings in the editor's log until now."""
        return [
            message["params"]["message"]
            for message in self.seen
            if message.get("method") == "window/logMessage" and message["params"]["type"] == 2
        ]


def as_folder(folder: Path) -> dict[str, str]:
    return {"uri": folder.as_uri(), "name": folder.name}
