"""The Agent Client Protocol, as six agents were captured to speak it: what each frame means to us."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from acp import schema
from hypothesis import given
from hypothesis import strategies as st

from goal_engine.permission import Action, Answer
from goal_engine.usage import Usage as ModelUsage
from goal_engine.workers.acp import (
    CALLS,
    Session,
    Tool,
    Usage,
    add_told,
    find_mode,
    make_cancel,
    make_initialize,
    make_new,
    make_prompt,
    read_error,
    read_greeting,
    read_request,
    read_session,
    read_stop,
)
from goal_engine.workers.peer import RemoteError
from goal_engine.workers.talking import ASKED, LONGEST, is_too_long
from goal_engine.workers.talking import PLACES as MOST_PLACES
from goal_engine.workers.told import Called, Ending, Noted, Spoken

CAPTURES = Path(__file__).parent / "acp"
AGENTS = ("claude", "codex", "gemini", "kimi", "opencode")
YES, NO = Answer(allowed=True), Answer(allowed=False)
COMMAND = "python3 -c 'import hello; print(hello.hello())' && git status --short"


def frames(name: str) -> list[dict[str, Any]]:
    """Return what an agent said in a capture, in order."""
    lines = map(json.loads, (CAPTURES / f"{name}.jsonl").read_text().splitlines())
    return [line["msg"] for line in lines if line["dir"] == "<"]


def results(name: str) -> list[Any]:
    return [frame["result"] for frame in frames(name) if "result" in frame]


def read(name: str) -> tuple[Session, list[Any], list[Any]]:
    """Return a session after a capture, what it told, and what it asked."""
    session, told, asked = Session(live=True), [], []
    for frame in frames(name):
        if "result" in frame:
            session.name = session.name or read_session(frame["result"])
            if "stopReason" in frame["result"]:
                session.usage.add_turn(frame["result"], read_greeting(results(name)[0]).name)
                session.aside = []
        elif frame.get("method") == "session/request_permission":
            call = frame["params"]["toolCall"]["toolCallId"]
            asked.append(read_request(frame["params"], session.find_tool(call)))
        elif "method" in frame:
            told += session.read(frame["method"], frame["params"])
    return session, told, asked


# What agents say of themselves


@pytest.mark.parametrize(
    ("agent", "name", "resumes", "loads", "login"),
    [
        ("claude", "Claude Agent", True, True, None),
        (
            "codex",
            "Codex",
            True,
            True,
            "Use an API key to authenticate or Use ChatGPT to authenticate",
        ),
        ("gemini", "Gemini CLI", False, True, None),
        ("kimi", "Kimi Code CLI", True, True, "`kimi login`"),
        ("opencode", "OpenCode", True, True, "Run `opencode auth login` in the terminal"),
    ],
)
def test_a_greeting_says_who_it_is_and_what_it_can(agent, name, resumes, loads, login):
    greeting = read_greeting(results(f"{agent}-edit")[0])
    assert (greeting.version, greeting.name) == (1, name)
    assert (greeting.resumes, greeting.loads) == (resumes, loads)
    assert login is None or greeting.login == login
    method = "session/resume" if resumes else "session/load"
    assert greeting.make_again("s", "/w")[0] == method


@pytest.mark.parametrize(
    ("agent", "wanted", "call", "has"),
    [
        ("claude", "default", ("session/set_mode", {"sessionId": "s", "modeId": "default"}), True),
        ("claude", "auto", None, True),
        ("codex", "agent", None, True),
        ("codex", "auto", None, False),
        ("gemini", "default", None, True),
        ("kimi", "plan", ("session/set_mode", {"sessionId": "s", "modeId": "plan"}), True),
        ("opencode", "build", None, True),
        (
            "opencode",
            "plan",
            ("session/set_config_option", {"sessionId": "s", "configId": "mode", "value": "plan"}),
            True,
        ),
    ],
)
def test_a_mode_is_set_where_the_agent_has_it_and_is_not_in_it(agent, wanted, call, has):
    mode = find_mode("s", results(f"{agent}-edit")[1], wanted)
    assert mode.call == call and (wanted in mode.modes) is has


def test_options_in_groups_are_options():
    option = {
        "id": "m",
        "category": "mode",
        "options": [{"options": [{"value": "a"}]}, {"value": "b"}],
    }
    assert find_mode("s", {"configOptions": [option]}, "a").call is not None
    assert find_mode("s", {"configOptions": [option]}, "c").modes == ("a", "b")


# What they tell


@pytest.mark.parametrize("agent", [agent for agent in AGENTS if agent != "codex"])
def test_words_and_calls_come_in_order_whatever_the_agent(agent):
    _, told, _ = read(f"{agent}-edit")
    kinds = "".join({Spoken: "s", Called: "c"}.get(type(one), "") for one in told)
    while "ss" in kinds:
        kinds = kinds.replace("ss", "s")
    assert kinds == "scscs"
    words = "".join(one.text for one in told if isinstance(one, Spoken))
    assert words == "I will write the file.Now I run a command.Done: hello.py written and checked."
    calls = [one.tool for one in told if isinstance(one, Called)]
    assert "hello.py" in calls[0] and COMMAND in calls[1]


def test_codex_tells_of_its_commands():
    _, told, asked = read("codex-edit")
    assert len([one for one in told if isinstance(one, Called)]) == 2 and asked == []


@pytest.mark.parametrize(
    ("agent", "tokens", "usd"),
    [
        (
            "claude",
            6423,
            "0.019644",
        ),  # with what it asked beside, of which only this says something
        ("codex", 3390, None),
        ("gemini", 3390, None),
        ("kimi", None, None),
        ("opencode", None, "0.00148"),  # its tokens are of the last step alone
    ],
)
def test_what_was_used_is_what_was_said_and_no_more(agent, tokens, usd):
    session, _, _ = read(f"{agent}-edit")
    assert session.usage.tokens == tokens
    assert session.usage.usd == (None if usd is None else Decimal(usd))


def test_tokens_are_told_apart_where_all_of_them_are_accounted_for():
    parts = {name: read(f"{name}-edit")[0].usage.parts for name in ("codex", "gemini", "claude")}
    assert parts["codex"] == (
        ModelUsage(model="stub-model", input=1300, cache_read=2000, output=90),
    )
    assert parts["gemini"] == (ModelUsage(model="gemini-2.5-pro", input=3300, output=90),)
    assert parts["claude"] == (
        ModelUsage(model="claude-opus-5-5", input=4326, cache_read=2000, output=97),
    )
    with_cached = {
        "totalTokens": 110,
        "inputTokens": 100,
        "cachedInputTokens": 40,
        "outputTokens": 10,
    }
    for count, told in (
        (with_cached, (ModelUsage(model="m", input=60, cache_read=40, output=10),)),
        ({**with_cached, "totalTokens": 111}, ()),
        ({**with_cached, "outputTokens": 1000}, ()),
        ({"inputTokens": "many", "outputTokens": 1}, ()),
    ):
        usage = Usage()
        models = [{"model": "m", "token_count": count}, {"model": 7, "token_count": {}}]
        usage.add_turn({"_meta": {"quota": {"model_usage": models}}}, "any")
        assert usage.parts == told


def test_each_step_of_qwen_is_added():
    session = Session(name="s", live=True)
    for step in (
        {"inputTokens": 1100, "outputTokens": 30, "cachedReadTokens": 1000},
        {"totalTokens": 5},
    ):
        update = {"sessionUpdate": "agent_message_chunk", "_meta": {"usage": step}}
        list(session.read("session/update", {"sessionId": "s", "update": update}))
    assert session.usage.tokens == 1135
    session.usage.add_turn({"stopReason": "end_turn"}, "Qwen Code")
    assert session.usage.tokens == 1135


def test_what_a_session_cost_before_is_not_what_the_turn_costs():
    usage = Usage()
    usage.forget_cost()
    usage.set_cost({"amount": 3, "currency": "USD"}, live=True)
    assert usage.usd is None
    usage.set_cost({"amount": 2, "currency": "USD"}, live=False)
    usage.set_cost({"amount": 2.5, "currency": "USD"}, live=True)
    usage.set_cost({"amount": 9, "currency": "EUR"}, live=True)
    assert usage.usd == Decimal("0.5")


@pytest.mark.parametrize("much", [10**400, float("inf"), float("nan"), 10**13, -1, True])
def test_a_figure_that_cannot_be_says_nothing(much: object) -> None:
    usage = Usage()
    usage.set_cost({"amount": much, "currency": "USD"}, live=True)
    count = {"totalTokens": much, "inputTokens": 1, "outputTokens": 1}
    model = {"model": "m", "token_count": count}
    usage.add_turn({"_meta": {"quota": {"model_usage": [model]}}}, "x")
    assert usage.usd is None
    assert usage.tokens == 2


def test_what_is_told_again_of_an_old_session_is_not_said_now():
    session = Session(name="s")
    update = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": "old"}}
    assert list(session.read("session/update", {"sessionId": "s", "update": update})) == []
    session.live = True
    assert list(session.read("session/update", {"sessionId": "other", "update": update})) == []
    assert list(session.read("session/update", {"sessionId": "s", "update": update})) == [
        Spoken("old")
    ]


def test_an_agent_that_changes_its_mode_is_seen_to():
    update = {"sessionUpdate": "current_mode_update", "currentModeId": "yolo"}
    told = Session(name="s").read("session/update", {"sessionId": "s", "update": update})
    assert list(told) == [Noted("its mode is now yolo")]


def test_calls_that_never_end_are_not_kept_for_ever():
    session = Session(name="s", live=True)
    for number in range(CALLS + 10):
        update = {"sessionUpdate": "tool_call", "toolCallId": f"c{number}", "title": "x"}
        list(session.read("session/update", {"sessionId": "s", "update": update}))
    assert len(session.tools) == CALLS


def test_of_a_call_no_more_is_kept_than_shows_that_it_is_too_much():
    tool = Tool()
    for number in range(50):
        places = [{"path": f"{number}-{place}"} for place in range(50)]
        raw = {"command": "x" * 1_000_000, "path": "y" * 1_000_000}
        tool = add_told(tool, {"rawInput": raw, "locations": places})
    assert len(tool.command) > ASKED and max(map(len, tool.paths)) > LONGEST
    assert len(tool.paths) > MOST_PLACES and sum(map(len, tool.paths)) < 100_000
    ask = read_request({"options": options(ONCE, REJECT), "toolCall": {}}, tool).ask
    assert is_too_long(ask)


# What they ask


@pytest.mark.parametrize(
    ("agent", "asks"),
    [
        ("claude", [(Action.EDIT, "", ("/w/repo/hello.py",)), (Action.EXECUTE, COMMAND, ())]),
        (
            "gemini",
            [
                (Action.EDIT, "", ("/w/repo/hello.py",)),
                (Action.EXECUTE, f"cd /w/repo && {COMMAND}", ()),
            ],
        ),
        ("kimi", [(Action.EXECUTE, f"cd /w/repo && {COMMAND}", ())]),
        (
            "opencode",
            [
                (Action.EDIT, "", ("/w/repo/hello.py",)),
                (Action.EXECUTE, f"cd /w/repo && {COMMAND}", ("/w/repo",)),
            ],
        ),
    ],
)
def test_an_ask_has_the_whole_command_and_the_files(agent, asks):
    _, _, asked = read(f"{agent}-edit")
    found = [(one.ask.action, one.ask.detail, one.ask.paths) for one in asked]
    assert found == asks and not any(one.unclear for one in asked)


@pytest.mark.parametrize(
    ("agent", "yes", "no"),
    [
        ("claude", "allow-once", "reject"),
        ("gemini", "proceed_once", "cancel"),
        ("kimi", "approve_once", "reject"),
        ("opencode", "once", "reject"),
    ],
)
def test_yes_is_once_and_no_is_no_and_the_end_is_neither(agent, yes, no):
    _, _, asked = read(f"{agent}-edit")
    for answer, picked in ((YES, yes), (NO, no)):
        told = asked[-1].answer(answer)
        assert told == {"outcome": {"outcome": "selected", "optionId": picked}}
        schema.RequestPermissionResponse.model_validate(told)
    assert asked[-1].answer(None) == {"outcome": {"outcome": "cancelled"}}


def options(*kinds: str) -> list[dict[str, str]]:
    return [{"optionId": f"{n}", "kind": kind, "name": f"N{n}"} for n, kind in enumerate(kinds)]


ONCE, ALWAYS, REJECT, NEVER = "allow_once", "allow_always", "reject_once", "reject_always"


@pytest.mark.parametrize(
    ("kinds", "picked"),
    [
        ((ONCE, REJECT), "0"),
        ((ALWAYS, ONCE, REJECT), "1"),
        ((ALWAYS, REJECT), "1"),  # nothing is allowed for longer than once
        ((ALWAYS, NEVER), "1"),
        ((ONCE, ONCE, ALWAYS, REJECT), "3"),  # nobody knows which is meant
        ((ALWAYS,), None),
        (("of another kind", REJECT), "1"),
        ((), None),
    ],
)
def test_a_yes_is_never_guessed(kinds, picked):
    request = read_request(
        {"options": options(*kinds), "toolCall": {"title": "x", "rawInput": {"command": "true"}}},
        Tool(),
    )
    outcome = request.answer(YES)["outcome"]
    assert outcome.get("optionId") == picked
    assert (outcome["outcome"] == "cancelled") is (picked is None)
    assert bool(request.unclear) is (kinds.count(ONCE) != 1)


QUESTION = {
    "options": [
        {"optionId": "a", "kind": ONCE, "name": "Postgres"},
        {"optionId": "b", "kind": ONCE, "name": "SQLite"},
        {"optionId": "no", "kind": REJECT, "name": "Skip"},
    ],
    "toolCall": {
        "title": "AskUserQuestion",
        "content": [{"type": "content", "content": {"type": "text", "text": "Which DB?"}}],
    },
}


@pytest.mark.parametrize(
    ("answer", "picked"),
    [
        (YES, None),
        (NO, None),
        (None, None),
        (Answer(allowed=True, by="person", reason=" sqlite "), "b"),
        (Answer(allowed=True, by="person", reason="Oracle"), None),
    ],
)
def test_a_question_in_the_guise_of_an_ask_has_no_answer_but_its_own(answer, picked):
    request = read_request(QUESTION, Tool())
    assert request.ask.action is Action.QUESTION
    assert request.ask.detail == "Which DB?"
    assert request.ask.choices == ("Postgres", "SQLite")
    assert request.answer(answer)["outcome"].get("optionId") == picked


@pytest.mark.parametrize(
    "call",
    [
        {"title": "Question for you"},
        {"title": "x", "rawInput": {"questions": [{"question": "Which?"}]}},
        {"title": "x", "_meta": {"qwenInteractionKind": "user_question"}},
    ],
)
def test_questions_have_several_guises(call):
    given = {"options": options(ONCE, REJECT), "toolCall": call}
    assert read_request(given, Tool()).ask.action is Action.QUESTION


def test_a_command_that_is_about_questions_is_no_question():
    call = {
        "title": "grep question notes",
        "kind": "execute",
        "rawInput": {"command": "grep question notes"},
    }
    ask = read_request({"options": options(ONCE, REJECT), "toolCall": call}, Tool()).ask
    assert (ask.action, ask.detail) == (Action.EXECUTE, "grep question notes")


def test_a_command_of_which_a_part_is_shown_is_not_allowed():
    call = {"title": "Running: rm -rf build && cp…", "kind": "execute"}
    request = read_request({"options": options(ONCE, REJECT), "toolCall": call}, Tool())
    assert request.unclear and request.answer(YES)["outcome"]["optionId"] == "1"


def test_a_command_is_one_whatever_the_agent_calls_it():
    call = {"title": "Look", "kind": "read", "rawInput": {"command": ["git", "push"]}}
    ask = read_request({"options": options(ONCE), "toolCall": call}, Tool()).ask
    assert (ask.action, ask.detail) == (Action.EXECUTE, "git push")


def test_what_an_ask_shows_replaces_no_input_that_was_streamed():
    text = json.dumps({"command": "git push", "description": "x"})
    tool = add_told(Tool(), {"content": [{"content": {"type": "text", "text": text}}]})
    shown = {"content": [{"content": {"type": "text", "text": '{"command": "true"}'}}]}
    assert add_told(tool, shown, asking=True).command == "git push"


# How it ends


@pytest.mark.parametrize(
    ("reason", "ending"),
    [
        ("end_turn", Ending.END_TURN),
        ("cancelled", Ending.CANCELLED),
        ("refusal", Ending.REFUSED),
        ("max_tokens", Ending.LIMIT),
        ("max_turn_requests", Ending.LIMIT),
        ("of another version", Ending.END_TURN),
        (None, Ending.END_TURN),
    ],
)
def test_how_a_prompt_ends(reason, ending):
    assert read_stop({"stopReason": reason}).ending is ending


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (RemoteError(-32000, "Authentication required"), Ending.AUTH_REQUIRED),
        (RemoteError(401, "x"), Ending.AUTH_REQUIRED),
        (
            RemoteError(-32603, "Internal error", {"details": "401 Unauthorized"}),
            Ending.AUTH_REQUIRED,
        ),
        (RemoteError(-32603, "APIError", {"statusCode": 429}), Ending.RATE_LIMITED),
        (RemoteError(429, "slow down"), Ending.RATE_LIMITED),
        (RemoteError(-32603, "Overloaded"), Ending.RATE_LIMITED),
        (RemoteError(-32603, "Internal error"), Ending.PROVIDER_ERROR),
        (RemoteError(-32600, "another turn is already in progress"), Ending.PROVIDER_ERROR),
    ],
)
def test_how_an_error_ends_it(error, ending):
    assert read_error(error).ending is ending


def test_who_is_not_logged_in_is_told_how():
    greeting = read_greeting(results("kimi-edit")[0])
    (error,) = [frame["error"] for frame in frames("codex-dead") if "error" in frame]
    over = read_error(RemoteError(error["code"], error["message"]), greeting.login)
    assert over.ending is Ending.AUTH_REQUIRED
    assert over.detail == "log in (`kimi login`) and `execute` the goal again"


# What is sent, held to the protocol's own schema


@pytest.mark.parametrize(
    ("call", "model"),
    [
        (make_initialize("1.2"), schema.InitializeRequest),
        (make_new("/w"), schema.NewSessionRequest),
        (make_prompt("s", "Fix it"), schema.PromptRequest),
        (make_cancel("s"), schema.CancelNotification),
        (read_greeting(results("kimi-edit")[0]).make_again("s", "/w"), schema.ResumeSessionRequest),
        (read_greeting(results("gemini-edit")[0]).make_again("s", "/w"), schema.LoadSessionRequest),
        (find_mode("s", results("kimi-edit")[1], "plan").call, schema.SetSessionModeRequest),
        (
            find_mode("s", results("opencode-edit")[1], "plan").call,
            schema.SetSessionConfigOptionSelectRequest,
        ),
    ],
)
def test_what_is_sent_is_what_the_schema_says(call, model):
    read = model.model_validate(call[1])
    assert read.model_dump(mode="json", by_alias=True, exclude_unset=True) == call[1]


# Anything may come

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
KEYS = (
    *(
        "sessionId",
        "update",
        "sessionUpdate",
        "toolCall",
        "toolCallId",
        "content",
        "rawInput",
        "text",
    ),
    *("options", "kind", "title", "locations", "path", "_meta", "usage", "quota", "model_usage"),
    *(
        "token_count",
        "cost",
        "amount",
        "currency",
        "modes",
        "availableModes",
        "configOptions",
        "id",
    ),
    *("authMethods", "terminal-auth", "command", "args", "agentCapabilities", "entries", "status"),
)
KINDS = (
    *("agent_message_chunk", "tool_call", "tool_call_update", "usage_update", "plan", "mode", "s"),
    *("current_mode_update", "failed", "completed", "USD"),
)
SHAPED = st.recursive(
    ANYTHING | st.sampled_from(KINDS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)
    ),
    max_leaves=20,
)


@given(SHAPED)
def test_nothing_that_comes_breaks_anything(sent):
    session = Session(name="s", live=True)
    given = sent if isinstance(sent, dict) else {}
    for kind in ("agent_message_chunk", "tool_call", "usage_update", "plan", "current_mode_update"):
        update = {**given, "sessionUpdate": kind}
        list(session.read("session/update", {"sessionId": "s", "update": update}))
    list(session.read("session/update", sent))
    read_greeting(sent)
    find_mode("s", sent, "m")
    read_request(sent, Tool()).answer(YES)
    session.usage.add_turn(sent, "x")
    session.usage.set_cost(sent, live=True)
    read_stop(sent), read_session(sent)
    read_error(RemoteError(1, "x", sent))


@pytest.mark.parametrize("asking", [True, False])
def test_of_a_tool_that_nobody_knows_all_of_its_input_is_asked(asking):
    given = {"table": "users", "query": "drop"}
    call = {"toolCallId": "c", "title": "db__run", "kind": "other"}
    tool = Tool()
    if asking:
        call["rawInput"] = given
    else:
        text = {"type": "text", "text": json.dumps(given)}
        tool = add_told(tool, {"content": [{"type": "content", "content": text}]})
    ask = read_request({"toolCall": call, "options": []}, tool).ask
    assert ask.action is Action.OTHER and json.loads(ask.detail) == given
