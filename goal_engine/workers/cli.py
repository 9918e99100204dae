"""Any command that takes a prompt: started in the workspace, and dead as a whole when it is over.

Nothing it says changes a state.  Its exit code ends the turn well or badly; its files are judged.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from goal_engine.budget import LOST_TURN, SAYS_NOTHING, Reports
from goal_engine.errors import GoalError, ToolMissing
from goal_engine.ports import TurnResult, WorkerTurn
from goal_engine.runtime.atomic import write_atomic
from goal_engine.runtime.dialogue import Dialogue
from goal_engine.runtime.process import Finished, run_process
from goal_engine.runtime.redacting import redacting
from goal_engine.runtime.threads import in_thread
from goal_engine.task_graph.graph import GoalTask
from goal_engine.usage import FindEstimate, know_no_price
from goal_engine.workers.agents import (
    FindAgents,
    find_agent,
    find_belongings,
    find_preset,
    find_program,
    read_variables,
)
from goal_engine.workers.commands import (
    TURN_TIMEOUT,
    AgentCommand,
    confined,
    fail_to_run,
    read_last_line,
    read_tail,
)
from goal_engine.workers.headless import DIALECTS, PLAIN, Dialect, Heard
from goal_engine.workers.installed import find_way
from goal_engine.workers.peer import Gone
from goal_engine.workers.presets import fill_argv, hold, takes_argument
from goal_engine.workers.prices import find_reports, read_prices
from goal_engine.workers.talking import Conversation, run_talk
from goal_engine.workers.telling import render_turn
from goal_engine.workers.told import Over
from goal_engine.workers.troubles import find_trouble

SAID = 128 * 1024
"""Bytes of a log's end that are an agent's last words."""
LONGEST = (128 << 10) - 1
"""Bytes of one argument of a program, on Linux."""


class CliWorker:
    """Runs an agent's headless mode, or the command that the task names."""

    def __init__(self, find_agents: FindAgents, checkout: Path) -> None:
        self._find_agents = find_agents
        self._checkout = checkout

    def find_reports(self, task: GoalTask) -> Reports:
        """Return what the task's agent says of what it uses; of a command nothing is known."""
        return SAYS_NOTHING if task.command else find_reports(self._find_agents, task.agent, "cli")

    async def run(self, turn: WorkerTurn) -> TurnResult:
        """Give the prompt to the command and wait for its end, or end it when its time is up."""
        try:
            command, says = await in_thread(self._find, turn)
            prices = await in_thread(read_prices) if says.models else know_no_price
        except GoalError as error:
            return TurnResult(ended=False, reason=error.paragraph)
        prompt = _clean(render_turn(turn))
        if takes_argument(command.argv) and len(prompt.encode()) > LONGEST:
            return TurnResult(ended=False, reason=_say_too_long(command.name))
        given = "" if takes_argument(command.argv) else prompt
        command = replace(command, argv=fill_argv(command.argv, prompt, str(turn.workspace)))
        if says is PLAIN:
            return await _run_plain(turn, command, given)
        listen = partial(_listen, given=given, says=says, prices=prices)
        return await run_talk(turn, command, listen)

    def _find(self, turn: WorkerTurn) -> tuple[AgentCommand, Dialect]:
        task = turn.task
        if task.command:
            return self._find_given(task.command), PLAIN
        agent = find_agent(self._find_agents(), task.agent)
        way = find_way(agent, "cli", self._checkout)
        looks = turn.reads_only and agent.looks
        speaks = replace(way.speaks, argv=agent.looks if looks else way.speaks.argv)
        argv = (hold(speaks) if turn.confine() else speaks).argv
        argv, variables = (str(way.path), *argv[1:]), read_variables(agent)
        variables |= dict(agent.looking) if looks else {}
        own = find_belongings(agent, self._checkout)
        says = DIALECTS.get(way.speaks.dialect, PLAIN)
        return AgentCommand(agent.name, argv, variables, own), says

    def _find_given(self, argv: tuple[str, ...]) -> AgentCommand:
        """A plan's own way to start a known agent finds its login; what a workspace calls so does not."""
        agent = find_preset(self._find_agents(), argv[0])
        program = find_program(argv[0], self._checkout) if agent else None
        if agent is None or program is None:
            return AgentCommand(argv[0], argv, {})
        folders = find_belongings(replace(agent, env=()), self._checkout)
        return AgentCommand(argv[0], (str(program), *argv[1:]), {}, folders)


def _clean(prompt: str) -> str:
    """Return a prompt as every program can be given it, whatever was printed or changed that it quotes."""
    return prompt.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _say_too_long(name: str) -> str:
    return (
        f"its prompt has more than {LONGEST >> 10} KiB, and {name} takes it as one argument, which cannot be"
        " that long: say less in the task, or take an agent that is talked to (`acp`) or reads its input"
    )


async def _run_plain(turn: WorkerTurn, command: AgentCommand, given: str) -> TurnResult:
    """Run a command that prints for people."""
    file = turn.log.with_suffix(".prompt")
    await in_thread(write_atomic, file, given.encode("utf-8", "replace"))
    timeout = turn.task.timeout or TURN_TIMEOUT
    try:
        async with (
            redacting(turn.log, turn.redactor) as raw,
            confined(turn, command.own) as sandbox,
        ):
            ended = await run_process(
                command.argv,
                cwd=turn.workspace,
                env=command.find_environment(turn),
                log=raw,
                timeout=timeout,
                stdin=file if given else None,
                running=turn.running,
                sandbox=sandbox,
            )
    except ToolMissing as error:
        return fail_to_run(command, turn, error)
    finally:
        await in_thread(file.unlink, True)
    said = _find_problem(command.name, ended, timeout)
    if not said:
        last_words = await in_thread(read_tail, turn.log, SAID)
        return TurnResult(ended=True, spent=LOST_TURN, said=last_words)
    last = await in_thread(read_last_line, turn.log)
    said += f": {last}" if last else ", and said nothing"
    trouble = find_trouble(ended.exit_code, await in_thread(read_tail, turn.log))
    return TurnResult(ended=False, reason=said, spent=LOST_TURN, trouble=trouble)


def _find_problem(name: str, ended: Finished, timeout: float) -> str:
    if ended.timed_out:
        return f"{name} was killed after {timeout:g} s"
    return f"{name} ended with exit code {ended.exit_code}" if ended.exit_code != 0 else ""


async def _listen(
    conversation: Conversation, given: str, says: Dialect, prices: FindEstimate
) -> Over:
    """Take what a command prints for machines until its end; `given` is its standard input."""
    giving = asyncio.ensure_future(_give(conversation.dialogue, given))
    try:
        return await conversation.prompt(_hear(conversation, says, prices), _cannot_be_told)
    finally:
        giving.cancel()
        await asyncio.wait({giving})


async def _give(dialogue: Dialogue, text: str) -> None:
    """Say the prompt; who does not want to hear it need not."""
    with suppress(OSError):
        if text:
            await dialogue.write(text.encode("utf-8", "replace"))
    dialogue.end_input()


async def _hear(conversation: Conversation, says: Dialect, prices: FindEstimate) -> Over:
    heard = Heard()
    while line := await conversation.dialogue.read():
        parts, usd = heard.parts, heard.usd
        for told in says.hear(line, heard):
            conversation.take(told)
        if (heard.parts, heard.usd) != (parts, usd) and (spent := heard.find_spent(prices)):
            conversation.spend(tokens=spent.tokens, usd=spent.usd, priced=spent.priced)
    return heard.conclude(await conversation.dialogue.wait())


async def _cannot_be_told() -> None:
    raise Gone("a command that runs headless takes no second word")
