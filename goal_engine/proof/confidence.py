"""How often something fails that was run a few times: an exact bound, and a sentence that says it.

A green run shows little: a test that fails in every fifth run passes twenty in a row once in a
hundred times.  So no number of runs says `never`, and each says how often at most.
"""

from __future__ import annotations

import math

CONFIDENCE = 0.95
"""How sure a bound is unless somebody asks for another: one in twenty may be wrong."""
STEPS = 60
"""Halvings of the interval: as near as a float can come."""


def upper_bound(failures: int, runs: int, confidence: float = CONFIDENCE) -> float:
    """Return the rate of failure (0 to 1) that is not exceeded, given what independent runs said.

    The one-sided bound of Clopper and Pearson: with any greater rate, as few failures as these
    would come in less than `1 - confidence` of all such series.  1 where nothing is bounded.
    Raises `ValueError` for counts that cannot be.
    """
    if not 0 <= failures <= runs or not 0 < confidence < 1:
        raise ValueError(f"{failures} failures in {runs} runs at {confidence} cannot be")
    if failures == runs:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        rate = (low + high) / 2
        if _chance_of_at_most(failures, runs, rate) > 1 - confidence:
            low = rate
        else:
            high = rate
    return high


def say_bound(failures: int, runs: int, confidence: float = CONFIDENCE) -> str:
    """Return what a series of runs shows, in words: what was seen, and what follows at most."""
    seen = f"green in {runs - failures} of {runs} runs"
    bound = upper_bound(failures, runs, confidence)
    if bound == 1:
        return f"{seen}: nothing says how often it fails"
    return (
        f"{seen}: fails in less than {bound:.1%} of runs, with {confidence:.0%} confidence".replace(
            "%", " %"
        )
    )


def _chance_of_at_most(failures: int, runs: int, rate: float) -> float:
    """The binomial distribution, by logarithms: its factors alone are beyond any float."""
    if rate <= 0 or rate >= 1:
        return 1.0 if rate <= 0 else 0.0
    yes, no = math.log(rate), math.log1p(-rate)
    return math.fsum(
        math.exp(
            math.lgamma(runs + 1)
            - math.lgamma(count + 1)
            - math.lgamma(runs - count + 1)
            + count * yes
            + (runs - count) * no
        )
        for count in range(failures + 1)
    )
