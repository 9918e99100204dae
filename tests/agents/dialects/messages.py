"""Anthropic's messages, which Claude Code speaks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.agents.dialects.dialect import Dialect, Send, find_properties, join_text
from tests.agents.scripted import MODEL, Call, Item, Reply, Tools


def _read_messages(body: Mapping[str, Any]) -> tuple[list[Item], Tools]:
    items: list[Item] = []
    for message in body["messages"]:
        content = message["content"]
        for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            match part["type"]:
                case "tool_use":
                    items.append(("call", part["name"]))
                case "tool_result":
                    items.append(("result", join_text(part.get("content"))))
                case "text":
                    items.append((message["role"], part["text"]))
    tools = [tool for tool in body.get("tools") or () if "input_schema" in tool]
    return items, {tool["name"]: find_properties(tool["input_schema"]) for tool in tools}


def _say_messages(reply: Reply, calls: list[Call], rest: Callable[[], None], send: Send) -> None:
    def event(kind: str, **more: Any) -> None:
        send({"type": kind, **more}, kind)

    whole = _whole_messages(reply, calls)
    event("message_start", message={**whole, "content": [], "stop_reason": None})
    rest()
    for at, block in enumerate(whole["content"]):
        if block["type"] == "text":
            empty, delta = (
                {"type": "text", "text": ""},
                {"type": "text_delta", "text": block["text"]},
            )
        else:
            empty = {**block, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        event("content_block_start", index=at, content_block=empty)
        event("content_block_delta", index=at, delta=delta)
        event("content_block_stop", index=at)
    ended = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    event("message_delta", delta=ended, usage={"output_tokens": reply.usage.output})
    event("message_stop")


def _whole_messages(reply: Reply, calls: list[Call]) -> Any:
    blocks: list[dict[str, Any]] = [{"type": "text", "text": reply.text}] if reply.text else []
    for name, tool, values in calls:
        blocks.append({"type": "tool_use", "id": f"toolu_{name}", "name": tool, "input": values})
    usage = reply.usage
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": blocks,
        "stop_reason": "tool_use" if calls else "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": usage.input - usage.cached,
            "cache_read_input_tokens": usage.cached,
            "cache_creation_input_tokens": 0,
            "output_tokens": usage.output,
        },
    }


MESSAGES = Dialect(_read_messages, _say_messages, _whole_messages)
