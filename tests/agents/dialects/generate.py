"""Gemini's `generateContent`, which says in the path whether it streams."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tests.agents.dialects.dialect import Dialect, Send, find_properties
from tests.agents.scripted import MODEL, Call, Item, Reply, Tools


def _read_generate(body: Mapping[str, Any]) -> tuple[list[Item], Tools]:
    items: list[Item] = []
    for content in body["contents"]:
        who = "assistant" if content.get("role") == "model" else "user"
        for part in content["parts"]:
            if "functionCall" in part:
                items.append(("call", part["functionCall"]["name"]))
            elif "functionResponse" in part:
                items.append(("result", json.dumps(part["functionResponse"]["response"])))
            elif "text" in part:
                items.append((who, part["text"]))
    functions = [
        one for tool in body.get("tools") or () for one in tool.get("functionDeclarations") or ()
    ]
    return items, {one["name"]: find_properties(_find_schema(one)) for one in functions}


def _find_schema(function: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return function.get("parametersJsonSchema") or function.get("parameters")


def _say_generate(reply: Reply, calls: list[Call], rest: Callable[[], None], send: Send) -> None:
    if reply.hangs:
        send(_chunk([{"text": reply.text}]), None)
    rest()
    send(_whole_generate(reply, calls), None)


def _whole_generate(reply: Reply, calls: list[Call]) -> Any:
    parts: list[Mapping[str, Any]] = [{"text": reply.text}] if reply.text or not calls else []
    parts += [{"functionCall": {"name": tool, "args": values}} for _, tool, values in calls]
    usage = reply.usage
    counts = {
        "promptTokenCount": usage.input,
        "cachedContentTokenCount": usage.cached,
        "candidatesTokenCount": usage.output,
        "totalTokenCount": usage.input + usage.output,
    }
    return {**_chunk(parts, finishReason="STOP"), "usageMetadata": counts}


def _chunk(parts: list[Mapping[str, Any]] | list[dict[str, str]], **more: str) -> dict[str, Any]:
    content = {"role": "model", "parts": parts}
    return {"candidates": [{"index": 0, "content": content, **more}], "modelVersion": MODEL}


GENERATE = Dialect(_read_generate, _say_generate, _whole_generate, streams=lambda _: False)
STREAM_GENERATE = replace(GENERATE, streams=lambda _: True)
