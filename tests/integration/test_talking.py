"""A turn with an agent that is talked to, whichever protocol it speaks."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from decimal import Decimal

import pytest

from goal_engine.budget import SpendSource
from goal_engine.permission import Action, Answer, Ask
from goal_engine.ports import WorkerTurn
from goal_engine.redaction import Redactor
from goal_engine.runtime.environment import Environment
from goal_engine.runtime.rerooting import Rerooting
from goal_engine.task_graph.graph import GoalTask
from goal_engine.types import Trouble
from goal_engine.workers import talking
from goal_engine.workers.commands import AgentCommand
from goal_engine.workers.peer import METHOD_NOT_FOUND, RemoteError
from goal_engine.workers.talking import ASKED, run_talk, tidy
from goal_engine.workers.told import Called, Ending, Noted, Over, Spoken

PATIENCE = 60.0
SECRET = "s3cr3t-word-of-the-person"
AGENT = """
import json, sys, time

def say(**message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)

def told(*kinds):
    for line in sys.stdin:
        message = json.loads(line)
        if message.get("method") in kinds or not kinds:
            return message

print("stray", flush=True)
"""


def a_turn(tmp_path, **more):
    async def nothing(*_):
        raise AssertionError

    workspace = tmp_path / "workspace"
    workspace.mkdir(exist_ok=True)
    return WorkerTurn(
        task=GoalTask(id="fix", title="Fix", worker="manual"),
        workspace=workspace,
        environment=Environment(
            kind="none",
            python=None,
            version="",
            variables={},
            notes=(),
            key="",
            exclude=(),
            rerooting=Rerooting(tmp_path, workspace, tmp_path),
        ),
        gates=(),
        log=tmp_path / "turn.log",
        goal="Fix it",
        criteria=(),
        findings=(),
        read=nothing,
        record=nothing,
        redactor=Redactor.of([SECRET]),
        **more,
    )


def talk_with(turn, script, converse):
    argv = (sys.executable, "-I", "-c", AGENT + script)
    return run_talk(turn, AgentCommand("mine", argv, {}), converse)


GOOD = Over(Ending.END_TURN)


def conversing(handle=None, *, over=GOOD):
    """Return a conversation: a greeting and a prompt."""

    async def converse(conversation):
        async def handle_request(method, params):
            if handle is None:
                raise RemoteError(METHOD_NOT_FOUND, method)
            return await handle(conversation, params)

        def handle_notification(method, params):
            match params:
                case {"text": text}:
                    conversation.take(Spoken(text))
                case {"tool": tool}:
                    conversation.take(Called(tool))
                case {"note": text}:
                    conversation.take(Noted(text))
                case {"tokens": tokens}:
                    conversation.spend(tokens=tokens, usd=Decimal("0.5"))

        async with conversation.connect(handle_request, handle_notification) as peer:
            await conversation.start(peer.request("hello"))
            await conversation.prompt(peer.request("prompt"), lambda: peer.notify("cancel"))
        return over

    return converse


WORKS = """
print("an error", file=sys.stderr, flush=True)
say(id=told("hello")["id"], result={})
prompt = told("prompt")
for piece in ("I ", "begin", "\\n", "a SECRET here"):
    say(method="u", params={"text": piece})
say(method="u", params={"tool": "Write"})
say(method="u", params={"tokens": 7})
say(method="u", params={"text": "Done: SECRET\\n"})
say(id=prompt["id"], result={})
""".replace("SECRET", SECRET)


async def test_a_turn_is_written_down_as_it_goes_and_has_no_secret(tmp_path):
    reported = []
    turn = a_turn(tmp_path, report=reported.append)
    result = await talk_with(turn, WORKS, conversing())
    assert result.ended and result.reason == "" and result.trouble is None
    assert result.said == "Done: [secret]"
    assert (result.spent.tokens, result.spent.usd, result.spent.turns) == (7, Decimal("0.5"), 1)
    assert result.spent.source is SpendSource.VENDOR_REPORTED and reported == [result.spent]
    log = turn.log.read_text().splitlines()
    ours = [line for line in log if line != "an error"]  # which comes when it comes
    assert len(ours) == len(log) - 1 and "it also printed: stray" in ours
    assert ours[-1] == "end_turn (1 call of tools, 7 tokens, 0.5 USD)"
    assert [line for line in log if line.startswith(("  ", "calls"))] == [
        "  I begin",
        "  a [secret] here",
        "calls Write",
        "  Done: [secret]",
    ]
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["turn.log"]


@pytest.mark.parametrize(
    ("over", "reason", "trouble"),
    [
        (Over(Ending.LIMIT, "max_tokens"), "mine stopped at a limit of its own: max_tokens", None),
        (Over(Ending.REFUSED), "mine refused to go on", None),
        (Over(Ending.AUTH_REQUIRED, f"a\n{SECRET}"), "mine is not logged in: a [secret]", None),
        (
            Over(Ending.RATE_LIMITED, "x" * 999),
            f"mine is to ask its vendor later: {'x' * 300}",
            Trouble.RATE_LIMITED,
        ),
    ],
)
async def test_an_end_that_is_no_good_one_says_why(tmp_path, over, reason, trouble):
    result = await talk_with(a_turn(tmp_path), WORKS, conversing(over=over))
    assert not result.ended and result.reason == reason and result.trouble is trouble
    assert result.spent.tokens == 7


@pytest.mark.parametrize(
    ("script", "reason", "trouble", "turns"),
    [
        (
            'print("no longer maintained")',
            "mine ended in the middle of its turn, with exit code 0: no longer maintained",
            None,
            0,
        ),
        (
            'say(id=told()["id"], result={}); told(); sys.exit("it broke")',
            "mine ended in the middle of its turn, with exit code 1: it broke",
            None,
            1,
        ),
        (
            'say(id=told()["id"], result={}); told(); import os; os.kill(os.getpid(), 9)',
            "mine ended in the middle of its turn, with exit code -9: stray",
            Trouble.KILLED,
            1,
        ),
        (
            'print("429 too many requests", file=sys.stderr); sys.exit(1)',
            "mine ended in the middle of its turn, with exit code 1: 429 too many requests",
            Trouble.RATE_LIMITED,
            0,
        ),
    ],
)
async def test_an_agent_that_breaks_off_says_its_last_words(
    tmp_path, script, reason, trouble, turns
):
    result = await talk_with(a_turn(tmp_path), script, conversing())
    assert not result.ended and result.reason == reason and result.trouble is trouble
    assert result.spent.turns == turns
    assert result.spent.tokens == (None if turns else 0)


async def test_a_program_that_does_not_start_did_not_run(tmp_path):
    turn = a_turn(tmp_path)
    (turn.workspace / "agent").write_text("#!/nowhere/at/all\n")
    (turn.workspace / "agent").chmod(0o755)
    result = await run_talk(turn, AgentCommand("mine", ("./agent",), {}), conversing())
    assert result.reason.startswith("mine did not run: ./agent could not be started")
    assert result.trouble is Trouble.DID_NOT_RUN and result.spent.turns == 0


SILENT = 'say(id=told("hello")["id"], result={}); told("cancel"); say(id=2, result={}); told()'


@pytest.mark.parametrize(
    ("idle", "timeout", "why"),
    [(0.2, 600, "it said nothing for 0.2 s"), (600, 1, "it was not done after 1 s")],
)
async def test_an_agent_that_is_silent_or_slow_is_told_and_ended(
    tmp_path, monkeypatch, idle, timeout, why
):
    monkeypatch.setattr(talking, "IDLE", idle)
    turn = a_turn(tmp_path)
    turn = replace(turn, task=turn.task.model_copy(update={"timeout": timeout}))
    async with asyncio.timeout(PATIENCE):
        result = await talk_with(turn, SILENT, conversing())
    assert not result.ended and result.reason == f"mine was stopped: {why}"
    assert turn.log.read_text().splitlines()[-1].startswith(f"timeout: {why}")


async def test_an_agent_that_never_greets_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(talking, "START", 0.2)
    async with asyncio.timeout(PATIENCE):
        result = await talk_with(a_turn(tmp_path), "told('never')", conversing())
    assert result.reason == "mine was stopped: it was not done after 0.2 s"


ASKS = """
say(id=told("hello")["id"], result={})
prompt = told("prompt")
say(id="a-1", method="ask", params=None)
say(method="u", params={"text": json.dumps(told())})
say(id=prompt["id"], result={})
"""


async def ask_for(conversation, _):
    answer = await conversation.ask(
        Ask(tool="Bash", action=Action.EXECUTE, detail=f"echo {SECRET}")
    )
    return "nobody" if answer is None else answer.allowed


@pytest.mark.parametrize("allowed", [True, False])
async def test_what_it_asks_is_answered_by_the_turn_and_time_stands_still(tmp_path, allowed):
    asked, conversations = [], []

    async def ask_once(conversation, _):
        conversations.append(conversation)
        assert conversation.time_left is not None
        return await ask_for(conversation, _)

    async def ask(told):
        asked.append(told)
        assert conversations[0].time_left is None
        return Answer(allowed=allowed, by="person", reason="I looked")

    turn = a_turn(tmp_path, ask=ask)
    result = await talk_with(turn, ASKS, conversing(ask_once))
    assert result.ended, result.reason
    assert result.said == f'{{"jsonrpc": "2.0", "id": "a-1", "result": {str(allowed).lower()}}}'
    assert [one.detail for one in asked] == ["echo [secret]"]
    said = "allowed" if allowed else "denied"
    log = turn.log.read_text()
    assert f"asks to execute: echo [secret]\n{said} by person: I looked\n" in log


async def test_what_nobody_could_read_nobody_allows(tmp_path):
    async def ask_too_much(conversation, _):
        answer = await conversation.ask(
            Ask(tool="Bash", action=Action.EXECUTE, detail="x" * (ASKED + 1))
        )
        return answer.allowed

    async def allow(_):
        return Answer(allowed=True)

    result = await talk_with(a_turn(tmp_path, ask=allow), ASKS, conversing(ask_too_much))
    assert '"result": false' in result.said


CANCELLED = """
say(id=told("hello")["id"], result={})
prompt = told("prompt")
say(id="a-1", method="ask", params=None)
open("asked", "w").close()
with open("heard", "w") as file:
    for _ in range(2):
        file.write(sys.stdin.readline())
        file.flush()
say(id=prompt["id"], result={})
time.sleep(600)
"""


async def test_a_turn_that_is_cancelled_says_so_and_answers_nobody(tmp_path):
    begun = asyncio.Event()

    async def ask(_):
        begun.set()
        await asyncio.Event().wait()

    turn = a_turn(tmp_path, ask=ask)
    job = asyncio.ensure_future(talk_with(turn, CANCELLED, conversing(ask_for)))
    async with asyncio.timeout(PATIENCE):
        await begun.wait()
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
    heard = (turn.workspace / "heard").read_text()
    assert '"method": "cancel"' in heard and '"result": "nobody"' in heard


ENDS = ASKS.replace("json.dumps(told())", "'I wait for nobody.'") + "told()\n"


async def test_what_it_asks_is_asked_no_more_once_its_turn_is_over(tmp_path):
    dropped = []

    async def ask(_):
        try:
            await asyncio.Event().wait()
        finally:
            dropped.append(True)

    async with asyncio.timeout(PATIENCE):
        turn = a_turn(tmp_path, ask=ask)
        result = await talk_with(turn, ENDS, conversing(ask_for))
    assert result.ended and dropped == [True]


async def test_what_the_asker_raises_ends_the_turn(tmp_path):
    async def ask(_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await talk_with(a_turn(tmp_path, ask=ask), ASKS, conversing(ask_for))


def test_what_is_asked_is_plain_and_a_path_stays_another_path():
    ask = Ask(
        tool="a\x1b[31m", action=Action.EDIT, detail=f"x\x07{SECRET}\ny", paths=("/out\x00side/w",)
    )
    told = tidy(ask, Redactor.of([SECRET]).redact_text)
    assert told.detail == "x\ufffd[secret]\ny" and told.tool == "a\ufffd[31m"
    assert told.paths == ("/out\ufffdside/w",)


LOSES = """
say(id=told("hello")["id"], result={})
prompt = told("prompt")
import os, signal
guard = os.getppid()
with open(f"/proc/{guard}/stat") as stat:
    keeper = int(stat.read().rpartition(")")[2].split()[1])
os.kill(keeper, signal.SIGKILL)
os.kill(guard, signal.SIGKILL)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_what_is_used_by_an_agent_of_which_nobody_knows_the_end_is_unknown_not_nothing(
    tmp_path,
):
    async with asyncio.timeout(PATIENCE):
        result = await talk_with(a_turn(tmp_path), LOSES, conversing())
    assert not result.ended and result.trouble is Trouble.DID_NOT_RUN
    assert "nobody knows how it ended" in result.reason
    assert (result.spent.tokens, result.spent.turns) == (None, 1)


async def test_the_last_words_of_an_agent_have_no_half_of_a_secret(tmp_path):
    long = f'sys.exit("{SECRET}" + "z" * (4096 - 10))'
    result = await talk_with(a_turn(tmp_path), long, conversing())
    assert result.reason.startswith("mine ended in the middle of its turn, with exit code 1: ")
    assert SECRET[-9:] not in result.reason
