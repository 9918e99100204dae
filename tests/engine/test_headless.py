"""What agents print for machines when they run headless, as it was captured: what each event means to us."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from goal_engine.budget import Reporting, Spend
from goal_engine.usage import Estimate, Usage
from goal_engine.workers.headless import DIALECTS, STRAY, Heard
from goal_engine.workers.presets import PRESETS
from goal_engine.workers.told import Called, Ending, Noted, Over, Spoken, Told

CAPTURES = Path(__file__).parent / "headless"
SAID = "I write the file.I run the tests.Sums are right."
RUNS = "run_shell_command: python3 run_tests.py"
RIGHT = "\ndef add(a, b):\n    return a + b\n\n\ndef double(a):\n    return 2 * a\n"
PRINTS = f"command execution: /bin/bash -lc \"printf %s '{RIGHT}' >calc.py\""
NOTHING_KNOWN = None


def hear(dialect: str, *lines: bytes, heard: Heard | None = None) -> list[Told]:
    heard = heard or Heard()
    return [told for line in lines for told in DIALECTS[dialect].hear(line, heard)]


def replay(name: str, dialect: str = "") -> tuple[list[Told], Heard]:
    heard = Heard()
    lines = (CAPTURES / f"{name}.jsonl").read_bytes().splitlines()
    return hear(dialect or name.partition("-")[0], *lines, heard=heard), heard


def event(**more: object) -> bytes:
    return json.dumps(more).encode()


@pytest.mark.parametrize(
    ("name", "calls"),
    [
        ("claude-edit", ["Write: calc.py", "Bash: python3 run_tests.py"]),
        ("opencode-edit", ["write: calc.py", "bash: python3 run_tests.py"]),
        ("kimi-edit", ["Write: calc.py", "Bash: python3 run_tests.py"]),
        ("kimi-cli-edit", ["WriteFile: calc.py", "Shell: python3 run_tests.py"]),
        ("gemini-edit", ["read_file: calc.py", "write_file: calc.py", RUNS]),
        ("qwen-edit", ["read_file: calc.py", "write_file: calc.py", RUNS]),
        ("codex-edit", [PRINTS, "command execution: /bin/bash -lc 'python3 run_tests.py'"]),
    ],
)
def test_its_words_and_its_calls_are_told_in_their_order(name: str, calls: list[str]) -> None:
    told, heard = replay(name)
    assert [one.tool for one in told if isinstance(one, Called)] == calls
    at = [type(one) for one in told if not isinstance(one, Noted)]
    words = "".join(one.text for one in told if isinstance(one, Spoken)).replace("\n", "")
    assert words.removeprefix("I read the file.") == SAID
    assert at[-3:] == [Spoken, Called, Spoken], "its last words come after its last call"
    assert heard.stray == [] and heard.conclude(0) == Over(Ending.END_TURN)


@pytest.mark.parametrize(
    ("name", "spent"),
    [
        ("claude-edit", Spend(tokens=3060, usd=Decimal("0.01206"), source="vendor_reported")),
        ("claude-fail", Spend(tokens=2040, usd=Decimal("0.00804"), source="vendor_reported")),
        ("opencode-edit", Spend(tokens=3060, usd=Decimal("0.00282"), source="vendor_reported")),
        ("codex-edit", Spend(tokens=4080, usd=None, source="vendor_reported")),
        ("gemini-edit", Spend(tokens=4080, usd=None, source="vendor_reported")),
        ("qwen-edit", Spend(tokens=4080, usd=None, source="vendor_reported")),
        ("claude-401", Spend(tokens=0, usd=Decimal(0), source="vendor_reported")),
        ("opencode-401", NOTHING_KNOWN),
        ("codex-401", NOTHING_KNOWN),
        ("kimi-edit", NOTHING_KNOWN),
        ("kimi-cli-edit", NOTHING_KNOWN),
    ],
)
def test_what_it_used_is_what_it_said_and_nothing_otherwise(name: str, spent: Spend | None) -> None:
    assert replay(name)[1].find_spent() == spent


def test_who_counts_each_step_is_counted_while_it_works() -> None:
    heard, seen = Heard(), []
    for line in (CAPTURES / "opencode-edit.jsonl").read_bytes().splitlines():
        hear("opencode", line, heard=heard)
        spent = heard.find_spent()
        seen.append(spent.tokens if spent else None)
    assert list(dict.fromkeys(seen)) == [None, 1020, 2040, 3060]


CACHED = {"input": 3600, "cache_read": 400, "output": 80}


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("gemini-edit", [Usage(model="stub-model", **CACHED)]),
        ("qwen-edit", [Usage(model="stub-model", **CACHED)]),
        ("codex-edit", [Usage(**CACHED)]),
    ],
)
def test_tokens_of_a_named_model_are_priced_and_others_are_not(
    name: str, parts: list[Usage]
) -> None:
    def find(usage: Usage) -> Estimate | None:
        return Estimate(usd=Decimal("0.5"), source="a list") if usage.model else None

    _, heard = replay(name)
    spent = heard.find_spent(find)
    assert heard.parts == parts and spent is not None
    priced = (spent.usd, spent.priced) == (Decimal("0.5"), "a list")
    assert priced is DIALECTS[name.partition("-")[0]].models


@pytest.mark.parametrize(
    ("name", "ending", "said"),
    [
        ("claude-401", Ending.AUTH_REQUIRED, "Failed to authenticate. API Error: 401"),
        ("claude-429", Ending.RATE_LIMITED, "API Error: Request rejected (429)"),
        ("opencode-401", Ending.AUTH_REQUIRED, "APIError 401 scripted failure 401"),
        ("opencode-429", Ending.RATE_LIMITED, "APIError 429 scripted failure 429"),
        ("codex-401", Ending.AUTH_REQUIRED, "unexpected status 401 Unauthorized: "),
        ("gemini-401", Ending.AUTH_REQUIRED, "[API Error: {"),
        ("qwen-401", Ending.AUTH_REQUIRED, "[API Error: 401 scripted failure 401]"),
        ("kimi-cli-401", Ending.AUTH_REQUIRED, "Error code: 401 - "),
        ("kimi-cli-429", Ending.RATE_LIMITED, "Error code: 429 - "),
    ],
)
def test_why_it_failed_is_told_with_its_own_words(name: str, ending: Ending, said: str) -> None:
    _, heard = replay(name)
    over = heard.conclude(1)
    assert over.ending is ending and over.detail.startswith(said)
    assert heard.conclude(0) == Over(Ending.END_TURN), "the exit code alone says how it ended"
    assert heard.conclude(-9) == heard.conclude(None) == Over(Ending.CRASHED)


def test_an_error_of_the_vendors_is_none_of_its_words() -> None:
    told, _ = replay("claude-401")
    assert [one for one in told if isinstance(one, Spoken)] == []
    assert Noted("Failed to authenticate. API Error: 401 scripted failure 401") in told


def test_a_limit_of_its_own_is_called_so() -> None:
    heard = Heard()
    hear("claude", event(type="result", subtype="error_max_turns", is_error=True), heard=heard)
    assert heard.conclude(1) == Over(Ending.LIMIT, "error_max_turns")


def test_what_a_helper_of_its_own_says_is_none_of_its_words() -> None:
    part = {"content": [{"type": "text", "text": '{"tasks": []}'}]}
    told = hear("claude", event(type="assistant", message=part, parent_tool_use_id="toolu_1"))
    assert told == [Spoken('{"tasks": []}\n', thought=True)]


def test_a_call_that_failed_is_said() -> None:
    told, _ = replay("claude-fail")
    assert Noted("failed: Exit code 1") in told


def test_a_line_that_is_no_event_is_text_and_the_last_of_them_are_remembered() -> None:
    heard = Heard()
    lines = [f"line {at}".encode() for at in range(STRAY + 2)]
    odd = [b"{", b"[1]", b"\xff", b'{"a": 1}', b'{"type": 3}', b"9" * 5000, b"[" * 100_000]
    for line in (*lines, *odd):
        assert hear("claude", line, heard=heard) == [
            Spoken(line.decode("utf-8", "replace") + "\n")
        ], line[:20]
    assert len(heard.stray) == STRAY and all(len(line) <= 2000 for line in heard.stray)
    assert heard.find_spent() is None


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_event_that_nobody_knows_is_passed_over(dialect: str) -> None:
    heard = Heard()
    kind = DIALECTS[dialect].kind
    assert hear(dialect, event(**{kind: "telepathy", "usage": 1}), heard=heard) == []
    assert heard == Heard()


WRONG: tuple[object, ...] = (None, -1, 1.5, "9", True, [], {}, 10**13, [[]], {"a": {"b": []}})


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_a_part_of_the_wrong_shape_says_nothing(wrong: object) -> None:
    """Every value of every event that was captured, in its turn."""
    for path in sorted(CAPTURES.glob("*.jsonl")):
        dialect = path.name.partition("-")[0]
        for line in path.read_bytes().splitlines():
            for spoiled in spoil(line, wrong):
                heard = Heard()
                for one in hear(dialect, spoiled, heard=heard):
                    assert isinstance(one, Spoken | Called | Noted)
                spent = heard.find_spent()
                assert spent is None or (spent.tokens or 0) >= 0
                heard.conclude(1)


def spoil(line: bytes, wrong: object) -> list[bytes]:
    """Return the event with each of its values in turn replaced."""
    try:
        whole = json.loads(line)
    except ValueError:
        return []
    found = []

    def walk(value: object) -> None:
        pairs = value.items() if isinstance(value, dict) else enumerate(value)  # type: ignore[arg-type]
        for key, inner in list(pairs):
            value[key] = wrong  # type: ignore[index]
            found.append(json.dumps(whole).encode())
            value[key] = inner  # type: ignore[index]
            if isinstance(inner, dict | list):
                walk(inner)

    walk(whole)
    return found


def test_a_count_in_which_a_part_is_more_than_the_whole_is_none() -> None:
    heard = Heard()
    used = {"input_tokens": 10, "cached_input_tokens": 20, "output_tokens": 1}
    hear("codex", event(type="turn.completed", usage=used), heard=heard)
    assert heard.find_spent() is None


def test_steps_without_end_are_one_figure_that_stays_a_figure() -> None:
    heard = Heard()
    tokens = {"input": 10**12, "output": 10**12, "cache": {"read": 10**12}}
    step = event(type="step_finish", part={"tokens": tokens, "cost": 10**12})
    hear("opencode", *[step] * 2000, heard=heard)
    assert len(heard.parts) == 1 and heard.find_spent() is not None


def test_every_preset_prints_what_is_read_and_says_so_wherever_it_is_started() -> None:
    for agent in PRESETS:
        told = {"stream-json", "json", "--json"}
        commands = [agent.argv, agent.looks, *(edition.argv for edition in agent.editions)]
        assert agent.dialect == agent.name
        assert all(told.intersection(argv) for argv in commands if argv), agent.name
        headless, says = agent.ways["cli"], DIALECTS[agent.dialect]
        assert (headless.tokens, headless.usd) == (says.tokens, says.usd)
    live = {name for name, says in DIALECTS.items() if says.tokens is Reporting.LIVE}
    assert live == {"opencode"} and DIALECTS["kimi"].tokens is Reporting.NEVER
