"""Goals live through crashes, requests and bad workers at every step, and keep every promise (M02).

A seed that found something is kept in `tests/seeds/` for ever, one to a line with what it found.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from goal_engine.budget import Room
from goal_engine.dispatch.tasks import scheduler, team
from goal_engine.state import decide
from goal_engine.task_graph.graph import GoalTaskGraph
from goal_engine.types import GoalStatus, TaskStatus
from tests.simulation.simulate import simulate
from tests.simulation.world import Mutant

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "tests" / "seeds" / "simulation.txt"
S = GoalStatus
USUAL = range(1000, 1050)
MANY = [range(start, start + 1000) for start in range(2000, 12000, 1000)]
HUNT = range(400)


def read_seeds():
    lines = [line.partition("#") for line in KEPT.read_text(encoding="utf-8").splitlines()]
    return [pytest.param(int(seed), id=f"{seed.strip()}: {why.strip()}") for seed, _, why in lines]


def check(seed):
    result = simulate(seed)
    assert not result.broken, f"seed {seed}: {'; '.join(result.broken)}"
    return result


@pytest.mark.parametrize("seed", read_seeds())
def test_what_a_seed_once_found_stays_mended(seed):
    check(seed)


def test_goals_keep_every_promise_whatever_happens_to_them():
    results = [check(seed) for seed in USUAL]
    assert {result.status for result in results} == {S.READY, S.CANCELLED}
    assert sum(result.kills for result in results) > len(results), "too little happens"
    assert sum(result.deferred for result in results) > 5, "nothing is ever put off"
    assert sum(result.joined for result in results) > 2, "no proposed task joins"


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seeds", MANY, ids=lambda seeds: f"from {seeds.start}")
def test_many_goals_keep_every_promise(seeds):
    for seed in seeds:
        check(seed)


DIGESTS = """
import hashlib, sys
from tests.simulation.simulate import simulate
for seed in range(3):
    print(hashlib.sha256(simulate(seed).journal).hexdigest())
"""


@pytest.mark.one_python
@pytest.mark.parametrize("order", ["1", "2"])
def test_the_same_seed_gives_the_same_bytes_in_another_process(order):
    """Nothing follows from the order of a set, the clock or chance (D19)."""
    done = subprocess.run(
        [sys.executable, "-c", DIGESTS],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONHASHSEED": order,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'server'}",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    here = [hashlib.sha256(simulate(seed).journal).hexdigest() for seed in range(3)]
    assert done.stdout.split() == here


# What it must find


def no_fsync(monkeypatch):
    return Mutant(unsynced=True)


def no_lock(monkeypatch):
    return Mutant(unlocked=True)


def no_dependencies(monkeypatch):
    def ready(self, statuses):
        return tuple(task for task in self.tasks if statuses[task.id] is TaskStatus.PENDING)

    monkeypatch.setattr(GoalTaskGraph, "ready", ready)


def no_slots(monkeypatch):
    class Open(team.asyncio.Semaphore):
        def __init__(self, value):
            super().__init__(100)

    monkeypatch.setattr(team.asyncio, "Semaphore", Open)


def no_budget(monkeypatch):
    monkeypatch.setattr(Room, "find_unfit", lambda room, need: ())


def no_patience(monkeypatch):
    """What is to be tried later is tried at once."""
    monkeypatch.setattr(scheduler, "is_due", lambda at, now: True)


def no_cancel(monkeypatch):
    """The runner's receipt of a pause takes a cancel away with it."""
    monkeypatch.setattr(decide, "_find_cancel", lambda state: None)


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        (no_fsync, "is lost"),
        (no_lock, "two processes"),
        (no_dependencies, "starts before"),
        (no_slots, "may run"),
        (no_budget, "although"),
        (no_patience, "before its time"),
        (no_cancel, "forgotten"),
    ],
)
def test_a_mistake_is_found(mutant, says, monkeypatch):
    done = mutant(monkeypatch)
    found = (simulate(seed, done).broken for seed in HUNT)
    assert any(says in line for broken in found for line in broken)
