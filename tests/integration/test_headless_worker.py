"""Headless agents that print for machines: what they say is read as it comes, and nothing of them stays."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from goal_engine.budget import LOST_TURN, SAYS_NOTHING, Reporting, Reports, Spend, SpendSource
from goal_engine.errors import BadConfiguration
from goal_engine.ports import TurnResult, WorkerTurn
from goal_engine.task_graph.graph import GoalTask
from goal_engine.types import Trouble
from goal_engine.workers.agents import read_agents
from goal_engine.workers.cli import CliWorker
from goal_engine.workers.presets import Agent
from tests.agents.stage import find_agents
from tests.integration.agents import wait_until
from tests.integration.test_talking import SECRET, a_turn

pytestmark = pytest.mark.one_python

PATIENCE = 60.0
SAYS = """
import json, os, sys, time

def say(kind, **more):
    print(json.dumps({"type": kind, **more}), flush=True)

def speak(*parts):
    say("assistant", message={"content": parts})

def text(words):
    return {"type": "text", "text": words}

def call(name, **given):
    return {"type": "tool_use", "name": name, "input": given}

def used(tokens, usd=None, **more):
    whole = {"input_tokens": tokens - 20, "output_tokens": 20}
    say("result", usage=whole, total_cost_usd=usd, **more)

def step(tokens):
    say("step_finish", part={"tokens": {"input": tokens - 20, "output": 20}, "cost": 0.01})
"""


def an_agent(script: str, output: str = "claude", *more: str) -> Mapping[str, Agent]:
    argv = (sys.executable, "-I", "-c", SAYS + script, *more)
    return {"mine": Agent(name="mine", title="Mine", argv=argv, dialect=output)}


def a_cli_turn(tmp_path: Path, **more: object) -> WorkerTurn:
    turn = a_turn(tmp_path, prompt="Fix it, please", **more)
    return replace(turn, task=GoalTask(id="fix", title="Fix", worker="cli", agent="mine"))


async def play(turn: WorkerTurn, agents: Mapping[str, Agent]) -> TurnResult:
    async with asyncio.timeout(PATIENCE):
        return await CliWorker(lambda: agents, turn.workspace).run(turn)


WORKS = f"""
assert sys.stdin.read().strip() == "Fix it, please"
say("system", subtype="init", model="opus")
speak(text("I look. {SECRET}"), call("Bash", command="ls"))
print("a warning")
speak(text("The plan: 1"), text("and 2"))
used(1020, 0.5)
"""


async def test_its_words_its_tokens_and_its_price_are_read_and_the_log_is_for_people(
    tmp_path: Path,
) -> None:
    reported: list[Spend] = []
    turn = a_cli_turn(tmp_path, report=reported.append)
    result = await play(turn, an_agent(WORKS))
    spent = Spend(tokens=1020, usd=Decimal("0.5"), source=SpendSource.VENDOR_REPORTED, turns=1)
    assert (result.ended, result.spent, reported) == (True, spent, [spent])
    assert result.said == "a warning\nThe plan: 1\nand 2"
    log = turn.log.read_text()
    assert log.splitlines()[0] == "works with opus"
    assert "calls Bash: ls\n" in log and "  The plan: 1\n" in log and "1020 tokens" in log
    assert '{"' not in log and SECRET not in log and "  I look. " in log
    assert [*tmp_path.glob("*.raw"), *tmp_path.glob("*.prompt")] == []


@pytest.mark.parametrize("code", [0, 1])
async def test_an_agent_that_cuts_a_character_in_two_ends_its_turn_and_no_run(
    tmp_path: Path, code: int
) -> None:
    says = f"speak(text('done \\ud83d'))\nused(40, is_error=True, result='no \\ude00 luck')\nsys.exit({code})"
    result = await play(a_cli_turn(tmp_path), an_agent(says))
    assert result.ended is (code == 0) and result.said == "done \N{REPLACEMENT CHARACTER}"
    assert result.spent.tokens == 40 and ("luck" in result.reason) is (code == 1)


async def test_the_prompt_may_be_an_argument_and_then_nothing_is_to_be_read(
    tmp_path: Path,
) -> None:
    asks = "assert sys.argv[-1] == 'Fix it, please' and sys.stdin.read() == ''\nused(40)"
    result = await play(a_cli_turn(tmp_path), an_agent(asks, "claude", "{prompt}"))
    assert result.ended and result.spent.tokens == 40


@pytest.mark.parametrize("output", ["claude", ""])
async def test_a_prompt_that_no_argument_can_be_is_made_one_or_told_of(
    tmp_path: Path, output: str
) -> None:
    agents = an_agent("assert sys.argv[1] == 'a\\ufffdb?c'\nused(40)", output, "{prompt}")
    result = await play(replace(a_cli_turn(tmp_path), prompt="a\0b\ud800c"), agents)
    assert result.ended, result.reason
    result = await play(replace(a_cli_turn(tmp_path), prompt="x" * (1 << 17)), agents)
    assert not result.ended and "its prompt has more than 127 KiB, and mine takes" in result.reason


async def test_an_agent_that_prints_more_than_a_pipe_holds_before_it_reads_is_no_deadlock(
    tmp_path: Path,
) -> None:
    big = f"speak(text('x' * {5 << 20}))\n" * 2
    turn = replace(a_cli_turn(tmp_path), prompt="p" * (1 << 20))
    result = await play(turn, an_agent(f"{big}assert len(sys.stdin.read()) > {1 << 20}\nused(40)"))
    assert result.ended and result.spent.tokens == 40
    assert len(result.said) <= 256 * 1024 and turn.log.stat().st_size < 5 << 20


async def test_an_agent_that_does_not_read_its_prompt_has_ended_all_the_same(
    tmp_path: Path,
) -> None:
    turn = replace(a_cli_turn(tmp_path), prompt="p" * (1 << 20))
    result = await play(turn, an_agent("os.close(0)\nused(40)"))
    assert result.ended and result.spent.tokens == 40


async def test_an_agent_that_says_no_more_is_waited_for(tmp_path: Path) -> None:
    late = "used(40)\nos.close(1)\nopen('late', 'w').close()\nos._exit(0)"
    turn = a_cli_turn(tmp_path)
    result = await play(turn, an_agent(late))
    assert result.ended and (turn.workspace / "late").exists()


async def test_what_is_plain_text_after_all_is_its_words(tmp_path: Path) -> None:
    result = await play(a_cli_turn(tmp_path), an_agent("print('The plan')\nprint('is 1')"))
    assert (result.ended, result.said, result.spent) == (True, "The plan\nis 1", LOST_TURN)


ENDS = [
    (
        "say('result', is_error=True, result='API Error: 401 bad key')\nsys.exit(1)",
        "mine is not logged in: API Error: 401 bad key",
        None,
    ),
    (
        "say('result', is_error=True, result='Request rejected (429)')\nsys.exit(1)",
        "mine is to ask its vendor later: Request rejected (429)",
        Trouble.RATE_LIMITED,
    ),
    (
        "print('error: provider.rate_limit: 429\\nSee log', file=sys.stderr)\nsys.exit(1)",
        "mine ended in the middle of its turn, with exit code 1: error: provider.rate_limit: 429",
        Trouble.RATE_LIMITED,
    ),
    (
        "speak(text('I think of 429 errors'))\nprint('no memory', file=sys.stderr)\nsys.exit(3)",
        "mine ended in the middle of its turn, with exit code 3: no memory",
        None,
    ),
    (
        "os.kill(os.getpid(), 9)",
        "mine ended in the middle of its turn, with exit code -9",
        Trouble.KILLED,
    ),
]


@pytest.mark.parametrize(("script", "reason", "trouble"), ENDS)
async def test_why_it_failed_is_said_and_whether_it_may_be_tried_again(
    tmp_path: Path, script: str, reason: str, trouble: Trouble | None
) -> None:
    result = await play(a_cli_turn(tmp_path), an_agent(script))
    assert (result.ended, result.reason, result.trouble) == (False, reason, trouble)


@pytest.mark.parametrize("reads_only", [False, True])
async def test_who_only_looks_is_started_otherwise(tmp_path: Path, reads_only: bool) -> None:
    tells = "speak(text(' '.join([sys.argv[1], os.environ.get('MY_RULES', 'none')])))"
    agents = an_agent(tells, "claude", "works")
    mine = agents["mine"]
    looks = (*mine.argv[:-1], "looks")
    agent = replace(mine, looks=looks, looking=(("MY_RULES", "strict"),))
    turn = a_cli_turn(tmp_path, reads_only=reads_only)
    result = await play(turn, {"mine": agent})
    assert result.said == ("looks strict" if reads_only else "works none")


async def test_what_it_used_before_it_failed_counts(tmp_path: Path) -> None:
    result = await play(a_cli_turn(tmp_path), an_agent("step(1020)\nsys.exit(1)", "opencode"))
    assert not result.ended and result.spent.tokens == 1020 and result.spent.usd == Decimal("0.01")


HANGS = "step(1020)\ntime.sleep(86399)"


async def test_one_that_is_not_done_in_its_time_is_ended(tmp_path: Path) -> None:
    turn = a_cli_turn(tmp_path)
    turn = replace(turn, task=turn.task.changed(timeout=1))
    result = await play(turn, an_agent(HANGS, "opencode"))
    assert (result.ended, result.reason) == (False, "mine was stopped: it was not done after 1 s")
    assert find_agents(turn.workspace) == []


async def test_each_step_is_reported_at_once_and_cancelling_leaves_nothing(
    tmp_path: Path,
) -> None:
    reported: list[Spend] = []
    turn = a_cli_turn(tmp_path, report=reported.append)
    job = asyncio.ensure_future(play(turn, an_agent(HANGS, "opencode")))
    await asyncio.to_thread(wait_until, lambda: bool(reported))
    assert reported[0].tokens == 1020
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert find_agents(turn.workspace) == []


def test_who_says_what_is_known_before_it_is_started(tmp_path: Path) -> None:
    def find(task: GoalTask) -> Reports:
        return CliWorker(read_agents, tmp_path).find_reports(task)

    task = GoalTask(id="fix", title="Fix", worker="cli", agent="opencode")
    assert find(task) == Reports(tokens=Reporting.LIVE, usd=Reporting.LIVE)
    claude = task.changed(agent="claude")
    assert find(claude) == Reports(tokens=Reporting.TURN, usd=Reporting.TURN)
    assert find(task.changed(agent="codex")) == Reports(tokens=Reporting.TURN, usd=Reporting.NEVER)
    for nothing in (
        task.changed(agent="kimi"),
        task.changed(agent="nobody"),
        task.changed(agent="", command=("opencode", "run", "{prompt}")),
    ):
        assert find(nothing) == SAYS_NOTHING


def test_an_agent_of_ones_own_may_say_whose_events_it_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOALPROOF_CONFIG_DIR", str(tmp_path))
    mine = tmp_path / "agents.toml"
    argv = json.dumps([os.devnull, "{prompt}"])
    mine.write_text(f"[agent.mine]\nargv = {argv}\noutput = 'opencode'\n")
    assert read_agents()["mine"].ways["cli"].tokens is Reporting.LIVE
    mine.write_text(f"[agent.mine]\nargv = {argv}\n")
    assert read_agents()["mine"].ways["cli"].dialect == ""
    mine.write_text(f"[agent.mine]\nargv = {argv}\noutput = 'telepathy'\n")
    with pytest.raises(BadConfiguration, match=r"`agent\.mine\.output`.*kimi.*plain text without"):
        read_agents()
