"""A change put into the checkout's files and taken out again: exact, completable, never over others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from goal_engine.control import cancel_goal
from goal_engine.delivery.local import apply_change
from goal_engine.engine import Engine
from goal_engine.errors import ChangeDoesNotFit, NotPossibleNow
from goal_engine.integration import accept_criterion
from goal_engine.lifecycle import execute_goal
from goal_engine.proof.verdict import PROTECTED
from goal_engine.state.model import GoalState
from goal_engine.types import Decision, GoalStatus
from goal_server.pictures import find_next_steps
from tests.integration.projects import CALC, FIX, a_plan, a_project, create, fingerprint, run

pytestmark = pytest.mark.one_python

S = GoalStatus
ME = Decision(actor="me", reason="I looked at it")
OLD = {"data/old.txt": "old\n", "docs/a.txt": "a\n", "tool.sh": "#!/bin/sh\n", "blob": "\x00\x01"}
MIXED = (
    "rm data/old.txt && mkdir -p new/deep && printf 'no end' > new/deep/file && chmod +x tool.sh"
    " && printf '\\000\\002' > blob && rm -r docs && printf x > docs && ln -s calc.py link"
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return a_project(tmp_path / "project", **OLD)


@pytest.fixture
def engine(project: Path) -> Iterator[Engine]:
    opened = Engine.open(project)
    yield opened
    opened.close()


async def a_mixed_change(engine: Engine) -> GoalState:
    """Files made, deleted, turned from a folder into a file, binary, a link, a permission."""
    state = await run(engine, a_plan(f"{FIX}, {{ run = ['sh', '-c', '''{MIXED}'''] }}"))
    if state.status is S.BLOCKED_ON_HUMAN:
        state = await accept_criterion(engine.ports, state.goal_id, PROTECTED, ME)
    assert state.status is S.READY, state.judgement
    return state


async def test_every_sort_of_change_goes_in_and_out(engine: Engine, project: Path) -> None:
    before = everything(project)
    state = await a_mixed_change(engine)
    applied = await apply_change(engine.ports, state.goal_id)
    assert set(applied.applied) >= {"blob", "calc.py", "docs", "docs/a.txt", "link", "tool.sh"}
    assert not (project / "data").exists()
    assert (project / "docs").read_bytes() == b"x"
    assert (project / "new/deep/file").read_bytes() == b"no end"
    assert (project / "link").readlink() == Path("calc.py")
    assert os.access(project / "tool.sh", os.X_OK)
    out = await apply_change(engine.ports, state.goal_id, undo=True)
    assert (out.applied, out.applied_tree, out.status) == ((), None, S.READY)
    assert everything(project) == before
    again = await apply_change(engine.ports, state.goal_id)
    assert again.applied == applied.applied


def everything(project: Path) -> dict[str, tuple[str, bool]]:
    return {name: (digest, os.access(project / name, os.X_OK))
            for name, digest in fingerprint(project).items()
            if not name.startswith(".git/")}  # fmt: skip


@pytest.mark.parametrize("undo", [False, True])
async def test_a_change_that_is_there_by_half_is_completed(
    engine: Engine, project: Path, undo: bool
) -> None:
    base = everything(project)
    state = await a_mixed_change(engine)
    await apply_change(engine.ports, state.goal_id)
    head = everything(project)
    (project / "calc.py").write_text(CALC, encoding="utf-8")
    (project / "link").unlink()
    (project / "tool.sh").chmod(0o644)
    await apply_change(engine.ports, state.goal_id, undo=undo)
    assert everything(project) == (base if undo else head)


@pytest.mark.parametrize("undo", [False, True])
async def test_what_is_neither_is_named_and_nothing_is_written(
    engine: Engine, project: Path, undo: bool
) -> None:
    state = await a_mixed_change(engine)
    if undo:
        await apply_change(engine.ports, state.goal_id)
    (project / "calc.py").write_text("# mine\n", encoding="utf-8")
    (project / "blob").write_bytes(b"mine")
    before = everything(project)
    with pytest.raises(ChangeDoesNotFit, match=r"blob, calc\.py in .* are neither") as refused:
        await apply_change(engine.ports, state.goal_id, undo=undo)
    assert "\n" not in refused.value.paragraph
    assert everything(project) == before


async def test_folders_without_a_file_make_room(engine: Engine, project: Path) -> None:
    state = await run(engine, a_plan(f"{FIX}, {{ write = 'room', content = 'x' }}"))
    (project / "room/for/nothing").mkdir(parents=True)
    await apply_change(engine.ports, state.goal_id)
    assert (project / "room").read_text(encoding="utf-8") == "x"


async def test_a_private_file_stays_private(engine: Engine, project: Path) -> None:
    (project / "calc.py").chmod(0o600)
    (project / "tool.sh").chmod(0o640)
    state = await a_mixed_change(engine)
    await apply_change(engine.ports, state.goal_id)
    modes = [(project / name).stat().st_mode & 0o777 for name in ("calc.py", "tool.sh")]
    assert modes == [0o600, 0o750]
    await apply_change(engine.ports, state.goal_id, undo=True)
    assert (project / "tool.sh").stat().st_mode & 0o777 == 0o640


async def test_a_file_behind_a_link_is_not_ours(
    engine: Engine, project: Path, tmp_path: Path
) -> None:
    state = await run(engine, a_plan(f"{FIX}, {{ write = 'new/file', content = '' }}"))
    (tmp_path / "outside").mkdir()
    (project / "new").symlink_to(tmp_path / "outside")
    with pytest.raises(ChangeDoesNotFit, match="new/file"):
        await apply_change(engine.ports, state.goal_id)
    assert list((tmp_path / "outside").iterdir()) == []


async def test_what_was_never_put_in_is_not_taken_out(engine: Engine, project: Path) -> None:
    state = await run(engine, a_plan(FIX))
    with pytest.raises(NotPossibleNow, match="nothing to take out"):
        await apply_change(engine.ports, state.goal_id, undo=True)
    (project / "calc.py").write_text(CALC.replace("a - b", "a + b"), encoding="utf-8")
    await apply_change(engine.ports, state.goal_id, undo=True)
    assert (project / "calc.py").read_text(encoding="utf-8") == CALC


async def test_a_change_that_a_person_took_out_is_so_on_record(
    engine: Engine, project: Path
) -> None:
    state = await run(engine, a_plan(FIX))
    await apply_change(engine.ports, state.goal_id)
    (project / "calc.py").write_text(CALC, encoding="utf-8")
    assert (await apply_change(engine.ports, state.goal_id, undo=True)).applied == ()


async def test_a_change_can_be_taken_out_after_another_run(engine: Engine, project: Path) -> None:
    state = await run(engine, a_plan(FIX))
    await apply_change(engine.ports, state.goal_id)
    again = await execute_goal(engine.ports, state.goal_id)
    assert again.status is S.READY and again.applied == ("calc.py",)
    await apply_change(engine.ports, state.goal_id, undo=True)
    assert (project / "calc.py").read_text(encoding="utf-8") == CALC


async def test_only_a_judged_goal_has_a_change_to_take_out(engine: Engine) -> None:
    state = await create(engine, a_plan(FIX))
    with pytest.raises(NotPossibleNow, match="apply --undo"):
        await apply_change(engine.ports, state.goal_id, undo=True)


async def test_what_is_not_possible_any_more_is_no_next_step(engine: Engine) -> None:
    state = await run(engine, a_plan(FIX))
    applied = await apply_change(engine.ports, state.goal_id)
    step = f"goalproof apply {state.goal_id} --undo"
    assert step in find_next_steps(applied)
    cancelled = await cancel_goal(engine.ports, state.goal_id, ME)
    assert cancelled.applied and step not in find_next_steps(cancelled)
