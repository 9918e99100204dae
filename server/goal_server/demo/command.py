"""`goalproof demo`: a real goal in a folder of its own, from plan to re-executed proof.

Nothing is staged: it is `run` and `verify-proof --run` on a sample repository, and nothing of it is
left behind unless that is asked for.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import click

from goal_engine.engine import Engine, create_sample_repository
from goal_engine.errors import NotPossibleNow
from goal_server import exit_codes, parameters
from goal_server import goal_views as g
from goal_server import results as r
from goal_server.demo import content
from goal_server.operations import Context, dispatch
from goal_server.plain import plain_line
from goal_server.registry import Operation, find_operation
from goal_server.render import render_criteria, render_spend, render_word
from goal_server.reporter import Reporter, open_reporter
from goal_server.session import Interrupted, Watched, run_interruptible
from goal_server.settings import Settings

OPENING = (
    "A small shop with four seeded bugs, which its own tests see, in a git repository of its own.\n"
    "Four tasks fix them side by side, each in a workspace of its own; the gates decide.\n"
)

CLOSING = """
What to try next
  On your repository, without an agent; your checkout stays as it is until you say `apply`:
    goalproof run "Make the linter pass" -C PATH
  With a plan of your own (TOML: tasks, steps, criteria):
    goalproof run --plan plan.toml -C PATH
  With your own agent (`goalproof agents` shows which are here), or by hand:
    goalproof run "Fix the rounding in cart.py" --agent claude -C PATH
    goalproof run "Fix the rounding in cart.py" --worker manual -C PATH
  What a worker says counts for nothing; its change has to pass the same gates.
"""


def run_demo(settings: Settings, keep: bool) -> int:
    """Show the demo and return 0 when it ended `ready` and its proof was reproduced."""
    begun = time.monotonic()
    home = Path(tempfile.mkdtemp(prefix="goalproof-demo-"))
    try:
        with nullcontext() if keep else _state_in(home / "state"):
            goal, again = _show(settings, home)
        seconds = round(time.monotonic() - begun, 1)
        folder = str(home / "shop") if keep else None
        _tell(settings, r.DemoView(goal=goal, reverification=again, seconds=seconds, folder=folder))
    except Interrupted:
        click.echo("goalproof: the demo was stopped.", err=True)
        return exit_codes.INTERRUPTED
    finally:
        if not keep:
            shutil.rmtree(home, ignore_errors=True)
    shown = goal.status == "ready" and again.outcome == "REPRODUCED"
    return exit_codes.OK if shown else exit_codes.NOT_READY


@contextmanager
def _state_in(folder: Path) -> Iterator[None]:
    """The demo's state is kept beside it, so that it goes with it."""
    before = os.environ.get("GOALPROOF_STATE_DIR")
    os.environ["GOALPROOF_STATE_DIR"] = str(folder)
    try:
        yield
    finally:
        del os.environ["GOALPROOF_STATE_DIR"]
        if before is not None:
            os.environ["GOALPROOF_STATE_DIR"] = before


def _show(settings: Settings, home: Path) -> tuple[g.GoalView, r.ReverificationView]:
    shop, plan = home / "shop", home / "plan.toml"
    content.write_application(shop)
    plan.write_text(content.PLAN, encoding="utf-8")
    create_sample_repository(shop, "A shop with four bugs")
    if not settings.json:
        click.echo(OPENING, err=True)
    engine = Engine.open(shop)
    try:
        with open_reporter(quiet=settings.json) as reporter:
            return run_interruptible(_play(engine, reporter, plan), Watched())
    finally:
        engine.close()


async def _play(
    engine: Engine, reporter: Reporter, plan: Path
) -> tuple[g.GoalView, r.ReverificationView]:
    context = Context(
        engine=engine, say=reporter.say, trusted=True, actor="demo", approve=lambda _: True
    )
    unsubscribe = engine.subscribe(reporter.see)
    try:
        goal = await dispatch(context, _row("run"), parameters.RunParams(plan=str(plan)))
    finally:
        unsubscribe()
    assert isinstance(goal, g.GoalView)
    if goal.proof is None:
        raise NotPossibleNow(f"The demo ended {goal.status} without a proof: {goal.blocker}.")
    reporter.say("running the proof again, in clean checkouts")
    params = parameters.VerifyProofParams(proof=goal.proof.path, run=True)
    again = await dispatch(context, _row("verify-proof"), params)
    assert isinstance(again, r.ReverificationView)
    return goal, again


def _row(name: str) -> Operation:
    operation = find_operation(name)
    assert operation is not None
    return operation


def _tell(settings: Settings, view: r.DemoView) -> None:
    if settings.json:
        click.echo(view.model_dump_json(by_alias=True, indent=2))
        return
    goal, again = view.goal, view.reverification
    click.echo(f"\n{render_word(goal.status)}  {plain_line(goal.text)}\n")
    for line in render_criteria(goal.criteria):
        click.echo(f"  {line}")
    click.echo(f"\nspend   {render_spend(goal.spend)}")
    if goal.proof:
        click.echo(f"proof   {goal.proof.digest}")
    click.echo(f"again   {render_word(again.outcome)}, in clean checkouts")
    for line in (*again.differences, *again.missing):
        click.echo(f"        {plain_line(line)}")
    click.echo(f"total   {view.seconds:.1f} s")
    if view.folder:
        click.echo(f"kept    {view.folder}")
    else:
        click.echo("kept    nothing: `goalproof demo --keep` leaves the repository and its proof")
    click.echo(CLOSING, nl=False)
