"""What a task or a gate printed: while it runs from its file, afterwards from the store."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import Path

from goal_engine.errors import GoalNotFound
from goal_engine.ports import Ports
from goal_engine.proof.gate import GateStage
from goal_engine.runtime.regular import open_regular
from goal_engine.runtime.threads import in_thread
from goal_engine.state.model import GateRun, GoalState
from goal_engine.takeover import workspaces_folder
from goal_engine.types import GoalStatus, TaskStatus
from goal_engine.verifier.run import name_run
from goal_engine.worktree import log_file, name_consultation

LIMIT = 64 * 1024
"""Bytes of a log in one answer."""


@dataclass(frozen=True, slots=True)
class LogPlace:
    """A log, and where it is.  One of `task` and `gate` says whose."""

    name: str
    """`fix`, or for a gate with its stage: `proving tests`."""
    task: str | None = None
    gate: str | None = None
    path: Path | None = None
    """The file, while it is written."""
    sha256: str | None = None
    """The object that holds all of it."""

    @property
    def live(self) -> bool:
        """Whether more may come."""
        return self.path is not None


@dataclass(frozen=True, slots=True)
class LogPart:
    """Part of a log as text; `offset` (bytes) is where the next part begins."""

    place: LogPlace
    text: str
    offset: int


async def read_log(
    ports: Ports, state: GoalState, *, task: str | None, gate: str | None, offset: int
) -> LogPart:
    """Return at most `LIMIT` bytes of a log, from `offset` on.

    Without `task` and `gate` it is the log of what runs now, else of what ran last.  Of a gate
    it is what it said of the result, if it was asked.  A log that is shorter than `offset` is
    another one, of a new attempt, and read from its beginning.  Raises `GoalNotFound` where there
    is none.
    """
    folder = workspaces_folder(ports.find_state_dir(), state.goal_id)
    place = await in_thread(find_log, state, folder, task, gate)
    if place.sha256 is not None:
        data = await ports.store.read_object(place.sha256)
        start = offset if offset <= len(data) else 0
        part, size = data[start : start + LIMIT], len(data)
    elif place.path is not None:
        start, part, size = await in_thread(_read_file, place.path, offset)
    else:
        start, part, size = 0, b"", 0
    whole = start + len(part) >= size and not place.live
    text, used = decode_part(part, final=whole)
    return LogPart(place, text, start + used)


def decode_part(data: bytes, *, final: bool) -> tuple[str, int]:
    """Return the text of `data` and how many bytes it took: half a character waits for the rest."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(data, final)
    return text, len(data) - len(decoder.getstate()[0])


def find_log(state: GoalState, folder: Path, task: str | None, gate: str | None) -> LogPlace:
    """Return the log that is meant; looks for files in `folder`.  Raises `GoalNotFound`."""
    if task is not None:
        asked = None if task in state.tasks else _find_of_consultation(state, folder, task)
        return asked or _find_of_task(state, folder, task)
    if gate is not None:
        return _find_of_gate(state, folder, gate)
    if state.consulting is not None:
        asked = _find_of_consultation(state, folder, state.consulting.about)
        if asked is not None:
            return asked
    running = [name for name, at in state.tasks.items() if _is_running(state, at.status)]
    if running:
        return _find_of_task(state, folder, running[0])
    for name in state.gate_names:
        live = _find_running(state, folder, name)
        if live is not None:
            return live
    return _find_last(state)


def _is_running(state: GoalState, status: TaskStatus) -> bool:
    return state.status is GoalStatus.RUNNING and status is TaskStatus.RUNNING


def _find_of_task(state: GoalState, folder: Path, task: str) -> LogPlace:
    if task not in state.tasks:
        known = ", ".join(state.tasks) or "none"
        raise GoalNotFound(f"{state.goal_id} has no task {task[:80]!r}; it has {known}.")
    at = state.tasks[task]
    if _is_running(state, at.status):
        return LogPlace(task, task=task, path=log_file(folder, task))
    if not at.attempts:
        raise GoalNotFound(f"Task {task} of {state.goal_id} has no log yet: it has not run.")
    return LogPlace(task, task=task, sha256=at.log)


def _find_of_consultation(state: GoalState, folder: Path, about: str) -> LogPlace | None:
    """The log of whoever is, or was, asked for a plan or a review: called so where no task is."""
    now, last = state.consulting, state.consulted.get(about)
    if now is not None and now.about == about:
        return LogPlace(about, task=about, path=log_file(folder, name_consultation(about)))
    return LogPlace(about, task=about, sha256=last.log) if last is not None and last.log else None


def _find_of_gate(state: GoalState, folder: Path, gate: str) -> LogPlace:
    if gate not in state.gate_names:
        known = ", ".join(state.gate_names) or "none"
        raise GoalNotFound(f"{state.goal_id} has no gate {gate[:80]!r}; it has {known}.")
    live = _find_running(state, folder, gate)
    if live is not None:
        return live
    runs = [run for run in state.gates_run.values() if run.result.gate == gate]
    if not runs:
        raise GoalNotFound(f"Gate {gate} has no log yet in {state.goal_id}: it has not run.")
    return _place_of(_choose(runs))


def _choose(runs: list[GateRun]) -> GateRun:
    """What a gate said of the result, else what it said last: what comes after the result runs on
    a tree that nobody has, and would be taken for it."""
    proving = [run for run in runs if run.result.stage is GateStage.PROVING]
    return (proving or runs)[-1]


def _find_running(state: GoalState, folder: Path, gate: str) -> LogPlace | None:
    """A gate that runs has a file, and no gate that does not."""
    if state.status is not GoalStatus.RUNNING:
        return None
    for stage in GateStage:
        path = log_file(folder, name_run(stage, gate))
        if path.exists():
            return LogPlace(f"{stage} {gate}", gate=gate, path=path)
    return None


def _place_of(run: GateRun) -> LogPlace:
    result = run.result
    return LogPlace(f"{result.stage} {result.gate}", gate=result.gate, sha256=result.log)


def _find_last(state: GoalState) -> LogPlace:
    """Gates judge what tasks did, so the last gate comes after the last task; the base's before."""
    runs = list(state.gates_run.values())
    later = [run for run in runs if run.result.stage is not GateStage.BASELINE]
    tried = [name for name, at in state.tasks.items() if at.attempts]
    if later:
        return _place_of(_choose(later))
    if tried:
        return LogPlace(tried[-1], task=tried[-1], sha256=state.tasks[tried[-1]].log)
    if runs:
        return _place_of(runs[-1])
    planned = state.consulted.get("plan")
    if planned is not None and planned.log is not None:
        return LogPlace("plan", task="plan", sha256=planned.log)
    raise GoalNotFound(f"{state.goal_id} has no log yet: nothing of it has run.")


def _read_file(path: Path, offset: int) -> tuple[int, bytes, int]:
    """Return where reading began, what was read and how large the file is."""
    try:
        with open_regular(path) as file:
            size = file.seek(0, 2)
            start = file.seek(offset if offset <= size else 0)
            return start, file.read(LIMIT), size
    except FileNotFoundError:  # not begun, or just moved into the store
        return offset, b"", offset
