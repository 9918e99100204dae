"""Convert in, one engine call, convert out; trust is decided in `dispatch` before any of it.

A handler never decides anything about a goal: the engine does, and its refusals pass through.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from goal_engine import (
    control,
    freeing,
    hunks,
    integration,
    lifecycle,
    logs,
    plan_file,
    planner,
    queries,
    replay,
    reverify,
    reviewing,
)
from goal_engine.agent_review import say_missing_review
from goal_engine.binding import say_adoption
from goal_engine.budget import GoalBudget
from goal_engine.delivery import local
from goal_engine.doctor import Check, Place, examine
from goal_engine.document import GoalPlan, parse_plan
from goal_engine.engine import Engine
from goal_engine.errors import (
    BadGoal,
    BadInput,
    BadPlan,
    GatesNotApproved,
    GoalBusy,
    NotAdopted,
    NotTrusted,
    RepositoryUnusable,
    StoreUnwritable,
)
from goal_engine.gates.choose import GateChoice
from goal_engine.gates.trust import digest_gate
from goal_engine.proof.gate import GateSpec, name_setup
from goal_engine.state.model import GoalState
from goal_engine.state.possible import ROWS
from goal_engine.state.possible import check_possible as check_can
from goal_engine.state.store import Summary, say_gone
from goal_engine.takeover import find_stopped_runner, say_stopped
from goal_engine.types import Decision, GoalStatus, WorkerName
from goal_engine.verifier import review
from goal_engine.verifier.bundle import PAGE, proofs_folder
from goal_engine.verifier.observe import read_trials
from goal_engine.workers.agents import agents_path, find_login
from goal_engine.workers.installed import Hands, Way, find_hindrance, find_ways, read_hands
from goal_engine.workers.presets import Agent, Package
from goal_engine.worktree import choose_folder
from goal_server import goal_views as g
from goal_server import parameters as p
from goal_server import pictures
from goal_server import results as r
from goal_server.plain import plain_text
from goal_server.registry import NEEDS_TRUST, Operation, find_effects, load
from goal_server.spending import render_forecast, render_spending

Say = Callable[[str], None]
Approve = Callable[[tuple[GateSpec, ...]], bool]

NOT_MADE_HERE = (
    "its journal came from elsewhere, so nothing that it says was seen by this machine, `ready` "
    "included; `run` what it asks for as a goal of your own"
)
TWO_PLANS = "A plan is given, so no agent is asked for one: leave out one of the two."
FOLLOWING = 0.2
"""Seconds between two looks at a log that is followed."""

WORKERS = {
    "recipe": "does what a plan spells out: run, replace, write, and the fixes of gates",
    "acp": "talks to an agent by the Agent Client Protocol: --agent NAME",
    "wire": "talks to Kimi CLI, up to 1.51, by its wire protocol: --agent kimi",
    "cli": "starts an agent with one prompt and waits for its end: --agent NAME",
    "manual": "you: a folder is made for you, and `submit` says that you are done",
}
NOTE = (
    "Agents are looked for on PATH and not started. They run as you, with your own login, in a"
    " sandbox unless settings.toml or this system has none; what they say counts for nothing, their change has to pass the gates. Agents of your"
    " own stand in {path}, as [agent.NAME] with `argv`, or `acp`; a repository cannot add any."
)


@dataclass(frozen=True, slots=True)
class Context:
    """Who asks, for which workspace, and how far it is trusted."""

    engine: Engine
    say: Say
    """Told what is going on, one line at a time."""
    trusted: bool
    actor: str
    approve: Approve = lambda _: False
    """Asked whether gates that were not approved may run; whoever asks a person remembers it."""
    editor: local.ChangeEditor | None = None
    """Where a person has files open; what it cannot do, the engine does."""


async def dispatch(context: Context, operation: Operation, params: p.Params) -> g.View:
    """Carry out `operation`.

    Raises `NotTrusted` when it would execute something in an untrusted workspace, and whatever
    the engine refuses with.
    """
    await check_possible(context.engine, operation, params)
    if needs_trust(operation, params) and not context.trusted:
        raise NotTrusted(
            f"`{operation.name}` would run code of {context.engine.checkout}, which is not"
            " trusted. Look at what it configures (goalproof.toml, pyproject.toml), then repeat with"
            " --trust, or answer in a terminal, or trust the workspace in the editor."
        )
    handler = load(operation.handler)
    result: g.View = await handler(context, params)
    return result


def needs_trust(operation: Operation, params: p.Params) -> bool:
    """Whether `operation`, asked with `params`, would execute code or reach the network."""
    return bool(NEEDS_TRUST & find_effects(operation, params))


async def check_possible(engine: Engine, operation: Operation, params: p.Params) -> None:
    """Refuse what a goal's status rules out, before anybody is asked whether code may run.

    Another plan may make possible what the present one does not.  A goal that seems to run may have
    lost its runner, and one whose files were changed by half can be put right: the engine knows.
    """
    check_adopted(engine, operation, params)
    if isinstance(params, p.ExecuteParams) and params.has_plan:
        return
    by_agent = isinstance(params, p.ReviewParams) and params.reviewer is not None
    verb = "agent-review" if by_agent else operation.name
    row = ROWS.get(verb)
    if row is None or row.only_reads or not needs_trust(operation, params):
        return
    state = await queries.resolve_goal(engine.ports, getattr(params, "goal", ""))
    if state.is_newer or state.status is not GoalStatus.RUNNING:
        check_can(state, verb)


def check_adopted(engine: Engine, operation: Operation, params: p.Params) -> None:
    """Refuse what would write to goals of another place, or work on them."""
    if operation.name in UNBOUND:
        return
    changes = {"write", "execute"} & find_effects(operation, params)
    if changes and (problem := engine.home.problem):
        raise NotAdopted(problem)


UNBOUND = frozenset({"adopt", "open", "proof", "verify-proof"})
"""What may be done to goals of another place: it shows them, or makes them one's own."""


def open_engine(
    opener: Callable[[Path], Engine], place: Path, operation: Operation, params: p.Params
) -> Engine:
    """Return the engine for `place`; what needs no repository gets one that knows no goals.

    Raises `RepositoryUnusable`.
    """
    try:
        return opener(place)
    except RepositoryUnusable:
        if not operation.anywhere or needs_trust(operation, params):
            raise
        return Engine(place.resolve())


# Work


async def run_goal(context: Context, params: p.RunParams) -> g.GoalView:
    """Create a goal and work on it until a judgement or a stop."""
    state = await _create(context, params)
    if state.status is GoalStatus.PLANNED:
        state = await lifecycle.execute_goal(context.engine.ports, state.goal_id, by=context.actor)
    return _view(context, state)


async def plan_goal(context: Context, params: p.PlanParams) -> g.GoalView:
    """Create a goal and start nothing."""
    return await _view_with_forecast(context, await _create(context, params))


async def execute_goal(context: Context, params: p.ExecuteParams) -> g.GoalView:
    """Work on a goal until a judgement or a stop, with another plan if one is given."""
    state = await _find(context, params.goal)
    await _check_gates(context, find_runnable(state))
    plan = await _read_plan(context, params, state.created.worker, state.created.agent)
    if plan is not None:
        state = await _revise(context, state, plan)
    else:
        await asyncio.to_thread(plan_file.check_unedited, context.engine.checkout, state)
    return _view(
        context, await lifecycle.execute_goal(context.engine.ports, state.goal_id, by=context.actor)
    )


async def revise_goal(context: Context, params: p.ReviseParams) -> g.GoalView:
    """Give a goal another plan: the one that is named, or its own file as the person left it."""
    state = await _find(context, params.goal)
    if params.planner is not None:
        if params.plan is not None or params.plan_text is not None:
            raise BadInput(TWO_PLANS)
        return _view(context, await _plan_by_agent(context, state, params))
    if params.plan is None and params.plan_text is None:
        own = plan_file.plan_path(context.engine.checkout, state.goal_id)
        if not own.exists():
            raise BadPlan(
                f"The plan of {state.goal_id} was not opened yet: `goalproof open {state.goal_id} "
                "plan` writes it to a file that you can change, or name one with --plan."
            )
        params = params.model_copy(update={"plan": str(own)})
    plan = await _read_plan(context, params, state.created.worker, state.created.agent)
    assert plan is not None
    return _view(context, await _revise(context, state, plan))


async def _plan_by_agent(
    context: Context, state: GoalState, params: p.PlanParams | p.ReviseParams
) -> GoalState:
    """Let an agent make the plan; it runs nothing of the workspace, and set-up commands may."""
    await _check_gates(context, find_runnable(state))
    ports, created = context.engine.ports, state.created
    agent = params.agent or created.agent
    own = created.worker if agent == created.agent else None
    worker, name = await planner.choose_consultant(ports, own, agent, planner.NO_PLAN)
    planned = await lifecycle.plan_by_agent(ports, state.goal_id, worker, name, by=context.actor)
    await asyncio.to_thread(plan_file.refresh_plan, context.engine.checkout, state, planned)
    return planned


async def _revise(context: Context, state: GoalState, plan: GoalPlan) -> GoalState:
    revised = await planner.revise_goal(context.engine.ports, state.goal_id, plan)
    await asyncio.to_thread(plan_file.refresh_plan, context.engine.checkout, state, revised)
    return revised


async def resume_goal(context: Context, params: p.ResumeParams) -> g.GoalView:
    """Let a waiting goal go on and work on it."""
    state = await _find(context, params.goal)
    await _check_gates(context, find_runnable(state))
    changes = params.model_dump(exclude={"goal"}, exclude_none=True)
    limits = GoalBudget(**changes) if changes else None
    resumed = await lifecycle.resume_goal(
        context.engine.ports, state.goal_id, limits, by=context.actor
    )
    return _view(context, resumed)


async def pause_goal(context: Context, params: p.PauseParams) -> g.GoalView:
    """Stop a goal and wait until all of it is dead."""
    state = await _find(context, params.goal)
    decision = Decision(actor=context.actor, reason=params.reason or "paused")
    after_step = params.after_step
    ports = context.engine.ports
    paused = await control.pause_goal(ports, state.goal_id, decision, after_step=after_step)
    return _view(context, paused)


async def cancel_goal(context: Context, params: p.StopParams) -> g.GoalView:
    """End a goal and wait until all of it is dead."""
    state = await _find(context, params.goal)
    decision = Decision(actor=context.actor, reason=params.reason or "cancelled")
    return _view(context, await control.cancel_goal(context.engine.ports, state.goal_id, decision))


async def submit_task(context: Context, params: p.SubmitParams) -> g.GoalView:
    """Take a person's word that a task is done; whoever runs the goal goes on."""
    state = await _find(context, params.goal)
    decision = Decision(actor=context.actor, reason="submitted")
    ports = context.engine.ports
    return _view(context, await control.submit_task(ports, state.goal_id, params.task, decision))


async def archive_goal(context: Context, params: p.ArchiveParams) -> g.GoalView:
    """Put a goal out of the lists."""
    return await _archive(context, params, back=False)


async def unarchive_goal(context: Context, params: p.ArchiveParams) -> g.GoalView:
    """Take a goal back into the lists."""
    return await _archive(context, params, back=True)


async def _archive(context: Context, params: p.ArchiveParams, *, back: bool) -> g.GoalView:
    state = await _find(context, params.goal)
    reason = params.reason or ("taken back" if back else "archived")
    decision = Decision(actor=context.actor, reason=reason)
    ports = context.engine.ports
    return _view(context, await control.archive_goal(ports, state.goal_id, decision, back=back))


# Look


async def list_goals(context: Context, params: p.ListParams) -> r.GoalList:
    """List every goal, damaged ones too, newest first."""
    known = {status.value for status in GoalStatus}
    unknown = set(params.status) - known
    if unknown:
        there = ", ".join(sorted(known))
        raise BadInput(f"There is no status {min(unknown)!r}; there are {there}.")
    summaries = await queries.list_goals(context.engine.ports)
    is_made_here = context.engine.home.find_made_here()
    lines = [await _line(context, one, is_made_here(one.goal_id)) for one in summaries]
    wanted = params.status
    found = [line for line in reversed(lines) if not wanted or line.status in wanted]
    shown = tuple(line for line in found if params.archived or not line.archived)
    return r.GoalList(goals=shown, archived=sum(line.archived for line in found))


async def _line(context: Context, summary: Summary, made_here: bool) -> g.GoalLine:
    state = summary.state
    if state is None or state.status is not GoalStatus.RUNNING:
        return pictures.render_line(summary, made_here)
    state = await _settle(context, state)
    gone = await say_gone(context.engine.ports.store, state)
    return pictures.render_line(Summary(state.goal_id, state), made_here, gone)


async def show_goal(context: Context, params: p.GoalParams) -> g.GoalView:
    """Show one goal, and say when the process that runs it was stopped or is gone."""
    state = await _find(context, params.goal)
    view = await _view_with_forecast(context, state)
    if gone := await say_gone(context.engine.ports.store, state):
        view = view.model_copy(update={"notices": (gone, *view.notices)})
    if not context.engine.home.find_made_here()(state.goal_id):
        said = context.engine.home.problem or NOT_MADE_HERE
        adopted = (f"this store: {say_adoption(one)}" for one in context.engine.home.adoptions)
        notices = (f"not made here: {said}", *adopted, *view.notices)
        return view.model_copy(update={"notices": notices})
    if state.status is not GoalStatus.RUNNING:
        return view
    pid = await asyncio.to_thread(find_stopped_runner, context.engine.state_dir, state.goal_id)
    stuck = (say_stopped(state.goal_id, pid),) if pid is not None else ()
    return view.model_copy(update={"notices": (*view.notices, *stuck)})


async def diagnose_goal(context: Context, params: p.DiagnoseParams) -> r.DiagnosisView:
    """Say why a goal stands where it stands."""
    state = await _find(context, params.goal)  # whose runner may have gone away meanwhile
    found = await queries.diagnose_goal(context.engine.ports, state.goal_id)
    return pictures.render_diagnosis(found)


async def replay_goal(context: Context, params: p.ReplayParams) -> r.ReplayView:
    """Tell what happened to a goal, from its journal alone; a damaged one up to the damage."""
    options = replay.ReplayOptions(**params.model_dump(exclude={"goal"}))
    told = await replay.replay_goal(context.engine.ports, params.goal, options)
    return pictures.render_replay(told, shows_state=params.at is not None)


async def review_goal(context: Context, params: p.ReviewParams) -> r.ReviewView:
    """Look through the change that a goal has now; an agent that is named is asked about it first."""
    state, ports = await _find(context, params.goal), context.engine.ports
    problems: tuple[str, ...] = ()
    if params.reviewer is not None:
        await _check_gates(context, find_runnable(state))
        worker, agent = await planner.choose_consultant(
            ports, params.worker, params.reviewer, planner.NO_REVIEW
        )
        context.say(f"{agent} is asked for a review of tree {(state.tree or '')[:12]}")
        state, problems = await reviewing.review_by_agent(ports, state.goal_id, worker, agent)
    elif params.worker is not None:
        raise BadInput("Say which agent is to be asked for a review: --reviewer NAME.")
    reviews = await review.review_goal(ports, state)
    if problems:
        reviews = say_missing_review(reviews, params.reviewer or "", problems)
    return pictures.render_review(state, reviews)


async def show_diff(context: Context, params: p.DiffParams) -> r.DiffView:
    """Return the change of a goal or of one task."""
    state = await _find(context, params.goal)
    ports = context.engine.ports
    raw = await local.read_diff(ports, state.goal_id, params.task, params.path)
    text = raw.decode("utf-8", "backslashreplace")
    return r.DiffView(goal=state.goal_id, task=params.task, patch=text, raw=raw)


async def show_log(context: Context, params: p.LogParams) -> r.LogView:
    """Return part of a log; to follow it, wait until there is more or it has ended."""
    goal, offset = (await _find(context, params.goal)).goal_id, params.offset
    while True:
        state = await _find(context, goal)  # whose runner may have gone away meanwhile
        part = await logs.read_log(
            context.engine.ports, state, task=params.task, gate=params.gate, offset=offset
        )
        text, moved = plain_text(part.text), part.offset != offset
        if text or not (moved or (params.follow and part.place.live)):
            break
        offset = part.offset
        if not moved:
            await asyncio.sleep(FOLLOWING)
    return r.LogView(
        goal=goal,
        name=part.place.name,
        task=part.place.task,
        gate=part.place.gate,
        text=text,
        offset=part.offset,
        live=part.place.live,
        running=state.status is GoalStatus.RUNNING,
    )


async def open_goal(context: Context, params: p.OpenParams) -> r.OpenView:
    """Say where something of a goal is; the plan is written there first."""
    state = await _find(context, params.goal)
    path = await OPENED[params.what](context, state, params.task)
    kind: Literal["file", "folder"] = "folder" if params.what == "task" else "file"
    return r.OpenView(goal=state.goal_id, what=params.what, path=str(path), kind=kind)


async def _open_plan(context: Context, state: GoalState, task: str | None) -> Path:
    engine = context.engine
    is_shown = bool(engine.home.problem) or state.is_newer
    if not is_shown and await asyncio.to_thread(plan_file.is_writable, engine.checkout, state):
        return await asyncio.to_thread(plan_file.write_plan, engine.checkout, state)
    return await asyncio.to_thread(plan_file.copy_plan, state)


async def _open_proof(context: Context, state: GoalState, task: str | None) -> Path:
    return await _find_proof(context, state) / PAGE


async def _open_task(context: Context, state: GoalState, task: str | None) -> Path:
    return await asyncio.to_thread(choose_folder, state, context.engine.ports.find_state_dir, task)


OPENED: dict[str, Callable[[Context, GoalState, str | None], Awaitable[Path]]] = {
    "plan": _open_plan,
    "proof": _open_proof,
    "task": _open_task,
}
"""How each thing that can be opened is found."""


async def show_proof(context: Context, params: p.ProofParams) -> r.ProofView:
    """Say where the proof is and what it states."""
    path = await _find_proof(context, await _find(context, params.goal))
    state = await _find(context, params.goal)  # whose proof may have been made again
    key_id, signature = await asyncio.to_thread(reverify.read_signature, path)
    earlier = pictures.render_superseded(state, path.parent) if params.all else ()
    return pictures.render_proof(state, path, key_id, signature, earlier)


# Decide


async def answer_question(context: Context, params: p.AnswerParams) -> g.GoalView:
    """Record an answer."""
    state = await _find(context, params.goal)
    decision = Decision(actor=context.actor, reason=params.reason or "answered")
    ports = context.engine.ports
    answered = await control.answer_question(
        ports, state.goal_id, params.question, params.text, decision
    )
    return _view(context, answered)


async def tell_agent(context: Context, params: p.TellParams) -> g.GoalView:
    """Say something to the agent that works on a task."""
    state = await _find(context, params.goal)
    ports = context.engine.ports
    told = await control.tell_agent(ports, state.goal_id, params.text, params.task, context.actor)
    return _view(context, told)


async def show_budget(context: Context, params: p.BudgetParams) -> r.SpendingView:
    """Show what was used and is left; with an addition, record that first.  Nobody is started."""
    state, add = await _find(context, params.goal), params.addition
    ports = context.engine.ports
    if add is not None:
        decision = Decision(actor=context.actor, reason=params.reason or "more was given")
        state = await control.extend_budget(ports, state.goal_id, add, decision)
    elif params.reason:
        raise BadInput("A reason is for more of a limit: say of which, such as --add-seconds 10m.")
    ledger = await queries.read_goal_ledger(ports, state.goal_id)
    likely = await queries.forecast_goal(ports, state)
    return render_spending(state, ledger, likely)


async def accept_criterion(context: Context, params: p.AcceptParams) -> g.GoalView:
    """Record a person's word for a criterion."""
    state = await _find(context, params.goal)
    decision = Decision(actor=context.actor, reason=params.reason)
    ports = context.engine.ports
    accepted = await integration.accept_criterion(
        ports, state.goal_id, params.criterion, decision, params.tree
    )
    return _view(context, accepted)


async def reject_goal(context: Context, params: p.RejectParams) -> g.GoalView:
    """Record a person's no to the result."""
    state = await _find(context, params.goal)
    decision = Decision(actor=context.actor, reason=params.reason)
    ports = context.engine.ports
    rejected = await integration.reject_goal(ports, state.goal_id, decision, params.tree)
    return _view(context, rejected)


# Deliver and check


async def apply_change(context: Context, params: p.ApplyParams) -> g.GoalView:
    """Put the change into the checkout's files, or take it out again."""
    state = await _find(context, params.goal)
    if not params.undo and state.proof is not None:
        await _find_proof(context, state)  # without a proof that stands up nothing leaves
    applied = await local.apply_change(
        context.engine.ports,
        state.goal_id,
        undo=params.undo,
        editor=context.editor,
        by=context.actor,
    )
    return _view(context, applied)


async def deliver_goal(context: Context, params: p.GoalParams) -> g.GoalView:
    """Make one branch of the change."""
    state = await _find(context, params.goal)
    if state.proof is not None:
        await _find_proof(context, state)
    ports = context.engine.ports
    return _view(context, await local.deliver_local(ports, state.goal_id, by=context.actor))


async def verify_goal(context: Context, params: p.GoalParams) -> g.GoalView:
    """Run the gates again on the tree that was judged."""
    state = await _find(context, params.goal)
    await _check_gates(context, find_runnable(state))
    ports = context.engine.ports
    return _view(context, await lifecycle.verify_goal(ports, state.goal_id, by=context.actor))


async def rebase_goal(context: Context, params: p.RebaseParams) -> g.GoalView:
    """Put a goal onto the newest commit of its branch, and judge it anew there."""
    state = await _find(context, params.goal)
    await _check_gates(context, find_runnable(state))
    decision = Decision(actor=context.actor, reason=params.reason or "the branch went on")
    ports = context.engine.ports
    return _view(context, await lifecycle.rebase_goal(ports, state.goal_id, decision))


async def try_hunks(context: Context, params: p.HunksParams) -> r.HunksView:
    """Take away each hunk of a change and run its gates."""
    state = await _find(context, params.goal)
    await _check_gates(context, find_runnable(state))
    ports = context.engine.ports
    tried = await hunks.try_hunks(
        ports, state.goal_id, limit=params.limit, seconds=params.seconds, say=context.say
    )
    assert tried.proof is not None
    folder = proofs_folder(context.engine.checkout, tried.goal_id)
    trials = await read_trials(ports, tried)
    return pictures.render_hunks(tried, trials, folder / tried.proof.digest)


async def verify_proof(context: Context, params: p.VerifyProofParams) -> r.ReverificationView:
    """Check a bundle's signature and digests; if asked, re-execute its gates in a clean checkout."""
    bundle = await _find_bundle(context, params.proof)
    proof, digest = await asyncio.to_thread(reverify.inspect_bundle, bundle)
    newer = await queries.find_successor(context.engine.ports, proof.goal_id, digest)
    superseded_by, because = newer or (None, "")
    commands = reverify.plan_commands(proof, setup=params.setup)
    if not params.run:
        return r.ReverificationView(
            bundle=str(bundle),
            outcome="INSPECTED",
            gates=commands,
            note=reverify.describe_inspection(proof),
            superseded_by=superseded_by,
            superseded_because=because,
        )
    for command in commands:
        context.say(f"will run {command}")
    await _check_gates(context, reverify.find_runnable(proof, setup=params.setup))
    repository = Path(params.repository) if params.repository else context.engine.checkout
    env = params.env or params.python
    found = await reverify.verify_proof(
        bundle, repository, env=env, setup=params.setup, say=context.say
    )
    return r.ReverificationView(
        bundle=str(bundle),
        outcome=found.outcome,
        gates=commands,
        differences=found.differences,
        missing=found.missing,
        note=found.note,
        superseded_by=superseded_by,
        superseded_because=because,
    )


# About


async def free_room(context: Context, params: p.GcParams) -> r.GcView:
    """Show what takes room and can go, or let it go."""
    ports = context.engine.ports
    freed = await freeing.free_room(ports, context.actor, do=params.yes, orphans=params.orphans)
    return pictures.render_freed(freed)


async def adopt_store(context: Context, params: p.NoParams) -> r.AdoptedView:
    """Let goals be made here although the store came from another place."""
    before = await context.engine.adopt(context.actor)
    names = await context.engine.ports.store.names()
    is_made_here = context.engine.home.find_made_here()
    return r.AdoptedView(
        path=str(context.engine.checkout),
        was=before,
        goals=len(names),
        elsewhere=sum(not is_made_here(name) for name in names),
        adoptions=tuple(map(say_adoption, context.engine.home.adoptions)),
    )


async def show_gates(context: Context, params: p.NoParams) -> r.GatesView:
    """Show the gates that a goal created now would have."""
    return _show(context, await context.engine.choose_gates())


def _show(context: Context, choice: GateChoice) -> r.GatesView:
    trusted = context.engine.trust.is_trusted
    return r.GatesView(
        gates=tuple(pictures.render_gate(spec, trusted(spec)) for spec in choice.specs),
        setup=tuple(pictures.render_gate(spec, trusted(spec)) for spec in name_setup(choice.setup)),
        configuration=str(choice.path) if choice.path else None,
        passed_over=tuple(map(pictures.render_passed, choice.passed_over)),
        python=choice.python,
        python_reason=choice.python_reason,
    )


async def trust_gates(context: Context, params: p.TrustGateParams) -> r.GatesView:
    """Approve gates by the digest of their content, and show those that there are now."""
    choice = await context.engine.choose_gates()
    present = (*name_setup(choice.setup), *choice.specs)
    known = {digest_gate(spec): spec for spec in present}
    wanted = tuple(known) if params.all else params.digests
    if not known.keys() >= set(wanted):  # a goal's gates stay as they were when it was created
        summaries = await queries.list_goals(context.engine.ports)
        locked = [find_runnable(summary.state) for summary in summaries if summary.state]
        known = {digest_gate(spec): spec for specs in locked for spec in specs} | known
    for digest in wanted:
        if digest not in known:
            raise BadInput(
                f"No gate here has the digest {digest[:80]!r}, or it changed since it was shown:"
                " look at `gates` again and approve what stands there."
            )
    if wanted:
        approved = [known[digest] for digest in wanted]
        await asyncio.to_thread(context.engine.trust.approve, approved)
    return _show(context, choice)


async def show_agents(context: Context, params: p.NoParams) -> r.AgentsView:
    """Show the workers there are and the agents that one of them can start; starts none."""
    engine = context.engine
    hands = await asyncio.to_thread(read_hands, engine.checkout)
    found = await asyncio.to_thread(_find_agents, hands, engine.checkout)
    able = {"recipe", "manual"}.union(*hands.installed.values())
    workers = tuple(
        r.WorkerView(name=name, title=title, available=name in able)
        for name, title in WORKERS.items()
    )
    return r.AgentsView(workers=workers, agents=found, note=NOTE.format(path=agents_path()))


def _find_agents(hands: Hands, checkout: Path) -> tuple[r.AgentView, ...]:
    default, _ = hands.find_default()
    return tuple(
        _view_agent(agent, find_ways(agent, checkout), checkout, agent.name == default)
        for agent in hands.agents.values()
    )


def _view_agent(
    agent: Agent, ways: tuple[Way, ...], checkout: Path, is_default: bool
) -> r.AgentView:
    here = {way.worker: way for way in ways}
    login = find_login(agent)
    views = tuple(
        r.WayView(
            worker=worker,
            argv=(here[worker].speaks if worker in here else usual).argv,
            path=str(here[worker].path) if worker in here else None,
            available=worker in here,
            package=_say_package(here[worker].package) if worker in here else "",
            missing="" if worker in here else find_hindrance(agent, worker, checkout),
            mode=usual.mode,
            reading=usual.reading,
            sessions=usual.sessions,
            tokens=usual.tokens,
            usd=usual.usd,
            estimates=usual.models,
        )
        for worker, usual in agent.ways.items()
    )
    first = next((view for view in views if view.available), views[-1])
    return r.AgentView(
        name=agent.name,
        title=agent.title,
        argv=agent.argv or first.argv,
        path=first.path,
        available=first.available,
        ways=views,
        login=login,
        log_in="" if login else agent.log_in,
        is_default=is_default,
    )


def _say_package(package: Package | None) -> str:
    return f"{package.name} {package.version}" if package else ""


async def examine_machine(context: Context, params: p.NoParams) -> r.DoctorView:
    """Say what goals need on this machine and how it stands; starts no agent and changes nothing."""
    checks = await asyncio.to_thread(_examine, context.engine)
    views = tuple(
        r.CheckView(name=one.name, standing=one.standing.value, said=one.said, next=one.next)
        for one in checks
    )
    return r.DoctorView(checks=views, good=all(view.standing != "bad" for view in views))


def _examine(engine: Engine) -> tuple[Check, ...]:
    is_repository = (engine.checkout / ".git").exists()
    problem = engine.home.problem if is_repository else ""
    return examine(Place(engine.checkout, is_repository, problem))


async def _create(context: Context, params: p.PlanParams) -> GoalState:
    plan = await _read_plan(context, params, params.worker, params.agent or "")
    text = params.text.strip() or (plan.goal if plan else "")
    if not text:
        raise BadGoal('Say what is to be true afterwards: goalproof run "Make the linter pass".')
    if params.planner == "agent":
        if plan is not None and plan.tasks:
            raise BadInput(TWO_PLANS)
        await planner.choose_consultant(
            context.engine.ports, params.worker, params.agent or "", planner.NO_PLAN
        )
    choice = await context.engine.choose_gates()
    await _check_gates(context, (*name_setup(choice.setup), *choice.specs))
    limits = params.model_dump(
        include=set(p.Limits.model_fields) | {"max_agents"}, exclude_none=True
    )
    options = planner.CreateGoalOptions(
        plan=plan,
        budget=(plan.budget if plan else GoalBudget()).changed(**limits),
        gates=choice.specs,
        python=choice.python,
        copies=choice.copies,
        review=choice.review,
        reviewer=params.reviewer,
        setup=choice.setup,
        keeps_setup=choice.keeps_setup,
        notices=(
            *(passed.sentence for passed in choice.passed_over if passed.absent),
            *filter(None, [context.engine.place_warning]),
        ),
        worker=params.worker,
        agent=params.agent or "",
        kind=params.kind,
        sequential=params.sequential,
    )
    create = planner.create_goal if isinstance(params, p.RunParams) else planner.plan_goal
    state = await create(context.engine.ports, text, options)
    if params.planner == "agent" and state.status is not GoalStatus.PLANNED:
        again = f"goalproof revise {state.goal_id} --planner agent"
        context.say(f"no agent is asked for a plan yet; `{again}` does it once it is planned")
        return state
    wanted = params.planner == "agent" or (
        params.planner is None
        and state.status is GoalStatus.PLANNED
        and await asyncio.to_thread(planner.is_planned_by_agent, state)
    )
    return await _plan_by_agent(context, state, params) if wanted else state


async def _read_plan(
    context: Context,
    params: p.PlanParams | p.ExecuteParams | p.ReviseParams,
    worker: WorkerName | None,
    agent: str,
) -> GoalPlan | None:
    """Return the plan that is given as text or as a file, `None` when there is none.

    `worker` and `agent` are for the tasks that it gives to nobody.
    """
    name, text = params.plan, params.plan_text
    if text is None:
        if name is None:
            return None
        text = await asyncio.to_thread(plan_file.read_plan_text, context.engine.checkout / name)
    engine = context.engine
    hands = await asyncio.to_thread(read_hands, engine.checkout, engine.ports.workers)
    return parse_plan(text, name or "The plan", worker, agent, hands.installed)


def find_runnable(state: GoalState) -> tuple[GateSpec, ...]:
    """Return all that working on a goal runs of the workspace, as what a person approves."""
    return (*name_setup(state.created.setup), *state.created.gates)


async def _check_gates(context: Context, gates: tuple[GateSpec, ...]) -> None:
    """Gates are trusted by content: what the person approved is what runs."""
    trust = context.engine.trust
    unknown = tuple(spec for spec in gates if not trust.is_trusted(spec))
    approved = not unknown or await asyncio.to_thread(context.approve, unknown)
    if not approved:
        views = tuple(pictures.render_gate(spec, trusted=False) for spec in unknown)
        listed = "; ".join(f"{view.name}: {view.command}" for view in views)
        raise GatesNotApproved(
            f"These gates were not approved, or changed since: {listed}. Look at them, then repeat"
            " with --trust, or approve them with `goalproof trust-gate` or in the editor.",
            tuple(pictures.to_plain(view) for view in views),
        )


async def _find(context: Context, reference: str) -> GoalState:
    return await _settle(context, await queries.resolve_goal(context.engine.ports, reference))


async def _settle(context: Context, state: GoalState) -> GoalState:
    """A goal whose runner went away is shown as what it is: interrupted.

    In a store that is only looked at it may run elsewhere; on a disk that takes nothing, and where
    somebody else takes it over just now, it is shown as it stands.
    """
    ports = context.engine.ports
    if context.engine.home.problem:
        return state
    with suppress(GoalBusy, StoreUnwritable):
        return await lifecycle.recover_goal(ports, state.goal_id)
    return await ports.read(state.goal_id)


async def _find_proof(context: Context, state: GoalState) -> Path:
    return await queries.resolve_goal_proof(context.engine.ports, state.goal_id)


async def _find_bundle(context: Context, reference: str) -> Path:
    """A path wins over a goal's id: a bundle may come from anywhere."""
    for path in (Path(reference), context.engine.checkout / reference):
        if await asyncio.to_thread(os.path.isdir, path):  # `Path.is_dir` fails on some names
            return path
    return await _find_proof(context, await _find(context, reference))


async def _view_with_forecast(context: Context, state: GoalState) -> g.GoalView:
    """What is left to do may be forecast while anything is."""
    view = _view(context, state)
    if state.status in (GoalStatus.CANCELLED, GoalStatus.DELIVERED, GoalStatus.READY):
        return view
    likely = await queries.forecast_goal(context.engine.ports, state)
    return view.model_copy(update={"forecast": render_forecast(likely)})


def _view(context: Context, state: GoalState) -> g.GoalView:
    folder = proofs_folder(context.engine.checkout, state.goal_id)
    plan = plan_file.plan_path(context.engine.checkout, state.goal_id)
    return pictures.render_goal(
        state,
        folder / state.proof.digest if state.proof else None,
        plan if plan.exists() else None,
    )
