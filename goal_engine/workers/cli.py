"""Any command that takes a prompt: started in the workspace, and dead as a whole when it is over.

Nothing it says changes a state.  Its exit code ends the turn well or badly; its files are judged.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from goal_engine.budget import LOST_TURN, SAYS_NOTHING, Reports
from goal_engine.errors import GoalError, ToolMissing
from goal_engine.ports import TurnResult, WorkerTurn
from goal_engine.runtime.atomic import write_atomic
from goal_engine.runtime.belongings import Belongings, lend
from goal_engine.runtime.process import Finished, clean_environment, run_process
from goal_engine.runtime.process import find_program as find_in
from goal_engine.runtime.redacting import redacting
from goal_engine.runtime.threads import in_thread
from goal_engine.task_graph.graph import GoalTask
from goal_engine.types import Trouble
from goal_engine.workers.agents import (
    FindAgents,
    find_agent,
    find_belongings,
    find_preset,
    find_program,
    read_variables,
)
from goal_engine.workers.installed import find_way
from goal_engine.workers.presets import fill_argv, takes_argument
from goal_engine.workers.prompt import COLOURS, SPECIFIC
from goal_engine.workers.telling import render_turn
from goal_engine.workers.troubles import find_trouble

TURN_TIMEOUT = 1800.0
"""Seconds that a turn may take when the task says nothing."""
TAIL = 4096
"""Bytes of a log's end in which its last line is looked for."""
SAID = 128 * 1024
"""Bytes of a log's end that are an agent's last words."""
LAST = 4
"""Lines among which that is."""
QUOTED = 300
"""Characters of that line that a message repeats."""


@dataclass(frozen=True, slots=True)
class _Command:
    name: str
    argv: tuple[str, ...]
    variables: Mapping[str, str]
    own: Belongings = Belongings()
    """What the agent keeps in the home folder."""


class CliWorker:
    """Runs an agent's headless mode, or the command that the task names."""

    def __init__(self, find_agents: FindAgents, checkout: Path) -> None:
        self._find_agents = find_agents
        self._checkout = checkout

    def find_reports(self, _: GoalTask) -> Reports:
        """Return that nothing is known: a command prints what it likes."""
        return SAYS_NOTHING

    async def run(self, turn: WorkerTurn) -> TurnResult:
        """Give the prompt to the command and wait for its end, or end it when its time is up."""
        try:
            command = await in_thread(self._find, turn)
        except GoalError as error:
            return TurnResult(ended=False, reason=error.paragraph)
        prompt = render_turn(turn)
        given = turn.log.with_suffix(".prompt")
        await in_thread(write_atomic, given, prompt.encode("utf-8", "replace"))
        timeout = turn.task.timeout or TURN_TIMEOUT
        try:
            async with (
                redacting(turn.log, turn.redactor) as raw,
                _confined(turn, command.own) as sandbox,
            ):
                ended = await run_process(
                    fill_argv(command.argv, prompt, str(turn.workspace)),
                    cwd=turn.workspace,
                    env=clean_environment({**turn.environment.variables, **command.variables}),
                    log=raw,
                    timeout=timeout,
                    stdin=None if takes_argument(command.argv) else given,
                    running=turn.running,
                    sandbox=sandbox,
                )
        except ToolMissing as error:
            variables = {**turn.environment.variables, **command.variables}
            there = find_in(command.argv[0], clean_environment(variables), turn.workspace)
            return TurnResult(
                ended=False,
                reason=f"{command.name} did not run: {error}",
                trouble=Trouble.DID_NOT_RUN if there else None,
            )
        finally:
            await in_thread(given.unlink, True)
        said = _find_problem(command.name, ended, timeout)
        if not said:
            last_words = await in_thread(read_tail, turn.log, SAID)
            return TurnResult(ended=True, spent=LOST_TURN, said=last_words)
        last = await in_thread(read_last_line, turn.log)
        said += f": {last}" if last else ", and said nothing"
        trouble = find_trouble(ended.exit_code, await in_thread(read_tail, turn.log))
        return TurnResult(ended=False, reason=said, spent=LOST_TURN, trouble=trouble)

    def _find(self, turn: WorkerTurn) -> _Command:
        task = turn.task
        if task.command:
            return self._find_given(task.command)
        agent = find_agent(self._find_agents(), task.agent)
        way = find_way(agent, "cli", self._checkout)
        words = agent.looks if turn.reads_only and agent.looks else way.speaks.argv
        argv, variables = (str(way.path), *words[1:]), read_variables(agent)
        return _Command(agent.name, argv, variables, find_belongings(agent, self._checkout))

    def _find_given(self, argv: tuple[str, ...]) -> _Command:
        """A plan's own way to start a known agent finds its login; what a workspace calls so does not."""
        agent = find_preset(self._find_agents(), argv[0])
        program = find_program(argv[0], self._checkout) if agent else None
        if agent is None or program is None:
            return _Command(argv[0], argv, {})
        folders = find_belongings(replace(agent, env=()), self._checkout)
        return _Command(argv[0], (str(program), *argv[1:]), {}, folders)


@asynccontextmanager
async def _confined(turn: WorkerTurn, own: Belongings) -> AsyncIterator[tuple[str, ...]]:
    """Give the sandbox of a turn, where there is one, with what is the agent's own lent to it."""
    with ExitStack() as held:
        if await in_thread(turn.confine):
            lent = await in_thread(held.enter_context, lend(own))
            yield await in_thread(partial(turn.confine, lent=lent))
        else:
            yield ()


def _find_problem(name: str, ended: Finished, timeout: float) -> str:
    if ended.timed_out:
        return f"{name} was killed after {timeout:g} s"
    return f"{name} ended with exit code {ended.exit_code}" if ended.exit_code != 0 else ""


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
    """Return the last line that says something, plain and shortened; empty when there is none.

    Of the few last ones, one that speaks of an error comes first: agents end with where their log is.
    """
    text = read_tail(log)
    lines = (" ".join(line.split()) for line in COLOURS.sub("", text).splitlines())
    plain = ("".join(char for char in line if char.isprintable()) for line in lines)
    last = [line for line in plain if line][-LAST:]
    telling = [line for line in last if SPECIFIC.search(line)] or last
    return telling[-1][:QUOTED] if telling else ""
