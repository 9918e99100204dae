"""What a server owes for what it was sent, known from the messages alone."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

OURS = ("Traceback (most recent", 'File "', "site-packages", "goal_server/", "pygls")
CODES = {-32700, -32600, -32601, -32602, -32603, -32002, -32800, -32801, -32802, -32803}

Key = tuple[str, Any]


def find_debt(message: Any) -> Key | None:
    """Return the id that must be answered once; `None` when nobody is to be answered.

    JSON-RPC 2.0 §5: where the id cannot be told, the answer's id is null.
    """
    nobody: Key = ("NoneType", None)
    if not isinstance(message, dict):
        return nobody
    if "method" not in message and ("result" in message or "error" in message):
        return None
    number = message.get("id")
    if isinstance(number, int | str) and not isinstance(number, bool):
        return key_of(number)
    well_formed = message.get("jsonrpc") == "2.0" and isinstance(message.get("method"), str)
    return None if well_formed and "id" not in message else nobody


def key_of(number: Any) -> Key:
    """Return an id as a key: 1 is not "1" and not true."""
    return type(number).__name__, number


class Oracle:
    """Compares what was sent with what came."""

    def __init__(self) -> None:
        self._owed: Counter[Key] = Counter()
        self._paid: Counter[Key] = Counter()
        self.problems: list[str] = []

    def sent(self, message: Any) -> None:
        """Take a message that the server was sent."""
        if (debt := find_debt(message)) is not None:
            self._owed[debt] += 1

    def came(self, message: Any) -> None:
        """Take a message that the server sent."""
        text = json.dumps(message)
        bare = text.replace('\\"', '"')
        self._complain_if(any(word in bare for word in OURS), f"shows its insides: {text[:400]}")
        if "method" in message:
            self._complain_if(message["method"] == "window/showMessage", "pops up")
            return
        self._complain_if(("error" in message) == ("result" in message), f"is both: {text[:200]}")
        code = message.get("error", {}).get("code")
        self._complain_if(code is not None and code not in CODES, f"has a code of its own: {code}")
        self._complain_if(code == -32603, f"is a fault: {text[:400]}")
        key = key_of(message["id"])
        self._paid[key] += 1
        self._complain_if(self._paid[key] > self._owed[key], f"answers {key} too often")

    @property
    def owed(self) -> list[Key]:
        """The ids that have no answer yet."""
        return list((self._owed - self._paid).elements())

    def end(self) -> list[str]:
        """Return everything that is wrong."""
        return [*self.problems, *(f"does not answer {key}" for key in self.owed)]

    def _complain_if(self, wrong: bool, how: str) -> None:
        if wrong:
            self.problems.append(how)
