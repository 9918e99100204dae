"""What real agents say of themselves when they run headless: what they used, their words, why they failed."""

from __future__ import annotations

from decimal import Decimal

import pytest

from goal_engine.budget import SpendSource
from goal_engine.lifecycle import execute_goal
from goal_engine.types import GoalStatus
from tests.agents.conftest import SetStage
from tests.agents.known import (
    CLAUDE_CLI,
    CODEX_CLI,
    GEMINI_CLI,
    KIMI_CLI,
    KIMI_OLD_CLI,
    OPENCODE_CLI,
    QWEN_CLI,
    Known,
)
from tests.agents.scripted import Reply, Run, in_turn
from tests.agents.scripts import FIXES
from tests.agents.stage import find_agents
from tests.agents.test_agents import play, tell

S = GoalStatus
COUNTING = {
    OPENCODE_CLI: Decimal("0.00376"),
    CLAUDE_CLI: Decimal("0.01608"),
    GEMINI_CLI: None,
    QWEN_CLI: None,
}
"""Who says what it used, and what four answers of the model cost: by its settings, or by its list."""
EVERY = [*COUNTING, KIMI_CLI, KIMI_OLD_CLI, CODEX_CLI]
SILENT = (KIMI_CLI, KIMI_OLD_CLI)


@pytest.mark.parametrize("known", COUNTING, ids=str)
async def test_what_it_used_is_counted_to_the_token(stage: SetStage, known: Known) -> None:
    """Each of four answers is 1,000 tokens in, 100 of them cached, and 20 out."""
    there = stage(known, FIXES)
    state = await play(there)
    assert state.status is S.READY, tell(state)
    assert state.spend.tokens == 4080 and state.spend.source is SpendSource.VENDOR_REPORTED
    assert state.spend.usd == COUNTING[known] and not state.spend.priced
    log = await there.read_log(state)
    assert "calls " in log and "run_tests.py" in log and "4080 tokens" in log
    assert '{"' not in log, "people read a transcript"


async def test_what_codex_used_is_counted_and_not_priced(stage: SetStage) -> None:
    """Its own sandbox does not work in ours for root, so it only speaks."""
    there = stage(CODEX_CLI, in_turn(Reply("I would do this.")))
    state = await play(there, repairs=0)
    assert state.spend.tokens == 1020 and state.spend.usd is None, tell(state)
    assert "  I would do this." in await there.read_log(state)


@pytest.mark.parametrize("known", SILENT, ids=str)
async def test_what_it_does_not_say_is_unknown(stage: SetStage, known: Known) -> None:
    there = stage(known, FIXES)
    state = await play(there)
    assert state.status is S.READY, tell(state)
    assert state.spend.tokens is None and state.spend.usd is None and state.spend.turns == 1
    log = await there.read_log(state)
    assert "run_tests.py" in log and '{"' not in log, "people read a transcript"


async def test_a_limit_of_tokens_ends_who_counts_while_it_works(stage: SetStage) -> None:
    there = stage(OPENCODE_CLI, lambda _: Reply("", (Run("true"),)))
    state = await play(there, tokens=2500)
    assert state.status is S.NEEDS_MORE_BUDGET, tell(state)
    assert state.blocked and state.blocked.limits == ("tokens",)
    assert state.spend.tokens and 3060 <= state.spend.tokens <= 5100
    assert not find_agents(there.around)


async def test_a_limit_of_tokens_holds_between_turns_of_who_counts_at_the_end(
    stage: SetStage,
) -> None:
    there = stage(CLAUDE_CLI, FIXES)
    state = await play(there, tokens=2500)
    assert state.status is S.NEEDS_MORE_BUDGET, tell(state)
    assert state.blocked and state.blocked.limits == ("tokens",)
    assert state.spend.tokens == 4080


@pytest.mark.parametrize("known", SILENT, ids=str)
async def test_who_says_nothing_does_not_begin_below_a_limit(stage: SetStage, known: Known) -> None:
    there = stage(known, FIXES)
    state = await there.create(tokens=2500)
    state = await execute_goal(there.engine.ports, state.goal_id)
    assert state.status is S.BLOCKED_ON_HUMAN, tell(state)
    assert there.model.asked == []


@pytest.mark.parametrize("known", EVERY, ids=str)
async def test_a_login_that_is_refused_is_said_and_not_tried_again(
    stage: SetStage, known: Known
) -> None:
    there = stage(known, lambda _: Reply(status=401))
    state = await play(there, repairs=0)
    assert state.status is not S.READY
    assert "401" in tell(state) and state.tasks["fix"].attempts == 1
