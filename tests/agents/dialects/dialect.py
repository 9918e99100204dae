"""What every dialect is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.agents.scripted import Call, Item, Reply, Tools

Send = Callable[[Any, str | None], None]
"""Sends one event, with its name where the dialect has names."""


@dataclass(frozen=True)
class Dialect:
    """How one vendor's interface is read and spoken."""

    read: Callable[[Mapping[str, Any]], tuple[list[Item], Tools]]
    say: Callable[[Reply, list[Call], Callable[[], None], Send], None]
    whole: Callable[[Reply, list[Call]], Any]
    streams: Callable[[Mapping[str, Any]], bool] = lambda body: bool(body.get("stream"))
    """Whether who asks this wants it in pieces."""


def join_text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content or ()
    return "\n".join(part if isinstance(part, str) else part.get("text") or "" for part in parts)


def find_properties(schema: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return (schema or {}).get("properties") or {}
