"""What tokens cost at list price: an estimate that names its source, and nothing where no price is known."""

from __future__ import annotations

from decimal import Decimal
from importlib import metadata
from pathlib import Path

import pytest

from goal_engine.budget import Spend, SpendSource
from goal_engine.errors import BadConfiguration
from goal_engine.usage import Estimate, Tariff, Usage, add_up
from goal_engine.workers.prices import has_prices, read_prices

TURN = Usage(model="kimi-k2", input=1300, cache_read=2000, output=90)
TABLE = f"genai-prices {metadata.version('genai-prices')}"


def by(**known: str):
    return lambda usage: (
        Estimate(usd=Decimal(known[usage.model]), source=f"{usage.model}'s list")
        if usage.model in known
        else None
    )


def test_tokens_are_added_up_and_dollars_only_where_every_part_has_a_price() -> None:
    one, two = TURN.changed(model="a"), TURN.changed(model="b")
    both = add_up((one, two), by(a="0.5", b="0.25"))
    assert (both.tokens, both.usd) == (2 * 3390, Decimal("0.75"))
    assert (both.source, both.priced) == (SpendSource.VENDOR_REPORTED, "a's list; b's list")
    part = add_up((one, two), by(a="0.5"))
    assert (part.tokens, part.usd) == (2 * 3390, None)
    assert add_up((one,)).usd is None, "without prices nothing is guessed"
    nothing = add_up((Usage(model="unknown"),))
    assert (nothing.tokens, nothing.usd) == (0, 0), "no token costs nothing, whatever it is"


def test_a_tariff_takes_input_prices_for_a_cache_that_has_none() -> None:
    tariff = Tariff(input="2", output="10")
    usage = Usage(input=10**6, cache_read=10**6, cache_write=10**6, output=10**6)
    assert tariff.estimate(usage) == 16
    cached = tariff.changed(cache_read=Decimal("0.2"), cache_write=Decimal("2.5"))
    assert cached.estimate(usage) == Decimal("14.7")
    assert add_up((Usage(input=1),), lambda _: Estimate(usd=Decimal("1e-9"), source="x")).usd == (
        Decimal("0.000001")
    ), "rounded up, never to nothing"


def test_an_estimate_stays_one_in_a_sum() -> None:
    first = Spend(tokens=1, usd=Decimal(1), source=SpendSource.VENDOR_REPORTED, priced="a; b")
    second = first.changed(priced="b; c")
    assert first.plus(second).priced == "a; b; c"
    assert first.plus(Spend()).priced == "a; b" and Spend().plus(first).priced == "a; b"
    assert "priced" not in Spend().model_dump(), "journals of before say the same bytes"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOALPROOF_CONFIG_DIR", str(tmp_path))
    return tmp_path


def test_the_installed_table_knows_models_and_is_named(config: Path) -> None:
    assert has_prices()
    find = read_prices()
    found = find(TURN)
    assert found is not None and found.source == TABLE and 0 < found.usd < 1
    assert find(TURN.changed(model="some-vendor/kimi-k2")) == found
    for unknown in ("", "stub-model", "kimi-k2 or so", "\x1b[2J"):
        assert find(TURN.changed(model=unknown)) is None


def test_the_persons_own_prices_come_first(config: Path) -> None:
    (config / "prices.toml").write_text('[model."kimi-k2"]\ninput = 1\noutput = 0\n')
    found = read_prices()(TURN)
    assert found == Estimate(usd=Decimal("0.0033"), source="prices.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[model.x]\ninput = 1\n", "model.x.output"),
        ("[model.x]\ninput = -1\noutput = 1\n", "model.x.input"),
        ("[model.x]\ninput = nan\noutput = 1\n", "model.x.input"),
        ("[model", "cannot be used"),
    ],
)
def test_bad_prices_are_one_paragraph(config: Path, text: str, said: str) -> None:
    (config / "prices.toml").write_text(text)
    with pytest.raises(BadConfiguration, match=said) as caught:
        read_prices()
    assert "\n" not in str(caught.value)
