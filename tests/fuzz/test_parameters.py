"""Whatever word a client gives for a parameter, it is used or refused, and never a fault."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic.alias_generators import to_camel

from goal_server.registry import OPERATIONS, load
from tests.e2e.wire import Message, Wire, running
from tests.integration.projects import FIX, a_project, plan_text

FAULT = -32603
PROBE = Path(__file__).parents[1] / "e2e" / "probe_server.py"
WORDS = ("\ud800", "x" * 5000, "\0", "../../out", "circle/x", ".", "-x", "")
FOR_LONG = {"run", "execute", "resume"}
"""What works for long; `plan` takes the same words as `run`."""
BESIDE = {
    "goal/wait": ("goal",),
    "goal/explain": ("goal", "criterion"),
    "goal/render": ("goal", "page", "task", "path"),
}


def find_words(goal: str) -> Iterator[tuple[str, Message]]:
    """Yield each request with one word in it that nothing is called."""
    for method, names in BESIDE.items():
        for name in names:
            yield from ((method, {"goal": goal, "page": "base", name: word}) for word in WORDS)
    for operation in sorted(OPERATIONS, key=lambda row: row.name == "cancel"):  # it ends the goal
        fields = load(operation.params).model_fields
        texts = [name for name, field in fields.items() if "str" in str(field.annotation)]
        usual = {
            name: goal if name == "goal" else "x" for name in texts if fields[name].is_required()
        }
        for name in (*texts, "root", "document"):
            for word in WORDS if operation.name not in FOR_LONG else ():
                value = (
                    (word,) if "tuple" in str(getattr(fields.get(name), "annotation", "")) else word
                )
                given = {to_camel(key): what for key, what in {**usual, name: value}.items()}
                params = {"command": operation.command, "arguments": [given]}
                yield "workspace/executeCommand", params


def find_faults(wire: Wire, asked: Iterator[tuple[str, Message]]) -> list[Any]:
    """Return the requests that the server fails at."""
    return [
        (method, params)
        for method, params in asked
        if wire.call(method, params).get("error", {}).get("code") == FAULT
    ]


def test_no_word_is_a_fault(tmp_path: Path) -> None:
    project = a_project(tmp_path / "project", **{"plan.toml": plan_text(FIX)})
    (project / "circle").symlink_to("circle")
    with running() as wire:
        wire.open(project)
        wire.approve()
        goal = wire.done("goal.run", plan="plan.toml")["id"]
        assert wire.call("goal/wait", {"goal": goal})["result"]["status"] == "ready"
        assert find_faults(wire, find_words(goal)) == []
        assert wire.complaints() == ""


def test_a_planted_fault_is_found(tmp_path: Path) -> None:
    planted = ("probe/boom", {"goal": "x"})
    with running((sys.executable, str(PROBE))) as wire:
        wire.open(tmp_path)
        assert find_faults(wire, iter([("probe/echo", {}), planted])) == [planted]
