"""The store on disk does what the one in memory does, whatever happens in between (M01)."""

from __future__ import annotations

from unittest.mock import patch

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
USUAL = settings(
    max_examples=20,
    stateful_step_count=20,
    derandomize=True,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
HUNT = settings(USUAL, max_examples=400, phases=[Phase.generate])
"""It ends with what it finds; which examples come first depends on the modules that others loaded."""

AT_LENGTH = settings(USUAL, max_examples=2000, stateful_step_count=40, derandomize=False)


def check(hunt):
    with patch.object(persistence, "PROBE", 0.0):  # nobody is about to let go
        run_state_machine_as_test(TwoStores, settings=hunt)


def append_after_torn(monkeypatch):
    """What a crash left unfinished is not cut, and the next line is glued to it."""

    def append(self, line, size, file=persistence.AppendFile.append):
        return file(self, line, max(size, self._path.stat().st_size))

    monkeypatch.setattr(persistence.AppendFile, "append", append)


def count_torn(monkeypatch):
    """The last whole line is taken for part of what a crash left unfinished."""

    def read(data, name, whole=persistence.read_journal):
        cut = data[: data[: data.rfind(b"\n")].rfind(b"\n") + 1]
        return whole(data if data.endswith(b"\n") or cut.count(b"\n") < 2 else cut, name)

    monkeypatch.setattr(persistence, "read_journal", read)


def let_through(monkeypatch):
    table = {**transitions.TRANSITIONS, S.CANCELLED: {e.GoalResumed: S.RUNNING}}
    monkeypatch.setattr(transitions, "TRANSITIONS", table)


def never_look_again(monkeypatch):
    def read(self, name, whole=FileSystemGoalStateStore._read):
        known = self._known.get(name)
        return known.journal if known else whole(self, name)

    monkeypatch.setattr(FileSystemGoalStateStore, "_read", read)


def everybody_runs(monkeypatch):
    monkeypatch.setattr(persistence.LockFile, "acquire", lambda self, timeout: True)


@pytest.mark.parametrize(
    "mutant", [append_after_torn, count_torn, let_through, never_look_again, everybody_runs]
)
def test_a_store_that_is_wrong_is_found_out(mutant, monkeypatch):
    mutant(monkeypatch)
    with pytest.raises((AssertionError, GoalError, ExceptionGroup)):
        check(HUNT)


def test_both_stores_say_the_same_whatever_happens():
    check(USUAL)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_both_stores_say_the_same_whatever_happens_for_long():
    check(AT_LENGTH)
