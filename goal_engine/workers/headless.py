"""What agents print for machines when they run headless, one event a line, read; pure.

What comes from an agent is data: a line that is no event is text, a part of the wrong shape says nothing,
and an event that nobody knows is passed over.  Each agent has a dialect of its own; each was seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from goal_engine.budget import Reporting, Spend
from goal_engine.usage import FindEstimate, Usage, add_up, know_no_price
from goal_engine.workers.acp import Tool, add_told
from goal_engine.workers.prompt import SPECIFIC
from goal_engine.workers.shapes import (
    MOST,
    Payload,
    as_amount,
    as_count,
    as_mapping,
    as_mappings,
    as_text,
    dump,
    load,
)
from goal_engine.workers.told import Called, Ending, Noted, Over, Spoken, Told
from goal_engine.workers.troubles import KILLED, LOGGED_OUT, RATE_LIMITED

STRAY = 4
"""Lines that were no events, of which the last may say why an agent failed."""
QUOTED = 2000
"""Characters of an error that are looked at."""
MODELS, MODEL_NAME = 100, 200
"""Models that one turn may use, and characters of a model's name that are looked at."""


@dataclass(slots=True)
class Heard:
    """What a turn told by now, beside its words: what it used, in all, and why it failed."""

    parts: list[Usage] = field(default_factory=list)
    usd: Decimal | None = None
    error: str = ""
    limited: bool = False
    """Whether that is a limit of the agent's own."""
    model: str = ""
    stray: list[str] = field(default_factory=list)

    def find_spent(self, find_estimate: FindEstimate = know_no_price) -> Spend | None:
        """Return what is known of tokens and dollars, `None` where that is nothing."""
        if not self.parts:
            return None if self.usd is None else Spend(tokens=None, usd=self.usd)
        told = add_up(self.parts, find_estimate if self.usd is None else know_no_price)
        return told if self.usd is None else told.changed(usd=self.usd, priced="")

    def fail(self, said: str) -> None:
        """Take notice of why it failed."""
        self.error = said[:QUOTED] or self.error

    def conclude(self, exit_code: int | None) -> Over:
        """Return how the turn ended, whose command ended with `exit_code`: that alone says whether well."""
        if exit_code == 0:
            return Over(Ending.END_TURN)
        stray = "\n".join(line for line in self.stray if SPECIFIC.search(line))
        said = self.error or stray
        if not said or exit_code is None or exit_code in KILLED:
            return Over(Ending.CRASHED)
        ending = Ending.LIMIT if self.limited else Ending.PROVIDER_ERROR
        ending = Ending.AUTH_REQUIRED if LOGGED_OUT.search(said) else ending
        return Over(Ending.RATE_LIMITED if RATE_LIMITED.search(said) else ending, said)


Read = Callable[[Payload, Heard], Iterator[Told]]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the events of one agent are read, and what they tell of what it uses."""

    read: Read
    kind: str = "type"
    """The key that every event has."""
    tokens: Reporting = Reporting.NEVER
    usd: Reporting = Reporting.NEVER
    models: bool = False
    """Whether they name the models that used the tokens."""

    def hear(self, line: bytes, heard: Heard) -> Iterator[Told]:
        """Yield what a line says to people; what else it says is in `heard` then."""
        try:
            event = load(line)
        except ValueError:
            event = None
        if isinstance(event, dict) and isinstance(event.get(self.kind), str):
            yield from self.read(event, heard)
            return
        text = line.decode("utf-8", "replace")
        heard.stray = [*heard.stray, text[-QUOTED:]][-STRAY:]
        yield Spoken(f"{text}\n")


def _say_nothing(_: Payload, __: Heard) -> Iterator[Told]:
    yield from ()


PLAIN = Dialect(_say_nothing)
"""Of whoever prints for people: nothing is known of it."""


def _call(name: Any, given: Any) -> Called:
    return Called(add_told(Tool(), {"title": as_text(name), "rawInput": given}).words)


def _fail(name: Any, said: Any) -> Noted:
    what = " ".join(filter(None, (as_text(name), dump(said)[:QUOTED])))
    return Noted(f"failed: {what}")


def _speak(text: Any, *, thought: bool = False) -> Iterator[Told]:
    """A text that is whole ends its line."""
    said = as_text(text)
    if said:
        yield Spoken(said if said.endswith("\n") else f"{said}\n", thought=thought)


def _parse(text: Any) -> Payload:
    try:
        return as_mapping(load(as_text(text)))
    except ValueError:
        return {}


def _read_money(value: Any) -> Decimal | None:
    """Vendors add up floats: what stands behind the ninth decimal is none of the price."""
    amount = as_amount(value)
    return None if amount is None else Decimal(f"{amount:.9f}".rstrip("0").rstrip("."))


def _count(
    model: Any, given: Any, made: Any, *, read: Any = 0, write: Any = 0, within: bool = False
) -> Usage | None:
    """Return a usage, `None` where it is not told; `within` says that `given` has what was cached in it."""
    taken, output = as_count(given), as_count(made)
    cached, kept = as_count(read) or 0, as_count(write) or 0
    if taken is None or output is None:
        return None
    own = taken - cached - kept if within else taken
    if own < 0:
        return None
    name = as_text(model)[:MODEL_NAME]
    return Usage(model=name, input=own, cache_read=cached, cache_write=kept, output=output)


# Claude Code


def _read_claude(event: Payload, heard: Heard) -> Iterator[Told]:
    message = as_mapping(event.get("message"))
    match event["type"]:
        case "system" if event.get("subtype") == "init":
            heard.model = as_text(event.get("model"))
            yield Noted(f"works with {heard.model or 'a model'}")
        case "system" if event.get("subtype") == "api_retry":
            why = f"{event.get('error_status')} {as_text(event.get('error'))}"
            yield Noted(f"asks its model again: {why}")
        case "assistant" if event.get("error"):
            yield Noted(_join_texts(message.get("content")))
        case "assistant":
            # what a helper of its own says is none of its words
            within = bool(event.get("parent_tool_use_id"))
            for part in as_mappings(message.get("content")):
                yield from _read_part(part, thought=within)
        case "user":
            for part in as_mappings(message.get("content")):
                if part.get("type") == "tool_result" and part.get("is_error") is True:
                    yield _fail("", _join_texts(part.get("content")))
        case "result":
            _read_claude_result(event, heard)
        case _:
            pass


def _read_part(part: Payload, *, thought: bool = False) -> Iterator[Told]:
    match part.get("type"):
        case "text":
            yield from _speak(part.get("text"), thought=thought)
        case "thinking":
            yield from _speak(part.get("thinking"), thought=True)
        case "think":
            yield from _speak(part.get("think"), thought=True)
        case "tool_use":
            yield _call(part.get("name"), part.get("input"))
        case _:
            pass


def _join_texts(content: Any) -> str:
    """A content is a text, or parts of which some are."""
    parts = [as_text(part.get("text")) for part in as_mappings(content)]
    return as_text(content) or "\n".join(filter(None, parts))


def _read_claude_result(event: Payload, heard: Heard) -> None:
    """What was used by now, side calls too, is told by model, where that is told at all."""
    named = as_mapping(event.get("modelUsage"))
    models = [(model, as_mapping(used)) for model, used in named.items()][:MODELS]
    found = [
        _count(
            model,
            used.get("inputTokens"),
            used.get("outputTokens"),
            read=used.get("cacheReadInputTokens"),
            write=used.get("cacheCreationInputTokens"),
        )
        for model, used in models
    ]
    whole = as_mapping(event.get("usage"))
    alone = _count(
        heard.model,
        whole.get("input_tokens"),
        whole.get("output_tokens"),
        read=whole.get("cache_read_input_tokens"),
        write=whole.get("cache_creation_input_tokens"),
    )
    told = [used for used in found if used is not None]
    if told and len(told) == len(named):
        heard.parts = told
    elif alone is not None:
        heard.parts = [alone]
    heard.usd = _read_money(event.get("total_cost_usd"))
    if event.get("is_error") is True:
        why = as_text(event.get("subtype"))
        heard.limited = why.startswith("error_max")
        heard.fail(as_text(event.get("result")) or why)


# Qwen Code


def _read_qwen(event: Payload, heard: Heard) -> Iterator[Told]:
    """It prints what Claude Code does, but for the end: its input has what was cached in it."""
    if event["type"] != "result":
        yield from _read_claude(event, heard)
        return
    used = as_mapping(event.get("usage"))
    told = _count(
        heard.model,
        used.get("input_tokens"),
        used.get("output_tokens"),
        read=used.get("cache_read_input_tokens"),
        within=True,
    )
    heard.parts = [told] if told else heard.parts
    if event.get("is_error") is True:
        said = as_text(as_mapping(event.get("error")).get("message"))
        heard.fail(said or as_text(event.get("subtype")))


# Codex CLI


def _read_codex(event: Payload, heard: Heard) -> Iterator[Told]:
    match event["type"]:
        case "item.started" | "item.completed" as kind:
            yield from _read_item(as_mapping(event.get("item")), begins=kind == "item.started")
        case "turn.completed":
            used = as_mapping(event.get("usage"))
            told = _count(
                "",
                used.get("input_tokens"),
                used.get("output_tokens"),
                read=used.get("cached_input_tokens"),
                write=used.get("cache_write_input_tokens"),
                within=True,
            )
            heard.parts = [told] if told else heard.parts
        case "turn.failed":
            heard.fail(as_text(as_mapping(event.get("error")).get("message")))
        case "error":
            said = as_text(event.get("message"))
            heard.fail(said)
            yield Noted(f"error: {said}")
        case _:
            pass


def _read_item(item: Payload, *, begins: bool) -> Iterator[Told]:
    kind = as_text(item.get("type"))
    match kind:
        case "agent_message" | "reasoning" if not begins:
            yield from _speak(item.get("text"), thought=kind == "reasoning")
        case "error" if not begins:
            yield Noted(f"error: {as_text(item.get('message'))}")
        case "command_execution" | "mcp_tool_call" | "web_search" if begins:
            yield _call(item.get("tool") or kind.replace("_", " "), item)
        case "file_change" if not begins:
            paths = [as_text(one.get("path")) for one in as_mappings(item.get("changes"))]
            yield Called(f"file change: {', '.join(paths)}")
        case "command_execution" | "mcp_tool_call" if item.get("status") == "failed":
            yield _fail(kind.replace("_", " "), f"with exit code {item.get('exit_code')}")
        case _:
            pass


# Gemini CLI


def _read_gemini(event: Payload, heard: Heard) -> Iterator[Told]:
    match event["type"]:
        case "init":
            heard.model = as_text(event.get("model"))
            yield Noted(f"works with {heard.model or 'a model'}")
        case "message" if event.get("role") == "assistant":
            yield Spoken(as_text(event.get("content")))
        case "tool_use":
            yield _call(event.get("tool_name"), event.get("parameters"))
        case "tool_result" if event.get("status") == "error":
            yield _fail("", as_mapping(event.get("error")).get("message") or event.get("output"))
        case "error":
            said = as_text(event.get("message"))
            heard.fail(said)
            yield Noted(f"error: {said}")
        case "result":
            _read_gemini_result(event, heard)
        case _:
            pass


def _read_gemini_result(event: Payload, heard: Heard) -> None:
    """Its totals have what it thought, which is none of its output there."""
    stats = as_mapping(event.get("stats"))
    named = as_mapping(stats.get("models"))
    found = [_count_gemini(model, as_mapping(used)) for model, used in [*named.items()][:MODELS]]
    told, alone = [used for used in found if used], _count_gemini(heard.model, stats)
    if told and len(told) == len(named):
        heard.parts = told
    elif alone is not None:
        heard.parts = [alone]
    if event.get("status") == "error":
        heard.fail(as_text(as_mapping(event.get("error")).get("message")))


def _count_gemini(model: str, used: Payload) -> Usage | None:
    given, total = as_count(used.get("input_tokens")), as_count(used.get("total_tokens"))
    made = as_count(used.get("output_tokens"))
    if given is not None and total is not None:
        made = max(total - given, made or 0)
    return _count(model, given, made, read=used.get("cached"), within=True)


# OpenCode


def _read_opencode(event: Payload, heard: Heard) -> Iterator[Told]:
    part = as_mapping(event.get("part"))
    match event["type"]:
        case "text" | "reasoning" as kind:
            yield from _speak(part.get("text"), thought=kind == "reasoning")
        case "tool_use":
            state = as_mapping(part.get("state"))
            yield _call(part.get("tool"), state.get("input"))
            if state.get("status") == "error":
                yield _fail(part.get("tool"), state.get("error"))
        case "step_finish":
            _add_step(part, heard)
        case "error":
            error = as_mapping(event.get("error"))
            told = as_mapping(error.get("data"))
            status, said = told.get("statusCode"), as_text(told.get("message"))
            words = (as_text(error.get("name")), "" if status is None else str(status), said)
            heard.fail(" ".join(filter(None, words)))
            yield Noted(f"error: {heard.error}")
        case _:
            pass


def _add_step(part: Payload, heard: Heard) -> None:
    """What it thought is beside its output, and what was cached is beside its input."""
    used, cost = as_mapping(part.get("tokens")), _read_money(part.get("cost"))
    cache = as_mapping(used.get("cache"))
    made, thought = as_count(used.get("output")), as_count(used.get("reasoning")) or 0
    output = None if made is None else min(made + thought, MOST)
    told = _count("", used.get("input"), output, read=cache.get("read"), write=cache.get("write"))
    if told is not None:
        heard.parts = [_add(heard.parts, told)]
    heard.usd = heard.usd if cost is None else (heard.usd or Decimal(0)) + cost


def _add(parts: list[Usage], told: Usage) -> Usage:
    """Return all of it as one: steps are many, and nobody looks at one of them again."""
    whole = [*parts, told]
    return Usage(
        input=min(sum(part.input for part in whole), MOST),
        cache_read=min(sum(part.cache_read for part in whole), MOST),
        cache_write=min(sum(part.cache_write for part in whole), MOST),
        output=min(sum(part.output for part in whole), MOST),
    )


# Both of Kimi


def _read_kimi(event: Payload, heard: Heard) -> Iterator[Told]:
    match event["role"]:
        case "assistant":
            content = event.get("content")
            yield from _speak(event.get("reasoning_content"), thought=True)
            yield from _speak(content)
            for part in as_mappings(content):
                yield from _read_part(part)
            for call in as_mappings(event.get("tool_calls")):
                function = as_mapping(call.get("function"))
                yield _call(function.get("name"), _parse(function.get("arguments")))
        case "meta" if event.get("type") == "turn.step.retrying":
            yield Noted(f"asks its model again: {as_text(event.get('error_message'))}")
        case _:
            pass


DIALECTS: Mapping[str, Dialect] = {
    "claude": Dialect(_read_claude, tokens=Reporting.TURN, usd=Reporting.TURN, models=True),
    "codex": Dialect(_read_codex, tokens=Reporting.TURN),
    "gemini": Dialect(_read_gemini, tokens=Reporting.TURN, models=True),
    "opencode": Dialect(_read_opencode, tokens=Reporting.LIVE, usd=Reporting.LIVE),
    "kimi": Dialect(_read_kimi, kind="role"),
    "qwen": Dialect(_read_qwen, tokens=Reporting.TURN, models=True),
}
"""By name, what is printed: by Claude Code, Qwen Code, Gemini CLI and both of Kimi with `stream-json`, by
Codex CLI with `--json`, by OpenCode with `--format json`."""
