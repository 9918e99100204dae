"""OpenAI's responses, which Codex speaks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.agents.dialects.dialect import Dialect, Send, find_properties, join_text
from tests.agents.scripted import MODEL, Call, Item, Reply, Tools

CALLS = ("function_call", "custom_tool_call")
RESULTS = ("function_call_output", "custom_tool_call_output")


def _read_responses(body: Mapping[str, Any]) -> tuple[list[Item], Tools]:
    items: list[Item] = []
    for one in body["input"]:
        kind = one.get("type", "message")
        if kind == "message":
            items.append((one["role"], join_text(one["content"])))
        elif kind in CALLS:
            items.append(("call", one["name"]))
        elif kind in RESULTS:
            items.append(("result", join_text(one["output"])))
    functions = [tool for tool in body.get("tools") or () if tool["type"] == "function"]
    return items, {tool["name"]: find_properties(tool.get("parameters")) for tool in functions}


def _say_responses(reply: Reply, calls: list[Call], rest: Callable[[], None], send: Send) -> None:
    def event(kind: str, **more: Any) -> None:
        send({"type": kind, **more}, kind)

    whole = _whole_responses(reply, calls)
    event("response.created", response={**whole, "status": "in_progress", "output": []})
    rest()
    for at, item in enumerate(whole["output"]):
        event(
            "response.output_item.added",
            output_index=at,
            item={**item, "status": "in_progress"},
        )
        if item["type"] == "message":
            place = {"output_index": at, "content_index": 0, "item_id": item["id"]}
            event("response.output_text.delta", **place, delta=reply.text)
        event("response.output_item.done", output_index=at, item=item)
    event("response.completed", response=whole)


def _whole_responses(reply: Reply, calls: list[Call]) -> Any:
    said = {"type": "output_text", "text": reply.text, "annotations": []}
    message = {"type": "message", "id": "msg_1", "role": "assistant", "content": [said]}
    made = [
        {
            "type": "function_call",
            "id": f"fc_{name}",
            "call_id": name,
            "name": tool,
            "arguments": json.dumps(values),
        }
        for name, tool, values in calls
    ]
    output = [{**one, "status": "completed"} for one in (*([message] if reply.text else ()), *made)]
    usage = reply.usage
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": MODEL,
        "status": "completed",
        "output": output,
        "usage": {
            "input_tokens": usage.input,
            "input_tokens_details": {"cached_tokens": usage.cached},
            "output_tokens": usage.output,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": usage.input + usage.output,
        },
    }


RESPONSES = Dialect(_read_responses, _say_responses, _whole_responses)
