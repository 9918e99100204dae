"""List prices of models: the person's own, then those of genai-prices, where that is installed.

Nothing is fetched: the table is the one that was installed, and an estimate names its version.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import import_module, metadata, util
from typing import Annotated, Any

from pydantic import ConfigDict, Field, ValidationError

from goal_engine.budget import SAYS_NOTHING, Reporting, Reports
from goal_engine.errors import BadConfiguration, GoalError
from goal_engine.runtime.config import config_dir
from goal_engine.toml import UNREADABLE
from goal_engine.types import AgentWorker, Frozen
from goal_engine.usage import Estimate, FindEstimate, Tariff, Usage
from goal_engine.workers.agents import FindAgents

FILE = "prices.toml"
LIMIT = 256 * 1024
"""Bytes of the person's prices that are read."""
PACKAGE = "genai-prices"
EXAMPLE = '[model."kimi-k3"] with `input = 0.6`, `output = 2.5` and, if wanted, `cache_read = 0.15`'


class _File(Frozen):
    model_config = ConfigDict(strict=False)

    model: dict[Annotated[str, Field(min_length=1, max_length=200)], Tariff] = {}


def has_prices() -> bool:
    """Whether prices can be known here at all; nothing is imported to find out.  Blocking."""
    return (config_dir() / FILE).exists() or util.find_spec("genai_prices") is not None


def find_reports(find_agents: FindAgents, agent: str, worker: AgentWorker) -> Reports:
    """Return what an agent says of what it uses, with dollars where they can be estimated.  Blocking."""
    try:
        known = find_agents().get(agent)
    except GoalError:  # whoever starts it hears of it
        known = None
    speaks = known.ways.get(worker) if known else None
    if speaks is None:
        return SAYS_NOTHING
    estimated = speaks.usd is Reporting.NEVER and speaks.models and has_prices()
    return Reports(tokens=speaks.tokens, usd=speaks.tokens if estimated else speaks.usd)


def read_prices() -> FindEstimate:
    """Return what finds the price of tokens.  Raises `BadConfiguration`.  Blocking, the first time for long."""
    own = _read_own()
    _import_prices()
    return lambda usage: _estimate(usage, own) or _look_up(usage)


def _read_own() -> Mapping[str, Tariff]:
    path = config_dir() / FILE
    try:
        with path.open("rb") as file:
            return _File.model_validate(tomllib.loads(file.read(LIMIT).decode())).model
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except ValidationError as error:
        said = "; ".join(
            f"`{'.'.join(map(str, item['loc']))}`: {item['msg']}" for item in error.errors()
        )
    except (OSError, *UNREADABLE) as error:
        said = (error.strerror if isinstance(error, OSError) else None) or str(error)
    raise BadConfiguration(
        f"{path} cannot be used: {said}. A model is a table {EXAMPLE}: US dollars for a million"
        " tokens. Correct it, or move it away to use the prices that are known anyway."
    )


def _estimate(usage: Usage, own: Mapping[str, Tariff]) -> Estimate | None:
    tariff = own.get(usage.model)
    return Estimate(usd=tariff.estimate(usage), source=FILE) if tariff else None


def _look_up(usage: Usage) -> Estimate | None:
    """A name that a vendor puts before the model's (`kimi-code/kimi-k3`) is tried without."""
    prices = _import_prices()
    names = dict.fromkeys((usage.model, usage.model.rpartition("/")[2]))
    for name in filter(None, names) if prices else ():
        told = prices.Usage(
            input_tokens=usage.input + usage.cache_read + usage.cache_write,
            cache_read_tokens=usage.cache_read,
            cache_write_tokens=usage.cache_write,
            output_tokens=usage.output,
        )
        try:
            price = prices.calc_price(told, model_ref=name).total_price
        except (LookupError, ValueError):
            continue
        return Estimate(usd=price, source=_say_version())
    return None


@cache
def _import_prices() -> Any:
    if util.find_spec("genai_prices") is None:
        return None
    return import_module("genai_prices")  # costs time that nobody else must pay


@cache
def _say_version() -> str:
    return f"{PACKAGE} {metadata.version(PACKAGE)}"
