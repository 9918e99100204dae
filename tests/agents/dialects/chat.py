"""OpenAI's chat completions, which most agents speak."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.agents.dialects.dialect import Dialect, Send, find_properties, join_text
from tests.agents.scripted import MODEL, Call, Item, Reply, Tools, Usage


def _read_chat(body: Mapping[str, Any]) -> tuple[list[Item], Tools]:
    items: list[Item] = []
    for message in body["messages"]:
        who = "result" if message["role"] == "tool" else message["role"]
        items.append((who, join_text(message.get("content"))))
        calls = message.get("tool_calls") or ()
        items += [("call", call["function"]["name"]) for call in calls]
    functions = [tool["function"] for tool in body.get("tools") or ()]
    return items, {one["name"]: find_properties(one.get("parameters")) for one in functions}


def _say_chat(reply: Reply, calls: list[Call], rest: Callable[[], None], send: Send) -> None:
    def chunk(delta: Mapping[str, Any], finish: str | None = None, **more: Any) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        send({**_CHUNK, "choices": [choice], **more}, None)

    chunk({"role": "assistant", "content": reply.text})
    rest()
    for at, call in enumerate(calls):
        chunk({"tool_calls": [{"index": at, **_call_chat(call)}]})
    usage = _count_chat(reply.usage)
    chunk({}, "tool_calls" if calls else "stop", usage=usage)
    send({**_CHUNK, "choices": [], "usage": usage}, None)
    send("[DONE]", None)


_CHUNK = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL}


def _call_chat(call: Call) -> dict[str, Any]:
    name, tool, values = call
    function = {"name": tool, "arguments": json.dumps(values)}
    return {"id": name, "type": "function", "function": function}


def _count_chat(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "cached_tokens": usage.cached,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
    }


def _whole_chat(reply: Reply, calls: list[Call]) -> Any:
    made = [_call_chat(call) for call in calls]
    message = {"role": "assistant", "content": reply.text, **({"tool_calls": made} if made else {})}
    finish = "tool_calls" if made else "stop"
    choice = {"index": 0, "message": message, "finish_reason": finish}
    usage = _count_chat(reply.usage)
    return {**_CHUNK, "object": "chat.completion", "choices": [choice], "usage": usage}


CHAT = Dialect(_read_chat, _say_chat, _whole_chat)
