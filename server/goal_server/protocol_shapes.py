"""What travels, as names and types that any language can spell.

Made from the models of the registry, and from one table for what is said beside it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from goal_engine.budget import Spend
from goal_engine.progress import GoalProgressSnapshot
from goal_server.goal_views import GateView, SpendView
from goal_server.lsp_settings import SECTION
from goal_server.registry import OPERATIONS, load

Model = type[BaseModel]

PROGRESS_NAME = "GoalProgress"
PAGES = ("goal", "plan", "proof", "diff", "base", "head", "diagnosis", "review", "replay")
"""What `goal/render` shows."""


@dataclass(frozen=True, slots=True)
class Named:
    """A type that is told by its name alone."""

    name: str


@dataclass(frozen=True, slots=True)
class Field:
    """One key of an object that travels."""

    name: str
    annotation: Any
    optional: bool
    """Whether the key may be left out."""
    about: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """One object that travels."""

    name: str
    about: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Words:
    """How a language spells types."""

    text: str
    number: str
    boolean: str
    nothing: str
    anything: str
    listed: str
    """A list; `{}` is its items' type."""
    mapped: str
    """A mapping; `{}` are the types of its keys and values."""
    union: str
    """What stands between alternatives."""
    quote: str
    prefix: str = ""
    """What stands before the name of an object."""


TYPESCRIPT = Words(
    "string", "number", "boolean", "null", "unknown", "readonly ({})[]", "Readonly<Record<{}, {}>>",
    " | ", '"',
)  # fmt: skip
LUA = Words(
    "string", "number", "boolean", "nil", "any", "({})[]", "table<{}, {}>", "|", "'", f"{SECTION}."
)


Mode = Literal["proposed", "present", "moved", "stale"]
ROOT = Field("root", str, True, "The folder's URI; the first folder when left out.")
GOAL = Field("goal", str, False, "The goal's id.")
SPOKEN = (
    Shape("Refusal", "The data of the error -32803.", (
        Field("class", str, False, "The kind of refusal, such as `GatesNotApproved`."),
        Field("message", str, False),
        Field("gates", tuple[GateView, ...], True, "With `GatesNotApproved`: what is to be approved."),
    )),
    Shape("FieldProblem", "One item of the data of the error -32602.", (
        Field("field", str, False), Field("message", str, False),
    )),
    Shape("WaitParams", "`goal/wait`, which answers with a GoalView.", (GOAL, ROOT)),
    Shape("Position", "A place in a document, as in LSP.", (
        Field("line", int, False), Field("character", int, False),
    )),
    Shape("TextDocument", "A document, as in LSP.", (Field("uri", str, False),)),
    Shape("ExplainParams", "`goal/explain`: a place in a document, or a goal.", (
        Field("textDocument", Named("TextDocument"), True), Field("position", Named("Position"), True),
        Field("goal", str, True, "The goal's id."), Field("criterion", str, True), ROOT,
    )),
    Shape("Explanation", "What `goal/explain` answers; null where there is nothing to say.", (
        GOAL, Field("mode", Mode | None, False), Field("task", str | None, False),
        Field("criterion", str | None, False), Field("gate", str | None, False),
        Field("markdown", str, False),
    )),
    Shape("RenderParams", "`goal/render`: one page of a goal.", (
        GOAL, ROOT, Field("page", Named("Page"), False), Field("task", str, True),
        Field("path", str, True, "With `base` and `head`: the file, relative to the repository."),
    )),
    Shape("Rendered", "What `goal/render` answers.", (
        Field("title", str, False), Field("text", str, False), Field("languageId", str, False),
        Field("exists", bool, False), Field("binary", bool, False),
    )),
)  # fmt: skip
"""What is said beside LSP outside of the registry."""


def find_shapes() -> tuple[Shape, ...]:
    """Return every object of the registry, of progress and of settings, what is used first."""
    models: list[Model] = []
    for row in OPERATIONS:
        for reference in (row.params, row.result):
            _collect(load(reference), models)
    shapes = [shape_of(model) for model in models]
    return (*shapes, progress_shape(), *SPOKEN)


def _collect(model: Model, found: list[Model]) -> None:
    """Add `model` after what its fields are made of."""
    if model in found:
        return
    for field in model.model_fields.values():
        for part in _parts(field.annotation):
            if inspect.isclass(part) and issubclass(part, BaseModel):
                _collect(part, found)
    if model not in found:
        found.append(model)


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


def shape_of(model: Model) -> Shape:
    """Return a model as it is on the wire: results have every key, parameters may leave some out."""
    is_params = model.__module__.endswith("parameters")
    fields = tuple(
        Field(
            name=field.alias or to_camel(name),
            annotation=field.annotation,
            optional=is_params and not field.is_required(),
            about=field.description or "",
        )
        for name, field in model.model_fields.items()
        if not field.exclude
    )
    return Shape(model.__name__, _first_line(model), fields)


def progress_shape() -> Shape:
    """Return what `goal/progress` carries."""
    fields = [
        Field(to_camel(name), SpendView if field.annotation is Spend else field.annotation, False)
        for name, field in GoalProgressSnapshot.model_fields.items()
    ]
    fields.append(Field("percentage", int, False))
    about = "What `goal/progress` tells of a goal.  A lower `rev` is older."
    return Shape(PROGRESS_NAME, about, tuple(fields))


def _first_line(model: Model) -> str:
    return (inspect.getdoc(model) or "").partition("\n")[0]


def spell(annotation: Any, words: Words) -> str:
    """Return a type in the language of `words`."""
    if isinstance(annotation, Named):
        return words.prefix + annotation.name
    origin, arguments = get_origin(annotation), get_args(annotation)
    match origin:
        case _ if origin is Annotated:
            return spell(arguments[0], words)
        case _ if origin is Literal:
            return _join((f"{words.quote}{value}{words.quote}" for value in arguments), words)
        case _ if origin in (Union, UnionType):
            return _join((spell(part, words) for part in arguments), words)
        case _ if origin in (tuple, list, frozenset):
            return _list_of(spell(arguments[0], words), words)
        case _ if origin is dict:
            return words.mapped.format(*(spell(part, words) for part in arguments))
    if inspect.isclass(annotation):
        return _spell_class(annotation, words)
    return words.anything


def _spell_class(kind: type, words: Words) -> str:
    if kind is NoneType:
        return words.nothing
    if issubclass(kind, BaseModel):
        return words.prefix + kind.__name__
    if issubclass(kind, Enum):
        return _join((f"{words.quote}{member.value}{words.quote}" for member in kind), words)
    if issubclass(kind, bool):
        return words.boolean
    if issubclass(kind, int | float):
        return words.number
    if issubclass(kind, str | Decimal | datetime):  # numbers that must stay exact travel as text
        return words.text
    return words.anything


def _join(parts: Iterable[str], words: Words) -> str:
    return words.union.join(dict.fromkeys(parts))


def _list_of(item: str, words: Words) -> str:
    listed = words.listed.format(item)
    return listed if words.union.strip() in item else listed.replace("(", "").replace(")", "")
