"""What Kimi CLI 1.51 said over its wire, as it was captured: what each frame means to us."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from goal_engine.permission import Action, Answer, Ask
from goal_engine.workers import wire
from goal_engine.workers.peer import RemoteError
from goal_engine.workers.told import Called, Ending, Noted, Over, Spoken, Told
from goal_engine.workers.wire import (
    LOG_IN,
    Past,
    Question,
    Request,
    Session,
    answer_questions,
    answer_request,
    find_other,
    find_unfit,
    is_same,
    make_initialize,
    read_error,
    read_prompt,
    read_request,
    read_status,
    read_tool,
)

CAPTURES = Path(__file__).parent / "wire"
YES, NO = Answer(allowed=True), Answer(allowed=False, reason="git push is never allowed")


def frames(name: str, direction: str = "<") -> Iterator[dict[str, Any]]:
    for line in (CAPTURES / f"{name}.jsonl").read_text().splitlines():
        frame = json.loads(line)
        if frame["dir"] == direction:
            yield frame["msg"]


def told(name: str, session: Session | None = None) -> list[Told]:
    session = session or Session()
    return [
        one
        for frame in frames(name)
        if "method" in frame
        for one in session.read(frame["method"], frame["params"])
    ]


def over(name: str) -> Over:
    last = [*frames(name)][-1]
    if "error" in last:
        return read_error(RemoteError(last["error"]["code"], last["error"]["message"]))
    return read_status(last["result"])


def requests(name: str) -> list[Request]:
    return [
        found
        for frame in frames(name)
        if frame.get("method") == "request" and (found := read_request(frame["params"]))
    ]


def event(kind: str, **payload: Any) -> dict[str, Any]:
    return {"type": kind, "payload": payload}


def test_a_turn_is_words_and_calls_of_tools():
    said = told("edit")
    assert "".join(one.text for one in said if isinstance(one, Spoken)) == (
        "I will write the file.Now I run a command.Done: hello.py written and checked."
    )
    assert [one.tool for one in said if isinstance(one, Called)] == ["WriteFile", "Shell"]
    assert not [one for one in said if isinstance(one, Noted)]


def test_what_a_tool_failed_with_is_told():
    rejected = "failed: The tool call is rejected by the user. User feedback: do not touch files"
    assert [one.text for one in told("reject") if isinstance(one, Noted)] == [rejected] * 2


def test_what_each_call_of_the_model_used_is_summed_with_what_came_from_the_cache():
    session = Session()
    told("edit", session)
    assert session.usage.tokens == 900 + 40 + 100 + 200 + 30 + 900 + 200 + 20 + 1000


def test_a_model_that_gave_something_and_did_not_say_what_it_used_is_unknown():
    session = Session()
    assert session.usage.whole == 0
    assert [*session.read("event", event("ContentPart", type="text", text="I "))]
    assert session.usage.whole is None
    usage = {"input_other": 1, "output": 4, "input_cache_read": 2, "input_cache_creation": 3}
    assert not [*session.read("event", event("StatusUpdate", token_usage=usage))]
    assert session.usage.tokens == session.usage.whole == 10


def test_a_model_that_did_not_answer_used_nothing():
    session = Session()
    told("dead", session)
    assert (session.usage.tokens, session.usage.whole) == (None, 0)


def test_what_an_agent_of_the_agent_used_counts_and_its_words_are_not_the_agents_own():
    session = Session()
    status = event("StatusUpdate", token_usage={"input_other": 5, "output": 2})
    inner = event("SubagentEvent", agent_id="a1", event=status)
    for one in (inner, event("SubagentEvent", event=inner)):
        assert not [*session.read("event", one)]
    assert session.usage.tokens == 14
    words = event("SubagentEvent", event=event("ContentPart", type="text", text="hm"))
    assert [*session.read("event", words)] == [Spoken("hm", thought=True)]


@pytest.mark.parametrize(
    ("capture", "ending"),
    [
        ("edit", Over(Ending.END_TURN)),
        ("canceltool", Over(Ending.CANCELLED)),
        ("maxsteps", Over(Ending.LIMIT, "3 steps, as its configuration says")),
        ("nollm", Over(Ending.AUTH_REQUIRED, f"it has no model; {LOG_IN}")),
    ],
)
def test_how_a_prompt_ended(capture, ending):
    assert over(capture) == ending


@pytest.mark.parametrize(
    ("code", "text", "ending"),
    [
        (-32003, "Error code: 401 - {'error': {}}", Ending.AUTH_REQUIRED),
        (-32004, 'Please run "/login" to sign in again.', Ending.AUTH_REQUIRED),
        (-32003, "Error code: 429 - {'error': {}}", Ending.RATE_LIMITED),
        (-32003, "Error code: 500 - {'error': {}}", Ending.PROVIDER_ERROR),
        (-32002, "LLM model x does not support image_in", Ending.PROVIDER_ERROR),
        (-32603, "RuntimeError: oh", Ending.PROVIDER_ERROR),
    ],
)
def test_how_a_prompt_failed(code, text, ending):
    found = read_error(RemoteError(code, text))
    assert found.ending is ending and text in found.detail
    assert ("kimi login" in found.detail) is (ending is Ending.AUTH_REQUIRED)


@pytest.mark.parametrize(
    ("noise", "why"),
    [
        ("kimi-cli is no longer maintained. Please", "from 1.52 on"),
        ("error: unknown option '--wire'", "no such option"),
        ("Error: No such option: --wire", "no such option"),
        ("Traceback: unknown option '--color'", ""),
        ("", ""),
    ],
)
def test_what_is_another_program_of_that_name(noise, why):
    assert why in find_other(noise) and bool(why) is bool(find_other(noise))


def test_approvals_say_the_whole_command_and_the_file():
    assert {request.kind for request in requests("edit")} == {"ApprovalRequest"}
    assert [request.ask for request in requests("edit")] == [
        Ask(tool="WriteFile", action=Action.EDIT, paths=("/w/repo/hello.py",)),
        Ask(
            tool="Shell",
            action=Action.EXECUTE,
            detail="cd /w/repo && python3 -c 'import hello; print(hello.hello())' && git status --short",
        ),
    ]


def test_a_hook_says_what_the_tool_is_given_and_the_approval_after_it_is_about_the_same():
    write, written, run, ran = requests("hooks")
    assert (write.kind, write.ask) == ("HookRequest", written.ask)
    assert (run.kind, run.ask) == ("HookRequest", ran.ask)
    assert write.call == written.call != run.call == ran.call
    assert write.ask and written.ask and run.ask and is_same(write.ask, written.ask, locate)
    assert not is_same(write.ask, run.ask, locate)
    assert not is_same(run.ask, run.ask.changed(detail="sudo reboot"), locate)


def locate(path: str) -> str:
    return posixpath.normpath(posixpath.join("/w/repo", path))


@pytest.mark.parametrize(
    ("asked", "now", "same"),
    [
        (("./hello.py",), ("/w/repo/hello.py",), True),
        (("a/../hello.py",), ("/w/repo/hello.py", "/w/repo/hello.py"), True),
        (("a/hello.py",), ("/w/repo/b/hello.py",), False),
        (("hello.py",), ("/w/hello.py",), False),
        (("hello.py",), ("/w/repo/hello.py", "/w/repo/b/hello.py"), False),
        (("hello.py",), (), True),
        ((), ("/w/repo/hello.py",), True),
    ],
)
def test_an_approval_is_of_the_same_file_where_both_name_one(asked, now, same):
    ask = Ask(tool="WriteFile", action=Action.EDIT, paths=asked)
    assert is_same(ask, ask.changed(paths=now), locate) is same
    assert is_same(ask.changed(paths=now), ask, locate) is same


@pytest.mark.parametrize(
    ("tool", "given", "ask"),
    [
        ("ReadFile", {"path": "/etc/passwd"}, (Action.READ, "", ("/etc/passwd",))),
        ("Grep", {"pattern": "key", "path": "~/.ssh"}, (Action.READ, "key", ("~/.ssh",))),
        ("FetchURL", {"url": "https://a.example"}, (Action.FETCH, "https://a.example", ())),
        ("mcp_tool", {"b": ["ü"]}, (Action.OTHER, '{"b": ["ü"]}', ())),
        ("Shell", {"command": 7}, (Action.EXECUTE, "7", ())),
        ("WriteFile", {"path": None}, (Action.EDIT, "", ())),
    ],
)
def test_what_a_tool_is_about(tool, given, ask):
    action, detail, paths = ask
    assert read_tool(tool, given) == Ask(tool=tool, action=action, detail=detail, paths=paths)


def test_tools_that_concern_the_agent_alone_ask_nobody():
    def hook(tool: str) -> Request | None:
        return read_request(event("HookRequest", id="h", input_data={"tool_name": tool}))

    assert [request.ask for tool in sorted(wire.INWARD) if (request := hook(tool))] == [None] * len(
        wire.INWARD
    )
    shell = hook("Shell")
    assert shell and shell.ask


@pytest.mark.parametrize(
    ("kind", "yes", "no"),
    [
        (
            "ApprovalRequest",
            {"response": "approve", "feedback": ""},
            {"response": "reject", "feedback": "Not allowed here: git push is never allowed"},
        ),
        (
            "HookRequest",
            {"action": "allow", "reason": ""},
            {"action": "block", "reason": "Not allowed here: git push is never allowed"},
        ),
        ("QuestionRequest", {"answers": {}}, {"answers": {}}),
    ],
)
def test_answers_are_once_and_questions_have_none(kind, yes, no):
    request = read_request(event(kind, id="r-1"))
    assert request
    assert answer_request(request, YES) == {"request_id": "r-1", **yes}
    assert answer_request(request, NO) == {"request_id": "r-1", **no}


def test_questions_are_asks_with_the_answers_that_they_offer():
    hook, request = requests("question")
    assert hook.ask and hook.ask.action is Action.QUESTION and hook.call == request.call
    assert [question.ask for question in request.questions] == [
        Ask(
            tool="AskUserQuestion",
            action=Action.QUESTION,
            detail="Which database?\nSQLite: one file\nPostgres: a server",
            choices=("SQLite", "Postgres"),
        ),
        Ask(
            tool="AskUserQuestion",
            action=Action.QUESTION,
            detail="Which checks run?\nLint\nTypes\nTests: slow\nAny of them, with commas in between.",
        ),
    ]
    said = {
        question.text: question.read(word)
        for question, word in zip(request.questions, ("postgres", "lint,Tests"), strict=True)
    }
    told = [frame["result"] for frame in frames("question", ">") if "result" in frame]
    assert answer_questions(request, said) == told[1]


@pytest.mark.parametrize(
    ("said", "several", "read"),
    [
        ("A, B", False, "A, B"),
        ("a, b", True, "A, b"),
        ("d, E", True, "D, E"),
        ("b,c", True, "b, C"),
        ("b", False, "b"),
        ("B", False, "B"),
        ("neither, because of it", False, "neither, because of it"),
        ("c, a new one", True, "C, a new one"),
        (" c\n", False, "C"),
    ],
)
def test_a_persons_word_is_an_option_where_it_is_meant(said, several, read):
    labels = ("A", "B", "b", "C", "D, E")
    ask = Ask(tool="AskUserQuestion", action=Action.QUESTION)
    assert Question("Which?", ask, labels, several).read(said) == read


@pytest.mark.parametrize("may_ask", [True, False])
def test_who_may_ask_nobody_is_told_so(may_ask):
    told = make_initialize("1.2", may_ask=may_ask)["capabilities"]
    assert told == {"supports_question": may_ask, "supports_plan_mode": False}


def test_every_tool_is_asked_about_and_the_agent_waits_for_the_answer():
    said = make_initialize("1.2", may_ask=True)
    [hook] = said["hooks"]
    assert (hook["event"], hook["matcher"]) == ("PreToolUse", "")
    assert hook["timeout"] >= 7 * 24 * 3600  # when it is over, kimi lets the tool through


@pytest.mark.parametrize(
    ("greeting", "unfit"),
    [
        ({"protocol_version": "1.10"}, False),
        ({"protocol_version": "1.5"}, False),
        ({"protocol_version": "2.0"}, True),
        ({"protocol_version": 1}, True),
        (None, True),
    ],
)
def test_only_the_first_version_is_spoken(greeting, unfit):
    assert bool(find_unfit(greeting)) is unfit


def test_what_was_said_meanwhile_is_heard():
    session = Session()
    told("steer", session)
    assert (session.turns, session.heard) == (1, 1)


def test_what_is_told_again_is_counted_and_of_its_words_the_last_are_kept():
    past, said = Past(), [*frames("resume")]
    end = next(at for at, frame in enumerate(said) if "events" in frame.get("result", {}))
    for frame in said[:end]:
        if "method" in frame:
            past.read(frame["method"], frame["params"])
    assert past.counted == "1 turn and 2 calls of tools before"
    assert past.said == "Done: hello.py written and checked."
    for text in ("x" * 9000, "y"):
        past.read("event", event("ContentPart", type="text", text=text))
    assert len(past.said) == wire.LAST and past.said.endswith("xy")


def test_which_prompt_was_taken_in():
    assert [
        found
        for frame in frames("edit")
        if (found := read_prompt(frame.get("method", ""), frame.get("params")))
    ] == ["[[scenario:edit]] [[cwd:/w/repo]] please do the task"]
    assert not any(read_prompt("event", params) for params in ODD)
    assert read_prompt("event", event("TurnBegin", user_input=[{"type": "text"}])) == ""


def test_a_model_that_is_asked_again_is_told_of():
    retry = event("StepRetry", n=1, next_attempt=2, max_attempts=3, error_type="E", status_code=429)
    assert [*Session().read("event", retry)] == [
        Noted("the model did not answer (E 429): attempt 2 of 3 comes")
    ]


ODD: list[Any] = [None, 7, "x", [], [[]], {}, {"type": 7}, {"type": []}, {"type": "Unheard"}]
KINDS = [
    *("StepBegin", "ContentPart", "ToolCall", "ToolResult", "StatusUpdate", "StepRetry"),
    *("SteerInput", "SubagentEvent", *wire.REQUESTS),
]
SHAPES: list[Any] = [None, 7, "x", [], [1], {}, {"id": "i", "event": 3, "display": [1, {}, "x"]}]
QUESTIONS: list[Any] = [
    {"id": "i", "questions": [1, {}, {"question": 7}, {"question": "x", "options": options}]}
    for options in (None, "x", [7], [{}], [{"label": []}], [{"label": "a", "description": 7}])
]
PARTS = ("input_data", "return_value", "function", "token_usage", "text", "type", "questions")
DEEPER: list[Any] = [
    {"id": "i", key: value}
    for key in PARTS
    for value in (None, -5, True, [], {"tool_input": [], "input_other": "x", "output": -3})
]


@pytest.mark.parametrize("kind", KINDS)
def test_parts_of_the_wrong_shape_say_nothing_and_break_nothing(kind):
    session, past = Session(), Past()
    for payload in [*SHAPES, *DEEPER, *QUESTIONS]:
        given = {"type": kind, "payload": payload}
        past.read("event", given)
        for one in session.read("event", given):
            assert isinstance(one, Spoken | Called | Noted)
        request = read_request(given)
        assert request is None or answer_request(request, NO)["request_id"] == "i"
        assert not request or all(one.read(one.text) for one in request.questions)
    assert session.usage.tokens in (0, None)  # some of these say that they are none


def test_what_nobody_knows_is_passed_over():
    session = Session()
    for params in ODD:
        assert not [*session.read("event", params)]
        assert read_request(params) is None
    assert not [*session.read("unheard", event("ContentPart", type="text", text="x"))]
