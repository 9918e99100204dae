"""Agents over ACP: as they were captured, and as they should not be."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
from acp import schema

from goal_engine.budget import SAYS_NOTHING, Reporting, SpendSource
from goal_engine.permission import Action, Answer
from goal_engine.task_graph.graph import GoalTask
from goal_engine.types import Trouble
from goal_engine.workers.acp_worker import DENIALS, AcpWorker
from goal_engine.workers.presets import PRESETS, Agent, Speaks
from goal_engine.workers.talking import IS_TOLD
from goal_engine.workers.telling import AGAIN, ANOTHERS, YOURS
from tests.integration.hostile import find_survivors
from tests.integration.test_talking import a_turn

CAPTURES = Path(__file__).parents[1] / "engine" / "acp"
PATIENCE = 60.0
REPLAYS = """
import json, sys
frames = [json.loads(line) for line in open(sys.argv[1])]
names, heard = {}, open("heard", "w")
for frame in frames:
    said = frame["msg"]
    if frame["dir"] == ">":
        line = sys.stdin.readline()
        heard.write(line)
        heard.flush()
        message = json.loads(line)
        assert message.get("method") == said.get("method"), (message, said)
        if "method" not in said:
            assert message["id"] == said["id"]
            if "outcome" in said["result"]:
                assert message["result"] == said["result"], message
        elif "id" in said:
            names[said["id"]] = message["id"]
    else:
        if "method" not in said:
            said = {**said, "id": names[said["id"]]}
        print(json.dumps(said), flush=True)
sys.stdin.read()
"""
SPEAKS = """
import json, os, sys, time

def say(**message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)

def told(*kinds):
    for line in sys.stdin:
        message = json.loads(line)
        if message.get("method") in kinds or not kinds:
            return message
    sys.exit()

def update(kind, **more):
    say(method="session/update", params={"sessionId": "s", "update": {"sessionUpdate": kind, **more}})

def words(text):
    update("agent_message_chunk", content={"type": "text", "text": text})

def greet(name="", **can):
    say(id=told("initialize")["id"], result={"protocolVersion": 1, "agentInfo": {"name": name}, "agentCapabilities": can})

def begin(**can):
    greet(**can)
    say(id=told("session/new")["id"], result={"sessionId": "s"})
    return told("session/prompt")["id"]

def end(name, reason="end_turn", **more):
    say(id=name, result={"stopReason": reason, **more})

def ask(**call):
    options = [{"optionId": "y", "kind": "allow_once", "name": "Yes"},
               {"optionId": "n", "kind": "reject_once", "name": "No"}]
    say(id="ask-1", method="session/request_permission",
        params={"sessionId": "s", "options": options, "toolCall": {"toolCallId": "c", **call}})
    return told()
"""


async def allow(_):
    return Answer(allowed=True)


def worker_of(*argv, preset=None, **more):
    speaks = Speaks(argv=(sys.executable, "-I", *argv), **more)
    agent = preset or Agent("mine", "Mine")
    agent = replace(agent, acp=speaks, argv=(), editions=())
    return AcpWorker(lambda: {agent.name: agent}, Path("/nowhere"))


async def run(tmp_path, script, *, ask=allow, mode="", reading="", **more):
    turn = a_turn(tmp_path, ask=ask, **more)
    turn = replace(turn, task=GoalTask(id="fix", title="Fix", worker="acp", agent="mine"))
    worker = worker_of("-c", SPEAKS + script, mode=mode, reading=reading, sessions=True)
    async with asyncio.timeout(PATIENCE):
        result = await worker.run(turn)
    assert find_survivors(turn.workspace) == []
    return result, turn.log.read_text()


MODELS = {
    "initialize": schema.InitializeRequest,
    "session/new": schema.NewSessionRequest,
    "session/prompt": schema.PromptRequest,
    "session/set_mode": schema.SetSessionModeRequest,
    "session/cancel": schema.CancelNotification,
}


def check_heard(path):
    """Each frame that the agent was sent is what the protocol's schema says."""
    heard = [json.loads(line) for line in path.read_text().splitlines()]
    for message in heard:
        if "method" in message:
            MODELS[message["method"]].model_validate(message["params"])
        elif "result" in message:
            schema.RequestPermissionResponse.model_validate(message["result"])
    return [message.get("method", "answer") for message in heard]


async def replay(tmp_path, name, turn_ends=None):
    preset = next(agent for agent in PRESETS if name.startswith(agent.name))
    turn = a_turn(tmp_path, ask=allow)
    task = GoalTask(id="fix", title="Fix", worker="acp", agent=preset.name)
    worker = worker_of(
        "-c",
        REPLAYS,
        str(CAPTURES / f"{name}.jsonl"),
        preset=preset,
        mode=preset.acp.mode,
        sessions=preset.acp.sessions,
        models=preset.acp.models,
    )
    job = asyncio.ensure_future(worker.run(replace(turn, task=task)))
    async with asyncio.timeout(PATIENCE):
        if turn_ends is not None:
            await turn_ends(turn)
            job.cancel()
        try:
            return await job, turn
        except asyncio.CancelledError:
            return None, turn


@pytest.mark.parametrize(
    ("agent", "answers", "tokens", "session", "usd"),
    [
        ("claude", 2, 6423, True, "told"),
        ("codex", 0, 3390, True, "estimated"),
        ("gemini", 2, 3390, False, "estimated"),
        ("kimi", 1, 3390, True, "unknown"),
        ("opencode", 3, None, True, "told"),
    ],
)
async def test_a_turn_of_each_agent_goes_as_it_was_captured(
    tmp_path, monkeypatch, agent, answers, tokens, session, usd
):
    monkeypatch.setenv("GOALPROOF_CONFIG_DIR", str(tmp_path))
    prices = '[model."stub-model"]\ninput = 4\ncache_read = 1\noutput = 20\n'
    (tmp_path / "prices.toml").write_text(prices)
    result, turn = await replay(tmp_path, f"{agent}-edit")
    assert result.ended, result.reason
    assert result.said.endswith("Done: hello.py written and checked.")
    assert result.spent.tokens == tokens and result.spent.turns == 1
    priced = {"codex": "prices.toml", "gemini": f"genai-prices {version('genai-prices')}"}
    assert result.spent.priced == priced.get(agent, "")
    assert (result.spent.usd is None) == (usd == "unknown")
    assert agent != "codex" or str(result.spent.usd) == "0.009000"
    assert bool(result.session) is session
    heard = check_heard(turn.workspace / "heard")
    modes = ["session/set_mode"] if agent == "claude" else []
    totals = ["session/prompt"] if agent == "kimi" else []
    assert heard == [
        *("initialize", "session/new", *modes, "session/prompt"),
        *["answer"] * answers,
        *totals,
    ]
    log = turn.log.read_text()
    assert "hello.py" in log and "asks to execute: " in log or agent == "codex"


async def test_an_agent_that_nobody_is_logged_in_to_says_how(tmp_path):
    result, _ = await replay(tmp_path, "codex-dead")
    assert not result.ended and result.trouble is None
    assert result.reason == (
        "codex is not logged in: log in (`codex login`) and `execute` the goal again"
    )


async def test_a_turn_that_is_cancelled_in_the_middle_of_a_tool_says_so_first(tmp_path):
    async def tool_runs(turn):
        while "allowed by policy" not in (turn.log.read_text() if turn.log.exists() else ""):  # noqa: ASYNC110 - another process tells nobody
            await asyncio.sleep(0.01)

    result, turn = await replay(tmp_path, "kimi-canceltool", tool_runs)
    assert result is None
    assert check_heard(turn.workspace / "heard")[-1] == "session/cancel"


# What agents should not do


async def test_stray_output_long_lines_and_unknown_kinds_end_nothing(tmp_path):
    script = """
print("(node:1) Warning: something"); print("[1, 2]"); print("7"); print("")
name = begin()
update("of_the_future", content=[1]); update("tool_call"); update(7)
say(method="_vendor/thing", params=[1]); say(id=99, result={}); say(id=[1], result=1)
update("tool_call_update", toolCallId="c", rawOutput="x" * 5_000_000)
say(id="fs-1", method="fs/write_text_file", params={"path": "/w/x", "content": "y"})
words(json.dumps(told()["error"]["code"]))
end(name, "of_the_future")
"""
    result, log = await run(tmp_path, script)
    assert result.ended and result.said == "-32601"
    assert "it also printed: (node:1) Warning: something" in log
    assert len(log) < 2000


async def test_what_it_used_may_come_after_its_answer(tmp_path):
    script = """
end(begin())
update("usage_update", used=1, size=2, cost={"amount": 0.25, "currency": "USD"})
sys.stdin.read()
"""
    result, log = await run(tmp_path, script)
    assert str(result.spent.usd) == "0.25" and result.spent.tokens is None
    assert result.spent.source is SpendSource.VENDOR_REPORTED and "0.25 USD" in log


async def test_a_launcher_that_dies_and_leaves_its_child_with_the_pipe_is_no_hang(tmp_path):
    script = """
name = begin()
if os.fork() == 0:
    os.setsid()
    time.sleep(600)
os._exit(3)
"""
    result, _ = await run(tmp_path, script)
    assert not result.ended and "with exit code 3" in result.reason


async def test_shells_in_sessions_of_their_own_do_not_outlive_it(tmp_path):
    script = """
name = begin()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
end(name)
"""
    result, _ = await run(tmp_path, script)
    assert result.ended


async def test_an_end_that_is_good_after_words_of_failure_is_for_the_gates(tmp_path):
    script = 'name = begin(); words("exceeded retry limit, last status: 429"); end(name)'
    result, _ = await run(tmp_path, script)
    assert result.ended and result.trouble is None and "429" in result.said


async def test_a_vendor_that_wants_to_be_asked_later_is_no_failure_of_the_task(tmp_path):
    script = 'say(id=begin(), error={"code": -32603, "message": "APIError", "data": {"s": 429}})'
    result, _ = await run(tmp_path, script)
    assert result.trouble is Trouble.RATE_LIMITED
    assert result.reason == 'mine is to ask its vendor later: APIError {"s": 429}'


async def test_an_agent_that_stops_at_its_limit_is_told_once_to_go_on(tmp_path):
    script = """
end(begin(), "max_turn_requests")
again = told("session/prompt")
words(again["params"]["prompt"][0]["text"])
end(again["id"], sys.argv[1] if len(sys.argv) > 1 else "end_turn")
"""
    result, _ = await run(tmp_path, script)
    assert result.ended and result.said.startswith("You stopped at a limit")
    assert result.spent.turns == 2
    result, _ = await run(tmp_path, script.replace('"end_turn"', '"max_tokens"'))
    assert result.reason == "mine stopped at a limit of its own: max_tokens"


@pytest.mark.parametrize(
    ("greeting", "why"),
    [
        ({"protocolVersion": 2}, "it speaks version 2 of the Agent Client Protocol, not 1"),
        ({}, "it speaks no version of the Agent Client Protocol, not 1"),
    ],
)
async def test_an_agent_of_another_protocol_is_not_talked_to(tmp_path, greeting, why):
    script = f'say(id=told("initialize")["id"], result={greeting!r}); told()'
    result, _ = await run(tmp_path, script)
    assert result.reason == f"mine had an error of its vendor: {why}" and result.spent.turns == 0


async def test_an_agent_without_a_session_gets_no_prompt(tmp_path):
    script = 'greet(); say(id=told("session/new")["id"], result={"sessionId": 7}); told()'
    result, _ = await run(tmp_path, script)
    assert result.reason == "mine had an error of its vendor: it opened no session"


async def test_an_agent_that_says_its_total_when_asked_is_asked_before_and_after(tmp_path):
    script = """
greet("Kimi Code CLI", sessionCapabilities={"resume": {}})
opening = told("session/resume")
update("available_commands_update", availableCommands=[{"name": "usage"}])
say(id=opening["id"], result={})
for total in ("1,000 input, 5 output", None, "1,200 input, 10 output"):
    prompt = told("session/prompt")
    text = prompt["params"]["prompt"][0]["text"]
    assert (text == "/usage") is bool(total), text
    words(f"Session total: {total}" if total else "Done")
    end(prompt["id"])
"""
    result, log = await run(tmp_path, script, session="s")
    assert result.ended, log
    assert result.said == "Done" and result.spent.tokens == 205 and result.spent.turns == 1
    assert "Session total" not in log


# Sessions


LOADS = """
greet(loadSession=True, sessionCapabilities=CAN)
again = told("session/load", "session/resume")
words("old words"); update("usage_update", cost={"amount": 5, "currency": "USD"})
say(id=again["id"], result={})
prompt = told("session/prompt")
words(again["method"] + " " + again["params"]["sessionId"] + " " + prompt["params"]["sessionId"])
words(" " + prompt["params"]["prompt"][0]["text"])
update("usage_update", cost={"amount": 6, "currency": "USD"})
end(prompt["id"], usage={"totalTokens": 3})
"""


@pytest.mark.parametrize(("can", "method"), [("{'resume': {}}", "resume"), ("{}", "load")])
async def test_an_earlier_session_goes_on_and_what_was_said_then_is_not_said_now(
    tmp_path, can, method
):
    result, log = await run(tmp_path, LOADS.replace("CAN", can), session="s")
    assert result.ended, result.reason
    assert result.said.startswith(f"session/{method} s s") and result.session == "s"
    assert AGAIN.strip() in result.said and "its session goes on\n" in log
    assert result.spent.usd == 1 and result.spent.tokens == 3


async def test_an_agent_that_breaks_off_and_forgot_its_session_is_not_told_that_it_was_there(
    tmp_path,
):
    script = BREAKS_OFF.replace("FINALLY", 'end(prompt["id"])').replace(
        'opening = told("session/new", "session/resume")',
        """opening = told("session/new", "session/resume")
if opening["method"] == "session/resume":
    say(id=opening["id"], error={"code": -32602, "message": "no such session"})
    opening = told("session/new")""",
    )
    result, log = await run(tmp_path, script)
    assert result.ended, result.reason
    assert "its earlier session is gone: no such session" in log
    assert ANOTHERS in result.said and YOURS not in result.said and "Fix it" in result.said


async def test_who_is_in_a_session_of_an_earlier_turn_and_breaks_off_finds_its_files(tmp_path):
    script = BREAKS_OFF.replace("FINALLY", 'end(prompt["id"])')
    result, _ = await run(tmp_path, script, session="s")
    assert YOURS in result.said and AGAIN.strip() not in result.said, result.said


BREAKS_OFF = """
again = os.path.exists("begun")
open("begun", "w").close()
greet(sessionCapabilities={"resume": {}})
opening = told("session/new", "session/resume")
say(id=opening["id"], result={"sessionId": "s"})
prompt = told("session/prompt")
update("usage_update", cost={"amount": 2, "currency": "USD"})
if not again:
    sys.exit("out of memory")
words(opening["method"] + " " + prompt["params"]["sessionId"] + ": " + prompt["params"]["prompt"][0]["text"])
FINALLY
"""


async def test_an_agent_that_breaks_off_goes_on_in_its_session_once(tmp_path):
    script = BREAKS_OFF.replace("FINALLY", 'end(prompt["id"])')
    result, log = await run(tmp_path, script)
    assert result.ended, result.reason
    assert result.said.startswith(
        "session/resume s: You were at work on this when your process ended"
    )
    assert "Fix it" in result.said and result.spent.turns == 2
    assert "out of memory" in log and "end_turn" in log and "its process broke off" in log
    assert (
        result.spent.usd is None
    )  # what the session cost before is not known by the second process


async def test_an_agent_that_breaks_off_again_is_not_begun_a_third_time(tmp_path):
    result, log = await run(tmp_path, BREAKS_OFF.replace("FINALLY", 'sys.exit("no luck")'))
    assert not result.ended and result.reason.endswith("with exit code 1: no luck")
    assert log.count("out of memory") == 1


async def test_a_session_that_is_gone_is_begun_anew(tmp_path):
    script = """
greet(sessionCapabilities={"resume": {}})
say(id=told("session/resume")["id"], error={"code": -32601, "message": "not found"})
say(id=told("session/new")["id"], result={"sessionId": "s"})
prompt = told("session/prompt")
words(prompt["params"]["prompt"][0]["text"])
end(prompt["id"])
"""
    result, log = await run(tmp_path, script, session="old")
    assert result.ended and result.session == "s"
    assert "its earlier session is gone: not found" in log
    assert "Fix it" in result.said and AGAIN.strip() not in result.said


async def test_an_agent_that_keeps_no_session_has_none_to_go_on_with(tmp_path):
    result, log = await run(tmp_path, "end(begin())", session="old")
    assert result.ended and result.session == ""
    assert "its earlier session is gone: it keeps none" in log


# Words in the last moment


KEEPS = """
greet(sessionCapabilities={"resume": {}})
opening = told("session/new", "session/resume")
say(id=opening["id"], RESUMED)
if opening["method"] == "session/resume" and "error" in RESUMES:
    opening = told("session/new")
    say(id=opening["id"], result={"sessionId": "s"})
while True:
    prompt = told("session/prompt")
    with open("prompts", "a") as file:
        text = prompt["params"]["prompt"][0]["text"]
        file.write(json.dumps([os.getpid(), opening["method"], text]) + "\\n")
    update("usage_update", cost={"amount": 2, "currency": "USD"})
    end(prompt["id"], usage={"totalTokens": 3})
"""
OPENS = (
    """**(RESUMES if opening["method"] == "session/resume" else {"result": {"sessionId": "s"}})"""
)
WORD = "mind the tests"


def speak_at(look, words):
    """Return what catches up: at the look of that number, the person has just said something."""
    looks = []

    async def catch_up():
        looks.append(1)
        if len(looks) == look:
            words.put_nowait(WORD)

    return catch_up


@pytest.mark.parametrize(
    ("look", "resumes", "processes", "again"),
    [
        (1, {"result": {}}, 1, None),
        (2, {"result": {}}, 1, "## What the person says"),
        (3, {"result": {}}, 2, "## What the person says"),
        (3, {"error": {"code": -32602, "message": "gone"}}, 2, ANOTHERS),
    ],
)
async def test_a_word_in_the_last_moment_is_told_in_the_same_turn(
    tmp_path, look, resumes, processes, again
):
    script = f"RESUMES = {resumes!r}\n" + KEEPS.replace("RESUMED", OPENS)
    words = asyncio.Queue()
    result, log = await run(tmp_path, script, words=words, catch_up=speak_at(look, words))
    assert result.ended, result.reason
    lines = (tmp_path / "workspace" / "prompts").read_text().splitlines()
    prompts = [json.loads(line) for line in lines]
    assert len({process for process, _, _ in prompts}) == processes
    assert [WORD in text for _, _, text in prompts] == [
        again is None,
        *[True] * (again is not None),
    ]
    assert again is None or prompts[1][2].startswith(again)
    assert ("Fix it" in prompts[-1][2]) is (again in (None, ANOTHERS))
    assert result.spent.turns == len(prompts) and f"the person says: {WORD}" in log
    assert (IS_TOLD in log) is (processes == 2)


async def test_who_keeps_no_session_is_not_begun_again_for_a_word(tmp_path):
    words = asyncio.Queue()
    script = 'open("begun", "a").write("x"); end(begin()); told()'
    result, _ = await run(tmp_path, script, words=words, catch_up=speak_at(3, words))
    assert result.ended, result.reason
    assert (tmp_path / "workspace" / "begun").read_text() == "x"


async def test_a_session_that_goes_on_and_is_not_there_when_it_is_prompted_is_begun_anew(tmp_path):
    script = """
greet(loadSession=True)
say(id=told("session/load")["id"], result={})
lost = {"code": -32603, "message": "Internal error", "data": {"details": "thread not found: old"}}
say(id=told("session/prompt")["id"], error=lost)
say(id=told("session/new")["id"], result={"sessionId": "s"})
message = told("session/prompt")
words(message["params"]["sessionId"] + message["params"]["prompt"][0]["text"])
end(message["id"])
"""
    words = asyncio.Queue()
    words.put_nowait("Use plus")
    result, log = await run(tmp_path, script, session="old", words=words)
    assert result.ended and result.session == "s"
    assert "its earlier session is gone: Internal error" in log
    assert result.said.startswith("s") and "Use plus" in result.said


async def test_another_error_in_an_earlier_session_is_no_reason_to_begin_anew(tmp_path):
    script = """
greet(loadSession=True)
say(id=told("session/load")["id"], result={})
say(id=told("session/prompt")["id"], error={"code": -32603, "message": "model not found"})
told()
"""
    result, log = await run(tmp_path, script, session="old")
    assert not result.ended and "model not found" in result.reason
    assert "begins" not in log and "is gone" not in log


# Modes


MODES = """
greet()
modes = {"currentModeId": "auto", "availableModes": [{"id": "auto"}, {"id": "default"}, {"id": "plan"}]}
say(id=told("session/new")["id"], result={"sessionId": "s", "modes": modes})
message = told()
if message["method"] == "session/set_mode":
    words(message["params"]["modeId"])
    say(id=message["id"], **SET)
    message = told()
words("prompted")
end(message["id"])
"""


@pytest.mark.parametrize(
    ("more", "answer", "said"),
    [
        ({"mode": "default"}, "result={}", ", mode default"),
        ({"mode": "auto"}, "result={}", ", mode auto"),
        ({"mode": "default", "reading": "plan", "reads_only": True}, "result={}", ", mode plan"),
        ({"mode": "sly"}, "result={}", ", without mode sly; it has auto, default, plan"),
        (
            {"mode": "default"},
            'error={"code": 1, "message": "no"}',
            ", without mode default: no (1)",
        ),
    ],
)
async def test_the_mode_is_set_in_every_session(tmp_path, more, answer, said):
    result, log = await run(tmp_path, MODES.replace("**SET", answer), **more)
    assert result.ended, result.reason
    assert f"the agent{said}" in log


# Asks


ASKS = """
name = begin()
answer = ask(title="Bash", kind="execute", rawInput={"command": "git push"})
words(answer["id"] + " " + json.dumps(answer["result"]["outcome"]))
end(name)
"""


async def test_what_it_asks_is_the_turns_to_answer(tmp_path):
    asked = []

    async def deny(ask):
        asked.append(ask)
        return Answer(allowed=False, reason="not here")

    result, log = await run(tmp_path, ASKS, ask=deny)
    assert result.said == 'ask-1 {"outcome": "selected", "optionId": "n"}'
    assert [(one.action, one.detail) for one in asked] == [(Action.EXECUTE, "git push")]
    assert "asks to execute: git push\ndenied by policy: not here\n" in log
    result, _ = await run(tmp_path, ASKS)
    assert result.said == 'ask-1 {"outcome": "selected", "optionId": "y"}'


async def test_what_it_takes_back_is_asked_no_more(tmp_path):
    dropped, asked = [], tmp_path / "asked"

    async def wait(_):
        asked.touch()
        try:
            await asyncio.Event().wait()
        finally:
            dropped.append(True)

    script = f"""
import pathlib, time
name = begin()
say(method="$/cancel_request", params={{"requestId": "ask-1"}})
say(method="$/cancel_request", params=None)
hear = told
def told():
    while not pathlib.Path({str(asked)!r}).exists():
        time.sleep(0.01)
    say(method="$/cancel_request", params={{"requestId": "ask-1"}})
    return hear()
answer = ask(title="Bash", kind="execute", rawInput={{"command": "git push"}})
words(f"{{answer['id']}} {{answer['error']['code']}}")
end(name)
"""
    result, _ = await run(tmp_path, script, ask=wait)
    assert result.said == "ask-1 -32800" and dropped == [True]


STOPS = """
name = begin()
for at in range(int(TIMES)):
    ask(title="Bash", kind="execute", rawInput={"command": "git push"})
    update("tool_call_update", toolCallId="c", status="failed", title="Bash")
    AFTER
    end(name)
    name = told("session/prompt", None)
    if name.get("method") != "session/prompt":
        sys.exit()
    words(name["params"]["prompt"][0]["text"])
    name = name["id"]
update("tool_call", toolCallId="d", status="completed", title="Edit", rawInput={"path": "a"})
end(name)
told()
"""


async def test_an_agent_that_ends_its_turn_at_a_denial_is_told_to_go_on_without_it(tmp_path):
    async def deny(_):
        return Answer(allowed=False, reason="not here")

    script = STOPS.replace("TIMES", "2").replace("AFTER", "")
    result, log = await run(tmp_path, script, ask=deny)
    assert result.ended and log.count("it stopped at what was denied, and is told to go on") == 2
    assert "Not done, it was denied: Bash: git push: not here. Go on without it" in log
    assert "calls Edit" in log


async def test_an_agent_that_says_something_to_a_denial_ends_its_turn(tmp_path):
    async def deny(_):
        return Answer(allowed=False, reason="not here")

    script = STOPS.replace("TIMES", "1").replace("AFTER", 'words("So I leave it.")')
    result, log = await run(tmp_path, script, ask=deny)
    assert result.ended and result.said == "So I leave it." and "told to go on" not in log


async def test_an_agent_that_is_denied_again_and_again_is_not_told_for_ever(tmp_path):
    async def deny(_):
        return Answer(allowed=False)

    script = STOPS.replace("TIMES", "100").replace("AFTER", "")
    result, log = await run(tmp_path, script, ask=deny)
    assert result.ended and log.count("is told to go on") == DENIALS


async def test_a_question_that_nobody_answers_is_what_the_turn_ended_for(tmp_path):
    script = """
name = begin()
answer = ask(title="AskUserQuestion", rawInput={"questions": []},
             content=[{"type": "content", "content": {"type": "text", "text": "Which DB?"}}])
end(name, answer["result"]["outcome"]["outcome"])
"""
    result, _ = await run(tmp_path, script)
    assert result.reason == ("mine stopped by itself: nobody answered its question: Which DB?")


@pytest.mark.parametrize(
    ("call", "answer", "outcome", "said"),
    [
        (
            'title="AskUserQuestion", rawInput={"questions": []}',
            Answer(allowed=True, by="person", reason="Use Oracle"),
            "cancelled",
            "To what you asked (AskUserQuestion (Yes)): Use Oracle",
        ),
        (
            'title="Bash", rawInput={"command": "make"}',
            Answer(allowed=False, by="person", reason="Use tox"),
            "end_turn",
            "To what you asked (Bash: make): Use tox",
        ),
    ],
)
async def test_what_a_person_answers_and_no_option_says_is_the_next_prompt(
    tmp_path, call, answer, outcome, said
):
    script = f"""
name = begin()
ask({call})
end(name, "{outcome}")
again = told("session/prompt")
words(again["params"]["prompt"][0]["text"])
end(again["id"])
"""

    async def by_person(_):
        return answer

    result, _ = await run(tmp_path, script, ask=by_person)
    assert result.ended and said in result.said


@pytest.mark.parametrize(("kind", "picked"), [("edit", "n"), ("read", "y")])
async def test_a_turn_that_only_reads_allows_no_edit(tmp_path, kind, picked):
    script = ASKS.replace(
        'title="Bash", kind="execute", rawInput={"command": "git push"}',
        f'title="x", kind="{kind}", rawInput={{"path": "x"}}',
    )
    result, _ = await run(tmp_path, script, reads_only=True)
    assert f'"optionId": "{picked}"' in result.said


# Before anything runs


async def test_an_agent_that_is_not_here_is_named(tmp_path):
    turn = a_turn(tmp_path)
    turn = replace(turn, task=GoalTask(id="fix", title="Fix", worker="acp", agent="mine"))
    agent = Agent("mine", "Mine", acp=Speaks(argv=("no-such-agent",), install="get it"))
    result = await AcpWorker(lambda: {"mine": agent}, tmp_path).run(turn)
    assert not result.ended and "no-such-agent was not found on PATH" in result.reason
    result = await AcpWorker(lambda: {"mine": replace(agent, acp=None, argv=("x",))}, tmp_path).run(
        turn
    )
    assert not result.ended and "acp" in result.reason


def test_what_it_reports_is_its_agents():
    worker = AcpWorker(lambda: {agent.name: agent for agent in PRESETS}, Path("/nowhere"))

    def find(name):
        return worker.find_reports(GoalTask(id="a", title="A", worker="acp", agent=name))

    assert find("qwen").tokens is Reporting.LIVE and find("opencode").usd is Reporting.LIVE
    assert find("codex").usd is Reporting.TURN, "dollars can be estimated of what it tells"
    assert find("kimi").usd is Reporting.NEVER
    assert find("nobody") == SAYS_NOTHING


async def test_what_the_person_says_is_part_of_the_prompt_or_the_next_one(tmp_path):
    words = asyncio.Queue()
    words.put_nowait("mind the tests")

    async def ask(_):
        words.put_nowait("/yolo")
        return Answer(allowed=True)

    result, log = await run(
        tmp_path,
        """
greet()
say(id=told("session/new")["id"], result={"sessionId": "s"})
prompts = [told("session/prompt")]
ask(toolCallId="c", title="db__drop", kind="other", rawInput={"table": "users"})
words("the first")
end(prompts[0]["id"])
prompts.append(told("session/prompt"))
words(json.dumps([one["params"]["prompt"][0]["text"] for one in prompts]))
end(prompts[1]["id"])
told()
""",
        ask=ask,
        words=words,
    )
    assert result.ended, result.reason
    first, again = json.loads(result.said)
    assert "mind the tests" in first and "/yolo" not in first
    assert "/yolo" in again and again.startswith("## ")  # no command of the agent's
    assert result.spent.turns == 2
    assert "the person says: mind the tests" in log
    assert log.startswith("the agent\n") and "asks to use db__drop: " in log
