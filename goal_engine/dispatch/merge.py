"""The results of a wave become one tree, merged in the order of the plan, whatever came in first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from goal_engine.conflicts import (
    BASE_MOVED,
    FILES,
    ConflictedFile,
    GoalMergeConflictEvidence,
    MergeTold,
    describe_file,
    name_files,
    parse_lines,
)
from goal_engine.ports import Ports
from goal_engine.runtime.repository import EvidenceRepository
from goal_engine.runtime.threads import in_thread
from goal_engine.state import events as e
from goal_engine.state.commands import Record
from goal_engine.state.model import GoalState
from goal_engine.types import TaskStatus
from goal_engine.worktree import Workbench


async def integrate(ports: Ports, bench: Workbench, state: GoalState) -> GoalState:
    """Merge every finished task that is not yet in the goal's tree; a conflict fails its task.

    Only what was merged is taken from a person: their folder goes then, and not before.  What both
    sides of a conflict did is kept as an object beside the journal.
    """
    facts, clashes = await in_thread(_merge, bench, state)
    if not facts:
        return state
    kept = [
        await keep_clash(ports, fact, clashes[fact.task])
        if isinstance(fact, e.IntegrationConflicted)
        else fact
        for fact in facts
    ]
    after = await ports.transact(state.goal_id, Record(tuple(kept)))
    for task in state.graph:
        if task.worker == "manual" and task.id in after.integrated[len(state.integrated) :]:
            await bench.clear_desk(task.id)
    return after


async def keep_clash(
    ports: Ports, fact: e.IntegrationConflicted, seen: GoalMergeConflictEvidence
) -> e.IntegrationConflicted:
    """Keep what was seen of a conflict, and name it in the event."""
    return fact.changed(report=await ports.store.write_object(render_clash(seen)))


def render_clash(seen: GoalMergeConflictEvidence) -> bytes:
    """Return a conflict as it is kept."""
    return seen.model_dump_json().encode()


Clashes = dict[str, GoalMergeConflictEvidence]


def _merge(bench: Workbench, state: GoalState) -> tuple[tuple[e.GoalEvent, ...], Clashes]:
    repository = bench.repository
    ours = state.commit or state.created.base_commit
    merged: list[str] = []
    conflicts: list[e.GoalEvent] = []
    clashes: Clashes = {}
    for task in state.graph:
        stands = state.tasks[task.id]
        if stands.status is not TaskStatus.DONE or task.id in state.integrated:
            continue
        assert stands.commit is not None and stands.base is not None
        # one that began before the base moved shares no history with what is there
        merge = partial(repository.merge_three, stands.base) if state.moves else repository.merge
        result = merge(ours, stands.commit)
        if result.told is not None:
            clash = examine(
                repository,
                task.id,
                find_others(state, task.id, (*state.integrated, *merged), result.conflicts),
                (stands.base, ours, stands.commit),
                result.told,
            )
            clashes[task.id] = clash
            conflicts.append(tell_clash(task.id, result.told, clash.others))
            waiting = state.find_waiting(task.id)
            if waiting:
                conflicts.append(e.TasksBlocked(tasks=waiting, by=task.id))
        else:
            assert result.tree is not None
            ours = bench.commit(result.tree, ours, f"integrate {task.id}")
            merged.append(task.id)
    if not merged:
        return tuple(conflicts), clashes
    repository.keep(bench.goal_id, "integrated", ours)
    tree = repository.tree_of(ours)
    integrated = e.TreeIntegrated(
        tasks=tuple(merged),
        commit=ours,
        tree=tree,
        evidence=repository.evidence(state.created.base_tree, tree),
    )
    return (integrated, *conflicts), clashes


def examine(
    repository: EvidenceRepository,
    task: str,
    others: Sequence[str],
    commits: tuple[str, str, str],
    told: MergeTold,
) -> GoalMergeConflictEvidence:
    """Return what both sides of a conflict did; `commits` are the base's, ours and theirs."""
    base, ours, theirs = (repository.tree_of(commit) for commit in commits)

    def look(path: str) -> ConflictedFile:
        name = name_files((path,))[0]
        sides = (parse_lines(repository.bare_patch(base, side, name)) for side in (ours, theirs))
        return describe_file(path, told, *sides)

    files = {name_files((path,))[0]: path for path in told.paths}
    shown = [look(path) for path in list(files.values())[:FILES]]
    return GoalMergeConflictEvidence(
        task=task,
        others=tuple(others),
        base=base,
        ours=ours,
        theirs=theirs,
        files=tuple(shown),
        more=max(0, len(files) - FILES),
    )


def tell_clash(task: str, told: MergeTold, others: tuple[str, ...]) -> e.IntegrationConflicted:
    """Return the event of a conflict, its lines not yet kept."""
    kinds = tuple(told.find_kind(path) for path in told.paths)
    return e.IntegrationConflicted(task=task, paths=told.paths, kinds=kinds, others=others)


def find_others(
    state: GoalState, task: str, there: Iterable[str], paths: Sequence[str]
) -> tuple[str, ...]:
    """Return the tasks that made the other side of a conflict.

    Not those that `task` waited for: it began with what they had done.
    """
    names = name_files(paths)
    found = []
    for other in there:
        evidence = state.tasks[other].evidence
        if evidence is None or other == task or task in state.graph.dependents(other):
            continue
        if any(is_part(name, path) for name in names for path in evidence.paths):
            found.append(other)
    return tuple(found) or ((BASE_MOVED,) if state.moves else ())


def is_part(one: str, other: str) -> bool:
    """Whether two paths are the same, or one is a folder of the other."""
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")
