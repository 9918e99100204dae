"""One request of the command line: open the workspace, carry it out, print, and give a code.

Ctrl-C pauses what runs; a second one ends the process at once, and everything it started with it.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import shlex
import signal
import sys
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from goal_engine.engine import Engine
from goal_engine.proof.gate import GateSpec
from goal_engine.queries import read_samples
from goal_engine.state.events import JournalEntry
from goal_engine.state.model import GoalState
from goal_engine.types import GoalStatus
from goal_server import exit_codes, pictures
from goal_server import goal_views as g
from goal_server import results as r
from goal_server.operations import Context, check_possible, dispatch, needs_trust, open_engine
from goal_server.parameters import LogParams, Params
from goal_server.plain import plain_line
from goal_server.registry import Operation, find_effects
from goal_server.render import render_result
from goal_server.reporter import Reporter, open_reporter
from goal_server.settings import Settings

T = TypeVar("T")
BETWEEN = 0.1
"""Seconds between two looks for the log that comes next."""


class Interrupted(Exception):
    """The person pressed Ctrl-C; everything is dead and recorded."""


@dataclass
class Watched:
    """What this process is at."""

    goal: str = ""
    """The goal that it works on, once there is one."""
    status: GoalStatus | None = None
    """How that goal stands."""
    asking: bool = False
    """Whether a person is asked something: nothing runs, so Ctrl-C may end the process."""


def perform(settings: Settings, operation: Operation, params: Params) -> int:
    """Carry out `operation` and return the exit code.  Raises what the engine refuses with."""
    engine = open_engine(Engine.open, find_place(settings, params), operation, params)
    watched, writes = Watched(), "write" in find_effects(operation, params)
    try:
        if writes and engine.place_warning:
            click.echo(f"goalproof: {plain_line(engine.place_warning)}", err=True)
        quiet = settings.json or not is_long(operation, params)
        trusted = settle_trust(engine, settings, operation, params)
        with open_reporter(quiet=quiet) as reporter:
            result = run_interruptible(
                _dispatch(engine, settings, operation, params, reporter, watched, trusted),
                watched,
            )
    except Interrupted:
        if writes:  # who only looked on knows that they stopped
            _say_interrupted(settings, watched)
        return exit_codes.INTERRUPTED
    finally:
        engine.close()
    print_result(settings, result)
    return find_code(operation, result)


def is_long(operation: Operation, params: Params) -> bool:
    """Whether there is something to watch."""
    named = operation.long_if or (operation.executes_if if not operation.anywhere else "")
    return operation.progress or (operation.cancellable and bool(getattr(params, named, True)))


def find_place(settings: Settings, params: Params) -> Path:
    """Return where to work; a proof may be checked from anywhere against a named repository."""
    named: str | None = getattr(params, "repository", None)
    return Path(named) if named and settings.path == Path() else settings.path


async def _dispatch(
    engine: Engine,
    settings: Settings,
    operation: Operation,
    params: Params,
    reporter: Reporter,
    watched: Watched,
    trusted: bool,
) -> g.View:
    def see(state: GoalState, entry: JournalEntry) -> None:
        watched.goal, watched.status = state.goal_id, state.status
        reporter.see(state, entry)

    unsubscribe = engine.subscribe(see)
    try:
        context = Context(
            engine=engine,
            say=reporter.say,
            trusted=trusted,
            actor=find_actor(),
            approve=lambda gates: _ask_gates(engine, settings, reporter, watched, gates),
        )
        if operation.progress:
            await reporter.learn(lambda: read_samples(engine.ports))
        result = await dispatch(context, operation, params)
        if isinstance(params, LogParams) and isinstance(result, r.LogView):
            return await _read_on(context, settings, operation, params, result)
        return result
    finally:
        unsubscribe()


async def _read_on(
    context: Context, settings: Settings, operation: Operation, asked: LogParams, part: r.LogView
) -> g.View:
    """Print a log part by part to its end; followed, each log that comes after it as well.

    As JSON it is one document, unless it is followed: then each part is one.
    """
    asked = asked.model_copy(update={"goal": part.goal})  # `latest` may be another one soon
    every = asked.follow and asked.task is None and asked.gate is None
    shown = ended = ""
    kept: list[str] = []
    if not (part.text or part.live or asked.offset):
        what = plain_line(part.name)
        click.echo(
            f"{what} has no log: it printed nothing, or was stopped before its end", err=True
        )
    while True:
        if part.text and (part.live or part.name != ended):
            if every and part.name != shown:
                click.echo(click.style(f"── {plain_line(part.name)}", dim=True), err=True)
            shown = part.name
            if settings.json and not asked.follow:
                kept.append(part.text)
            else:
                print_result(settings, part)
            params = asked.model_copy(
                update={"offset": part.offset, "task": part.task, "gate": part.gate}
            )
        elif every and part.running:
            ended, params = part.name, asked
            await asyncio.sleep(BETWEEN)
        else:
            return part.model_copy(update={"text": "".join(kept)})
        said = await dispatch(context, operation, params)
        assert isinstance(said, r.LogView)
        part = said


def run_interruptible(work: Coroutine[Any, Any, T], watched: Watched) -> T:
    """Run `work`; SIGINT and SIGTERM cancel it once, and a second one ends the process at once."""

    async def watch() -> T:
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()
        seen: list[int] = []

        def stop(number: int) -> None:
            if seen or watched.asking:
                os._exit(exit_codes.INTERRUPTED)
            seen.append(number)
            click.echo("\nstopping; again to leave at once", err=True)
            task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop, number)
        try:
            return await work
        except asyncio.CancelledError as error:
            raise Interrupted from error
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    return asyncio.run(watch())


def settle_trust(engine: Engine, settings: Settings, operation: Operation, params: Params) -> bool:
    """Whether code of this workspace may run: by `--trust`, by an earlier answer, or by asking."""
    typed = operation.executes_if == "run"
    if not needs_trust(operation, params) or settings.trust or typed:
        return True  # `--run` is typed by the person, who is shown what it will run
    if engine.trust.is_workspace_trusted():
        return True
    asyncio.run(check_possible(engine, operation, params))
    if not can_ask():
        return False
    click.echo(
        f"{plain_line(str(engine.checkout))} is not trusted yet. Goalproof will ask its Python"
        " and your build tools what there is, and run its gates in workspaces of their own, as you.",
        err=True,
    )
    if not click.confirm("Trust this workspace?", default=False, err=True):
        return False
    engine.trust.trust_workspace()
    return True


def _ask_gates(
    engine: Engine,
    settings: Settings,
    reporter: Reporter,
    watched: Watched,
    gates: tuple[GateSpec, ...],
) -> bool:
    """`--trust` is for this once; what a person answers is remembered."""
    if settings.trust or not can_ask():
        return settings.trust
    watched.asking = True
    with reporter.aside():
        click.echo("These gates were not approved yet:", err=True)
        for spec in gates:
            click.echo(f"  {spec.name}: {pictures.say_command(spec)}", err=True)
        said = click.confirm("Run them?", default=False, err=True)
    watched.asking = False
    if said:
        engine.trust.approve(gates)
    return said


def can_ask() -> bool:
    """Whether a person is there to answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def find_actor() -> str:
    """Return who decides: the name of the account."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def print_result(settings: Settings, result: g.View) -> None:
    """Print a result: JSON, or text; a diff goes to a pipe byte for byte."""
    if settings.json:
        click.echo(result.model_dump_json(by_alias=True, indent=2))
    elif isinstance(result, r.DiffView) and not sys.stdout.isatty():
        sys.stdout.buffer.write(result.raw)
    elif isinstance(result, r.LogView):
        click.echo(result.text, nl=False)
    else:
        click.echo(render_result(with_place(settings, result)), nl=False)


def place_prefix(settings: Settings) -> str:
    """Return how a command begins that can be pasted where the person is."""
    if settings.path == Path():
        return "goalproof "
    return f"goalproof -C {shlex.quote(str(settings.path))} "


def with_place(settings: Settings, result: g.View) -> g.View:
    """Return `result` with next steps that can be pasted where the person is."""
    if not isinstance(result, g.GoalView | r.ProofView | r.ReviewView) or settings.path == Path():
        return result
    here = place_prefix(settings)
    steps = tuple(step.replace("goalproof ", here, 1) for step in result.next)
    return result.model_copy(update={"next": steps})


def find_code(operation: Operation, result: g.View) -> int:
    """Return the exit code that `result` means."""
    if isinstance(result, r.ReverificationView):
        return exit_codes.BY_OUTCOME[result.outcome]
    if isinstance(result, r.ReviewView):
        return exit_codes.BY_REVIEW[result.status]
    if isinstance(result, r.DoctorView):
        return exit_codes.OK if result.good else exit_codes.INFRASTRUCTURE
    if isinstance(result, g.GoalView) and operation.exits_by_status:
        return exit_codes.find_status_code(result.status)
    return exit_codes.OK


GOES_ON = {GoalStatus.PAUSED: "resume", GoalStatus.PLANNED: "execute"}
"""What takes up a goal that was stopped; one that a person had looked at stands as before."""


def _say_interrupted(settings: Settings, watched: Watched) -> None:
    goal = watched.goal
    verb = GOES_ON.get(watched.status) if watched.status else None
    onward = f" `{place_prefix(settings)}{verb} {goal}` goes on." if verb else ""
    text = (
        f"{goal} is {watched.status}; everything it started is dead.{onward}"
        if goal
        else "Stopped before anything was started."
    )
    if settings.json:
        click.echo(exit_codes.render_error_json(exit_codes.INTERRUPTED, "Interrupted", text))
    else:
        click.echo(f"goalproof: {text}", err=True)
