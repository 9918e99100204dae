"""Well-framed messages that are almost right, from a seed."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

from goal_server.registry import OPERATIONS

FILE = {"uri": "file:///a.py"}
PLACE = {"line": 0, "character": 0}
REQUESTS: list[tuple[str, Any]] = [
    ("textDocument/codeLens", {"textDocument": FILE}),
    ("textDocument/hover", {"textDocument": FILE, "position": PLACE}),
    ("textDocument/codeAction", {"textDocument": FILE, "range": {"start": PLACE, "end": PLACE},
                                 "context": {"diagnostics": []}}),
    ("codeLens/resolve", {"range": {"start": PLACE, "end": PLACE}}),
    ("goal/wait", {"goal": "latest"}),
    ("goal/explain", {"textDocument": FILE, "position": PLACE}),
    ("goal/render", {"goal": "latest", "page": "goal"}),
    ("custom/unheard-of", {"x": [1, {"y": None}]}),
    ("$/unheard-of", {}),
    ("initialize", {"processId": None, "rootUri": None, "capabilities": {}}),
    ("textDocument/didSave", {"textDocument": FILE}),
]  # fmt: skip
COMMANDS = [
    ("workspace/executeCommand", {"command": row.command, "arguments": [{"goal": "latest"}]})
    for row in OPERATIONS
]
ITEM = {"uri": "file:///a.py", "languageId": "python", "version": 1, "text": "x = 1\n"}
NOTIFICATIONS: list[tuple[str, Any]] = [
    ("textDocument/didOpen", {"textDocument": ITEM}),
    ("textDocument/didChange", {"textDocument": {**FILE, "version": 2},
                                "contentChanges": [{"text": "y = 2\n"}]}),
    ("textDocument/didClose", {"textDocument": FILE}),
    ("$/cancelRequest", {"id": 1000}),
    ("$/setTrace", {"value": "messages"}),
    ("$/progress", {"token": "t", "value": {"kind": "end"}}),
    ("goal/didChangeTrust", {"trusted": False}),
    ("window/workDoneProgress/cancel", {"token": "goal/goal-1/2"}),
    ("workspace/didChangeConfiguration", {"settings": {}}),
]  # fmt: skip
ATOMS: list[Any] = [
    None, True, False, 0, -1, 1.5, 2**31, 2**63, 10**400, "", "x", "\ud800", "\0", "é😀" * 50,
    [], {}, [[]], {"jsonrpc": "2.0"}, {"jsonrpc": "2.0", "id": 1, "method": "exit"},
    {"type_name": 5}, {"class": 1, "": 2, "a b": 3}, "file:///%ff", "file:///nowhere/at/all",
    "untitled:Untitled-1", "http://[", [1] * 200, "latest", "goal-2001", "9" * 5000,
]  # fmt: skip
KEYS = ["jsonrpc", "id", "method", "kind", "type_name", "__class__", "extra", "result", "root"]


def make_messages(seed: int, number: int) -> Iterator[Any]:
    """Yield `number` messages; each request has an id of its own unless that was mutated."""
    chance = random.Random(seed)
    for turn in range(number):
        kinds = chance.choices([REQUESTS, COMMANDS, NOTIFICATIONS], [6, 2, 2])[0]
        method, params = chance.choice(kinds)
        message = {"jsonrpc": "2.0", "method": method, "params": copy.deepcopy(params)}
        if kinds is not NOTIFICATIONS:
            message["id"] = turn + 1000
        if chance.random() < 0.15:
            message = mutate(chance, message)
        else:
            message["params"] = mutate(chance, message["params"])
        if chance.random() < 0.05 and isinstance(message, dict):
            message.pop("params", None)
        yield message


def mutate(chance: random.Random, value: Any) -> Any:
    """Return a value with up to three places changed."""
    for _ in range(chance.choice([0, 1, 1, 1, 2, 3])):
        place = chance.choice(list(find_places(value)))
        atom = copy.deepcopy(chance.choice(ATOMS))
        if not place:
            value = atom if chance.random() < 0.3 else value
            continue
        within = value
        for key in place[:-1]:
            within = within[key]
        match chance.randrange(4):
            case 0:
                within[place[-1]] = atom
            case 1:
                del within[place[-1]]
            case _ if isinstance(within, dict):
                within[chance.choice(KEYS)] = atom
            case _:
                within.insert(0, atom)
    return value


def find_places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value within a value."""
    yield place
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from find_places(item, (*place, key))
