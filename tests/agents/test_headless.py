"""What real agents say of themselves when they run headless: what they used, their words, why they failed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from goal_engine.budget import SpendSource
from goal_engine.lifecycle import execute_goal, plan_by_agent
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
from tests.agents.scripted import Asked, Reply, Run, Script, Use, in_turn
from tests.agents.scripts import FIXES
from tests.agents.stage import GOAL, find_agents
from tests.agents.test_agents import PLAN, play, tell
from tests.integration.projects import fingerprint

S = GoalStatus
COUNTING = {
    OPENCODE_CLI: Decimal("0.00376"),
    CLAUDE_CLI: Decimal("0.01608"),
    CODEX_CLI: None,
    GEMINI_CLI: None,
    QWEN_CLI: None,
}
"""Who says what it used, and what four answers of the model cost: by its settings, or by its list."""
EVERY = [*COUNTING, KIMI_CLI, KIMI_OLD_CLI]
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


LOOKING = (CLAUDE_CLI, OPENCODE_CLI, GEMINI_CLI, QWEN_CLI)
"""Whom a command line of their own holds to reading."""
UNHELD = (CODEX_CLI, KIMI_CLI, KIMI_OLD_CLI)
"""Kimi has none such, and that of Codex is its own sandbox, which does not work in ours."""
SPOILS = "echo spoiled >>calc.py"
HELPER = f"{GOAL}: you are a helper"
HIDDEN = (
    *("Bash", "Edit", "Write", "NotebookEdit", "Monitor", "EnterWorktree", "ExitPlanMode"),
    *("bash", "edit", "write", "apply_patch", "multiedit", "plan_exit", "exit_plan_mode"),
    *("write_file", "replace", "run_shell_command", "shell", "exec_command", "notebook_edit"),
)
"""Tools that change something, which a model may call whether it is offered them or not."""
PATCH = "*** Begin Patch\n*** Add File: spoiled.py\n+spoiled\n*** End Patch"


def misuse() -> dict[str, Any]:
    """Return what any tool would have to be told to change something, by the name of an argument."""
    here = "{folder}/calc.py"
    paths = ("path", "file_path", "filePath", "absolute_path", "notebook_path")
    texts = ("content", "new_string", "newString", "new_source", "newText", "chars")
    return {
        **dict.fromkeys(paths, here),
        **dict.fromkeys(texts, "spoiled"),
        **dict.fromkeys(("old_string", "oldString"), "a - b"),
        **dict.fromkeys(("command", "cmd", "script"), SPOILS),
        **dict.fromkeys(("input", "patch", "patchText"), PATCH),
        **dict.fromkeys(("description", "title", "plan", "reason"), "It helps"),
        "query": "select:Monitor,Bash,Edit,Write,EnterWorktree,write_file",
        "pattern": "a - b",
        "name": "spoiled",
        **dict.fromkeys(("prompt", "task"), HELPER),
        **dict.fromkeys(("agent_name",), "generalist"),
        "subagent_type": "general-purpose",
        "sandbox_permissions": "require_escalated",
        "justification": "It helps",
        "timeout_ms": 1000,
    }


def find_misuses(offered: Mapping[str, Mapping[str, Any]], *, helps: bool) -> list[Use]:
    """Return a call of every tool that changes something, a helper's own but those that call another one.

    The way into a mode that only plans comes last.
    """
    values = misuse()
    wanted = {**dict.fromkeys(HIDDEN, values), **offered}
    calls = [
        Use(name, {key: value for key, value in values.items() if key in known})
        for name, known in sorted(wanted.items(), key=lambda item: "plan" in item[0])
        if {*known} & {*values} and not (helps and "prompt" in known)
    ]
    if "tool_call" in offered:
        calls += [Use("tool_call", {"name": name, "arguments": values}) for name in HIDDEN]
    return calls


def tries_everything(answer: str) -> Script:
    """Return a script that misuses every tool that there is at first, and then answers."""
    calls: dict[bool, list[Use]] = {}

    def say(asked: Asked) -> Reply:
        helps = HELPER in asked.prompt
        if helps not in calls:
            calls[helps] = find_misuses(asked.tools, helps=helps)
        left = calls[helps][asked.done :]
        return Reply("", (left[0],)) if left else Reply("Done." if helps else answer)

    return say


@pytest.mark.parametrize("known", LOOKING, ids=str)
async def test_who_only_looks_answers_and_changes_nothing_whatever_its_model_tries(
    stage: SetStage, known: Known
) -> None:
    there = stage(known, tries_everything(f"So:\n```json\n{json.dumps(PLAN)}\n```"))
    before, state = fingerprint(there.project), await there.create_of_words()
    ports = there.engine.ports
    state = await plan_by_agent(ports, state.goal_id, known.worker, known.agent, by="me")
    assert state.planner == "agent" and not state.unplanned, state.unplanned
    assert max(asked.done for asked in there.model.asked) >= len(HIDDEN)
    assert any("a - b" in text for asked in there.model.asked for text in asked.results)
    assert fingerprint(there.project) == before


@pytest.mark.parametrize("known", UNHELD, ids=str)
async def test_what_nobody_hinders_is_seen_and_the_answer_is_not_taken(
    stage: SetStage, known: Known
) -> None:
    there = stage(known, in_turn(Reply("", (Run(SPOILS),)), Reply(json.dumps(PLAN))))
    before, state = fingerprint(there.project), await there.create_of_words()
    ports = there.engine.ports
    state = await plan_by_agent(ports, state.goal_id, known.worker, known.agent, by="me")
    assert state.planner == "scaffold" and "it changed calc.py" in state.unplanned
    assert fingerprint(there.project) == before
