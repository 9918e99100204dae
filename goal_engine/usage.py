"""What calls of a model used, and what they would cost at list price: an estimate, with its source.

Whoever pays by subscription pays nothing for a token.  What is not known stays unknown, never zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from goal_engine.budget import Spend, SpendSource
from goal_engine.types import Frozen

MILLION = Decimal(10**6)
SMALLEST = Decimal("0.000001")
"""US dollars to which an estimate is rounded up."""
Count = Annotated[int, Field(ge=0, le=10**15)]
Amount = Annotated[Decimal, Field(ge=0, le=10**6, allow_inf_nan=False)]


class Usage(Frozen):
    """Tokens of calls of one model; each token is counted in one figure alone."""

    model: str = ""
    """As the agent calls it; empty where it does not say."""
    input: Count = 0
    """Of the prompt, what came from no cache."""
    cache_read: Count = 0
    cache_write: Count = 0
    output: Count = 0
    """With what the model thought."""

    @property
    def tokens(self) -> int:
        """All of them."""
        return self.input + self.cache_read + self.cache_write + self.output


class Tariff(Frozen):
    """List prices of one model, in US dollars for a million tokens."""

    input: Amount
    output: Amount
    cache_read: Amount | None = None
    cache_write: Amount | None = None
    """Without a price of its own, what a cache has to do with costs what other input costs."""

    def estimate(self, usage: Usage) -> Decimal:
        """Return what the tokens cost."""
        read = self.input if self.cache_read is None else self.cache_read
        write = self.input if self.cache_write is None else self.cache_write
        whole = (
            usage.input * self.input
            + usage.cache_read * read
            + usage.cache_write * write
            + usage.output * self.output
        )
        return whole / MILLION


class Estimate(Frozen):
    """What tokens cost at list price."""

    usd: Decimal
    source: str
    """Whose prices these are, with their version or date."""


FindEstimate = Callable[[Usage], Estimate | None]
"""Returns what tokens cost; `None` for a model that has no known price."""


def know_no_price(_: Usage) -> None:
    """Return that nothing is known."""


def add_up(usages: Iterable[Usage], find_estimate: FindEstimate = know_no_price) -> Spend:
    """Return what calls used, as a vendor reported it; in dollars only where every part has a price."""
    known = [usage for usage in usages if usage.tokens]
    found = [find_estimate(usage) for usage in known]
    priced = [estimate for estimate in found if estimate is not None]
    whole = sum((estimate.usd for estimate in priced), Decimal(0))
    return Spend(
        tokens=sum(usage.tokens for usage in known),
        usd=whole.quantize(SMALLEST, "ROUND_UP") if len(priced) == len(known) else None,
        source=SpendSource.VENDOR_REPORTED,
        priced="; ".join(dict.fromkeys(estimate.source for estimate in priced)),
    )
