"""What Kimi CLI 1.51 said over its wire, as it was captured: what each frame means to us."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from goal_engine.permission import Action, Answer, Ask
from goal_engine.workers import wire
from goal_engine.workers.wire import (
    Begun,
    Called,
    Heard,
    Noted,
    Request,
    Returned,
    Spoken,
    Usage,
    Used,
    answer_request,
    find_unfit,
    is_same,
    make_initialize,
    read_event,
    read_request,
    read_tool,
)

CAPTURES = Path(__file__).parent / "wire"
YES, NO = Answer(allowed=True), Answer(allowed=False, reason="git push is never allowed")


def frames(name: str, direction: str = "<") -> Iterator[dict[str, Any]]:
    for line in (CAPTURES / f"{name}.jsonl").read_text().splitlines():
        frame = json.loads(line)
        if frame["dir"] == direction:
            yield frame["msg"]


def told(name: str) -> list[wire.Told]:
    events = (frame["params"] for frame in frames(name) if frame.get("method") == "event")
    return [found[0] for event in events if (found := read_event(event))]


def requests(name: str) -> list[Request]:
    return [
        found
        for frame in frames(name)
        if frame.get("method") == "request" and (found := read_request(frame["params"]))
    ]


def event(kind: str, **payload: Any) -> dict[str, Any]:
    return {"type": kind, "payload": payload}


def test_a_turn_is_steps_words_calls_and_their_ends():
    said = told("edit")
    assert "".join(one.text for one in said if isinstance(one, Spoken)) == (
        "I will write the file.Now I run a command.Done: hello.py written and checked."
    )
    assert [one.tool for one in said if isinstance(one, Called)] == ["WriteFile", "Shell"]
    assert [(one.failed, one.message[:20]) for one in said if isinstance(one, Returned)] == [
        (False, "File successfully ov"),
        (False, "Command executed suc"),
    ]
    assert sum(isinstance(one, Begun) for one in said) == 3


def test_what_each_step_used_is_summed_with_what_came_from_the_cache():
    usage = Usage()
    for one in told("edit"):
        usage.add(one, False)
    assert usage.tokens == 900 + 40 + 100 + 200 + 30 + 900 + 200 + 20 + 1000
    assert usage.is_known and usage.is_whole


def test_a_step_that_was_cut_off_did_not_say_what_it_used():
    usage = Usage()
    assert not usage.add(Begun(), False) and usage.is_known
    assert not usage.add(Spoken("I "), False)
    assert not usage.is_known and not usage.is_whole
    assert usage.add(Used(1, 2, 3, 4), False) and usage.tokens == 10
    assert usage.is_known and usage.is_whole


def test_a_model_that_did_not_answer_used_nothing():
    usage = Usage()
    for one in told("dead"):
        usage.add(one, False)
    assert usage.is_known and usage.tokens == 0 and not usage.is_whole


def test_what_an_agent_of_the_agent_used_counts_and_its_words_are_told_apart():
    status = {"token_usage": {"input_other": 5, "output": 2}}
    inner = event("SubagentEvent", agent_id="a1", event=event("StatusUpdate", **status))
    twice = event("SubagentEvent", event=inner)
    assert read_event(inner) == read_event(twice) == (Used(5, 0, 0, 2), True)
    words = event("SubagentEvent", event=event("ContentPart", type="text", text="hm"))
    assert read_event(words) == (Spoken("hm"), True)


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
    assert write.ask and written.ask and run.ask and is_same(write.ask, written.ask)
    assert not is_same(write.ask, run.ask)
    assert not is_same(run.ask, run.ask.changed(detail="sudo reboot"))
    assert is_same(Ask(tool="WriteFile", action=Action.EDIT, paths=("./hello.py",)), write.ask)
    assert not is_same(write.ask, write.ask.changed(paths=("/w/repo/other.py",)))


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


def test_a_question_is_one():
    request = read_request(event("QuestionRequest", id="q", questions=[{"question": "Which DB?"}]))
    assert request and request.ask
    assert (request.ask.action, request.ask.detail) == (Action.QUESTION, "Which DB?")


def test_every_tool_is_asked_about_and_the_agent_waits_for_the_answer():
    said = make_initialize("1.2")
    assert said["capabilities"]["supports_question"] is False
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
    assert [one.text for one in told("steer") if isinstance(one, Heard)] == [
        "also mention the tests"
    ]


def test_a_model_that_is_asked_again_is_told_of():
    retry = event("StepRetry", n=1, next_attempt=2, max_attempts=3, error_type="E", status_code=429)
    assert read_event(retry) == (Noted("the model did not answer (E 429), attempt 2 of 3"), False)


ODD: list[Any] = [None, 7, "x", [], [[]], {}, {"type": 7}, {"type": []}, {"type": "Unheard"}]
KINDS = [*wire.EVENTS, *wire.REQUESTS, "SubagentEvent"]
SHAPES: list[Any] = [None, 7, "x", [], [1], {}, {"id": "i", "event": 3, "display": [1, {}, "x"]}]
DEEPER: list[Any] = [
    {"id": "i", key: value}
    for key in (
        "input_data",
        "return_value",
        "function",
        "token_usage",
        "text",
        "type",
        "questions",
    )
    for value in (None, -5, True, [], {"tool_input": [], "input_other": "x", "output": -3})
]


@pytest.mark.parametrize("kind", KINDS)
def test_parts_of_the_wrong_shape_say_nothing_and_break_nothing(kind):
    for payload in [*SHAPES, *DEEPER]:
        given = {"type": kind, "payload": payload}
        found = read_event(given)
        assert found is None or not isinstance(found[0], Used) or found[0].total >= 0
        request = read_request(given)
        assert request is None or answer_request(request, NO)["request_id"] == "i"
    for params in ODD:
        assert read_event(params) is None
        assert read_request(params) is None
