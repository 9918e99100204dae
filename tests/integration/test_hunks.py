"""Hunks are taken away one at a time: a seeded corpus of which every standing is known beforehand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from goal_engine.delivery.local import apply_change
from goal_engine.engine import Engine
from goal_engine.errors import NotPossibleNow
from goal_engine.hunks import try_hunks
from goal_engine.lifecycle import verify_goal
from goal_engine.proof.hunk import HunkStanding, HunkTrial
from goal_engine.proof.statement import ProofCause
from goal_engine.queries import resolve_goal_proof
from goal_engine.reverify import ReverifyOutcome, inspect_bundle, verify_proof
from goal_engine.state.model import GoalState
from goal_engine.types import GoalStatus
from goal_engine.verifier.observe import read_trials
from tests.integration.projects import (
    ADD,
    FIX,
    TESTS,
    a_plan,
    a_project,
    fingerprint,
    run,
)

pytestmark = pytest.mark.one_python

CALC = """
def add(a, b):
    return a - b


def double(a):
    return 2 * a


def half(a):
    return a / 2


def name():
    return "calc"
"""
NO_OP = '{ replace = "calc.py", old = "2 * a", new = "a * 2" }'
TAUTOLOGY = '{ replace = "calc.py", old = "a / 2", new = "a // 2" }'
UNUSED = '{ replace = "calc.py", old = "def name():", new = "def called():" }'
NEW_FILE = '{ write = "unused.py", content = "x = 1\\n" }'
TAUTOLOGICAL_TEST = (
    TESTS
    + """
    def test_half(self):
        self.assertEqual(calc.half(4), calc.half(4))

    def test_name(self):
        self.assertTrue(calc.__name__ == "calc" or calc.name())
"""
)


@dataclass(frozen=True)
class Case:
    """A change and how each of its hunks has to stand, by the place people read."""

    steps: str
    expected: dict[str, HunkStanding]


GOOD, NOTHING = HunkStanding.CONSTRAINED, HunkStanding.UNPROVEN
CORPUS = {
    "a good fix": Case(FIX, {"calc.py:3": GOOD}),
    "a good fix and a no-op": Case(f"{FIX}, {NO_OP}", {"calc.py:3": GOOD, "calc.py:7": NOTHING}),
    "a change that only a tautological test reaches": Case(
        f"{FIX}, {TAUTOLOGY}", {"calc.py:3": GOOD, "calc.py:11": NOTHING}
    ),
    "a file that nothing uses": Case(
        f"{FIX}, {NEW_FILE}", {"calc.py:3": GOOD, "unused.py": NOTHING}
    ),
    "everything at once": Case(
        f"{FIX}, {NO_OP}, {TAUTOLOGY}, {UNUSED}, {NEW_FILE}",
        {
            "calc.py:3": GOOD,
            "calc.py:7": NOTHING,
            "calc.py:11": NOTHING,
            "calc.py:14": NOTHING,
            "unused.py": NOTHING,
        },
    ),
}


def a_calculator(path: Path) -> Path:
    return a_project(
        path, **{"calc.py": CALC, "tests/test_calc.py": TAUTOLOGICAL_TEST, "notes.txt": "x\n"}
    )


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = Engine.open(a_calculator(tmp_path / "project"))
    yield opened
    opened.close()


async def try_change(engine: Engine, steps: str) -> tuple[GoalState, tuple[HunkTrial, ...]]:
    state = await run(engine, a_plan(steps))
    assert state.status is GoalStatus.READY, state.judgement
    tried = await try_hunks(engine.ports, state.goal_id)
    return tried, await read_trials(engine.ports, tried)


@pytest.mark.parametrize("name", CORPUS)
async def test_each_hunk_of_the_corpus_stands_as_it_was_seeded(engine: Engine, name: str) -> None:
    """Precision and recall of `unproven` and of `constrained` are 1 on the corpus."""
    case, before = CORPUS[name], fingerprint(engine.checkout)
    _, trials = await try_change(engine, case.steps)
    assert {trial.hunk.place: trial.standing for trial in trials} == case.expected
    assert fingerprint(engine.checkout) == before
    for trial in trials:
        assert bool(trial.by) is (trial.standing is GOOD)
        if trial.hunk.place == "calc.py:3":
            assert ADD in trial.by[0].tests


async def test_a_trial_is_recorded_in_a_proof_that_supersedes_and_changes_no_verdict(
    engine: Engine,
) -> None:
    before = await run(engine, a_plan(f"{FIX}, {NO_OP}"))
    state = await try_hunks(engine.ports, before.goal_id)
    assert state.status is GoalStatus.READY and state.judgement == before.judgement
    assert state.hunks is not None and state.hunks.count == {"constrained": 1, "unproven": 1}
    bundle = await resolve_goal_proof(engine.ports, state.goal_id)
    proof, _ = inspect_bundle(bundle)
    assert before.proof is not None and proof.supersedes == before.proof.digest
    assert proof.cause is ProofCause.HUNKS and len(proof.hunks) == 2
    page = (bundle / "proof.md").read_text("utf-8")
    assert "calc.py:7" in page and "unproven" in page
    assert (await verify_proof(bundle, engine.checkout)).outcome is ReverifyOutcome.REPRODUCED
    again = await verify_goal(engine.ports, state.goal_id)
    assert (await read_trials(engine.ports, again)) == proof.hunks
    applied = await apply_change(engine.ports, state.goal_id)
    assert applied.applied == ("calc.py",)


async def test_what_a_limit_left_out_is_said(engine: Engine) -> None:
    state = await run(engine, a_plan(f"{FIX}, {NO_OP}, {NEW_FILE}"))
    tried = await try_hunks(engine.ports, state.goal_id, limit=1)
    trials = await read_trials(engine.ports, tried)
    assert [str(trial.standing) for trial in trials] == ["constrained", "untried", "untried"]
    assert all("--limit" in trial.reason for trial in trials[1:])
    late = await try_hunks(engine.ports, state.goal_id, seconds=0)
    trials = await read_trials(engine.ports, late)
    told = {trial.hunk.place: str(trial.standing) for trial in trials}
    assert told == dict.fromkeys(("calc.py:3", "calc.py:7", "unused.py"), "untried")


async def test_trees_that_were_run_already_are_not_run_again(engine: Engine) -> None:
    """The only hunk of a change taken away is what the counterfactual ran on."""
    state = await run(engine, a_plan(FIX))
    said: list[str] = []
    await try_hunks(engine.ports, state.goal_id, say=said.append)
    assert said == []


async def test_a_hunk_without_which_no_test_can_start_is_unclear(engine: Engine) -> None:
    """Of an import error nobody learns what a test thinks of the hunk."""
    steps = (
        f'{FIX}, {{ write = "extra.py", content = "x = 1\\n" }},'
        ' { replace = "calc.py", old = "\\ndef add", new = "import extra\\n\\n\\ndef add" }'
    )
    _, trials = await try_change(engine, steps)
    standing = {trial.hunk.path: trial.standing for trial in trials if trial.hunk.whole}
    assert standing == {"extra.py": HunkStanding.UNCLEAR}


async def test_where_nothing_could_miss_a_hunk_it_is_refused(engine: Engine) -> None:
    word = '[[criterion]]\nid = "seen"\ntext = "A person sees it"\nevidence = "accepted"\n'
    state = await run(engine, a_plan(FIX, criteria=word))
    with pytest.raises(NotPossibleNow, match="No criterion of .* names a gate"):
        await try_hunks(engine.ports, state.goal_id)


async def test_the_workspaces_of_hunks_are_gone_afterwards(engine: Engine) -> None:
    state, _ = await try_change(engine, f"{FIX}, {NO_OP}")
    folder = engine.state_dir / "workspaces" / state.goal_id
    assert not folder.exists()


async def test_trials_that_were_lost_keep_no_gate_from_running_anew(engine: Engine) -> None:
    state, _ = await try_change(engine, FIX)
    assert state.hunks is not None
    (kept,) = [
        path
        for path in (engine.checkout / ".goalproof").rglob("*")
        if path.is_file() and state.hunks.report.endswith(path.name)
    ]
    kept.unlink()
    again = await verify_goal(engine.ports, state.goal_id)
    assert again.status is GoalStatus.READY
    proof, _ = inspect_bundle(await resolve_goal_proof(engine.ports, state.goal_id))
    assert proof.hunks == ()
