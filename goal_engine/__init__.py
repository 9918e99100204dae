"""Goalproof's engine: one coding goal from a plan to a proof that a stranger can run again.

The storefront: the names that others may rely on, imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PLACES = {
    "CreateGoalOptions": "planner",
    "Engine": "engine",
    "FileSystemGoalStateStore": "state.persistence",
    "GoalAgentTaskProposal": "agent",
    "GoalBudget": "budget",
    "GoalDeliveryPolicy": "types",
    "GoalError": "errors",
    "GoalGitEvidence": "evidence",
    "GoalId": "types",
    "GoalKind": "types",
    "GoalPlan": "document",
    "GoalProgressSnapshot": "progress",
    "GoalProof": "proof.statement",
    "GoalReplay": "replay",
    "GoalState": "state.model",
    "GoalStateStore": "state.store",
    "GoalTaskGraph": "task_graph.graph",
    "InMemoryGoalStateStore": "state.memory",
    "LocalTeamRunner": "dispatch.tasks.team",
    "TeamRunner": "ports",
    "Wave": "dispatch.tasks.scheduler",
    "next_wave": "dispatch.tasks.scheduler",
    "accept_criterion": "integration",
    "answer_question": "control",
    "apply_change": "delivery.local",
    "cancel_goal": "control",
    "create_goal": "planner",
    "deliver_local": "delivery.local",
    "execute_goal": "lifecycle",
    "list_goals": "queries",
    "pause_goal": "control",
    "plan_goal": "planner",
    "reject_goal": "integration",
    "replay_goal": "replay",
    "resolve_goal": "queries",
    "resolve_goal_proof": "queries",
    "resume_goal": "lifecycle",
    "revise_goal": "planner",
    "verify_proof": "reverify",
}

__all__ = sorted(_PLACES)


def __getattr__(name: str) -> Any:
    """Import a public name from its place."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
