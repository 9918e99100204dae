"""Progress on its way to an editor: latest wins, the last is sent, and words are plain."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from pydantic.alias_generators import to_camel

from goal_engine.budget import Spend
from goal_engine.progress import GoalProgressSnapshot, render_progress
from goal_server import lsp_progress
from goal_server.lsp_progress import Coalescer, render_snapshot
from tests.server.fakes import created, goal_id, planned, state_of


def snapshot(rev: int, **more: Any) -> GoalProgressSnapshot:
    return render_progress(state_of(created(), planned())).changed(rev=rev, **more)


async def test_of_a_burst_the_first_and_the_last_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lsp_progress, "PAUSE", 0.01)
    sent: list[int] = []
    last = asyncio.Event()

    def send(item: GoalProgressSnapshot) -> None:
        sent.append(item.rev)
        if item.rev == 50:
            last.set()

    coalescer = Coalescer(send)
    for rev in range(1, 51):
        coalescer.offer(snapshot(rev))
    assert sent == [1]
    await last.wait()
    assert sent == [1, 50]


async def test_an_older_snapshot_is_not_sent_after_a_newer_one() -> None:
    sent: list[int] = []
    coalescer = Coalescer(lambda item: sent.append(item.rev))
    coalescer.offer(snapshot(7))
    coalescer.offer(snapshot(6))
    coalescer.flush()
    assert sent == [7]


async def test_goals_do_not_wait_for_each_other_and_a_flush_leaves_nothing_behind() -> None:
    sent: list[tuple[str, int]] = []
    coalescer = Coalescer(lambda item: sent.append((item.goal_id, item.rev)))
    for rev in (1, 2):
        coalescer.offer(snapshot(rev))
        coalescer.offer(snapshot(rev, goal_id=goal_id(2)))
    assert sent == [(goal_id(1), 1), (goal_id(2), 1)]
    coalescer.flush()
    assert sent[2:] == [(goal_id(1), 2), (goal_id(2), 2)]


def test_no_word_of_a_goal_hides_another() -> None:
    hostile = "a\u202eb\x1b[31m\nc"
    view = render_snapshot(snapshot(1, text=hostile, blocker=hostile, lines=(hostile,)))
    assert {view["text"], view["blocker"], *view["lines"]} == {"ab[31m c"}


def test_what_is_sent_is_the_engines_snapshot_in_camel_case() -> None:
    view = render_snapshot(snapshot(1))
    names = {to_camel(name) for name in GoalProgressSnapshot.model_fields}
    assert set(view) == names | {"percentage"}
    assert set(view["spend"]) == {to_camel(name) for name in Spend.model_fields}
    assert json.loads(json.dumps(view)) == view
