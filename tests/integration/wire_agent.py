"""A stand-in for `kimi --wire`: plays back what the real one was captured to say, or misbehaves.

A script: `wire_agent.py SCENARIO ARGUMENT`, and what the worker adds.  It leaves `argv.json` and
`answers.jsonl` with what it was answered where it is started, but for `mend`, whose argument says where.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

KEEPS = Path()
CAPTURES = Path(__file__).parents[1] / "engine" / "wire"
Message = dict[str, Any]


def say(message: Message) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def tell(kind: str, **payload: Any) -> None:
    say({"method": "event", "params": {"type": kind, "payload": payload}})


def hear(wanted: str = "") -> Message:
    """Return the next message; ends with the input.

    The mode is set whenever that is asked for, and the prompts that there were are told again, but where
    a scenario itself waits for that.
    """
    for line in sys.stdin:
        message = json.loads(line)
        if message.get("method") == "set_plan_mode":
            keep("modes.jsonl", message["params"])
            say({"id": message["id"], "result": {"status": "ok"}})
        elif message.get("method") == "replay" != wanted:
            prompts = KEEPS / "prompts.jsonl"
            again = prompts.read_text().splitlines() if prompts.exists() else []
            for prompt in again:
                tell("TurnBegin", user_input=json.loads(prompt))
            replayed(message, len(again))
        else:
            return message
    sys.exit(0)


def replayed(message: Message, events: int, status: str = "finished") -> None:
    say({"id": message["id"], "result": {"status": status, "events": events, "requests": 0}})


def keep(name: str, value: Any) -> None:
    with (KEEPS / name).open("a") as file:
        file.write(json.dumps(value) + "\n")


def expect(method: str) -> Message:
    message = hear(method)
    assert message.get("method") == method, message
    assert isinstance(message["id"], str), message
    return message


def greet(version: str = "1.10") -> None:
    message = expect("initialize")
    keep("capabilities.jsonl", message["params"]["capabilities"])
    say({"id": message["id"], "result": {"protocol_version": version}})


def ask(kind: str, number: str, **payload: Any) -> Message:
    say(
        {
            "method": "request",
            "id": number,
            "params": {"type": kind, "payload": {"id": number, **payload}},
        }
    )
    return take(number)


def take(number: str) -> Message:
    message = hear()
    assert message["id"] == number, message
    keep("answers.jsonl", message["result"])
    return message["result"]


def hook(number: str, call: str, tool: str, **given: Any) -> Message:
    data = {"tool_name": tool, "tool_call_id": call, "tool_input": given}
    return ask("HookRequest", number, event="PreToolUse", target=tool, input_data=data)


def approve(number: str, call: str, tool: str, *shown: Message) -> Message:
    return ask("ApprovalRequest", number, tool_call_id=call, sender=tool, display=[*shown])


def write(text: str) -> None:
    tell("ContentPart", type="text", text=text)


def use(**tokens: int) -> None:
    tell("StatusUpdate", token_usage=tokens)


def finish(prompt: Message, status: str = "finished") -> None:
    tell("TurnEnd")
    say({"id": prompt["id"], "result": {"status": status}})


def fail(prompt: Message, code: int, text: str) -> None:
    tell("StepInterrupted")
    tell("TurnEnd")
    say({"id": prompt["id"], "error": {"code": code, "message": text, "data": None}})


def begin() -> Message:
    greet()
    return take_prompt()


def take_prompt() -> Message:
    prompt = expect("prompt")
    keep("prompts.jsonl", prompt["params"]["user_input"])
    tell("TurnBegin", user_input=prompt["params"]["user_input"])
    tell("StepBegin", n=1)
    return prompt


# What it was captured to say


def play(name: str) -> None:
    """Say what the capture has, wait where it waited, and change what it changed."""
    ids: dict[str, str] = {}
    arguments = method = ""
    for frame in frames(name):
        message = frame["msg"]
        if frame["dir"] == ">" and "method" in message:
            method = message["method"]
            heard = expect(method)
            ids[message["id"]] = heard["id"]
            if method == "prompt":
                keep("prompts.jsonl", heard["params"]["user_input"])
        elif frame["dir"] == ">":
            answer = take(message["id"])
            same = ("response", "action", "request_id", "answers")
            assert all(answer.get(key) == message["result"].get(key) for key in same), answer
        else:
            event = message.get("params", {})
            payload = event.get("payload", {})
            if event.get("type") == "ToolCall":
                arguments = payload["function"]["arguments"]
            arguments += payload.get("arguments_part", "")
            happens = method == "prompt" and event.get("type") == "ToolResult"
            if happens and not payload["return_value"]["is_error"]:
                change(json.loads(arguments))
            say(
                {**message, "id": ids.get(message["id"], message["id"])}
                if "id" in message
                else message
            )


def frames(name: str) -> Iterator[Message]:
    for line in (CAPTURES / f"{name}.jsonl").read_text().splitlines():
        yield json.loads(line.replace("/w/repo", os.getcwd()))


def change(given: Message) -> None:
    if "content" in given:
        Path(given["path"]).write_text(given["content"])


# How it misbehaves, and what captures do not have


def be_a_tombstone(_: str) -> None:
    sys.stdout.write(
        "kimi-cli is no longer maintained. Install Kimi Code: https://example.invalid\n"
    )


def be_kimi_code(_: str) -> None:
    sys.stderr.write("error: unknown option '--wire'\n")
    sys.exit(1)


def speak_two(_: str) -> None:
    greet("2.0")
    hear()


def crash(_: str) -> None:
    begin()
    write("I begin")
    sys.stderr.write("Traceback: out of luck\n")
    os._exit(3)


def hang(_: str) -> None:
    """Neither a word nor an end."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    begin()
    write("I think")
    while True:
        for _line in sys.stdin:
            pass
        signal.pause()


def give_up(code: str) -> None:
    number, _, text = code.partition(" ")
    fail(begin(), int(number), text)
    hear()


def tire(times: str) -> None:
    """Stops at a limit of its own, and goes on when it is told to."""
    prompt = begin()
    for _ in range(int(times)):
        use(input_other=1, output=1)
        say({"id": prompt["id"], "result": {"status": "max_steps_reached", "steps": 3}})
        prompt = take_prompt()
    write("done")
    use(input_other=1, output=1)
    finish(prompt)
    hear()


def serve(_: str) -> None:
    """Does what it is told."""
    greet()
    obey_prompt()


def want_to_know(_: str) -> None:
    """Asks two questions at once."""
    prompt = begin()
    questions = [{"question": text, "options": []} for text in ("Which DB?", "Which port?")]
    if hook("h1", "c1", "AskUserQuestion", questions=questions)["action"] == "allow":
        ask("QuestionRequest", "q1", tool_call_id="c1", questions=questions)
    use(input_other=1, output=1)
    finish(prompt)
    hear()


def mistake(_: str) -> None:
    """What is to be approved is another file of the same name, and then that one in other words."""
    prompt = begin()
    Path("link").symlink_to("a")
    for place, now in enumerate(("b/x.py", "link/../a/./x.py")):
        hook(f"h{place}", f"c{place}", "WriteFile", path="a/x.py")
        shown = {"type": "diff", "path": str(Path.cwd() / now)}
        approve(f"a{place}", f"c{place}", "WriteFile", shown)
    use(input_other=1, output=1)
    finish(prompt)
    hear()


def mend(_: str) -> None:
    """Is put off by its vendor once, and mends the sum then; it tries to do more than that."""
    first = not (KEEPS / "prompts.jsonl").exists()
    prompt = begin()
    if first:
        fail(prompt, -32003, "Error code: 429 - come back later")
        hear()
    calc = Path("calc.py")
    if hook("h1", "c1", "WriteFile", path="calc.py")["action"] == "allow":
        approve("a1", "c1", "WriteFile", {"type": "diff", "path": str(calc.resolve())})
        calc.write_text(calc.read_text().replace("a - b", "a + b"))
    hook("h2", "c2", "Shell", command="git push origin HEAD")
    hook("h3", "c3", "ReadFile", path="/srv/other/key")
    use(input_other=1000, input_cache_read=200, output=34)
    write("It adds now.")
    finish(prompt)
    hear()


def push(_: str) -> None:
    """Two tools: the one that is allowed is approved as well, the other never gets there."""
    prompt = begin()
    tell("ToolCall", id="c1", function={"name": "Shell", "arguments": ""})
    if hook("h1", "c1", "Shell", command="git status")["action"] == "allow":
        approve("a1", "c1", "Shell", {"type": "shell", "command": "git status"})
    tell("ToolCall", id="c2", function={"name": "Shell", "arguments": ""})
    if hook("h2", "c2", "Shell", command="git push")["action"] == "allow":
        Path("pushed").touch()
    use(input_other=7, output=3)
    finish(prompt)
    hear()


def swap(_: str) -> None:
    """What is to be approved is not what the hook said."""
    prompt = begin()
    hook("h1", "c1", "Shell", command="git status")
    approve("a1", "c1", "Shell", {"type": "shell", "command": "git push"})
    use(input_other=7, output=3)
    finish(prompt)
    hear()


def flood(number: str) -> None:
    """Calls many tools at once."""
    prompt = begin()
    for place in range(int(number)):
        name, data = f"h{place}", {"tool_name": "Shell", "tool_input": {"command": "git push"}}
        payload = {"id": name, "event": "PreToolUse", "input_data": data}
        say(
            {"method": "request", "id": name, "params": {"type": "HookRequest", "payload": payload}}
        )
    for _ in range(int(number)):
        keep("answers.jsonl", hear().get("result"))
    use(input_other=1, output=1)
    finish(prompt)
    hear()


def wait_for_leave(_: str) -> None:
    """Asks, and is told to stop before anybody answered."""
    prompt = begin()
    data = {"tool_name": "Shell", "tool_input": {"command": "git push"}}
    payload = {"id": "h1", "event": "PreToolUse", "input_data": data}
    say({"method": "request", "id": "h1", "params": {"type": "HookRequest", "payload": payload}})
    for message in (hear(), hear()):
        if message.get("method") == "cancel":
            say({"id": message["id"], "result": {}})
            keep("cancelled.jsonl", True)
        else:
            keep("answers.jsonl", message.get("result"))
    finish(prompt, "cancelled")
    hear()


def obey(_: str) -> None:
    """Works until it is told to stop."""
    prompt = begin()
    use(input_other=100, output=20)
    tell("StepBegin", n=2)
    message = expect("cancel")
    keep("cancelled.jsonl", True)
    say({"id": message["id"], "result": {}})
    finish(prompt, "cancelled")
    hear()


def listen(_: str) -> None:
    """Takes in what it is told while it works."""
    prompt = begin()
    use(input_other=1)
    steered = expect("steer")
    say({"id": steered["id"], "result": {"status": "steered"}})
    keep("heard.jsonl", steered["params"]["user_input"])
    tell("SteerInput", user_input=steered["params"]["user_input"])
    use(input_other=1, output=1)
    finish(prompt)
    hear()


def be_deaf(_: str) -> None:
    """Is told something as it ends: what it did not take in is forgotten, so it is told again."""
    prompt = begin()
    use(input_other=1)
    steered = expect("steer")
    say({"id": steered["id"], "result": {"status": "steered"}})
    write("the first")
    finish(prompt)
    again = take_prompt()
    use(input_other=1, output=1)
    write("the second")
    finish(again)
    hear()


def babble(_: str) -> None:
    """Much that nobody knows, and a result all the same."""
    prompt = begin()
    sys.stdout.write("Traceback (most recent call last):\n[]\n7\n{}\n\n")
    tell("Unheard", of=[{}])
    tell("ContentPart", type="video_url", video_url={})
    say({"method": "unheard", "params": []})
    say({"id": "nobody's", "result": None})
    say({"method": "request", "id": "r1", "params": {"type": "Unheard", "payload": {"id": "r1"}}})
    answer = hear()
    assert answer["id"] == "r1" and answer["error"]["code"] == -32601, answer
    questions = [{"question": "Which DB?", "options": []}]
    assert ask("QuestionRequest", "q1", questions=questions)["answers"] == {}
    use(input_other=1, output=1)
    write("\x1b[31mdone\x1b[0m")
    finish(prompt)
    hear()


def leave_somebody(_: str) -> None:
    """Starts something in a session of its own and ends well."""
    prompt = begin()
    child = os.fork()
    if child == 0:
        os.setsid()
        while True:
            signal.pause()
    Path("child").write_text(str(child))
    use(input_other=1, output=1)
    finish(prompt)
    hear()


def refuse_to_look_back(_: str) -> None:
    """Is older than `replay`."""
    greet()
    fail_call(expect("replay"), -32601, "Unexpected method received: replay")
    obey_prompt()


def look_back_for_ever(_: str) -> None:
    """Tells a session that has no end, until it is told to stop."""
    greet()
    message = expect("replay")
    if (child := os.fork()) == 0:
        while True:
            tell("TurnBegin", user_input="old")
            tell("StatusUpdate", token_usage={"output": 1000})
    cancelled = expect("cancel")
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    sys.stdout.write("\n")  # it may have been in the middle of a line
    say({"id": cancelled["id"], "result": {}})
    replayed(message, 7, "cancelled")
    obey_prompt()


def look_back_late(_: str) -> None:
    """Neither tells its session nor stops when it is asked to, but does so when the prompt is there."""
    greet()
    message = expect("replay")
    fail_call(expect("cancel"), -32000, "No agent turn is in progress")
    prompt = expect("prompt")
    keep("prompts.jsonl", prompt["params"]["user_input"])
    tell_old()
    tell("TurnBegin", user_input=prompt["params"]["user_input"])
    use(input_other=3, output=4)
    write("the new")
    finish(prompt)
    replayed(message, 3)
    hear()


def ask_again(_: str) -> None:
    """What was asked is shown again; whoever would answer it would not be understood."""
    greet()
    message = expect("replay")
    tell_old()
    old = {"id": "a0", "tool_call_id": "c0", "sender": "Shell", "display": []}
    hook = {"id": "h0", "event": "PreToolUse", "input_data": {"tool_name": "Shell"}}
    asked = {"id": "q0", "questions": [{"question": "Which?", "options": []}]}
    for kind, payload in (
        ("ApprovalRequest", old),
        ("HookRequest", hook),
        ("QuestionRequest", asked),
    ):
        params = {"type": kind, "payload": payload}
        say({"method": "request", "id": payload["id"], "params": params})
    tell("ApprovalResponse", request_id="a0", response="approve", feedback="")
    replayed(message, 4)
    obey_prompt()


def tell_old() -> None:
    tell("TurnBegin", user_input="old")
    tell("ToolCall", id="c0", function={"name": "Shell", "arguments": ""})
    tell("SteerInput", user_input="old")
    write("the old")
    use(input_other=1000, output=1000)


def obey_prompt() -> None:
    prompt = take_prompt()
    use(input_other=3, output=4)
    write("the new")
    finish(prompt)
    hear()


def fail_call(message: Message, code: int, text: str) -> None:
    say({"id": message["id"], "error": {"code": code, "message": text, "data": None}})


def break_off(_: str) -> None:
    """Breaks off in its first process, and hears and works in the second."""
    first = not (KEEPS / "prompts.jsonl").exists()
    prompt = begin()
    use(input_other=1, output=1)
    if first:
        sys.exit("out of memory")
    steered = expect("steer")
    say({"id": steered["id"], "result": {"status": "steered"}})
    tell("SteerInput", user_input=steered["params"]["user_input"])
    use(input_other=3, output=2)
    finish(prompt)
    hear()


SCENARIOS: dict[str, Callable[[str], None]] = {
    found.__name__: found
    for found in (
        *(
            play,
            flood,
            be_a_tombstone,
            be_kimi_code,
            speak_two,
            crash,
            hang,
            give_up,
            tire,
            mend,
            push,
            swap,
        ),
        *(wait_for_leave, obey, listen, be_deaf, babble, leave_somebody, break_off),
        *(
            serve,
            mistake,
            want_to_know,
            refuse_to_look_back,
            look_back_for_ever,
            look_back_late,
            ask_again,
        ),
    )
}

if __name__ == "__main__":
    KEEPS = Path(sys.argv[2] if sys.argv[1] == "mend" else ".")
    keep("argv.json", sys.argv[3:])
    SCENARIOS[sys.argv[1]](sys.argv[2])
