"""The results of a wave become one tree, merged in the order of the plan."""

from __future__ import annotations

from goal_engine.ports import Ports
from goal_engine.runtime.threads import in_thread
from goal_engine.state import events as e
from goal_engine.state.commands import Record
from goal_engine.state.model import GoalState
from goal_engine.types import TaskStatus
from goal_engine.worktree import Workbench


async def integrate(ports: Ports, bench: Workbench, state: GoalState) -> GoalState:
    """Merge every finished task that is not yet in the goal's tree; a conflict fails its task.

    Only what was merged is taken from a person: their folder goes then, and not before.
    """
    facts = await in_thread(_merge, bench, state)
    if not facts:
        return state
    after = await ports.transact(state.goal_id, Record(facts))
    for task in state.graph:
        if task.worker == "manual" and task.id in after.integrated[len(state.integrated) :]:
            await bench.clear_desk(task.id)
    return after


def _merge(bench: Workbench, state: GoalState) -> tuple[e.GoalEvent, ...]:
    repository = bench.repository
    ours = state.commit or state.created.base_commit
    merged: list[str] = []
    conflicts: list[e.GoalEvent] = []
    for task in state.graph:
        stands = state.tasks[task.id]
        if stands.status is not TaskStatus.DONE or task.id in state.integrated:
            continue
        assert stands.commit is not None
        result = repository.merge(ours, stands.commit)
        if result.tree is None:
            conflicts.append(e.IntegrationConflicted(task=task.id, paths=result.conflicts))
            waiting = state.find_waiting(task.id)
            if waiting:
                conflicts.append(e.TasksBlocked(tasks=waiting, by=task.id))
        else:
            ours = bench.commit(result.tree, ours, f"integrate {task.id}")
            merged.append(task.id)
    if not merged:
        return tuple(conflicts)
    repository.keep(bench.goal_id, "integrated", ours)
    tree = repository.tree_of(ours)
    integrated = e.TreeIntegrated(
        tasks=tuple(merged),
        commit=ours,
        tree=tree,
        evidence=repository.evidence(state.created.base_tree, tree),
    )
    return (integrated, *conflicts)
