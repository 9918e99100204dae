"""Text for people: what comes from outside cannot steer the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from goal_engine.decision import Decided
from goal_engine.proof.verdict import Verdict
from goal_engine.replay import ReplayOptions, tell_story
from goal_engine.state import events as e
from goal_engine.state.model import GoalState
from goal_engine.state.store import Summary
from goal_engine.task_graph.graph import GoalTask, GoalTaskGraph
from goal_engine.types import Decision, GoalStatus
from goal_server import goal_views as g
from goal_server import pictures
from goal_server import results as r
from goal_server.facts import render_facts
from goal_server.goal_page import (
    render_diagnosis_page,
    render_goal_page,
    render_replay_page,
    render_review_page,
)
from goal_server.moments import say_ms
from goal_server.plain import plain_line, plain_text
from goal_server.render import RENDERERS, render_result
from tests.builders import a_goal, an_ask

from .fakes import BASE, asked, created, entry, judged, planned, state_of


@pytest.mark.parametrize(
    "hostile",
    [
        "\x1b[31m",
        "\x9b2J",
        "\r",
        "\x07",
        "\u202e",
        "\u2066",
        "\u200b",
        "\u2028",
        "\U000e0041",
        "\x7f",
        "\ud800",
    ],
)
def test_what_a_terminal_would_obey_is_gone(hostile: str) -> None:
    assert plain_text(f"a{hostile}b").isprintable()
    assert plain_line(f"a{hostile}b").startswith("a")


def test_letters_of_all_scripts_stay() -> None:
    assert plain_line("Größe 大きさ гд\té\n−3") == "Größe 大きさ гд é −3"


def test_a_goal_that_names_escapes_is_shown_as_text() -> None:
    state = state_of(created(text="Fix \x1b]0;gotcha\x07 \u202egnihton"), planned())
    text = click.unstyle(render_result(pictures.render_goal(state, None)))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "Fix ]0;gotcha gnihton" in text


def test_every_result_has_a_text() -> None:
    results = {kind for kind in g.View.__subclasses__() if kind.__name__.endswith(("View", "List"))}
    parts = {
        g.TaskView,
        g.GateView,
        g.CriterionView,
        g.SpendView,
        g.BudgetView,
        g.QuestionView,
    }
    parts |= {g.FindingView, g.ReviewSectionView, r.PassedOverView}
    parts |= {g.ConflictView, g.ConflictedFileView, g.NewsView, g.AskView}
    parts |= {r.HunkView, r.PassedOverView, g.ReceiptView, g.DecisionView}
    parts |= {
        r.LimitView,
        r.ShareView,
        r.CheckpointView,
        r.WarningView,
        r.ExtensionView,
    }
    parts |= {r.RoomView, g.ConflictView, g.ConflictedFileView}
    parts |= {g.ForecastView, g.TaskForecastView, g.RangeView}
    parts |= {
        g.SeedingView,
        r.MomentView,
        r.MoveView,
        r.NamedObjectView,
        r.TimeView,
        r.DifferenceView,
    }
    rendered_elsewhere = {
        *(g.ChangeView, r.WorkerView, r.AgentView, r.WayView, r.CheckView, r.DemoView),
        *(r.PageView, r.ExplanationView, r.SeenView),  # pages of an editor
    }
    assert set(RENDERERS) == results - parts - rendered_elsewhere


def test_a_ready_goal_shows_spend_proof_and_next_steps() -> None:
    state = state_of(created(), planned(), e.GoalStarted(), *judged(Verdict.READY))
    text = click.unstyle(render_result(pictures.render_goal(state, Path("/proofs/d"))))
    assert "unknown tokens" in text
    assert f"proof   {'d' * 16}  /proofs/d" in text
    assert f"goalproof deliver {state.goal_id}" in text


def test_a_goal_that_asks_says_how_to_answer() -> None:
    blocked = e.GoalBlocked(on="human", reason="vague", next="answer")
    state = state_of(created(), asked("scope"), blocked)
    view = pictures.render_goal(state, None)
    assert view.next[0] == f"goalproof answer {state.goal_id} scope TEXT"
    assert "What of scope?" in render_result(view)


def test_a_damaged_goal_stays_in_the_list() -> None:
    line = g.GoalLine(id="goal-x", damage="line 3 does not verify")
    text = click.unstyle(render_result(r.GoalList(goals=(line,))))
    assert text.startswith("damaged  goal-x")
    assert "line 3" in text


def test_a_goal_that_a_newer_release_went_on_with_says_so() -> None:
    state = state_of(created(), planned(), e.FormatRaised(format=e.FORMAT + 1))
    line = pictures.render_line(Summary(state.goal_id, state))
    for view in (r.GoalList(goals=(line,)), pictures.render_goal(state, None)):
        assert "update Goalproof" in " ".join(render_result(view).split())


def a_story(*events: e.GoalEvent, **options: Any) -> r.ReplayView:
    entries = tuple(entry(number, event) for number, event in enumerate(events, 1))
    told = tell_story(entries, ReplayOptions(**options))
    return pictures.render_replay(told, shows_state="at" in options)


ASKED = e.ControlRequested(
    kind=e.ControlKind.PAUSE, decision=Decision(actor="ann\x1b[2J", reason="lunch | <b>")
)
STORY = (created(text="Fix \x1b]0;it\x07"), planned(), e.GoalStarted(), ASKED)


def test_a_story_says_what_who_and_why_and_stays_text() -> None:
    text = click.unstyle(render_result(a_story(*STORY, e.GoalPaused(reason="asked"))))
    assert "\x1b" not in text and "\x07" not in text
    assert "  4  2030-01-02 03:04:05    it was asked to pause — by ann[2J: lunch | <b>\n" in text
    assert "it stopped, to go on later: asked [paused]\n" in text
    assert "to entry 5 of 5" in text


def test_a_story_at_a_moment_shows_the_goal_without_what_to_do_next() -> None:
    text = click.unstyle(render_result(a_story(*STORY, at=2, last=1)))
    assert "earlier 1 moment more: `--at 2`" in text
    assert "As it was after entry 2, 2030-01-02 03:04:05:" in text
    assert "Next:" not in text and "Repair the login" in text


def test_a_story_between_two_moments_says_what_is_different() -> None:
    text = click.unstyle(render_result(a_story(*STORY, start=2, end=3)))
    assert "Different\n  status: planned → running\n" in text
    assert "after entry 2 to entry 3 of 4" in text
    same = click.unstyle(render_result(a_story(*STORY, start=3, end=3)))
    assert "Different\n  nothing but the number of the entry\n" in same


def test_a_damaged_story_says_so_first() -> None:
    view = a_story(*STORY).model_copy(
        update={"damage": "line 6: its digest is wrong", "defects": ("`list` lies",)}
    )
    text = click.unstyle(render_result(view))
    assert text.index("damaged line 6") < text.index("defect  `list` lies") < text.index("What")
    page = render_replay_page(view)
    assert "## Damaged\n\nline 6: its digest is wrong" in page and "list\\` lies" in page


def test_the_page_of_a_story_obeys_nothing() -> None:
    page = render_replay_page(a_story(*STORY))
    assert "\x1b" not in page and "<b>" not in page.replace("\\<b\\>", "")
    assert "lunch \\| \\<b\\>" in page


@pytest.mark.parametrize(
    ("ms", "said"),
    [(0, "0.0 s"), (59_999, "59.9 s"), (60_000, "1 min 0 s"), (3_600_000, "1 h 0 min"), (7_260_000, "2 h 1 min")],
)  # fmt: skip
def test_a_length_of_time_is_said_in_the_unit_that_fits(ms: int, said: str) -> None:
    assert say_ms(ms) == said


def test_an_entry_is_told_as_one_line_for_each_fact() -> None:
    state = state_of(created(text="Fix\nit"), planned())
    lines = render_facts(state, entry(1, created(text="Fix\nit"), planned(), e.GoalStarted()))
    assert lines == (
        f"goal {state.goal_id}: Fix it (fix: it says fix)",
        "planned: 1 task, 1 criterion (plan)",
    )


def test_views_are_camel_case_on_the_wire() -> None:
    wire = pictures.render_goal(state_of(created(), planned()), None).model_dump(by_alias=True)
    assert wire["baseCommit"] == "a" * 40
    assert wire["spend"]["wallMs"] == 0


def in_my_hands(*more: e.GoalEvent) -> GoalState:
    task = GoalTask(id="work", title="Do it", worker="manual")
    plan = planned().changed(graph=GoalTaskGraph(tasks=(task,)))
    begun = e.TaskStarted(task="work", attempt=1, base_commit=BASE)
    handed = e.TaskHandedOver(task="work", attempt=1, folder="/desks/\x1b[31mwork")
    return state_of(created(), plan, e.GoalStarted(), begun, handed, *more)


def test_a_task_of_mine_says_where_and_what_next() -> None:
    state = in_my_hands()
    view = pictures.render_goal(state, None)
    assert view.tasks[0].folder == "/desks/\x1b[31mwork" and not view.tasks[0].has_log
    assert view.next[0] == f"goalproof submit {state.goal_id}"
    text = click.unstyle(render_result(view))
    assert "yours   /desks/[31mwork\n" in text and "why" not in text
    line = render_facts(
        state, entry(5, e.TaskHandedOver(task="work", attempt=1, folder="/desks/w"))
    )
    assert line == (
        "waiting for you: edit the files in /desks/w, then in another terminal"
        f" `goalproof submit {state.goal_id}`",
    )


def test_a_cancelled_goal_says_where_my_work_is() -> None:
    state = in_my_hands(e.GoalCancelled(reason="no", kept=("work",)))
    assert "is kept in /desks/[31mwork" in click.unstyle(
        render_result(pictures.render_goal(state, None))
    )
    assert "submit" not in " ".join(pictures.render_goal(state, None).next)
    assert pictures.render_goal(in_my_hands(e.GoalCancelled(reason="no")), None).notices == ()


def test_a_limit_that_nobody_can_keep_says_how_to_go_on() -> None:
    waits = e.GoalBlocked(on="human", reason="a limit", next="answer")
    state = state_of(created(), planned(), e.GoalStarted(), asked("unmetered"), waits)
    view = pictures.render_goal(state, None)
    assert view.next[0] == f"goalproof answer {state.goal_id} unmetered unlimited"


def test_a_diagnosis_is_text_wherever_it_is_shown() -> None:
    evil = "\x1b]0;gotcha\x07 \u202e[click](command:evil) `rm`\n# Ready"
    seen = r.SeenView(source="gate tests", text=evil, path="a`b.py", line=3, log="goalproof log x")
    view = r.DiagnosisView(
        goal="goal-1", text=evil, status="not_ready", why=evil, cause=evil, evidence=(seen,),
        tried=(evil,), advice=evil, next=("goalproof execute x",),
    )  # fmt: skip
    text = click.unstyle(render_result(view))
    page = render_diagnosis_page(view)
    for shown in (text, page):
        assert not {"\x1b", "\x07", "\u202e"} & set(shown)
        assert "a`b.py:3" in shown and "goalproof execute x" in shown
    assert "[click](command" not in page
    assert sum(line.startswith("# ") for line in page.splitlines()) == 1


def test_a_review_is_text_wherever_it_is_shown() -> None:
    evil = "\x1b]0;gotcha\x07 \u202e[click](command:evil) `rm`\n# Ready"
    found = g.FindingView(
        rule="stub",
        severity="notes",
        path="a`b.py",
        line=3,
        message=evil,
        excerpt="`\x1b[0m[x](y)`",
    )
    section = g.ReviewSectionView(
        name="code",
        status="warned",
        findings=(found,),
        more=2,
        risks=(evil,),
        gaps=(evil,),
        next=evil,
    )
    quiet = section.model_copy(
        update={"name": "test", "findings": (), "more": 0, "risks": (), "gaps": (), "next": ""}
    )
    view = r.ReviewView(
        goal="goal-1", tree="c" * 40, status="warned", sections=(section, quiet),
        next=("goalproof diff x",),
    )  # fmt: skip
    text, page = click.unstyle(render_result(view)), render_review_page(evil, view)
    for shown in (text, page):
        assert not {"\x1b", "\x07", "\u202e"} & set(shown)
        assert "a`b.py:3" in shown and "and 2 more" in shown and "goalproof diff x" in shown
    assert "## code: warned" in page and "## test: warned\n\nNothing was found." in page
    assert "[click](command" not in page and "`` `[0m[x](y)` ``" in page
    assert sum(line.startswith("# ") for line in page.splitlines()) == 1


def test_a_goal_shows_who_decided_what_and_why() -> None:
    decision = Decision(actor="ann\x1b[2J", reason="no | use")
    state = state_of(created(), planned())
    decided = Decided(verb="accept", about="adds", tree=BASE, decision=decision)
    view = pictures.render_goal(state.changed(decisions=(decided,)), None)
    (line,) = [line for line in render_result(view).splitlines() if "accept" in line]
    for told in ("ann", "adds", f"tree {BASE[:12]}", "no | use"):
        assert told in line
    assert "\x1b" not in line
    page = render_goal_page(view)
    assert "## Decisions" in page and "ann" in page and "\x1b" not in page
    assert "Decisions" not in render_result(pictures.render_goal(state, None))


def test_what_an_agent_asks_is_shown_whole_with_what_to_type() -> None:
    asked = an_ask("git push\nrm -rf \x1b[2Jx")
    state = a_goal(
        GoalStatus.RUNNING, e.TaskStarted(task="fix", attempt=1, base_commit=BASE), asked
    )
    view = pictures.render_goal(state, None)
    assert view.next[0] == f"goalproof answer {view.id} {asked.key} allow"
    assert view.asks[0].text == r"Bash: git push ⏎ rm -rf \x1b[2Jx"
    text = render_result(view)
    assert f"{asked.key}  task fix: Bash: git push ⏎ rm" in text and "\x1b[2J" not in text
    page = render_goal_page(view)
    assert asked.key in page and "git push" in page
