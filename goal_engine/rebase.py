"""A goal's base and the person's branch: noticing that it went on, and putting the goal there.

What moves is the base: the whole change is merged into the newer commits, three ways, and everything
is run and judged again.  What does not merge is left as the person has it, and is done again by who
did it; what was seen of both sides is kept.  Nothing runs here, and the checkout is only read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from goal_engine.conflicts import BASE_MOVED, GoalMergeConflictEvidence, MergeTold, name_files
from goal_engine.dispatch.merge import examine, is_part, keep_clash, tell_clash
from goal_engine.errors import NotPossibleNow, RepositoryUnusable
from goal_engine.ports import Ports
from goal_engine.runtime.repository import (
    BranchNews,
    EvidenceRepository,
    read_checkout,
    read_news,
)
from goal_engine.runtime.threads import in_thread
from goal_engine.state import events as e
from goal_engine.state.commands import MoveBase, Record
from goal_engine.state.model import GoalState
from goal_engine.state.possible import check_possible
from goal_engine.task_graph.globs import match_glob
from goal_engine.types import Decision
from goal_engine.worktree import Workbench, check_own, name_base

TOUCHED = 20
"""Files that a notice keeps."""


async def note_news(ports: Ports, bench: Workbench, state: GoalState) -> GoalState:
    """Record that the person's branch went on since somebody looked last, and return the goal."""
    created = state.created
    news = await in_thread(bench.read_news, created.base_commit, created.branch)
    if news is None or (state.outgrown is not None and state.outgrown.head == news.commit):
        return state
    return await ports.transact(state.goal_id, Record((find_outgrown(state, news),)))


def find_outgrown(state: GoalState, news: BranchNews) -> e.BaseOutgrown:
    """Return what is worth knowing of a branch that went on."""
    globs = {glob for task in state.plan for glob in task.writes}
    touched = [path for path in news.paths if any(match_glob(path, glob) for glob in globs)]
    return e.BaseOutgrown(
        branch=news.branch,
        head=news.commit,
        commits=news.commits,
        rewritten=news.rewritten,
        files=len(news.paths),
        touched=tuple(map(_readable, touched[:TOUCHED])),
        more=max(0, len(touched) - TOUCHED),
    )


def _readable(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


async def plan_move(ports: Ports, state: GoalState, decision: Decision) -> MoveBase:
    """Return what becomes of a goal on the newest commit of its branch.

    The branch is the one it was created on, or the checkout's head where that is gone.  Raises
    `NotPossibleNow` where there is nothing newer and `RepositoryUnusable` in the middle of a merge.
    """
    check_possible(state, "rebase")
    repository = await in_thread(ports.open_repository)
    moved, clash = await in_thread(_plan, ports, repository, state, decision)
    if clash is None:
        return MoveBase(moved, state.present_tree)
    seen, fact = clash
    return MoveBase(moved, state.present_tree, await keep_clash(ports, fact, seen))


Clash = tuple[GoalMergeConflictEvidence, e.IntegrationConflicted]


def _plan(
    ports: Ports, repository: EvidenceRepository, state: GoalState, decision: Decision
) -> tuple[e.BaseMoved, Clash | None]:
    check_own(repository, state)
    status, created = read_checkout(ports.checkout), state.created
    if status.operation:
        raise RepositoryUnusable(
            f"{status.root} is in the middle of a {status.operation}: finish or abort it, then "
            "`rebase` again, so that the goal stands on a commit you mean."
        )
    news = read_news(ports.checkout, created.base_commit, created.branch)
    if news is None:
        raise NotPossibleNow(
            f"{state.goal_id} stands on the newest commit of {created.branch or 'the checkout'} "
            f"({created.base_commit[:12]}) already, so there is nothing to move it to: commit or "
            "pull there first; `verify` runs its gates again as it is."
        )
    repository.pin(news.commit, state.goal_id, name_base(len(state.moves) + 1))
    moved = e.BaseMoved(
        from_commit=created.base_commit,
        from_tree=created.base_tree,
        base_commit=news.commit,
        base_tree=news.tree,
        branch=news.branch,
        decision=decision,
    )
    if state.commit is None:
        return moved, None
    commits = (created.base_commit, news.commit, state.commit)
    result = repository.merge_three(*commits)
    if result.told is None:
        assert result.tree is not None
        return _with_tree(repository, state, moved, result.tree), None
    redo = find_redo(state, result.conflicts)
    tree = _without_conflicts(repository, result.told, news.tree)
    seen = examine(repository, redo[0], (BASE_MOVED,), commits, result.told)
    fact = tell_clash(redo[0], result.told, seen.others)
    return _with_tree(repository, state, moved, tree).changed(redo=redo), (seen, fact)


def _without_conflicts(repository: EvidenceRepository, told: MergeTold, base_tree: str) -> str:
    """Return the merged tree with the person's own files where it does not merge."""
    return repository.overlay(told.tree, base_tree, {*told.paths, *name_files(told.paths)})


def _with_tree(
    repository: EvidenceRepository, state: GoalState, moved: e.BaseMoved, tree: str
) -> e.BaseMoved:
    """The same values give the same commit, so that it can be worked out again after a crash."""
    if tree == moved.base_tree:
        return moved
    commit = repository.commit(
        tree,
        (moved.base_commit,),
        author=state.created.author,
        at=state.goal_id.created_at,
        message="the change on newer commits",
    )
    repository.keep(state.goal_id, "integrated", commit)
    evidence = repository.evidence(moved.base_tree, tree)
    return moved.changed(commit=commit, tree=tree, evidence=evidence)


def find_redo(state: GoalState, paths: Sequence[str]) -> tuple[str, ...]:
    """Return the tasks of the plan that worked on what does not merge, at least one."""
    names = name_files(paths)
    done = [task.id for task in state.plan if task.id in state.integrated]
    found = tuple(name for name in done if _worked_on(state, name, names))
    return found or tuple((done or [task.id for task in state.plan])[-1:])


def _worked_on(state: GoalState, task: str, names: Iterable[str]) -> bool:
    evidence = state.tasks[task].evidence
    return evidence is not None and any(
        is_part(name, path) for name in names for path in evidence.paths
    )
