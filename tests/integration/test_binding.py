"""A store that was moved, copied or came from elsewhere is looked at, and worked on once it is adopted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from goal_engine.binding import Binding
from goal_engine.engine import Engine
from goal_engine.errors import NotAdopted, StoreUnwritable
from goal_engine.runtime import binding as runtime
from goal_engine.state.persistence import FileSystemGoalStateStore
from goal_server.operations import Context, dispatch
from goal_server.registry import OPERATIONS, find_operation, load
from tests.builders import GOAL, a_first_entry, goal_id

TWO = goal_id(2)


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("GOALPROOF_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def opened():
    engines = []

    def open_engine(path):
        engines.append(Engine(path))
        return engines[-1]

    yield open_engine
    for engine in engines:
        engine.close()


@pytest.fixture
async def used(tmp_path, opened):
    """A checkout in which a goal was made."""
    path = tmp_path / "one"
    path.mkdir()
    await opened(path).ports.store.create(GOAL, a_first_entry())
    return path


def binding_of(path: Path) -> Binding:
    return runtime.look(path)[0]


async def ask(engine, name, **given):
    operation = find_operation(name)
    context = Context(engine=engine, say=lambda line: None, trusted=True, actor="Ann")
    params = load(operation.params).model_validate(given)
    return await dispatch(context, operation, params)


async def add(engine):
    await engine.ports.store.create(TWO, a_first_entry(TWO))


async def test_a_checkout_without_goals_never_asks(tmp_path, opened, state):
    engine = opened(tmp_path)
    assert engine.home.problem == "" and binding_of(tmp_path) is Binding.NEW
    assert (await ask(engine, "list")).goals == ()
    assert not state.exists() and not (tmp_path / ".goalproof").exists()  # reading makes nothing


async def test_the_same_place_never_asks(used, opened, tmp_path):
    assert binding_of(used) is Binding.OWN
    (tmp_path / "link").symlink_to(used)
    assert binding_of(tmp_path / "link") is Binding.OWN
    assert [line.made_here for line in (await ask(opened(used), "list")).goals] == [True]


async def test_a_store_of_the_release_before_is_at_home_where_it_is_used_next(used, opened):
    folder = opened(used).state_dir
    (folder / "places.json").unlink()
    shutil.rmtree(folder / "anchors")
    again = opened(used)
    assert binding_of(used) is Binding.UNRECORDED
    assert [line.made_here for line in (await ask(again, "list")).goals] == [True]
    assert binding_of(used) is Binding.UNRECORDED  # looking writes nothing down
    await add(again)
    assert binding_of(used) is Binding.OWN
    assert all(line.made_here for line in (await ask(again, "list")).goals)


async def test_a_moved_store_is_taken_over_with_its_state(used, opened, tmp_path):
    before = opened(used).state_dir
    moved = used.rename(tmp_path / "two")
    engine = opened(moved)
    assert binding_of(moved) is Binding.MOVED
    with pytest.raises(NotAdopted, match="goalproof adopt") as refused:
        await add(engine)
    assert str(used) in refused.value.paragraph and str(moved) in refused.value.paragraph
    assert (await ask(engine, "show", goal=GOAL)).id == GOAL
    assert (await ask(engine, "adopt")).was == "moved"
    await add(engine)
    assert engine.state_dir == before
    assert [line.made_here for line in (await ask(engine, "list")).goals] == [True, True]


async def test_a_loss_is_seen_in_a_moved_store(used, opened, tmp_path):
    engine = opened(used)
    await ask(engine, "cancel", goal=GOAL)
    moved = used.rename(tmp_path / "two")
    journal = moved / ".goalproof/goals" / GOAL / "events.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-1]))
    [line] = (await ask(opened(moved), "list")).goals
    assert "gone" in line.damage


async def test_a_copy_gets_an_id_of_its_own_and_its_goals_stay_to_be_looked_at(
    used, opened, tmp_path
):
    copy = tmp_path / "two"
    shutil.copytree(used, copy, symlinks=True)
    engine, original = opened(copy), opened(used)
    assert (binding_of(copy), binding_of(used)) == (Binding.COPIED, Binding.OWN)
    with pytest.raises(NotAdopted):
        await add(engine)
    adopted = await ask(engine, "adopt")
    assert (adopted.was, adopted.goals, adopted.elsewhere) == ("copied", 1, 1)
    await add(engine)
    assert engine.state_dir != original.state_dir
    lines = {line.id: line.made_here for line in (await ask(engine, "list")).goals}
    assert lines == {GOAL: False, TWO: True}
    shown = await ask(engine, "show", goal=GOAL)
    assert shown.notices[0].startswith("not made here")
    assert binding_of(used) is Binding.OWN
    await add(original)


async def test_what_the_original_went_on_with_is_no_damage_of_the_copy(used, opened, tmp_path):
    copy = tmp_path / "two"
    shutil.copytree(used, copy)
    await ask(opened(used), "cancel", goal=GOAL)
    [line] = (await ask(opened(copy), "list")).goals
    assert (line.damage, line.made_here) == ("", False)


@pytest.mark.parametrize("with_id", [True, False])
async def test_a_store_that_came_with_a_clone_is_looked_at(tmp_path, opened, state, with_id):
    store = FileSystemGoalStateStore(tmp_path / "clone/.goalproof")
    await store.create(GOAL, a_first_entry())
    store.close()
    if with_id:
        (tmp_path / "clone/.goalproof/id").write_text("0123456789abcdef" * 2)
    engine = opened(tmp_path / "clone")
    assert binding_of(tmp_path / "clone") is Binding.FOREIGN
    assert [line.made_here for line in (await ask(engine, "list")).goals] == [False]
    assert (await ask(engine, "show", goal=GOAL)).notices[0].startswith("not made here")
    assert not state.exists()  # looking makes nothing
    with pytest.raises(NotAdopted, match="came from elsewhere"):
        await add(engine)
    assert not state.exists()
    assert (await ask(engine, "adopt")).was == "foreign"
    await add(engine)
    lines = {line.id: line.made_here for line in (await ask(engine, "list")).goals}
    assert lines == {GOAL: False, TWO: True}


@pytest.mark.parametrize("part", ["", "goals", "objects"])
async def test_nothing_is_written_through_a_link(used, opened, tmp_path, part):
    linked, outside = used / ".goalproof" / part, tmp_path / "outside"
    (used / ".goalproof/objects").mkdir(exist_ok=True)
    linked.rename(outside)
    linked.symlink_to(outside)
    before = sorted((path, path.stat().st_mtime_ns) for path in outside.rglob("*"))
    engine = opened(used)
    assert binding_of(used) is Binding.FOREIGN
    with pytest.raises(NotAdopted):
        await add(engine)
    with pytest.raises(StoreUnwritable, match="is a link"):
        await ask(engine, "adopt")
    assert sorted((path, path.stat().st_mtime_ns) for path in outside.rglob("*")) == before
    assert await ask(engine, "list")


LOOKING = ["list", "show", "diagnose", "diff", "replay", "log", "review", "open", "proof", "agents",
           "doctor", "verify-proof", "adopt"]  # fmt: skip


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_what_writes_or_executes_waits_until_the_store_is_adopted(
    used, opened, tmp_path, operation
):
    from goal_server.operations import check_adopted
    from goal_server.parameters import NoParams, ReviewParams

    moved = used.rename(tmp_path / "two")
    if operation.name in LOOKING:
        check_adopted(opened(moved), operation, NoParams())
    if operation.name in LOOKING and operation.name != "review":
        return
    asked = ReviewParams(goal="latest", reviewer="codex") if operation.name == "review" else None
    with pytest.raises(NotAdopted, match="goalproof adopt"):
        check_adopted(opened(moved), operation, asked or NoParams())


async def test_a_process_that_runs_hears_of_an_adoption_by_another(used, opened, tmp_path):
    moved = used.rename(tmp_path / "two")
    engine = opened(moved)
    assert engine.home.problem
    await ask(opened(moved), "adopt")
    assert engine.home.problem == ""
    await add(engine)


async def test_a_record_that_cannot_be_read_stops_nobody(used, opened):
    engine = opened(used)
    (engine.state_dir / "places.json").write_bytes(b"{")
    await add(opened(used))
    assert binding_of(used) is Binding.OWN


async def test_a_store_that_is_removed_under_a_process_is_not_begun_anew_by_it(used, opened):
    engine = opened(used)
    folder = engine.state_dir
    await ask(engine, "show", goal=GOAL)
    shutil.rmtree(used / ".goalproof")
    assert engine.state_dir == folder
    with pytest.raises(StoreUnwritable):
        await add(engine)
    assert not (used / ".goalproof").exists()


async def test_adopting_twice_does_nothing(used, opened):
    engine = opened(used)
    before = engine.state_dir
    adopted = await ask(engine, "adopt")
    assert (adopted.was, adopted.adoptions) == ("own", ())
    assert engine.state_dir == before


@pytest.mark.parametrize("how", ["moved", "copied"])
async def test_who_adopted_a_store_and_when_is_remembered(used, opened, tmp_path, how):
    place = tmp_path / "two"
    shutil.move(used, place) if how == "moved" else shutil.copytree(used, place)
    await ask(opened(place), "adopt")
    [adoption] = opened(place).home.adoptions
    assert (adoption.by, adoption.was, adoption.places) == ("Ann", how, (str(used),))
    assert adoption.at.tzinfo is not None
    await add(opened(place))
    [said] = (await ask(opened(place), "adopt")).adoptions  # asked again, it tells and adds nothing
    assert said.startswith("Ann adopted it at 20") and str(used) in said
    notices = " ".join((await ask(opened(place), "show", goal=GOAL)).notices)
    assert (said in notices) == (how == "copied")  # where it explains why a goal is looked at only


@pytest.mark.parametrize("how", ["moved", "copied"])
async def test_a_checkout_without_goals_is_worked_on_wherever_it_comes_to_be(tmp_path, opened, how):
    """It has an id, as of one whose gates were approved; nothing of that is taken over."""
    (tmp_path / "one").mkdir()
    first = opened(tmp_path / "one")
    first.trust.trust_workspace()
    place = tmp_path / "two"
    shutil.move(tmp_path / "one", place) if how == "moved" else shutil.copytree(
        tmp_path / "one", place
    )
    engine, before = opened(place), runtime.find_id(place)
    assert binding_of(place) is Binding.BLANK and engine.home.problem == ""
    assert (await ask(engine, "list")).goals == ()
    assert runtime.find_id(place) == before  # looking writes nothing
    await add(engine)
    assert binding_of(place) is Binding.OWN and runtime.find_id(place) != before
    assert engine.state_dir != first.state_dir and not engine.trust.is_workspace_trusted()
    assert [line.made_here for line in (await ask(engine, "list")).goals] == [True]
    if how == "copied":
        assert binding_of(tmp_path / "one") is Binding.OWN
        await add(first)
