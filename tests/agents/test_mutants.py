"""Each way to get the engine wrong where agents work is caught by a scenario."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.agents.conftest import staging
from tests.agents.mutants import MUTANTS, Mutant
from tests.agents.stage import find_agents
from tests.agents.tools import Programs


@pytest.mark.parametrize(
    "mutant",
    [pytest.param(one, marks=[pytest.mark.long] if one.long else []) for one in MUTANTS],
    ids=str,
)
async def test_its_scenario_fails_with(
    mutant: Mutant, programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play() -> None:
        with staging(programs, tmp_path, monkeypatch) as stage:
            given = {"stage": stage, "known": mutant.known, "tmp_path": tmp_path}
            wanted = inspect.signature(mutant.scenario).parameters
            await mutant.scenario(**{name: given[name] for name in wanted})

    calls = mutant.apply(monkeypatch)
    try:
        with pytest.raises(AssertionError) as failed:
            await play()
    finally:
        for left in find_agents(tmp_path.parent):
            with suppress(psutil.Error):
                left.kill()
    assert any(mutant.says in text for text in tell_all(failed.value))
    assert calls, f"{mutant.piece} is not called any more: the engine is as it was"


def tell_all(error: BaseException | None) -> Iterator[str]:
    """Yield what an error says, and what those say that it came after: who is left fails as well, in the end."""
    while error is not None:
        yield str(error)
        error = error.__context__
