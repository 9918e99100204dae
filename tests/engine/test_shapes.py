"""What somebody else sent, read: nothing in it brings a reader down."""

from __future__ import annotations

import json

import pytest

from goal_engine.workers.acp import Tool, add_told
from goal_engine.workers.headless import DIALECTS, Heard
from goal_engine.workers.peer import parse_message
from goal_engine.workers.shapes import DEEPEST, load

DEPTHS = [DEEPEST, 500, *range(900, 1000), 200_000]


def nest(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize("depth", DEPTHS)
def test_what_is_too_deep_to_be_written_again_is_not_read(depth: int) -> None:
    told = f'{{"type": "assistant", "message": {{"content": [{{"type": "tool_use", "input": {{"command": [{nest(depth)}]}}}}]}}}}'
    heard = Heard()
    list(DIALECTS["claude"].hear(told.encode(), heard))
    assert heard.stray == [told[-2000:]]
    assert parse_message(f'{{"id": {nest(depth)}}}'.encode()) is None
    streamed = f'{{"command": [{nest(depth)}]}}'
    content = [{"content": {"text": streamed}}]
    assert add_told(Tool(), {"content": content}).command == ""


def test_half_a_character_is_read_as_one_that_nobody_knows() -> None:
    told = {"\ud83d": ["half \ud83d", {"text": "whole \ud83d\ude00"}], "bytes": "\udce4"}
    mended = {"\ufffd": ["half \ufffd", {"text": "whole \U0001f600"}], "bytes": "\ufffd"}
    assert load(json.dumps(told)) == load(json.dumps(told).encode()) == mended
    with pytest.raises(UnicodeDecodeError):
        load(json.dumps(told, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def test_what_is_wide_or_only_quotes_brackets_is_read() -> None:
    wide = [[{"a": [1]}] for _ in range(DEEPEST)]
    assert load(json.dumps(wide)) == wide
    assert load(json.dumps("[{" * DEEPEST)) == "[{" * DEEPEST
    assert load(nest(DEEPEST - 1)) == json.loads(nest(DEEPEST - 1))
