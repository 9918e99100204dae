"""`goalproof.toml` as people write it: strict, and every problem reported at once, with its line."""

from __future__ import annotations

import math
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, ValidationError

from goal_engine.errors import BadConfiguration
from goal_engine.gates.contradictions import find_contradiction
from goal_engine.gates.locate import Location, find_lines, find_unfinished
from goal_engine.proof.gate import GateName, GateReport, GateSpec
from goal_engine.proof.review import ReviewPolicy
from goal_engine.proof.rules import OF_THIS_MACHINE, RULES
from goal_engine.toml import UNREADABLE
from goal_engine.types import Frozen

NAME = "goalproof.toml"
LIMIT = 256 * 1024
"""Characters of a configuration that are read."""

MOST_RUNS = 100
"""Runs of one gate on one tree that may be asked for."""

AT_LINE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
LINE = re.compile(r", line (\d+)")
ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Configuration(Frozen):
    """What the person wrote about their workspace."""

    gates: tuple[GateSpec, ...] = ()
    python: str | None = None
    """A venv or an interpreter, as written: relative to the checkout or absolute."""
    copies: tuple[str, ...] = ()
    """Globs of untracked files that gates need in a workspace (`[workspace] copy`)."""
    review: ReviewPolicy = ReviewPolicy()
    setup: tuple[tuple[str, ...], ...] = ()
    """Commands that make each workspace ready before anything else runs in it."""
    keeps_setup: bool = True
    """Whether what they made may be kept (`[workspace] cache`)."""


@dataclass(frozen=True, order=True, slots=True)
class Mistake:
    """One thing wrong with a document: `line` counts from 1."""

    line: int
    text: str


def _check_inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if path.startswith(("/", "~")) or ".." in parts or "\\" in path or not path.strip():
        raise ValueError("is not a path inside the repository; write it relative, without `..`")
    if any(part.casefold() in (".git", ".goalproof") for part in parts):
        raise ValueError("leads into git's or our own folder; give another one")
    return path


def _check_word(word: str) -> str:
    if "\0" in word:
        raise ValueError("has a NUL character, which no command can take")
    return word


def _check_argv(argv: list[str]) -> list[str]:
    if not argv[0].strip():
        raise ValueError('starts with no program; write the words of a command, ["pytest", "-q"]')
    return argv


def _check_env(env: dict[str, str]) -> dict[str, str]:
    bad = [name for name in env if not ENV_NAME.fullmatch(name)]
    if bad:
        raise ValueError(f"has {bad[0]!r}, which is no name of a variable")
    return env


def _check_quarantine(glob: str) -> str:
    if not glob.strip("*? "):
        raise ValueError("means every test, and then the gate shows nothing; name the flaky ones")
    return glob


def _check_rule(rule: str) -> str:
    if rule not in RULES:
        close = get_close_matches(rule, RULES, n=1)
        meant = f"did you mean `{close[0]}`?" if close else f"there are {', '.join(RULES)}"
        raise ValueError(f"has {rule[:60]!r}, which is no rule of the review; {meant}")
    return rule


def _check_blocking(rule: str) -> str:
    if rule in OF_THIS_MACHINE:
        raise ValueError(
            f"has {rule!r}, which looks at what a proof does not have and so can only be told"
        )
    return _check_rule(rule)


Inside = Annotated[str, AfterValidator(_check_inside)]
Word = Annotated[str, AfterValidator(_check_word)]
Argv = Annotated[list[Word], Field(min_length=1), AfterValidator(_check_argv)]
Env = Annotated[dict[str, Word], AfterValidator(_check_env)]


class _Strict(Frozen):
    model_config = ConfigDict(strict=True)


class _Gate(_Strict):
    name: GateName
    argv: Argv
    cwd: Inside = "."
    env: Env = Field(default_factory=dict)
    timeout: float = Field(default=600, gt=0, allow_inf_nan=False)
    required: bool = True
    parallel: bool = True
    report: Literal["junit", "jest", "go", "cargo", "unittest", "exit"] = "exit"
    fix: Argv | None = None
    tests: list[Inside] = Field(default_factory=list)
    reruns: int = Field(default=2, ge=0, le=MOST_RUNS)
    confirm: int = Field(default=1, ge=0, le=MOST_RUNS)
    quarantine: list[Annotated[str, AfterValidator(_check_quarantine)]] = Field(
        default_factory=list
    )
    cache: bool = True
    group: Annotated[str, StringConstraints(pattern=r"^([a-z0-9][a-z0-9._-]{0,63})?$")] = ""
    memory: Annotated[int, Field(ge=1)] | None = None
    cpu: Annotated[int, Field(ge=1)] | None = None
    processes: Annotated[int, Field(ge=1)] | None = None
    files: Annotated[int, Field(ge=16)] | None = None
    output: Annotated[int, Field(ge=1)] | None = None


class _Workspace(_Strict):
    python: Annotated[str, Field(min_length=1), AfterValidator(_check_word)] | None = None
    copy_: list[Inside] = Field(default_factory=list, alias="copy")
    setup: list[Argv] = Field(default_factory=list)
    cache: bool = True


class _Review(_Strict):
    block: list[Annotated[str, AfterValidator(_check_blocking)]] = Field(default_factory=list)
    ignore: list[Annotated[str, AfterValidator(_check_rule)]] = Field(default_factory=list)


class _File(_Strict):
    gate: list[_Gate] = Field(default_factory=list)
    workspace: _Workspace = _Workspace()
    review: _Review = _Review()


KEYS = {
    (): ("gate", "workspace", "review"),
    ("gate",): tuple(_Gate.model_fields),
    ("workspace",): ("python", "copy", "setup", "cache"),
    ("review",): ("block", "ignore"),
}
"""Keys that there are, by the table they stand in."""


def parse_configuration(text: str, name: str = NAME) -> Configuration:
    """Return the configuration in `text`, called `name` in messages.

    Raises `BadConfiguration`: one paragraph with the line and key of every problem.
    """
    text = text.removeprefix("\ufeff")
    raw = _load(text, name)
    parsed, problems = _check(raw)
    if problems:
        raise BadConfiguration(_render(problems, text, name))
    return Configuration(
        gates=tuple(
            GateSpec(**gate.model_dump(), reason=f"written in {name}") for gate in parsed.gate
        ),
        python=parsed.workspace.python,
        copies=tuple(parsed.workspace.copy_),
        review=ReviewPolicy(block=tuple(parsed.review.block), ignore=tuple(parsed.review.ignore)),
        setup=tuple(tuple(argv) for argv in parsed.workspace.setup),
        keeps_setup=parsed.workspace.cache,
    )


def find_mistakes(text: str) -> tuple[Mistake, ...]:
    """Return everything that is wrong with a configuration, from top to bottom."""
    text = text.removeprefix("\ufeff")
    try:
        raw = _load(text, NAME)
    except BadConfiguration as error:
        found = LINE.search(error.paragraph)
        return (Mistake(int(found.group(1)) if found else 1, error.paragraph),)
    _, problems = _check(raw)
    lines = find_lines(text)
    return tuple(
        sorted({Mistake(_line_of(at, lines), f"`{_path(at)}` {said}") for at, said in problems})
    )


def _check(raw: dict[str, Any]) -> tuple[_File, list[tuple[Location, str]]]:
    problems: list[tuple[Location, str]] = []
    parsed = _File()
    try:
        parsed = _File.model_validate(raw)
    except ValidationError as error:
        problems += [(_clean(item["loc"]), _say(item)) for item in error.errors()]
    problems += _find_contradictions(raw)
    return parsed, problems


def _load(text: str, name: str) -> dict[str, Any]:
    if len(text) > LIMIT:
        raise BadConfiguration(
            f"{name} is longer than {LIMIT >> 10} KiB; keep only `[[gate]]` and `[workspace]`."
        )
    try:
        return tomllib.loads(text)
    except UNREADABLE as error:
        said = str(error) or "it is nested too deeply"
        at = AT_LINE.search(said)
        line = at.group(1) if at and at.group(1) else find_unfinished(text)
        column = f", column {at.group(2)}" if at and at.group(2) else ""
        raise BadConfiguration(
            f"{name}, line {line}{column}: this is not TOML: {AT_LINE.sub('', said)}. "
            "Correct that place and try again."
        ) from error


def _find_contradictions(raw: dict[str, Any]) -> Iterator[tuple[Location, str]]:
    """What no single key shows: names that stand twice, reports that nothing writes."""
    gates = [gate if isinstance(gate, dict) else {} for gate in _items(raw.get("gate"))]
    count: Counter[str] = Counter()
    for index, gate in enumerate(gates):
        name, argv = gate.get("name"), gate.get("argv")
        if isinstance(name, str):
            count[name] += 1
            if count[name] > 1:
                yield ("gate", index, "name"), f"{name!r} is the name of two gates; rename one"
        words = [word for word in _items(argv) if isinstance(word, str)]
        if not words:
            continue
        said = find_contradiction(gate.get("report", GateReport.EXIT.value), words)
        if said:
            yield ("gate", index, "argv"), said
        if gate.get("quarantine") and gate.get("report", "exit") == GateReport.EXIT:
            yield (
                ("gate", index, "quarantine"),
                (
                    "names tests, and this gate does not tell its tests apart; give it a `report`, "
                    "or leave the gate out with `required = false`"
                ),
            )


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _clean(location: tuple[int | str, ...]) -> Location:
    """The location without the names pydantic gives to members of a union or to a dict's keys."""
    return tuple(part for part in location if part != "[key]")


def _say(item: Any) -> str:
    """Say what is wrong with one value, and what to write instead."""
    kind, location = item["type"], _clean(item["loc"])
    if kind == "extra_forbidden":
        table = tuple(part for part in location[:-1] if isinstance(part, str))
        known = KEYS.get(table, ())
        close = get_close_matches(str(location[-1]), known, n=1)
        meant = f"did you mean `{close[0]}`?" if close else "remove it"
        return f"is not a key here; {meant} (known: {', '.join(known)})"
    if location == ("gate",) and kind == "list_type":
        return "is no list of tables; write `[[gate]]`, with two brackets"
    if kind == "missing":
        return f"is missing; add `{location[-1]} = …`"
    if kind in ("too_short", "string_too_short"):
        return "is empty; write at least one word, or leave the key out if it may be"
    if kind == "value_error":
        return str(item["ctx"]["error"])
    if kind == "string_pattern_mismatch":
        return (
            f"is {_quote(item['input'])}; use small letters, digits and `._-`, 64 at most, "
            "starting with a letter or digit"
        )
    return f"is {_quote(item['input'])}; {_lower(item['msg'])}"


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def _quote(value: object) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    shown = ascii(value) if not isinstance(value, bool) else str(value).lower()
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def _render(problems: list[tuple[Location, str]], text: str, name: str) -> str:
    lines = find_lines(text)
    found = sorted({(_line_of(at, lines), _path(at), said) for at, said in problems})
    listed = "; ".join(f"line {line}, `{path}` {said}" for line, path, said in found)
    return f"{name} cannot be used: {listed}. Correct this and try again."


def _line_of(location: Location, lines: dict[Location, int]) -> int:
    """The line of a key, or of the nearest table around it."""
    for length in range(len(location), 0, -1):
        if location[:length] in lines:
            return lines[location[:length]]
    return 1


def _path(location: Location) -> str:
    words = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return ascii("".join(words).removeprefix("."))[1:-1]
