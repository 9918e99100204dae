"""When repairs lead nowhere: each cause is found in a series that has it, and in no honest one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goal_engine import stagnation
from goal_engine.stagnation import (
    CAUSES,
    Cause,
    Round,
    describe_stagnation,
    find_signs,
    find_stagnation,
    steady_words,
)


def a_round(tree: int, failing: str = "t: a", **more) -> Round:
    """A round on tree number `tree` in which the words of `failing` fail."""
    names = tuple(sorted(f"t: {name}" for name in failing.removeprefix("t: ").split()))
    fields = {
        "task": f"repair-{tree}",
        "unmet": 1,
        "missing": 1,
        "failures": len(names),
        "failing": names,
        "said": f"{tree}",
    }
    return Round(tree=f"{tree:040x}", **{**fields, **more})


def rounds(*failing: str, **more) -> tuple[Round, ...]:
    """Rounds with other trees and other words each time."""
    return tuple(a_round(tree, names, **more) for tree, names in enumerate(failing))


REFUSED = ("network: connect to # port #: Connection refused",)
MISSING = ("missing: ModuleNotFoundError: No module named 'requests'",)
STUCK = {
    "the same tree": ((a_round(1), a_round(1, task="repair-2")), Cause.CIRCULAR),
    "an earlier tree": ((a_round(1), a_round(2), a_round(1, task="repair-3")), Cause.CIRCULAR),
    "the same tree, and worse": ((a_round(1), a_round(1, "a b", task="x")), Cause.CIRCULAR),
    "a file goes back and forth": (
        (a_round(1), a_round(2), a_round(3, returned=("x",)), a_round(4, returned=("x", "y"))),
        Cause.CIRCULAR,
    ),
    "refused twice": (rounds("a", "a", signs=REFUSED), Cause.EXTERNAL),
    "missing three times": (rounds("a", "a", "a", signs=MISSING), Cause.EXTERNAL),
    "many files, nothing moved": (rounds("a b", "a b", "a b", files=25, lines=90), Cause.SCOPE),
    "many lines, nothing moved": (rounds("a b", "b c", "a b", files=3, lines=990), Cause.SCOPE),
    "the same words": (rounds("a b", "a b", "a b", said="same"), Cause.NO_PROGRESS),
    "more and more": (rounds("a", "a b", "a b c", said="same"), Cause.NO_PROGRESS),
    "five times": (rounds("a", "a", "a", "a", "a"), Cause.NO_PROGRESS),
    "flaky alone": ((a_round(1, "a", unsteady=("t: a",)),), Cause.FLAKY),
    "flaky, later": (
        (a_round(1, "a b"), a_round(2, "a b", unsteady=("t: a", "t: b"))), Cause.FLAKY,
    ),
}  # fmt: skip
HONEST = {
    "nothing yet": (),
    "the first": rounds("a b c"),
    "fewer each time": rounds("a b c", "a b", "a"),
    "fewer, with the same words": rounds("a b c", "a b", "a", said="same"),
    "fewer, in large steps": rounds("a b c", "a b", "a", files=90, lines=9000),
    "fewer, while it is refused": rounds("a b", "a", signs=REFUSED),
    "one error gone, the next one seen": rounds("a", "a", "a"),
    "the same words, but once others": (
        a_round(1), a_round(2, said="same"), a_round(3, said="same"),
    ),
    "another test each time": rounds("a", "b", "c", said="same"),
    "a step back, then forward": rounds("a b", "a b c", "a"),
    "missing what the goal is about": rounds("a", "a", signs=MISSING),
    "refused, and then something else": (a_round(1, signs=REFUSED), a_round(2)),
    "a file went back once": (a_round(1), a_round(2), a_round(3, returned=("x",))),
    "flaky, beside what is red": (a_round(1, "a b", unsteady=("t: a",)),),
    "large, and less failed meanwhile": (
        a_round(1, "a b c", files=90), a_round(2, "a", files=90), a_round(3, "b c", files=90),
    ),
    "small and many tries": rounds("a b", "a b", "a b", "a b", files=1, lines=3),
    "better on the tree of before": (a_round(1, "a b"), a_round(1, "a", task="repair-2")),
}  # fmt: skip


@pytest.mark.parametrize("name", STUCK)
def test_what_leads_nowhere_is_found(name: str) -> None:
    series, cause = STUCK[name]
    found = find_stagnation(series)
    assert found is not None and found.cause is cause
    assert CAUSES[cause].threshold <= found.confidence <= 1
    assert found.evidence and CAUSES[cause].means in describe_stagnation(found)


@pytest.mark.parametrize("name", HONEST)
def test_who_gets_somewhere_is_not_stopped(name: str) -> None:
    assert find_stagnation(HONEST[name]) is None


@pytest.mark.parametrize("name", [name for name in STUCK if name != "flaky alone"])
def test_nothing_is_said_before_the_last_round(name: str) -> None:
    """Each series is as short as it can be: one round less is a coincidence."""
    assert find_stagnation(STUCK[name][0][:-1]) is None


names = st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=8).map(" ".join)
anything = st.builds(
    a_round,
    st.integers(0, 3),
    names.filter(bool),
    said=st.sampled_from(["x", "y"]),
    files=st.integers(0, 99),
    lines=st.integers(0, 9999),
    signs=st.sampled_from([(), REFUSED, MISSING]),
    returned=st.sampled_from([(), ("x",), ("x", "y")]),
    unsteady=st.sampled_from([(), ("t: a",)]),
)


@given(st.lists(anything, min_size=1, max_size=7))
def test_a_last_round_that_is_the_best_so_far_never_stops(series: list[Round]) -> None:
    best = min(one.score for one in series)
    unmet, missing, failures = best
    better = series[-1].changed(unmet=unmet, missing=missing, failures=failures - 1, unsteady=())
    assert find_stagnation([*series, better]) is None


@given(st.lists(anything, max_size=7))
def test_whatever_comes_a_diagnosis_is_whole(series: list[Round]) -> None:
    found = find_stagnation(series)
    if found is not None:
        assert len(series) >= CAUSES[found.cause].rounds
        assert CAUSES[found.cause].threshold <= found.confidence <= 1
        assert "\n" not in describe_stagnation(found)


@given(anything, st.integers(2, 6))
def test_the_same_tree_again_and_again_always_stops(one: Round, times: int) -> None:
    assert find_stagnation([one] * times) is not None


MUTANTS = {
    "speaks while it gets better": ("_is_better", lambda _: False),
    "takes any fall for flat": ("_is_flat", lambda _: True),
    "one return is a circle": ("_was_back_before", lambda _: True),
    "two alike are enough": ("ALIKE", 2),
    "two in a row are enough": ("STREAK", 2),
    "small is large": ("LARGE_FILES", 0.5),
    "what is missing is outside at once": (
        "SIGNS",
        {**stagnation.SIGNS, "missing": replace(stagnation.SIGNS["missing"], rounds=2)},
    ),
}
"""Detectors that would cost an honest worker their run."""


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_detector_that_is_too_eager_stops_an_honest_worker(
    mutant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stagnation, *MUTANTS[mutant])
    assert any(find_stagnation(series) for series in HONEST.values())


@pytest.mark.parametrize("cause", Cause)
def test_a_detector_without_a_row_misses_what_it_is_there_for(
    cause: Cause, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(CAUSES, cause)
    mine = [series for series, found in STUCK.values() if found is cause]
    others = [find_stagnation(series) for series in mine]
    assert None in others or all(found and found.cause is not cause for found in others)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("requests.exceptions.ConnectionError: [Errno 111] Connection refused", "network"),
        ("curl: (6) Could not resolve host: example.invalid", "network"),
        ("Error: connect ECONNREFUSED 127.0.0.1:5432", "network"),
        ("dial tcp 10.0.0.1:443: i/o timeout", "network"),
        ("PermissionError: [Errno 13] Permission denied: '/var/run/docker.sock'", "permission"),
        ("ModuleNotFoundError: No module named 'psycopg2'", "missing"),
        ("Error: Cannot find module 'left-pad'", "missing"),
        ("sh: 1: jest: command not found", "missing"),
        ("OSError: [Errno 28] No space left on device", "disk"),
    ],
)
def test_failures_that_speak_of_the_world_outside(line: str, kind: str) -> None:
    (sign,) = find_signs([line])
    assert sign.startswith(f"{kind}: ")


@pytest.mark.parametrize(
    "line",
    ["AssertionError: 4 != 5", "the connection is fine", "TypeError: permission is no str", ""],
)
def test_failures_that_do_not(line: str) -> None:
    assert find_signs([line]) == ()


def test_two_results_are_two_failures_and_two_addresses_are_one() -> None:
    assert steady_words("1 != 5") != steady_words("2 != 5")
    assert steady_words("<X at 0x7f01> in 0.12s") == steady_words("<X at 0x8a02>  in 0.31s")
