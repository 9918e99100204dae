"""The store on disk does what the one in memory does, whatever happens in between (M01)."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from goal_engine.errors import GoalError
from goal_engine.state import events as e
from goal_engine.state import persistence, transitions
from goal_engine.state.persistence import FileSystemGoalStateStore
from goal_engine.types import GoalStatus
from tests.simulation.stores import TwoStores

S = GoalStatus
LONG = bool(os.environ.get("GOALPROOF_LONG"))
"""Whether there is time: `nox -s torture` says so."""
USUAL = settings(
    max_examples=4000 if LONG else 20,
    stateful_step_count=40 if LONG else 20,
    derandomize=not LONG,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
HUNT = settings(USUAL, max_examples=100, derandomize=True, phases=[Phase.generate])


def check(hunt):
    run_state_machine_as_test(TwoStores, settings=hunt)


def append_after_torn(monkeypatch):
    monkeypatch.setattr(persistence.os, "ftruncate", lambda descriptor, size: None)
    end, seek = persistence.os.SEEK_END, persistence.os.lseek
    monkeypatch.setattr(
        persistence.os, "lseek", lambda descriptor, at, how: seek(descriptor, 0, end)
    )


def count_torn(monkeypatch):
    def parse(data, name, whole=persistence.parse_journal):
        found = whole(data, name)
        return (
            found
            if found.good == len(data)
            else whole(data[: data.rfind(b"\n", 0, found.good - 1) + 1], name)
        )

    monkeypatch.setattr(persistence, "parse_journal", parse)


def let_through(monkeypatch):
    table = {**transitions.TRANSITIONS, S.CANCELLED: {e.GoalResumed: S.RUNNING}}
    monkeypatch.setattr(transitions, "TRANSITIONS", table)


def never_look_again(monkeypatch):
    def read(self, name, whole=FileSystemGoalStateStore._read):
        return self._known.get(name) or whole(self, name)

    monkeypatch.setattr(FileSystemGoalStateStore, "_read", read)


def everybody_runs(monkeypatch):
    monkeypatch.setattr(persistence.FileLock, "acquire", lambda self, **how: None)


@pytest.mark.parametrize(
    "mutant", [append_after_torn, count_torn, let_through, never_look_again, everybody_runs]
)
def test_a_store_that_is_wrong_is_found_out(mutant, monkeypatch):
    mutant(monkeypatch)
    with pytest.raises((AssertionError, GoalError, ExceptionGroup)):
        check(HUNT)


def test_both_stores_say_the_same_whatever_happens():
    check(USUAL)
