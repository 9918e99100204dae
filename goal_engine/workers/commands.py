"""An agent's command: what it is started with, where it is confined, and what it printed last."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from goal_engine.errors import ToolMissing
from goal_engine.ports import TurnResult, WorkerTurn
from goal_engine.runtime.belongings import Belongings, lend
from goal_engine.runtime.process import clean_environment, find_program
from goal_engine.runtime.threads import in_thread
from goal_engine.types import Trouble
from goal_engine.workers.prompt import COLOURS, SPECIFIC

TURN_TIMEOUT = 1800.0
"""Seconds that a turn may take when the task says nothing."""
TAIL = 4096
"""Bytes of a log's end in which its last line is looked for."""
NOISE = re.compile(r"at (?:async )?\S.*:\d+:\d+\)?|Node\.js v\d\S*")
"""Lines that say nothing of what is wrong: where a program of Node was, and which Node it was."""
LAST = 4
"""Lines among which that is."""
QUOTED = 300
"""Characters of that line that a message repeats."""


@dataclass(frozen=True, slots=True)
class AgentCommand:
    """How one agent is started."""

    name: str
    argv: tuple[str, ...]
    variables: Mapping[str, str]
    """What it gets beside what every command gets."""
    own: Belongings = Belongings()
    """What the agent keeps in the home folder."""

    def find_environment(self, turn: WorkerTurn) -> dict[str, str]:
        """Return the variables that it sees in a turn."""
        return clean_environment({**turn.environment.variables, **self.variables})


@asynccontextmanager
async def confined(turn: WorkerTurn, own: Belongings) -> AsyncIterator[tuple[str, ...]]:
    """Give the sandbox of a turn, where there is one, with what is the agent's own lent to it."""
    with ExitStack() as held:
        if await in_thread(turn.confine):
            lending = lend(own, turn.sessions, anew=not turn.session)
            lent = await in_thread(held.enter_context, lending)
            yield await in_thread(partial(turn.confine, lent=lent))
        else:
            yield ()


def fail_to_run(command: AgentCommand, turn: WorkerTurn, error: ToolMissing) -> TurnResult:
    """Return the result of a turn whose command did not run, or ended nobody knows how."""
    there = find_program(command.argv[0], command.find_environment(turn), turn.workspace)
    return TurnResult(
        ended=False,
        reason=f"{command.name} did not run: {error}",
        trouble=Trouble.DID_NOT_RUN if there else None,
    )


def read_tail(log: Path, most: int = TAIL) -> str:
    """Return the end of a log, `most` bytes, as it is; empty when there is none."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - most))
            return file.read(most).decode("utf-8", "replace")
    except OSError:
        return ""


def read_last_line(log: Path) -> str:
    """Return the last line of a log that says something: see `find_last_line`."""
    return find_last_line(read_tail(log))


def find_last_line(text: str) -> str:
    """Return the last line that says something, plain and shortened; empty when there is none.

    Of the few last ones, one that speaks of an error comes first: agents end with where their log is.
    """
    lines = (" ".join(line.split()) for line in COLOURS.sub("", text).splitlines())
    plain = ("".join(char for char in line if char.isprintable()) for line in lines)
    last = [line for line in plain if line and not NOISE.fullmatch(line)][-LAST:]
    telling = [line for line in last if SPECIFIC.search(line)] or last
    return telling[-1][:QUOTED] if telling else ""
