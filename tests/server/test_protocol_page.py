"""PROTOCOL.md and the editors' mirrors are what the registry says."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest

from goal_engine.types import GoalId, GoalPhase
from goal_server.goal_views import GateView
from goal_server.lsp_settings import SETTINGS
from goal_server.parameters import ExplainParams, RenderParams
from goal_server.protocol_mirrors import render_lua, render_typescript
from goal_server.protocol_page import PAGES, render_page
from goal_server.protocol_shapes import LUA, SPOKEN, TYPESCRIPT, spell
from goal_server.registry import OPERATIONS, load
from goal_server.results import ExplanationView, PageView


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_is_what_the_registry_says(path: Path) -> None:
    said = path.read_text(encoding="utf-8")
    assert said == PAGES[path](), "run `python -m goal_server.protocol_page`"


def test_every_command_is_on_the_page() -> None:
    page = render_page()
    assert all(f"`{operation.command}`" in page for operation in OPERATIONS)


def test_every_setting_is_on_the_page() -> None:
    page = render_page()
    assert all(f"| `{setting.key}` |" in page for setting in SETTINGS)


@pytest.mark.parametrize("render", [render_typescript, render_lua])
def test_a_mirror_names_every_command_parameter_and_key_of_a_result(render: Any) -> None:
    mirror = render()
    for operation in OPERATIONS:
        assert operation.command in mirror
        for model in (load(operation.params), load(operation.result)):
            for name, field in model.model_fields.items():
                assert field.exclude or (field.alias or name) in mirror


@pytest.mark.parametrize(
    ("annotation", "typescript", "lua"),
    [
        (str, "string", "string"),
        (bool, "boolean", "boolean"),
        (int | None, "number | null", "number|nil"),
        (Decimal, "string", "string"),
        (GoalId, "string", "string"),
        (tuple[str, ...], "readonly string[]", "string[]"),
        (tuple[GateView, ...], "readonly GateView[]", "goalproof.GateView[]"),
        (tuple[str | None, ...], "readonly (string | null)[]", "(string|nil)[]"),
        (Literal["a", "b"], '"a" | "b"', "'a'|'b'"),
        (GoalPhase, " | ".join(f'"{p}"' for p in GoalPhase), "|".join(f"'{p}'" for p in GoalPhase)),
        (
            dict[str, int] | None,
            "Readonly<Record<string, number>> | null",
            "table<string, number>|nil",
        ),
        (object, "unknown", "any"),
    ],
)
def test_a_type_is_spelled_in_both_languages(annotation: Any, typescript: str, lua: str) -> None:
    assert (spell(annotation, TYPESCRIPT), spell(annotation, LUA)) == (typescript, lua)


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("ExplainParams", ExplainParams),
        ("Explanation", ExplanationView),
        ("RenderParams", RenderParams),
        ("Rendered", PageView),
    ],
)
def test_what_is_said_beside_the_registry_is_what_the_server_takes_and_answers(
    name: str, model: Any
) -> None:
    (shape,) = (shape for shape in SPOKEN if shape.name == name)
    told = {field.name for field in shape.fields} - {"root"}
    assert told == {field.alias or key for key, field in model.model_fields.items()}
