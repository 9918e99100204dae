"""The change reaches the person: as a diff, in the open checkout, or as one branch.

Only a goal that is `ready` may leave, only with the tree that its proof is about.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from goal_engine.delivery.change import (
    EXECUTABLE,
    FILE,
    Content,
    FileChange,
    choose_forms,
    find_gitlinks,
    find_misfits,
    is_alike,
    plan_change,
)
from goal_engine.delivery.forms import read_forms
from goal_engine.errors import ChangeDoesNotFit, GoalNotFound, NotPossibleNow
from goal_engine.evidence import SYMLINK, GoalGitEvidence
from goal_engine.ports import Ports
from goal_engine.runtime.atomic import writing
from goal_engine.runtime.inside import (
    LeadsOut,
    link_inside,
    read_inside,
    replace_inside,
    unlink_inside,
)
from goal_engine.runtime.repository import (
    EvidenceRepository,
    find_left_out,
    read_checkout,
    read_news,
)
from goal_engine.runtime.threads import in_thread
from goal_engine.state import events as e
from goal_engine.state.commands import Record
from goal_engine.state.model import GoalState
from goal_engine.state.possible import check_possible, refusal
from goal_engine.state.transitions import TRANSITIONS
from goal_engine.takeover import forget_sessions, take_over
from goal_engine.types import GoalId
from goal_engine.undone import look_at_trees
from goal_engine.worktree import check_own

OUTSIDE = "outside"
"""The mode of what a change cannot be made to: behind a link, or no file at all."""
SHOWN = 5
"""Paths that a refusal names."""


async def read_diff(
    ports: Ports, goal_id: GoalId, task: str | None = None, path: str | None = None
) -> bytes:
    """Return the change of a goal, or of one of its tasks or files, as a patch."""
    state = await ports.read(goal_id)
    evidence = find_evidence(state, task)
    if evidence is None:
        return b""
    names = find_names(state, evidence, path) if path else ()
    repository = await in_thread(ports.open_repository)
    if not await in_thread(repository.has_tree, evidence.tree):
        raise GoalNotFound(
            f"What {state.goal_id} changed is not kept any more: `gc` let go of it, as storage.toml "
            "says. A proof of the goal has the whole change, as a git bundle."
        )
    return await in_thread(repository.patch, evidence.base_tree, evidence.tree, names)


def find_evidence(state: GoalState, task: str | None) -> GoalGitEvidence | None:
    """Return the change of a goal or of one of its tasks.  Raises `GoalNotFound`."""
    if task is None:
        return state.evidence
    if task not in state.tasks:
        raise GoalNotFound(
            f"{state.goal_id} has no task {task[:80]!r}; it has {', '.join(state.tasks) or 'none'}."
        )
    return state.tasks[task].evidence


def find_names(state: GoalState, evidence: GoalGitEvidence, path: str) -> tuple[str, ...]:
    """Return a path of a change with the other name it has there.  Raises `GoalNotFound`."""
    if path not in evidence.paths:
        raise GoalNotFound(
            f"{state.goal_id} changes no file {path[:200]!r}; `diff` shows what it changes."
        )
    files = [file for file in evidence.files if path in (file.path, file.old_path)]
    return tuple(sorted({name for file in files for name in (file.path, file.old_path) if name}))


class ChangeEditor(Protocol):
    """Somebody who puts text into files where a person has them open (an editor)."""

    async def edit(
        self, checkout: Path, title: str, changes: tuple[FileChange, ...]
    ) -> tuple[FileChange, ...]:
        """Do what can be done of `changes` and return those that are left.

        Raises `ChangeDoesNotFit` when a buffer has other text or the editor refuses: then nothing
        was done.
        """
        ...


async def apply_change(
    ports: Ports,
    goal_id: GoalId,
    *,
    undo: bool = False,
    editor: ChangeEditor | None = None,
    by: str = "",
) -> GoalState:
    """Put the change of a ready goal into the checkout's files, or with `undo` take it out again.

    The index stays as it is.  What is as wanted already is left alone, so that a change that was
    put there by half can be completed.  Raises `NotPossibleNow`, and `ChangeDoesNotFit` when a file
    is neither as it was on the base nor as the change leaves it: then nothing is written at all.
    """
    state = await ports.read(goal_id)
    evidence = await in_thread(_find_change, ports, state, undo)
    repository = await in_thread(ports.open_repository)
    if not undo:
        await in_thread(check_own, repository, state)
        await in_thread(check_undoes_nothing, ports.checkout, repository, state, "apply")
    changes = await in_thread(plan_for, ports.checkout, repository, evidence)
    if undo:
        changes = tuple(change.turned_round for change in changes)
        _check_there(ports.checkout, state, changes)
    await in_thread(check_fit, ports.checkout, state, evidence, changes)
    if editor is not None:
        changes = await editor.edit(ports.checkout, f"Goalproof: {state.created.text}", changes)
        await in_thread(check_fit, ports.checkout, state, evidence, changes)
    await in_thread(carry_out, ports.checkout, changes)
    files = tuple(sorted(evidence.paths))
    made = e.ChangeUndone if undo else e.ChangeApplied
    return await ports.transact(goal_id, Record((made(tree=evidence.tree, files=files, by=by),)))


def plan_for(
    checkout: Path, repository: EvidenceRepository, evidence: GoalGitEvidence
) -> tuple[FileChange, ...]:
    """Return what a change does to the files as this checkout has them; it runs no filter."""
    forms = read_forms(repository, checkout, evidence)
    return choose_forms(
        plan_change(evidence, repository.read_blob),
        (forms.write(change) for change in plan_change(evidence, forms.read)),
        lambda path: read_present(checkout, path),
    )


def _find_change(ports: Ports, state: GoalState, undo: bool) -> GoalGitEvidence:
    """Return the change that is meant: to take out, the one that was put in."""
    base = state.created.base_tree
    if not undo:
        check_proven(state, "apply")
    elif e.ChangeUndone not in TRANSITIONS[state.status]:
        raise refusal(state, "apply --undo")
    elif state.applied_tree is not None and (
        state.applied_tree != state.tree or state.applied_base not in (None, base)
    ):
        repository = ports.open_repository()
        return repository.evidence(state.applied_base or base, state.applied_tree)
    if state.evidence is None:
        raise NotPossibleNow(f"{state.goal_id} has no change to take out.")
    return state.evidence


def _check_there(checkout: Path, state: GoalState, changes: tuple[FileChange, ...]) -> None:
    """Taking out what never was put in would be recorded as something that happened."""
    present = [read_present(checkout, change.path) for change in changes]
    there = [is_alike(now, change.before) for now, change in zip(present, changes, strict=True)]
    if state.applied_tree is None and not any(there):
        raise NotPossibleNow(
            f"The change of {state.goal_id} is not in the files of {checkout}, so there is nothing "
            "to take out; `diff` shows it and `apply` puts it there."
        )


def check_proven(state: GoalState, verb: str) -> None:
    """Raise unless a change may leave now, and its proof is about its tree."""
    check_possible(state, verb)
    if state.proof is None or state.proof.tree != state.tree or state.evidence is None:
        raise NotPossibleNow(
            f"The proof of {state.goal_id} is about another tree than the one to {verb}; "
            "`execute` it again."
        )


def check_undoes_nothing(
    checkout: Path, repository: EvidenceRepository, state: GoalState, verb: str
) -> None:
    """Raise `ChangeDoesNotFit` where the change, merged into the person's branch as it is now, would
    undo what was merged there since the goal's base.

    What git itself does not merge is no silent matter; after a `rebase` the judgement has looked.
    """
    created = state.created
    news = read_news(checkout, created.base_commit, created.branch)
    if news is None or state.commit is None:
        return
    merged = repository.merge_three(created.base_commit, news.commit, state.commit)
    if merged.tree is None:
        return
    undone = look_at_trees(repository, created.base_tree, news.tree, merged.tree)
    if undone:
        more = f"; and {len(undone) - SHOWN} more" if len(undone) > SHOWN else ""
        said = "; ".join(one.sentence for one in undone[:SHOWN])
        raise ChangeDoesNotFit(
            f"Nothing was done: to {verb} {state.goal_id} would undo work that "
            f"{news.branch or 'the checkout'} has since the goal's base, although it merges without "
            f"a conflict: {said}{more}. `rebase` the goal: then its gates run on that work, and you "
            "can accept what is meant to go."
        )


def check_fit(
    checkout: Path, state: GoalState, evidence: GoalGitEvidence, changes: tuple[FileChange, ...]
) -> None:
    """Raise `ChangeDoesNotFit` where something else stands than a change finds or leaves."""
    misfits = find_misfits(changes, lambda path: read_present(checkout, path))
    blocked = _find_blocked(checkout, changes)
    found = dict.fromkeys((*misfits, *blocked, *find_gitlinks(evidence)))
    left_out = find_left_out(checkout, found) if found else ()
    if left_out:
        raise ChangeDoesNotFit(
            f"Nothing was written: this sparse checkout leaves out {_name_some(left_out)}. "
            "`git sparse-checkout add` the folder, or `git sparse-checkout disable`, then again; or use "
            "`deliver` to get the change as a branch."
        )
    if found:
        raise does_not_fit(checkout, state.goal_id, tuple(found))


def does_not_fit(checkout: Path, goal_id: str, paths: Sequence[str]) -> ChangeDoesNotFit:
    """Return the refusal that names what is neither as before nor as after a change."""
    named = _name_some(paths)
    return ChangeDoesNotFit(
        f"Nothing was written: {named} in {checkout} {'is' if len(paths) == 1 else 'are'} neither as "
        f"{goal_id} found it nor as it leaves it. Save or undo your own changes there; or `rebase` the "
        "goal, where your branch went on since; or `deliver` the change as a branch."
    )


def _name_some(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return f"{', '.join(paths[:SHOWN])}{more}"


def carry_out(checkout: Path, changes: Iterable[FileChange]) -> None:
    """Make every file as its change leaves it.

    Deletions come first and deepest first: nothing is ever removed through a link made here.
    """
    gone = [change for change in changes if change.after is None]
    for change in sorted(gone, key=lambda change: change.path, reverse=True):
        target = checkout / change.path
        if target.is_symlink() or target.is_file():
            _touch(checkout, change.path, unlink_inside)
        _remove_empty(target.parent, checkout)
    for change in changes:
        if change.after is not None and read_present(checkout, change.path) != change.after:
            _put(checkout, change.path, change.after)


def _put(checkout: Path, path: str, content: Content) -> None:
    """Nobody may read a file that could not before, and folders without a file make room."""
    target = checkout / path
    if target.is_dir() and not target.is_symlink():
        _remove_folders(target)
    if content.is_link:
        led = content.data.decode("utf-8", "surrogateescape")
        _touch(checkout, path, link_inside, led)
    else:
        mode = _choose_mode(target, content.mode == EXECUTABLE)
        _touch(checkout, path, replace_inside, content.data, mode)


def _touch(checkout: Path, path: str, change: Callable[..., None], *what: object) -> None:
    """A link that comes to stand in the way meanwhile is nothing to write through."""
    try:
        with writing(checkout / path):
            change(checkout, path, *what)
    except LeadsOut as error:
        raise ChangeDoesNotFit(
            f"{path} in {checkout} came to lead elsewhere while it was written, and was left alone: "
            "look what changes files there, then do this again; what is done already stays."
        ) from error


def _choose_mode(target: Path, executable: bool) -> int:
    """Whoever may read a file may execute it, or not; a new one is open to all, as git makes it."""
    there = target.is_file() and not target.is_symlink()
    mode = target.stat().st_mode & 0o777 if there else 0o644
    return mode | (mode & 0o444) >> 2 if executable else mode & ~0o111


def _remove_folders(folder: Path) -> None:
    """Remove a folder that holds nothing but folders."""
    for inside in folder.iterdir():
        _remove_folders(inside)
    folder.rmdir()


def _remove_empty(folder: Path, checkout: Path) -> None:
    """Remove a folder that a deletion emptied, and its parents, but never the checkout."""
    with suppress(OSError):
        while folder != checkout and folder.is_relative_to(checkout):
            folder.rmdir()
            folder = folder.parent


def _find_blocked(checkout: Path, changes: tuple[FileChange, ...]) -> tuple[str, ...]:
    """Return the paths at which a folder stands that holds more than what the change deletes."""
    gone = {checkout / change.path for change in changes if change.after is None}
    return tuple(
        change.path
        for change in changes
        if change.after is not None and _holds_others(checkout / change.path, gone)
    )


def _holds_others(target: Path, gone: set[Path]) -> bool:
    if target.is_symlink() or not target.is_dir():
        return False
    return bool({path for path in target.rglob("*") if not path.is_dir()} - gone)


def read_present(checkout: Path, path: str) -> Content | None:
    """Return what stands at a path as git would see it; through a link in the checkout, not ours."""
    target = checkout / path
    if not target.parent.resolve().is_relative_to(checkout.resolve()):
        return Content(b"", OUTSIDE)
    if target.is_symlink():
        return Content(str(target.readlink()).encode("utf-8", "surrogateescape"), SYMLINK)
    if not target.is_file():
        return None if target.is_dir() or not target.exists() else Content(b"", OUTSIDE)
    executable = bool(target.stat().st_mode & 0o100)
    try:
        return Content(read_inside(checkout, path), EXECUTABLE if executable else FILE)
    except LeadsOut:
        return Content(b"", OUTSIDE)


async def deliver_local(ports: Ports, goal_id: GoalId, *, by: str = "") -> GoalState:
    """Put the change of a ready goal on one branch of the person's repository, nothing else.

    The intent is recorded first and the branch is its key: killed anywhere and repeated, there is
    one branch.  Nobody works on the goal meanwhile: what is delivered is what it was judged by.
    Raises `NotPossibleNow` and `GoalBusy`.
    """
    with ports.store.runner_lock(goal_id):
        state, _ = await take_over(ports, goal_id)
        check_proven(state, "deliver")
        repository = await in_thread(ports.open_repository)
        await in_thread(check_own, repository, state)
        await in_thread(check_undoes_nothing, ports.checkout, repository, state, "deliver")
        commit = await in_thread(_commit, repository, state)
        branch = name_branch(state, commit)
        if state.delivery_branch != branch:
            fact = e.DeliveryIntended(branch=branch, commit=commit)
            await ports.transact(goal_id, Record((fact,)))
        status = await in_thread(read_checkout, ports.checkout)
        await in_thread(repository.deliver, status.git_dir, commit, branch)
        told = e.GoalDelivered(branch=branch, commit=commit, by=by)
        after = await ports.transact(goal_id, Record((told,)))
        await in_thread(forget_sessions, ports.find_state_dir(), goal_id)
        return after


def name_branch(state: GoalState, commit: str) -> str:
    """Return `goal/<slug>-<end of the id>`, counted where another result of the goal has that one."""
    before = state.delivered_before
    if commit in before:
        return before[commit]
    words = re.findall(r"[a-z0-9]+", state.created.text.casefold())
    slug = "-".join(words)[:40].strip("-") or "change"
    again = f"-{len(before) + 1}" if before else ""
    return f"goal/{slug}-{state.goal_id[-8:]}{again}"


def _commit(repository: EvidenceRepository, state: GoalState) -> str:
    assert state.tree is not None
    created = state.created
    subject = " ".join(created.text.split())[:72]
    return repository.commit(
        state.tree,
        (created.base_commit,),
        author=created.author,
        at=state.goal_id.created_at,
        message=f"{subject}\n\nGoal-Id: {state.goal_id}\n",
    )
