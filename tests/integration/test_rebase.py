"""The person's branch goes on while a goal is worked on: noticed, and the goal put there on request."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from goal_engine.control import answer_question
from goal_engine.delivery.local import apply_change, deliver_local
from goal_engine.document import parse_plan
from goal_engine.engine import Engine
from goal_engine.errors import ChangeDoesNotFit, NotPossibleNow, RepositoryUnusable
from goal_engine.integration import accept_criterion
from goal_engine.lifecycle import execute_goal, rebase_goal, resume_goal
from goal_engine.proof.gate import GateStage
from goal_engine.proof.statement import ProofCause
from goal_engine.proof.verdict import UNDOES
from goal_engine.queries import diagnose_goal, resolve_goal_proof
from goal_engine.reverify import inspect_bundle
from goal_engine.state import events as e
from goal_engine.state.model import GoalState
from goal_engine.types import Decision, GoalStatus, TaskStatus
from goal_server.pictures import render_goal
from tests.integration.projects import (
    CALC,
    CRITERIA,
    FIX,
    GATE,
    a_plan,
    a_project,
    commit_all,
    create,
    fingerprint,
    run,
)
from tests.integration.test_repair import Agent

pytestmark = pytest.mark.one_python

S = GoalStatus
ME = Decision(actor="me", reason="main went on")
HALF = "\n\ndef half(a):\n    return a / 2\n"
OWN = CALC.replace("a - b", "a + b  # by a colleague")
"""The same line, as somebody else changed it."""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = Engine.open(a_project(tmp_path / "project"))
    yield opened
    opened.close()


def git(checkout: Path, *words: str) -> str:
    told = subprocess.run(("git", *words), cwd=checkout, check=True, capture_output=True, text=True)
    return told.stdout.strip()


async def test_a_change_that_merges_is_judged_anew_on_the_newer_commits(engine: Engine) -> None:
    """From ready over a branch that went on to ready there, applied, taken out and delivered."""
    first = await run(engine, a_plan(FIX))
    assert first.status is S.READY and first.outgrown is None
    with pytest.raises(NotPossibleNow, match="newest commit of main"):
        await rebase_goal(engine.ports, first.goal_id, ME)
    head = commit_all(engine.checkout, "half", {"calc.py": CALC + HALF})
    with pytest.raises(ChangeDoesNotFit, match="`rebase`"):
        await apply_change(engine.ports, first.goal_id)
    before = fingerprint(engine.checkout)

    moved = await rebase_goal(engine.ports, first.goal_id, ME)
    assert moved.status is S.READY, moved.judgement
    assert fingerprint(engine.checkout) == before
    assert moved.created.base_commit == head
    assert render_goal(moved, None).bases == (first.created.base_commit,)
    ran = {(run.result.stage, run.result.tree) for run in moved.gates_run.values()}
    assert {tree for stage, tree in ran if stage is GateStage.BASELINE} == {
        moved.created.base_tree
    }, "nothing that was seen on the old base counts"
    proof, _ = inspect_bundle(await resolve_goal_proof(engine.ports, moved.goal_id))
    assert (proof.cause, proof.base_commit, proof.undone) == (ProofCause.REBASED, head, ())
    assert first.proof is not None and proof.supersedes == first.proof.digest
    assert ("rebase", "me") in [(d.verb, d.decision.actor) for d in proof.decisions]

    await apply_change(engine.ports, moved.goal_id)
    text = (engine.checkout / "calc.py").read_text()
    assert "a + b" in text and text.endswith(HALF)
    await apply_change(engine.ports, moved.goal_id, undo=True)
    assert fingerprint(engine.checkout) == before
    done = await deliver_local(engine.ports, moved.goal_id)
    assert git(engine.checkout, "rev-parse", f"{done.delivery_branch}^") == head


async def test_a_gate_that_was_waived_is_asked_about_again_on_newer_commits(
    tmp_path: Path,
) -> None:
    lint = '\n[[gate]]\nname = "lint"\nargv = ["false"]\n'
    opened = Engine.open(a_project(tmp_path / "project", **{"goalproof.toml": GATE + lint}))
    try:
        ports, goal = opened.ports, (await create(opened, a_plan(FIX))).goal_id
        assert (await execute_goal(ports, goal)).status is S.BLOCKED_ON_HUMAN
        await answer_question(ports, goal, "gate:lint", "optional", ME)
        assert (await resume_goal(ports, goal)).status is S.READY
        commit_all(opened.checkout, "newer", {"NEWS": "half"})
        moved = await rebase_goal(ports, goal, ME)
        assert moved.status is S.BLOCKED_ON_HUMAN, (
            "its gates ran on that base, and nothing else did"
        )
        assert [question.id for question in moved.open_questions] == ["gate:lint"]
        await answer_question(ports, goal, "gate:lint", "optional", ME)
        again = await resume_goal(ports, goal)
        assert again.status is S.READY and again.proof is not None
        assert again.proof.cause is ProofCause.REBASED
    finally:
        opened.close()


async def test_what_does_not_merge_is_a_persons_with_both_sides_shown(engine: Engine) -> None:
    state = await run(engine, a_plan(FIX + ', { write = "NEWS", content = "sums" }'))
    commit_all(engine.checkout, "mine", {"calc.py": OWN})
    before = fingerprint(engine.checkout)
    stuck = await rebase_goal(engine.ports, state.goal_id, ME)
    assert fingerprint(engine.checkout) == before
    assert stuck.status is S.BLOCKED_ON_HUMAN and stuck.blocked is not None
    assert "by the commits since the goal's first base: calc.py (content)" in stuck.blocked.reason
    assert stuck.evidence is not None and stuck.evidence.paths == {"NEWS"}, "the rest is kept"
    assert stuck.tasks["fix"].status is TaskStatus.FAILED and not stuck.acceptances
    found = await diagnose_goal(engine.ports, stuck.goal_id)
    told = [fact.text for fact in found.evidence if fact.path == "calc.py"]
    assert any("by a colleague" in text for text in told)
    assert any("fix has there, line 3: return a + b" in text for text in told)
    shown = render_goal(stuck, None)
    assert shown.conflict is not None and shown.conflict.others == ("base",)

    again = await resume_goal(engine.ports, stuck.goal_id)
    assert again.tasks["fix"].attempts == 2, "its steps are done on what is there"
    assert again.status is S.NOT_READY, "what it was to replace is there no more"


REDOES = """
if turn == 1:
    add("a + b")
else:
    text = calc.read_text()
    calc.write_text(text.replace("a - b - 0", "a + b").split("\\n\\n\\ndef half")[0] + "\\n")
"""


async def test_what_is_done_again_must_not_undo_what_was_merged(
    tmp_path: Path,
) -> None:
    """An agent that redoes its change and drops a colleague's function on the way: green, and noticed."""
    one = Agent(tmp_path, REDOES)
    try:
        ports = one.engine.ports
        state = await one.run()
        assert state.status is S.READY, state.judgement
        colleague = CALC.replace("a - b", "a - b - 0") + HALF
        commit_all(one.engine.checkout, "half", {"calc.py": colleague})
        moved = await rebase_goal(ports, state.goal_id, ME)
        assert moved.repairs[-1].resolves == "fix" and "a - b - 0" in one.prompt(2)
        assert moved.status is S.BLOCKED_ON_HUMAN and moved.judgement is not None
        asked = {v.criterion.id: v.criterion.text for v in moved.judgement.criteria}
        assert "def half(a):" in asked[UNDOES] and "calc.py" in asked[UNDOES]
        with pytest.raises(NotPossibleNow):
            await deliver_local(ports, moved.goal_id)
        accepted = await accept_criterion(ports, moved.goal_id, UNDOES, ME)
        assert accepted.status is S.READY
        proof, _ = inspect_bundle(await resolve_goal_proof(ports, moved.goal_id))
        assert len(proof.undone) == 1
    finally:
        one.engine.close()


async def test_a_branch_that_goes_on_meanwhile_is_noticed_and_stops_nothing(engine: Engine) -> None:
    steps = '{ run = ["git", "--version"] }, ' + FIX
    planned = await create(engine, a_plan(steps, writes='"calc.py"'))
    commit_all(engine.checkout, "half", {"calc.py": CALC + HALF, "NEWS": "half"})
    state = await execute_goal(engine.ports, planned.goal_id)
    assert state.status is S.READY
    seen = state.outgrown
    assert seen is not None and (seen.branch, seen.commits, seen.files) == ("main", 1, 2)
    assert seen.touched == ("calc.py",) and not seen.rewritten
    shown = render_goal(state, None)
    assert any("main is 1 commit ahead" in notice for notice in shown.notices)
    assert shown.next and any(step.startswith("goalproof rebase") for step in shown.next)
    facts = [f for entry in await engine.ports.store.entries(state.goal_id) for f in entry.events]
    assert sum(isinstance(fact, e.BaseOutgrown) for fact in facts) == 1, "said once"

    commit_all(engine.checkout, "again", {"NEWS": "more"})
    git(engine.checkout, "checkout", "--quiet", "--orphan", "other")
    commit_all(engine.checkout, "anew")
    git(engine.checkout, "branch", "--quiet", "--force", "main", "other")
    again = await execute_goal(engine.ports, state.goal_id)
    assert again.outgrown is not None and again.outgrown.rewritten
    assert "does not have the goal's base" in " ".join(render_goal(again, None).notices)


async def test_a_goal_that_has_not_begun_only_moves_and_what_was_applied_can_be_taken_out(
    engine: Engine,
) -> None:
    planned = await create(engine, a_plan(FIX))
    head = commit_all(engine.checkout, "half", {"calc.py": CALC + HALF})
    (engine.checkout / ".git" / "MERGE_HEAD").write_text(head)
    with pytest.raises(RepositoryUnusable, match="in the middle of a merge"):
        await rebase_goal(engine.ports, planned.goal_id, ME)
    (engine.checkout / ".git" / "MERGE_HEAD").unlink()
    moved = await rebase_goal(engine.ports, planned.goal_id, ME)
    assert (moved.status, moved.created.base_commit, moved.commit) == (S.PLANNED, head, None)
    state = await execute_goal(engine.ports, moved.goal_id)
    assert state.status is S.READY and state.outgrown is None

    before = (engine.checkout / "calc.py").read_text()
    await apply_change(engine.ports, state.goal_id)
    (engine.checkout / "NEWS").write_text("half")
    git(engine.checkout, "add", "NEWS")
    git(engine.checkout, "-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "-qm", "news")
    again = await rebase_goal(engine.ports, state.goal_id, ME)
    assert again.status is S.READY and len(again.moves) == 2 and again.applied
    await apply_change(engine.ports, again.goal_id, undo=True)
    assert (engine.checkout / "calc.py").read_text() == before, "what was put in is what goes"
    assert (engine.checkout / "NEWS").exists()


MOVES = """
[[task]]
id = "move"
title = "Move it"
writes = ["calc.py", "other.py"]
steps = [
  { replace = "calc.py", old = "a - b", new = "a + b" },
  { run = ["python3", "-c", "import pathlib\\nat = pathlib.Path('calc.py')\\nhead, tail = at.read_text().split('# moved\\\\n')\\nat.write_text(head)\\npathlib.Path('other.py').write_text(tail)"] },
]
"""
LONG = "".join(f"\n\ndef helper_{n}(a):\n    return double(a) + {n}\n" for n in range(4))


async def test_what_would_undo_merged_work_without_a_conflict_is_not_delivered(
    tmp_path: Path,
) -> None:
    """The goal moves to another file what others delete: git merges both, and it is back."""
    opened = Engine.open(a_project(tmp_path / "project", **{"calc.py": f"{CALC}# moved\n{LONG}"}))
    try:
        plan = parse_plan(f'goal = "Sums in calc.py"\nkind = "fix"\n{CRITERIA}{MOVES}', "plan.toml")
        state: GoalState = await run(opened, plan)
        assert state.status is S.READY, state.judgement
        kept = CALC
        commit_all(opened.checkout, "no helpers", {"calc.py": kept})
        with pytest.raises(ChangeDoesNotFit, match=r"other.py:\d+ has \d+ lines again"):
            await deliver_local(opened.ports, state.goal_id)
        commit_all(opened.checkout, "helpers again", {"calc.py": f"{CALC}# moved\n{LONG}"})
        assert (await deliver_local(opened.ports, state.goal_id)).status is S.DELIVERED
    finally:
        opened.close()
