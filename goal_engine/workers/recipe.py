"""The worker that needs no model: it carries out the steps of its task, one after the other."""

from __future__ import annotations

from pathlib import Path
from typing import assert_never

from goal_engine.budget import COSTS_NOTHING, Reports
from goal_engine.errors import ToolMissing
from goal_engine.ports import TurnResult, WorkerTurn
from goal_engine.runtime.inside import LeadsOut, read_inside, write_inside
from goal_engine.runtime.process import clean_environment, run_process
from goal_engine.runtime.redacting import redacting
from goal_engine.runtime.threads import in_thread
from goal_engine.task_graph.graph import (
    FixStep,
    GoalTask,
    ReplaceStep,
    RunStep,
    Step,
    WriteStep,
    is_safe_path,
)

FIX_TIMEOUT = 600.0
"""Seconds that the fix of a gate may take."""


class StepFailed(Exception):
    """A step could not be carried out; the message says why."""


class RecipeWorker:
    """Runs, replaces, writes and fixes: the same tree every time."""

    def find_reports(self, _: GoalTask) -> Reports:
        """Return that nothing has to be paid for."""
        return COSTS_NOTHING

    async def run(self, turn: WorkerTurn) -> TurnResult:
        """Carry out the steps; the first that fails ends the turn."""
        for number, step in enumerate(turn.task.steps, start=1):
            try:
                await _carry_out(step, turn)
            except (StepFailed, ToolMissing) as error:
                return TurnResult(ended=False, reason=f"step {number}: {error}")
        return TurnResult(ended=True)


async def _carry_out(step: Step, turn: WorkerTurn) -> None:
    match step:
        case RunStep():
            await _run(step.run, step.timeout, turn)
        case FixStep():
            await _fix(step, turn)
        case ReplaceStep():
            await in_thread(_replace, step, turn.workspace)
        case WriteStep():
            await in_thread(_write, step, turn.workspace)
        case _:
            assert_never(step)


async def _run(
    argv: tuple[str, ...], timeout: float, turn: WorkerTurn, *, ok: tuple[int, ...] = (0,)
) -> None:
    async with redacting(turn.log, turn.redactor) as raw:
        ended = await run_process(
            argv,
            cwd=turn.workspace,
            env=clean_environment(turn.environment.variables),
            log=raw,
            timeout=timeout,
            running=turn.running,
            sandbox=await in_thread(turn.confine),
        )
    if ended.timed_out:
        raise StepFailed(f"{argv[0]} was killed after {timeout:g} s")
    if ended.exit_code not in ok:
        raise StepFailed(f"{argv[0]} ended with exit code {ended.exit_code}")


async def _fix(step: FixStep, turn: WorkerTurn) -> None:
    """A fixer may leave findings it cannot repair and say so with 1: the gate has the last word."""
    argv = next((gate.fix for gate in turn.gates if gate.name == step.fix), None)
    if argv is None:
        raise StepFailed(f"gate {step.fix} has no fix")
    await _run(argv, FIX_TIMEOUT, turn, ok=(0, 1))


def _replace(step: ReplaceStep, workspace: Path) -> None:
    try:
        text = read_inside(workspace, _check_path(step.replace)).decode()
    except LeadsOut as error:
        raise StepFailed(_say_outside(step.replace)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise StepFailed(f"{step.replace} cannot be read: {error}") from error
    found = text.count(step.old)
    if found != step.count:
        raise StepFailed(
            f"{step.replace} has the text to replace {found} times, expected {step.count}"
        )
    _put(workspace, step.replace, text.replace(step.old, step.new))


def _write(step: WriteStep, workspace: Path) -> None:
    _put(workspace, _check_path(step.write), step.content)


def _put(workspace: Path, path: str, text: str) -> None:
    try:
        write_inside(workspace, path, text.encode())
    except LeadsOut as error:
        raise StepFailed(_say_outside(path)) from error
    except OSError as error:
        raise StepFailed(f"{path} cannot be written: {error}") from error


def _check_path(path: str) -> str:
    if not is_safe_path(path):
        raise StepFailed(_say_outside(path))
    return path


def _say_outside(path: str) -> str:
    """A symbolic link in the tree must not lead a step out of the workspace."""
    return f"{path} leads out of the workspace"
