"""Bounds hold as often as they say, and no number of green runs says `never`."""

from __future__ import annotations

import random

import pytest

from goal_engine.proof.confidence import say_bound, upper_bound


@pytest.mark.parametrize(
    ("failures", "runs", "bound"),
    [
        (0, 1, 0.95),
        (0, 3, 0.6316),
        (0, 20, 0.1391),
        (0, 59, 0.0495),
        (1, 3, 0.8646),
        (1, 20, 0.2161),
        (5, 10, 0.7776),
        (3, 3, 1.0),
        (0, 0, 1.0),
    ],
)
def test_bounds_are_those_of_the_tables(failures: int, runs: int, bound: float) -> None:
    assert upper_bound(failures, runs) == pytest.approx(bound, abs=5e-5)


def test_a_bound_falls_with_green_runs_and_rises_with_red_ones() -> None:
    falling = [upper_bound(0, runs) for runs in range(1, 200)]
    rising = [upper_bound(failures, 200) for failures in range(200)]
    assert falling == sorted(falling, reverse=True) and rising == sorted(rising)
    assert falling[-1] > 0


def test_a_bound_of_very_many_runs_is_a_number() -> None:
    assert upper_bound(0, 100_000) == pytest.approx(3e-5, rel=0.01)
    assert 0.5 < upper_bound(50_000, 100_000) < 0.51


@pytest.mark.parametrize("rate", [0.05, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("runs", [3, 20])
def test_the_true_rate_is_above_the_bound_at_most_as_often_as_promised(
    rate: float, runs: int
) -> None:
    chance = random.Random(f"{rate} {runs}")
    series = [sum(chance.random() < rate for _ in range(runs)) for _ in range(4000)]
    wrong = sum(upper_bound(failures, runs) < rate for failures in series)
    assert wrong / len(series) < 0.06


def test_a_bound_is_said_in_words() -> None:
    assert say_bound(0, 20) == (
        "green in 20 of 20 runs: fails in less than 13.9 % of runs, with 95 % confidence"
    )
    assert say_bound(1, 3) == (
        "green in 2 of 3 runs: fails in less than 86.5 % of runs, with 95 % confidence"
    )
    assert say_bound(0, 10, 0.99).endswith("36.9 % of runs, with 99 % confidence")
    assert say_bound(3, 3) == "green in 0 of 3 runs: nothing says how often it fails"


@pytest.mark.parametrize(
    ("failures", "runs", "confidence"), [(2, 1, 0.95), (-1, 3, 0.95), (0, 3, 1)]
)
def test_counts_that_cannot_be_are_refused(failures: int, runs: int, confidence: float) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        upper_bound(failures, runs, confidence)
