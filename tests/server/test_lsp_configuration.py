"""A new goal gets what the person prefers, where neither the request nor its plan says otherwise."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import Field

from goal_server.lsp_configuration import find_defaults
from goal_server.parameters import RunParams
from goal_server.preferences import Preferences

SET = Preferences(worker="cli", agent="claude", max_agents=2, wall_seconds=900)
LIMITS = {"maxAgents": 2, "wallSeconds": 900}


class WithWorkers(RunParams):
    """Parameters that a worker and an agent can be given to."""

    worker: str | None = Field(default=None, description="x")
    agent: str | None = Field(default=None, description="x")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, {"worker": "cli", "agent": "claude", **LIMITS}),
        ({"maxAgents": 9}, {"worker": "cli", "agent": "claude", "wallSeconds": 900}),
        ({"max_agents": 9}, {"worker": "cli", "agent": "claude", "wallSeconds": 900}),
        ({"maxAgents": None}, {"worker": "cli", "agent": "claude", **LIMITS}),
        ({"worker": "manual"}, LIMITS),
        ({"agent": "codex"}, LIMITS),
        ({"plan": "plan.toml"}, {"worker": "cli", "agent": "claude", **LIMITS}),
    ],
)
def test_what_is_given_stands(given: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert find_defaults(SET, given, WithWorkers.model_fields) == wanted


def test_nothing_is_added_that_the_operation_does_not_take() -> None:
    assert find_defaults(SET, {}, {}) == {}


def test_nothing_is_added_when_nothing_is_set() -> None:
    assert find_defaults(Preferences(), {}, WithWorkers.model_fields) == {}


def test_an_agent_is_no_default_beside_a_worker_that_has_none() -> None:
    preferences = Preferences(worker="manual", agent="claude")
    assert find_defaults(preferences, {}, WithWorkers.model_fields) == {"worker": "manual"}
    preferences = Preferences(agent="claude")
    assert find_defaults(preferences, {}, WithWorkers.model_fields) == {"agent": "claude"}
