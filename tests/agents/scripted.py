"""What a scripted model is asked and what it says, whatever the dialect.

A `Script` is given what the agent sent (`Asked`) and says what the model would (`Reply`); it names
actions, and the tools that this agent offers are found for them.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MODEL = "stub-model"
WINDOW = 131072


@dataclass(frozen=True)
class Write:
    """Write a whole file."""

    path: str
    content: str


@dataclass(frozen=True)
class Read:
    """Read a whole file: some agents write to none that they have not read."""

    path: str


@dataclass(frozen=True)
class Run:
    """Run a command line."""

    command: str


@dataclass(frozen=True)
class Question:
    """Ask the person."""

    text: str
    options: tuple[str, str]


@dataclass(frozen=True)
class Use:
    """Call a tool by its name, offered or not; `{folder}` in a text is where the agent works."""

    tool: str
    values: Mapping[str, Any]


Action = Read | Write | Run | Question | Use


@dataclass(frozen=True)
class Usage:
    """Tokens of one answer; `cached` are some of `input`."""

    input: int = 1000
    output: int = 20
    cached: int = 100


@dataclass(frozen=True)
class Reply:
    """What the model says: a text, calls of tools, or an error."""

    text: str = ""
    do: tuple[Action, ...] = ()
    status: int = 200
    hangs: bool = False
    """Whether it begins to answer and never goes on."""
    usage: Usage = Usage()


@dataclass(frozen=True)
class Asked:
    """What an agent sent, whatever the dialect."""

    prompts: tuple[str, ...]
    """What the user said, oldest first."""
    done: int
    """Calls of tools since the newest prompt of ours: how far a script has come."""
    tools: Mapping[str, Mapping[str, Any]]
    """By name, the properties of each tool's arguments."""
    results: tuple[str, ...] = ()
    """What the tools answered since then."""
    items: tuple[tuple[str, str], ...] = ()
    """All since then: who (`user`, `assistant`, `call`, `result`), and what."""
    said: tuple[str, ...] = ()
    """What the model said, as far as the agent remembers."""
    number: int = 0
    """How many requests with tools came before."""

    @property
    def prompt(self) -> str:
        """The newest prompt of ours."""
        return self.prompts[-1] if self.prompts else ""


Script = Callable[[Asked], Reply]
SIDE = Reply("A title")
"""What is said to whoever offers no tools: agents ask for titles, and whether to go on."""


def in_turn(*replies: Reply) -> Script:
    """Return a script of one turn: each reply follows on the calls of those before it."""

    def say(asked: Asked) -> Reply:
        left = asked.done
        for reply in replies:
            if left < len(reply.do) or not reply.do:
                return reply
            left -= len(reply.do)
        return Reply("Done.")

    return say


# what a dialect tells apart

Item = tuple[str, str]
"""Who (`user`, `assistant`, `call`, `result`), and what."""
Call = tuple[str, str, dict[str, Any]]
"""Its id, which tool, and the arguments."""
Tools = dict[str, Mapping[str, Any]]


WORKSPACE = re.compile(r"/[\w./+-]+/workspaces/goal-[\w-]+/[\w-]+(?:\.agent)?")
"""The folder of an agent that works on a goal, as agents tell their models."""


def find_folder(items: list[Item]) -> str:
    """Return where an agent works, by what it says of it; empty where it says nothing."""
    found = (WORKSPACE.search(text) for _, text in items)
    return next((one[0] for one in found if one), "")


def look(items: list[Item], tools: Tools, ours: str, number: int) -> Asked:
    places = [at for at, (who, text) in enumerate(items) if who == "user" and ours in text]
    since = items[places[-1] + 1 :] if places else items
    return Asked(
        prompts=tuple(items[at][1] for at in places),
        done=sum(who == "call" for who, _ in since),
        tools=tools,
        results=tuple(text for who, text in since if who == "result"),
        items=tuple(since),
        said=tuple(text for who, text in items if who == "assistant" and text),
        number=number,
    )


def find_call(number: int, action: Action, tools: Tools, folder: str) -> Call:
    """Return how an action, one of a conversation, is called with the tools that an agent offers.

    `folder` is where the agent works: there are tools that take none but absolute paths."""
    match action:
        case Write(path, content):
            names = ("WriteFile", "Write", "write", "write_file", "exec_command")
            values = {
                "path": path,
                "file_path": path,
                "filePath": path,
                "content": content,
                "cmd": f"printf %s {shlex.quote(content)} >{shlex.quote(path)}",
            }
        case Read(path):
            names = ("ReadFile", "Read", "read", "read_file", "exec_command")
            command = f"cat {shlex.quote(path)}"
            values = {"path": path, "file_path": path, "filePath": path, "cmd": command}
        case Run(command):
            names = ("Shell", "Bash", "bash", "run_shell_command", "exec_command")
            values = {"command": command, "cmd": command, "description": "Runs a command"}
        case Question(text, options):
            names = ("AskUserQuestion", "question")
            choices = [{"label": label, "description": label} for label in options]
            question = {"question": text, "header": "Choice", "options": choices}
            values = {"questions": [question]}
        case Use(tool, given):
            told = json.loads(json.dumps(dict(given)).replace("{folder}", folder or "."))
            return f"call_{number}", tool, told
    name = next((name for name in names if name in tools), None)
    if name is None:
        raise LookupError(f"no tool of {sorted(tools)} does {action}")
    known = tools[name]
    fit = {key: value for key, value in values.items() if key in known}
    absolute = [key for key in fit if "absolute" in str(known[key].get("description")).lower()]
    return f"call_{number}", name, {**fit, **{key: str(Path(folder, fit[key])) for key in absolute}}
