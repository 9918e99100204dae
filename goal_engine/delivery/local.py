"""The change reaches the person: as a diff, in the open checkout, or as one branch.

Only a goal that is `ready` may leave, only with the tree that its proof is about.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from goal_engine.errors import ChangeDoesNotFit, GoalNotFound, NotPossibleNow
from goal_engine.evidence import GITLINK, SYMLINK, ChangedFile, GoalGitEvidence
from goal_engine.ports import Ports
from goal_engine.runtime.atomic import write_atomic
from goal_engine.runtime.repository import EvidenceRepository, read_checkout
from goal_engine.runtime.threads import in_thread
from goal_engine.state import events as e
from goal_engine.state.commands import Record
from goal_engine.state.decide import refusal
from goal_engine.state.model import GoalState
from goal_engine.types import GoalId, GoalStatus

EXECUTABLE = "100755"


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


async def apply_change(ports: Ports, goal_id: GoalId) -> GoalState:
    """Put the change of a ready goal into the checkout's files; the index stays as it is.

    Raises `NotPossibleNow`, and `ChangeDoesNotFit` when a file is neither as it was on the base nor
    as the change leaves it: then nothing is written at all.
    """
    state = await ports.read(goal_id)
    check_ready(state, "apply", GoalStatus.READY, GoalStatus.DELIVERED)
    assert state.evidence is not None
    repository = await in_thread(ports.open_repository)
    await in_thread(_apply, repository, ports.checkout, state)
    files = tuple(sorted(state.evidence.paths))
    fact = e.ChangeApplied(tree=state.evidence.tree, files=files)
    return await ports.transact(goal_id, Record((fact,)))


def check_ready(state: GoalState, verb: str, *allowed: GoalStatus) -> None:
    """Raise unless the goal's status is one of `allowed` and its proof is about its tree."""
    if state.status not in allowed:
        raise refusal(state, verb)
    if state.proof is None or state.proof.tree != state.tree or state.evidence is None:
        raise NotPossibleNow(
            f"The proof of {state.goal_id} is about another tree than the one to {verb}; "
            "`execute` it again."
        )


def _apply(repository: EvidenceRepository, checkout: Path, state: GoalState) -> None:
    evidence = state.evidence
    assert evidence is not None
    todo: list[tuple[Path, ChangedFile | None, bytes | None]] = []
    misfits: list[str] = []
    modes = {file.path: file for file in evidence.files}
    for path in sorted(evidence.paths):
        before = repository.read_blob(evidence.base_tree, path)
        after = repository.read_blob(evidence.tree, path)
        there = _read(checkout, path)
        if there != before and there != after:
            misfits.append(path)
        todo.append((checkout / path, modes.get(path), after))
    misfits += _find_blocked(checkout, evidence)
    special = [f.path for f in evidence.files if GITLINK in (f.mode, f.old_mode)]
    if misfits or special:
        raise ChangeDoesNotFit(
            f"Nothing was written: {', '.join((misfits or special)[:5])} in {checkout} is not as "
            f"it was when {state.goal_id} started. Save or undo your own changes there, or use "
            "`deliver` to get the change as a branch."
        )
    # deletions first and deepest first: nothing is ever removed through a link made here
    for target, _, after in sorted(todo, key=lambda item: item[0], reverse=True):
        if after is None and (target.is_symlink() or target.is_file()):
            target.unlink()
            _remove_empty(target.parent, checkout)
    for target, file, after in todo:
        if after is None:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if file is not None and file.mode == SYMLINK:
            target.unlink(missing_ok=True)
            target.symlink_to(after.decode("utf-8", "surrogateescape"))
        else:
            executable = file is not None and file.mode == EXECUTABLE
            write_atomic(target, after, 0o755 if executable else 0o644)


def _remove_empty(folder: Path, checkout: Path) -> None:
    """Remove a folder that a deletion emptied, and its parents, but never the checkout."""
    with suppress(OSError):
        while folder != checkout and folder.is_relative_to(checkout):
            folder.rmdir()
            folder = folder.parent


def _find_blocked(checkout: Path, evidence: GoalGitEvidence) -> list[str]:
    """Return the paths at which something else stands than a file of the base."""
    gone = {checkout / file.path for file in evidence.files if file.status == "D"}
    gone |= {
        checkout / file.old_path for file in evidence.files if file.status == "R" and file.old_path
    }
    blocked = []
    for file in evidence.files:
        target = checkout / file.path
        if file.status == "D" or target.is_symlink() or target.is_file() or not target.exists():
            continue
        inside = (
            {path for path in target.rglob("*") if not path.is_dir()}
            if target.is_dir()
            else {target}
        )
        if inside - gone:
            blocked.append(file.path)
    return blocked


def _read(checkout: Path, path: str) -> bytes | None:
    """Return a file as git would see it; a path through a link in the checkout is not ours."""
    target = checkout / path
    if not target.parent.resolve().is_relative_to(checkout.resolve()):
        return b"\0outside"
    if target.is_symlink():
        return str(target.readlink()).encode("utf-8", "surrogateescape")
    return target.read_bytes() if target.is_file() else None


async def deliver_local(ports: Ports, goal_id: GoalId) -> GoalState:
    """Put the change of a ready goal on one branch of the person's repository, nothing else.

    The intent is recorded first and the branch is its key: killed anywhere and repeated, there is
    one branch.  Raises `NotPossibleNow`.
    """
    state = await ports.read(goal_id)
    check_ready(state, "deliver", GoalStatus.READY)
    repository = await in_thread(ports.open_repository)
    branch = name_branch(state)
    commit = await in_thread(_commit, repository, state)
    if state.delivery_branch != branch:
        fact = e.DeliveryIntended(branch=branch, commit=commit)
        await ports.transact(goal_id, Record((fact,)))
    status = await in_thread(read_checkout, ports.checkout)
    await in_thread(repository.deliver, status.git_dir, commit, branch)
    return await ports.transact(goal_id, Record((e.GoalDelivered(branch=branch, commit=commit),)))


def name_branch(state: GoalState) -> str:
    """Return `goal/<slug>-<end of the id>`."""
    words = re.findall(r"[a-z0-9]+", state.created.text.casefold())
    slug = "-".join(words)[:40].strip("-") or "change"
    return f"goal/{slug}-{state.goal_id[-8:]}"


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
