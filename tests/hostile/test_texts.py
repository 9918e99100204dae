"""Words from outside, wherever they are shown: nothing in them is obeyed (S17, S18)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import click
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from goal_engine.budget import Spend
from goal_engine.diagnosis import diagnose
from goal_engine.proof.page_text import BEGIN, END, cell, foreign, settle
from goal_engine.proof.page_text import code as proof_code
from goal_engine.proof.verdict import Verdict
from goal_engine.replay import ReplayOptions, tell_story
from goal_engine.state import events as e
from goal_engine.state.store import Summary
from goal_server import goal_page, pictures, render
from goal_server import goal_views as g
from goal_server import results as r
from goal_server.explain import explain_criterion
from goal_server.lsp_lenses import name_goal
from goal_server.render import render_result
from tests.hostile.texts import TEXTS
from tests.server.fakes import created, entry, judged, planned, state_of

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
STEERS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
ADDRESS = re.compile(r"https?://|\bwww\.", re.IGNORECASE)
LIVE = re.compile(r"//|\bwww\.|@\w|#\d|\bGH-\d|mailto:", re.IGNORECASE)
"""What a forge makes of a word outside of code: a link, somebody is told, something is referred to."""
CODE = re.compile(r"(`+)[^`](?:.*?[^`])??\1(?!`)")


@pytest.fixture(autouse=True)
def _no_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left of escapes is not ours."""
    monkeypatch.setattr(click, "style", lambda text, **_: text)


def poisoned(view: Any, text: str) -> Any:
    """Return `view` with `text` in the place of all that is prose."""
    if isinstance(view, str):
        return text if " " in view else view
    if isinstance(view, tuple):
        return tuple(poisoned(item, text) for item in view)
    if isinstance(view, g.View):
        fields = view.model_fields_set
        return view.model_copy(
            update={name: poisoned(getattr(view, name), text) for name in fields}
        )
    return view


def make_views() -> Iterator[g.View]:
    """Yield what is shown of a goal that has something of everything."""
    events = (
        created(branch="a branch", kind_reason="it says so"),
        planned(),
        e.GoalStarted(),
        e.TaskStarted(task="login", attempt=1, base_commit="1" * 40),
        e.TaskFailed(task="login", attempt=1, reason="it did not", spent=Spend(attempts=1)),
        *judged(Verdict.NOT_READY, "a test fails", "the other one too"),
    )
    state = state_of(*events)
    yield pictures.render_goal(state, None)
    stopped = e.GoalBlocked(on="human", reason="it is vague", next="answer it")
    yield pictures.render_goal(state_of(created(), planned(), stopped), None)
    yield r.GoalList(goals=(pictures.render_line(Summary(state.goal_id, state)),))
    yield r.GoalList(goals=(g.GoalLine(id="goal-x", damage="line 3 does not verify"),))
    yield pictures.render_diagnosis(diagnose(state, {}))
    entries = tuple(entry(number, event) for number, event in enumerate(events, 1))
    for options in (ReplayOptions(), ReplayOptions(start=1, end=4)):
        yield pictures.render_replay(tell_story(entries, options), shows_state=False)
    yield r.LogView.model_construct(goal=state.goal_id, name="fix", text="a line")
    yield r.DiffView(goal=state.goal_id, task=None, patch="+ a line")


PAGES: dict[type[g.View], Callable[[Any], str]] = {
    g.GoalView: goal_page.render_goal_page,
    r.DiagnosisView: goal_page.render_diagnosis_page,
    r.ReplayView: goal_page.render_replay_page,
}
RAW = (r.LogView, r.DiffView)
"""Shown line by line as they are, so that a line of a workflow stays one."""


def find_steering(text: str) -> list[str]:
    """Return what a terminal would obey, or a forge that runs our command."""
    found = [hex(ord(c)) for c in text if c not in "\n\t" and unicodedata.category(c) in STEERS]
    lines = [line for line in text.splitlines() if line.lstrip().startswith("::") or "##[" in line]
    return found + lines


def find_active(markdown: str, *, addresses: bool = True) -> list[str]:
    """Return what Markdown would make of a text that is more than a text."""

    def walk(tokens: list[Token]) -> Iterator[str]:
        for token in tokens:
            if token.type in ("link_open", "image", "html_inline", "html_block"):
                yield f"{token.type} {token.attrs or token.content}"
            yield from walk(token.children or [])

    found = list(walk(MARKDOWN.parse(markdown)))
    found += [hex(ord(c)) for c in markdown if c != "\n" and unicodedata.category(c) in STEERS]
    return found + (ADDRESS.findall(CODE.sub("", markdown)) if addresses else [])


@pytest.fixture(scope="module")
def views() -> list[g.View]:
    return list(make_views())


@pytest.mark.parametrize("name", TEXTS)
def test_a_terminal_obeys_nothing(views: list[g.View], name: str) -> None:
    for view in views:
        said = find_steering(render_result(poisoned(view, TEXTS[name])))
        lines = [what for what in said if what.startswith("0x")] if isinstance(view, RAW) else said
        assert lines == [], type(view).__name__


@pytest.mark.parametrize("name", TEXTS)
def test_markdown_has_nothing_to_do(views: list[g.View], name: str) -> None:
    text = TEXTS[name]
    for view in views:
        if type(view) in PAGES:
            page = PAGES[type(view)](poisoned(view, text))
            assert find_active(page) == [], type(view).__name__


@pytest.mark.parametrize("name", [name for name in TEXTS if name != "half a character"])
def test_what_an_editor_shows_beside_the_text_has_nothing_to_do(name: str) -> None:
    text = TEXTS[name]
    plan = planned()
    criteria = tuple(one.changed(text=text) for one in plan.criteria)
    state = state_of(created(text=text, kind_reason=text), plan.changed(criteria=criteria))
    shown = explain_criterion(state, criteria[0].id)
    assert find_active(shown.markdown) == []
    assert [c for c in name_goal(state) if unicodedata.category(c) in STEERS] == []


@pytest.mark.parametrize("name", TEXTS)
def test_a_proof_s_page_has_nothing_to_do(name: str) -> None:
    text = TEXTS[name]
    page = f"> {cell(text)}\n\n| a | b |\n| --- | --- |\n| {cell(text)} | {proof_code(text)} |\n"
    assert find_active(page, addresses=False) == []
    page = (
        f"> {foreign(text)}\n\n| a | b |\n| --- | --- |\n| {foreign(text)} | {proof_code(text)} |\n"
    )
    dead = settle(page, dead=True)
    assert find_active(dead, addresses=False) == []
    inline = (token for token in MARKDOWN.parse(dead) if token.type == "inline")
    shown = [part.content for token in inline for part in token.children or []
             if part.type == "text"]  # fmt: skip
    assert LIVE.findall("\n".join(shown)) == []
    assert settle(page, dead=False) == page.replace(BEGIN, "").replace(END, "")


def test_what_is_shown_as_it_came_is_found_out(
    views: list[g.View], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(goal_page, "plain", lambda text: text)
    for name in ("plain_line", "plain_sheet"):
        monkeypatch.setattr(render, name, lambda text: text)
    goal = next(view for view in views if isinstance(view, g.GoalView))
    for name in ("a command", "a picture", "an element", "an address"):
        assert find_active(goal_page.render_goal_page(poisoned(goal, TEXTS[name]))), name
    for name in ("colours", "turned around", "half a character"):
        assert find_steering(render_result(poisoned(goal, TEXTS[name]))), name
