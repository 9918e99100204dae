"""A replay believes the bytes on the disk and nothing else, changes none, and is the same everywhere."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys

import pytest

from goal_engine.engine import Engine
from goal_engine.errors import GoalNotFound, JournalDamaged
from goal_engine.replay import ReplayOptions, replay_goal_with_store
from goal_engine.state import events as e
from goal_engine.state.journal import encode_head
from goal_engine.state.memory import InMemoryGoalStateStore
from goal_engine.state.persistence import FileSystemGoalStateStore
from goal_engine.types import GoalStatus
from goal_server import cli
from goal_server.pages import render_named
from goal_server.parameters import RenderParams
from tests.builders import GOAL, GROUPS, a_first_entry, a_journal, entries_of, next_entry
from tests.integration.projects import FIX, a_plan, a_project, create, fingerprint

LINES = a_journal().splitlines(keepends=True)


@pytest.fixture(params=["disk", "memory"])
def store(request, tmp_path):
    if request.param == "memory":
        yield InMemoryGoalStateStore()
        return
    opened = FileSystemGoalStateStore(tmp_path / "store")
    yield opened
    opened.close()


async def fill(store, groups=GROUPS):
    """Write the goal as it came to be, entry by entry."""
    first, *rest = entries_of(groups)
    await store.create(GOAL, first)
    for entry in rest:
        await store.append(GOAL, entry)


async def test_every_store_tells_the_same_story(store):
    await fill(store)
    story = await replay_goal_with_store(store, "latest")
    assert [moment.seq for moment in story.moments] == [1, 1, 2, 3, 4, 5, 6]
    assert story.state == (await store.head(GOAL))[0]
    assert (story.damage, story.defects) == ("", ())
    with pytest.raises(GoalNotFound):
        await replay_goal_with_store(store, "goal-2031")


async def test_a_goal_that_goes_on_is_told_as_far_as_it_was(store):
    await store.create(GOAL, a_first_entry())
    before = await replay_goal_with_store(store, GOAL)
    await store.append(GOAL, next_entry(*await store.head(GOAL), e.GoalStarted()))
    after = await replay_goal_with_store(store, GOAL)
    assert (before.entries, after.entries) == (1, 2)
    assert after.moments[: len(before.moments)] == before.moments


@pytest.fixture
def folder(tmp_path):
    """The folder of a goal on disk that was cancelled, with its cache."""

    async def make():
        store = FileSystemGoalStateStore(tmp_path / "store")
        await fill(store)
        store.close()

    asyncio.run(make())
    return tmp_path / "store" / "goals" / GOAL


def replay(folder, **options):
    """Return the story that a process tells which has just been started."""
    store = FileSystemGoalStateStore(folder.parents[1])
    try:
        return asyncio.run(replay_goal_with_store(store, GOAL, ReplayOptions(**options)))
    finally:
        store.close()


@pytest.mark.parametrize("line", range(1, len(LINES)))
def test_a_damaged_journal_is_told_up_to_the_damage(folder, line):
    spoilt = [*LINES[:line], LINES[line].replace(b"goal.", b"gaol.", 1), *LINES[line + 1 :]]
    spoilt[line] = spoilt[line][:-2] + b"!\n"
    (folder / "events.jsonl").write_bytes(b"".join(spoilt))
    if line == 1:
        with pytest.raises(JournalDamaged, match="line 2"):
            replay(folder)
        return
    story = replay(folder)
    assert story.entries == story.last == line - 1
    assert f"line {line + 1}" in story.damage
    assert story.state.seq == line - 1


def test_a_torn_last_line_is_no_damage(folder):
    (folder / "events.jsonl").write_bytes(a_journal()[:-5])
    story = replay(folder)
    assert (story.entries, story.damage) == (5, "")


def forge(folder, status):
    """Make the cache of a goal say another status, with everything that it is checked by right."""
    path = folder / "events.jsonl"
    there = path.stat()
    state = replay(folder).state.changed(status=status)
    digest = LINES[-1][:64].decode()
    stamp = there.st_ino, there.st_size, there.st_mtime_ns
    (folder / "head.json").write_bytes(encode_head(state, digest, stamp))


def test_a_cache_that_was_forged_is_noticed(folder):
    assert replay(folder).defects == ()
    forge(folder, GoalStatus.CANCELLED)
    assert replay(folder).defects == ()
    forge(folder, GoalStatus.READY)
    (found,) = replay(folder).defects
    assert found.startswith("`list` does not show what the journal says at entry 6: status:")
    assert "cancelled → ready" in found
    assert replay(folder).state.status is GoalStatus.CANCELLED


def test_a_replay_writes_nothing(folder):
    before = fingerprint(folder.parents[1])
    (folder / "events.jsonl").write_bytes(a_journal() + b"torn")
    torn = fingerprint(folder.parents[1])
    assert torn != before
    replay(folder)
    assert fingerprint(folder.parents[1]) == torn


PLACES = (
    {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C"},
    {"PYTHONHASHSEED": "77", "TZ": "Pacific/Kiritimati", "LC_ALL": "C.UTF-8", "COLUMNS": "40"},
)


@pytest.mark.one_python
def test_a_story_is_the_same_bytes_in_every_process(tmp_path):
    project = a_project(tmp_path / "project")
    engine = Engine.open(project)
    goal = asyncio.run(create(engine, a_plan(FIX))).goal_id
    engine.close()
    command = [sys.executable, "-m", "goal_server", "--json", "-C", str(project), "replay", goal]
    said = [
        subprocess.run(
            [*command, "--at", "1"],
            env=os.environ | place,
            cwd=cwd,
            capture_output=True,
            check=True,
        ).stdout
        for place, cwd in zip(PLACES, (tmp_path, project), strict=True)
    ]
    assert said[0] == said[1]
    told = json.loads(said[0])
    assert told["goal"] == goal and told["state"]["status"] == told["status"] == "planned"


@pytest.mark.one_python
def test_the_command_line_tells_a_damaged_goal_and_says_how_it_differs(tmp_path, capsys):
    project = a_project(tmp_path / "project")
    engine = Engine.open(project)
    goal = asyncio.run(create(engine, a_plan(FIX))).goal_id
    engine.close()
    path = project / ".goalproof" / "goals" / goal / "events.jsonl"
    path.write_bytes(path.read_bytes() + b"x" * 70 + b"\n")
    assert cli.run(["-C", str(project), "show", goal]) != 0
    refused = capsys.readouterr()
    assert "damaged" in refused.err and f"goalproof replay {goal}" in refused.err
    assert cli.run(["-C", str(project), "replay", goal]) == 0
    told = capsys.readouterr().out
    assert "damaged " in told and "it got a plan" in told
    assert cli.run(["-C", str(project), "replay", goal, "--from", "1", "--to", "9"]) == 2
    assert "There is no entry 9 for `--to`" in capsys.readouterr().err


@pytest.mark.one_python
async def test_an_editor_has_the_page_of_a_damaged_goal(tmp_path):
    engine = Engine.open(a_project(tmp_path / "project"))
    goal = (await create(engine, a_plan(FIX))).goal_id
    path = engine.checkout / ".goalproof" / "goals" / goal / "events.jsonl"
    path.write_bytes(path.read_bytes() + b"x" * 70 + b"\n")
    page = await render_named(engine, RenderParams(goal=goal, page="replay"))
    assert "## Damaged" in page.text and "it got a plan" in page.text
    with pytest.raises(JournalDamaged):
        await render_named(engine, RenderParams(goal=goal, page="goal"))
    engine.close()
