"""A goal that can only be looked at, or whose runner is gone, says so wherever it is shown."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from goal_engine.document import render_plan
from goal_engine.engine import Engine
from goal_engine.errors import NotPossibleNow
from goal_engine.state import events as e
from goal_engine.state.commands import Record, StartGoal
from goal_engine.state.store import GONE
from goal_server.operations import Context, dispatch
from goal_server.registry import find_operation, load
from tests.builders import GOAL, a_first_entry

NEWER = e.FormatRaised(format=e.FORMAT + 1)


@pytest.fixture
def opened():
    engines = []

    def open_engine(path: Path) -> Engine:
        engines.append(Engine(path))
        return engines[-1]

    yield open_engine
    for engine in engines:
        engine.close()


@pytest.fixture
async def engine(tmp_path, opened):
    """A goal that is worked on by a process that is gone."""
    (tmp_path / "one").mkdir()
    engine = opened(tmp_path / "one")
    await engine.ports.store.create(GOAL, a_first_entry())
    await engine.ports.transact(GOAL, StartGoal())
    return engine


async def ask(engine, name, **given):
    operation = find_operation(name)
    context = Context(engine=engine, say=lambda line: None, trusted=True, actor="Ann")
    return await dispatch(context, operation, load(operation.params).model_validate(given))


def read_files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def find_said(engine):
    """Return what is said of the goal wherever it is shown, its status first."""
    [line] = (await ask(engine, "list")).goals
    shown = await ask(engine, "show", goal=GOAL)
    told = await ask(engine, "replay", goal=GOAL)
    return {line.status, shown.status, told.status}, (line.notice, shown.notices, told.note)


def folder_of(engine):
    return engine.checkout / ".goalproof" / "goals" / GOAL


async def test_a_goal_in_a_copy_says_that_nobody_works_on_it_and_nothing_is_written(
    engine, opened, tmp_path
):
    copy = opened(shutil.copytree(engine.checkout, tmp_path / "two"))
    before = read_files(copy.checkout)
    with engine.ports.store.runner_lock(GOAL):  # the original is worked on
        status, (line, shown, note) = await find_said(copy)
    assert status == {"running"}
    assert (line, note) == (GONE, GONE) and GONE in shown
    assert read_files(copy.checkout) == before


async def test_a_goal_that_is_worked_on_says_nothing_of_that(engine):
    with engine.ports.store.runner_lock(GOAL):
        assert await find_said(engine) == ({"running"}, ("", (), ""))


async def test_a_replay_of_a_goal_whose_runner_is_gone_says_so_and_a_list_records_it(engine):
    before = read_files(engine.checkout)
    told = await ask(engine, "replay", goal=GOAL)
    assert (told.status, told.note) == ("running", GONE)
    assert (await ask(engine, "replay", goal=GOAL, at=1)).note == ""  # nobody worked on it then
    assert read_files(engine.checkout) == before
    [line] = (await ask(engine, "list")).goals
    assert (line.status, line.blocker, line.notice) == ("paused", "interrupted", "")


async def test_where_nothing_can_be_recorded_it_is_shown_all_the_same(engine):
    """As on a disk that is mounted to be read: nobody can take the lock, and whether it is held shows."""
    (folder_of(engine) / "runner.lock").mkdir()
    status, (line, shown, note) = await find_said(engine)
    assert status == {"running"}
    assert (line, note) == (GONE, GONE) and GONE in shown


async def test_a_look_at_whether_a_goal_is_worked_on_makes_nothing(engine):
    assert not await engine.ports.store.is_running(GOAL)
    assert not (folder_of(engine) / "runner.lock").exists()


async def test_a_plan_that_can_only_be_looked_at_is_opened_elsewhere(engine, opened, tmp_path):
    copy = opened(shutil.copytree(engine.checkout, tmp_path / "two"))
    before = read_files(copy.checkout)
    found = await ask(copy, "open", goal=GOAL, what="plan")
    path = Path(found.path)
    try:
        assert path.read_text(encoding="utf-8") == render_plan(await copy.ports.read(GOAL))
        assert stat.S_IMODE(path.stat().st_mode) == 0o400
        assert not path.is_relative_to(copy.checkout) and read_files(copy.checkout) == before
    finally:
        shutil.rmtree(path.parent)
    mine = Path((await ask(engine, "open", goal=GOAL, what="plan")).path)
    assert mine.parent == folder_of(engine) and os.access(mine, os.W_OK)


async def test_what_a_newer_release_goes_on_with_is_shown_with_what_is_refused_and_why(engine):
    await engine.ports.transact(GOAL, Record((NEWER,)))
    [line] = (await ask(engine, "list")).goals
    shown = await ask(engine, "show", goal=GOAL)
    assert line.possible == shown.possible
    assert set(shown.possible) == {"diff", "diagnose", "show", "log", "open", "replay"}
    assert shown.next == (f"goalproof replay {GOAL}",)
    for name in ("pause", "cancel", "resume"):
        with pytest.raises(NotPossibleNow) as refused:
            await ask(engine, name, goal=GOAL)
        said = refused.value.paragraph
        assert "newer Goalproof" in said and f"`{name}` is refused" in said and "show" in said
